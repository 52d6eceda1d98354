// SPDX-License-Identifier: MIT
/*
 * The chat format: messages and tools to prompt tokens, generated tokens to reasoning, answer and tool
 * calls. GLM-5.2's template and those of its relatives are compiled in; nothing of a package is executed.
 *
 * Five objects. A glm_chat binds the format to a tokenizer (read-only, shared by threads). A
 * glm_chat_request is a conversation: messages, tools and the switches a request may carry. A
 * glm_chat_prompt is a request rendered. A glm_chat_parser reads what the model says, token by token; it
 * belongs to one generation. A glm_chat_message is what came out.
 *
 * Render (`glm render`), and generate (`glm run`):
 *
 *     glm_chat_request_read(&request, json, size, &err);            or _create and _add_text
 *     glm_chat_options options = glm_chat_options_default();        the template's own defaults
 *     glm_chat_request_switches(request, GLM_CHAT_AS_TEMPLATE, &options);  what the request says
 *     glm_chat_prompt_create(&prompt, chat, request, &options, &err);
 *     const char *text = glm_chat_prompt_text(prompt, &length);     for people
 *     glm_chat_prompt_ids(prompt, &ids, &n_ids, &err);              for the model
 *
 *     glm_chat_parser_params params = glm_chat_parser_params_default();
 *     params.start = glm_chat_prompt_start(prompt);
 *     params.tools = request;
 *     params.on_event = print_event;                                deltas as they become certain
 *     glm_chat_parser_create(&parser, chat, &params, &err);
 *     for each generated id: glm_chat_parser_feed(parser, &id, 1, &err);
 *     glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, &err);     no effect after a stop token
 *     const glm_chat_message *message = glm_chat_parser_message(parser);
 *     glm_chat_request_add_answer(request, message, &err);          the next turn
 *
 * Parse (`glm parse`): the same with glm_chat_parser_feed_text, where every spelling of an added token
 * stands for that token, and glm_chat_message_json at the end.
 *
 * Text is never structure: control tokens come from the template only. Role and framing tokens spelled in
 * callers' text are encoded as ordinary text; the angle tags (<think> ... </arg_value>) in it stand for
 * their tokens unless glm_chat_options.match_tags is false. So ids differ from those of tokenizing the
 * rendered string where callers' text spells a role token.
 *
 * All text is UTF-8 with a length; pointers handed out are also terminated by a zero byte.
 */
#ifndef GLM_CHAT_H
#define GLM_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct glm_tokenizer; /* glm/tokenizer.h */
struct glm_model;     /* glm/glm.h */

/* -------------------------------------------------------------------------------- the format -- */

typedef struct glm_chat glm_chat;

/**
 * Bind the chat format to a tokenizer, resolving its tokens by name.
 *
 * @param tokenizer  must outlive *out; NULL gives a format that renders text only
 * Errors: GLM_EUNSUPP names the token the tokenizer lacks; GLM_ENOMEM. The caller owns *out.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_create(glm_chat **out,
                                                  const struct glm_tokenizer *tokenizer,
                                                  glm_error *err);
/** Everything made with the format must be gone. NULL is fine, as in every destroy here. */
GLM_API void glm_chat_destroy(glm_chat *chat);

/** The ids that end a turn, whatever the request says: [*n], borrowed; none without a tokenizer. */
GLM_API const int32_t *glm_chat_stop_ids(const glm_chat *chat, size_t *n);

/** The id of </think>, which a thinking budget forces; -1 without a tokenizer. */
GLM_API int32_t glm_chat_think_end_id(const glm_chat *chat);

/** Whose published template is followed. What they do differently: docs/chat.md. */
typedef enum glm_chat_generation {
    GLM_CHAT_GLM_5_2,
    GLM_CHAT_GLM_4_6, /* and 4.5 */
    GLM_CHAT_GLM_4_7, /* and 4.7-Flash and 5 */
    GLM_CHAT_GLM_5_1,
    GLM_CHAT_GLM_5_3,
} glm_chat_generation;

