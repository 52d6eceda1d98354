// SPDX-License-Identifier: MIT
#include "cli/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The factor a suffix stands for, or 0. */
static uint64_t suffix_factor(const char *suffix, bool is_bytes)
{
    static const char letters[] = "KMGT";
    if (!*suffix)
        return 1;
    const char *letter = strchr(letters, *suffix);
    if (!letter)
        return 0;
    uint64_t base;
    if (!suffix[1])
        base = 1000;
    else if (is_bytes && strcmp(suffix + 1, "iB") == 0)
        base = 1024;
    else
        return 0;
    uint64_t factor = base;
    for (const char *l = letters; l < letter; l++)
        factor *= base;
    return factor;
}

static bool parse_scaled(const char *text, bool is_bytes, uint64_t *out)
{
    uint64_t mantissa = 0;
    uint64_t divisor = 1;
    bool has_point = false;
    const char *s = text;
    size_t n_digits = 0;
    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !has_point); s++) {
        if (*s == '.') {
            has_point = true;
            if (n_digits == 0 || s[1] < '0' || s[1] > '9')
                return false;
            continue;
        }
        n_digits++;
        if (__builtin_mul_overflow(mantissa, 10u, &mantissa) ||
            __builtin_add_overflow(mantissa, (uint64_t)(*s - '0'), &mantissa))
            return false;
        if (has_point && __builtin_mul_overflow(divisor, 10u, &divisor))
            return false;
    }
    uint64_t factor = suffix_factor(s, is_bytes);
    if (n_digits == 0 || factor == 0)
        return false;
    /* mantissa * factor / divisor, exactly, without a wider type: cancel powers of 2 and 5 first. */
    while (divisor > 1 && divisor % 2 == 0 && factor % 2 == 0) {
        divisor /= 2;
        factor /= 2;
    }
    while (divisor > 1 && divisor % 5 == 0 && factor % 5 == 0) {
        divisor /= 5;
        factor /= 5;
    }
    if (mantissa % divisor != 0)
        return false;
    return !__builtin_mul_overflow(mantissa / divisor, factor, out);
}

bool cli_parse_count(const char *text, uint64_t *out)
{
    return parse_scaled(text, false, out);
}

bool cli_parse_bytes(const char *text, uint64_t *out)
{
    return parse_scaled(text, true, out);
}

bool cli_parse_real(const char *text, double *out)
{
    if (!*text || text[strspn(text, "0123456789.eE+-")] || *text == '+')
        return false;
    char *end;
    errno = 0;
    /* The program never sets LC_NUMERIC, so the point is a point. */
    double value = strtod(text, &end);
    if (*end || !isfinite(value) || (errno == ERANGE && value != 0))
        return false;
    *out = value;
    return true;
}

bool cli_parse_switch(const char *text, bool *out)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 != 0;
            return true;
        }
    return false;
}

bool cli_parse_counts(const char *text, uint64_t *out, size_t max, size_t *n)
{
    *n = 0;
    for (const char *s = text;;) {
        size_t length = strcspn(s, ",");
        char item[64];
        if (length >= sizeof item || *n == max)
            return false;
        memcpy(item, s, length);
        item[length] = '\0';
        if (!cli_parse_count(item, &out[*n]))
            return false;
        ++*n;
        if (!s[length])
            return true;
        s += length + 1;
    }
}

const char *cli_human(char out[32], uint64_t value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    double scaled = (double)value;
    size_t i = 0;
    for (; scaled >= 999.95 && i < 5; i++)
        scaled /= 1000;
    snprintf(out, 32, i ? "%.1f %s%s" : "%.0f %s%s", scaled, prefixes[i], unit);
    return out;
}
