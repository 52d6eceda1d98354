// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "core/json_write.h"

/* Where a value holds: one command (`glm config run`, or a section of the file) or all that have it. */
typedef struct config_row {
    cli_option_id id;
    cli_command_id command; /* N_COMMANDS: all that have the option */
} config_row;

static void write_row_json(glm_json_writer *w, const cli_value *value, const config_row *row)
{
    const cli_option *option = &cli_options[row->id];
    glm_json_begin_object(w);
    glm_json_put_c(w, "option", option->name);
    glm_json_write_key(w, "value");
    if (option->is_repeatable && value->n_texts > 0) {
        glm_json_begin_array(w);
        for (size_t i = 0; i < value->n_texts; i++)
            glm_json_write_c(w, value->texts[i]);
        glm_json_end_array(w);
    } else if (option->kind == KIND_FLAG) {
        glm_json_write_bool(w, value->on);
    } else if (value->text) {
        glm_json_write_c(w, value->text);
    } else {
        glm_json_write_null(w);
    }
    glm_json_put_c(w, "source", cli_source_name(value->source));
    glm_json_write_key(w, "where");
    if (value->source == SOURCE_DEFAULT)
        glm_json_write_null(w);
    else
        glm_json_write_c(w, value->where);
    glm_json_write_key(w, "commands");
    glm_json_begin_array(w);
    for (size_t c = 0; c < N_COMMANDS; c++)
        if (row->command == N_COMMANDS ? (option->commands >> c & 1) : row->command == c)
            glm_json_write_c(w, cli_commands[c].name);
    glm_json_end_array(w);
    glm_json_end_object(w);
}

static void write_row_text(cli_out *out, const cli_value *value, const config_row *row)
{
    const cli_option *option = &cli_options[row->id];
    char name[64];
    snprintf(name, sizeof name, "%s%s%s",
             row->command == N_COMMANDS ? "" : cli_commands[row->command].name,
             row->command == N_COMMANDS ? "" : " ", option->name);
    const char *text = value->text            ? value->text
                       : option->default_text ? option->default_text
                                              : "-";
    if (option->kind == KIND_FLAG)
        text = value->on ? "on" : "off";
    cli_printf(out, "%-28s", name);
    if (value->n_texts == 0)
        cli_write_foreign(out, text, strlen(text));
    for (size_t i = 0; i < value->n_texts; i++) {
        cli_puts(out, i ? " | " : "");
        cli_write_foreign(out, value->texts[i], strlen(value->texts[i]));
    }
    cli_printf(out, "  (%s)\n",
               value->source == SOURCE_DEFAULT ? cli_source_name(SOURCE_DEFAULT) : value->where);
}

/* Write one row; rows of sections that set nothing are left out. */
static glm_status write_row(cli_context *cli, glm_json_writer *w, const config_row *row,
                            glm_error *err)
{
    cli_args *args = &cli->args;
    cli_value *value = &args->values[row->id];
    glm_status st = cli_args_resolve(args, row->command, row->id, err);
    if (st != GLM_OK)
        return st;
    if (value->source == SOURCE_DEFAULT && cli_options[row->id].has_default)
        value->text = cli_options[row->id].default_text;
    if (w)
        write_row_json(w, value, row);
    else
        write_row_text(&cli->out, value, row);
    return GLM_OK;
}

/* The file has a setting of this option in the command's own section. */
static bool has_section_setting(const cli_config *config, cli_command_id command,
                                const cli_option *option)
{
    for (size_t i = 0; i < config->n_settings; i++)
        if (config->settings[i].section == (int)command &&
            strcmp(config->settings[i].name, option->name) == 0)
            return true;
    return false;
}

static glm_status write_rows(cli_context *cli, glm_json_writer *w, cli_command_id only,
                             glm_error *err)
{
    glm_status st = GLM_OK;
    for (size_t id = 0; id < N_OPTIONS && st == GLM_OK; id++) {
        const cli_option *option = &cli_options[id];
        if (id == OPT_HELP || (only != N_COMMANDS && !(option->commands >> only & 1)))
            continue;
        config_row row = {.id = (cli_option_id)id, .command = only};
        st = write_row(cli, w, &row, err);
        for (size_t c = 0; c < N_COMMANDS && st == GLM_OK && only == N_COMMANDS; c++) {
            row.command = (cli_command_id)c;
            if ((option->commands >> c & 1) &&
                has_section_setting(&cli->args.config, row.command, option))
                st = write_row(cli, w, &row, err);
        }
    }
    return st;
}

glm_status cmd_config(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    cli_command_id only = N_COMMANDS;
    if (args->n_arguments > 0) {
        only = cli_command_find(args->arguments[0]);
        if (only == N_COMMANDS)
            return glm_fail(err, GLM_EARG, "%.64s: expected a command of `glm help`",
                            args->arguments[0]);
    }
    const char *path = args->config.path ? args->config.path : args->default_config;
    if (!cli_flag(args, OPT_JSON)) {
        cli_printf(&cli->out, "config file: %s%s\n\n", path ? path : "none",
                   args->config.path ? "" : " (absent)");
        return write_rows(cli, NULL, only, err);
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "file");
    if (args->config.path)
        glm_json_write_c(&w, args->config.path);
    else
        glm_json_write_null(&w);
    glm_json_write_key(&w, "options");
    glm_json_begin_array(&w);
    glm_status st = write_rows(cli, &w, only, err);
    glm_json_end_array(&w);
    glm_json_end_object(&w);
    if (st == GLM_OK)
        st = cli_out_json(&cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}