/** What a package's chat template is to this library. */
typedef struct glm_chat_template {
    glm_chat_generation generation; /* to render with; GLM-5.2's when nothing better is known */
    const char *name;               /* of that generation, "GLM-5.2" */
    bool is_there;                  /* the package carries a template */
    bool is_known;                  /* its digest is that of a published one */
    bool is_alike;   /* not known, but its text has the marks of `generation`; a warning is due */
    char sha256[65]; /* hex; empty when there is none */
} glm_chat_template;

/** Tell a template by digest, or by its marks, from its text. It is hashed and searched, never run. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_template_tell(glm_chat_template *out, const char *jinja,
                                                         size_t size, glm_error *err);

/**
 * The same for the package at `path`: chat_template.jinja of a folder, tokenizer.chat_template of a GGUF; none
 * of a bare tokenizer.json. GLM_EIO, GLM_EFORMAT, GLM_ELIMIT, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_template_open(glm_chat_template *out, const char *path,
                                                         bool follow_links, glm_error *err);

/** The same for an open model. */
GLM_API glm_chat_template glm_chat_template_of(const struct glm_model *model);

/* ------------------------------------------------------------------------------- the request -- */

typedef struct glm_chat_request glm_chat_request;

/** An empty conversation. The caller owns *out. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_create(glm_chat_request **out, glm_error *err);

/**
 * Read a chat request in the shape of Chat Completions: {"messages": [...], "tools": [...]} and the
 * switches that glm_chat_request_switches lists, and normalise it (roles, content, arguments, reasoning,
 * tools of the three public APIs). Other fields are ignored.
 *
 * Limits: nesting 64, 10,000 messages, 1,000 parts or calls a message, 512 tools, memory of a small
 * multiple of `size`.
 * Errors: GLM_EFORMAT (no JSON), GLM_EARG with the path of the field, what was expected and what was found
 * ("messages[3].content: expected string or list, got number"), GLM_ELIMIT, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_read(glm_chat_request **out, const char *json,
                                                        size_t size, glm_error *err);
/** Free a request; parsers that take its tools must be gone. */
GLM_API void glm_chat_request_destroy(glm_chat_request *request);

typedef enum glm_chat_role {
    GLM_CHAT_ROLE_SYSTEM,
    GLM_CHAT_ROLE_USER,
    GLM_CHAT_ROLE_ASSISTANT,
    GLM_CHAT_ROLE_TOOL,
} glm_chat_role;

/** Append a message of plain text; the text is copied. An assistant's has no reasoning and no calls. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_add_text(glm_chat_request *request,
                                                            glm_chat_role role, const char *text,
                                                            size_t length, glm_error *err);

struct glm_chat_message;
/** Append the model's answer (reasoning, content and calls are copied) as an assistant message. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_add_answer(glm_chat_request *request,
                                                              const struct glm_chat_message *answer,
                                                              glm_error *err);

/** Append the messages of a JSON list, as "messages" of a request. On error nothing is appended. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_add_messages(glm_chat_request *request,
                                                                const char *json, size_t size,
                                                                glm_error *err);

/** Replace the tools by those of a JSON list, as "tools" of a request (`--tools FILE`). */
GLM_API GLM_MUST_CHECK glm_status glm_chat_request_set_tools(glm_chat_request *request,
                                                             const char *json, size_t size,
                                                             glm_error *err);

/** Messages, as normalised: indices of glm_chat_prompt_message_start and _request_truncate count these. */
GLM_API size_t glm_chat_request_n_messages(const glm_chat_request *request);
/** Tools declared. */
GLM_API size_t glm_chat_request_n_tools(const glm_chat_request *request);

/** Forget the messages from index n_messages on (an answer that was interrupted, an undone turn). */
GLM_API void glm_chat_request_truncate(glm_chat_request *request, size_t n_messages);

