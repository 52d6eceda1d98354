// SPDX-License-Identifier: MIT
#include "tokenizer/build.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tokenizer/byte_level.h"

#define ID_SLACK 1024 /* an id may be at most twice the number of tokens and this */

glm_status glm_build_init(struct glm_build *b, glm_error *err)
{
    memset(b, 0, sizeof *b);
    b->tok = glm_new(glm_tokenizer);
    if (!b->tok)
        return glm_fail(err, GLM_ENOMEM, "tokenizer");
    memset(b->tok->vocab.byte_id, 0xFF, sizeof b->tok->vocab.byte_id);
    return GLM_OK;
}

void glm_build_deinit(struct glm_build *b)
{
    glm_tok_destroy(b->tok);
    free(b->tokens.token);
    free(b->added.token);
    free(b->bytes.data);
    free(b->merge);
    free(b->merge_bytes.data);
    memset(b, 0, sizeof *b);
}

/** Make room for `more` items behind the n that *list has. */
static glm_status grow(void **list, size_t *capacity, size_t n, size_t more, size_t item_bytes,
                       glm_error *err)
{
    if (more <= *capacity - n)
        return GLM_OK;
    size_t want = glm_add_size(n, more);
    size_t capacity_new = glm_mul_size(*capacity, 2);
    if (capacity_new < want)
        capacity_new = want;
    if (capacity_new < 1024)
        capacity_new = 1024;
    size_t bytes = glm_mul_size(capacity_new, item_bytes);
    void *moved = bytes >= PTRDIFF_MAX ? NULL : realloc(*list, bytes);
    if (!moved)
        return glm_fail(err, GLM_ENOMEM, "%zu bytes of tokenizer tables", bytes);
    *list = moved;
    *capacity = capacity_new;
    return GLM_OK;
}

/** Room for `size` bytes at the end of *bytes. */
static glm_status grow_bytes(struct glm_build_bytes *bytes, size_t size, glm_error *err)
{
    if (glm_add_size(bytes->size, size) > UINT32_MAX)
        return glm_fail(err, GLM_ELIMIT, "vocabulary: expected at most 4 GiB of tokens");
    void *data = bytes->data;
    glm_status st = grow(&data, &bytes->capacity, bytes->size, size, 1, err);
    bytes->data = data;
    return st;
}

static glm_status append(struct glm_build_list *list, const struct glm_build_token *token,
                         glm_error *err)
{
    void *items = list->token;
    glm_status st = grow(&items, &list->capacity, list->n, 1, sizeof *token, err);
    list->token = items;
    if (st == GLM_OK)
        list->token[list->n++] = *token;
    return st;
}

static glm_status check_token(uint64_t id, size_t size, const char *what, glm_error *err)
{
    if (id > GLM_BPE_ID_MAX)
        return glm_fail(err, GLM_ELIMIT, "%s: id: expected at most %u, got %llu", what,
                        GLM_BPE_ID_MAX, (unsigned long long)id);
    if (size == 0)
        return glm_fail(err, GLM_EFORMAT, "%s: token %u is empty", what, (unsigned)id);
    if (size > GLM_TOKEN_BYTES_MAX)
        return glm_fail(err, GLM_ELIMIT, "%s: token %u: expected at most %d bytes, got %zu", what,
                        (unsigned)id, GLM_TOKEN_BYTES_MAX, size);
    return GLM_OK;
}

glm_status glm_build_token(struct glm_build *b, uint64_t id, const char *text, size_t size,
                           enum glm_build_spelling spelling, glm_error *err)
{
    glm_status st = check_token(id, size, "vocabulary", err);
    if (st == GLM_OK)
        st = grow_bytes(&b->bytes, size, err);
    if (st != GLM_OK)
        return st;
    uint8_t *out = b->bytes.data + b->bytes.size;
    size_t n = SIZE_MAX;
    if (spelling == GLM_SPELLED_AS_LETTERS)
        n = glm_byte_level_decode(text, size, out);
    bool is_matched = n != SIZE_MAX;
    if (!is_matched) {
        memcpy(out, text, size);
        n = size;
    }
    struct glm_build_token token = {.id = (int32_t)id,
                                    .offset = (uint32_t)b->bytes.size,
                                    .size = (uint16_t)n,
                                    .is_matched = is_matched};
    b->bytes.size += n;
    return append(&b->tokens, &token, err);
}

