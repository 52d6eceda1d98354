// SPDX-License-Identifier: MIT
/*
 * The options of every command, in one table: parsing, help, man pages, shell completions, the config file,
 * the environment and `glm config` are all made from it.
 *
 * A value comes from a flag, else from the variable GLM_<NAME>, else from the config file, else it is the
 * default. The config file (`--config FILE`, default $XDG_CONFIG_HOME/glm/config) holds lines
 *
 *     threads = 4
 *     [run]            # from here on: only for this command
 *     temp = 0.7
 *
 * where a value in double quotes is read as a JSON string. Nothing else of the project reads the
 * environment.
 *
 *     cli_args args;
 *     if (cli_args_init(&args, argc, argv, &err) != GLM_OK) ...
 *     params.n_threads = (uint32_t)cli_count(&args, OPT_THREADS);
 *     cli_args_deinit(&args);
 */
#ifndef GLM_CLI_OPTIONS_H
#define GLM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"
#include "glm/error.h"

typedef enum cli_command_id {
    CMD_RUN,
    CMD_SCORE,
    CMD_TOKENIZE,
    CMD_DETOKENIZE,
    CMD_RENDER,
    CMD_PARSE,
    CMD_INSPECT,
    CMD_BENCH,
    CMD_QUANTIZE,
    CMD_IMATRIX,
    CMD_RECEIPT,
    CMD_SERVE,
    CMD_CONFIG,
    CMD_HELP,
    CMD_VERSION,
    N_COMMANDS,
} cli_command_id;

typedef struct cli_example {
    const char *command; /* a whole command line */
    const char *what;
} cli_example;

/** What help says of a command. */
typedef struct cli_command {
    const char *name;
    const char *arguments; /* "[MODEL]" */
    const char *summary;   /* half a sentence, no full stop */
    const char *text;      /* paragraphs, an empty line between them */
    cli_example examples[3];
    size_t n_arguments_max;
} cli_command;

extern const cli_command cli_commands[N_COMMANDS];

typedef enum cli_option_id {
    OPT_PROMPT,
    OPT_RUN_FILE,
    OPT_SYSTEM,
    OPT_RAW,
    OPT_IDS,
    OPT_REQUEST,
    OPT_TOOLS,
    OPT_MAX_TOKENS,
    OPT_TEMP,
    OPT_TOP_P,
    OPT_TOP_K,
    OPT_MIN_P,
    OPT_REPEAT_PENALTY,
    OPT_PRESENCE_PENALTY,
    OPT_FREQUENCY_PENALTY,
    OPT_LOGIT_BIAS,
    OPT_GREEDY,
    OPT_THINK,
    OPT_EFFORT,
    OPT_THINK_BUDGET,
    OPT_STOP,
    OPT_JSON_SCHEMA,
    OPT_REGEX,
    OPT_GRAMMAR,
    OPT_IGNORE_EOS,
    OPT_SHOW_THINKING,
    OPT_STATS,
    OPT_SCORE_TEXT,
    OPT_LOGITS,
    OPT_DUMP,
    OPT_CHUNK,
    OPT_TOKENIZE_TEXT,
    OPT_FILE,
    OPT_PLAIN,
    OPT_RENDER_IDS,
    OPT_PROMPT_TAIL,
    OPT_LINES,
    OPT_TENSORS,
    OPT_VERIFY,
    OPT_BENCH_PROMPT,
    OPT_BENCH_GEN,
    OPT_BENCH_DEPTH,
    OPT_BENCH_BATCH,
    OPT_BENCH_RUNS,
    OPT_TENSOR,
    OPT_IMATRIX,
    OPT_SPLIT_SIZE,
    OPT_ALLOW_REQUANTIZE,
    OPT_DRY_RUN,
    OPT_CORPUS,
    OPT_OUTPUT,
    OPT_PRINT_ONLY,
    OPT_HOST,
    OPT_PORT,
    OPT_MODEL_NAME,
    OPT_KEY_FILE,
    OPT_ALLOW_NO_KEY,
    OPT_STATE,
    OPT_STATE_SIZE,
    OPT_SHARE_PREFIX,
    OPT_STRICT_MODEL,
    OPT_CLEAR_THINKING,
    OPT_RAW_PREFIX,
    OPT_NO_EARLY_ROLE_CHUNK,
    OPT_MAX_CONNECTIONS,
    OPT_MAX_PER_ADDRESS,
    OPT_MAX_PER_KEY,
    OPT_MAX_ACTIVE,
    OPT_QUEUE,
    OPT_MAX_BODY,
    OPT_MAX_SECONDS,
    OPT_MAX_STALL,
    OPT_DRAIN,
    OPT_LOG,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_SCRIPT,
    OPT_SCRIPT_STEP,
    OPT_MAN,
    OPT_COMPLETION,
    OPT_JSON,
    OPT_THREADS,
    OPT_CTX,
    OPT_PRECISION,
    OPT_MEMORY,
    OPT_LOAD,
    OPT_KV_TYPE,
    OPT_INDEX_TYPE,
    OPT_FOLLOW_LINKS,
    OPT_ISA,
    OPT_SEED,
    OPT_LATENT_EPS,
    OPT_PROGRESS,
    OPT_QUIET,
    OPT_CONFIG,
    OPT_HELP,
    N_OPTIONS,
} cli_option_id;

