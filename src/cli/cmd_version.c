// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <string.h>

#include "core/json_write.h"
#include "glm/glm.h"

/* The line "key: value" has this key. */
static bool is_key(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, key, length) == 0 && line[length] == ':';
}

/* glm_build_info as members of the open object: a line "key: value" each, blanks in keys as underlines. */
static void write_build_info(glm_json_writer *w)
{
    for (const char *line = glm_build_info(); *line;) {
        size_t length = strcspn(line, "\n");
        const char *colon = memchr(line, ':', length);
        if (colon && !is_key(line, "version")) { /* it stands first already */
            char key[64];
            size_t n = (size_t)(colon - line);
            if (n >= sizeof key)
                n = sizeof key - 1;
            memcpy(key, line, n);
            key[n] = '\0';
            for (char *s = key; *s; s++)
                if (*s == ' ' || *s == '-')
                    *s = '_';
            const char *value = colon + 1;
            while (*value == ' ')
                value++;
            glm_json_put_text(w, key, (glm_text){value, length - (size_t)(value - line)});
        }
        line += length + (line[length] == '\n');
    }
}

glm_status cmd_version(cli_context *cli, glm_error *err)
{
    if (!cli_flag(&cli->args, OPT_JSON)) {
        cli_printf(&cli->out, "glm %s\n", glm_version());
        for (const char *line = glm_build_info(); *line;) {
            size_t length = strcspn(line, "\n");
            if (!is_key(line, "version"))
                cli_printf(&cli->out, "%.*s\n", (int)length, line);
            line += length + (line[length] == '\n');
        }
        return GLM_OK;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "version", glm_version());
    write_build_info(&w);
    glm_json_end_object(&w);
    glm_status st = cli_out_json(&cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}
