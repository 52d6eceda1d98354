// SPDX-License-Identifier: MIT
#include "chat/template.h"

#include <stdlib.h>
#include <string.h>

#include "chat/python.h"
#include "core/mem.h"

typedef enum effort_line {
    EFFORT_NEVER,
    EFFORT_WHEN_THINKING,
    EFFORT_ALWAYS,
} effort_line;

/* What the generations do differently. */
typedef struct template_style {
    const char *name;
    effort_line effort;
    bool has_lines;         /* newlines behind role tokens and around thoughts, calls and results */
    bool shows_whole_tools; /* {"type": "function", "function": ...} instead of the inner object */
    bool defers_tools;      /* leaves out defer_loading tools, knows tool_reference */
    bool strips_reasoning;  /* and takes empty reasoning for none */
    bool may_keep;          /* clear_thinking is a switch; else past reasoning always goes */
    bool keeps;             /* its default */
    bool always_thinks;
    bool has_short_blank; /* "</think>" instead of "<think></think>" for no reasoning */
    bool has_reminders;   /* a sentence for media; else they show nothing */
    bool orders_results;  /* by the calls they answer */
} template_style;

static const template_style styles[] = {
    [GLM_GENERATION_4_6] = {.name = "GLM-4.6",
                            .has_lines = true,
                            .shows_whole_tools = true,
                            .strips_reasoning = true},
    [GLM_GENERATION_4_7] = {.name = "GLM-4.7",
                            .shows_whole_tools = true,
                            .strips_reasoning = true,
                            .may_keep = true,
                            .has_short_blank = true},
    [GLM_GENERATION_5_1] = {.name = "GLM-5.1",
                            .defers_tools = true,
                            .may_keep = true,
                            .has_short_blank = true},
    [GLM_GENERATION_5_2] = {.name = "GLM-5.2",
                            .effort = EFFORT_WHEN_THINKING,
                            .defers_tools = true,
                            .may_keep = true,
                            .has_reminders = true},
    [GLM_GENERATION_5_3] = {.name = "GLM-5.3",
                            .effort = EFFORT_ALWAYS,
                            .defers_tools = true,
                            .may_keep = true,
                            .keeps = true,
                            .always_thinks = true,
                            .has_reminders = true,
                            .orders_results = true},
};

/* What one rendering carries around. */
typedef struct renderer {
    const glm_conversation *c;
    const glm_switches *switches;
    const template_style *style;
    glm_rendering *out;
    glm_segments *s;
    size_t after_user;  /* index of the first turn behind the last user turn */
    size_t ordered_end; /* results before it are rendered */
    glm_str scratch;
} renderer;

glm_switches glm_template_defaults(glm_generation generation)
{
    return (glm_switches){.generation = generation,
                          .thinking = true,
                          .effort = GLM_EFFORT_MAX,
                          .clear_thinking = !styles[generation].keeps,
                          .add_generation_prompt = true};
}

const char *glm_template_name(glm_generation generation)
{
    return styles[generation].name;
}

bool glm_template_find(glm_generation *out, const char *sha256_hex)
{
    /* Of GLM-5.2 the file published with the weights; of the older ones the copies in llama.cpp's models/templates
     * (GLM-4.6.jinja, GLM-4.7-Flash.jinja), with and without the newline at the end; the second is glm-nano's own
     * (tools/nano/glmnano/chat_template.jinja), which renders what GLM-5.2's does. */
    static const struct {
        const char *sha256;
        glm_generation generation;
    } known[] = {
        {"172dc74a35e1752df75ecfb2b2cf9326d2852bb1379868ebeec9571654489679", GLM_GENERATION_5_2},
        {"3d2dfed0ee48d3f33a715021738ee4468a2a7709f39fc7a69e9cedc589e13eaf", GLM_GENERATION_5_2},
        {"46786fd637de2728b41928ac3b6983e2d8a04706e51778de031fa933eb6f566f", GLM_GENERATION_4_6},
        {"b1e56a48a6c16b1ccc8c3c8f2e2a28d6627efb93f15fbfe13eb1bbd175a4756b", GLM_GENERATION_4_6},
        {"62941faf1411beb5591ee6931281c5de4e7c1173e34824531a90d31f873e60e6", GLM_GENERATION_4_7},
        {"5680df692bfd43283009b43818d2a7935b9f32f939b6d255d5738cba3661a338", GLM_GENERATION_4_7},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(sha256_hex, known[i].sha256) == 0) {
            *out = known[i].generation;
            return true;
        }
    return false;
}