typedef enum cli_kind {
    KIND_FLAG,   /* on without a value; --name=off takes it back */
    KIND_COUNT,  /* an integer min..max, suffixes K M G T */
    KIND_BYTES,  /* the same with KiB MiB GiB TiB */
    KIND_REAL,   /* a finite number min..max */
    KIND_CHOICE, /* one word of `choices` */
    KIND_TEXT,
    KIND_FILE,
    KIND_DIR,
    KIND_IDS,    /* token ids or @FILE */
    KIND_COUNTS, /* counts min..max separated by commas */
    KIND_BIAS,   /* ID=X, several separated by commas */
} cli_kind;

typedef struct cli_option {
    const char *name;
    char letter; /* short form, or 0 */
    cli_kind kind;
    bool is_repeatable;
    const char *argument;      /* what help calls the value; NULL for flags */
    const char *choices;       /* "a|b|c" */
    uint64_t min, max;         /* of counts */
    double real_min, real_max; /* of reals */
    uint32_t commands;         /* bit c: command c has it */
    const char *default_text;  /* as help shows it; parsed where `has_default` */
    bool has_default;
    const char *help;
} cli_option;

extern const cli_option cli_options[N_OPTIONS];

/** Two options of a command that exclude each other. */
typedef struct cli_conflict {
    uint32_t commands;
    cli_option_id a, b;
} cli_conflict;

extern const cli_conflict cli_conflicts[];
extern const size_t cli_n_conflicts;

typedef enum cli_source {
    SOURCE_DEFAULT,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_FLAG,
} cli_source;

/** "default", "file", "environment" or "flag". */
const char *cli_source_name(cli_source source);

typedef struct cli_value {
    cli_source source;
    const char *text;   /* as given, the last one; NULL when there is none */
    const char **texts; /* [n_texts], of a repeatable option */
    size_t n_texts;
    char where[160]; /* "--threads", "GLM_THREADS", "/etc/glm:3" */
    uint64_t count;  /* of KIND_COUNT and KIND_BYTES */
    double real;
    bool on;
    int choice; /* index into choices */
} cli_value;

/** One assignment of a config file. */
typedef struct cli_setting {
    int section; /* a cli_command_id, or -1: for all */
    const char *name;
    const char *value;
    unsigned line;
} cli_setting;

typedef struct cli_config {
    char *path; /* NULL: there is none */
    char *text; /* the settings point into it */
    cli_setting *settings;
    size_t n_settings;
} cli_config;

typedef struct cli_args {
    cli_command_id command;
    cli_value values[N_OPTIONS];
    const char **arguments; /* [n_arguments] */
    size_t n_arguments;
    cli_config config;
    char *default_config; /* where a config file is looked for, or NULL */
    bool is_color;        /* the environment does not forbid colours (NO_COLOR, TERM=dumb) */
    char *history;        /* where lines of conversations are kept, or NULL */
} cli_args;

/**
 * Read the command line, the environment and the config file. GLM_EARG for wrong usage; GLM_ENOENT or
 * GLM_EIO when a config file named by the user cannot be read.
 */
GLM_MUST_CHECK glm_status cli_args_init(cli_args *args, int argc, char **argv, glm_error *err);
void cli_args_deinit(cli_args *args);

/**
 * Work out one option as `command` would see it, flags of `args` included; used by `glm config` for all
 * commands.
 */
GLM_MUST_CHECK glm_status cli_args_resolve(cli_args *args, cli_command_id command, cli_option_id id,
                                           glm_error *err);

/** A flag, variable or config file sets the option. */
bool cli_is_set(const cli_args *args, cli_option_id id);
/** The text given, or NULL. */
const char *cli_text(const cli_args *args, cli_option_id id);
bool cli_flag(const cli_args *args, cli_option_id id);
/** The count or size given, or 0 when none is and there is no default. */
uint64_t cli_count(const cli_args *args, cli_option_id id);
double cli_real(const cli_args *args, cli_option_id id);
/** The word chosen, or NULL when none is and there is no default. */
bool cli_choice_is(const cli_args *args, cli_option_id id, const char *word);

/** The command called `name`, or N_COMMANDS. */
cli_command_id cli_command_find(const char *name);

/** GLM_<NAME> of an option, at most 63 characters. */
void cli_environment_name(char out[64], const cli_option *option);

#endif
