// SPDX-License-Identifier: MIT
/* What is served where. */
#include "server/server_internal.h"

#define O DIALECT_OPENAI
#define A DIALECT_ANTHROPIC

const route glm_routes[] = {
    {"GET", "/", glm_handle_root, O, true},
    {"GET", "/health", glm_handle_health, O, true},
    {"GET", "/v1/health", glm_handle_health, O, true},
    {"GET", "/ping", glm_handle_ping, O, true},
    {"GET", "/version", glm_handle_version, O, false},
    {"GET", "/metrics", glm_handle_metrics, O, false},
    {"GET", "/props", glm_handle_props, O, false},
    {"POST", "/props", glm_handle_declined, O, false},
    {"GET", "/slots", glm_handle_slots, O, false},
    {"POST", "/slots/*", glm_handle_declined, O, false},
    {"GET", "/tokenizer_info", glm_handle_tokenizer_info, O, false},
    {"POST", "/tokenize", glm_handle_tokenize, O, false},
    {"POST", "/detokenize", glm_handle_detokenize, O, false},
    {"POST", "/apply-template", glm_handle_apply_template, O, false},
    {"GET", "/v1/models", glm_handle_models, O, false},
    {"GET", "/models", glm_handle_models, O, false},
    {"GET", "/v1/models/*", glm_handle_model, O, false},
    {"POST", "/v1/chat/completions", glm_handle_chat, O, false},
    {"POST", "/chat/completions", glm_handle_chat, O, false},
    {"POST", "/v1/chat/completions/input_tokens", glm_handle_count_chat, O, false},
    {"POST", "/v1/completions", glm_handle_completions, O, false},
    {"POST", "/completions", glm_handle_completions, O, false},
    {"POST", "/v1/responses", glm_handle_responses, O, false},
    {"POST", "/responses", glm_handle_responses, O, false},
    {"POST", "/v1/responses/input_tokens", glm_handle_count_responses, O, false},
    {"GET", "/v1/responses/*", glm_handle_no_response, O, false},
    {"DELETE", "/v1/responses/*", glm_handle_no_response, O, false},
    {"POST", "/v1/responses/*", glm_handle_no_response, O, false},
    {"POST", "/v1/messages", glm_handle_messages, A, false},
    {"POST", "/v1/messages/count_tokens", glm_handle_count_messages, A, false},
    {"POST", "/v1/embeddings", glm_handle_declined, O, false},
    {"POST", "/v1/rerank", glm_handle_declined, O, false},
    {"POST", "/v1/audio/*", glm_handle_declined, O, false},
    {"POST", "/v1/images/*", glm_handle_declined, O, false},
    {"POST", "/v1/moderations", glm_handle_declined, O, false},
    {"POST", "/v1/files", glm_handle_declined, O, false},
};
const size_t glm_n_routes = sizeof glm_routes / sizeof *glm_routes;
