// SPDX-License-Identifier: MIT
#include "convert/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/mem.h"

#define TOKENIZER_BYTES_MAX ((size_t)128 << 20)
#define TEMPLATE_BYTES_MAX ((size_t)4 << 20)
#define TREE_BYTES_MAX ((size_t)64 << 20)
#define JSON_DEPTH_MAX 64

/* gguf-py, constants.py, TokenType */
enum {
    TYPE_NORMAL = 1,
    TYPE_CONTROL = 3,
    TYPE_USER_DEFINED = 4,
    TYPE_UNUSED = 5,
};

typedef struct token {
    const char *text; /* in the arena; NULL: no token has this id */
    size_t length;
    int32_t type;
} token;

typedef enum member {
    IN_OTHER,
    IN_ADDED,
    IN_MODEL,
    IN_VOCAB,
    IN_MERGES,
} member;

typedef struct reader {
    token *token; /* [n_vocab] */
    uint32_t n_vocab;
    glm_arena arena;
    glm_str merges; /* encoded strings */
    uint64_t n_merges;
    member at1, at2; /* the members that enclose the event, at depth 1 and 2 */
    glm_str key;     /* of the vocabulary: the token whose id comes next */
    glm_str left;    /* of a merge that is a list */
    int n_side;
    struct {
        uint64_t id;
        glm_str content, key;
        bool has_id, is_special;
    } added;
} reader;

static bool is_text(const glm_json_event *ev, const char *text)
{
    return ev->length == strlen(text) && memcmp(ev->text, text, ev->length) == 0;
}

/* A lack of memory stays marked in the string, and is told at the end. */
static void keep(glm_str *s, const glm_json_event *ev)
{
    glm_str_truncate(s, 0);
    glm_str_append(s, ev->text, ev->length);
}

static glm_status set_token(reader *r, uint64_t id, glm_text text, int32_t type, glm_error *err)
{
    if (id >= r->n_vocab)
        return glm_fail(err, GLM_EFORMAT,
                        "tokenizer.json: id: expected below the %u rows, got %llu", r->n_vocab,
                        (unsigned long long)id);
    token *t = &r->token[id];
    t->text = glm_arena_strdup(&r->arena, text.data, text.length);
    t->length = text.length;
    t->type = type;
    return t->text ? GLM_OK : glm_fail(err, GLM_ENOMEM, "tokenizer.json");
}

/* "<|user|>" and the like: llama.cpp's converter takes them for control tokens whatever the file says. */
static bool looks_special(glm_text text)
{
    return text.length >= 4 && memcmp(text.data, "<|", 2) == 0 &&
           memcmp(text.data + text.length - 2, "|>", 2) == 0;
}

static glm_status on_vocab(reader *r, const glm_json_event *ev, glm_error *err)
{
    uint64_t id;
    if (ev->depth != 3)
        return GLM_OK;
    if (ev->type == GLM_JSON_EV_KEY)
        keep(&r->key, ev);
    if (ev->type != GLM_JSON_EV_VALUE)
        return GLM_OK;
    if (ev->value_type != GLM_JSON_NUMBER || !glm_json_text_u64(ev->text, ev->length, &id))
        return glm_fail(err, GLM_EFORMAT, "tokenizer.json: vocab: expected ids");
    return set_token(r, id, glm_str_text(&r->key), TYPE_NORMAL, err);
}

static void end_merge(reader *r, glm_text left, glm_text right)
{
    glm_str_truncate(&r->key, 0);
    glm_str_append_text(&r->key, left);
    if (right.length) {
        glm_str_append_c(&r->key, " ");
        glm_str_append_text(&r->key, right);
    }
    glm_gguf_append_string(&r->merges, glm_str_text(&r->key));
    r->n_merges++;
}

/* "left right", or ["left", "right"]. */
static void on_merge(reader *r, const glm_json_event *ev)
{
    bool is_string = ev->type == GLM_JSON_EV_VALUE && ev->value_type == GLM_JSON_STRING;
    if (ev->depth == 3 && is_string)
        end_merge(r, (glm_text){ev->text, ev->length}, (glm_text){"", 0});
    if (ev->depth == 3 && ev->type == GLM_JSON_EV_BEGIN)
        r->n_side = 0;
    if (ev->depth != 4 || !is_string)
        return;
    if (r->n_side++ == 0)
        keep(&r->left, ev);
    else
        end_merge(r, glm_str_text(&r->left), (glm_text){ev->text, ev->length});
}

