// SPDX-License-Identifier: MIT
/* include/glm/chat.h in terms of src/chat and the tokenizer. */
#include "glm/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/chat_internal.h"
#include "chat/python.h"
#include "chat/stream_parser.h"
#include "chat/switches.h"
#include "core/json_write.h"
#include "core/mem.h"

struct glm_chat_parser {
    const glm_chat *chat;
    glm_stream_parser stream;
    glm_chat_event_fn *on_event;
    void *ctx;
    glm_chat_message message;
    glm_chat_call *calls; /* [calls_capacity] what message.calls points to */
    size_t calls_capacity;
};

/* The public enumerations are those of src/chat under their public names. */
#define SAME(public_name, name)                                                                    \
    _Static_assert((int)(public_name) == (int)(name), #public_name " must be " #name)
SAME(GLM_CHAT_ROLE_SYSTEM, GLM_TURN_SYSTEM);
SAME(GLM_CHAT_ROLE_USER, GLM_TURN_USER);
SAME(GLM_CHAT_ROLE_ASSISTANT, GLM_TURN_ASSISTANT);
SAME(GLM_CHAT_ROLE_TOOL, GLM_TURN_TOOL);
SAME(GLM_CHAT_EFFORT_MAX, GLM_EFFORT_MAX);
SAME(GLM_CHAT_EFFORT_HIGH, GLM_EFFORT_HIGH);
SAME(GLM_CHAT_EFFORT_LOW, GLM_EFFORT_LOW);
SAME(GLM_CHAT_GLM_5_2, GLM_GENERATION_5_2);
SAME(GLM_CHAT_GLM_4_6, GLM_GENERATION_4_6);
SAME(GLM_CHAT_GLM_4_7, GLM_GENERATION_4_7);
SAME(GLM_CHAT_GLM_5_1, GLM_GENERATION_5_1);
SAME(GLM_CHAT_GLM_5_3, GLM_GENERATION_5_3);
SAME(GLM_CHAT_START_REASONING, GLM_START_REASONING);
SAME(GLM_CHAT_START_CONTENT, GLM_START_CONTENT);
SAME(GLM_CHAT_START_CONTINUED, GLM_START_CONTINUED);
SAME(GLM_CHAT_EVENT_REASONING, GLM_STREAM_REASONING);
SAME(GLM_CHAT_EVENT_CONTENT, GLM_STREAM_CONTENT);
SAME(GLM_CHAT_EVENT_CALL_BEGIN, GLM_STREAM_CALL_BEGIN);
SAME(GLM_CHAT_EVENT_CALL_ARGS, GLM_STREAM_CALL_ARGS);
SAME(GLM_CHAT_EVENT_CALL_END, GLM_STREAM_CALL_END);
SAME(GLM_CHAT_EVENT_CALL_CUT, GLM_STREAM_CALL_CUT);
SAME(GLM_CHAT_FINISH_STOP, GLM_STREAM_FINISH_STOP);
SAME(GLM_CHAT_FINISH_TOOL_CALLS, GLM_STREAM_FINISH_CALLS);
SAME(GLM_CHAT_FINISH_LENGTH, GLM_STREAM_FINISH_LENGTH);
SAME(GLM_CHAT_FINISH_STOP_TEXT, GLM_STREAM_FINISH_STOP_TEXT);
SAME(GLM_CHAT_NOTE_ROLE_FIRST, GLM_STREAM_NOTE_ROLE_FIRST);
SAME(GLM_CHAT_NOTE_STRAY_TAG, GLM_STREAM_NOTE_STRAY_TAG);
SAME(GLM_CHAT_NOTE_UNCLOSED_THINK, GLM_STREAM_NOTE_UNCLOSED_THINK);
SAME(GLM_CHAT_NOTE_CALL_IN_THINK, GLM_STREAM_NOTE_CALL_IN_THINK);
SAME(GLM_CHAT_NOTE_MISSING_VALUE, GLM_STREAM_NOTE_MISSING_VALUE);
SAME(GLM_CHAT_NOTE_MISSING_KEY, GLM_STREAM_NOTE_MISSING_KEY);
SAME(GLM_CHAT_NOTE_EMPTY_NAME, GLM_STREAM_NOTE_EMPTY_NAME);
SAME(GLM_CHAT_NOTE_UNKNOWN_TOOL, GLM_STREAM_NOTE_UNKNOWN_TOOL);
SAME(GLM_CHAT_NOTE_REPEATED_KEY, GLM_STREAM_NOTE_REPEATED_KEY);
SAME(GLM_CHAT_NOTE_UNCLOSED_CALL, GLM_STREAM_NOTE_UNCLOSED_CALL);
SAME(GLM_CHAT_NOTE_CUT_CALL, GLM_STREAM_NOTE_CUT_CALL);
SAME(GLM_CHAT_NOTE_SPECIAL_TOKEN, GLM_STREAM_NOTE_SPECIAL_TOKEN);

/* -------------------------------------------------------------------------------- the format -- */

/* Added tokens that callers' text may spell: angle tags and /nothink; never role, framing, media tokens. */
static bool may_stand_in_text(glm_text name)
{
    return !glm_text_has_prefix(name, glm_text_c("<|")) &&
           !glm_text_has_prefix(name, glm_text_c("[")) && !glm_text_is(name, "<sop>") &&
           !glm_text_is(name, "<eop>");
}

static glm_status resolve(glm_chat *chat, glm_error *err)
{
    for (int tag = GLM_TAG_NONE + 1; tag < GLM_TAG_SPECIAL; tag++) {
        const char *name = glm_tag_name((glm_tag)tag);
        chat->ids[tag] = glm_tok_find_added(chat->tokenizer, name, strlen(name));
        if (chat->ids[tag] < 0)
            return glm_fail(err, GLM_EUNSUPP,
                            "chat format: the tokenizer has no added token \"%s\"", name);
    }
    size_t n = glm_tok_n_added(chat->tokenizer);
    chat->tags_in_text = glm_new_array(uint8_t, n);
    if (!chat->tags_in_text)
        return glm_fail(err, GLM_ENOMEM, "chat format");
    for (size_t i = 0; i < n; i++) {
        struct glm_added_token token = glm_tok_added(chat->tokenizer, i);
        chat->tags_in_text[i] = may_stand_in_text((glm_text){token.text, token.size});
    }
    size_t n_stops = 0;
    for (int tag = 0; tag < GLM_TAG_COUNT; tag++)
        if (glm_tag_is_stop((glm_tag)tag))
            chat->stops[n_stops++] = chat->ids[tag];
    return GLM_OK;
}

glm_status glm_chat_create(glm_chat **out, const glm_tokenizer *tokenizer, glm_error *err)
{
    glm_chat *chat = glm_new(glm_chat);
    if (!chat)
        return glm_fail(err, GLM_ENOMEM, "chat format");
    for (size_t i = 0; i < GLM_TAG_COUNT; i++)
        chat->ids[i] = -1;
    chat->tokenizer = tokenizer;
    glm_status st = tokenizer ? resolve(chat, err) : GLM_OK;
    if (st != GLM_OK) {
        glm_chat_destroy(chat);
        return st;
    }
    *out = chat;
    return GLM_OK;
}

void glm_chat_destroy(glm_chat *chat)
{
    if (!chat)
        return;
    free(chat->tags_in_text);
    free(chat);
}

const int32_t *glm_chat_stop_ids(const glm_chat *chat, size_t *n)
{
    *n = chat->tokenizer ? N_STOPS : 0;
    return chat->stops;
}

int32_t glm_chat_think_end_id(const glm_chat *chat)
{
    return chat->ids[GLM_TAG_THINK_END];
}

/* What a token is to the parser. */
static glm_tag tag_of_id(const glm_chat *chat, int32_t id)
{
    if (!glm_tok_is_added(chat->tokenizer, id))
        return GLM_TAG_NONE;
    for (int tag = GLM_TAG_NONE + 1; tag < GLM_TAG_SPECIAL; tag++)
        if (chat->ids[tag] == id)
            return (glm_tag)tag;
    glm_text name;
    name.data = glm_tok_bytes(chat->tokenizer, id, &name.length);
    bool is_hidden = glm_tok_is_special(chat->tokenizer, id) && !may_stand_in_text(name);
    return is_hidden ? GLM_TAG_SPECIAL : GLM_TAG_NONE;
}

/* ------------------------------------------------------------------------------- the request -- */

glm_status glm_chat_request_create(glm_chat_request **out, glm_error *err)
{
    glm_chat_request *request = glm_new(glm_chat_request);
    if (!request)
        return glm_fail(err, GLM_ENOMEM, "chat request");
    glm_conversation_init(&request->conversation);
    *out = request;
    return GLM_OK;
}

glm_status glm_chat_request_read(glm_chat_request **out, const char *json, size_t size,
                                 glm_error *err)
{
    glm_chat_request *request;
    glm_status st = glm_chat_request_create(&request, err);
    if (st != GLM_OK)
        return st;
    st = glm_conversation_read(&request->conversation, json, size, err);
    if (st != GLM_OK) {
        glm_chat_request_destroy(request);
        return st;
    }
    glm_switches any = glm_template_defaults(GLM_GENERATION_5_2);
    glm_text unknown = glm_switches_as_vendor(&any, request->conversation.root);
    if (unknown.length > 0)
        snprintf(request->warning, sizeof request->warning,
                 "reasoning_effort \"%.32s\" is not known: max is used", unknown.data);
    *out = request;
    return GLM_OK;
}

void glm_chat_request_destroy(glm_chat_request *request)
{
    if (!request)
        return;
    glm_conversation_deinit(&request->conversation);
    free(request);
}

glm_status glm_chat_request_add_text(glm_chat_request *request, glm_chat_role role,
                                     const char *text, size_t length, glm_error *err)
{
    if ((int)role < 0 || role > GLM_CHAT_ROLE_TOOL)
        return glm_fail(err, GLM_EARG, "role: expected 0..%d, got %d", GLM_CHAT_ROLE_TOOL,
                        (int)role);
    return glm_conversation_add_text(&request->conversation, (glm_turn_role)role,
                                     (glm_text){text, length}, err);
}

glm_status glm_chat_request_add_answer(glm_chat_request *request, const glm_chat_message *answer,
                                       glm_error *err)
{
    glm_text *names = glm_new_array(glm_text, glm_mul_size(answer->n_calls, 2) + 1);
    if (!names)
        return glm_fail(err, GLM_ENOMEM, "chat request");
    glm_text *arguments = names + answer->n_calls;
    for (size_t i = 0; i < answer->n_calls; i++) {
        names[i] = (glm_text){answer->calls[i].name, answer->calls[i].name_length};
        arguments[i] = (glm_text){answer->calls[i].arguments, answer->calls[i].arguments_length};
    }
    glm_status st = glm_conversation_add_answer(
        &request->conversation, (glm_text){answer->content, answer->content_length},
        answer->reasoning != NULL, (glm_text){answer->reasoning, answer->reasoning_length}, names,
        arguments, answer->n_calls, err);
    free(names);
    return st;
}

glm_status glm_chat_request_add_messages(glm_chat_request *request, const char *json, size_t size,
                                         glm_error *err)
{
    return glm_conversation_add_messages(&request->conversation, json, size, err);
}

glm_status glm_chat_request_set_tools(glm_chat_request *request, const char *json, size_t size,
                                      glm_error *err)
{
    return glm_conversation_set_tools(&request->conversation, json, size, err);
}

size_t glm_chat_request_n_messages(const glm_chat_request *request)
{
    return request->conversation.n_turns;
}

size_t glm_chat_request_n_tools(const glm_chat_request *request)
{
    return request->conversation.n_tools;
}

void glm_chat_request_truncate(glm_chat_request *request, size_t n_messages)
{
    if (n_messages < request->conversation.n_turns)
        request->conversation.n_turns = n_messages;
}

const char *glm_chat_request_note(const glm_chat_request *request, size_t index)
{
    const glm_conversation *c = &request->conversation;
    return index < c->n_notes ? c->notes[index] : NULL;
}

/* ------------------------------------------------------------------------------- the options -- */

static glm_switches switches_of(const glm_chat_options *options)
{
    return (glm_switches){.generation = (glm_generation)options->generation,
                          .thinking = options->thinking,
                          .effort = (glm_effort)options->effort,
                          .clear_thinking = options->clear_thinking,
                          .add_generation_prompt = options->add_generation_prompt,
                          .continue_final = options->continue_final};
}

static void put_switches(glm_chat_options *options, const glm_switches *switches)
{
    options->thinking = switches->thinking;
    options->effort = (glm_chat_effort)switches->effort;
    options->clear_thinking = switches->clear_thinking;
    options->add_generation_prompt = switches->add_generation_prompt;
    options->continue_final = switches->continue_final;
}

glm_chat_options glm_chat_options_default(void)
{
    return glm_chat_options_of(GLM_CHAT_GLM_5_2);
}

glm_chat_options glm_chat_options_of(glm_chat_generation generation)
{
    glm_chat_options options = {.generation = generation, .match_tags = true};
    glm_switches switches = glm_template_defaults((glm_generation)generation);
    put_switches(&options, &switches);
    return options;
}

const char *glm_chat_request_switches(const glm_chat_request *request, glm_chat_reading reading,
                                      glm_chat_options *options)
{
    glm_switches switches = switches_of(options);
    const char *warning = NULL;
    if (reading == GLM_CHAT_AS_VENDOR) {
        (void)glm_switches_as_vendor(&switches, request->conversation.root);
        warning = request->warning[0] ? request->warning : NULL;
    } else {
        glm_switches_as_template(&switches, request->conversation.root);
    }
    put_switches(options, &switches);
    return warning;
}

/* -------------------------------------------------------------------------------- the prompt -- */

glm_status glm_chat_prompt_create(glm_chat_prompt **out, const glm_chat *chat,
                                  const glm_chat_request *request, const glm_chat_options *options,
                                  glm_error *err)
{
    glm_chat_prompt *prompt = glm_new(glm_chat_prompt);
    if (!prompt)
        return glm_fail(err, GLM_ENOMEM, "chat prompt");
    prompt->chat = chat;
    prompt->match_tags = options->match_tags;
    glm_switches switches = switches_of(options);
    glm_status st = glm_template_render(&prompt->rendering, &request->conversation, &switches, err);
    if (st == GLM_OK) {
        glm_segments_join(&prompt->text, &prompt->rendering.segments);
        if (prompt->text.has_failed)
            st = glm_fail(err, GLM_ENOMEM, "chat prompt");
    }
    if (st != GLM_OK) {
        glm_chat_prompt_destroy(prompt);
        return st;
    }
    *out = prompt;
    return GLM_OK;
}

void glm_chat_prompt_destroy(glm_chat_prompt *prompt)
{
    if (!prompt)
        return;
    glm_rendering_deinit(&prompt->rendering);
    glm_str_deinit(&prompt->text);
    glm_token_buf_deinit(&prompt->ids);
    free(prompt->message_start);
    free(prompt);
}

const char *glm_chat_prompt_text(const glm_chat_prompt *prompt, size_t *length)
{
    *length = prompt->text.length;
    return prompt->text.data;
}

/* A special token is encoded as its name with all added tokens matched: one id, the one resolved. */
static glm_status append_segment(glm_chat_prompt *prompt, size_t index, glm_error *err)
{
    const glm_chat *chat = prompt->chat;
    glm_text text = glm_segments_spelling(&prompt->rendering.segments, index);
    struct glm_added_match match = {GLM_ADDED_NONE, NULL};
    if (prompt->rendering.segments.items[index].tag != GLM_TAG_NONE)
        match.mode = GLM_ADDED_ALL;
    else if (prompt->match_tags)
        match = (struct glm_added_match){GLM_ADDED_SUBSET, chat->tags_in_text};
    return glm_tok_encode(chat->tokenizer, text.data, text.length, &match, &prompt->ids, err);
}

static glm_status encode(glm_chat_prompt *prompt, glm_error *err)
{
    const glm_rendering *r = &prompt->rendering;
    prompt->ids.n = 0;
    if (!prompt->message_start)
        prompt->message_start = glm_new_array(size_t, r->n_turns + 1);
    if (!prompt->message_start)
        return glm_fail(err, GLM_ENOMEM, "chat prompt");
    size_t turn = 0;
    for (size_t i = 0; i < r->segments.n_items; i++) {
        while (turn <= r->n_turns && r->turn_start[turn] == i)
            prompt->message_start[turn++] = prompt->ids.n;
        glm_status st = append_segment(prompt, i, err);
        if (st != GLM_OK)
            return st;
    }
    while (turn <= r->n_turns)
        prompt->message_start[turn++] = prompt->ids.n;
    prompt->has_ids = true;
    return GLM_OK;
}

glm_status glm_chat_prompt_ids(glm_chat_prompt *prompt, const int32_t **ids, size_t *n,
                               glm_error *err)
{
    if (!prompt->chat->tokenizer)
        return glm_fail(err, GLM_EARG, "chat prompt: no tokenizer to make ids with");
    if (!prompt->has_ids) {
        glm_status st = encode(prompt, err);
        if (st != GLM_OK)
            return st;
    }
    *ids = prompt->ids.ids;
    *n = prompt->ids.n;
    return GLM_OK;
}

size_t glm_chat_prompt_message_start(const glm_chat_prompt *prompt, size_t index)
{
    if (!prompt->has_ids)
        return 0;
    size_t last = prompt->rendering.n_turns;
    return prompt->message_start[index < last ? index : last];
}

glm_chat_start glm_chat_prompt_start(const glm_chat_prompt *prompt)
{
    return (glm_chat_start)prompt->rendering.start;
}

glm_chat_start glm_chat_start_of_ids(const glm_chat *chat, const int32_t *ids, size_t n)
{
    if (!chat->tokenizer)
        return GLM_CHAT_START_CONTENT;
    size_t turn = n; /* index behind the last role token */
    glm_tag role = GLM_TAG_NONE;
    for (; turn > 0 && role == GLM_TAG_NONE; turn--) {
        glm_tag tag = tag_of_id(chat, ids[turn - 1]);
        if (tag >= GLM_TAG_SYSTEM && tag <= GLM_TAG_OBSERVATION)
            role = tag;
    }
    if (role != GLM_TAG_ASSISTANT)
        return GLM_CHAT_START_CONTENT;
    glm_chat_start start = GLM_CHAT_START_CONTENT;
    for (size_t i = turn + 1; i < n; i++) {
        glm_tag tag = tag_of_id(chat, ids[i]);
        if (tag == GLM_TAG_THINK)
            start = GLM_CHAT_START_REASONING;
        else if (tag == GLM_TAG_THINK_END)
            start = GLM_CHAT_START_CONTENT;
        else if (start == GLM_CHAT_START_CONTENT)
            start = GLM_CHAT_START_CONTINUED;
    }
    return start;
}

/* -------------------------------------------------------------------------------- the parser -- */

glm_chat_parser_params glm_chat_parser_params_default(void)
{
    return (glm_chat_parser_params){
        .start = GLM_CHAT_START_REASONING, .repeat_unclosed = true, .stream_strings = true};
}

static bool on_stream_event(void *ctx, glm_stream_event_type type, size_t call, glm_text text)
{
    const glm_chat_parser *parser = ctx;
    glm_chat_event event = {(glm_chat_event_type)type, call, text.data, text.length};
    return parser->on_event(parser->ctx, &event);
}

glm_status glm_chat_parser_create(glm_chat_parser **out, const glm_chat *chat,
                                  const glm_chat_parser_params *params, glm_error *err)
{
    if (!chat->tokenizer)
        return glm_fail(err, GLM_EARG, "chat parser: no tokenizer to read ids with");
    glm_chat_parser *parser = glm_new(glm_chat_parser);
    if (!parser)
        return glm_fail(err, GLM_ENOMEM, "chat parser");
    parser->chat = chat;
    parser->on_event = params->on_event;
    parser->ctx = params->ctx;
    glm_stream_params stream = {.start = (glm_start)params->start,
                                .tools = params->tools ? &params->tools->conversation : NULL,
                                .repeat_unclosed = params->repeat_unclosed,
                                .stream_strings = params->stream_strings,
                                .on_event = params->on_event ? on_stream_event : NULL,
                                .ctx = parser};
    glm_stream_parser_init(&parser->stream, &stream);
    *out = parser;
    return GLM_OK;
}

void glm_chat_parser_destroy(glm_chat_parser *parser)
{
    if (!parser)
        return;
    glm_stream_parser_deinit(&parser->stream);
    free(parser->calls);
    free(parser);
}

/* Room for the list of calls as they come, so that asking for the message cannot fail. */
static glm_status reserve_calls(glm_chat_parser *parser, glm_error *err)
{
    const glm_stream_parser *s = &parser->stream;
    if (s->n_calls <= parser->calls_capacity)
        return GLM_OK;
    glm_chat_call *calls =
        realloc(parser->calls, glm_mul_size(s->calls_capacity, sizeof *parser->calls));
    if (!calls)
        return glm_fail(err, GLM_ENOMEM, "list of %zu calls", s->n_calls);
    parser->calls = calls;
    parser->calls_capacity = s->calls_capacity;
    return GLM_OK;
}

glm_status glm_chat_parser_feed(glm_chat_parser *parser, const int32_t *ids, size_t n,
                                glm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        glm_text bytes;
        bytes.data = glm_tok_bytes(parser->chat->tokenizer, ids[i], &bytes.length);
        if (!bytes.data)
            continue;
        glm_status st =
            glm_stream_parser_token(&parser->stream, tag_of_id(parser->chat, ids[i]), bytes, err);
        if (st != GLM_OK)
            return st;
    }
    return reserve_calls(parser, err);
}