void glm_rendering_deinit(glm_rendering *r)
{
    glm_segments_deinit(&r->segments);
    free(r->turn_start);
    *r = (glm_rendering){0};
}

static void tag(renderer *r, glm_tag t)
{
    glm_segments_tag(r->s, t);
}

static void text(renderer *r, glm_text t)
{
    glm_segments_text(r->s, t);
}

static void text_c(renderer *r, const char *t)
{
    glm_segments_text(r->s, glm_text_c(t));
}

static void json(renderer *r, const glm_json *value)
{
    glm_str_clear(&r->scratch);
    glm_python_dumps(&r->scratch, value);
    r->s->has_failed |= r->scratch.has_failed;
    text(r, glm_str_text(&r->scratch));
}

/* A newline, where the generation has them. */
static void line(renderer *r)
{
    if (r->style->has_lines)
        text_c(r, "\n");
}

/* What a part shows; media become a sentence that tells the model it cannot see them. */
static void append_part(const renderer *r, glm_str *out, const glm_part *part)
{
    if (part->kind == GLM_PART_TEXT) {
        glm_str_append_text(out, part->text);
    } else if (part->kind == GLM_PART_MEDIA && r->style->has_reminders) {
        glm_str_append_c(out, "<reminder>You are unable to process this ");
        glm_str_append_text(out, part->text);
        glm_str_append_c(out, " because you don't have multi-modal input ability. Try different "
                              "methods.</reminder>");
    }
}

/* All of a turn's visible text, in scratch unless it is one plain part. */
static glm_text visible(renderer *r, const glm_turn *turn)
{
    if (turn->n_parts == 1 && turn->parts->kind == GLM_PART_TEXT)
        return turn->parts->text;
    glm_str_clear(&r->scratch);
    for (size_t i = 0; i < turn->n_parts; i++)
        append_part(r, &r->scratch, &turn->parts[i]);
    r->s->has_failed |= r->scratch.has_failed;
    return glm_str_text(&r->scratch);
}

/* One argument of a call; a value that is not text is given as JSON. */
static void argument(renderer *r, glm_text key, glm_text value, const glm_json *other)
{
    tag(r, GLM_TAG_KEY);
    text(r, key);
    tag(r, GLM_TAG_KEY_END);
    line(r);
    tag(r, GLM_TAG_VALUE);
    if (other)
        json(r, other);
    else
        text(r, value);
    tag(r, GLM_TAG_VALUE_END);
    line(r);
}

static void render_tools(renderer *r)
{
    tag(r, GLM_TAG_SYSTEM);
    text_c(r, "\n# Tools\n\n"
              "You may call one or more functions to assist with the user query.\n\n"
              "You are provided with function signatures within <tools></tools> XML tags:\n"
              "<tools>\n");
    for (size_t i = 0; i < r->c->n_tools; i++) {
        const glm_tool *tool = &r->c->tools[i];
        if (tool->is_deferred && r->style->defers_tools)
            continue;
        json(r, r->style->shows_whole_tools ? tool->whole : tool->json);
        text_c(r, "\n");
    }
    text_c(r, "</tools>\n\n"
              "For each function call, output the function name and arguments within the following "
              "XML format:\n");
    tag(r, GLM_TAG_CALL);
    text_c(r, "{function-name}");
    line(r);
    argument(r, glm_text_c("{arg-key-1}"), glm_text_c("{arg-value-1}"), NULL);
    argument(r, glm_text_c("{arg-key-2}"), glm_text_c("{arg-value-2}"), NULL);
    text_c(r, "...");
    line(r);
    tag(r, GLM_TAG_CALL_END);
}

/* First place of `what` in `in`, or NULL. */
static const char *find(glm_text in, const char *what)
{
    return in.length ? memmem(in.data, in.length, what, strlen(what)) : NULL;
}

