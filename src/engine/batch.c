// SPDX-License-Identifier: MIT
/* One turn of the scheduler's thread: who is taken in, what the step runs, what follows from its logits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/mem.h"
#include "engine/scheduler_internal.h"

/* What a generated token weighs against a prompt token when owners share the engine (Sheng et al. 2024, "Fairness in
 * Serving Large Language Models", section 4). */
#define GENERATED_WEIGHT 2.0
#define PROGRESS_NS 250000000u

static double seconds(uint64_t from, uint64_t to)
{
    return from && to > from ? (double)(to - from) * 1e-9 : 0.0;
}

static uint32_t pending(const glm_sequence *q)
{
    return q->n_tokens - (q->session ? glm_session_length(q->session) : 0);
}

/* Whether it still reads its prompt, for the first time. */
static bool reads_prompt(const glm_sequence *q)
{
    return q->n_tokens == q->request->p.n_prompt && !glm_decoder_n_generated(q->decoder);
}

/* ---- Counters ---- */

static uint32_t free_slots(const glm_scheduler *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->p.max_active; i++)
        n += !s->seq[i].request;
    return n;
}

static void count_gauges(glm_scheduler *s)
{
    glm_scheduler_stats *c = &s->count;
    c->n_running = c->n_waiting = 0;
    for (const glm_request *r = s->active; r; r = r->next)
        c->n_running++;
    for (const glm_request *r = s->waiting; r; r = r->next)
        c->n_waiting++;
    c->n_sequences = s->p.max_active - free_slots(s);
    c->n_pages_cached = s->cache ? glm_prefix_pages(s->cache) : 0;
    c->n_evicted_pages = s->cache ? glm_prefix_evicted(s->cache) : 0;
    c->n_pages_used = c->n_pages - glm_kv_free_pages(s->engine->kv);
}

void glm_batch_publish(glm_scheduler *s)
{
    count_gauges(s);
    s->count.n_submitted = s->stats.n_submitted;
    s->count.n_refused = s->stats.n_refused;
    s->stats = s->count;
}

/* ---- Ends ---- */

static void close_session(glm_scheduler *s, glm_sequence *q, bool is_over)
{
    glm_share_close(s, q, is_over);
    glm_session_close(q->session);
    q->session = NULL;
}

static void free_slot(glm_scheduler *s, glm_sequence *q)
{
    close_session(s, q, true);
    glm_decoder_destroy(q->decoder);
    free(q->tokens);
    *q = (glm_sequence){.logits = q->logits, .error = q->error};
}

static void unlink_request(glm_request **list, const glm_request *r)
{
    while (*list && *list != r)
        list = &(*list)->next;
    if (*list)
        *list = r->next;
}

/* Under the lock: the owner has one request less. */
static void leave_owner(glm_scheduler *s, glm_owner *owner)
{
    if (--owner->n_live)
        return;
    glm_owner **at = &s->owners;
    while (*at != owner)
        at = &(*at)->next;
    *at = owner->next;
    free(owner);
}

void glm_batch_end_request(glm_scheduler *s, glm_request *r, const glm_error *error)
{
    const uint64_t now = glm_clock_ns();
    for (uint32_t i = 0; i < s->p.max_active; i++)
        if (s->seq[i].request == r)
            free_slot(s, &s->seq[i]);
    unlink_request(r->is_active ? &s->active : &s->waiting, r);
    glm_event event = {
        .kind = GLM_EVENT_DONE,
        .error = error,
        .queue_s = seconds(r->submit_ns, r->start_ns ? r->start_ns : now),
        .prefill_s = r->start_ns ? seconds(r->start_ns, r->first_ns ? r->first_ns : now) : 0.0,
        .decode_s = seconds(r->first_ns, now),
    };
    s->count.queue_s += event.queue_s;
    s->count.prefill_s += event.prefill_s;
    s->count.decode_s += event.decode_s;
    s->count.n_canceled += error && error->status == GLM_ECANCELED;
    s->count.n_failed += error && error->status != GLM_ECANCELED;
    pthread_mutex_lock(&s->lock);
    glm_batch_publish(s);
    pthread_mutex_unlock(&s->lock);
    glm_request_emit(r, &event);
    pthread_mutex_lock(&s->lock);
    leave_owner(s, r->owner);
    s->n_live--;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
    glm_request_unref(r);
}

