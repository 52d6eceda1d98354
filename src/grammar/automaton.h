// SPDX-License-Identifier: MIT
/*
 * The automaton of a program, built as it is needed. A state is a set of threads, each a place in the
 * program with a stack of places to return to; equal stacks are one frame, equal sets one state, so a state
 * is a number, copying costs nothing, and a step taken before is one look-up.
 *
 * The place of a thread is an instruction that takes a byte: RANGE, TEXT (entered when its first byte comes) or NAME.
 * Which tokens can follow a set of threads is the union of what can follow each of them, so a state may be cut
 * into states of fewer threads (glm_automaton_subset).
 *
 * Private to the folder; a matcher owns one.
 */
#ifndef GLM_GRAMMAR_AUTOMATON_H
#define GLM_GRAMMAR_AUTOMATON_H

#include "grammar/program.h"

#define GLM_STATE_NONE 0u /* not known yet; as a result: see status */
#define GLM_STATE_DEAD 1u /* no way on */
#define GLM_STACK_MAX 512 /* frames of a stack; a thread that wants more is dropped */

#define GLM_AUTOMATON_THREADS_MAX 32768 /* of one state, those passed on the way included */
#define GLM_FRAME_MARK 0x80000000u /* in glm_frame.ret: no place, a mark of the rule that runs */
/* Threads looked at for one mask or token; above it GLM_ELIMIT. Some tens of milliseconds. */
#define GLM_AUTOMATON_WORK_MAX ((size_t)1 << 22)
#define GLM_AUTOMATON_BYTES_SOFT ((size_t)16 << 20) /* above it glm_automaton_is_full */
#define GLM_AUTOMATON_BYTES_HARD ((size_t)96 << 20) /* above it steps fail with GLM_ELIMIT */

typedef struct glm_frame {
    uint32_t ret, parent, depth;
} glm_frame;

typedef struct glm_thread {
    uint32_t place, frame;
} glm_thread;

typedef struct glm_state {
    uint32_t first, n; /* threads, sorted */
    bool is_end;
} glm_state;

typedef struct glm_automaton {
    const glm_prog *prog;
    glm_frame *frames;
    glm_thread *threads;
    glm_state *states;
    uint32_t *next;        /* [n_states, n_classes] */
    uint32_t *frame_table; /* open addressing, 0: free */
    uint32_t *state_table;
    glm_thread *work; /* [work_capacity] what a step has reached; so are the next three */
    glm_thread *kept;
    uint32_t *work_table; /* [4 * work_capacity] index into work, where the stamp fits */
    uint32_t *work_stamp;
    size_t work_capacity;
    size_t n_frames, n_threads, n_states;
    size_t frame_capacity, thread_capacity, state_capacity;
    size_t frame_table_size, state_table_size;
    size_t n_work, n_kept;
    uint32_t stamp;
    size_t work_left;  /* threads that steps may still look at, of GLM_AUTOMATON_WORK_MAX */
    glm_status status; /* of the last step that returned NONE */
} glm_automaton;

/** Prepare for `prog`, which is borrowed; state GLM_STATE_DEAD exists. deinit accepts a failed one. */
GLM_MUST_CHECK glm_status glm_automaton_init(glm_automaton *a, const glm_prog *prog);
void glm_automaton_deinit(glm_automaton *a);

/** The state before any byte of rule `rule` (0 is the whole), or NONE. */
uint32_t glm_automaton_start(glm_automaton *a, uint32_t rule);

/** The state at `place` on the stack `frame`, or NONE. */
uint32_t glm_automaton_enter(glm_automaton *a, uint32_t place, uint32_t frame);

/** The state of these threads (sorted, apart), which is no end; NONE on failure. */
uint32_t glm_automaton_subset(glm_automaton *a, const glm_thread *threads, size_t n);

/** Build the step; glm_automaton_step is the one to call. */
uint32_t glm_automaton_build_step(glm_automaton *a, uint32_t state, uint8_t byte);

/** The state behind `byte`, or NONE with a->status set. */
static inline uint32_t glm_automaton_step(glm_automaton *a, uint32_t state, uint8_t byte)
{
    uint32_t next = a->next[state * a->prog->n_classes + a->prog->class_of[byte]];
    return next != GLM_STATE_NONE ? next : glm_automaton_build_step(a, state, byte);
}

/** True when it is time to move on to a fresh automaton. */
bool glm_automaton_is_full(const glm_automaton *a);

/** The state of `to` with the threads of state `state` of `from`, or NONE. Same program. */
uint32_t glm_automaton_copy_state(glm_automaton *to, const glm_automaton *from, uint32_t state);

#endif
