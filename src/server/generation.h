// SPDX-License-Identifier: MIT
/*
 * One request that generates, from submission to its last byte: which choice reads which tokens, stop strings, counts. What is
 * written, and in which words, is a glm_voice's: one for each API.
 */
#ifndef GLM_SERVER_GENERATION_H
#define GLM_SERVER_GENERATION_H

#include "core/stop_text.h"
#include "glm/constraint.h"
#include "server/server_internal.h"

/** How an answer ended, before an API's word for it. */
typedef enum glm_ending {
    GLM_ENDING_STOP,
    GLM_ENDING_STOP_TEXT,
    GLM_ENDING_TOOL_CALLS,
    GLM_ENDING_LENGTH,
    GLM_ENDING_CONTEXT, /* the context is full */
} glm_ending;

typedef struct glm_call_id {
    char id[GLM_ID_BYTES];
} glm_call_id;

/** How far the reading of a prompt is. */
typedef struct glm_progress {
    uint32_t n_done;     /* tokens behind us, cached ones included; 0: not known */
    double seconds_left; /* estimate */
} glm_progress;

/** One of a request's prompts. */
typedef struct glm_part {
    glm_generation *g;
    uint32_t index;
    const int32_t *
        ids; /* [n_ids], borrowed from the generation's params; gone once a chat's prompt was submitted */
    size_t n_ids;
    glm_request *request; /* NULL: not submitted yet, or over */
    uint32_t n_cached;
    glm_progress progress;
    bool is_heard_of; /* its first token came, or it ended */
} glm_part;

/** One of a request's answers. */
typedef struct glm_choice {
    glm_generation *g;
    const glm_part *part;
    uint32_t index;          /* among all of the request: those of the first prompt first */
    glm_chat_parser *parser; /* NULL: raw text */
    glm_stop_text stop;      /* in content */
    glm_call_id *call_ids;   /* [n_calls], of calls begun */
    size_t n_calls;
    int32_t *ids; /* [n_ids] with a parser: what was generated, without the token that ended it */
    size_t n_ids, ids_capacity;
    bool lost_ids;
    size_t stop_index;
    uint32_t n_tokens, n_reasoning;
    uint64_t last_ns; /* when the last token came */
    bool is_over;
    bool is_thinking; /* the tag that opens reasoning was sent as content */
    glm_ending ending;
    glm_str text;     /* raw text, or content as it was sent (stop strings cut) */
    glm_str logprobs; /* entries, apart by commas: all, or those not sent yet */
    void *state;      /* of the voice */
} glm_choice;

typedef struct glm_voice {
    /* Headers and first event of a stream; also called for whole answers (then writes nothing). */
    void (*begin)(glm_generation *g);
    void (*delta)(glm_generation *g, glm_choice *c, const glm_chat_event *event);
    void (*token)(glm_generation *g, glm_choice *c, const glm_event *event); /* behind its deltas */
    void (*over)(glm_generation *g, glm_choice *c);
    void (*end)(glm_generation *g); /* last events, or the whole answer in g->out */
    void (*fail)(glm_generation *g, int status, const char *message); /* of a stream that began */
    /* While the prompt is read, now and then: g->progress says how far it is. */
    void (*keep_alive)(glm_generation *g);
    void (*prompt_logprobs)(glm_generation *g, const glm_part *part,
                            const glm_event *event); /* may be NULL */
    void (*free_state)(glm_generation *g);           /* what the states point to; may be NULL */
} glm_voice;

struct glm_generation {
    glm_server *server;
    glm_call *call; /* the exchange's; freed with the generation */
    glm_generation *next, *previous;
    const glm_voice *voice;
    struct glm_generation_params *params; /* while parts wait to be submitted */
    glm_part *parts;                      /* [n_parts] */
    uint32_t n_parts, n_submitted, n_parts_over;
    uint32_t n_unheard;       /* parts of which no token came: keep-alives are due */
    glm_chat_request *chat;   /* the conversation, for its tools; or NULL */
    glm_chat_opening opening; /* of its answers */
    glm_arena arena;          /* of root */
    const glm_json *root;
    glm_choice *choices; /* [n_choices] */
    uint32_t n_choices;  /* until it starts those of one prompt, then of all */
    uint32_t n_over;
    uint64_t n_prompt, n_cached; /* tokens of all prompts */
    int64_t created;
    char id[GLM_ID_BYTES];
    char model[256];
    bool streams, has_begun, is_paused;
    bool is_listed; /* among the server's, with its request counted */
    bool include_usage, continuous_usage;
    bool wants_logprobs, single_call, hides_reasoning;
    bool tags_reasoning; /* it is content, between its tags */
    bool wants_progress; /* llama.cpp's return_progress */
    glm_progress progress;
    bool lost_event; /* under the server's lock */
    uint32_t n_top;
    const char **stops; /* [n_stops], in arena */
    size_t n_stops;
    glm_watch *timer;
    glm_str out; /* written at the end of each event */
    void *state; /* of the voice; freed with free() behind its free_state */
};