static void emit_finished(glm_scheduler *s, glm_request *r, glm_event *event)
{
    event->kind = GLM_EVENT_FINISHED;
    s->count.n_finished[event->finish]++;
    glm_request_emit(r, event);
}

/* The choice is over; with the last one the request is. */
static void finish_choice(glm_scheduler *s, glm_sequence *q)
{
    glm_request *r = q->request;
    glm_event event = {
        .choice = q->choice,
        .finish = q->decoded.finish,
        .n_generated = glm_decoder_n_generated(q->decoder),
        .stop_index = q->decoded.stop_index,
        .stop_id = q->decoded.finish == GLM_FINISH_STOP ? q->decoded.token.id : -1,
    };
    free_slot(s, q);
    r->n_left--;
    emit_finished(s, r, &event);
    if (!r->n_left)
        glm_batch_end_request(s, r, NULL);
}

static void expire(glm_scheduler *s, glm_request *r)
{
    for (uint32_t i = 0; i < s->p.max_active && r->is_active; i++) {
        glm_sequence *q = &s->seq[i];
        if (q->request != r)
            continue;
        glm_event event = {.choice = q->choice, .finish = GLM_FINISH_DEADLINE};
        if (q->decoder) {
            event.n_generated = glm_decoder_n_generated(q->decoder);
            event.text = glm_decoder_flush(q->decoder, &event.length);
        }
        emit_finished(s, r, &event);
    }
    for (uint32_t k = 0; k < r->p.n_choices && !r->is_active; k++) {
        glm_event event = {.choice = k, .finish = GLM_FINISH_DEADLINE};
        emit_finished(s, r, &event);
    }
    glm_batch_end_request(s, r, NULL);
}

/* Drop what was canceled or is late. */
static void sweep(glm_scheduler *s, glm_request *list, uint64_t now)
{
    for (glm_request *r = list, *next; r; r = next) {
        next = r->next;
        if (atomic_load(&r->is_canceled)) {
            glm_error err;
            glm_fail(&err, GLM_ECANCELED, "canceled");
            glm_batch_end_request(s, r, &err);
        } else if (r->deadline_ns && now >= r->deadline_ns) {
            expire(s, r);
        }
    }
}

uint64_t glm_batch_next_deadline(const glm_scheduler *s)
{
    uint64_t next = UINT64_MAX;
    const glm_request *const lists[] = {s->waiting, s->active};
    for (int i = 0; i < 2; i++)
        for (const glm_request *r = lists[i]; r; r = r->next)
            if (r->deadline_ns && r->deadline_ns < next)
                next = r->deadline_ns;
    return next;
}

/* ---- Owners ---- */

/* Whoever comes anew starts level with the one that was served least: being away earns nothing. */
static void level_owner(glm_scheduler *s, glm_owner *owner)
{
    if (!owner->is_new)
        return;
    double least = INFINITY;
    for (int i = 0; i < 2; i++)
        for (const glm_request *r = i ? s->active : s->waiting; r; r = r->next)
            if (!r->owner->is_new && r->owner->served < least)
                least = r->owner->served;
    owner->served = least < INFINITY ? least : 0.0;
    owner->is_new = false;
}

/* True when request a goes before b: the owner served least, then the higher priority, then the older. */
static bool goes_first(const glm_request *a, const glm_request *b)
{
    if (a->owner != b->owner && a->owner->served != b->owner->served)
        return a->owner->served < b->owner->served;
    if (a->owner == b->owner && a->p.priority != b->p.priority)
        return a->p.priority > b->p.priority;
    return a->serial < b->serial;
}

/* ---- Taking in ---- */

void glm_batch_take_incoming(glm_scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    glm_request *r = s->incoming;
    s->incoming = NULL;
    s->incoming_end = &s->incoming;
    pthread_mutex_unlock(&s->lock);
    glm_request **end = &s->waiting;
    while (*end)
        end = &(*end)->next;
    *end = r;
    for (; r; r = r->next)
        level_owner(s, r->owner);
}