glm_status glm_chat_parser_feed_text(glm_chat_parser *parser, const char *text, size_t length,
                                     glm_error *err)
{
    struct glm_token_buf ids = {0};
    glm_status st = glm_tok_encode(parser->chat->tokenizer, text, length, NULL, &ids, err);
    if (st == GLM_OK)
        st = glm_chat_parser_feed(parser, ids.ids, ids.n, err);
    glm_token_buf_deinit(&ids);
    return st;
}

glm_status glm_chat_parser_finish(glm_chat_parser *parser, glm_chat_end end, glm_error *err)
{
    glm_status st = glm_stream_parser_end(&parser->stream, end == GLM_CHAT_END_STOP_TEXT, err);
    return st == GLM_OK ? reserve_calls(parser, err) : st;
}

glm_chat_channel glm_chat_parser_channel(const glm_chat_parser *parser)
{
    static const glm_chat_channel channels[] = {
        [GLM_STREAM_REASON] = GLM_CHAT_CHANNEL_REASONING,
        [GLM_STREAM_ANSWER] = GLM_CHAT_CHANNEL_CONTENT,
        [GLM_STREAM_HELD] = GLM_CHAT_CHANNEL_HELD,
        [GLM_STREAM_NAME] = GLM_CHAT_CHANNEL_CALL_NAME,
        [GLM_STREAM_KEY] = GLM_CHAT_CHANNEL_CALL_KEY,
        [GLM_STREAM_GAP] = GLM_CHAT_CHANNEL_CALL_GAP,
        [GLM_STREAM_VALUE] = GLM_CHAT_CHANNEL_CALL_VALUE,
        [GLM_STREAM_NEXT] = GLM_CHAT_CHANNEL_CALL_NEXT,
        [GLM_STREAM_ENDED] = GLM_CHAT_CHANNEL_ENDED,
    };
    return channels[parser->stream.state];
}

