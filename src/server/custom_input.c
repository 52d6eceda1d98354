// SPDX-License-Identifier: MIT
#include "server/custom_input.h"

#include <string.h>

enum { BEGINNING, TEXT, ESCAPE, DIGITS, OVER, OTHER };

static const char beginning[] = "{\"input\": \"";

/* The byte behind a backslash. */
static int escape(glm_custom_input *in, glm_str *out, char c)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *at = strchr(names, c);
    if (c == 'u') {
        in->n = in->value = 0;
        return DIGITS;
    }
    if (!c || !at)
        return OTHER;
    glm_str_append(out, &values[at - names], 1);
    return TEXT;
}

/* One of four hexadecimal digits: what is written so is below 0x80, the rest stands as it is. */
static int digit(glm_custom_input *in, glm_str *out, char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, c);
    if (!c || !at)
        return OTHER;
    in->value = in->value * 16 + (uint32_t)(at - digits);
    if (++in->n < 4)
        return DIGITS;
    char byte = (char)in->value;
    if (in->value >= 0x80)
        return OTHER;
    glm_str_append(out, &byte, 1);
    return TEXT;
}

static int step(glm_custom_input *in, glm_str *out, char c)
{
    switch (in->state) {
    case BEGINNING:
        if (c != beginning[in->n])
            return OTHER;
        return ++in->n == sizeof beginning - 1 ? TEXT : BEGINNING;
    case TEXT:
        if (c == '"')
            return OVER;
        if (c == '\\')
            return ESCAPE;
        glm_str_append(out, &c, 1);
        return TEXT;
    case ESCAPE:
        return escape(in, out, c);
    case DIGITS:
        return digit(in, out, c);
    default:
        return c == '}' ? in->state : OTHER;
    }
}

void glm_custom_input_feed(glm_custom_input *in, glm_str *out, glm_text piece)
{
    for (size_t i = 0; i < piece.length; i++)
        in->state = step(in, out, piece.data[i]);
}

bool glm_custom_input_is_whole(const glm_custom_input *in)
{
    return in->state == OVER;
}