/** What normalisation changed and a log should say, one line each; NULL behind the last. */
GLM_API const char *glm_chat_request_note(const glm_chat_request *request, size_t index);

/* ------------------------------------------------------------------------------- the options -- */

typedef enum glm_chat_effort {
    GLM_CHAT_EFFORT_MAX,
    GLM_CHAT_EFFORT_HIGH,
    GLM_CHAT_EFFORT_LOW, /* GLM-5.3 only */
} glm_chat_effort;

typedef struct glm_chat_options {
    glm_chat_generation generation;
    bool thinking;              /* enable_thinking */
    glm_chat_effort effort;     /* shown to the model when thinking is on */
    bool clear_thinking;        /* leave out reasoning of turns before the last user message */
    bool add_generation_prompt; /* end with the opening of an assistant turn */
    bool continue_final; /* the last message is an assistant's: leave it open, unstripped, and
                                   add no generation prompt */
    bool match_tags;     /* angle tags spelled in callers' text are tokens (ids only) */
} glm_chat_options;

/** GLM-5.2's own: thinking, effort max, clear_thinking, a generation prompt; match_tags. */
GLM_API glm_chat_options glm_chat_options_default(void);
/** The same of another generation (GLM-5.3 keeps past reasoning). */
GLM_API glm_chat_options glm_chat_options_of(glm_chat_generation generation);

/** How the switches of a request are read. */
typedef enum glm_chat_reading {
    /* As the template itself: enable_thinking, clear_thinking, reasoning_effort ("high" is High, all else
     * Max; GLM-5.3 has "low" too), add_generation_prompt; in chat_template_kwargs or, if not there, at top
     * level. */
    GLM_CHAT_AS_TEMPLATE,
    /* As the vendor's service maps them: also thinking.type, thinking.clear_thinking, thinking: false,
     * reasoning.effort and output_config.effort; none and minimal are off; low (but with GLM-5.3), medium and
     * high are High; xhigh and max are Max; anything else is Max with a note. Off beats any effort. */
    GLM_CHAT_AS_VENDOR,
} glm_chat_reading;

/**
 * Change in *options what the request speaks of and leave the rest (so put defaults there first).
 *
 * @return NULL, or a warning to pass on (an unknown effort), borrowed from the request
 */
GLM_API const char *glm_chat_request_switches(const glm_chat_request *request,
                                              glm_chat_reading reading, glm_chat_options *options);

/* -------------------------------------------------------------------------------- the prompt -- */

typedef struct glm_chat_prompt glm_chat_prompt;

/**
 * Render a request. The prompt keeps no pointer to request or options; `chat` must outlive it.
 * Errors: GLM_EARG (continue_final without an assistant message at the end), GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_prompt_create(glm_chat_prompt **out,
                                                         const glm_chat *chat,
                                                         const glm_chat_request *request,
                                                         const glm_chat_options *options,
                                                         glm_error *err);
/** Free a prompt, and with it its text and ids. */
GLM_API void glm_chat_prompt_destroy(glm_chat_prompt *prompt);

/** The prompt as text, borrowed. Made for reading: it does not say which tags are tokens. */
GLM_API const char *glm_chat_prompt_text(const glm_chat_prompt *prompt, size_t *length);

/**
 * The prompt as ids [*n], borrowed; computed at the first call.
 * Errors: GLM_EARG without a tokenizer, GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_prompt_ids(glm_chat_prompt *prompt, const int32_t **ids,
                                                      size_t *n, glm_error *err);

/**
 * Where message `index` begins in the ids (its role token; for index n_messages: the generation prompt, or
 * the end). Only after glm_chat_prompt_ids; what lies before index 0 is the preamble with the tools.
 */
GLM_API size_t glm_chat_prompt_message_start(const glm_chat_prompt *prompt, size_t index);

