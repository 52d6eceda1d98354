// SPDX-License-Identifier: MIT
/* The "messages" list of a request, normalised into turns. */
#include <string.h>

#include "chat/conversation_internal.h"
#include "chat/python.h"
#include "core/mem.h"

#define BILLING_PREFIX "x-anthropic-billing-header:"

/* Which turn a role is read as. Roles nobody knows act as user, as long as they look like a role. */
static glm_status read_role(glm_conversation *c, glm_turn_role *out, const glm_json *role,
                            const char *path, glm_error *err)
{
    static const struct {
        const char *name;
        glm_turn_role role;
    } known[] = {
        {"system", GLM_TURN_SYSTEM}, {"developer", GLM_TURN_SYSTEM},
        {"user", GLM_TURN_USER},     {"assistant", GLM_TURN_ASSISTANT},
        {"tool", GLM_TURN_TOOL},     {"function", GLM_TURN_TOOL},
    };
    if (!glm_json_is_type(role, GLM_JSON_STRING))
        return glm_conversation_mistyped(err, path, "string", role);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (glm_json_is(role, known[i].name)) {
            *out = known[i].role;
            return GLM_OK;
        }
    bool looks_right = role->length >= 1 && role->length <= 32;
    for (size_t i = 0; looks_right && i < role->length; i++)
        looks_right = (role->text[i] >= 'a' && role->text[i] <= 'z') || role->text[i] == '_';
    if (!looks_right)
        return glm_fail(err, GLM_EARG,
                        "%s: expected system, developer, user, assistant or tool, got \"%.32s\"",
                        path, role->text);
    glm_conversation_note(c, "%s: \"%s\" is read as user", path, role->text);
    *out = GLM_TURN_USER;
    return GLM_OK;
}

/* The kind a media part is called by in the template's sentence, or NULL. */
static const char *media_kind(const glm_json *type)
{
    static const char *const media[][2] = {
        {"image", "image"}, {"image_url", "image"}, {"video", "video"},      {"video_url", "video"},
        {"audio", "audio"}, {"audio_url", "audio"}, {"input_audio", "audio"}};
    for (size_t i = 0; i < sizeof media / sizeof *media; i++)
        if (glm_json_is(type, media[i][0]))
            return media[i][1];
    return NULL;
}

/* A string member that may be absent or null: then it is empty. */
static glm_status read_optional_text(glm_text *out, const glm_json *value, const char *path,
                                     const char *name, glm_error *err)
{
    *out = (glm_text){"", 0};
    if (glm_json_is_null(value))
        return GLM_OK;
    if (value->type != GLM_JSON_STRING) {
        glm_path where = glm_path_of("%s.%s", path, name);
        return glm_conversation_mistyped(err, where.text, "string", value);
    }
    *out = glm_json_to_text(value);
    return GLM_OK;
}

/* What a tool's part shows as its output: a string as it is, all else as JSON. */
static glm_status read_output(glm_conversation *c, glm_text *out, const glm_json *value,
                              glm_error *err)
{
    if (value->type == GLM_JSON_STRING) {
        *out = glm_json_to_text(value);
        return GLM_OK;
    }
    glm_str json = {0};
    glm_python_dumps(&json, value);
    *out = (glm_text){NULL, 0};
    if (!json.has_failed)
        *out = glm_conversation_keep(c, glm_str_text(&json));
    glm_str_deinit(&json);
    return out->data ? GLM_OK : glm_conversation_no_room(c, err);
}

static glm_status read_part(glm_conversation *c, glm_part *part, const glm_json *value,
                            const char *path, glm_error *err)
{
    if (value->type == GLM_JSON_STRING) {
        part->text = glm_json_to_text(value);
        return GLM_OK;
    }
    if (value->type != GLM_JSON_OBJECT)
        return glm_conversation_mistyped(err, path, "string or object", value);
    const glm_json *output = glm_json_get(value, "output");
    if (output) {
        part->has_output = true;
        glm_status st = read_output(c, &part->output, output, err);
        if (st != GLM_OK)
            return st;
    }
    const glm_json *type = glm_json_get(value, "type");
    if (glm_json_is(type, "text"))
        return read_optional_text(&part->text, glm_json_get(value, "text"), path, "text", err);
    const char *media = media_kind(type);
    if (media) {
        part->kind = GLM_PART_MEDIA;
        part->text = glm_text_c(media);
        return GLM_OK;
    }
    if (glm_json_is(type, "tool_reference")) {
        part->kind = GLM_PART_TOOL_REFERENCE;
        const glm_json *name = glm_json_get(value, "name");
        if (glm_json_is_null(name))
            name = glm_json_get(value, "tool_name");
        return read_optional_text(&part->text, name, path, "name", err);
    }
    part->kind = GLM_PART_OTHER;
    bool is_reasoning = glm_json_is(type, "thinking") || glm_json_is(type, "redacted_thinking") ||
                        glm_json_is(type, "reasoning");
    if (!output && !is_reasoning)
        glm_conversation_note(c, "%s: a part of an unknown type is left out", path);
    return GLM_OK;
}

