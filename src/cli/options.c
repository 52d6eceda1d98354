// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config_file.h"
#include "cli/ids.h"
#include "cli/numbers.h"
#include "core/mem.h"

const char *cli_source_name(cli_source source)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};
    return names[source];
}

void cli_environment_name(char out[64], const cli_option *option)
{
    snprintf(out, 64, "GLM_%s", option->name);
    for (char *s = out + 4; *s; s++)
        *s = *s == '-' ? '_' : (char)(*s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
}

cli_command_id cli_command_find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return (cli_command_id)i;
    return N_COMMANDS;
}

/* ---- Near misses ---- */

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64];
    size_t n = strlen(b);
    if (n >= 64 || strlen(a) >= 64)
        return 64;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[n];
}

static glm_status unknown_command(const char *name, glm_error *err)
{
    glm_status st = glm_fail(err, GLM_EARG, "%.64s: expected a command of `glm help`", name);
    size_t best = 3;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        size_t distance = edit_distance(name, cli_commands[i].name);
        if (distance < best) {
            best = distance;
            glm_error_hint(err, "did you mean %s?", cli_commands[i].name);
        }
    }
    return st;
}

static glm_status unknown_option(const char *name, size_t length, cli_command_id command,
                                 glm_error *err)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), name);
    glm_status st = glm_fail(err, GLM_EARG, "--%s: expected an option of `glm help %s`", word,
                             cli_commands[command].name);
    size_t best = 3;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        size_t distance = edit_distance(word, cli_options[i].name);
        if ((cli_options[i].commands >> command & 1) && distance < best) {
            best = distance;
            glm_error_hint(err, "did you mean --%s?", cli_options[i].name);
        }
    }
    return st;
}

/* ---- One value ---- */

/* What a value of this option looks like, for errors: "a count from 1 to 4096". */
static void describe(char *out, size_t size, const cli_option *option)
{
    unsigned long long min = option->min, max = option->max;
    switch (option->kind) {
    case KIND_FLAG:
        snprintf(out, size, "on or off");
        break;
    case KIND_COUNT:
        if (max == UINT64_MAX)
            snprintf(out, size, "a count (digits, perhaps K, M, G or T)");
        else
            snprintf(out, size, "a count from %llu to %llu", min, max);
        break;
    case KIND_BYTES:
        snprintf(out, size, "a size in bytes from 1 to 1024 TiB, such as 8GiB");
        break;
    case KIND_REAL:
        snprintf(out, size, "a number from %g to %g", option->real_min, option->real_max);
        break;
    case KIND_CHOICE:
        snprintf(out, size, "one of %s", option->choices);
        break;
    case KIND_COUNTS:
        snprintf(out, size, "counts from %llu to %llu separated by commas, at most %d", min, max,
                 CLI_COUNTS_MAX);
        break;
    case KIND_BIAS:
        snprintf(out, size, "ID=X with X from -100 to 100");
        break;
    case KIND_IDS:
        snprintf(out, size, "token ids separated by commas or blanks, or @FILE");
        break;
    case KIND_TEXT:
    case KIND_FILE:
    case KIND_DIR:
        snprintf(out, size, "%s", option->argument);
        break;
    }
}

static int choice_index(const char *choices, const char *word)
{
    size_t length = strlen(word);
    int index = 0;
    for (const char *s = choices;; index++) {
        size_t n = strcspn(s, "|");
        if (n == length && memcmp(s, word, n) == 0)
            return index;
        if (!s[n])
            return -1;
        s += n + 1;
    }
}

/* Read `text` into *value by the option's kind. */
static bool parse_value(const cli_option *option, const char *text, cli_value *value)
{
    uint64_t counts[CLI_COUNTS_MAX];
    size_t n;
    switch (option->kind) {
    case KIND_FLAG:
        return cli_parse_switch(text, &value->on);
    case KIND_COUNT:
        return cli_parse_count(text, &value->count) && value->count >= option->min &&
               value->count <= option->max;
    case KIND_BYTES:
        return cli_parse_bytes(text, &value->count) && value->count >= option->min &&
               value->count <= option->max;
    case KIND_REAL:
        return cli_parse_real(text, &value->real) && value->real >= option->real_min &&
               value->real <= option->real_max;
    case KIND_CHOICE:
        value->choice = choice_index(option->choices, text);
        return value->choice >= 0;
    case KIND_COUNTS:
        if (!cli_parse_counts(text, counts, CLI_COUNTS_MAX, &n))
            return false;
        for (size_t i = 0; i < n; i++)
            if (counts[i] < option->min || counts[i] > option->max)
                return false;
        return true;
    case KIND_BIAS:
        return cli_parse_biases(text, NULL, 0, &n);
    case KIND_FILE:
    case KIND_DIR:
        return *text != '\0';
    case KIND_IDS:
    case KIND_TEXT:
        return true;
    }
    return false;
}