glm_status glm_build_added(struct glm_build *b, uint64_t id, const char *text, size_t size,
                           bool is_special, glm_error *err)
{
    glm_status st = check_token(id, size, "added tokens", err);
    if (st == GLM_OK)
        st = grow_bytes(&b->bytes, size, err);
    if (st != GLM_OK)
        return st;
    memcpy(b->bytes.data + b->bytes.size, text, size);
    struct glm_build_token token = {.id = (int32_t)id,
                                    .offset = (uint32_t)b->bytes.size,
                                    .size = (uint16_t)size,
                                    .is_special = is_special};
    b->bytes.size += size;
    return append(&b->added, &token, err);
}

glm_status glm_build_merge(struct glm_build *b, const char *left, size_t left_size,
                           const char *right, size_t right_size, glm_error *err)
{
    size_t at = b->n_merge;
    if (at >= GLM_BPE_MERGES_MAX)
        return glm_fail(err, GLM_ELIMIT, "merges: expected at most %u", GLM_BPE_MERGES_MAX);
    if (left_size > GLM_TOKEN_BYTES_MAX || right_size > GLM_TOKEN_BYTES_MAX)
        return glm_fail(err, GLM_ELIMIT, "merges: %zu: expected at most %d bytes a side", at,
                        GLM_TOKEN_BYTES_MAX);
    if (left_size == 0 || right_size == 0)
        return glm_fail(err, GLM_EFORMAT, "merges: %zu: expected two tokens, got an empty one", at);
    glm_status st = grow_bytes(&b->merge_bytes, left_size + right_size, err);
    if (st != GLM_OK)
        return st;
    uint8_t *out = b->merge_bytes.data + b->merge_bytes.size;
    size_t n_left = glm_byte_level_decode(left, left_size, out);
    size_t n_right =
        n_left == SIZE_MAX ? SIZE_MAX : glm_byte_level_decode(right, right_size, out + n_left);
    if (n_right == SIZE_MAX)
        return glm_fail(err, GLM_EFORMAT, "merges: %zu: expected two tokens in byte-level letters",
                        at);
    b->merge_bytes.size += n_left + n_right;
    void *items = b->merge;
    st = grow(&items, &b->merge_capacity, at, 1, sizeof *b->merge, err);
    b->merge = items;
    if (st == GLM_OK)
        b->merge[b->n_merge++] = (struct glm_build_merge){(uint16_t)n_left, (uint16_t)n_right};
    return st;
}

glm_status glm_build_merge_text(struct glm_build *b, const char *text, size_t size, glm_error *err)
{
    const char *blank = size ? memchr(text, ' ', size) : NULL;
    if (!blank)
        return glm_fail(err, GLM_EFORMAT, "merges: %zu: expected two tokens with a blank between",
                        b->n_merge);
    size_t left_size = (size_t)(blank - text);
    return glm_build_merge(b, text, left_size, blank + 1, size - left_size - 1, err);
}

/* ---- Making the tables ---- */

/**
 * Look-ups miss the caches: they are done a batch at a time, every step of a batch fetching what the next
 * one reads.
 */
#define BATCH 16

