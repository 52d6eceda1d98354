// SPDX-License-Identifier: MIT
/* Everything that does not generate: health, models, properties, tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "server/chat_input.h"
#include "server/limits.h"
#include "server/server_internal.h"

static void answer_c(glm_call *call, const char *json)
{
    glm_answer(call, 200, glm_text_c(json), "application/json");
}

void glm_handle_health(glm_call *call)
{
    if (call->server->is_stopping)
        glm_answer_error(call, 503, "stopping", NULL, 5, "the server is stopping");
    else if (call->server->cannot_read)
        glm_answer_error(call, 503, "weights_unreadable", NULL, 0,
                         "the model's weights cannot be read any more");
    else
        answer_c(call, "{\"status\": \"ok\"}");
}

void glm_handle_ping(glm_call *call)
{
    glm_answer(call, 200, (glm_text){"", 0}, "text/plain");
}

void glm_handle_root(glm_call *call)
{
    glm_answer(call, 200,
               glm_text_c("glm: an OpenAI and Anthropic compatible server; see /v1/models\n"),
               "text/plain; charset=utf-8");
}

/* A browser asks before a page's request that has headers of its own (SDKs' are many): those it names, if they are names, are fine. */
void glm_handle_options(glm_call *call)
{
    static const char known[] = "Authorization, Content-Type, x-api-key, anthropic-version, "
                                "anthropic-beta, x-request-id";
    const char *asked = glm_http_header(call->x, "Access-Control-Request-Headers");
    bool is_fine = asked && strlen(asked) <= 1024 &&
                   asked[strspn(asked, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789-_, ")] == '\0';
    glm_http_add_header(call->x, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    glm_http_add_header(call->x, "Access-Control-Allow-Headers", is_fine ? asked : known);
    glm_http_add_header(call->x, "Access-Control-Max-Age", "86400");
    glm_answer(call, 204, (glm_text){"", 0}, "");
}

void glm_handle_version(glm_call *call)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "version", glm_version());
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

void glm_handle_declined(glm_call *call)
{
    glm_answer_error(call, 501, "not_supported", NULL, 0, "This server does not provide %.64s.",
                     call->route->path);
}

/* ---- Models ---- */

static void text_alone(glm_json_writer *w, const char *key)
{
    glm_json_write_key(w, key);
    glm_json_begin_array(w);
    glm_json_write_c(w, "text");
    glm_json_end_array(w);
}

static void write_model(glm_json_writer *w, const glm_server *s)
{
    char date[32];
    struct tm t;
    gmtime_r(&s->started, &t);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &t);
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", s->name);
    glm_json_put_c(w, "object", "model");
    glm_json_put_u64(w, "created", (uint64_t)s->started);
    glm_json_put_c(w, "owned_by", "local");
    glm_json_put_c(w, "type", "model");
    glm_json_put_c(w, "display_name", s->name);
    glm_json_put_c(w, "created_at", date);
    glm_json_put_c(w, "lifecycle", "active");
    glm_json_put_u64(w, "max_model_len", s->engine.n_ctx);
    glm_json_put_u64(w, "max_input_tokens", s->engine.n_ctx);
    glm_json_put_u64(w, "max_tokens", s->engine.n_ctx);
    glm_json_put_c(w, "root", s->name);
    glm_json_put_null(w, "parent");
    glm_json_write_key(w, "permission");
    glm_json_begin_array(w);
    glm_json_end_array(w);
    glm_json_write_key(w, "architecture");
    glm_json_begin_object(w);
    text_alone(w, "input_modalities");
    text_alone(w, "output_modalities");
    glm_json_end_object(w);
    glm_json_write_key(w, "meta");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "vocab_type", 2); /* llama.cpp's word for byte-level BPE */
    glm_json_put_u64(w, "n_vocab", s->info.n_vocab);
    glm_json_put_u64(w, "n_ctx_train", s->info.n_ctx_max);
    glm_json_put_u64(w, "n_ctx", s->engine.n_ctx);
    glm_json_put_u64(w, "n_embd", s->info.d_model);
    glm_json_put_u64(w, "n_params", s->info.n_params);
    glm_json_put_u64(w, "size", s->info.size_bytes);
    glm_json_end_object(w);
    glm_json_end_object(w);
}

void glm_handle_models(glm_call *call)
{
    const glm_server *s = call->server;
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "object", "list");
    glm_json_put_bool(&w, "has_more", false);
    glm_json_put_c(&w, "first_id", s->name);
    glm_json_put_c(&w, "last_id", s->name);
    glm_json_write_key(&w, "data");
    glm_json_begin_array(&w);
    write_model(&w, s);
    glm_json_end_array(&w);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