/* Take `text` as the option's value, from `source` at `where`. */
static glm_status set_value(cli_args *args, cli_option_id id, cli_source source, const char *where,
                            const char *text, glm_error *err)
{
    const cli_option *option = &cli_options[id];
    cli_value *value = &args->values[id];
    if (!parse_value(option, text, value)) {
        char expected[160];
        describe(expected, sizeof expected, option);
        return glm_fail(err, GLM_EARG, "%s: expected %s, got %.64s", where, expected,
                        *text ? text : "nothing");
    }
    if (option->is_repeatable) {
        const char **texts = realloc(value->texts, glm_mul_size(value->n_texts + 1, sizeof *texts));
        if (!texts)
            return glm_fail(err, GLM_ENOMEM, "%s", where);
        texts[value->n_texts++] = text;
        value->texts = texts;
    }
    value->source = source;
    value->text = text;
    snprintf(value->where, sizeof value->where, "%s", where);
    return GLM_OK;
}

/* Take the option from one section of the config file; a later line replaces an earlier one. */
static glm_status resolve_section(cli_args *args, int section, cli_option_id id, glm_error *err)
{
    for (size_t i = 0; i < args->config.n_settings; i++) {
        const cli_setting *setting = &args->config.settings[i];
        if (setting->section != section || strcmp(setting->name, cli_options[id].name) != 0)
            continue;
        char where[sizeof args->values[id].where];
        snprintf(where, sizeof where, "%.100s:%u: %s", args->config.path, setting->line,
                 setting->name);
        glm_status st = set_value(args, id, SOURCE_FILE, where, setting->value, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

glm_status cli_args_resolve(cli_args *args, cli_command_id command, cli_option_id id,
                            glm_error *err)
{
    const cli_option *option = &cli_options[id];
    cli_value *value = &args->values[id];
    if (value->source == SOURCE_FLAG)
        return GLM_OK;
    free(value->texts);
    *value = (cli_value){.source = SOURCE_DEFAULT};

    char name[64];
    cli_environment_name(name, option);
    const char *variable = getenv(name);
    if (variable && *variable)
        return set_value(args, id, SOURCE_ENVIRONMENT, name, variable, err);

    /* Settings of the command's own section hide those for all. */
    glm_status st = resolve_section(args, (int)command, id, err);
    if (st == GLM_OK && value->source == SOURCE_DEFAULT)
        st = resolve_section(args, -1, id, err);
    return st;
}

/* ---- The command line ---- */

static const cli_option *find_long(cli_command_id command, const char *name, size_t length)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((cli_options[i].commands >> command & 1) && strlen(cli_options[i].name) == length &&
            memcmp(cli_options[i].name, name, length) == 0)
            return &cli_options[i];
    return NULL;
}

/* `glm config` shows what flags would do: those of the command asked about, its own, and any other's. */
static const cli_option *find_for_config(cli_command_id about, const char *name, size_t length)
{
    const cli_option *option = find_long(about, name, length);
    if (!option)
        option = find_long(CMD_CONFIG, name, length);
    for (size_t c = 0; c < N_COMMANDS && !option; c++)
        option = find_long((cli_command_id)c, name, length);
    return option;
}

static const cli_option *find_short(cli_command_id command, char letter)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((cli_options[i].commands >> command & 1) && cli_options[i].letter == letter)
            return &cli_options[i];
    return NULL;
}

/* Read the option at argv[*index]; *index moves over a value given as the next argument. */
static glm_status read_option(cli_args *args, cli_command_id command, int argc, char **argv,
                              int *index, glm_error *err)
{
    const char *word = argv[*index];
    const cli_option *option;
    const char *text = NULL;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        option = args->command == CMD_CONFIG ? find_for_config(command, word + 2, length)
                                             : find_long(command, word + 2, length);
        if (!option)
            return unknown_option(word + 2, length, command, err);
        if (word[2 + length])
            text = word + 3 + length;
    } else {
        option = find_short(command, word[1]);
        if (!option)
            return glm_fail(err, GLM_EARG, "%.64s: expected an option of `glm help %s`", word,
                            cli_commands[command].name);
        if (word[2] && option->kind == KIND_FLAG)
            return glm_fail(err, GLM_EARG, "-%c: expected nothing behind it, got %.64s", word[1],
                            word + 2);
        if (word[2])
            text = word + 2;
    }

    char where[64];
    snprintf(where, sizeof where, "--%s", option->name);
    if (!text && option->kind == KIND_FLAG) {
        text = "on";
    } else if (!text) {
        if (*index + 1 >= argc)
            return glm_fail(err, GLM_EARG, "%s: expected a value (%s), got none", where,
                            option->argument);
        text = argv[++*index];
    }
    return set_value(args, (cli_option_id)(option - cli_options), SOURCE_FLAG, where, text, err);
}