/** In which state generation starts, from the tail of a prompt. */
typedef enum glm_chat_start {
    GLM_CHAT_START_REASONING, /* behind an open <think> */
    GLM_CHAT_START_CONTENT,   /* behind </think> or the bare role token */
    GLM_CHAT_START_CONTINUED, /* behind text of the answer: leading blanks belong to it */
} glm_chat_start;

/** Where the answer to this prompt begins: for glm_chat_parser_params.start. */
GLM_API glm_chat_start glm_chat_prompt_start(const glm_chat_prompt *prompt);

/** The same for ids from elsewhere: looks at what follows the last <|assistant|>. */
GLM_API glm_chat_start glm_chat_start_of_ids(const glm_chat *chat, const int32_t *ids, size_t n);

/* ------------------------------------------------------------------------- turns remembered -- */

/*
 * Answers as they were generated, token for token. Clients send a conversation back as text, often without its reasoning, so the prompt
 * of the next turn differs from what the model has read and written, and what is cached of it is lost from the first answer on. With
 * a memory an answer that stands where it was given, and says what it said, is put back as its own tokens:
 *
 *     glm_chat_prompt_create(&prompt, chat, request, &options, &err);
 *     glm_chat_prompt_recall(prompt, memory, request, owner, &opening, &n, &err);
 *     glm_chat_prompt_ids(prompt, &ids, &n_ids, &err);
 *     ... generate; answer_ids without the stop token ...
 *     glm_chat_memory_keep(memory, &opening, message, call_id, answer_ids, n_answer_ids, &err);
 *
 * An answer is recalled when all tokens before it are those it was generated behind (or when it makes calls under ids it made them
 * under: see call_id), its content and calls are the same, its reasoning is the same or was left out, and its reasoning is to be shown
 * (glm_chat_options.clear_thinking). Otherwise the client's text is rendered. Used by one thread at a time.
 */
typedef struct glm_chat_memory glm_chat_memory;

/** A memory of at most max_bytes (4 KiB or more), the turns not used for longest go first. GLM_EARG, GLM_ENOMEM. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_memory_create(glm_chat_memory **out, size_t max_bytes,
                                                         glm_error *err);
/** Free a memory and the turns in it. */
GLM_API void glm_chat_memory_destroy(glm_chat_memory *memory);

#define GLM_CHAT_OPENING_MAX 8u
/** Where an answer begins: what stands before it, and the tokens that open it (<|assistant|> <think>). */
typedef struct glm_chat_opening {
    uint64_t owner, before;
    int32_t ids[GLM_CHAT_OPENING_MAX];
    uint32_t n_ids; /* 0: no answer begins here */
} glm_chat_opening;

/**
 * Put remembered answers into the prompt's ids; its text stays as it was. `request` is the one it was rendered from.
 *
 * @param memory    NULL: only *opening is made
 * @param owner     whose turns are looked for; also the owner of those kept behind *opening
 * @param n_turns   how many were put in; may be NULL
 * Errors: those of glm_chat_prompt_ids; GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_prompt_recall(glm_chat_prompt *prompt,
                                                         glm_chat_memory *memory,
                                                         const glm_chat_request *request,
                                                         uint64_t owner, glm_chat_opening *opening,
                                                         size_t *n_turns, glm_error *err);

/**
 * Remember an answer that ended by itself.
 *
 * @param answer   what was made of the ids and given to the client
 * @param call_id  the id its first call was given, or NULL
 * @param ids      [n_ids] as generated, without the token that ended it
 * Errors: GLM_ENOMEM; then it is not remembered.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_memory_keep(glm_chat_memory *memory,
                                                       const glm_chat_opening *opening,
                                                       const struct glm_chat_message *answer,
                                                       const char *call_id, const int32_t *ids,
                                                       size_t n_ids, glm_error *err);

/* -------------------------------------------------------------------------------- the parser -- */

