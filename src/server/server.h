// SPDX-License-Identifier: MIT
/*
 * The HTTP server: OpenAI's Chat Completions, Completions and Responses, Anthropic's Messages, and what llama.cpp's and vLLM's
 * servers offer beside them, on one model. docs/server.md says what each route takes.
 *
 * Two threads matter: the loop's, where connections and JSON live, and the scheduler's, which runs the model and
 * whose events are queued to the loop.
 */
#ifndef GLM_SERVER_SERVER_H
#define GLM_SERVER_SERVER_H

#include <stdbool.h>

#include "glm/scheduler.h"

typedef struct glm_server_params {
    const char *host;
    uint16_t port;
    const char *key_file; /* a key a line; NULL: none is asked for */
    bool allow_no_key;    /* listen on other addresses than this machine's own without keys */
    bool is_strict_model; /* refuse other model names than model_name */
    bool clears_thinking; /* by default leave out reasoning of earlier turns */
    bool
        prefixes_raw; /* Completions: texts begin with [gMASK]<sop> unless a request says otherwise */
    bool early_role_chunk;                 /* Chat: the role is sent before the prompt is read */
    const char *model_name;                /* NULL: the package's */
    uint32_t n_connections, n_per_address; /* 0: 2048, 256 */
    uint32_t n_per_key;                    /* requests a key may have at once; 0: 32 */
    size_t body_bytes;                     /* of a request; 0: 64 MiB */
    double answer_s; /* an answer is cut with "length" after so long; 0: never */
    double stall_s;  /* a stream whose reader takes nothing is cut after so long; 0: 30 */
    const char *tls_cert, *tls_key;
    double drain_s; /* how long running requests may go on after the first signal to stop */
    glm_scheduler_params scheduler;
    void (*on_ready)(void *ctx, const char *url); /* listening; may be NULL */
    void (*log)(void *ctx, int level, const char *line);
    /* A JSON object for every request that is over, without line end; never with text of a request or a key. NULL: none. */
    void (*log_request)(void *ctx, const char *line);
    void *log_ctx;
    /* Tests: answers by what the prompt holds, a JSON file (docs/server.md); NULL: the model's own. */
    const char *script_file;
} glm_server_params;

glm_server_params glm_server_params_default(void);

/**
 * Serve until SIGINT or SIGTERM: then no new requests, running ones may end within drain_s, a second signal ends at once.
 * SIGHUP reads the keys again.
 *
 * Errors: GLM_EARG (an address that is not this machine's own without keys), GLM_EIO (port, files), those of
 * glm_scheduler_create, GLM_EUNSUPP (a model without tokenizer or chat tokens).
 */
GLM_MUST_CHECK glm_status glm_server_run(glm_model *model, const glm_server_params *params,
                                         glm_error *err);

#endif
