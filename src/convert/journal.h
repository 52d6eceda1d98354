// SPDX-License-Identifier: MIT
/*
 * The list of finished tensors beside a file that is being written, so that an interrupted run can be taken up. Text: a
 * line that says what the run is, then a line a tensor. A line that a crash cut short ends the list; entries of another
 * run are forgotten. The list claims, it does not prove: who resumes compares each digest with the bytes that are there.
 */
#ifndef GLM_CONVERT_JOURNAL_H
#define GLM_CONVERT_JOURNAL_H

#include <stdbool.h>

#include "convert/stream.h"

typedef struct glm_journal {
    int fd; /* -1: none */
    char *path;
} glm_journal;

#define GLM_JOURNAL_NONE ((glm_journal){.fd = -1})

/** What the list says of a tensor. */
typedef struct glm_journal_entry {
    bool is_done;
    glm_stream_result result;
} glm_journal_entry;

/**
 * Open or begin the list at `path`.
 *
 * @param run      what this run is: 64 hex digits; another run's list is emptied
 * @param entries  out [n], those listed marked as done
 * Errors: GLM_EIO, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_journal_open(glm_journal *out, const char *path, const char *run,
                                           glm_journal_entry *entries, uint32_t n, glm_error *err);

/** Enter tensor `index`. Errors: GLM_EIO. */
GLM_MUST_CHECK glm_status glm_journal_append(const glm_journal *journal, uint32_t index,
                                             const glm_stream_result *result, glm_error *err);

/** Close, and remove the file if `is_done`. GLM_JOURNAL_NONE is fine. */
void glm_journal_close(glm_journal *journal, bool is_done);

#endif