static glm_status give_tokens(glm_sequence *q, const int32_t *tokens, uint32_t n, glm_error *err)
{
    q->capacity = n + 64;
    q->tokens = glm_new_array(int32_t, q->capacity);
    if (!q->tokens)
        return glm_fail(err, GLM_ENOMEM, "sequence of %u tokens: no memory", n);
    memcpy(q->tokens, tokens, n * sizeof *tokens);
    q->n_tokens = n;
    q->is_born = true;
    return GLM_OK;
}

/* Slots for all choices, and the first one's prompt. */
static glm_status start(glm_scheduler *s, glm_request *r, glm_error *err)
{
    uint32_t k = 0;
    glm_sequence *first = NULL;
    glm_status st = GLM_OK;
    for (uint32_t i = 0; i < s->p.max_active && k < r->p.n_choices && st == GLM_OK; i++) {
        glm_sequence *q = &s->seq[i];
        if (q->request)
            continue;
        q->request = r;
        q->choice = k;
        st = glm_request_decoder(&q->decoder, r, s->model, k, err);
        if (st == GLM_OK)
            glm_decoder_see(q->decoder, r->p.prompt, r->p.n_prompt);
        first = k++ ? first : q;
    }
    if (st == GLM_OK)
        st = give_tokens(first, r->p.prompt, (uint32_t)r->p.n_prompt, err);
    return st;
}

static uint32_t pages_of(uint32_t n_tokens)
{
    return n_tokens / GLM_KV_PAGE_TOKENS + 1;
}

/* Whether n_pages more have room beside what runs; who is alone has. */
static bool has_room(const glm_scheduler *s, uint32_t n_pages, bool is_alone)
{
    for (uint32_t i = 0; i < s->p.max_active; i++)
        is_alone = is_alone && !s->seq[i].session;
    uint32_t n_free = glm_kv_free_pages(s->engine->kv);
    return is_alone || n_pages <= n_free ||
           (s->cache && glm_prefix_can_free(s->cache, n_pages - n_free));
}

/* The waiting request that goes first; NULL when none waits. */
static glm_request *next_waiting(const glm_scheduler *s)
{
    glm_request *best = s->waiting;
    for (glm_request *r = best; r; r = r->next)
        if (goes_first(r, best))
            best = r;
    return best;
}

static void activate(glm_scheduler *s, glm_request *r)
{
    unlink_request(&s->waiting, r);
    glm_request **end = &s->active;
    while (*end)
        end = &(*end)->next;
    *end = r;
    r->next = NULL;
    r->is_active = true;
    r->n_left = r->p.n_choices;
    r->start_ns = glm_clock_ns();
    glm_error err;
    if (start(s, r, &err) != GLM_OK)
        glm_batch_end_request(s, r, &err);
}

static void admit(glm_scheduler *s)
{
    uint32_t promised = 0;
    for (uint32_t i = 0; i < s->p.max_active; i++)
        if (s->seq[i].is_born && !s->seq[i].session)
            return; /* somebody was set aside and comes first */
    for (glm_request *r; (r = next_waiting(s)) && free_slots(s) >= r->p.n_choices;) {
        uint32_t n_pages = pages_of((uint32_t)r->p.n_prompt);
        if (!has_room(s, promised + n_pages, !promised))
            break;
        promised += n_pages;
        activate(s, r);
    }
}

static bool is_older(const glm_sequence *a, const glm_sequence *b)
{
    if (a->request != b->request)
        return a->request->serial < b->request->serial;
    return a->choice < b->choice;
}

