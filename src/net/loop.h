// SPDX-License-Identifier: MIT
/*
 * The event loop (libevent's), for those outside src/net: descriptors, signals and timers that call a function on the loop's thread.
 *
 *     glm_loop_create(&loop, &err);
 *     glm_watch_signal(&watch, loop, SIGTERM, on_stop, me, &err);
 *     glm_loop_run(loop);                       until glm_loop_stop
 */
#ifndef GLM_NET_LOOP_H
#define GLM_NET_LOOP_H

#include "glm/error.h"

struct event_base;
typedef struct glm_loop glm_loop;
typedef struct glm_watch glm_watch;
typedef void glm_watch_fn(void *ctx);

GLM_MUST_CHECK glm_status glm_loop_create(glm_loop **out, glm_error *err);
/** All watches must be freed. NULL is fine. */
void glm_loop_destroy(glm_loop *loop);
/** Run until glm_loop_stop. */
void glm_loop_run(glm_loop *loop);
/** End glm_loop_run after so many seconds; 0: as soon as the running function returns. */
void glm_loop_stop(glm_loop *loop, double after_s);
/** For glm_http_server_create. */
struct event_base *glm_loop_base(glm_loop *loop);

/** Call fn whenever fd can be read. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_watch_read(glm_watch **out, glm_loop *loop, int fd, glm_watch_fn *fn,
                                         void *ctx, glm_error *err);
/** Call fn (not in the signal's handler) when the process gets the signal. */
GLM_MUST_CHECK glm_status glm_watch_signal(glm_watch **out, glm_loop *loop, int signal,
                                           glm_watch_fn *fn, void *ctx, glm_error *err);
/** Call fn every so many seconds. */
GLM_MUST_CHECK glm_status glm_watch_timer(glm_watch **out, glm_loop *loop, double seconds,
                                          glm_watch_fn *fn, void *ctx, glm_error *err);
/** Stop watching; NULL is fine. */
void glm_watch_free(glm_watch *watch);

#endif
