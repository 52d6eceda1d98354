// SPDX-License-Identifier: MIT
/*
 * Numbers as people write them on a command line, read strictly: the whole text is the number, nothing is
 * clamped, and infinities, NaN, hexadecimal and signs on counts are refused. And sizes as people read them.
 */
#ifndef GLM_CLI_NUMBERS_H
#define GLM_CLI_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * A count: digits, perhaps with a decimal fraction, then perhaps K, M, G or T (powers of 1000). The value must
 * be whole: "1.5K" is 1500, "1.5" is refused.
 */
bool cli_parse_count(const char *text, uint64_t *out);

/** A size in bytes: as a count, and KiB, MiB, GiB, TiB are powers of 1024. */
bool cli_parse_bytes(const char *text, uint64_t *out);

/** A finite decimal number: "0.7", "-2", "1e-5", ".5". */
bool cli_parse_real(const char *text, double *out);

/** on/off, true/false, yes/no, 1/0. */
bool cli_parse_switch(const char *text, bool *out);

/** Counts separated by commas; at most `max`. */
bool cli_parse_counts(const char *text, uint64_t *out, size_t max, size_t *n);

/** "753.2 GB" for value 753.2e9 and unit "B": powers of 1000. Returns out. */
const char *cli_human(char out[32], uint64_t value, const char *unit);

#endif
