// SPDX-License-Identifier: MIT
/*
 * One tensor from its stored matrices to its place in a file, a piece of rows at a time: decoded, encoded and written by
 * whichever worker takes the piece. A worker's memory is one piece; pieces do not depend on the number of workers, and
 * neither do the bytes, the digest and the error that come out.
 */
#ifndef GLM_CONVERT_STREAM_H
#define GLM_CONVERT_STREAM_H

#include "convert/plan.h"
#include "core/file_out.h"
#include "core/threadpool.h"
#include "glm/glm.h"

typedef struct glm_stream glm_stream;

/** What came out of a tensor. */
typedef struct glm_stream_result {
    uint64_t digest; /* of the bytes written */
    double error;    /* sum of (value - what is read back)^2 */
    double norm;     /* sum of value^2 */
} glm_stream_result;

/** Importance of the inputs of a tensor's rows: [n_stack, n_cols], or one row for all of the stack. NULL: equal. */
typedef struct glm_stream_weight {
    const float *value;
    bool is_shared; /* one row for all of the stack */
} glm_stream_weight;

/** Workspace for the tensors of `plan`, which like the pool must outlive it. Errors: GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_stream_create(glm_stream **out, const glm_plan *plan, glm_pool *pool,
                                            glm_error *err);
void glm_stream_destroy(glm_stream *stream);

/**
 * Write a tensor at `offset` of the file.
 *
 * @param on_rows  told of elements as they are done; false stops the run; may be NULL
 * Errors: GLM_EIO, GLM_ENUMERIC (a value that is not finite, or none the type can hold; names tensor and place),
 * GLM_ECANCELED.
 */
GLM_MUST_CHECK glm_status glm_stream_run(glm_stream *stream, const glm_plan_tensor *tensor,
                                         glm_stream_weight weight, const glm_file_out *file,
                                         uint64_t offset, bool (*on_rows)(void *ctx, uint64_t n),
                                         void *ctx, glm_stream_result *out, glm_error *err);

/** The digest of a tensor's bytes as they lie in the file. Errors: GLM_EIO. */
GLM_MUST_CHECK glm_status glm_stream_digest(glm_stream *stream, const glm_plan_tensor *tensor,
                                            const glm_file_out *file, uint64_t offset,
                                            uint64_t *digest, glm_error *err);

#endif
