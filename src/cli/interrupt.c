// SPDX-License-Identifier: MIT
#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* A signal handler can reach nothing but globals. Both are lock-free atomics; the handler is the only
 * writer of n_signals besides cli_interrupt_clear. */
static atomic_int n_signals;
static _Atomic(glm_engine *) running_engine;

static void on_sigint(int number)
{
    (void)number;
    if (atomic_fetch_add(&n_signals, 1) > 0)
        _exit(130);
    glm_engine *engine = atomic_load(&running_engine);
    if (engine)
        glm_engine_cancel(engine);
}

void cli_interrupt_init(void)
{
    struct sigaction old;
    /* A shell starts background jobs with SIGINT ignored; that stays. */
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    struct sigaction action = {.sa_handler = on_sigint};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL); /* no SA_RESTART: a blocked read or write returns */
}

bool cli_is_interrupted(void)
{
    return atomic_load(&n_signals) > 0;
}

void cli_interrupt_clear(void)
{
    atomic_store(&n_signals, 0);
}

void cli_interrupt_set_engine(glm_engine *engine)
{
    atomic_store(&running_engine, engine);
}

ssize_t cli_read(int fd, void *data, size_t size)
{
    /* SIGINT is let in only while waiting, so that none falls between the question and the wait. */
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    for (;;) {
        pthread_sigmask(SIG_BLOCK, &interrupt, &before);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = cli_is_interrupted() ? 0 : ppoll(&wait, 1, NULL, &before);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (cli_is_interrupted()) {
            errno = EINTR;
            return -1;
        }
        if (ready < 0)
            continue; /* another signal: the window changed its size */
        ssize_t n = read(fd, data, size);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n;
    }
}