/* Sequences that have tokens, the oldest first. */
static void sort_slots(glm_scheduler *s)
{
    s->n_order = 0;
    for (uint32_t i = 0; i < s->p.max_active; i++) {
        glm_sequence *q = &s->seq[i];
        if (!q->is_born)
            continue;
        uint32_t at = s->n_order++;
        for (; at && is_older(q, s->order[at - 1]); at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = q;
    }
}

/* Streams run while this one is made ready. */
static bool has_streams(const glm_scheduler *s)
{
    for (uint32_t i = 0; i < s->n_order; i++)
        if (s->order[i]->session && s->order[i]->request->first_ns)
            return true;
    return false;
}

static void take_shared(glm_scheduler *s, glm_sequence *q)
{
    bool is_new = reads_prompt(q);
    if (!is_new || !q->request->p.want_prompt_logprobs)
        glm_share_take(s, q, is_new && !q->was_set_aside, has_streams(s));
}

/* What can be taken from the cache is, and the owner hears that it began. */
static void begin_reading(glm_scheduler *s, glm_sequence *q)
{
    glm_request *r = q->request;
    take_shared(s, q);
    if (r->is_told)
        return;
    r->is_told = true;
    glm_event event = {.kind = GLM_EVENT_STARTED};
    glm_request_emit(r, &event);
}

static void open_sessions(glm_scheduler *s)
{
    uint32_t promised = 0;
    for (uint32_t i = 0; i < s->n_order; i++) {
        glm_sequence *q = s->order[i];
        if (q->session) {
            if (pending(q) > 1 || q->is_loading)
                take_shared(s, q); /* somebody else may have read it meanwhile */
            continue;
        }
        promised += pages_of(q->n_tokens);
        glm_error err;
        if (!has_room(s, promised, true))
            return; /* younger ones wait too */
        if (!glm_kv_free_pages(s->engine->kv) && s->cache)
            (void)glm_prefix_evict(s->cache);
        glm_status st = glm_session_open(&q->session, s->engine, &err);
        if (st == GLM_OK) {
            begin_reading(s, q);
        } else if (st != GLM_ELIMIT) {
            glm_batch_end_request(s, q->request, &err);
            return; /* the order is no longer right; the next turn goes on */
        }
    }
}

/* ---- What a step runs ---- */

static void set_aside(glm_scheduler *s, glm_sequence *q)
{
    close_session(s, q, false);
    q->was_set_aside = true;
    q->n_run = 0;
    s->count.n_preempted++;
}

/* Pages for n more tokens of order[at]: cached ones are given up for them, younger sequences are set aside for them, in the end itself. */
static bool reserve(glm_scheduler *s, uint32_t at, uint32_t n)
{
    glm_sequence *q = s->order[at];
    for (uint32_t victim = s->n_order;;) {
        glm_error err;
        if (glm_kv_seq_reserve(q->session->seq, n, &err) == GLM_OK)
            return true;
        if (s->cache && glm_prefix_evict(s->cache))
            continue;
        do {
            victim--;
        } while (victim > at && !s->order[victim]->session);
        set_aside(s, s->order[victim]);
        if (victim == at)
            return false;
    }
}

static bool can_run(const glm_sequence *q)
{
    return q->session && pending(q) && !q->has_logits && !q->is_loading;
}

/* Running streams: one token each. Returns how many. */
static uint32_t choose_streams(glm_scheduler *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_order; i++) {
        glm_sequence *q = s->order[i];
        q->n_run = 0;
        if (can_run(q) && pending(q) == 1 && !reads_prompt(q) &&
            !atomic_load(&q->request->is_paused) && reserve(s, i, 1))
            n += q->n_run = 1;
    }
    return n;
}

/* Sequences that a chunk each makes streams, but for the first of them. */
static uint32_t count_joining(const glm_scheduler *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_order; i++) {
        const glm_sequence *q = s->order[i];
        n += can_run(q) && !q->n_run && (pending(q) > 1 || reads_prompt(q)) &&
             pending(q) <= s->engine->info.chunk;
    }
    return n ? n - 1 : 0;
}

/*
 * The place in `order` of the sequence whose prompt goes on, or n_order. Among an owner's requests of one priority turns alternate
 * between the oldest, so that it ends, and the one that was given least, so that short prompts do not wait for long ones.
 */
static uint32_t next_reader(const glm_scheduler *s)
{
    uint32_t best = s->n_order;
    for (uint32_t i = 0; i < s->n_order; i++) {
        const glm_sequence *q = s->order[i];
        if (!can_run(q) || q->n_run || (pending(q) == 1 && !reads_prompt(q)))
            continue;
        const glm_request *a = q->request, *b = best < s->n_order ? s->order[best]->request : NULL;
        bool is_level = b && a->owner == b->owner && a->p.priority == b->p.priority;
        if (!b || (is_level && s->n_turn % 2 ? a->n_read < b->n_read : goes_first(a, b)))
            best = i;
    }
    return best;
}