static glm_status on_added(reader *r, const glm_json_event *ev, glm_error *err)
{
    if (ev->depth == 2 && ev->type == GLM_JSON_EV_BEGIN) {
        r->added.has_id = r->added.is_special = false;
        glm_str_truncate(&r->added.content, 0);
    }
    if (ev->depth == 3 && ev->type == GLM_JSON_EV_KEY)
        keep(&r->added.key, ev);
    if (ev->depth == 3 && ev->type == GLM_JSON_EV_VALUE) {
        glm_text key = glm_str_text(&r->added.key);
        if (glm_text_is(key, "id"))
            r->added.has_id = glm_json_text_u64(ev->text, ev->length, &r->added.id);
        else if (glm_text_is(key, "content") && ev->value_type == GLM_JSON_STRING)
            keep(&r->added.content, ev);
        else if (glm_text_is(key, "special"))
            r->added.is_special = ev->value_type == GLM_JSON_BOOL && ev->boolean;
    }
    if (ev->depth != 2 || ev->type != GLM_JSON_EV_END)
        return GLM_OK;
    if (!r->added.has_id)
        return glm_fail(err, GLM_EFORMAT, "tokenizer.json: added_tokens: expected an id");
    glm_text text = glm_str_text(&r->added.content);
    bool is_control = r->added.is_special || looks_special(text);
    return set_token(r, r->added.id, text, is_control ? TYPE_CONTROL : TYPE_USER_DEFINED, err);
}

static glm_status on_event(void *ctx, const glm_json_event *ev, glm_error *err)
{
    reader *r = ctx;
    if (ev->depth == 1 && ev->type == GLM_JSON_EV_KEY) {
        r->at1 = is_text(ev, "added_tokens") ? IN_ADDED
                 : is_text(ev, "model")      ? IN_MODEL
                                             : IN_OTHER;
        r->at2 = IN_OTHER;
    }
    if (ev->depth == 2 && ev->type == GLM_JSON_EV_KEY)
        r->at2 = r->at1 != IN_MODEL      ? IN_OTHER
                 : is_text(ev, "vocab")  ? IN_VOCAB
                 : is_text(ev, "merges") ? IN_MERGES
                                         : IN_OTHER;
    if (r->at1 == IN_ADDED)
        return on_added(r, ev, err);
    if (r->at2 == IN_VOCAB)
        return on_vocab(r, ev, err);
    if (r->at2 == IN_MERGES)
        on_merge(r, ev);
    return GLM_OK;
}

/* ---- Keys ---- */

static glm_status put_tokens(glm_gguf_head *head, const reader *r, glm_error *err)
{
    glm_str tokens = {0}, types = {0};
    for (uint32_t id = 0; id < r->n_vocab; id++) {
        const token *t = &r->token[id];
        char pad[32];
        glm_text text = {t->text, t->length};
        if (!t->text) {
            snprintf(pad, sizeof pad, "[PAD%u]", id);
            text = glm_text_c(pad);
        }
        int32_t type = t->text ? t->type : TYPE_UNUSED;
        glm_gguf_append_string(&tokens, text);
        glm_str_append(&types, (const char *)&type, sizeof type);
    }
    glm_gguf_put_array(head, "tokenizer.ggml.tokens", GLM_GGUF_STRING, r->n_vocab,
                       glm_str_text(&tokens));
    glm_gguf_put_array(head, "tokenizer.ggml.token_type", GLM_GGUF_I32, r->n_vocab,
                       glm_str_text(&types));
    glm_gguf_put_array(head, "tokenizer.ggml.merges", GLM_GGUF_STRING, r->n_merges,
                       glm_str_text(&r->merges));
    bool is_short = tokens.has_failed || types.has_failed || r->merges.has_failed ||
                    r->key.has_failed || r->left.has_failed || r->added.content.has_failed ||
                    r->added.key.has_failed;
    glm_str_deinit(&tokens);
    glm_str_deinit(&types);
    return is_short ? glm_fail(err, GLM_ENOMEM, "tokenizer.json") : GLM_OK;
}

