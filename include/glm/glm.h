// SPDX-License-Identifier: MIT
/*
 * libglm: open a GLM-5.2-architecture model, keep sequences, run steps over batches of them.
 *
 * Three objects. A glm_model is the weights, the configuration and the tokenizer: read-only, shared. A
 * glm_engine runs it: threads, the pool of KV pages, scratch memory. A glm_session is one sequence in an
 * engine. An engine and its sessions belong to one caller at a time (lock around them, or use one thread);
 * different engines on one model may run in parallel.
 *
 *     glm_model *model;   glm_engine *engine;   glm_session *session;   glm_error err;
 *     glm_model_params mp = glm_model_params_default();
 *     if (glm_model_open(&model, "models/nano", &mp, &err)) ...
 *     glm_engine_params ep = glm_engine_params_default();
 *     if (glm_engine_create(&engine, model, &ep, &err)) ...
 *     if (glm_session_open(&session, engine, &err)) ...
 *     glm_step_item item = {.session = session, .tokens = ids, .n_tokens = n,
 *                           .rows = GLM_ROWS_LAST, .logits = logits};
 *     if (glm_step(engine, &item, 1, &err)) ...
 *
 * The logits of a sequence do not depend on threads, on how its tokens were cut into steps, on what else
 * was in the batch, nor on whether its prefix was computed, forked or rolled back (docs/numerics.md).
 */
#ifndef GLM_GLM_H
#define GLM_GLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glm_model glm_model;
typedef struct glm_engine glm_engine;
typedef struct glm_session glm_session;
typedef struct glm_tokenizer glm_tokenizer; /* glm/tokenizer.h */

/* ------------------------------------------------------------------------------------- model -- */

typedef enum glm_load_mode {
    GLM_LOAD_MAP, /* weights stay in the page cache, mapped read-only */
    GLM_LOAD_READ, /* weights are read into anonymous memory (large pages where the kernel gives them) */
} glm_load_mode;

/** Told now and then while something long runs; returning false stops it (GLM_ECANCELED). */
typedef bool glm_progress_fn(void *ctx, const char *what, uint64_t done, uint64_t total);

typedef struct glm_model_params {
    glm_load_mode load;
    bool follow_links; /* follow symbolic links other than those of a Hugging Face cache */
    double latent_eps; /* epsilon of the two latent norms (q_a, kv_a); 0: 1e-5 */
    /* Override the schedule of indexers: a string of F (full) and S (shared), one a layer; NULL: the model's. */
    const char *indexer_types;
    glm_progress_fn *progress; /* may be NULL */
    void *progress_ctx;
} glm_model_params;

/** Mapped weights, no links followed but a Hugging Face cache's, no progress. */
GLM_API glm_model_params glm_model_params_default(void);

/**
 * Open a model: a Hugging Face folder, a .gguf file, or the first part of a split GGUF. Directories,
 * headers, configuration and tokenizer are read and checked, every tensor is bound by name and shape; no
 * weight byte is touched (unless params->load says to read them).
 *
 * Errors: GLM_ENOENT, GLM_EIO, GLM_EFORMAT, GLM_EUNSUPP, GLM_ELIMIT, GLM_ENOMEM. The text names file,
 * tensor or key, what was expected and what was found. The caller owns *out.
 */
GLM_API GLM_MUST_CHECK glm_status glm_model_open(glm_model **out, const char *path,
                                                 const glm_model_params *params, glm_error *err);

/** Close a model (NULL is fine). All its engines must be gone. */
GLM_API void glm_model_close(glm_model *model);

/** The model's tokenizer, borrowed; NULL when the package has none. */
GLM_API const glm_tokenizer *glm_model_tokenizer(const glm_model *model);

/** What a model is. Strings are borrowed from the model. Counts not used by an architecture are 0. */
typedef struct glm_model_info {
    const char *architecture; /* "glm_moe_dsa" or "glm4_moe_lite" */
    const char *format;       /* "safetensors" or "gguf" */
    const char *name;         /* general.name or the folder's name */
    uint32_t n_layer;         /* without the MTP block */
    uint32_t n_mtp_layer;
    uint32_t n_dense_layer; /* leading layers with a dense MLP */
    uint32_t d_model;
    uint32_t n_vocab; /* rows of the embedding */
    uint32_t n_token; /* ids the tokenizer knows; the rest is never sampled */
    uint32_t n_ctx_max;
    uint32_t n_heads, q_rank, kv_rank, d_nope, d_rope, d_v;
    uint32_t d_ff, d_expert, n_expert, n_expert_used, n_expert_shared, n_group, n_group_used;
    float routed_scale;
    uint32_t index_n_heads, index_d_head, index_topk;
    const char *indexer_types; /* "FFFSSSF...", one letter a layer; "" without an indexer */
    double rope_theta;
    float rms_eps, latent_eps;
    uint64_t n_params;        /* elements of all bound tensors */
    uint64_t n_params_active; /* of those, read per token without MTP; one row of the embedding */
    uint64_t n_params_mtp;
    uint64_t size_bytes; /* of all tensors of the package */
    uint32_t n_tensors;
    uint32_t n_files;
    uint64_t kv_bytes_per_token[4]; /* by glm_kv_type; index keys in f32 beside f32, else in q8 */
    int32_t eos_ids[16];            /* end tokens */
    uint32_t n_eos;
    double temperature, top_p, min_p; /* generation_config; 1, 1 and 0 when absent */
    uint32_t top_k;                   /* 0: off */
} glm_model_info;

