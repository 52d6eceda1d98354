// SPDX-License-Identifier: MIT
/*
 * Making quantised files: read a model as it is published (BF16, FP8, F32 safetensors, or a GGUF) and write a GGUF with
 * the tensor names and metadata that llama.cpp's converters use, so that this engine, llama.cpp and its forks load it.
 *
 *     glm_quantize_params params = glm_quantize_params_default();
 *     params.type = "Q4_K_M";
 *     glm_quantize_report report;
 *     if (glm_quantize("GLM-5.2", "glm.gguf", &params, &report, &err)) ...
 *
 * Tensors are streamed: memory holds a few rows a thread, whatever the model's size. The bytes written depend on the
 * input, the parameters and the version only; threads, interruptions and resumed runs leave no trace in them.
 */
#ifndef GLM_QUANTIZE_H
#define GLM_QUANTIZE_H

#include "glm/glm.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Tensors whose name matches get this type. */
typedef struct glm_quantize_rule {
    const char *pattern; /* POSIX extended regular expression, anywhere in the name in the GGUF */
    const char *type;    /* "Q6_K", "BF16", ... */
} glm_quantize_rule;

/** Told a fact worth knowing: a tensor that got another type than asked for, an interrupted run that goes on. */
typedef void glm_note_fn(void *ctx, const char *text);

typedef struct glm_quantize_params {
    const char *type; /* a mixture ("Q4_K_M", "IQ3_XXS", ...) or a float type: glm_quantize_type */
    const glm_quantize_rule *rules; /* [n_rules]; the first that matches a tensor counts */
    size_t n_rules;
    const char *imatrix;   /* file of an importance matrix, or NULL */
    uint64_t split_bytes;  /* begin a new file before one grows beyond this; 0: one file */
    uint32_t n_threads;    /* 0: physical cores this process may use */
    bool allow_requantize; /* accept matrices that were quantised before: quality suffers twice */
    bool dry_run;          /* only work out types and sizes */
    bool follow_links;     /* as in glm_model_params */
    glm_note_fn *note;     /* may be NULL */
    glm_progress_fn *progress; /* may be NULL; done and total are elements */
    void *ctx;                 /* of note and progress */
} glm_quantize_params;

/** Type Q4_K_M, one file, no rules, no importance matrix. */
GLM_API glm_quantize_params glm_quantize_params_default(void);

/** Name and description of mixture or type number `index` that `type` may be; false behind the last. */
GLM_API bool glm_quantize_type(uint32_t index, const char **name, const char **text);

#define GLM_QUANTIZE_GROUPS_MAX 96

/** Tensors of one class and type. */
typedef struct glm_quantize_group {
    const char *class_name; /* as in glm_tensor_desc */
    const char *from, *type;
    uint64_t n_tensors, n_params, size_bytes;
    /* Root of the sum of squared differences over the sum of squares; 0 where copied, NaN in a dry run. */
    double error;
} glm_quantize_group;

typedef struct glm_quantize_report {
    uint64_t in_bytes, out_bytes; /* of tensors; of the files written, heads included */
    uint64_t n_tensors, n_params;
    uint32_t n_files;
    uint64_t n_resumed;    /* tensors taken over from an interrupted run */
    uint64_t n_weighted;   /* matrices that the importance matrix knows */
    uint64_t n_unweighted; /* quantised matrices it does not know */
    uint64_t n_fallback;   /* tensors whose rows did not fit the type */
    glm_quantize_group group[GLM_QUANTIZE_GROUPS_MAX];
    uint32_t n_group;
    char first_file[4096]; /* what to open */
} glm_quantize_report;

/**
 * Read the model at `in` and write it quantised to `out` (".gguf"; with split_bytes a name such as
 * "m-00001-of-00003.gguf" is made of it when more than one file is needed).
 *
 * While it runs the data lie in `out`.partial and what is finished is listed in `out`.resume. The same call takes an
 * interrupted run up again after checking what is there; files get their names when all are complete.
 *
 * Errors: those of glm_model_open for `in`; GLM_EARG (unknown type, bad pattern, a quantised input without
 * allow_requantize), GLM_EUNSUPP (a model that GGUF has no keys for), GLM_EIO (writing: disk full among others),
 * GLM_ENUMERIC (a weight that is no number or does not fit the type), GLM_ECANCELED, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_quantize(const char *in, const char *out,
                                               const glm_quantize_params *params,
                                               glm_quantize_report *report, glm_error *err);

/* ------------------------------------------------------------------------ importance matrix -- */

typedef struct glm_imatrix_params {
    const int32_t *tokens; /* [n_tokens] of a text like those the model will see */
    size_t n_tokens;
    uint32_t window;     /* tokens run as one sequence; 0: the engine's context, at most 4096 */
    const char *dataset; /* what the text is called, for the file's metadata; may be NULL */
    glm_progress_fn *progress; /* may be NULL; done and total are tokens */
    void *ctx;
} glm_imatrix_params;

/** A layer whose experts are known badly. */
typedef struct glm_imatrix_layer {
    uint32_t layer;
    uint32_t n_unseen; /* experts no token went through */
    uint32_t n_rare;   /* experts fewer than 64 tokens went through, those included */
} glm_imatrix_layer;