/** Give the vocabulary entries for every id of `list`; tokens counts all there are. */
static glm_status grow_entries(struct glm_vocab *vocab, const struct glm_build_list *list,
                               size_t n_token, glm_error *err)
{
    size_t n_id = vocab->n_id;
    for (size_t i = 0; i < list->n; i++)
        if ((size_t)list->token[i].id >= n_id)
            n_id = (size_t)list->token[i].id + 1;
    if (n_id > 2 * n_token + ID_SLACK)
        return glm_fail(err, GLM_EFORMAT, "ids: expected at most %zu for %zu tokens, got %zu",
                        2 * n_token + ID_SLACK - 1, n_token, n_id - 1);
    struct glm_vocab_entry *entry = realloc(vocab->entry, (n_id + 1) * sizeof *entry);
    if (!entry)
        return glm_fail(err, GLM_ENOMEM, "%zu tokens", n_id);
    memset(entry + vocab->n_id, 0, (n_id + 1 - vocab->n_id) * sizeof *entry);
    vocab->entry = entry;
    vocab->n_id = n_id;
    return GLM_OK;
}

static glm_status finish_vocab(struct glm_build *b, glm_error *err)
{
    struct glm_vocab *vocab = &b->tok->vocab;
    const struct glm_build_token *token = b->tokens.token;
    size_t n = b->tokens.n;
    vocab->bytes = b->bytes.data;
    vocab->n_byte = b->bytes.size;
    b->bytes = (struct glm_build_bytes){0};
    glm_status st = grow_entries(vocab, &b->tokens, n, err);
    if (st == GLM_OK)
        st = glm_vocab_reserve(vocab, n, err);
    for (size_t i = 0; st == GLM_OK && i < n; i++, token++) {
        if (i + BATCH < n)
            glm_vocab_prefetch(vocab, vocab->bytes + token[BATCH].offset, token[BATCH].size);
        struct glm_vocab_entry *entry = &vocab->entry[token->id];
        if (entry->size)
            return glm_fail(err, GLM_EFORMAT, "vocabulary: two tokens have id %d", (int)token->id);
        *entry = (struct glm_vocab_entry){
            .offset = token->offset, .size = token->size, .is_matched = token->is_matched};
        if (token->is_matched)
            st = glm_vocab_enter(vocab, token->id, err);
    }
    b->tok->n_token = n;
    for (int byte = 0; st == GLM_OK && byte < 256; byte++)
        if (vocab->byte_id[byte] < 0)
            return glm_fail(
                err, GLM_EUNSUPP,
                "vocabulary: expected a token for every single byte, got none for 0x%02X", byte);
    return st;
}

/**
 * The token with these bytes, or -1. Merge lists follow the order of the tokens they make, so the one made
 * last and the one after it are tried first.
 */
static int32_t find_joined(const struct glm_vocab *vocab, int32_t last, const uint8_t *bytes,
                           size_t size)
{
    for (size_t id = (size_t)last; id <= (size_t)last + 1 && id < vocab->n_id; id++)
        if (vocab->entry[id].is_matched && vocab->entry[id].size == size &&
            memcmp(vocab->bytes + vocab->entry[id].offset, bytes, size) == 0)
            return (int32_t)id;
    return glm_vocab_find(vocab, bytes, size);
}

/** Find the tokens of merges [first, first + n), whose bytes start at `bytes`, and enter them; n <= BATCH. */
static glm_status enter_merges(struct glm_build *b, size_t first, size_t n, const uint8_t *bytes,
                               int32_t *last, glm_error *err)
{
    const struct glm_vocab *vocab = &b->tok->vocab;
    struct glm_merge_table *table = &b->tok->merges;
    int32_t left[BATCH], right[BATCH], joined[BATCH];
    const uint8_t *at = bytes;
    for (size_t i = 0; i < n; i++) {
        struct glm_build_merge sides = b->merge[first + i];
        glm_vocab_prefetch(vocab, at, sides.left);
        glm_vocab_prefetch(vocab, at + sides.left, sides.right);
        at += sides.left + sides.right;
    }
    at = bytes;
    for (size_t i = 0; i < n; i++) {
        struct glm_build_merge sides = b->merge[first + i];
        left[i] = glm_vocab_find(vocab, at, sides.left);
        right[i] = glm_vocab_find(vocab, at + sides.left, sides.right);
        joined[i] = find_joined(vocab, *last, at, (size_t)sides.left + sides.right);
        if (left[i] < 0 || right[i] < 0 || joined[i] < 0)
            return glm_fail(err, GLM_EFORMAT, "merges: %zu: %s is not in the vocabulary", first + i,
                            left[i] < 0    ? "the left side"
                            : right[i] < 0 ? "the right side"
                                           : "the token it makes");
        glm_merge_table_prefetch(table, left[i], right[i]);
        *last = joined[i];
        at += sides.left + sides.right;
    }
    glm_status st = GLM_OK;
    for (size_t i = 0; st == GLM_OK && i < n; i++)
        st = glm_merge_table_enter(table, (uint32_t)(first + i), left[i], right[i], joined[i], err);
    return st;
}