static glm_status read_content(glm_conversation *c, glm_turn *turn, const glm_json *content,
                               const char *path, glm_error *err)
{
    bool is_list = glm_json_is_type(content, GLM_JSON_ARRAY);
    if (!is_list && !glm_json_is_null(content) && content->type != GLM_JSON_STRING)
        return glm_conversation_mistyped(err, path, "string or list", content);
    size_t n = is_list ? content->length : 1;
    if (n > GLM_CONVERSATION_PARTS_MAX)
        return glm_fail(err, GLM_EARG, "%s: expected at most %d parts, got %zu", path,
                        GLM_CONVERSATION_PARTS_MAX, n);
    glm_part *parts = glm_arena_alloc_small(&c->arena, glm_mul_size(n ? n : 1, sizeof *parts));
    if (!parts)
        return glm_conversation_no_room(c, err);
    turn->is_list = is_list;
    turn->parts = parts;
    turn->n_parts = n;
    if (!is_list) {
        parts->text = (glm_text){"", 0};
        if (!glm_json_is_null(content))
            parts->text = glm_json_to_text(content);
        return GLM_OK;
    }
    size_t index = 0;
    for (const glm_json *item = content->first; item; item = item->next, index++) {
        glm_path where = glm_path_of("%s[%zu]", path, index);
        glm_status st = read_part(c, &parts[index], item, where.text, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

/* Join the "text" members of a list of objects. */
static bool append_texts(glm_str *out, const glm_json *list)
{
    bool has_text = false;
    if (!glm_json_is_type(list, GLM_JSON_ARRAY))
        return false;
    for (const glm_json *item = list->first; item; item = item->next) {
        const glm_json *text = glm_json_get(item, "text");
        if (glm_json_is_type(text, GLM_JSON_STRING)) {
            glm_str_append_text(out, glm_json_to_text(text));
            has_text = true;
        }
    }
    return has_text;
}

/* Reasoning that came as content parts: thinking blocks, or else reasoning items. */
static bool join_reasoning_parts(glm_str *out, const glm_json *content)
{
    bool has_thinking = false;
    for (const glm_json *item = content->first; item; item = item->next) {
        const glm_json *thinking = glm_json_get(item, "thinking");
        if (glm_json_is(glm_json_get(item, "type"), "thinking") &&
            glm_json_is_type(thinking, GLM_JSON_STRING)) {
            glm_str_append_text(out, glm_json_to_text(thinking));
            has_thinking = true;
        }
    }
    if (has_thinking)
        return true;
    bool has_item = false;
    for (const glm_json *item = content->first; item; item = item->next)
        if (glm_json_is(glm_json_get(item, "type"), "reasoning"))
            has_item |= append_texts(out, glm_json_get(item, "content")) ||
                        append_texts(out, glm_json_get(item, "summary"));
    return has_item;
}

static glm_status read_reasoning(glm_conversation *c, glm_turn *turn, const glm_json *message,
                                 glm_error *err)
{
    static const char *const members[] = {"reasoning_content", "reasoning"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const glm_json *value = glm_json_get(message, members[i]);
        if (glm_json_is_type(value, GLM_JSON_STRING)) {
            turn->has_reasoning = true;
            turn->reasoning = glm_json_to_text(value);
            return GLM_OK;
        }
    }
    const glm_json *content = glm_json_get(message, "content");
    if (!glm_json_is_type(content, GLM_JSON_ARRAY))
        return GLM_OK;
    glm_str joined = {0};
    if (join_reasoning_parts(&joined, content)) {
        turn->has_reasoning = true;
        turn->reasoning = (glm_text){NULL, 0};
        if (!joined.has_failed)
            turn->reasoning = glm_conversation_keep(c, glm_str_text(&joined));
    }
    glm_str_deinit(&joined);
    if (turn->has_reasoning && !turn->reasoning.data)
        return glm_conversation_no_room(c, err);
    return GLM_OK;
}

static glm_status read_call(glm_conversation *c, glm_turn_call *call, const glm_json *value,
                            const char *path, glm_error *err)
{
    if (value->type != GLM_JSON_OBJECT)
        return glm_conversation_mistyped(err, path, "object", value);
    const glm_json *function = glm_json_get(value, "function");
    bool is_wrapped = !glm_json_is_null(function);
    if (is_wrapped && function->type != GLM_JSON_OBJECT) {
        glm_path where = glm_path_of("%s.function", path);
        return glm_conversation_mistyped(err, where.text, "object", function);
    }
    const glm_json *inner = is_wrapped ? function : value;
    const glm_json *name = glm_json_get(inner, "name");
    if (!glm_json_is_type(name, GLM_JSON_STRING)) {
        glm_path where = glm_path_of("%s.%sname", path, is_wrapped ? "function." : "");
        return glm_conversation_mistyped(err, where.text, "string", name);
    }
    call->name = glm_json_to_text(name);
    const glm_json *id = glm_json_get(value, "id");
    call->id = glm_json_is_type(id, GLM_JSON_STRING) ? glm_json_to_text(id) : (glm_text){"", 0};
    const glm_json *arguments = glm_json_get(inner, "arguments");
    if (glm_json_is_type(arguments, GLM_JSON_OBJECT)) {
        call->arguments = arguments;
        return GLM_OK;
    }
    glm_text text = {"", 0};
    if (arguments && arguments->type != GLM_JSON_NULL) {
        glm_status st = read_output(c, &text, arguments, err);
        if (st != GLM_OK)
            return st;
    }
    return glm_conversation_read_arguments(c, &call->arguments, text, err);
}

static glm_status read_calls(glm_conversation *c, glm_turn *turn, const glm_json *list,
                             const char *path, glm_error *err)
{
    if (glm_json_is_null(list))
        return GLM_OK;
    if (list->type != GLM_JSON_ARRAY)
        return glm_conversation_mistyped(err, path, "list", list);
    if (list->length > GLM_CONVERSATION_PARTS_MAX)
        return glm_fail(err, GLM_EARG, "%s: expected at most %d calls, got %zu", path,
                        GLM_CONVERSATION_PARTS_MAX, list->length);
    if (list->length == 0)
        return GLM_OK;
    glm_turn_call *calls =
        glm_arena_alloc_small(&c->arena, glm_mul_size(list->length, sizeof *calls));
    if (!calls)
        return glm_conversation_no_room(c, err);
    size_t index = 0;
    for (const glm_json *item = list->first; item; item = item->next, index++) {
        glm_path where = glm_path_of("%s[%zu]", path, index);
        glm_status st = read_call(c, &calls[index], item, where.text, err);
        if (st != GLM_OK)
            return st;
    }
    turn->calls = calls;
    turn->n_calls = list->length;
    return GLM_OK;
}

/* Cut a leading billing line, which changes with each request and so would defeat prefix caching. */
static bool cut_billing_line(glm_text *text)
{
    if (!glm_text_has_prefix(*text, glm_text_c(BILLING_PREFIX)))
        return false;
    const char *newline = memchr(text->data, '\n', text->length);
    size_t cut = newline ? (size_t)(newline - text->data) + 1 : text->length;
    text->data += cut;
    text->length -= cut;
    return true;
}

/* Drop billing lines of a system turn; true when the turn was nothing else. */
static bool was_only_billing(glm_turn *turn)
{
    glm_part *parts = (glm_part *)turn->parts; /* just allocated by read_content */
    bool has_cut = false, has_rest = false;
    for (size_t i = 0; i < turn->n_parts; i++) {
        if (parts[i].kind == GLM_PART_TEXT && cut_billing_line(&parts[i].text))
            has_cut = true;
        has_rest |= parts[i].kind != GLM_PART_TEXT || parts[i].text.length > 0;
    }
    return has_cut && !has_rest;
}

static glm_status read_message(glm_conversation *c, const glm_json *message, const char *path,
                               glm_error *err)
{
    if (message->type != GLM_JSON_OBJECT)
        return glm_conversation_mistyped(err, path, "object", message);
    glm_turn turn = {0};
    glm_path where = glm_path_of("%s.role", path);
    glm_status st = read_role(c, &turn.role, glm_json_get(message, "role"), where.text, err);
    if (st != GLM_OK)
        return st;
    where = glm_path_of("%s.content", path);
    st = read_content(c, &turn, glm_json_get(message, "content"), where.text, err);
    if (st != GLM_OK)
        return st;
    if (turn.role == GLM_TURN_SYSTEM && was_only_billing(&turn))
        return GLM_OK;
    if (turn.role == GLM_TURN_TOOL) {
        st = read_optional_text(&turn.call_id, glm_json_get(message, "tool_call_id"), path,
                                "tool_call_id", err);
        if (st != GLM_OK)
            return st;
    }
    if (turn.role == GLM_TURN_ASSISTANT) {
        st = read_reasoning(c, &turn, message, err);
        where = glm_path_of("%s.tool_calls", path);
        if (st == GLM_OK)
            st = read_calls(c, &turn, glm_json_get(message, "tool_calls"), where.text, err);
        if (st != GLM_OK)
            return st;
    }
    glm_turn *slot = glm_conversation_push(c);
    if (!slot)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    *slot = turn;
    return GLM_OK;
}

glm_status glm_conversation_read_messages(glm_conversation *c, const glm_json *list, glm_error *err)
{
    if (!glm_json_is_type(list, GLM_JSON_ARRAY))
        return glm_conversation_mistyped(err, "messages", "list", list);
    if (list->length > GLM_CONVERSATION_MESSAGES_MAX - c->n_turns)
        return glm_fail(err, GLM_EARG, "messages: expected at most %d, got %zu",
                        GLM_CONVERSATION_MESSAGES_MAX, c->n_turns + list->length);
    size_t index = 0;
    for (const glm_json *item = list->first; item; item = item->next, index++) {
        glm_path path = glm_path_of("messages[%zu]", index);
        glm_status st = read_message(c, item, path.text, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}