/* Pieces of prompts, together at most `budget` tokens. A prompt to be scored runs by itself: *scored is its place. */
static uint32_t choose_readers(glm_scheduler *s, uint32_t budget, uint32_t *scored)
{
    uint32_t left = budget;
    *scored = s->n_order;
    while (left) {
        uint32_t i = next_reader(s);
        if (i == s->n_order)
            break;
        glm_sequence *q = s->order[i];
        uint32_t n = pending(q) < left ? pending(q) : left;
        if (!reserve(s, i, n))
            continue; /* it was set aside */
        q->n_run = n;
        q->request->owner->served += n;
        left -= n;
        if (q->request->p.want_prompt_logprobs && reads_prompt(q)) {
            *scored = i;
            break;
        }
    }
    return budget - left;
}

/* ---- Running it ---- */

static glm_step_item item_of(glm_sequence *q)
{
    return (glm_step_item){
        .session = q->session,
        .tokens = q->tokens + glm_session_length(q->session),
        .n_tokens = q->n_run,
        .rows = q->n_run == pending(q) ? GLM_ROWS_LAST : GLM_ROWS_NONE,
        .logits = q->logits,
    };
}

static void step_done(glm_scheduler *s, glm_sequence *q)
{
    q->has_logits = !pending(q);
    glm_share_give(s, q);
    if (reads_prompt(q) && q->choice == 0) {
        q->request->n_read += q->n_run;
        s->count.n_computed_tokens += q->n_run;
    }
    q->n_run = 0;
}

/* The step failed for all: each by itself, so that only those fail that must. */
static void run_apart(glm_scheduler *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        glm_sequence *q = s->item_seq[i];
        if (!q->request)
            continue; /* went with another choice */
        glm_step_item item = item_of(q);
        glm_error err;
        glm_status st = glm_step_run(s->engine, &item, 1, NULL, NULL, &err);
        if (st == GLM_OK)
            step_done(s, q);
        else if (st != GLM_ECANCELED)
            glm_batch_end_request(s, q->request, &err);
    }
}