/** Fill *out; never fails. */
GLM_API void glm_model_get_info(const glm_model *model, glm_model_info *out);

/** One tensor of the package, in directory order. Strings are borrowed from the model. */
typedef struct glm_tensor_desc {
    const char *name;
    const char *type; /* "BF16", "F8_E4M3", "Q4_K", ... */
    /* "embedding", "attention", "indexer", "dense", "router", "experts", "shared expert", "norm", "head", "mtp",
     * "scale" or "ignored" */
    const char *class_name;
    uint32_t n_dims;
    uint64_t dim[4]; /* slowest first */
    uint64_t size_bytes;
    uint32_t file;   /* index into the package's files */
    uint64_t offset; /* in that file */
} glm_tensor_desc;

/** Describe tensor `index` (0..n_tensors-1); false when there is none. */
GLM_API bool glm_model_tensor(const glm_model *model, uint32_t index, glm_tensor_desc *out);

/**
 * Bytes of the package's files that are in this process's memory now, and of those the bytes in large pages (2 MiB on most
 * machines), which are read faster. Both 0 where the system does not tell.
 */
GLM_API void glm_model_residency(const glm_model *model, uint64_t *resident_bytes,
                                 uint64_t *large_page_bytes);

/** A fact worth telling about the package (an ignored file or tensor, a changed template); NULL at the end. */
GLM_API const char *glm_model_note(const glm_model *model, uint32_t index);

/**
 * The short identity: hex digest over directory, configuration, tokenizer, all one-dimensional tensors and
 * sampled bytes of every layer. Under a second on any size; differs for a fine-tune of the same model.
 */
GLM_API GLM_MUST_CHECK glm_status glm_model_id(const glm_model *model, char out[65],
                                               glm_error *err);

/**
 * Read every byte: hex digest over all of it in `content`, and refuse NaN and infinities in weights
 * (GLM_EFORMAT names tensor and element).
 */
GLM_API GLM_MUST_CHECK glm_status glm_model_verify(const glm_model *model, char content[65],
                                                   glm_progress_fn *progress, void *ctx,
                                                   glm_error *err);

/* ------------------------------------------------------------------------------------ engine -- */

typedef enum glm_precision {
    GLM_PRECISION_EXACT, /* weights dequantised exactly, float32 activations, f32 cache */
    GLM_PRECISION_FAST,  /* f16 cache; integer kernels where they exist */
} glm_precision;

typedef enum glm_kv_type {
    GLM_KV_F32,
    GLM_KV_F16,
    GLM_KV_BF16,
    GLM_KV_Q8,
    GLM_KV_AUTO, /* f32 in exact precision; in fast f16 for rows of the cache, q8 for index keys */
} glm_kv_type;

typedef struct glm_engine_params {
    uint32_t n_threads;  /* 0: physical cores this process may use */
    uint32_t n_ctx;      /* tokens a session may hold; 0: the model's, as far as memory allows */
    uint32_t n_sessions; /* sequences the KV pool is sized for; 0: 1 */
    uint32_t chunk;      /* tokens of one sequence worked on at once in a step; 0: 512 */
    glm_precision precision;
    glm_kv_type kv_type;    /* of the attention's cache rows */
    glm_kv_type index_type; /* of the indexer's keys */
    uint64_t memory_bytes; /* ceiling on anonymous and pinned memory; 0: 7/8 of what is available */
    const char *isa;       /* "scalar", "avx2", ...: only lowers; NULL: the best */
} glm_engine_params;

/** Every number 0 (chosen by the engine), fast precision, cache types by precision. */
GLM_API glm_engine_params glm_engine_params_default(void);

/**
 * Make an engine for `model`, which must outlive it. Memory is planned first and refused as a whole
 * (GLM_ELIMIT says what each part needs); KV pages are taken when they are first written.
 */
GLM_API GLM_MUST_CHECK glm_status glm_engine_create(glm_engine **out, glm_model *model,
                                                    const glm_engine_params *params,
                                                    glm_error *err);
/** Stop its threads and free it (NULL is fine). All its sessions must be closed. */
GLM_API void glm_engine_destroy(glm_engine *engine);

/** What an engine runs with, after defaults and limits. */
typedef struct glm_engine_info {
    uint32_t n_threads, n_ctx, n_sessions, chunk;
    glm_precision precision;
    glm_kv_type kv_type, index_type;
    const char *isa;
    bool ctx_was_limited;  /* n_ctx is below the model's because of memory */
    uint64_t memory_bytes; /* planned anonymous memory, all KV pages included */
    uint64_t kv_bytes;     /* of that, KV pages */
} glm_engine_info;
/** Fill *out; never fails. */
GLM_API void glm_engine_get_info(const glm_engine *engine, glm_engine_info *out);