/** What a voice has read of a request, for glm_generation_start. */
typedef struct glm_generation_params {
    const glm_voice *voice;
    glm_chat_request *chat;        /* taken over, also on failure; NULL: raw */
    const glm_chat_prompt *prompt; /* with chat; borrowed */
    glm_chat_opening opening;      /* with chat */
    const int32_t *ids;            /* [n_ids] of the prompt, or of all, one behind the other */
    size_t n_ids;
    /* Several prompts: they run side by side, as many as the engine works on at once; these params, ids and first then live
     * as long as the generation. */
    uint32_t n_prompts;         /* 0: one */
    const size_t *first;        /* [n_prompts + 1] where in ids each begins */
    glm_request_params request; /* sampling, limits; prompt and callbacks are filled in */
    int64_t max_tokens;         /* 0: what the context leaves; more is cut to that */
} glm_generation_params;

/** A generation for `call`, whose body and model it has read; g->root is the tree. NULL after answering an error. */
glm_generation *glm_generation_create(glm_call *call);

/** Submit; g->n_choices answers to each prompt. On failure the call is answered and *g freed. */
void glm_generation_start(glm_generation *g, glm_generation_params *p);

/** Free a generation that was not started; its call lives on. */
void glm_generation_discard(glm_generation *g);

glm_server *glm_generation_server(const glm_generation *g);
glm_generation *glm_generation_next(const glm_generation *g);
void glm_generation_feed(glm_part *part, const glm_event *event);
void glm_generation_lose_event(glm_generation *g);
void glm_generation_lose_peer(glm_generation *g);
void glm_generation_resume(glm_generation *g);

/** A comment for a stream: how far the prompt is, or just that all is well. */
void glm_generation_tell_progress(glm_generation *g);

/** Begin the answer's stream with the usual headers. */
void glm_generation_open_stream(glm_generation *g);
/** The tokens of all choices. */
uint32_t glm_generation_n_tokens(const glm_generation *g);
uint32_t glm_generation_n_reasoning(const glm_generation *g);

/** Append {"token", "logprob", "bytes", "top_logprobs"} of a generated token. */
void glm_write_logprob(glm_json_writer *w, const glm_server *s, const glm_event *event);
/** A logprob as JSON: -inf is -9999. */
void glm_write_finite(glm_json_writer *w, double logprob);

/* Server side of the queue. */
void glm_server_take_event(void *ctx, const glm_event *event);
void glm_server_forget(glm_server *s, const glm_generation *g);

/* ---- Reading what the APIs share: sampling.c ---- */

/** Temperature, top_p, penalties, seed, bias, stops ... of a body; bias and stops go to the generation's arena. */
bool glm_read_sampling(glm_generation *g, const char *stop_name, glm_sampler_params *sampler,
                       glm_request_params *request, glm_field_error *err);
/** stream, stream_options and return_progress; false with *err. */
bool glm_read_stream(glm_generation *g, glm_field_error *err);
/** The budget of thinking by all its names (docs/server.md); false with *err. */
bool glm_read_think_budget(const glm_json *root, uint32_t *budget, glm_field_error *err);
/** parallel_tool_calls and disable_parallel_tool_use, into g->single_call; false with *err. */
bool glm_read_single_call(glm_generation *g, glm_field_error *err);
/**
 * What the request holds its answer to, as glm_constraint_create_for_request reads it; *out NULL when it asks for nothing.
 * What could not be followed is told in the header x-glm-warning.
 *
 * @param tools         those of the prompt, in the shape of Chat Completions; NULL: none
 * @param in_reasoning  the prompt ends inside reasoning
 */
GLM_MUST_CHECK glm_status glm_read_constraint(glm_constraint **out, glm_generation *g,
                                              const glm_json *tools, bool in_reasoning,
                                              glm_error *err);
/** Check "model": echo it, or refuse it under --strict-model (answered; false). */
bool glm_read_model(glm_generation *g);
/** Answer a refused field and free the generation. */
void glm_generation_refuse(glm_generation *g, const glm_field_error *err);

#endif