static void run_together(glm_scheduler *s, uint32_t scored)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_order; i++) {
        glm_sequence *q = s->order[i];
        if (!q->n_run || i == scored)
            continue;
        s->item_seq[n] = q;
        s->item[n++] = item_of(q);
    }
    if (!n)
        return;
    glm_error err;
    glm_status st = glm_step_run(s->engine, s->item, n, NULL, NULL, &err);
    s->count.n_steps++;
    s->count.n_step_sequences += n;
    if (st == GLM_ECANCELED)
        return;
    if (st != GLM_OK) {
        run_apart(s, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        step_done(s, s->item_seq[i]);
}

/* ---- Prompt log-probabilities ---- */

typedef struct scoring {
    glm_scheduler *s;
    glm_sequence *q;
    uint32_t first; /* position of the item's first token */
    uint32_t row0;  /* of the rows being worked on */
    const float *logits;
} scoring;

static void score_row(void *ctx, uint32_t worker, uint32_t chunk)
{
    const scoring *c = ctx;
    (void)worker;
    const uint32_t n_vocab = c->s->model->config.n_vocab, n_top = c->q->request->p.n_top_logprobs;
    uint32_t next = c->first + c->row0 + chunk + 1;
    if (next < c->q->n_tokens)
        glm_decoder_score(c->logits + (size_t)chunk * n_vocab, n_vocab, c->q->tokens[next],
                          &c->s->score_logprob[chunk], c->s->score_top + (size_t)chunk * n_top,
                          n_top);
}

/* Rows of a scored prompt: hand out those not told before, keep the last for the first token. */
static glm_status take_rows(void *ctx, uint32_t first, uint32_t n, const float *logits,
                            glm_error *err)
{
    scoring *c = ctx;
    (void)err;
    glm_request *r = c->q->request;
    const uint32_t n_vocab = c->s->model->config.n_vocab, n_top = r->p.n_top_logprobs;
    c->row0 = first;
    c->logits = logits;
    glm_pool_run(c->s->engine->pool, score_row, c, n);
    uint32_t begin = c->first + first + 1, end = begin + n; /* tokens predicted */
    if (end > c->q->n_tokens) {
        memcpy(c->q->logits, logits + (size_t)(n - 1) * n_vocab, n_vocab * sizeof *logits);
        end = c->q->n_tokens;
    }
    uint32_t skip =
        begin < r->n_scored + 1 ? r->n_scored + 1 - begin : 0; /* told before it was set aside */
    if (begin + skip >= end)
        return GLM_OK;
    glm_event event = {
        .kind = GLM_EVENT_PROMPT_LOGPROBS,
        .first = begin + skip,
        .n_logprob = end - begin - skip,
        .prompt_logprob = c->s->score_logprob + skip,
        .prompt_top = c->s->score_top + (size_t)skip * n_top,
        .n_top = n_top,
    };
    r->n_scored = end - 1;
    glm_request_emit(r, &event);
    return GLM_OK;
}

static void run_scored(glm_scheduler *s, glm_sequence *q)
{
    scoring c = {.s = s, .q = q, .first = glm_session_length(q->session)};
    glm_step_item item = item_of(q);
    item.rows = GLM_ROWS_ALL;
    item.logits = NULL;
    glm_error err;
    glm_status st = glm_engine_make_scores(s->engine, &err);
    if (st == GLM_OK)
        st = glm_step_run(s->engine, &item, 1, take_rows, &c, &err);
    s->count.n_steps++;
    s->count.n_step_sequences++;
    if (st == GLM_OK)
        step_done(s, q);
    else if (st != GLM_ECANCELED)
        glm_batch_end_request(s, q->request, &err);
}

/* ---- What follows ---- */

/* The prompt is read: the other choices begin where the first one is. */
static glm_status bear_choices(glm_scheduler *s, glm_sequence *first, glm_error *err)
{
    glm_status st = GLM_OK;
    for (uint32_t i = 0; i < s->p.max_active && st == GLM_OK; i++) {
        glm_sequence *q = &s->seq[i];
        if (q->request != first->request || q->is_born)
            continue;
        st = give_tokens(q, first->tokens, first->n_tokens, err);
        if (st == GLM_OK)
            st = glm_session_fork(&q->session, first->session, first->n_tokens, err);
        memcpy(q->logits, first->logits, s->model->config.n_vocab * sizeof *q->logits);
        q->has_logits = true;
        q->node = first->node;
        q->n_linked = first->n_linked;
    }
    return st;
}

static void tell_progress(glm_request *r, const glm_sequence *q, uint64_t now)
{
    if (now - (r->progress_ns ? r->progress_ns : r->start_ns) < PROGRESS_NS || !r->n_read)
        return;
    uint32_t n_done = glm_session_length(q->session);
    r->progress_ns = now;
    glm_event event = {
        .kind = GLM_EVENT_PREFILL,
        .n_done = n_done,
        .seconds_left = seconds(r->start_ns, now) / (double)r->n_read *
                        (double)((uint32_t)r->p.n_prompt - n_done),
    };
    glm_request_emit(r, &event);
}

/* Prompts that went on or were read to the end by the step. */
static void follow_prompts(glm_scheduler *s)
{
    const uint64_t now = glm_clock_ns();
    for (uint32_t i = 0; i < s->n_order; i++) {
        glm_sequence *q = s->order[i];
        glm_request *r = q->request;
        if (!r || q->choice || !q->session || !reads_prompt(q) || r->first_ns)
            continue;
        if (!q->has_logits) {
            tell_progress(r, q, now);
            continue;
        }
        r->first_ns = now;
        s->count.n_prompt_tokens += r->p.n_prompt;
        s->count.n_cached_tokens += r->n_cached;
        glm_error err;
        if (bear_choices(s, q, &err) != GLM_OK)
            glm_batch_end_request(s, r, &err);
    }
}

static void draw(void *ctx, uint32_t worker, uint32_t chunk)
{
    glm_scheduler *s = ctx;
    glm_sequence *q = s->order[chunk];
    (void)worker;
    if (!q->request || !q->has_logits)
        return;
    bool is_full = glm_session_length(q->session) == s->engine->info.n_ctx;
    q->status = glm_decoder_next(q->decoder, q->logits, is_full, &q->decoded, q->error);
}

static glm_status append(glm_sequence *q, int32_t id, glm_error *err)
{
    if (q->n_tokens == q->capacity) {
        int32_t *tokens = realloc(q->tokens, 2 * (size_t)q->capacity * sizeof *tokens);
        if (!tokens)
            return glm_fail(err, GLM_ENOMEM, "sequence of %u tokens: no memory", q->n_tokens);
        q->tokens = tokens;
        q->capacity *= 2;
    }
    q->tokens[q->n_tokens++] = id;
    return GLM_OK;
}

static void hand_out(glm_scheduler *s, glm_sequence *q)
{
    glm_request *r = q->request;
    const glm_decoded *d = &q->decoded;
    q->has_logits = false;
    glm_error err = *q->error;
    if (q->status == GLM_OK) {
        glm_event event = {
            .kind = GLM_EVENT_TOKEN,
            .choice = q->choice,
            .id = d->token.id,
            .logprob = d->token.logprob,
            .text = d->token.text,
            .length = d->token.length,
            .is_end = d->token.is_end,
            .top = d->top,
            .n_top = d->n_top,
        };
        r->owner->served += GENERATED_WEIGHT;
        s->count.n_generated_tokens++;
        glm_request_emit(r, &event);
        if (d->is_last) {
            finish_choice(s, q);
            return;
        }
        q->status = append(q, d->token.id, &err);
    }
    if (q->status != GLM_OK)
        glm_batch_end_request(s, r, &err);
}

/* Draw from all logits at once, on all threads, and hand out in order. */
static void follow_logits(glm_scheduler *s)
{
    sort_slots(s); /* choices may have been born, requests ended */
    glm_pool_run(s->engine->pool, draw, s, s->n_order);
    for (uint32_t i = 0; i < s->n_order; i++)
        if (s->order[i]->request && s->order[i]->has_logits)
            hand_out(s, s->order[i]);
}

/* Until a step has taken as long as it is to take. */
static void wait_until(uint64_t end_ns)
{
    const uint64_t now = glm_clock_ns();
    if (now >= end_ns)
        return;
    struct timespec t = {.tv_sec = (time_t)((end_ns - now) / 1000000000u),
                         .tv_nsec = (long)((end_ns - now) % 1000000000u)};
    nanosleep(&t, NULL); /* interrupted: a shorter step */
}

bool glm_batch_turn(glm_scheduler *s)
{
    const uint64_t begin = glm_clock_ns();
    glm_batch_take_incoming(s);
    sweep(s, s->waiting, begin);
    sweep(s, s->active, begin);
    admit(s);
    glm_share_reap(s);
    sort_slots(s);
    open_sessions(s);
    sort_slots(s);
    s->n_turn++;
    uint32_t scored;
    uint32_t n_streams = choose_streams(s);
    uint32_t budget = s->p.step_tokens && n_streams
                          ? s->p.step_tokens
                          : glm_pace_budget(&s->pace, n_streams, count_joining(s),
                                            s->engine->info.chunk, s->p.max_slowdown);
    uint32_t n_read = choose_readers(s, budget, &scored);
    bool has_work = n_streams || n_read;
    bool is_loading = false;
    for (uint32_t i = 0; i < s->n_order; i++)
        is_loading = is_loading || s->order[i]->is_loading;
    if (has_work) {
        run_together(s, scored);
        if (scored < s->n_order && s->order[scored]->n_run)
            run_scored(s, s->order[scored]);
        if (s->p.step_s > 0.0)
            wait_until(begin + (uint64_t)(s->p.step_s * 1e9));
        follow_prompts(s);
        follow_logits(s);
        double step_s = seconds(begin, glm_clock_ns());
        glm_pace_note(&s->pace, n_streams, n_read, step_s);
        s->count.step_s = n_streams ? step_s : s->count.step_s;
    }
    return has_work || is_loading;
}