/** Ask the step that runs (from a signal handler or another thread) to stop; it ends with GLM_ECANCELED
 * and the sessions keep what they held before it. Cleared by the next step. */
GLM_API void glm_engine_cancel(glm_engine *engine);

/** Intermediate results of a step, for those who want to see inside. */
typedef struct glm_tap {
    const char *name; /* as the files of `glm score --dump`: "hidden.embed", "selected.3", ... */
    bool is_int;      /* data is int32_t, else float */
    const void *data; /* [n_rows, n_cols] */
    size_t n_rows, n_cols;
    const glm_session *session;
    uint32_t position; /* of the first row in its sequence */
} glm_tap;
typedef void glm_tap_fn(void *ctx, const glm_tap *tap);

/** Call `fn` with every intermediate result of later steps (NULL: stop). Costs time only while set. */
GLM_API void glm_engine_set_tap(glm_engine *engine, glm_tap_fn *fn, void *ctx);

/* ----------------------------------------------------------------------------------- session -- */

/** An empty sequence. GLM_ELIMIT when the pool has no room for another. */
GLM_API GLM_MUST_CHECK glm_status glm_session_open(glm_session **out, glm_engine *engine,
                                                   glm_error *err);
/** Close a session (NULL is fine); pages that no other session shares go back to the pool. */
GLM_API void glm_session_close(glm_session *session);

/** A new session with the first n_tokens of `from`; full pages are shared, the last one is copied. */
GLM_API GLM_MUST_CHECK glm_status glm_session_fork(glm_session **out, const glm_session *from,
                                                   uint32_t n_tokens, glm_error *err);

/** Forget all tokens from position n_tokens on. Longer than the sequence is GLM_EARG. */
GLM_API GLM_MUST_CHECK glm_status glm_session_truncate(glm_session *session, uint32_t n_tokens,
                                                       glm_error *err);

/** Tokens the session holds. */
GLM_API uint32_t glm_session_length(const glm_session *session);

/* -------------------------------------------------------------------------------------- step -- */

typedef enum glm_rows {
    GLM_ROWS_NONE,   /* no output: only fill the cache */
    GLM_ROWS_LAST,   /* of the last token */
    GLM_ROWS_ALL,    /* of every token */
    GLM_ROWS_CHOSEN, /* of the tokens listed in `row` */
} glm_rows;

/** The part of a step that concerns one session. A session occurs once in a step. */
typedef struct glm_step_item {
    glm_session *session;
    const int32_t *tokens; /* [n_tokens], ids 0..n_vocab-1, appended to the session */
    uint32_t n_tokens;     /* at least 1 */
    glm_rows rows;
    const uint32_t *row; /* [n_row] with GLM_ROWS_CHOSEN: indices into tokens, ascending */
    uint32_t n_row;
    float *logits; /* out [rows, n_vocab], or NULL */
    float *hidden; /* out [rows, d_model], states after the final norm, or NULL */
} glm_step_item;

/**
 * Append tokens to the sessions of `items` and compute the outputs asked for. All items are worked on
 * together: each chosen expert's weights are read once for all of them.
 *
 * Errors: GLM_EARG (token out of range, session twice), GLM_ELIMIT (context or pool full), GLM_EIO (a weight
 * page could not be read), GLM_ENUMERIC (a NaN reached the outputs), GLM_ECANCELED. On error every session
 * keeps the length it had; what was written behind it is ignored.
 */
GLM_API GLM_MUST_CHECK glm_status glm_step(glm_engine *engine, const glm_step_item *items,
                                           size_t n_items, glm_error *err);

/** A block of scored rows; see glm_score. Row r predicts token first + r + 1. */
typedef struct glm_score_block {
    size_t first; /* index, in tokens, of the block's first row */
    size_t n_rows;
    const float *logits;   /* [n_rows, n_vocab] */
    const double *logprob; /* [n_rows] natural log-probability of the next token; NaN at the end */
    const int32_t *argmax; /* [n_rows] most probable next token */
} glm_score_block;
typedef glm_status glm_score_fn(void *ctx, const glm_score_block *block, glm_error *err);

/**
 * Append `tokens` to the session and hand out, block by block and in order, logits and the log-probability
 * of each following token. Holds one block of logits at a time, never n_tokens of them.
 *
 * @param chunk  tokens run at once (0: the engine's)
 */
GLM_API GLM_MUST_CHECK glm_status glm_score(glm_session *session, const int32_t *tokens,
                                            size_t n_tokens, uint32_t chunk, glm_score_fn *fn,
                                            void *ctx, glm_error *err);

/* -------------------------------------------------------------------------------------- misc -- */

/** "0.1.0" */
GLM_API const char *glm_version(void);
/** Commit, compiler, flags, ISA levels compiled in and the one this machine runs, libraries: one "key:
 * value" a line. */
GLM_API const char *glm_build_info(void);
/** The best ISA level of this machine that was compiled in: "avx512", "avx2", "neon", "scalar", ... */
GLM_API const char *glm_best_isa(void);

#ifdef __cplusplus
}
#endif
#endif