static glm_status read_command_line(cli_args *args, cli_command_id flags_of, int argc, char **argv,
                                    glm_error *err)
{
    bool are_options_over = false;
    for (int i = 0; i < argc; i++) {
        if (!are_options_over && strcmp(argv[i], "--") == 0) {
            are_options_over = true;
        } else if (!are_options_over && argv[i][0] == '-' && argv[i][1]) {
            glm_status st = read_option(args, flags_of, argc, argv, &i, err);
            if (st != GLM_OK)
                return st;
        } else if (args->n_arguments == cli_commands[args->command].n_arguments_max) {
            return glm_fail(err, GLM_EARG, "%s: expected %s, got one more: %.64s",
                            cli_commands[args->command].name,
                            args->n_arguments ? cli_commands[args->command].arguments
                                              : "no arguments",
                            argv[i]);
        } else {
            args->arguments[args->n_arguments++] = argv[i];
        }
    }
    return GLM_OK;
}

/* ---- Conflicts ---- */

/* How strongly an option is set; a flag that is set to off counts as not set. */
static int strength(const cli_args *args, cli_option_id id)
{
    const cli_value *value = &args->values[id];
    if (cli_options[id].kind == KIND_FLAG && !value->on)
        return SOURCE_DEFAULT;
    return (int)value->source;
}

/* Of two options that exclude each other the one set closer to the user holds; a tie is an error. */
static glm_status settle_conflicts(cli_args *args, glm_error *err)
{
    for (size_t i = 0; i < cli_n_conflicts; i++) {
        const cli_conflict *c = &cli_conflicts[i];
        if (!(c->commands >> args->command & 1))
            continue;
        int a = strength(args, c->a), b = strength(args, c->b);
        if (a == SOURCE_DEFAULT || b == SOURCE_DEFAULT)
            continue;
        if (a == b)
            return glm_fail(err, GLM_EARG, "%s and %s: expected at most one of them",
                            args->values[c->a].where, args->values[c->b].where);
        cli_value *weaker = &args->values[a < b ? c->a : c->b];
        free(weaker->texts);
        *weaker = (cli_value){.source = SOURCE_DEFAULT};
    }
    return GLM_OK;
}

/* ---- Defaults ---- */

static glm_status fill_defaults(cli_args *args, glm_error *err)
{
    for (size_t id = 0; id < N_OPTIONS; id++) {
        cli_value *value = &args->values[id];
        if (value->source != SOURCE_DEFAULT || !cli_options[id].has_default)
            continue;
        if (!parse_value(&cli_options[id], cli_options[id].default_text, value))
            return glm_fail(err, GLM_EINTERNAL, "default of --%s", cli_options[id].name);
        value->text = cli_options[id].default_text;
    }
    return GLM_OK;
}

/* ---- The whole ---- */

/* A path below a base folder of the XDG specification: $<variable>/<file> or ~/<fallback>/<file>; NULL
 * without either. */
static glm_status xdg_path(char **out, const char *variable, const char *fallback, const char *file,
                           glm_error *err)
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");
    int written = 0;
    *out = NULL;
    if (base && *base == '/') /* the specification has relative paths ignored */
        written = asprintf(out, "%s/%s", base, file);
    else if (home && *home)
        written = asprintf(out, "%s/%s/%s", home, fallback, file);
    if (written < 0) {
        *out = NULL;
        return glm_fail(err, GLM_ENOMEM, "path of %s", file);
    }
    return GLM_OK;
}