bool glm_template_recognise(glm_generation *out, glm_text jinja)
{
    /* The first mark that is found decides: newer templates carry those of older ones too. */
    static const struct {
        const char *mark;
        glm_generation generation;
    } marks[] = {
        {"/nothink", GLM_GENERATION_4_6},
        {"clear_thinking is defined else false", GLM_GENERATION_5_3},
        {"'low'", GLM_GENERATION_5_3},
        {"Reasoning Effort", GLM_GENERATION_5_2},
        {"tool_reference", GLM_GENERATION_5_1},
        {"defer_loading", GLM_GENERATION_5_1},
        {"clear_thinking", GLM_GENERATION_4_7},
    };
    *out = GLM_GENERATION_5_2;
    if (!find(jinja, "[gMASK]"))
        return false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (find(jinja, marks[i].mark)) {
            *out = marks[i].generation;
            return true;
        }
    return false;
}

/* The text behind the last `what`; all of it when there is none. */
static glm_text behind_last(glm_text in, const char *what)
{
    for (const char *at = find(in, what); at; at = find(in, what)) {
        size_t cut = (size_t)(at - in.data) + strlen(what);
        in.data += cut;
        in.length -= cut;
    }
    return in;
}

/* Reasoning that stands in the content, as some clients send it back, goes apart. */
static bool split_reasoning(glm_text *content, glm_text *reasoning)
{
    const char *end = find(*content, "</think>");
    if (!end)
        return false;
    *reasoning = behind_last((glm_text){content->data, (size_t)(end - content->data)}, "<think>");
    *content = behind_last(*content, "</think>");
    return true;
}

static void render_call(renderer *r, const glm_turn_call *call)
{
    line(r);
    tag(r, GLM_TAG_CALL);
    text(r, call->name);
    line(r);
    for (const glm_json *a = call->arguments->first; a; a = a->next)
        argument(r, (glm_text){a->key, a->key_length}, (glm_text){a->text, a->length},
                 a->type == GLM_JSON_STRING ? NULL : a);
    tag(r, GLM_TAG_CALL_END);
}

/* The thoughts of a turn, or, in the generation's way, that there are none. */
static void render_reasoning(renderer *r, glm_text reasoning, bool is_shown)
{
    line(r);
    if (is_shown || !r->style->has_short_blank)
        tag(r, GLM_TAG_THINK);
    if (is_shown)
        text(r, r->style->strips_reasoning ? glm_python_strip(reasoning) : reasoning);
    tag(r, GLM_TAG_THINK_END);
}

static void render_answer(renderer *r, const glm_turn *turn, glm_text content)
{
    if (content.length > 0)
        line(r);
    text(r, content);
    for (size_t i = 0; i < turn->n_calls; i++)
        render_call(r, &turn->calls[i]);
}

/* The last turn left open, for the model to go on with: its text unstripped, behind its reasoning. */
static void render_open_turn(renderer *r, const glm_turn *turn, glm_text content,
                             glm_text reasoning, bool has_reasoning)
{
    if (!has_reasoning && find(content, "<think>")) {
        line(r);
        tag(r, GLM_TAG_THINK);
        text(r, behind_last(content, "<think>"));
        r->out->start = GLM_START_REASONING;
        return;
    }
    render_reasoning(r, reasoning, has_reasoning);
    render_answer(r, turn, content);
    r->out->start =
        content.length > 0 || turn->n_calls > 0 ? GLM_START_CONTINUED : GLM_START_CONTENT;
}

/* Without newlines at either end. */
static glm_text without_newlines(glm_text t)
{
    for (; t.length > 0 && t.data[0] == '\n'; t.data++)
        t.length--;
    while (t.length > 0 && t.data[t.length - 1] == '\n')
        t.length--;
    return t;
}

static void render_assistant(renderer *r, size_t index)
{
    const glm_turn *turn = &r->c->turns[index];
    const template_style *style = r->style;
    tag(r, GLM_TAG_ASSISTANT);
    glm_text content = visible(r, turn);
    glm_text reasoning = turn->has_reasoning ? turn->reasoning : (glm_text){"", 0};
    bool has_reasoning = turn->has_reasoning;
    if (!has_reasoning && split_reasoning(&content, &reasoning)) {
        if (style->strips_reasoning)
            reasoning = without_newlines(reasoning);
        has_reasoning = true;
    }
    has_reasoning = has_reasoning && !(style->strips_reasoning && reasoning.length == 0);
    if (r->switches->continue_final && index + 1 == r->c->n_turns) {
        render_open_turn(r, turn, content, reasoning, has_reasoning);
        return;
    }
    render_reasoning(r, reasoning, has_reasoning && index >= r->out->kept_from);
    render_answer(r, turn, glm_python_strip(content));
}

