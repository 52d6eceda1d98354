// SPDX-License-Identifier: MIT
/* /metrics in Prometheus' text format 0.0.4: our names, and those of vLLM and llama.cpp for the same things. */
#include <stdio.h>

#include "server/server_internal.h"

typedef struct metric {
    const char *name, *type, *help;
    double value;
} metric;

static void write_metric(glm_str *out, const metric *m, const char *label)
{
    char line[768];
    const bool has_label = m->name[0] == 'v'; /* vllm: */
    snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s %s\n%s%s%s%s %.17g\n", m->name, m->help,
             m->name, m->type, m->name, has_label ? "{" : "", has_label ? label : "",
             has_label ? "}" : "", m->value);
    glm_str_append_c(out, line);
}

/* model_name="...", with what the format escapes. */
static void write_label(char *out, size_t size, const char *model)
{
    size_t n = (size_t)snprintf(out, size, "model_name=\"");
    for (; *model && n + 5 < size; model++) {
        if (*model == '"' || *model == '\\')
            out[n++] = '\\';
        out[n++] = *model == '\n' ? ' ' : *model;
    }
    snprintf(out + n, size - n, "\"");
}

/* Choices by how they ended, as vLLM counts requests. */
static void write_finished(glm_str *out, const glm_scheduler_stats *t, const char *label)
{
    const struct {
        const char *reason;
        uint64_t n;
    } reasons[] = {
        {"stop", t->n_finished[GLM_FINISH_STOP] + t->n_finished[GLM_FINISH_STOP_TEXT]},
        {"length", t->n_finished[GLM_FINISH_LENGTH] + t->n_finished[GLM_FINISH_DEADLINE]},
        {"abort", t->n_canceled},
    };
    const char *name = "vllm:request_success_total";
    char line[768];
    snprintf(line, sizeof line, "# HELP %s Answers by how they ended.\n# TYPE %s counter\n", name,
             name);
    glm_str_append_c(out, line);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        snprintf(line, sizeof line, "%s{%s,finished_reason=\"%s\"} %llu\n", name, label,
                 reasons[i].reason, (unsigned long long)reasons[i].n);
        glm_str_append_c(out, line);
    }
}

void glm_handle_metrics(glm_call *call)
{
    glm_server *s = call->server;
    glm_scheduler_stats t;
    glm_scheduler_get_stats(s->scheduler, &t);
    double used = t.n_pages ? (double)t.n_pages_used / (double)t.n_pages : 0;
    const metric metrics[] = {
        {"glm_requests_running", "gauge", "Requests worked on.", t.n_running},
        {"glm_requests_waiting", "gauge", "Requests in the queue.", t.n_waiting},
        {"glm_connections", "gauge", "Open connections.", glm_http_server_n_connections(s->http)},
        {"glm_kv_pages", "gauge", "Pages of the KV pool.", t.n_pages},
        {"glm_kv_pages_used", "gauge", "Pages in use by sequences.", t.n_pages_used},
        {"glm_kv_pages_cached", "gauge", "Pages that hold cached prefixes.", t.n_pages_cached},
        {"glm_step_seconds", "gauge", "Time of the last step.", t.step_s},
        {"glm_state_files", "gauge", "Files of the state folder in use.", t.n_state_files},
        {"glm_state_bytes", "gauge", "Their bytes.", (double)t.state_bytes},
        {"glm_prompt_tokens_total", "counter", "Prompt tokens of requests.",
         (double)t.n_prompt_tokens},
        {"glm_cached_tokens_total", "counter", "Of these, taken from the prefix cache.",
         (double)t.n_cached_tokens},
        {"glm_generated_tokens_total", "counter", "Tokens generated.",
         (double)t.n_generated_tokens},
        {"glm_steps_total", "counter", "Steps of the engine.", (double)t.n_steps},
        {"glm_step_sequences_total", "counter", "Sequences, summed over steps.",
         (double)t.n_step_sequences},
        {"glm_preemptions_total", "counter", "Sequences set aside for want of pages.",
         (double)t.n_preempted},
        {"glm_evicted_pages_total", "counter", "Cached pages given up for others.",
         (double)t.n_evicted_pages},
        {"glm_state_saved_pages_total", "counter", "Pages written to the state folder.",
         (double)t.n_state_saved_pages},
        {"glm_state_loaded_pages_total", "counter", "Pages read from it.",
         (double)t.n_state_loaded_pages},
        {"glm_state_bad_files_total", "counter", "Its files that were ignored.",
         (double)t.n_state_bad_files},
        {"glm_requests_canceled_total", "counter", "Requests cancelled.", (double)t.n_canceled},
        {"glm_requests_failed_total", "counter", "Requests that failed.", (double)t.n_failed},
        {"glm_requests_refused_total", "counter", "Requests that found the queue full.",
         (double)t.n_refused},
        {"glm_disconnects_total", "counter", "Clients that went away.", (double)s->n_disconnected},
        {"glm_http_2xx_total", "counter", "Answers with a status of 2xx.",
         (double)s->n_requests[2]},
        {"glm_http_4xx_total", "counter", "Answers with a status of 4xx.",
         (double)s->n_requests[4]},
        {"glm_http_5xx_total", "counter", "Answers with a status of 5xx.",
         (double)s->n_requests[5]},
        {"vllm:num_requests_running", "gauge", "As glm_requests_running.", t.n_running},
        {"vllm:num_requests_waiting", "gauge", "As glm_requests_waiting.", t.n_waiting},
        {"vllm:kv_cache_usage_perc", "gauge", "Share of the KV pool in use, 0 to 1.", used},
        {"vllm:prefix_cache_queries_total", "counter", "As glm_prompt_tokens_total.",
         (double)t.n_prompt_tokens},
        {"vllm:prefix_cache_hits_total", "counter", "As glm_cached_tokens_total.",
         (double)t.n_cached_tokens},
        {"vllm:prompt_tokens_total", "counter", "As glm_prompt_tokens_total.",
         (double)t.n_prompt_tokens},
        {"vllm:generation_tokens_total", "counter", "As glm_generated_tokens_total.",
         (double)t.n_generated_tokens},
        {"vllm:num_preemptions_total", "counter", "As glm_preemptions_total.",
         (double)t.n_preempted},
        {"llamacpp:prompt_tokens_total", "counter", "Prompt tokens computed.",
         (double)t.n_computed_tokens},
        {"llamacpp:prompt_seconds_total", "counter", "Time spent reading prompts.", t.prefill_s},
        {"llamacpp:tokens_predicted_total", "counter", "As glm_generated_tokens_total.",
         (double)t.n_generated_tokens},
        {"llamacpp:tokens_predicted_seconds_total", "counter", "Time spent generating.",
         t.decode_s},
        {"llamacpp:requests_processing", "gauge", "As glm_requests_running.", t.n_running},
        {"llamacpp:requests_deferred", "gauge", "As glm_requests_waiting.", t.n_waiting},
        {"llamacpp:n_decode_total", "counter", "As glm_steps_total.", (double)t.n_steps},
    };
    glm_str out = {0};
    char label[560]; /* a name is 255 bytes at most, each of them escaped */
    write_label(label, sizeof label, s->name);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        write_metric(&out, &metrics[i], label);
    write_finished(&out, &t, label);
    glm_histogram_write(&out, s->measured, label);
    glm_answer(call, out.has_failed ? 500 : 200, glm_str_text(&out),
               "text/plain; version=0.0.4; charset=utf-8");
    glm_str_deinit(&out);
}
