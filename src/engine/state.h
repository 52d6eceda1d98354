// SPDX-License-Identifier: MIT
/*
 * Prefixes on disk: a folder of state files (engine/state_file.h) and an index of the pages in them. Writing happens on a thread
 * of its own, reading on the caller's. Pages are found by the id that names all tokens up to their end.
 *
 *     if (glm_state_open(&state, dir, &binding, max_bytes, log, ctx, err)) ...
 *     if (glm_state_load(state, &id, page))  ...               // else it is to be computed
 *     glm_state_save(state, job)                               // pages stay as they are until it is taken back
 *     while ((job = glm_state_take_done(state))) ...
 *
 * One process at a time uses a folder. A file that is damaged, or written for something else, is told of once and left alone. When the
 * folder grows beyond its bound the files not used for longest go first; what a process wrote in full survives its death.
 */
#ifndef GLM_ENGINE_STATE_H
#define GLM_ENGINE_STATE_H

#include "engine/state_file.h"
#include "glm/scheduler.h"

#define GLM_STATE_FILES_MAX 4096u
#define GLM_STATE_FILE_BYTES_MAX ((uint64_t)8 << 30)

typedef struct glm_state glm_state;

/** A run of pages on its way to the disk. Made and freed by the caller; the state reads it until it is taken back. */
typedef struct glm_state_job {
    glm_state_run run; /* its arrays are the next two */
    int32_t *tokens;
    const void **data;
    glm_state_id *id; /* [run.n_page] */
    uint32_t *page;   /* [run.n_page] the caller's: numbers of the pages it holds for the job */
    bool was_written;
    struct glm_state_job *next;
} glm_state_job;

/** A job for n pages, its arrays empty, or NULL without memory; glm_state_job_destroy frees it. */
glm_state_job *glm_state_job_create(uint32_t n_page);
void glm_state_job_destroy(glm_state_job *job);

typedef struct glm_state_counts {
    uint32_t n_file, n_bad;              /* indexed; ignored since the start */
    uint64_t n_bytes, n_saved, n_loaded; /* of the folder's files; pages */
} glm_state_counts;

/**
 * Open (or make) the folder, look into its files, start the thread.
 *
 * Errors: GLM_EIO (no permission, used by another process), GLM_EFORMAT (no folder), GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_state_open(glm_state **out, const char *dir,
                                         const glm_state_binding *binding, uint64_t max_bytes,
                                         glm_log_fn *log, void *log_ctx, glm_error *err);

/** Write what is still to be written, stop. Jobs that were not taken back are freed. NULL is fine. */
void glm_state_close(glm_state *s);

/** True when the page is in the folder or on its way there. */
bool glm_state_has(glm_state *s, const glm_state_id *id);

/** Read the page into data [page_bytes]. False: it is not there, or is damaged (then it is forgotten). */
bool glm_state_load(glm_state *s, const glm_state_id *id, void *data);

/** Write a job's pages. It belongs to the state until it is taken back. */
void glm_state_save(glm_state *s, glm_state_job *job);

/** A job that is over, back to the caller; NULL: none. */
glm_state_job *glm_state_take_done(glm_state *s);

/** Wait until nothing is left to be written. */
void glm_state_flush(glm_state *s);

void glm_state_get_counts(glm_state *s, glm_state_counts *out);

#endif