/* The roles llama.cpp's converter gives to GLM's tokens (conversion/base.py, _set_vocab_glm). */
static void put_special(glm_gguf_head *head, const reader *r, int32_t eos)
{
    static const struct {
        const char *text, *key;
    } roles[] = {
        {"[gMASK]", "tokenizer.ggml.bos_token_id"},
        {"<|endoftext|>", "tokenizer.ggml.unknown_token_id"},
        {"<|endoftext|>", "tokenizer.ggml.padding_token_id"},
        {"<|user|>", "tokenizer.ggml.eot_token_id"},
        {"<|observation|>", "tokenizer.ggml.eom_token_id"},
    };
    if (eos >= 0)
        glm_gguf_put_u32(head, "tokenizer.ggml.eos_token_id", (uint32_t)eos);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        for (uint32_t id = 0; id < r->n_vocab; id++) {
            const token *t = &r->token[id];
            if (!t->text || t->type == TYPE_NORMAL || t->length != strlen(roles[i].text) ||
                memcmp(t->text, roles[i].text, t->length) != 0)
                continue;
            glm_gguf_put_u32(head, roles[i].key, id);
            break;
        }
}

/* chat_template.jinja, or the member of tokenizer_config.json; either may be missing. */
static glm_status put_template(glm_gguf_head *head, const glm_tensor_file *file, glm_error *err)
{
    char *text = NULL;
    size_t size = 0;
    glm_status st = glm_tensor_file_read_side(file, "chat_template.jinja", TEMPLATE_BYTES_MAX,
                                              &text, &size, err);
    if (st == GLM_OK)
        glm_gguf_put_string(head, "tokenizer.chat_template", (glm_text){text, size});
    free(text);
    if (st != GLM_ENOENT)
        return st;
    text = NULL;
    st = glm_tensor_file_read_side(file, "tokenizer_config.json", TEMPLATE_BYTES_MAX, &text, &size,
                                   err);
    if (st != GLM_OK)
        return st == GLM_ENOENT ? GLM_OK : st;
    glm_arena arena;
    glm_arena_init(&arena, TREE_BYTES_MAX);
    const glm_json *root;
    st = glm_json_read(&root, &arena, text, size, JSON_DEPTH_MAX, err);
    if (st == GLM_OK) {
        const glm_json *template = glm_json_get(root, "chat_template");
        if (template && template->type == GLM_JSON_STRING)
            glm_gguf_put_string(head, "tokenizer.chat_template",
                                (glm_text){template->text, template->length});
    } else {
        st = glm_fail_context(err, st, "tokenizer_config.json");
    }
    glm_arena_deinit(&arena);
    free(text);
    return st;
}

static glm_status read_and_put(glm_gguf_head *head, const glm_tensor_file *file, reader *r,
                               const char *json, size_t size, int32_t eos, glm_error *err)
{
    r->token = glm_new_array(token, r->n_vocab);
    if (!r->token)
        return glm_fail(err, GLM_ENOMEM, "tokenizer.json");
    glm_status st = glm_json_parse(json, size, JSON_DEPTH_MAX, on_event, r, err);
    if (st != GLM_OK)
        return glm_fail_context(err, st, "tokenizer.json");
    glm_gguf_put_string(head, "tokenizer.ggml.model", glm_text_c("gpt2"));
    glm_gguf_put_string(head, "tokenizer.ggml.pre", glm_text_c("glm4"));
    st = put_tokens(head, r, err);
    if (st != GLM_OK)
        return st;
    put_special(head, r, eos);
    return put_template(head, file, err);
}

glm_status glm_vocab_put(glm_gguf_head *head, const glm_tensor_file *file, uint32_t n_vocab,
                         int32_t eos, bool *has_tokenizer, glm_error *err)
{
    char *json = NULL;
    size_t size = 0;
    *has_tokenizer = false;
    glm_status st =
        glm_tensor_file_read_side(file, "tokenizer.json", TOKENIZER_BYTES_MAX, &json, &size, err);
    if (st != GLM_OK)
        return st == GLM_ENOENT ? GLM_OK : st;
    reader r = {.n_vocab = n_vocab};
    glm_arena_init(&r.arena, 4 * TOKENIZER_BYTES_MAX);
    st = read_and_put(head, file, &r, json, size, eos, err);
    *has_tokenizer = st == GLM_OK;
    glm_arena_deinit(&r.arena);
    glm_str_deinit(&r.merges);
    glm_str_deinit(&r.key);
    glm_str_deinit(&r.left);
    glm_str_deinit(&r.added.content);
    glm_str_deinit(&r.added.key);
    free(r.token);
    free(json);
    return st;
}