void glm_handle_model(glm_call *call)
{
    const glm_server *s = call->server;
    if (strcmp(call->argument, s->name) != 0) {
        glm_answer_error(call, 404, "model_not_found", NULL, 0,
                         "the model \"%.64s\" is not served here", call->argument);
        return;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    write_model(&w, s);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

static void write_limits(glm_json_writer *w, const glm_server *s)
{
    glm_json_write_key(w, "limits");
    glm_json_begin_object(w);
    glm_http_params p = glm_http_params_default();
    glm_json_put_u64(w, "request_line_bytes", p.line_bytes);
    glm_json_put_u64(w, "head_bytes", p.head_bytes);
    glm_json_put_u64(w, "header_lines", p.n_headers);
    glm_json_put_u64(w, "body_bytes", s->p.body_bytes ? s->p.body_bytes : p.body_bytes);
    glm_json_put_u64(w, "connections", s->p.n_connections);
    glm_json_put_u64(w, "connections_per_address", s->p.n_per_address);
    glm_json_put_u64(w, "requests_per_key", s->p.n_per_key);
    glm_json_put_u64(w, "active", s->p.scheduler.max_active);
    glm_json_put_u64(w, "queue", s->p.scheduler.max_queue);
    glm_json_put_double(w, "answer_seconds", s->p.answer_s);
    glm_json_put_u64(w, "unread_output_bytes", p.out_bytes);
    glm_json_put_double(w, "unread_output_seconds", s->p.stall_s > 0 ? s->p.stall_s : p.write_s);
    if (s->p.scheduler.state_dir) {
        glm_json_put_u64(w, "state_files", STATE_FILES_MAX);
        glm_json_put_u64(w, "state_bytes", s->p.scheduler.state_bytes);
        glm_json_put_u64(w, "state_file_bytes", STATE_FILE_BYTES_MAX);
    }
    glm_json_put_u64(w, "json_depth", BODY_DEPTH_MAX);
    glm_json_put_u64(w, "json_fields", BODY_FIELDS_MAX);
    glm_json_put_u64(w, "messages", MESSAGES_MAX);
    glm_json_put_u64(w, "content_parts", PARTS_MAX);
    glm_json_put_u64(w, "tools", TOOLS_MAX);
    glm_json_put_u64(w, "prompts", PROMPTS_MAX);
    glm_json_put_u64(w, "choices", CHOICES_MAX);
    glm_json_put_u64(w, "stop_strings", STOPS_MAX);
    glm_json_put_u64(w, "stop_bytes", STOP_BYTES_MAX);
    glm_json_put_u64(w, "logit_bias", BIASES_MAX);
    glm_json_put_u64(w, "top_logprobs", TOP_LOGPROBS_MAX);
    glm_json_put_u64(w, "schema_bytes", SCHEMA_BYTES_MAX);
    glm_json_put_u64(w, "schema_depth", SCHEMA_DEPTH_MAX);
    glm_json_put_u64(w, "answer_tokens", s->engine.n_ctx);
    glm_json_end_object(w);
}

void glm_handle_props(glm_call *call)
{
    const glm_server *s = call->server;
    glm_chat_template format = glm_chat_template_of(s->model);
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "default_generation_settings");
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "n_ctx", s->engine.n_ctx);
    glm_json_write_key(&w, "params");
    glm_json_begin_object(&w);
    glm_json_put_double(&w, "temperature", s->info.temperature);
    glm_json_put_double(&w, "top_p", s->info.top_p);
    glm_json_put_u64(&w, "top_k", s->info.top_k);
    glm_json_end_object(&w);
    glm_json_end_object(&w);
    glm_json_put_u64(&w, "total_slots", s->p.scheduler.max_active);
    glm_json_put_c(&w, "model_alias", s->name);
    glm_json_put_c(&w, "model_path", s->info.name);
    glm_json_put_c(&w, "chat_format", format.name);
    glm_json_put_null(&w, "chat_template");
    glm_json_write_key(&w, "chat_template_caps");
    glm_json_begin_object(&w);
    glm_json_end_object(&w);
    glm_json_put_null(&w, "bos_token");
    glm_json_put_c(&w, "eos_token", "<|endoftext|>");
    glm_json_write_key(&w, "modalities");
    glm_json_begin_object(&w);
    glm_json_put_bool(&w, "vision", false);
    glm_json_put_bool(&w, "audio", false);
    glm_json_end_object(&w);
    glm_json_put_c(&w, "build_info", glm_version());
    glm_json_put_bool(&w, "is_sleeping", false);
    write_limits(&w, s);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

void glm_handle_slots(glm_call *call)
{
    glm_server *s = call->server;
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s->scheduler, &stats);
    if (strstr(glm_http_query(call->x), "fail_on_no_slot=1") &&
        stats.n_running >= s->p.scheduler.max_active) {
        glm_answer_error(call, 503, "no_slot", NULL, 1, "every slot is taken");
        return;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_array(&w);
    for (uint32_t i = 0; i < s->p.scheduler.max_active; i++) {
        glm_json_begin_object(&w);
        glm_json_put_u64(&w, "id", i);
        glm_json_put_u64(&w, "n_ctx", s->engine.n_ctx);
        glm_json_put_bool(&w, "speculative", false);
        glm_json_put_bool(&w, "is_processing", i < stats.n_running);
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

/* ---- Tokens ---- */

/* How ids are told beside the ids: llama.cpp's pieces in their place, vLLM's token_strs behind them. */
typedef struct token_form {
    bool pieces, strings;
} token_form;

static glm_text bytes_of(const glm_server *s, int32_t id)
{
    glm_text t;
    t.data = glm_tokenizer_bytes(s->tokenizer, id, &t.length);
    return t;
}

/* Text, or what is no text by itself as a list of bytes. */
static void write_piece(glm_json_writer *w, glm_text piece)
{
    glm_str valid = {0};
    glm_utf8_append_valid(&valid, piece);
    if (glm_text_equal(glm_str_text(&valid), piece)) {
        glm_json_write_text(w, piece);
    } else {
        glm_json_begin_array(w);
        for (size_t i = 0; i < piece.length; i++)
            glm_json_write_u64(w, (unsigned char)piece.data[i]);
        glm_json_end_array(w);
    }
    glm_str_deinit(&valid);
}

glm_status glm_encode_text(int32_t **out, size_t *n_out, const glm_server *s, glm_text text,
                           unsigned flags, bool has_prefix, glm_error *err)
{
    const glm_text prefix = glm_text_c("[gMASK]<sop>");
    int32_t *ids = NULL, *head = NULL;
    size_t n = 0, n_head = 0;
    *out = NULL;
    *n_out = 0;
    glm_status st =
        glm_tokenizer_encode(&ids, &n, s->tokenizer, text.data, text.length, flags, err);
    if (st == GLM_OK && has_prefix)
        st = glm_tokenizer_encode(&head, &n_head, s->tokenizer, prefix.data, prefix.length, 0, err);
    if (st == GLM_OK && n_head && !(n >= n_head && memcmp(ids, head, n_head * sizeof *ids) == 0)) {
        int32_t *all = realloc(head, (n_head + n) * sizeof *all);
        if (all) {
            if (n)
                memcpy(all + n_head, ids, n * sizeof *ids);
            free(ids);
            ids = all;
            n += n_head;
            head = NULL;
        } else {
            st = glm_fail(err, GLM_ENOMEM, "no memory for %zu tokens", n_head + n);
        }
    }
    free(head);
    if (st != GLM_OK) {
        free(ids);
        return st;
    }
    *out = ids;
    *n_out = n;
    return GLM_OK;
}

static void write_tokens(glm_call *call, const int32_t *ids, size_t n, token_form form)
{
    const glm_server *s = call->server;
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "tokens");
    glm_json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        if (!form.pieces) {
            glm_json_write_i64(&w, ids[i]);
            continue;
        }
        glm_json_begin_object(&w);
        glm_json_put_i64(&w, "id", ids[i]);
        glm_json_write_key(&w, "piece");
        write_piece(&w, bytes_of(s, ids[i]));
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
    if (form.strings) {
        glm_json_write_key(&w, "token_strs");
        glm_json_begin_array(&w);
        for (size_t i = 0; i < n; i++)
            glm_json_write_text(&w, bytes_of(s, ids[i]));
        glm_json_end_array(&w);
    }
    glm_json_put_u64(&w, "count", n);
    glm_json_put_u64(&w, "max_model_len", s->engine.n_ctx);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

/* A chat request's prompt, as ids in a form or as text (NULL). Answers. */
static void answer_prompt(glm_call *call, const token_form *form)
{
    glm_text body = glm_http_body(call->x);
    glm_chat_request *request = NULL;
    glm_chat_prompt *prompt = NULL;
    const int32_t *ids = NULL;
    size_t n = 0;
    glm_error err;
    glm_chat_options options = call->server->options;
    glm_status st = glm_chat_request_read(&request, body.data, body.length, &err);
    if (st == GLM_OK) {
        (void)glm_chat_request_switches(request, GLM_CHAT_AS_VENDOR, &options);
        st = glm_chat_prompt_create(&prompt, call->server->chat, request, &options, &err);
    }
    if (st == GLM_OK && form)
        st = glm_chat_prompt_ids(prompt, &ids, &n, &err);
    if (st != GLM_OK) {
        glm_answer_status(call, st, &err);
    } else if (form) {
        write_tokens(call, ids, n, *form);
    } else {
        glm_str json = {0};
        glm_json_writer w = glm_json_writer_of(&json);
        size_t length;
        const char *text = glm_chat_prompt_text(prompt, &length);
        glm_json_begin_object(&w);
        glm_json_put_text(&w, "prompt", (glm_text){text, length});
        glm_json_end_object(&w);
        glm_answer_json(call, 200, &json);
        glm_str_deinit(&json);
    }
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
}

void glm_handle_apply_template(glm_call *call)
{
    answer_prompt(call, NULL);
}

void glm_handle_tokenize(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    glm_field_error err;
    glm_text text = {NULL, 0};
    bool parses_special = true, has_prefix = false;
    token_form form = {0};
    if (!glm_read_body(call, &arena, &root))
        return;
    bool is_fine = glm_field_bool(root, "parse_special", &parses_special, &err) &&
                   glm_field_bool(root, "add_special", &has_prefix, &err) &&
                   glm_field_bool(root, "with_pieces", &form.pieces, &err) &&
                   glm_field_bool(root, "return_token_strs", &form.strings, &err);
    if (is_fine && glm_field(root, "messages")) {
        glm_arena_deinit(&arena);
        answer_prompt(call, &form);
        return;
    }
    const char *name = glm_field(root, "content") ? "content" : "prompt";
    is_fine = is_fine && glm_field_text(root, name, &text, &err);
    if (is_fine && !text.data)
        is_fine = glm_field_refuse(&err, "content", "content: expected a string");
    int32_t *ids = NULL;
    size_t n = 0;
    glm_error error;
    if (!is_fine) {
        glm_answer_error(call, 400, "invalid_value", err.param, 0, "%s", err.text);
    } else {
        glm_status st =
            glm_encode_text(&ids, &n, call->server, text, parses_special ? 0 : GLM_TOKENIZER_PLAIN,
                            has_prefix, &error);
        if (st == GLM_OK)
            write_tokens(call, ids, n, form);
        else
            glm_answer_status(call, st, &error);
        free(ids);
    }
    glm_arena_deinit(&arena);
}

void glm_handle_detokenize(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    if (!glm_read_body(call, &arena, &root))
        return;
    const glm_json *tokens = glm_field(root, "tokens");
    int32_t *ids = NULL;
    size_t n = 0;
    bool is_fine = tokens && tokens->type == GLM_JSON_ARRAY;
    if (is_fine)
        ids = glm_arena_new_array(&arena, int32_t, tokens->length + 1);
    for (const glm_json *t = is_fine ? tokens->first : NULL; t && ids && is_fine; t = t->next) {
        int64_t id;
        is_fine = t->type == GLM_JSON_NUMBER && glm_json_text_i64(t->text, t->length, &id) &&
                  id >= 0 && id < (int64_t)call->server->info.n_vocab;
        if (is_fine)
            ids[n++] = (int32_t)id;
    }
    glm_error err;
    char *text = NULL;
    size_t size = 0;
    glm_status st = GLM_OK;
    if (!is_fine || !ids)
        st = glm_fail(&err, GLM_EARG, "tokens: expected a list of token ids");
    else
        st = glm_tokenizer_decode(&text, &size, call->server->tokenizer, ids, n, 0, &err);
    glm_arena_deinit(&arena);
    if (st != GLM_OK) {
        glm_answer_status(call, st, &err);
        return;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_text(&w, "content", (glm_text){text, size});
    glm_json_put_text(&w, "prompt", (glm_text){text, size});
    glm_json_end_object(&w);
    free(text);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}

void glm_handle_tokenizer_info(glm_call *call)
{
    const glm_server *s = call->server;
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "eos_token", "<|endoftext|>");
    glm_json_put_c(&w, "pad_token", "<|endoftext|>");
    glm_json_put_null(&w, "bos_token");
    glm_json_put_null(&w, "chat_template");
    glm_json_put_u64(&w, "model_max_length", s->engine.n_ctx);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &json);
    glm_str_deinit(&json);
}
