// SPDX-License-Identifier: MIT
/*
 * Statuses and error text: how every fallible function of glm.c reports failure.
 *
 * A fallible function returns glm_status, takes its outputs first and a glm_error pointer last, and writes
 * outputs only on success. The text says what failed, where, what was expected and what was found:
 *
 *     glm_error err;
 *     if (glm_model_open(&model, path, &params, &err) != GLM_OK)
 *         fprintf(stderr, "glm: %s\n", err.text);
 */
#ifndef GLM_ERROR_H
#define GLM_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GLM_API __attribute__((visibility("default")))
#define GLM_PRINTF(fmt_index, arg_index) __attribute__((format(printf, fmt_index, arg_index)))
#define GLM_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GLM_API
#define GLM_PRINTF(fmt_index, arg_index)
#define GLM_MUST_CHECK
#endif

/** What went wrong, by who must act. The command line maps these to its exit codes. */
typedef enum glm_status {
    GLM_OK = 0,
    GLM_EARG,    /* the caller's argument is out of range or of the wrong kind (exit 2) */
    GLM_ENOENT,  /* the named file or folder does not exist (exit 1) */
    GLM_EIO,     /* reading or writing failed, permission included (exit 1) */
    GLM_ENOMEM,  /* the system gave no memory (exit 1) */
    GLM_EFORMAT, /* a file is damaged, inconsistent or of another format (exit 3) */
    GLM_EUNSUPP, /* a file or request is valid but asks for something the engine does not do (exit 3) */
    GLM_ELIMIT,    /* a limit or the memory budget refuses it (exit 4) */
    GLM_ENUMERIC,  /* the computation met a NaN or an infinity (exit 1) */
    GLM_ECANCELED, /* stopped on the caller's demand (exit 130) */
    GLM_EINTERNAL, /* an invariant of ours does not hold (exit 1) */
    GLM_EBUSY,     /* no room now, later perhaps (exit 1) */
} glm_status;

/** A status and one line of text, always terminated; longer texts are cut. */
typedef struct glm_error {
    glm_status status;
    char text[1024];
    char hint[256]; /* what to do about it, or empty */
} glm_error;

/**
 * Fill *err (NULL is fine) with `status` and the formatted text, clear the hint, and return `status`, so
 * that failing is one line. Bytes below 0x20 and 0x7F that came in through the arguments become '?'.
 */
GLM_API glm_status glm_fail(glm_error *err, glm_status status, const char *fmt, ...)
    GLM_PRINTF(3, 4);

/** Put "<context>: " before the text of *err and return its status; NULL is fine and gives `status`. */
GLM_API glm_status glm_fail_context(glm_error *err, glm_status status, const char *fmt, ...)
    GLM_PRINTF(3, 4);

/** Set the hint of *err (NULL is fine): one short sentence that says what to do. */
GLM_API void glm_error_hint(glm_error *err, const char *fmt, ...) GLM_PRINTF(2, 3);

/** A short English name of a status, for example "bad file". Never NULL. */
GLM_API const char *glm_status_name(glm_status status);

#ifdef __cplusplus
}
#endif
#endif