typedef enum glm_chat_event_type {
    GLM_CHAT_EVENT_REASONING,  /* text: more reasoning */
    GLM_CHAT_EVENT_CONTENT,    /* text: more of the answer */
    GLM_CHAT_EVENT_CALL_BEGIN, /* text: the whole name of call `call` */
    GLM_CHAT_EVENT_CALL_ARGS,  /* text: the next fragment of its arguments, JSON */
    GLM_CHAT_EVENT_CALL_END,   /* complete: its fragments joined are one JSON object */
    GLM_CHAT_EVENT_CALL_CUT,   /* will not be completed; glm_chat_message does not have it */
} glm_chat_event_type;

typedef struct glm_chat_event {
    glm_chat_event_type type;
    size_t call;      /* counts the calls of this answer from 0 */
    const char *text; /* whole UTF-8 characters, not terminated; borrowed for the call */
    size_t length;
} glm_chat_event;

/** Return false to stop: glm_chat_parser_feed then ends with GLM_ECANCELED. */
typedef bool glm_chat_event_fn(void *ctx, const glm_chat_event *event);

typedef struct glm_chat_parser_params {
    glm_chat_start start;
    const glm_chat_request *tools; /* the declared ones; outlives the parser; or NULL */
    /* An answer that ended inside reasoning is sent again as content (default). */
    bool repeat_unclosed;
    /* Send string arguments while they grow (default); else a call comes at its end. */
    bool stream_strings;
    glm_chat_event_fn *on_event; /* may be NULL */
    void *ctx;
} glm_chat_parser_params;

/** Start in reasoning, no tools, no callback. */
GLM_API glm_chat_parser_params glm_chat_parser_params_default(void);

typedef struct glm_chat_parser glm_chat_parser;

/** `chat` needs a tokenizer and must outlive the parser. Errors: GLM_EARG, GLM_ENOMEM. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_parser_create(glm_chat_parser **out,
                                                         const glm_chat *chat,
                                                         const glm_chat_parser_params *params,
                                                         glm_error *err);
/** Free a parser, and with it its message. */
GLM_API void glm_chat_parser_destroy(glm_chat_parser *parser);

/**
 * Read the next tokens; how they are cut into calls changes neither message nor joined deltas. A stop token
 * ends the answer; tokens after it are ignored. Ids outside the vocabulary are ignored.
 *
 * Errors: GLM_ENOMEM, GLM_ECANCELED (the event function said so). The parser is then good only for destroy.
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_parser_feed(glm_chat_parser *parser, const int32_t *ids,
                                                       size_t n, glm_error *err);

/** Tokenize text, every spelling of an added token standing for it, and feed that. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_parser_feed_text(glm_chat_parser *parser,
                                                            const char *text, size_t length,
                                                            glm_error *err);

/** Why no more tokens come, when no stop token came. */
typedef enum glm_chat_end {
    GLM_CHAT_END_LIMIT,     /* token limit, full context, cancelled */
    GLM_CHAT_END_STOP_TEXT, /* a stop string */
} glm_chat_end;

/** End the answer and send what was held back. Needed once; no effect when a stop token ended it. */
GLM_API GLM_MUST_CHECK glm_status glm_chat_parser_finish(glm_chat_parser *parser, glm_chat_end end,
                                                         glm_error *err);

/** Where the next token will be read. */
typedef enum glm_chat_channel {
    GLM_CHAT_CHANNEL_REASONING,
    GLM_CHAT_CHANNEL_CONTENT,
    GLM_CHAT_CHANNEL_HELD,      /* behind a <tool_call> inside reasoning, not yet known to be one */
    GLM_CHAT_CHANNEL_CALL_NAME, /* behind <tool_call> */
    GLM_CHAT_CHANNEL_CALL_KEY,  /* behind <arg_key> */
    GLM_CHAT_CHANNEL_CALL_GAP,  /* behind </arg_key> */
    GLM_CHAT_CHANNEL_CALL_VALUE, /* behind <arg_value> */
    GLM_CHAT_CHANNEL_CALL_NEXT, /* behind </arg_value>: another argument or the end, or still the value */
    GLM_CHAT_CHANNEL_ENDED,
} glm_chat_channel;

