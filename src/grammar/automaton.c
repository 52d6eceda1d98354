// SPDX-License-Identifier: MIT
#include "grammar/automaton.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define NESTING_STACK_MAX                                                                          \
    (GLM_STACK_MAX - 64) /* room for what holds nothing, so that values can end */
#define WORK_MIN 512     /* threads there is room for at first */

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static size_t used_bytes(const glm_automaton *a)
{
    return a->n_frames * sizeof *a->frames + a->n_threads * sizeof *a->threads +
           a->n_states * (sizeof *a->states + a->prog->n_classes * sizeof *a->next);
}

bool glm_automaton_is_full(const glm_automaton *a)
{
    return used_bytes(a) > GLM_AUTOMATON_BYTES_SOFT;
}

/* Make room for `n` more items of `item_bytes`; new ones are zero. */
static bool reserve(glm_automaton *a, void *items_at, size_t used, size_t n, size_t *capacity,
                    size_t item_bytes)
{
    if (used + n <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 256;
    while (wanted < used + n)
        wanted *= 2;
    void *items;
    memcpy(&items, items_at, sizeof items);
    char *more = realloc(items, glm_mul_size(wanted, item_bytes));
    if (!more) {
        a->status = GLM_ENOMEM;
        return false;
    }
    memset(more + *capacity * item_bytes, 0, (wanted - *capacity) * item_bytes);
    memcpy(items_at, &more, sizeof more);
    *capacity = wanted;
    return true;
}

static bool new_table(glm_automaton *a, uint32_t **table, size_t *size)
{
    size_t wanted = *size ? *size * 2 : 1024;
    uint32_t *fresh = glm_new_array(uint32_t, wanted);
    if (!fresh) {
        a->status = GLM_ENOMEM;
        return false;
    }
    free(*table);
    *table = fresh;
    *size = wanted;
    return true;
}

static void put(uint32_t *table, size_t size, uint32_t hash, uint32_t id)
{
    size_t i = hash & (size - 1);
    while (table[i])
        i = (i + 1) & (size - 1);
    table[i] = id;
}

static uint32_t frame_hash(const glm_frame *f)
{
    return mix(f->ret, f->parent);
}

static uint32_t state_hash(const glm_thread *threads, size_t n, bool is_end)
{
    uint32_t h = is_end;
    for (size_t i = 0; i < n; i++)
        h = mix(mix(h, threads[i].place), threads[i].frame);
    return h;
}

/* The frame that returns to `ret` and then to `parent`; 0 with a->status set on failure. */
static uint32_t find_frame(glm_automaton *a, uint32_t ret, uint32_t parent)
{
    glm_frame f = {ret, parent, a->frames[parent].depth + 1};
    uint32_t hash = frame_hash(&f);
    for (size_t i = hash & (a->frame_table_size - 1); a->frame_table[i];
         i = (i + 1) & (a->frame_table_size - 1)) {
        const glm_frame *g = &a->frames[a->frame_table[i]];
        if (g->ret == ret && g->parent == parent)
            return a->frame_table[i];
    }
    if (used_bytes(a) > GLM_AUTOMATON_BYTES_HARD) {
        a->status = GLM_ELIMIT;
        return 0;
    }
    if (!reserve(a, &a->frames, a->n_frames, 1, &a->frame_capacity, sizeof f))
        return 0;
    if (a->n_frames * 2 >= a->frame_table_size) {
        if (!new_table(a, &a->frame_table, &a->frame_table_size))
            return 0;
        for (uint32_t id = 1; id < a->n_frames; id++)
            put(a->frame_table, a->frame_table_size, frame_hash(&a->frames[id]), id);
    }
    uint32_t id = (uint32_t)a->n_frames++;
    a->frames[id] = f;
    put(a->frame_table, a->frame_table_size, hash, id);
    return id;
}

/* Room for twice as many threads on the way. */
static bool grow_work(glm_automaton *a)
{
    size_t wanted = a->work_capacity ? a->work_capacity * 2 : WORK_MIN;
    glm_thread *work =
        wanted <= GLM_AUTOMATON_THREADS_MAX ? glm_new_array(glm_thread, wanted) : NULL;
    glm_thread *kept = work ? glm_new_array(glm_thread, wanted) : NULL;
    uint32_t *table = kept ? glm_new_array(uint32_t, 4 * wanted) : NULL;
    uint32_t *stamp = table ? glm_new_array(uint32_t, 4 * wanted) : NULL;
    if (!stamp) {
        free(work);
        free(kept);
        free(table);
        a->status = wanted <= GLM_AUTOMATON_THREADS_MAX ? GLM_ENOMEM : GLM_ELIMIT;
        return false;
    }
    for (size_t i = 0; i < a->n_work; i++) {
        size_t at = mix(a->work[i].place, a->work[i].frame) & (4 * wanted - 1);
        while (stamp[at])
            at = (at + 1) & (4 * wanted - 1);
        stamp[at] = 1;
        table[at] = (uint32_t)i;
        work[i] = a->work[i];
    }
    if (a->n_kept)
        memcpy(kept, a->kept, a->n_kept * sizeof *kept);
    free(a->work);
    free(a->kept);
    free(a->work_table);
    free(a->work_stamp);
    a->work = work;
    a->kept = kept;
    a->work_table = table;
    a->work_stamp = stamp;
    a->work_capacity = wanted;
    a->stamp = 1;
    return true;
}

static void add_work(glm_automaton *a, uint32_t place, uint32_t frame)
{
    const size_t last = 4 * a->work_capacity - 1;
    size_t i = mix(place, frame) & last;
    while (a->work_stamp[i] == a->stamp) {
        const glm_thread *t = &a->work[a->work_table[i]];
        if (t->place == place && t->frame == frame)
            return;
        i = (i + 1) & last;
    }
    if (a->n_work == a->work_capacity) {
        if (grow_work(a))
            add_work(a, place, frame); /* once: there is room now */
        return;
    }
    a->work_stamp[i] = a->stamp;
    a->work_table[i] = (uint32_t)a->n_work;
    a->work[a->n_work++] = (glm_thread){place, frame};
}

static void begin_work(glm_automaton *a)
{
    a->n_work = a->n_kept = 0;
    a->status = GLM_OK;
    if (++a->stamp == 0) {
        memset(a->work_stamp, 0, 4 * a->work_capacity * sizeof *a->work_stamp);
        a->stamp = 1;
    }
}

static int compare_threads(const void *va, const void *vb)
{
    const glm_thread *a = va, *b = vb;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* Small sets are nearly always in order already. */
static void sort_threads(glm_thread *threads, size_t n)
{
    if (n > 32) {
        qsort(threads, n, sizeof *threads, compare_threads);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        glm_thread t = threads[i];
        size_t k = i;
        for (; k > 0 && compare_threads(&t, &threads[k - 1]) < 0; k--)
            threads[k] = threads[k - 1];
        threads[k] = t;
    }
}

/* The state with these sorted threads, found or made. */
static uint32_t find_state(glm_automaton *a, const glm_thread *threads, size_t n, bool is_end)
{
    if (n == 0 && !is_end)
        return GLM_STATE_DEAD;
    uint32_t hash = state_hash(threads, n, is_end);
    for (size_t i = hash & (a->state_table_size - 1); a->state_table[i];
         i = (i + 1) & (a->state_table_size - 1)) {
        const glm_state *s = &a->states[a->state_table[i]];
        if (s->n == n && s->is_end == is_end &&
            memcmp(&a->threads[s->first], threads, n * sizeof *threads) == 0)
            return a->state_table[i];
    }
    if (used_bytes(a) > GLM_AUTOMATON_BYTES_HARD) {
        a->status = GLM_ELIMIT;
        return GLM_STATE_NONE;
    }
    size_t capacity = a->state_capacity;
    if (!reserve(a, &a->threads, a->n_threads, n, &a->thread_capacity, sizeof *threads) ||
        !reserve(a, &a->next, a->n_states, 1, &capacity, a->prog->n_classes * sizeof *a->next) ||
        !reserve(a, &a->states, a->n_states, 1, &a->state_capacity, sizeof *a->states))
        return GLM_STATE_NONE;
    if (a->n_states * 2 >= a->state_table_size) {
        if (!new_table(a, &a->state_table, &a->state_table_size))
            return GLM_STATE_NONE;
        for (uint32_t id = 2; id < a->n_states; id++) {
            const glm_state *s = &a->states[id];
            put(a->state_table, a->state_table_size,
                state_hash(&a->threads[s->first], s->n, s->is_end), id);
        }
    }
    uint32_t id = (uint32_t)a->n_states++;
    a->states[id] = (glm_state){(uint32_t)a->n_threads, (uint32_t)n, is_end};
    memcpy(&a->threads[a->n_threads], threads, n * sizeof *threads);
    a->n_threads += n;
    put(a->state_table, a->state_table_size, hash, id);
    return id;
}

/* The frame below the marks of `frame`. */
static uint32_t below_marks(const glm_automaton *a, uint32_t frame)
{
    while (frame != 0 && (a->frames[frame].ret & GLM_FRAME_MARK))
        frame = a->frames[frame].parent;
    return frame;
}

/* The stack for a call that goes on at `ret`; right before a return it needs no frame of its own. */
static uint32_t push_frame(glm_automaton *a, uint32_t ret, uint32_t frame)
{
    if (a->prog->inst[ret].op == GLM_PROG_RET && !(a->frames[frame].ret & GLM_FRAME_MARK))
        return frame;
    return find_frame(a, ret, frame);
}

/* Enter rule inst->x. */
static void enter(glm_automaton *a, const glm_prog_inst *inst, uint32_t frame)
{
    const glm_prog_rule *rule = &a->prog->rules[inst->x];
    const glm_frame *f = &a->frames[frame];
    if (f->depth >= (rule->is_nesting ? NESTING_STACK_MAX : GLM_STACK_MAX))
        return;
    frame = push_frame(a, inst->y, frame);
    if (a->status == GLM_OK)
        add_work(a, rule->start, frame);
}

static bool has_mark(const glm_automaton *a, uint32_t frame, uint32_t mark)
{
    for (; frame != 0 && (a->frames[frame].ret & GLM_FRAME_MARK); frame = a->frames[frame].parent) {
        if (a->frames[frame].ret == (GLM_FRAME_MARK | mark))
            return true;
    }
    return false;
}

static void follow_once(glm_automaton *a, const glm_prog_inst *inst, uint32_t frame)
{
    if (has_mark(a, frame, inst->y) || a->frames[frame].depth >= GLM_STACK_MAX)
        return;
    uint32_t marked = find_frame(a, GLM_FRAME_MARK | inst->y, frame);
    if (a->status == GLM_OK)
        add_work(a, inst->x, marked);
}

static void follow_need(glm_automaton *a, const glm_prog_inst *inst, uint32_t frame)
{
    const uint32_t *need = &a->prog->needs[inst->y];
    for (uint32_t i = 1; i <= need[0]; i++) {
        if (!has_mark(a, frame, need[i]))
            return;
    }
    add_work(a, inst->x, below_marks(a, frame));
}

static void follow_return(glm_automaton *a, uint32_t frame, bool *is_end)
{
    if (frame == 0)
        *is_end = true;
    else
        add_work(a, a->frames[frame].ret, a->frames[frame].parent);
}

/* Follow all that needs no byte from the work list; the state of the threads that wait for one. */
static uint32_t close_work(glm_automaton *a)
{
    bool is_end = false;
    for (size_t i = 0; i < a->n_work && a->status == GLM_OK; i++) {
        const glm_thread t = a->work[i];
        const glm_prog_inst *inst = &a->prog->inst[t.place];
        switch (inst->op) {
        case GLM_PROG_RANGE:
        case GLM_PROG_TEXT:
        case GLM_PROG_NAME:
            a->kept[a->n_kept++] = t;
            break;
        case GLM_PROG_SPLIT:
            add_work(a, inst->x, t.frame);
            add_work(a, inst->y, t.frame);
            break;
        case GLM_PROG_CALL:
            enter(a, inst, t.frame);
            break;
        case GLM_PROG_ONCE:
            follow_once(a, inst, t.frame);
            break;
        case GLM_PROG_NEED:
            follow_need(a, inst, t.frame);
            break;
        case GLM_PROG_RET:
            follow_return(a, below_marks(a, t.frame), &is_end);
            break;
        default:
            break;
        }
    }
    a->work_left -= a->n_work < a->work_left ? a->n_work : a->work_left;
    if (a->status != GLM_OK)
        return GLM_STATE_NONE;
    sort_threads(a->kept, a->n_kept);
    return find_state(a, a->kept, a->n_kept, is_end);
}

uint32_t glm_automaton_start(glm_automaton *a, uint32_t rule)
{
    return glm_automaton_enter(a, a->prog->rules[rule].start, 0);
}

uint32_t glm_automaton_enter(glm_automaton *a, uint32_t place, uint32_t frame)
{
    begin_work(a);
    add_work(a, place, frame);
    return close_work(a);
}

uint32_t glm_automaton_subset(glm_automaton *a, const glm_thread *threads, size_t n)
{
    a->status = GLM_OK;
    return find_state(a, threads, n, false);
}

/* Take `byte` into a unit of a text; the ranges of its first byte are listed. */
static void step_into(glm_automaton *a, uint32_t first, uint32_t n, uint8_t byte, uint32_t frame)
{
    for (uint32_t i = 0; i < n; i++) {
        const glm_prog_inst *inst = &a->prog->inst[a->prog->firsts[first + i]];
        if (inst->lo <= byte && byte <= inst->hi)
            add_work(a, inst->x, frame);
    }
}

static void step_text(glm_automaton *a, const glm_prog_inst *inst, uint8_t byte, uint32_t frame)
{
    const glm_prog_text *text = &a->prog->texts[inst->x];
    if (a->frames[frame].depth >= GLM_STACK_MAX)
        return;
    frame = push_frame(a, inst->y, frame);
    if (a->status == GLM_OK)
        step_into(a, text->first, text->n, byte, frame);
}

static void step_name(glm_automaton *a, const glm_prog_inst *inst, uint8_t byte, uint32_t frame)
{
    const glm_prog_node *node = &a->prog->nodes[inst->x];
    if (byte >= 0x80) {
        step_into(a, node->first, node->n, byte, frame);
    } else if (byte == '"') {
        add_work(a, node->close, frame);
    } else if (byte >= 0x20 && byte != '\\') {
        uint32_t to = node->rest;
        for (uint32_t i = 0; i < node->n_edges; i++) {
            const glm_prog_edge *edge = &a->prog->edges[node->first_edge + i];
            if (edge->byte == byte)
                to = edge->to;
        }
        add_work(a, to, frame);
    }
}

uint32_t glm_automaton_build_step(glm_automaton *a, uint32_t state, uint8_t byte)
{
    begin_work(a);
    const uint32_t first = a->states[state].first, n = a->states[state].n;
    if (a->work_left < n) {
        a->status = GLM_ELIMIT;
        return GLM_STATE_NONE;
    }
    a->work_left -= n;
    for (uint32_t i = 0; i < n && a->status == GLM_OK; i++) {
        const glm_thread t = a->threads[first + i];
        const glm_prog_inst *inst = &a->prog->inst[t.place];
        if (inst->op == GLM_PROG_TEXT)
            step_text(a, inst, byte, t.frame);
        else if (inst->op == GLM_PROG_NAME)
            step_name(a, inst, byte, t.frame);
        else if (inst->lo <= byte && byte <= inst->hi)
            add_work(a, inst->x, t.frame);
    }
    uint32_t next = a->status == GLM_OK ? close_work(a) : GLM_STATE_NONE;
    a->next[state * a->prog->n_classes + a->prog->class_of[byte]] = next;
    return next;
}

uint32_t glm_automaton_copy_state(glm_automaton *to, const glm_automaton *from, uint32_t state)
{
    uint32_t path[GLM_STACK_MAX + 1];
    const glm_state *s = &from->states[state];
    to->status = GLM_OK;
    while (to->work_capacity < s->n) {
        if (!grow_work(to))
            return GLM_STATE_NONE;
    }
    for (size_t i = 0; i < s->n; i++) {
        const glm_thread *t = &from->threads[s->first + i];
        size_t depth = 0;
        for (uint32_t f = t->frame; f != 0; f = from->frames[f].parent)
            path[depth++] = f;
        uint32_t frame = 0;
        while (depth > 0 && to->status == GLM_OK)
            frame = find_frame(to, from->frames[path[--depth]].ret, frame);
        to->kept[i] = (glm_thread){t->place, frame};
    }
    if (to->status != GLM_OK)
        return GLM_STATE_NONE;
    sort_threads(to->kept, s->n);
    return find_state(to, to->kept, s->n, s->is_end);
}

glm_status glm_automaton_init(glm_automaton *a, const glm_prog *prog)
{
    *a = (glm_automaton){.prog = prog, .status = GLM_OK, .n_frames = 1, .n_states = 2};
    size_t capacity = 0;
    if (!grow_work(a) || !new_table(a, &a->frame_table, &a->frame_table_size) ||
        !new_table(a, &a->state_table, &a->state_table_size) ||
        !reserve(a, &a->frames, 0, 1, &a->frame_capacity, sizeof *a->frames) ||
        !reserve(a, &a->threads, 0, 1, &a->thread_capacity, sizeof *a->threads) ||
        !reserve(a, &a->next, 0, 2, &capacity, prog->n_classes * sizeof *a->next) ||
        !reserve(a, &a->states, 0, 2, &a->state_capacity, sizeof *a->states))
        return GLM_ENOMEM;
    for (size_t c = 0; c < prog->n_classes; c++)
        a->next[GLM_STATE_DEAD * prog->n_classes + c] = GLM_STATE_DEAD;
    return GLM_OK;
}

void glm_automaton_deinit(glm_automaton *a)
{
    free(a->frames);
    free(a->threads);
    free(a->states);
    free(a->next);
    free(a->frame_table);
    free(a->state_table);
    free(a->work);
    free(a->kept);
    free(a->work_table);
    free(a->work_stamp);
    *a = (glm_automaton){0};
}