/* The tools a search tool found, deferred ones included. */
static void render_references(renderer *r, const glm_turn *turn)
{
    tag(r, GLM_TAG_RESPONSE);
    text_c(r, "<tools>\n");
    for (size_t i = 0; i < turn->n_parts; i++) {
        if (turn->parts[i].kind != GLM_PART_TOOL_REFERENCE)
            continue;
        for (size_t t = 0; t < r->c->n_tools; t++)
            if (glm_text_equal(r->c->tools[t].name, turn->parts[i].text)) {
                json(r, r->c->tools[t].json);
                text_c(r, "\n");
            }
    }
    text_c(r, "</tools>");
    tag(r, GLM_TAG_RESPONSE_END);
}

static void render_response(renderer *r, glm_text result)
{
    line(r);
    tag(r, GLM_TAG_RESPONSE);
    line(r);
    text(r, result);
    line(r);
    tag(r, GLM_TAG_RESPONSE_END);
}

/* One response for each element; one without an output shows what it would show elsewhere. */
static void render_outputs(renderer *r, const glm_turn *turn)
{
    for (size_t i = 0; i < turn->n_parts; i++) {
        const glm_part *part = &turn->parts[i];
        glm_str_clear(&r->scratch);
        if (!part->has_output)
            append_part(r, &r->scratch, part);
        r->s->has_failed |= r->scratch.has_failed;
        render_response(r, part->has_output ? part->output : glm_str_text(&r->scratch));
    }
}

static void render_tool_result(renderer *r, const glm_turn *turn)
{
    if (turn->is_list && turn->n_parts > 0) {
        if (turn->parts->kind == GLM_PART_TOOL_REFERENCE && r->style->defers_tools) {
            render_references(r, turn);
            return;
        }
        if (turn->parts->has_output) {
            render_outputs(r, turn);
            return;
        }
    }
    render_response(r, visible(r, turn));
}

static bool answers(const glm_turn *result, const glm_turn_call *call)
{
    return call->id.length > 0 && glm_text_equal(call->id, result->call_id);
}

/* The first call that a result answers; n_calls when none does. */
static size_t call_of(const glm_turn *assistant, const glm_turn *result)
{
    size_t i = 0;
    while (i < assistant->n_calls && !answers(result, &assistant->calls[i]))
        i++;
    return i;
}

/* The run of results behind the assistant's turn begin - 1, in the order of its calls; then those of no call. */
static void render_ordered_results(renderer *r, size_t begin)
{
    const glm_turn *assistant = &r->c->turns[begin - 1];
    r->ordered_end = begin;
    while (r->ordered_end < r->c->n_turns && r->c->turns[r->ordered_end].role == GLM_TURN_TOOL)
        r->ordered_end++;
    const glm_turn *results = r->c->turns;
    for (size_t call = 0; call < assistant->n_calls; call++)
        for (size_t i = begin; i < r->ordered_end; i++)
            if (answers(&results[i], &assistant->calls[call]) &&
                call_of(assistant, &results[i]) == call)
                render_tool_result(r, &results[i]);
    for (size_t i = begin; i < r->ordered_end; i++)
        if (call_of(assistant, &results[i]) == assistant->n_calls)
            render_tool_result(r, &results[i]);
}

static void render_tool_turn(renderer *r, size_t index)
{
    const glm_turn *turns = r->c->turns;
    bool is_first = index == 0 || turns[index - 1].role != GLM_TURN_TOOL;
    if (is_first)
        tag(r, GLM_TAG_OBSERVATION);
    if (is_first && r->style->orders_results && index > 0 &&
        turns[index - 1].role == GLM_TURN_ASSISTANT)
        render_ordered_results(r, index);
    if (index >= r->ordered_end)
        render_tool_result(r, &turns[index]);
}