static glm_status read_config(cli_args *args, glm_error *err)
{
    const cli_value *value = &args->values[OPT_CONFIG];
    const char *path = value->text;
    if (value->source == SOURCE_DEFAULT) {
        const char *variable = getenv("GLM_CONFIG");
        if (variable && *variable)
            path = variable;
    }
    glm_status st =
        xdg_path(&args->default_config, "XDG_CONFIG_HOME", ".config", "glm/config", err);
    if (st == GLM_OK)
        st = xdg_path(&args->history, "XDG_STATE_HOME", ".local/state", "glm/history", err);
    if (st != GLM_OK)
        return st;
    if (path)
        return cli_config_read(&args->config, path, false, err);
    if (args->default_config)
        return cli_config_read(&args->config, args->default_config, true, err);
    return GLM_OK;
}

static glm_status resolve_all(cli_args *args, cli_command_id command, glm_error *err)
{
    for (size_t id = 0; id < N_OPTIONS; id++) {
        if (!(cli_options[id].commands >> command & 1))
            continue;
        glm_status st = cli_args_resolve(args, command, (cli_option_id)id, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

/* The command, by name or as one of the options a program is expected to have. */
static glm_status find_command(cli_args *args, const char *word, glm_error *err)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        args->command = CMD_HELP;
    else if (strcmp(word, "--version") == 0)
        args->command = CMD_VERSION;
    else
        args->command = cli_command_find(word);
    return args->command == N_COMMANDS ? unknown_command(word, err) : GLM_OK;
}

static glm_status init_args(cli_args *args, int argc, char **argv, glm_error *err)
{
    if (argc < 2) {
        glm_status st = glm_fail(err, GLM_EARG, "expected a command, got none");
        glm_error_hint(err, "`glm help` lists the commands; `glm run` starts a conversation");
        return st;
    }
    glm_status st = find_command(args, argv[1], err);
    if (st != GLM_OK)
        return st;
    args->arguments = glm_new_array(const char *, (size_t)argc);
    if (!args->arguments)
        return glm_fail(err, GLM_ENOMEM, "the command line");

    /* `glm config run --temp 1` takes the flags of run. */
    cli_command_id flags_of = args->command;
    if (args->command == CMD_CONFIG && argc > 2 && cli_command_find(argv[2]) != N_COMMANDS)
        flags_of = cli_command_find(argv[2]);
    st = read_command_line(args, flags_of, argc - 2, argv + 2, err);
    if (st == GLM_OK && args->values[OPT_HELP].on)
        return GLM_OK; /* asked for help: nothing else matters */
    if (st == GLM_OK)
        st = read_config(args, err);
    if (st == GLM_OK)
        st = resolve_all(args, args->command, err);
    if (st == GLM_OK)
        st = settle_conflicts(args, err);
    if (st == GLM_OK)
        st = fill_defaults(args, err);
    return st;
}

glm_status cli_args_init(cli_args *args, int argc, char **argv, glm_error *err)
{
    memset(args, 0, sizeof *args);
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    args->is_color = term && *term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
    glm_status st = init_args(args, argc, argv, err);
    if (st != GLM_OK)
        cli_args_deinit(args);
    return st;
}

void cli_args_deinit(cli_args *args)
{
    for (size_t id = 0; id < N_OPTIONS; id++)
        free(args->values[id].texts);
    free(args->arguments);
    free(args->default_config);
    free(args->history);
    cli_config_deinit(&args->config);
    memset(args, 0, sizeof *args);
}

bool cli_is_set(const cli_args *args, cli_option_id id)
{
    return args->values[id].source != SOURCE_DEFAULT;
}

const char *cli_text(const cli_args *args, cli_option_id id)
{
    return args->values[id].text;
}

bool cli_flag(const cli_args *args, cli_option_id id)
{
    return args->values[id].on;
}

uint64_t cli_count(const cli_args *args, cli_option_id id)
{
    return args->values[id].count;
}

double cli_real(const cli_args *args, cli_option_id id)
{
    return args->values[id].real;
}

bool cli_choice_is(const cli_args *args, cli_option_id id, const char *word)
{
    const char *text = args->values[id].text;
    return text && strcmp(text, word) == 0;
}
