// SPDX-License-Identifier: MIT
/*
 * Text to token ids and back. A glm_tokenizer is read-only once opened: any number of threads may use one.
 * A glm_detok turns one stream of ids into text.
 *
 *     glm_tokenizer *tokenizer;   glm_error err;
 *     if (glm_tokenizer_open(&tokenizer, "models/nano", false, &err)) ...    or glm_model_tokenizer(model)
 *     int32_t *ids;   size_t n;
 *     if (glm_tokenizer_encode(&ids, &n, tokenizer, text, size, 0, &err)) ...
 *     free(ids);
 *
 * Text is any bytes, zero bytes and broken UTF-8 included; the bytes of the ids joined are the text again.
 * Nothing is added before or after it: what a prompt begins with is the chat format's business (glm/chat.h).
 */
#ifndef GLM_TOKENIZER_H
#define GLM_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glm_tokenizer glm_tokenizer;

/**
 * Open a tokenizer alone: a folder with tokenizer.json (nothing else is needed), a file called *.json, or a GGUF
 * (the first part of a split one), of which only metadata is read.
 *
 * @param follow_links  follow symbolic links in the folder other than a Hugging Face cache's
 * Errors: GLM_ENOENT, GLM_EIO, GLM_ENOMEM, GLM_EFORMAT (damaged), GLM_EUNSUPP (another kind of tokenizer; the text
 * names the key), GLM_ELIMIT. The caller owns *out.
 */
GLM_API GLM_MUST_CHECK glm_status glm_tokenizer_open(glm_tokenizer **out, const char *path,
                                                     bool follow_links, glm_error *err);

/** Close a tokenizer from glm_tokenizer_open (NULL is fine); never one that belongs to a model. */
GLM_API void glm_tokenizer_close(glm_tokenizer *tokenizer);

/* ---- Encoding and decoding ---- */

enum {
    GLM_TOKENIZER_PLAIN = 1 << 0,        /* encode: spellings of added tokens are ordinary text */
    GLM_TOKENIZER_SKIP_SPECIAL = 1 << 1, /* decode: special added tokens give no text */
};

/**
 * Encode `size` bytes at `text`: added tokens first, leftmost-longest (unless flags say plain), then GLM's split
 * pattern and byte-pair encoding. Time is linear in size. *ids is [*n], never NULL; the caller frees it with
 * free().
 *
 * Errors: GLM_ENOMEM; GLM_ELIMIT for texts of 2 GiB and more.
 */
GLM_API GLM_MUST_CHECK glm_status glm_tokenizer_encode(int32_t **ids, size_t *n,
                                                       const glm_tokenizer *tokenizer,
                                                       const char *text, size_t size,
                                                       unsigned flags, glm_error *err);

/**
 * Decode n ids to bytes, added tokens as their text. *text is terminated by a zero byte that *size does not
 * count; the caller frees it with free(). The bytes need not be UTF-8: tokens may hold parts of characters.
 *
 * Errors: GLM_EARG names an id that is no token; GLM_ENOMEM; GLM_ELIMIT.
 */
GLM_API GLM_MUST_CHECK glm_status glm_tokenizer_decode(char **text, size_t *size,
                                                       const glm_tokenizer *tokenizer,
                                                       const int32_t *ids, size_t n, unsigned flags,
                                                       glm_error *err);

/* ---- Tokens ---- */

/** One more than the highest id. A model may have more rows: they stand for no text. */
GLM_API size_t glm_tokenizer_n_ids(const glm_tokenizer *tokenizer);

/** True when `id` is a token; any number may be asked for. */
GLM_API bool glm_tokenizer_is_token(const glm_tokenizer *tokenizer, int32_t id);

/** True for added tokens: those matched in text before anything else. */
GLM_API bool glm_tokenizer_is_added(const glm_tokenizer *tokenizer, int32_t id);

/** True for the added tokens that the file calls special: roles and framing, not text. */
GLM_API bool glm_tokenizer_is_special(const glm_tokenizer *tokenizer, int32_t id);

/** The bytes of a token, borrowed, not terminated; NULL and *size 0 when `id` is none. */
GLM_API const char *glm_tokenizer_bytes(const glm_tokenizer *tokenizer, int32_t id, size_t *size);

/** The added token with exactly this text, else the ordinary token with exactly these bytes, else -1. */
GLM_API int32_t glm_tokenizer_find(const glm_tokenizer *tokenizer, const char *text, size_t size);

/* ---- Streaming ---- */

/**
 * From ids to text as they come. Tokens may end inside a UTF-8 character; an unfinished character is held
 * back until the next token completes it or shows that it never will be. Nothing is lost, replaced or added: the
 * chunks joined, with what finish gives, are the bytes of the tokens joined. A chunk never ends inside a
 * character that could still be completed.
 *
 *     glm_detok *detok;
 *     if (glm_detok_create(&detok, tokenizer, false, &err)) ...
 *     for each id: chunk = glm_detok_push(detok, id, &size); fwrite(chunk, 1, size, stdout);
 *     chunk = glm_detok_finish(detok, &size); ...
 *     glm_detok_destroy(detok);
 */
typedef struct glm_detok glm_detok;

/**
 * A detokenizer for `tokenizer`, which must outlive it. The caller owns *out. Error: GLM_ENOMEM.
 *
 * @param skip_special  special added tokens give no text
 */
GLM_API GLM_MUST_CHECK glm_status glm_detok_create(glm_detok **out, const glm_tokenizer *tokenizer,
                                                   bool skip_special, glm_error *err);
/** Free a detokenizer; NULL is fine. What it still holds back is lost. */
GLM_API void glm_detok_destroy(glm_detok *detok);

/**
 * Take one id and return the bytes that became ready, borrowed until the next call; *size may be 0. An id that
 * is no token gives nothing. Allocates nothing.
 */
GLM_API const char *glm_detok_push(glm_detok *detok, int32_t id, size_t *size);

/** The bytes of an unfinished character at the end (0..3); the detokenizer is then as new. */
GLM_API const char *glm_detok_finish(glm_detok *detok, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
