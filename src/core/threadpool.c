// SPDX-License-Identifier: MIT
#include "core/threadpool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"

/* A worker that finds nothing to do spins this long before it sleeps; a decode step's gaps are shorter. With more threads than
 * processors it does not spin: it would keep from its processor the one that it waits for. */
#define SPIN_NS 50000
/* Pauses between looks at the clock. */
#define SPINS_PER_LOOK 64

/*
 * A run is published by raising `generation`. Workers that see it register in `n_inside`, take chunks from `next` until there
 * are none, and leave. The caller works too; when the chunks are taken it closes the run (new workers turn away) and waits
 * until everybody has left. So a worker that slept through a run never touches it.
 */
struct glm_pool {
    uint32_t n_threads;
    uint32_t spin_ns;
    pthread_t *thread; /* [n_threads - 1] */

    glm_pool_fn *fn;
    void *ctx;
    uint32_t n_chunks;

    _Alignas(64)
        atomic_uint generation;        /* odd while a run is open; futex word of sleeping workers */
    _Alignas(64) atomic_uint next;     /* chunk to take */
    _Alignas(64) atomic_uint n_inside; /* workers in the run; futex word of the waiting caller */
    _Alignas(64) atomic_uint n_asleep;
    atomic_bool is_caller_asleep;
    atomic_bool must_stop;
};

/* Those that this process may run on; all where the system does not say. */
static uint32_t usable_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : UINT32_MAX;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(atomic_uint *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static void work(glm_pool *pool, uint32_t worker)
{
    uint32_t n = pool->n_chunks;
    for (;;) {
        uint32_t chunk = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (chunk >= n)
            return;
        pool->fn(pool->ctx, worker, chunk);
    }
}

/* Spin while *word is `seen`, for the pool's time. True when it changed. */
static bool spin_while(const glm_pool *pool, atomic_uint *word, uint32_t seen)
{
    if (pool->spin_ns == 0)
        return atomic_load_explicit(word, memory_order_acquire) != seen;
    uint64_t end = glm_clock_ns() + pool->spin_ns;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != seen)
                return true;
            relax();
        }
    } while (glm_clock_ns() < end);
    return false;
}

/* The next generation after `seen`. */
static uint32_t await_generation(glm_pool *pool, uint32_t seen)
{
    while (!spin_while(pool, &pool->generation, seen)) {
        atomic_fetch_add(&pool->n_asleep, 1);
        /* The caller raises generation first and looks at n_asleep after; one of the two sees the other. */
        if (atomic_load(&pool->generation) == seen)
            futex_wait(&pool->generation, seen);
        atomic_fetch_sub(&pool->n_asleep, 1);
        if (atomic_load(&pool->generation) != seen)
            break;
    }
    return atomic_load(&pool->generation);
}

static void leave(glm_pool *pool)
{
    if (atomic_fetch_sub(&pool->n_inside, 1) == 1 && atomic_load(&pool->is_caller_asleep))
        futex_wake(&pool->n_inside, 1);
}

typedef struct start {
    glm_pool *pool;
    uint32_t worker;
} start;

static void *worker_main(void *arg)
{
    start s = *(start *)arg;
    free(arg);
    glm_pool *pool = s.pool;
    uint32_t seen = 0;
    for (;;) {
        seen = await_generation(pool, seen);
        if (atomic_load(&pool->must_stop))
            return NULL;
        if (seen % 2 == 0)
            continue;
        atomic_fetch_add(&pool->n_inside, 1);
        if (atomic_load(&pool->generation) == seen)
            work(pool, s.worker);
        leave(pool);
    }
}

static glm_status start_worker(glm_pool *pool, uint32_t worker, glm_error *err)
{
    start *s = glm_new(start);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "thread %u: no memory", worker);
    *s = (start){pool, worker};
    int failed = pthread_create(&pool->thread[worker - 1], NULL, worker_main, s);
    if (failed) {
        free(s);
        return glm_fail(err, GLM_EIO, "thread %u of %u: %s", worker + 1, pool->n_threads,
                        failed == EAGAIN ? "the system gives no more threads" : "cannot start");
    }
    return GLM_OK;
}

/* Workers leave signals to the program's own threads. */
static glm_status start_workers(glm_pool *pool, glm_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    /* A fault in a mapping is handled on the thread that met it. */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    glm_status st = GLM_OK;
    uint32_t n = 1;
    while (n < pool->n_threads && st == GLM_OK) {
        st = start_worker(pool, n, err);
        if (st == GLM_OK)
            n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (st != GLM_OK)
        pool->n_threads = n; /* those to be joined */
    return st;
}

glm_status glm_pool_create(glm_pool **out, uint32_t n_threads, glm_error *err)
{
    glm_pool *pool = glm_alloc_aligned(sizeof *pool);
    pthread_t *thread = glm_new_array(pthread_t, n_threads);
    if (!pool || !thread) {
        free(pool);
        free(thread);
        return glm_fail(err, GLM_ENOMEM, "pool of %u threads: no memory", n_threads);
    }
    pool->thread = thread;
    pool->n_threads = n_threads;
    pool->spin_ns = n_threads > usable_processors() ? 0 : SPIN_NS;
    glm_status st = start_workers(pool, err);
    if (st != GLM_OK) {
        glm_pool_destroy(pool);
        return st;
    }
    *out = pool;
    return GLM_OK;
}

void glm_pool_destroy(glm_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->must_stop, true);
    atomic_fetch_add(&pool->generation, 2);
    futex_wake(&pool->generation, INT32_MAX);
    for (uint32_t i = 1; i < pool->n_threads; i++)
        pthread_join(pool->thread[i - 1], NULL);
    free(pool->thread);
    free(pool);
}

uint32_t glm_pool_threads(const glm_pool *pool)
{
    return pool->n_threads;
}

/* Wait until every worker has left the run. */
static void await_workers(glm_pool *pool)
{
    uint32_t inside;
    while ((inside = atomic_load(&pool->n_inside)) != 0) {
        if (spin_while(pool, &pool->n_inside, inside))
            continue;
        atomic_store(&pool->is_caller_asleep, true);
        inside = atomic_load(&pool->n_inside);
        if (inside)
            futex_wait(&pool->n_inside, inside);
        atomic_store(&pool->is_caller_asleep, false);
    }
}

void glm_pool_run(glm_pool *pool, glm_pool_fn *fn, void *ctx, uint32_t n_chunks)
{
    if (pool->n_threads == 1 || n_chunks <= 1) {
        for (uint32_t chunk = 0; chunk < n_chunks; chunk++)
            fn(ctx, 0, chunk);
        return;
    }
    pool->fn = fn;
    pool->ctx = ctx;
    pool->n_chunks = n_chunks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_fetch_add(&pool->generation, 1); /* open */
    if (atomic_load(&pool->n_asleep))
        futex_wake(&pool->generation, (int)(n_chunks < INT32_MAX ? n_chunks - 1 : INT32_MAX));
    work(pool, 0);
    atomic_fetch_add(&pool->generation, 1); /* closed */
    await_workers(pool);
}