static void put_text(const char **data, size_t *length, const glm_str *s)
{
    *data = s->length > 0 ? s->data : NULL;
    *length = s->length;
}

const glm_chat_message *glm_chat_parser_message(glm_chat_parser *parser)
{
    const glm_stream_parser *s = &parser->stream;
    glm_chat_message *m = &parser->message;
    *m = (glm_chat_message){.finish = (glm_chat_finish)s->finish,
                            .n_tokens = s->n_tokens,
                            .n_reasoning_tokens = s->n_reasoning_tokens,
                            .notes = s->notes};
    put_text(&m->content, &m->content_length, &s->content);
    put_text(&m->reasoning, &m->reasoning_length, &s->reasoning);
    /* A call that the running feed has just completed may have no room yet. */
    m->n_calls = s->n_calls < parser->calls_capacity ? s->n_calls : parser->calls_capacity;
    m->calls = m->n_calls > 0 ? parser->calls : NULL;
    for (size_t i = 0; i < m->n_calls; i++)
        parser->calls[i] =
            (glm_chat_call){s->calls[i].name.data, s->calls[i].name.length,
                            s->calls[i].arguments.data, s->calls[i].arguments.length};
    return m;
}

const char *glm_chat_finish_name(glm_chat_finish finish)
{
    if (finish == GLM_CHAT_FINISH_TOOL_CALLS)
        return "tool_calls";
    return finish == GLM_CHAT_FINISH_LENGTH ? "length" : "stop";
}