static void render_user(renderer *r, const glm_turn *turn)
{
    static const char no_think[] = "/nothink";
    tag(r, GLM_TAG_USER);
    line(r);
    glm_text said = visible(r, turn);
    text(r, said);
    size_t n = sizeof no_think - 1;
    if (r->style->has_lines && !r->switches->thinking &&
        (said.length < n || memcmp(said.data + said.length - n, no_think, n) != 0))
        text_c(r, no_think);
}

static void render_turn(renderer *r, size_t index)
{
    const glm_turn *turn = &r->c->turns[index];
    switch (turn->role) {
    case GLM_TURN_SYSTEM:
        tag(r, GLM_TAG_SYSTEM);
        line(r);
        text(r, visible(r, turn));
        break;
    case GLM_TURN_USER:
        render_user(r, turn);
        break;
    case GLM_TURN_ASSISTANT:
        render_assistant(r, index);
        break;
    case GLM_TURN_TOOL:
        render_tool_turn(r, index);
        break;
    }
}

static void render_tail(renderer *r)
{
    if (r->switches->continue_final)
        return;
    r->out->start = GLM_START_CONTENT;
    if (!r->switches->add_generation_prompt) {
        bool is_answer =
            r->c->n_turns > 0 && r->c->turns[r->c->n_turns - 1].role == GLM_TURN_ASSISTANT;
        if (is_answer && r->s->n_items > 0 &&
            r->s->items[r->s->n_items - 1].tag != GLM_TAG_THINK_END)
            r->out->start = GLM_START_CONTINUED;
        return;
    }
    tag(r, GLM_TAG_ASSISTANT);
    if (!r->switches->thinking && !r->style->always_thinks) {
        render_reasoning(r, (glm_text){"", 0}, false);
    } else if (!r->style->has_lines) { /* GLM-4.6 opens its thoughts itself */
        tag(r, GLM_TAG_THINK);
        r->out->start = GLM_START_REASONING;
    }
}

static void render_effort(renderer *r)
{
    static const char *const names[] = {[GLM_EFFORT_MAX] = "Reasoning Effort: Max",
                                        [GLM_EFFORT_HIGH] = "Reasoning Effort: High",
                                        [GLM_EFFORT_LOW] = "Reasoning Effort: Low"};
    effort_line when = r->style->effort;
    if (when == EFFORT_NEVER || (when == EFFORT_WHEN_THINKING && !r->switches->thinking))
        return;
    tag(r, GLM_TAG_SYSTEM);
    text_c(r, names[r->switches->effort]);
}

glm_status glm_template_render(glm_rendering *out, const glm_conversation *c,
                               const glm_switches *switches, glm_error *err)
{
    *out = (glm_rendering){.n_turns = c->n_turns};
    if (switches->continue_final &&
        (c->n_turns == 0 || c->turns[c->n_turns - 1].role != GLM_TURN_ASSISTANT))
        return glm_fail(err, GLM_EARG,
                        "messages: expected an assistant message at the end to continue");
    out->turn_start = glm_new_array(size_t, c->n_turns + 1);
    if (!out->turn_start)
        return glm_fail(err, GLM_ENOMEM, "chat prompt");

    renderer r = {.c = c,
                  .switches = switches,
                  .style = &styles[switches->generation],
                  .out = out,
                  .s = &out->segments};
    for (size_t i = 0; i < c->n_turns; i++)
        if (c->turns[i].role == GLM_TURN_USER)
            r.after_user = i + 1;
    out->kept_from = r.style->may_keep && !switches->clear_thinking ? 0 : r.after_user;

    tag(&r, GLM_TAG_GMASK);
    tag(&r, GLM_TAG_SOP);
    render_effort(&r);
    if (c->n_tools > 0)
        render_tools(&r);
    for (size_t i = 0; i < c->n_turns; i++) {
        out->turn_start[i] = out->segments.n_items;
        render_turn(&r, i);
    }
    out->turn_start[c->n_turns] = out->segments.n_items;
    render_tail(&r);
    glm_str_deinit(&r.scratch);
    if (out->segments.has_failed)
        return glm_fail(err, GLM_ENOMEM, "chat prompt");
    return GLM_OK;
}
