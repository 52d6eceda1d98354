// SPDX-License-Identifier: MIT
#include "server/histogram.h"

#include <stdio.h>

static const double seconds[GLM_HISTOGRAM_BOUNDS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1800};
static const double tokens[GLM_HISTOGRAM_BOUNDS] = {1,    2,    5,    10,  20,  50,  100, 200, 500,
                                                    1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5, 1e6};

static const struct {
    const char *name, *vllm, *help;
    const double *bounds;
} measures[GLM_N_MEASURES] = {
    [GLM_MEASURE_FIRST_TOKEN] = {"glm_first_token_seconds", "vllm:time_to_first_token_seconds",
                                 "Time from a request to its first token.", seconds},
    [GLM_MEASURE_TOKEN] = {"glm_token_seconds", "vllm:inter_token_latency_seconds",
                           "Time between two tokens of an answer.", seconds},
    [GLM_MEASURE_REQUEST] = {"glm_request_seconds", "vllm:e2e_request_latency_seconds",
                             "Time from a request to the end of its answer.", seconds},
    [GLM_MEASURE_QUEUE] = {"glm_queue_seconds", "vllm:request_queue_time_seconds",
                           "Time a prompt waited for its turn.", seconds},
    [GLM_MEASURE_PREFILL] = {"glm_prefill_seconds", "vllm:request_prefill_time_seconds",
                             "Time of reading a prompt.", seconds},
    [GLM_MEASURE_DECODE] = {"glm_decode_seconds", "vllm:request_decode_time_seconds",
                            "Time from the first token of an answer to its end.", seconds},
    [GLM_MEASURE_PROMPT] = {"glm_request_prompt_tokens", "vllm:request_prompt_tokens",
                            "Prompt tokens of a request.", tokens},
    [GLM_MEASURE_GENERATION] = {"glm_request_generated_tokens", "vllm:request_generation_tokens",
                                "Tokens generated for a request.", tokens},
};

void glm_histogram_add(glm_histogram *all, glm_measure measure, double value)
{
    glm_histogram *h = &all[measure];
    int i = 0;
    while (i < GLM_HISTOGRAM_BOUNDS && value > measures[measure].bounds[i])
        i++;
    h->n[i]++;
    h->sum += value;
}

static void write_one(glm_str *out, const glm_histogram *h, const char *name, const char *help,
                      const double *bounds, const char *label)
{
    char line[1536];
    const char *comma = *label ? "," : "";
    uint64_t n = 0;
    snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    glm_str_append_c(out, line);
    for (int i = 0; i < GLM_HISTOGRAM_BOUNDS; i++) {
        n += h->n[i];
        snprintf(line, sizeof line, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma,
                 bounds[i], (unsigned long long)n);
        glm_str_append_c(out, line);
    }
    n += h->n[GLM_HISTOGRAM_BOUNDS];
    const char *open = *label ? "{" : "", *close = *label ? "}" : "";
    snprintf(line, sizeof line, "%s_bucket{%s%sle=\"+Inf\"} %llu\n%s_sum%s%s%s %.17g\n", name,
             label, comma, (unsigned long long)n, name, open, label, close, h->sum);
    glm_str_append_c(out, line);
    snprintf(line, sizeof line, "%s_count%s%s%s %llu\n", name, open, label, close,
             (unsigned long long)n);
    glm_str_append_c(out, line);
}

void glm_histogram_write(glm_str *out, const glm_histogram *all, const char *label)
{
    for (int m = 0; m < GLM_N_MEASURES; m++) {
        write_one(out, &all[m], measures[m].name, measures[m].help, measures[m].bounds, "");
        write_one(out, &all[m], measures[m].vllm, measures[m].help, measures[m].bounds, label);
    }
}