static void write_text_or_null(glm_json_writer *w, const char *key, const char *text, size_t length)
{
    glm_json_write_key(w, key);
    if (text)
        glm_json_write_text(w, (glm_text){text, length});
    else
        glm_json_write_null(w);
}

static void write_call(glm_json_writer *w, const glm_chat_call *call, size_t index)
{
    char id[32];
    snprintf(id, sizeof id, "call_%zu", index + 1);
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", id);
    glm_json_put_c(w, "type", "function");
    glm_json_write_key(w, "function");
    glm_json_begin_object(w);
    glm_json_put_text(w, "name", (glm_text){call->name, call->name_length});
    glm_json_put_text(w, "arguments", (glm_text){call->arguments, call->arguments_length});
    glm_json_end_object(w);
    glm_json_end_object(w);
}

glm_status glm_chat_message_json(char **out, size_t *length, const glm_chat_message *message,
                                 glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    write_text_or_null(&w, "content", message->content, message->content_length);
    write_text_or_null(&w, "reasoning_content", message->reasoning, message->reasoning_length);
    glm_json_write_key(&w, "tool_calls");
    glm_json_begin_array(&w);
    for (size_t i = 0; i < message->n_calls; i++)
        write_call(&w, &message->calls[i], i);
    glm_json_end_array(&w);
    glm_json_put_c(&w, "finish_reason", glm_chat_finish_name(message->finish));
    glm_json_end_object(&w);
    if (json.has_failed) {
        glm_str_deinit(&json);
        return glm_fail(err, GLM_ENOMEM, "chat message");
    }
    *out = json.data;
    *length = json.length;
    return GLM_OK;
}
