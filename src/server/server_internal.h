// SPDX-License-Identifier: MIT
/* What the files of the server share. */
#ifndef GLM_SERVER_INTERNAL_H
#define GLM_SERVER_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/json_write.h"
#include "core/str.h"
#include "glm/chat.h"
#include "glm/scheduler.h"
#include "glm/tokenizer.h"
#include "net/http.h"
#include "net/loop.h"
#include "server/auth.h"
#include "server/histogram.h"
#include "server/script.h"
#include "server/server.h"

#define GLM_ID_BYTES 40

/** In whose words an answer is given. */
typedef enum dialect {
    DIALECT_OPENAI,
    DIALECT_ANTHROPIC,
} dialect;

typedef struct glm_generation glm_generation;

/** An event of the scheduler on its way to the loop. */
typedef struct queued {
    struct queued *next;
    glm_generation *g;     /* NULL: it is gone */
    struct glm_part *part; /* of g */
    glm_event event;       /* its pointers lie behind the struct */
    glm_error error;
} queued;

typedef struct glm_server {
    glm_server_params p;
    glm_model *model;
    glm_model_info info;
    glm_engine_info engine;
    const glm_tokenizer *tokenizer;
    glm_chat *chat;
    glm_chat_options options; /* defaults of every chat request */
    glm_chat_memory *memory;  /* answers given, as tokens */
    glm_scheduler *scheduler;
    glm_auth auth;
    glm_script script;
    char name[256];
    char fingerprint[32]; /* of model, build, precision and cache: with the same, the same bits */
    int32_t call_id;      /* the token <tool_call> */
    time_t started;

    glm_loop *loop;
    glm_http_server *http;
    glm_generation *first; /* all that run */
    uint32_t n_generations;
    bool is_stopping;
    bool cannot_read; /* the last request failed because weights could not be read */

    pthread_mutex_t lock; /* of the queue */
    queued *queue, **queue_end;
    int wake_fd;

    /* Of the loop alone, for /metrics. */
    uint64_t n_requests[6]; /* by first digit of the status */
    uint64_t n_disconnected;
    glm_histogram measured[GLM_N_MEASURES];
} glm_server;

/** What is known of a request when its head is there. */
typedef struct glm_call {
    glm_server *server;
    glm_http_exchange *x;
    dialect dialect;
    const struct route *route;
    const char *argument; /* of a path such as /v1/models/ID */
    uint64_t owner;       /* the key, 0 without */
    char request_id[80];

    /* What the log tells. */
    uint64_t begin_ns;
    int status;      /* 0: none was sent */
    char error[40];  /* the code of an error, one of our words; "": none */
    const char *end; /* "failed", "gone"; NULL: done */
    uint64_t n_prompt, n_cached, n_made;
    double first_s; /* until the first token; 0: there was none */
} glm_call;

typedef void glm_handler(glm_call *call);

typedef struct route {
    const char *method;
    const char *path; /* ends with a star: any rest, which is the argument */
    glm_handler *handler;
    dialect dialect;
    bool is_public; /* no key is asked for */
} route;

extern const route glm_routes[];
extern const size_t glm_n_routes;

/* ---- answers: answer.c ---- */

/** Answer whole with JSON (or text, if `type` says so) and end the call, which is freed. */
void glm_answer(glm_call *call, int status, glm_text body, const char *type);
void glm_answer_json(glm_call *call, int status, const glm_str *json);

/**
 * Answer with an error in the call's dialect. `param` is a field's path or NULL, `code` a word or NULL.
 * @param retry_s  Retry-After; 0: none, and the client is told not to try again
 */
void glm_answer_error(glm_call *call, int status, const char *code, const char *param, int retry_s,
                      const char *fmt, ...) GLM_PRINTF(6, 7);
/** Tell the client of something about its request that was taken otherwise than it may think: any bytes, of which 199 go into a header. */
void glm_call_warn(glm_call *call, const char *warning);
/** The body of such an error. */
void glm_error_body(glm_str *out, dialect d, int status, const char *code, const char *param,
                    const char *message, const char *request_id);
/** What a status of the library means for a request: answers it. */
void glm_answer_status(glm_call *call, glm_status st, const glm_error *err);

/**
 * Token ids of a text as it is, or behind the [gMASK]<sop> that prompts of chats begin with, if it does not begin so itself.
 * @param flags  of glm_tokenizer_encode
 * @param err    may be NULL
 * The caller frees *out. Errors: those of glm_tokenizer_encode.
 */
GLM_MUST_CHECK glm_status glm_encode_text(int32_t **out, size_t *n_out, const glm_server *s,
                                          glm_text text, unsigned flags, bool has_prefix,
                                          glm_error *err);

/** A new identifier: prefix and 24 hex digits of chance. */
void glm_new_id(char out[GLM_ID_BYTES], const char *prefix);

/* ---- fields of requests: fields.c ---- */

/** A request's body as a tree; answers the error itself and returns false. */
bool glm_read_body(glm_call *call, glm_arena *arena, const glm_json **root);

/** A refused field. */
typedef struct glm_field_error {
    char param[128];
    char text[192];
} glm_field_error;

/* Each returns false with *err when the member is of the wrong kind or out of range; absent and null leave *out. */
bool glm_field_bool(const glm_json *object, const char *name, bool *out, glm_field_error *err);
bool glm_field_real(const glm_json *object, const char *name, double min, double max, double *out,
                    glm_field_error *err);
bool glm_field_int(const glm_json *object, const char *name, int64_t min, int64_t max, int64_t *out,
                   glm_field_error *err);
bool glm_field_text(const glm_json *object, const char *name, glm_text *out, glm_field_error *err);
bool glm_field_refuse(glm_field_error *err, const char *param, const char *fmt, ...)
    GLM_PRINTF(3, 4);
/** The member, NULL when it is absent or null. */
const glm_json *glm_field(const glm_json *object, const char *name);
/** Write those of the n members of `object` that are there, as they came. */
void glm_copy_fields(glm_json_writer *w, const glm_json *object, const char *const *names,
                     size_t n);

/* ---- handlers ---- */

glm_handler glm_handle_health, glm_handle_ping, glm_handle_root, glm_handle_version,
    glm_handle_models, glm_handle_model, glm_handle_props, glm_handle_slots, glm_handle_metrics,
    glm_handle_tokenize, glm_handle_detokenize, glm_handle_apply_template,
    glm_handle_tokenizer_info, glm_handle_declined, glm_handle_options;
glm_handler glm_handle_chat, glm_handle_completions, glm_handle_messages, glm_handle_count_messages,
    glm_handle_responses, glm_handle_no_response, glm_handle_count_chat, glm_handle_count_responses;

void glm_server_log(glm_server *s, int level, const char *fmt, ...) GLM_PRINTF(3, 4);
/** A status is sent, with an error's code or NULL: count it, for the log and /metrics. */
void glm_call_note(glm_call *call, int status, const char *code);
/** Tell the log of requests of one that is over; without such a log a line if it was refused or failed. */
void glm_call_log(const glm_call *call);
/** The request is over: log it and forget it. NULL is fine. */
void glm_call_free(glm_call *call);

#endif