static glm_status finish_merges(struct glm_build *b, glm_error *err)
{
    int32_t last = 0;
    const uint8_t *bytes = b->merge_bytes.data;
    glm_status st = glm_merge_table_init(&b->tok->merges, b->n_merge, err);
    for (size_t first = 0; st == GLM_OK && first < b->n_merge; first += BATCH) {
        size_t n = b->n_merge - first < BATCH ? b->n_merge - first : BATCH;
        st = enter_merges(b, first, n, bytes, &last, err);
        for (size_t i = first; i < first + n; i++)
            bytes += b->merge[i].left + b->merge[i].right;
    }
    if (st == GLM_OK)
        st = glm_merge_table_finish(&b->tok->merges, b->tok->vocab.byte_id, err);
    return st;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = ((const struct glm_build_token *)a)->id;
    int32_t y = ((const struct glm_build_token *)b)->id;
    return x < y ? -1 : x > y;
}

static glm_status finish_added(struct glm_build *b, glm_error *err)
{
    struct glm_vocab *vocab = &b->tok->vocab;
    size_t n_byte = 0;
    if (b->added.n == 0)
        return GLM_OK;
    qsort(b->added.token, b->added.n, sizeof *b->added.token, compare_ids);
    for (size_t i = 0; i < b->added.n; i++)
        n_byte += b->added.token[i].size;
    glm_status st = grow_entries(vocab, &b->added, b->tok->n_token + b->added.n, err);
    if (st == GLM_OK)
        st = glm_added_init(&b->tok->added, b->added.n, n_byte, err);
    for (size_t i = 0; st == GLM_OK && i < b->added.n; i++) {
        const struct glm_build_token *token = &b->added.token[i];
        struct glm_vocab_entry *entry = &vocab->entry[token->id];
        const uint8_t *text = vocab->bytes + token->offset;
        if (entry->is_added)
            return glm_fail(err, GLM_EFORMAT, "added tokens: two have id %d", (int)token->id);
        if (!entry->size) {
            entry->offset = token->offset;
            entry->size = token->size;
            b->tok->n_token++;
        } else if (entry->size != token->size ||
                   memcmp(vocab->bytes + entry->offset, text, token->size) != 0) {
            return glm_fail(err, GLM_EFORMAT,
                            "added tokens: id %d has another text in the vocabulary",
                            (int)token->id);
        }
        entry->is_added = true;
        entry->is_special = token->is_special;
        st = glm_added_enter(&b->tok->added, token->id, text, token->size, err);
    }
    return st;
}

glm_status glm_build_finish(struct glm_build *b, glm_tokenizer **out, glm_error *err)
{
    glm_status st = finish_vocab(b, err);
    if (st == GLM_OK)
        st = finish_merges(b, err);
    if (st == GLM_OK)
        st = finish_added(b, err);
    if (st != GLM_OK)
        return st;
    struct glm_vocab *vocab = &b->tok->vocab;
    uint8_t *bytes = realloc(vocab->bytes, vocab->n_byte);
    if (bytes)
        vocab->bytes = bytes;
    *out = b->tok;
    b->tok = NULL;
    return GLM_OK;
}