typedef struct glm_imatrix_report {
    uint64_t n_tokens, n_windows;
    uint32_t n_entries;           /* matrices */
    uint32_t n_expert;            /* a layer */
    glm_imatrix_layer layer[512]; /* those with rare experts, as many as there is room for */
    uint32_t n_layer;
} glm_imatrix_report;

/**
 * Run a text through `engine` and write for each matrix the sum of squares of its inputs, and of routed experts one for
 * each expert with the number of its tokens, to `out`: a GGUF as llama.cpp's llama-imatrix writes it.
 *
 * Experts seen rarely are written as they are; reading fills them up (docs/making-files.md). The MTP block is not run and
 * has no entries. Sessions are opened and closed in turn; the engine needs room for one.
 *
 * Errors: GLM_EARG (no tokens, an id out of range, a window longer than the context), those of glm_step, GLM_EIO,
 * GLM_ENUMERIC, GLM_ECANCELED, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_imatrix_write(glm_engine *engine, const char *out,
                                                    const glm_imatrix_params *params,
                                                    glm_imatrix_report *report, glm_error *err);

/* ---------------------------------------------------------------------------------- receipt -- */

/** What quantising did to a model, measured against the model it was made from. NaN: not measured. */
typedef struct glm_receipt {
    char version[32];         /* of the library that measured */
    char tensors[65];         /* which weights were measured (glm_model_receipt compares) */
    char reference[65];       /* glm_model_id of the model compared with */
    char reference_name[128]; /* and its name */
    char text_sha256[65];     /* digest of the text */
    char text_name[128];
    char precision[8]; /* "exact" or "fast": of the quantised model */
    uint64_t n_tokens; /* of the text */
    uint32_t window;   /* tokens of a sequence */
    uint64_t n_rows;   /* that were compared: all, or those of answers */
    /* Kullback-Leibler divergence from the reference's next-token distribution, nats, over these rows. */
    double kl_mean, kl_p99, kl_max;
    double top1; /* share of rows where both find the same token most probable */
    double perplexity_reference, perplexity;
    /* Share of the reference's experts that were chosen too, over rows and layers; and the same of positions, over rows
     * that see more than they may select. */
    double experts_overlap, selection_overlap;
    uint64_t n_selection_rows;
    uint64_t n_needle, n_tool_calls; /* tasks in the text (glm_receipt_task) */
    double needle_reference, needle; /* share of them each model does; NaN where none was asked */
    double tool_calls_reference, tool_calls;
} glm_receipt;

/** What a sequence asks for. A model does a task when it writes the wanted answer, taking the best token each time. */
typedef enum glm_receipt_task {
    GLM_RECEIPT_TEXT, /* nothing */
    GLM_RECEIPT_NEEDLE,
    GLM_RECEIPT_TOOL_CALL,
} glm_receipt_task;

/** One conversation of a text: only what the model is to say counts. */
typedef struct glm_receipt_sequence {
    uint32_t n_prompt; /* tokens that are given, at least 1 */
    uint32_t n_answer; /* tokens behind them, at least 1: the rows predicting these are compared */
    glm_receipt_task task;
} glm_receipt_sequence;

typedef struct glm_receipt_params {
    const int32_t *tokens; /* [n_tokens], at least 2 */
    size_t n_tokens;
    uint32_t window; /* 0: the shorter context of the two engines, at most 4096 */
    /* NULL: tokens are one text, cut into windows, and all rows count. Else they are these conversations, one behind the
     * other; each has at most `window` tokens. */
    const glm_receipt_sequence *sequences; /* [n_sequences] */
    size_t n_sequences;
    const char *text_sha256; /* for the record; may be NULL */
    const char *text_name;
    glm_progress_fn *progress; /* may be NULL; done and total are tokens */
    void *ctx;
} glm_receipt_params;

/**
 * Run a text through both engines side by side and compare, row by row. Taps of both engines are taken and left unset;
 * each needs room for one session. Engines may differ in precision: a model against itself shows what fast precision does.
 *
 * Errors: GLM_EARG (models of different shapes, too few tokens, a window longer than a context, conversations that are
 * empty, longer than a window or not as long as the tokens), those of glm_step,
 * GLM_ENUMERIC, GLM_ECANCELED, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_receipt_measure(glm_receipt *out, glm_engine *reference,
                                                      glm_engine *quantised,
                                                      const glm_receipt_params *params,
                                                      glm_error *err);

/** As one line of JSON, the form it has in a file. The caller frees *out. Errors: GLM_ENOMEM. */
GLM_API GLM_MUST_CHECK glm_status glm_receipt_json(const glm_receipt *receipt, char **out,
                                                   glm_error *err);

/**
 * Write a receipt into the metadata of the GGUF at `path` (of a split one the first part), in place of any it has. Files of
 * glm_quantize have room for it, and only that room changes; another file is written anew beside itself and replaced.
 *
 * Errors: GLM_ENOENT, GLM_EIO, GLM_EFORMAT when it is no GGUF, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_receipt_write(const glm_receipt *receipt, const char *path,
                                                    glm_error *err);

/**
 * The receipt in a model's metadata.
 *
 * @param is_of_these  whether the weights it was measured on are those of this model
 * Errors: GLM_ENOENT when there is none; GLM_EFORMAT, GLM_EUNSUPP, GLM_ELIMIT when it cannot be read; GLM_EIO, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_model_receipt(const glm_model *model, glm_receipt *out,
                                                    bool *is_of_these, glm_error *err);

#ifdef __cplusplus
}
#endif
#endif
