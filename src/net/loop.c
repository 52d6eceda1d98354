// SPDX-License-Identifier: MIT
#include "net/loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/mem.h"

struct glm_loop {
    struct event_base *base;
};

struct glm_watch {
    struct event *event;
    glm_watch_fn *fn;
    void *ctx;
};

static struct timeval time_of(double seconds)
{
    time_t whole = (time_t)seconds;
    return (struct timeval){.tv_sec = whole,
                            .tv_usec = (suseconds_t)((seconds - (double)whole) * 1e6)};
}

glm_status glm_loop_create(glm_loop **out, glm_error *err)
{
    glm_loop *loop = glm_new(glm_loop);
    if (loop)
        loop->base = event_base_new();
    if (!loop || !loop->base) {
        free(loop);
        return glm_fail(err, GLM_ENOMEM, "the event loop");
    }
    *out = loop;
    return GLM_OK;
}

void glm_loop_destroy(glm_loop *loop)
{
    if (!loop)
        return;
    event_base_free(loop->base);
    free(loop);
}

void glm_loop_run(glm_loop *loop)
{
    event_base_dispatch(loop->base);
}

void glm_loop_stop(glm_loop *loop, double after_s)
{
    struct timeval after = time_of(after_s);
    if (after_s > 0)
        event_base_loopexit(loop->base, &after);
    else
        event_base_loopbreak(loop->base);
}

struct event_base *glm_loop_base(glm_loop *loop)
{
    return loop->base;
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
    glm_watch *w = ctx;
    (void)fd;
    (void)what;
    w->fn(w->ctx);
}

static glm_status watch(glm_watch **out, glm_loop *loop, int fd, short what,
                        const struct timeval *every, glm_watch_fn *fn, void *ctx, glm_error *err)
{
    glm_watch *w = glm_new(glm_watch);
    if (!w)
        return glm_fail(err, GLM_ENOMEM, "the event loop");
    w->fn = fn;
    w->ctx = ctx;
    w->event = event_new(loop->base, fd, (short)(what | EV_PERSIST), on_event, w);
    if (!w->event || event_add(w->event, every) != 0) {
        glm_watch_free(w);
        return glm_fail(err, GLM_ENOMEM, "the event loop");
    }
    *out = w;
    return GLM_OK;
}

glm_status glm_watch_read(glm_watch **out, glm_loop *loop, int fd, glm_watch_fn *fn, void *ctx,
                          glm_error *err)
{
    return watch(out, loop, fd, EV_READ, NULL, fn, ctx, err);
}

glm_status glm_watch_signal(glm_watch **out, glm_loop *loop, int signal, glm_watch_fn *fn,
                            void *ctx, glm_error *err)
{
    return watch(out, loop, signal, EV_SIGNAL, NULL, fn, ctx, err);
}

glm_status glm_watch_timer(glm_watch **out, glm_loop *loop, double seconds, glm_watch_fn *fn,
                           void *ctx, glm_error *err)
{
    struct timeval every = time_of(seconds);
    return watch(out, loop, -1, 0, &every, fn, ctx, err);
}

void glm_watch_free(glm_watch *w)
{
    if (!w)
        return;
    if (w->event)
        event_free(w->event);
    free(w);
}
