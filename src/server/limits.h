// SPDX-License-Identifier: MIT
/*
 * What a request may hold. The server checks the first group itself; the second repeats, for /props, what
 * src/chat/conversation.h, src/grammar/grammar.h and src/engine/state.h check (tests/server/contracts_test.py sends one more than
 * is told).
 */
#ifndef GLM_SERVER_LIMITS_H
#define GLM_SERVER_LIMITS_H

#include <stdint.h>

#define BODY_DEPTH_MAX 64u
#define BODY_FIELDS_MAX 4096u
#define CHOICES_MAX 8u
#define PROMPTS_MAX 256u
#define STOPS_MAX 16u
#define STOP_BYTES_MAX 256u
#define BIASES_MAX 1024u
#define TOP_LOGPROBS_MAX 20u

#define MESSAGES_MAX 10000u
#define PARTS_MAX 1000u
#define TOOLS_MAX 512u
#define SCHEMA_BYTES_MAX (256u << 10)
#define SCHEMA_DEPTH_MAX 64u
#define STATE_FILES_MAX 4096u
#define STATE_FILE_BYTES_MAX (UINT64_C(8) << 30)

#endif