/** The channel now; GLM_CHAT_CHANNEL_ENDED behind a stop token or glm_chat_parser_finish. */
GLM_API glm_chat_channel glm_chat_parser_channel(const glm_chat_parser *parser);

typedef enum glm_chat_finish {
    GLM_CHAT_FINISH_STOP,       /* "stop" */
    GLM_CHAT_FINISH_TOOL_CALLS, /* "tool_calls": at least one complete call */
    GLM_CHAT_FINISH_LENGTH,     /* "length": a limit, or the end came inside a call */
    GLM_CHAT_FINISH_STOP_TEXT,  /* "stop", by a stop string */
} glm_chat_finish;

/** Repairs and oddities worth a log line or a counter: bits of glm_chat_message.notes. */
enum {
    GLM_CHAT_NOTE_ROLE_FIRST = 1 << 0, /* the very first token ended the turn: a damaged model? */
    GLM_CHAT_NOTE_STRAY_TAG = 1 << 1,  /* a tag where none belongs was dropped */
    GLM_CHAT_NOTE_UNCLOSED_THINK = 1 << 2, /* the answer came inside the reasoning */
    GLM_CHAT_NOTE_CALL_IN_THINK = 1 << 3,  /* a call without </think> before it */
    GLM_CHAT_NOTE_MISSING_VALUE = 1 << 4,  /* <arg_value> was missing */
    GLM_CHAT_NOTE_MISSING_KEY = 1 << 5,    /* <arg_key> was missing */
    GLM_CHAT_NOTE_EMPTY_NAME = 1 << 6,     /* a call without a name was dropped */
    GLM_CHAT_NOTE_UNKNOWN_TOOL = 1 << 7,   /* a call of a tool that was not declared */
    GLM_CHAT_NOTE_REPEATED_KEY = 1 << 8,   /* the last value holds; deltas have both */
    GLM_CHAT_NOTE_UNCLOSED_CALL = 1 << 9,  /* </tool_call> was missing at the end */
    GLM_CHAT_NOTE_CUT_CALL = 1 << 10,      /* an unfinished call was dropped */
    GLM_CHAT_NOTE_SPECIAL_TOKEN = 1 << 11, /* a special token inside the answer was dropped */
};

typedef struct glm_chat_call {
    const char *name;
    size_t name_length;
    const char *arguments; /* a JSON object, spelled as the template would */
    size_t arguments_length;
} glm_chat_call;

typedef struct glm_chat_message {
    const char *content; /* NULL when there is none */
    size_t content_length;
    const char *reasoning; /* NULL when there is none */
    size_t reasoning_length;
    const glm_chat_call *calls; /* [n_calls], complete ones only */
    size_t n_calls;
    glm_chat_finish finish;
    size_t n_tokens;           /* read, the stop token included */
    size_t n_reasoning_tokens; /* of those, reasoning and its closing tag */
    uint32_t notes;
} glm_chat_message;

/** The answer so far, complete after the end; borrowed, and valid until the next feed, finish or destroy. Never NULL. */
GLM_API const glm_chat_message *glm_chat_parser_message(glm_chat_parser *parser);

/** "stop", "tool_calls" or "length". */
GLM_API const char *glm_chat_finish_name(glm_chat_finish finish);

/**
 * {"content","reasoning_content","tool_calls","finish_reason"} on one line, calls as in Chat Completions
 * with the ids call_1, call_2, ...; absent content and reasoning are null. The caller frees *out with
 * free().
 */
GLM_API GLM_MUST_CHECK glm_status glm_chat_message_json(char **out, size_t *length,
                                                        const glm_chat_message *message,
                                                        glm_error *err);

#ifdef __cplusplus
}
#endif
#endif
