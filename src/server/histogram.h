// SPDX-License-Identifier: MIT
/* Distributions for /metrics: how many values were at most each of a row of bounds. Of the loop's thread alone. */
#ifndef GLM_SERVER_HISTOGRAM_H
#define GLM_SERVER_HISTOGRAM_H

#include <stdint.h>

#include "core/str.h"

#define GLM_HISTOGRAM_BOUNDS 18

typedef struct glm_histogram {
    uint64_t n[GLM_HISTOGRAM_BOUNDS +
               1]; /* by the first bound that is not smaller; the last: above all */
    double sum;
} glm_histogram;

/** What is measured, each with its bounds. */
typedef enum glm_measure {
    GLM_MEASURE_FIRST_TOKEN, /* seconds from a request to its first token */
    GLM_MEASURE_TOKEN,       /* seconds between two tokens of an answer */
    GLM_MEASURE_REQUEST,     /* seconds from a request to the end of its answer */
    GLM_MEASURE_QUEUE,       /* seconds before a prompt's turn came */
    GLM_MEASURE_PREFILL,     /* seconds of reading a prompt */
    GLM_MEASURE_DECODE,      /* seconds from the first token on */
    GLM_MEASURE_PROMPT,      /* tokens of a request's prompts */
    GLM_MEASURE_GENERATION,  /* tokens of its answers */
    GLM_N_MEASURES,
} glm_measure;

void glm_histogram_add(glm_histogram *all, glm_measure measure, double value);

/** Append all of them, [GLM_N_MEASURES], under our names and vLLM's, these with a label (`name="value"`). */
void glm_histogram_write(glm_str *out, const glm_histogram *all, const char *label);

#endif
