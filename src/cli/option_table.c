// SPDX-License-Identifier: MIT
#include "cli/options.h"

#define IN(command) (UINT32_C(1) << CMD_##command)
#define IN_ALL ((UINT32_C(1) << N_COMMANDS) - 1)
/* The commands that run a model. */
#define IN_ENGINE (IN(RUN) | IN(SCORE) | IN(BENCH) | IN(IMATRIX))
/* Those that read a model without running it. */
#define IN_WHOLE (IN(INSPECT) | IN(QUANTIZE))
/* Those that need only its tokenizer. */
#define IN_TOKENIZER (IN(TOKENIZE) | IN(DETOKENIZE) | IN(RENDER) | IN(PARSE))

#define MODEL_TEXT                                                                                 \
    "MODEL is a Hugging Face folder (safetensors), a .gguf file, the first part of a split GGUF, " \
    "or the name of a bundled model. Without it the bundled model is used."
#define TOKENIZER_TEXT                                                                             \
    "Only the tokenizer of MODEL is needed: a folder that holds just tokenizer.json is enough, "   \
    "and so is any GGUF. Without MODEL the bundled model's is used."

// clang-format off
const cli_command cli_commands[N_COMMANDS] = {
    [CMD_RUN] = {"run", "[MODEL]", "generate text, or chat on a terminal",
        "The prompt is -p, -f, --ids, --request or what is piped in; without any of them, on a terminal, a "
        "conversation begins. The answer goes to standard output as it comes.\n\n" MODEL_TEXT,
        {{"glm run -p 'Name three primes.'", "one answer from the bundled model"},
         {"glm run model.gguf < question.txt > answer.txt", "as a filter"},
         {"glm run nano --ids 5,9,200 --greedy -n 32", "ids in, ids out"}}, 1},
    [CMD_SCORE] = {"score", "[MODEL]", "log-likelihood of a text, with logits and hidden states on demand",
        "Runs the model over given tokens and prints how well it predicts them: tokens, mean negative "
        "log-likelihood (natural logarithm, over all tokens but the first) and perplexity.\n\n" MODEL_TEXT,
        {{"glm score --text book.txt", "the perplexity of a text"},
         {"glm score nano --ids @ids.txt --logits out.npy", "the logits of every position"}}, 1},
    [CMD_TOKENIZE] = {"tokenize", "[MODEL]", "text to token ids",
        "The text is --text, -f or standard input; nothing is added before or after it.\n\n" TOKENIZER_TEXT,
        {{"glm tokenize --text 'Hello, world'", "ids, blank-separated"},
         {"glm tokenize --json < page.txt", "ids with their text"}}, 1},
    [CMD_DETOKENIZE] = {"detokenize", "[MODEL] [ID...]", "token ids to bytes",
        "The ids are arguments, -f or standard input, separated by commas, blanks or newlines. The bytes are "
        "written unchanged. An argument of digits is an id: write ./7 for a folder called 7.\n\n" TOKENIZER_TEXT,
        {{"glm detokenize 5 9 200", "the text of three tokens"},
         {"glm tokenize < page.txt | glm detokenize", "the page again"}}, SIZE_MAX},
    [CMD_RENDER] = {"render", "[MODEL]", "a chat request to the prompt the model reads",
        "Reads a chat request in JSON (messages, tools, switches) from standard input or -f and writes the "
        "prompt as the chat template makes it.\n\n" TOKENIZER_TEXT,
        {{"glm render -f request.json", "the prompt as text"},
         {"glm render --ids -f request.json", "the prompt as ids"}}, 1},
    [CMD_PARSE] = {"parse", "[MODEL]", "model output to a message",
        "Reads what a model wrote, special tokens included, from standard input or -f, and writes content, "
        "reasoning and tool calls as JSON. Every spelling of an added token stands for that token. A stop "
        "token at the end means that the model stopped; none means that it was cut.\n\n" TOKENIZER_TEXT,
        {{"glm parse --prompt-tail nothink < output.txt", "output of a prompt without thinking"}}, 1},
    [CMD_INSPECT] = {"inspect", "MODEL", "what a model file is",
        "Shows architecture, shapes, parameters, types by class of tensor, sizes, tokenizer and identity. "
        "Weights are not read unless --verify asks for it.",
        {{"glm inspect nano", "the bundled model"},
         {"glm inspect --verify model.gguf", "read and check every byte"}}, 1},
    [CMD_BENCH] = {"bench", "[MODEL]", "speed of prompt reading and generation",
        "Measures tokens per second, median and spread over several runs, and the share of this machine's "
        "measured memory bandwidth that the weights are read with (weights only, each counted once a step). "
        "Every combination of the lists is one case.\n\n" MODEL_TEXT,
        {{"glm bench --prompt 512 --gen 64 --runs 5", "two cases"},
         {"glm bench --gen 32 --depth 0,4K,16K --prompt 0", "generation behind prompts of three lengths"}}, 1},
    [CMD_QUANTIZE] = {"quantize", "IN OUT TYPE", "write a model as a quantised GGUF",
        "Reads IN (a Hugging Face folder in BF16, FP8 or F32, or a .gguf) and writes OUT (.gguf) with the tensor names "
        "and metadata of llama.cpp's converters. TYPE is a mixture: routed experts carry its name, what every token "
        "passes stays higher. Prints sizes and errors by class of tensor.\n\n"
        "TYPE is one of F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q4_K_M, Q4_K_S, Q3_K_M, Q2_K, IQ4_NL, IQ4_XS, "
        "IQ3_XXS, IQ2_XS, IQ2_XXS, MXFP4_MOE. Rows that a type's blocks do not divide get the next type with smaller "
        "blocks, and are reported.\n\n"
        "Memory holds a few rows a thread, whatever the size. An interrupted run leaves OUT.partial and OUT.resume, and "
        "the same command goes on from there; OUT appears when it is complete.",
        {{"glm quantize GLM-5.2 glm.gguf Q4_K_M", "one file"},
         {"glm quantize GLM-5.2 glm.gguf IQ2_XXS --split-size 50G", "several, of at most 50 GB"},
         {"glm quantize in out.gguf Q4_K_M --tensor 'blk\\.[0-2]\\.=Q8_0'", "with the first layers in Q8_0"}}, 3},
    [CMD_IMATRIX] = {"imatrix", "MODEL", "measure which weights matter, for glm quantize",
        "Runs the text of -f through MODEL and writes to -o, for each matrix, how strong its inputs are: a GGUF importance "
        "matrix as llama.cpp's tools read and write it. Routed experts are counted apart; those that fewer than 64 "
        "tokens went through are reported, and glm quantize fills them up from their layer.\n\n"
        "The text is cut into sequences as long as the context: 4096 tokens, or the model's where that is shorter, "
        "unless another length is asked for.",
        {{"glm imatrix GLM-5.2 -f text.txt -o glm.imatrix.gguf", "the importance matrix of a text"},
         {"glm quantize GLM-5.2 glm.gguf IQ2_XXS --imatrix glm.imatrix.gguf", "what it is for"}}, 1},
    [CMD_CONFIG] = {"config", "[COMMAND]", "the options in force and where each comes from",
        "A flag beats the environment, which beats the config file, which beats the default. With COMMAND only "
        "that command's options are shown. The options of any command may be given.",
        {{"GLM_THREADS=2 glm config", "all options"},
         {"glm config run --temp 0.5", "those of one command"}}, 1},
    [CMD_HELP] = {"help", "[COMMAND]", "help, man pages and shell completions",
        "Without COMMAND: what glm is and which commands it has.",
        {{"glm help run", "the options of a command"},
         {"glm help --man run | man -l -", "as a man page"},
         {"eval \"$(glm help --completion bash)\"", "completions for this shell"}}, 1},
    [CMD_VERSION] = {"version", "", "version, build and libraries",
        "Prints version, commit, compiler flags, the instruction sets compiled in and the one in use, and the "
        "libraries.",
        {{"glm version --json", "for scripts"}}, 0},
};

/* In the order of help: a command's own options first, those shared by many last. */
const cli_option cli_options[N_OPTIONS] = {
    [OPT_PROMPT] = {.name = "prompt", .letter = 'p', .kind = KIND_TEXT, .argument = "TEXT", .commands = IN(RUN),
        .help = "The user's message; with --raw the text to continue."},
    [OPT_RUN_FILE] = {.name = "file", .letter = 'f', .kind = KIND_FILE, .argument = "FILE", .commands = IN(RUN),
        .help = "Read the prompt from FILE; - is standard input."},
    [OPT_SYSTEM] = {.name = "system", .kind = KIND_TEXT, .argument = "TEXT", .commands = IN(RUN),
        .help = "A system message before the user's."},
    [OPT_RAW] = {.name = "raw", .kind = KIND_FLAG, .commands = IN(RUN),
        .help = "No chat template: continue the text as it is."},
    [OPT_IDS] = {.name = "ids", .kind = KIND_IDS, .argument = "LIST", .commands = IN(RUN) | IN(SCORE),
        .help = "Token ids separated by commas, blanks or newlines, or @FILE with the same; nothing is added."},
    [OPT_REQUEST] = {.name = "request", .kind = KIND_FILE, .argument = "FILE", .commands = IN(RUN),
        .help = "A chat request in JSON: messages, tools, switches, sampling and limits (options beat it); - is "
            "standard input."},
    [OPT_TOOLS] = {.name = "tools", .kind = KIND_FILE, .argument = "FILE", .commands = IN(RUN) | IN(PARSE),
        .help = "The tools the model may call: a JSON list as in a chat request."},
    [OPT_MAX_TOKENS] = {.name = "max-tokens", .letter = 'n', .kind = KIND_COUNT, .argument = "N", .min = 1,
        .max = INT32_MAX, .commands = IN(RUN), .default_text = "until the context is full",
        .help = "Generate at most N tokens."},
    [OPT_TEMP] = {.name = "temp", .kind = KIND_REAL, .argument = "X", .real_min = 0, .real_max = 100,
        .commands = IN(RUN), .default_text = "the model's", .help = "Temperature; 0 is --greedy."},
    [OPT_TOP_P] = {.name = "top-p", .kind = KIND_REAL, .argument = "X", .real_min = 0, .real_max = 1,
        .commands = IN(RUN), .default_text = "the model's",
        .help = "Draw among the most probable tokens that have X of the probability together; 1 is off."},
    [OPT_TOP_K] = {.name = "top-k", .kind = KIND_COUNT, .argument = "N", .max = INT32_MAX, .commands = IN(RUN),
        .default_text = "the model's", .help = "Draw among the N most probable tokens; 0 is off."},
    [OPT_MIN_P] = {.name = "min-p", .kind = KIND_REAL, .argument = "X", .real_min = 0, .real_max = 1,
        .commands = IN(RUN), .default_text = "the model's",
        .help = "Leave out tokens less probable than X times the most probable one; 0 is off."},
    [OPT_REPEAT_PENALTY] = {.name = "repeat-penalty", .kind = KIND_REAL, .argument = "X", .real_min = 0.01,
        .real_max = 100, .commands = IN(RUN), .default_text = "1",
        .help = "Make tokens already seen less likely (above 1) or more likely (below 1)."},
    [OPT_PRESENCE_PENALTY] = {.name = "presence-penalty", .kind = KIND_REAL, .argument = "X", .real_min = -2,
        .real_max = 2, .commands = IN(RUN), .default_text = "0",
        .help = "Subtract X from the logits of tokens generated before."},
    [OPT_FREQUENCY_PENALTY] = {.name = "frequency-penalty", .kind = KIND_REAL, .argument = "X", .real_min = -2,
        .real_max = 2, .commands = IN(RUN), .default_text = "0",
        .help = "Subtract X for every time a token was generated before."},
    [OPT_LOGIT_BIAS] = {.name = "logit-bias", .kind = KIND_BIAS, .is_repeatable = true, .argument = "ID=X",
        .commands = IN(RUN), .help = "Add X (-100 to 100) to the logit of a token; -100 bans it. May be repeated."},
    [OPT_GREEDY] = {.name = "greedy", .kind = KIND_FLAG, .commands = IN(RUN),
        .help = "Always take the most probable token."},
    [OPT_THINK] = {.name = "think", .kind = KIND_CHOICE, .argument = "on|off", .choices = "on|off",
        .commands = IN(RUN), .default_text = "on", .has_default = true,
        .help = "Whether the model reasons before it answers."},
    [OPT_EFFORT] = {.name = "effort", .kind = KIND_CHOICE, .argument = "high|max", .choices = "high|max",
        .commands = IN(RUN), .default_text = "max", .has_default = true, .help = "How long it reasons."},
    [OPT_THINK_BUDGET] = {.name = "think-budget", .kind = KIND_COUNT, .argument = "N", .min = 1, .max = INT32_MAX,
        .commands = IN(RUN), .default_text = "none", .help = "End the reasoning after N tokens."},
    [OPT_STOP] = {.name = "stop", .kind = KIND_TEXT, .is_repeatable = true, .argument = "TEXT", .commands = IN(RUN),
        .help = "End the answer before this text. May be repeated."},
    [OPT_IGNORE_EOS] = {.name = "ignore-eos", .kind = KIND_FLAG, .commands = IN(RUN),
        .help = "Go on after the model's end tokens; only with --ids or --raw."},
    [OPT_SHOW_THINKING] = {.name = "show-thinking", .kind = KIND_FLAG, .commands = IN(RUN),
        .help = "Show the reasoning: dimmed on a terminal, else on standard error."},
    [OPT_STATS] = {.name = "stats", .kind = KIND_FLAG, .commands = IN(RUN),
        .help = "Print token counts and speeds to standard error at the end."},
    [OPT_SCORE_TEXT] = {.name = "text", .kind = KIND_FILE, .argument = "FILE", .commands = IN(SCORE),
        .help = "Score the text of FILE; - is standard input."},
    [OPT_LOGITS] = {.name = "logits", .kind = KIND_FILE, .argument = "FILE.npy", .commands = IN(SCORE),
        .help = "Write all logits, float32 [n_tok, n_vocab]."},
    [OPT_DUMP] = {.name = "dump", .kind = KIND_DIR, .argument = "DIR", .commands = IN(SCORE),
        .help = "Create DIR and write hidden states, selections and expert choices of every layer as .npy."},
    [OPT_CHUNK] = {.name = "chunk", .kind = KIND_COUNT, .argument = "N", .min = 1, .max = 1 << 20,
        .commands = IN(SCORE), .default_text = "512", .help = "Tokens run at once; changes speed, never results."},
    [OPT_TOKENIZE_TEXT] = {.name = "text", .kind = KIND_TEXT, .argument = "TEXT", .commands = IN(TOKENIZE),
        .help = "The text itself."},
    [OPT_FILE] = {.name = "file", .letter = 'f', .kind = KIND_FILE, .argument = "FILE",
        .commands = IN_TOKENIZER,
        .default_text = "-", .help = "Read from FILE; - is standard input."},
    [OPT_PLAIN] = {.name = "plain", .kind = KIND_FLAG, .commands = IN(TOKENIZE),
        .help = "Added tokens spelled in the text are ordinary text."},
    [OPT_RENDER_IDS] = {.name = "ids", .kind = KIND_FLAG, .commands = IN(RENDER),
        .help = "Print token ids, not text."},
    [OPT_PROMPT_TAIL] = {.name = "prompt-tail", .kind = KIND_CHOICE, .argument = "think|nothink",
        .choices = "think|nothink", .commands = IN(PARSE), .default_text = "think", .has_default = true,
        .help = "Whether the prompt ended inside the reasoning or behind it."},
    [OPT_LINES] = {.name = "lines", .kind = KIND_FLAG,
        .commands = IN_TOKENIZER,
        .help = "One JSON value a line in, one a line out."},
    [OPT_TENSORS] = {.name = "tensors", .kind = KIND_FLAG, .commands = IN(INSPECT), .help = "List every tensor."},
    [OPT_VERIFY] = {.name = "verify", .kind = KIND_FLAG, .commands = IN(INSPECT),
        .help = "Read everything: digest of all bytes; NaN and infinities in weights are refused."},
    [OPT_BENCH_PROMPT] = {.name = "prompt", .kind = KIND_COUNTS, .argument = "N,...", .max = 1 << 24,
        .commands = IN(BENCH), .default_text = "512", .has_default = true,
        .help = "Lengths of prompts to read; 0 is none."},
    [OPT_BENCH_GEN] = {.name = "gen", .kind = KIND_COUNTS, .argument = "N,...", .max = 1 << 24,
        .commands = IN(BENCH), .default_text = "32", .has_default = true,
        .help = "Numbers of tokens to generate; 0 is none."},
    [OPT_BENCH_DEPTH] = {.name = "depth", .kind = KIND_COUNTS, .argument = "N,...", .max = 1 << 24,
        .commands = IN(BENCH), .default_text = "0", .has_default = true,
        .help = "Tokens already in the cache before the measurement."},
    [OPT_BENCH_BATCH] = {.name = "batch", .kind = KIND_COUNTS, .argument = "N,...", .min = 1, .max = 1024,
        .commands = IN(BENCH), .default_text = "1", .has_default = true, .help = "Sequences at once."},
    [OPT_BENCH_RUNS] = {.name = "runs", .kind = KIND_COUNT, .argument = "N", .min = 1, .max = 10000,
        .commands = IN(BENCH), .default_text = "3", .has_default = true, .help = "Measurements of each case."},
    [OPT_TENSOR] = {.name = "tensor", .kind = KIND_TEXT, .is_repeatable = true, .argument = "REGEX=TYPE",
        .commands = IN(QUANTIZE),
        .help = "Give matrices whose GGUF name matches this type; the first match counts. May be repeated."},
    [OPT_IMATRIX] = {.name = "imatrix", .kind = KIND_FILE, .argument = "FILE", .commands = IN(QUANTIZE),
        .help = "Importance matrix (GGUF, of glm imatrix or llama-imatrix): weights that matter are kept closer."},
    [OPT_SPLIT_SIZE] = {.name = "split-size", .kind = KIND_BYTES, .argument = "BYTES", .min = 1,
        .max = UINT64_C(1) << 50, .commands = IN(QUANTIZE), .default_text = "one file",
        .help = "Write several files, each of at most BYTES where tensors allow it."},
    [OPT_ALLOW_REQUANTIZE] = {.name = "allow-requantize", .kind = KIND_FLAG, .commands = IN(QUANTIZE),
        .help = "Accept an input that is quantised already: it loses twice."},
    [OPT_DRY_RUN] = {.name = "dry-run", .kind = KIND_FLAG, .commands = IN(QUANTIZE),
        .help = "Print types and sizes, write nothing."},
    [OPT_CORPUS] = {.name = "file", .letter = 'f', .kind = KIND_FILE, .argument = "TEXT", .commands = IN(IMATRIX),
        .help = "The text to measure with; - is standard input."},
    [OPT_OUTPUT] = {.name = "output", .letter = 'o', .kind = KIND_FILE, .argument = "FILE", .commands = IN(IMATRIX),
        .help = "Write to FILE."},
    [OPT_MAN] = {.name = "man", .kind = KIND_FLAG, .commands = IN(HELP), .help = "Print the man page."},
    [OPT_COMPLETION] = {.name = "completion", .kind = KIND_CHOICE, .argument = "bash|zsh|fish",
        .choices = "bash|zsh|fish", .commands = IN(HELP), .help = "Print the completions for a shell."},
    [OPT_JSON] = {.name = "json", .kind = KIND_FLAG,
        .commands = IN(RUN) | IN(SCORE) | IN(TOKENIZE) | IN(INSPECT) | IN(BENCH) | IN(QUANTIZE) |
            IN(IMATRIX) | IN(CONFIG) |
            IN(VERSION),
        .help = "Print one JSON value and nothing else."},
    [OPT_THREADS] = {.name = "threads", .kind = KIND_COUNT, .argument = "N", .min = 1, .max = 1024,
        .commands = IN_ENGINE | IN(QUANTIZE), .default_text = "the physical cores this process may use", .help = "Threads to run with."},
    [OPT_CTX] = {.name = "ctx", .kind = KIND_COUNT, .argument = "N", .min = 1, .max = INT32_MAX,
        .commands = IN_ENGINE, .default_text = "the model's, as far as memory allows",
        .help = "Tokens a sequence may hold."},
    [OPT_PRECISION] = {.name = "precision", .kind = KIND_CHOICE, .argument = "exact|fast", .choices = "exact|fast",
        .commands = IN_ENGINE, .default_text = "fast", .has_default = true,
        .help = "exact: float32 throughout, for comparisons; fast: smaller caches and integer kernels."},
    [OPT_MEMORY] = {.name = "memory", .kind = KIND_BYTES, .argument = "BYTES", .min = 1, .max = UINT64_C(1) << 50,
        .commands = IN_ENGINE, .default_text = "7/8 of what is available",
        .help = "Hard ceiling on anonymous and pinned memory; mapped weights are not counted."},
    [OPT_LOAD] = {.name = "load", .kind = KIND_CHOICE, .argument = "map|read", .choices = "map|read",
        .commands = IN_ENGINE, .default_text = "map", .has_default = true,
        .help = "Map the weights, or read them into memory first."},
    [OPT_KV_TYPE] = {.name = "kv-type", .kind = KIND_CHOICE, .argument = "f32|f16|bf16|q8",
        .choices = "f32|f16|bf16|q8", .commands = IN_ENGINE, .default_text = "f32 in exact precision, f16 in fast",
        .help = "Number format of the attention cache."},
    [OPT_INDEX_TYPE] = {.name = "index-type", .kind = KIND_CHOICE, .argument = "f32|f16|bf16|q8",
        .choices = "f32|f16|bf16|q8", .commands = IN_ENGINE, .default_text = "f32 in exact precision, q8 in fast",
        .help = "Number format of the indexer's keys."},
    [OPT_FOLLOW_LINKS] = {.name = "follow-links", .kind = KIND_FLAG, .commands = IN_ENGINE | IN_TOKENIZER | IN_WHOLE,
        .help = "Follow symbolic links out of the model's folder; those of a Hugging Face cache always are."},
    [OPT_ISA] = {.name = "isa", .kind = KIND_CHOICE, .argument = "LEVEL",
        .choices = "scalar|avx2|avxvnni|avx512|avx512vnni|amx|neon|dotprod|i8mm|sve", .commands = IN_ENGINE,
        .default_text = "the best of this machine", .help = "Use no better instruction set than this one."},
    [OPT_SEED] = {.name = "seed", .kind = KIND_COUNT, .argument = "N", .max = UINT64_MAX, .commands = IN_ENGINE,
        .default_text = "drawn, and printed", .help = "Seed of all random draws: same seed, same text."},
    [OPT_LATENT_EPS] = {.name = "latent-eps", .kind = KIND_REAL, .argument = "X", .real_min = 1e-12, .real_max = 1,
        .commands = IN_ENGINE, .default_text = "1e-5", .help = "Epsilon of the two latent norms."},
    [OPT_PROGRESS] = {.name = "progress", .kind = KIND_CHOICE, .argument = "auto|json", .choices = "auto|json",
        .commands = IN_ENGINE | IN_WHOLE, .default_text = "auto", .has_default = true,
        .help = "auto: a bar on a terminal for what takes over two seconds; json: one JSON object a line."},
    [OPT_QUIET] = {.name = "quiet", .kind = KIND_FLAG, .commands = IN_ALL,
        .help = "No progress, notes or timing on standard error; errors and warnings stay."},
    [OPT_CONFIG] = {.name = "config", .kind = KIND_FILE, .argument = "FILE", .commands = IN_ALL,
        .default_text = "$XDG_CONFIG_HOME/glm/config", .help = "Read options from FILE."},
    [OPT_HELP] = {.name = "help", .letter = 'h', .kind = KIND_FLAG, .commands = IN_ALL,
        .help = "Show this command's help."},
};

const cli_conflict cli_conflicts[] = {
    {IN(RUN), OPT_PROMPT, OPT_RUN_FILE},     {IN(RUN), OPT_PROMPT, OPT_IDS},
    {IN(RUN), OPT_PROMPT, OPT_REQUEST},      {IN(RUN), OPT_RUN_FILE, OPT_IDS},
    {IN(RUN), OPT_RUN_FILE, OPT_REQUEST},    {IN(RUN), OPT_IDS, OPT_REQUEST},
    {IN(RUN), OPT_RAW, OPT_REQUEST},         {IN(RUN), OPT_RAW, OPT_SYSTEM},
    {IN(RUN), OPT_RAW, OPT_TOOLS},           {IN(RUN), OPT_RAW, OPT_THINK},
    {IN(RUN), OPT_RAW, OPT_EFFORT},          {IN(RUN), OPT_RAW, OPT_THINK_BUDGET},
    {IN(RUN), OPT_RAW, OPT_SHOW_THINKING},   {IN(RUN), OPT_IDS, OPT_SYSTEM},
    {IN(RUN), OPT_IDS, OPT_TOOLS},           {IN(RUN), OPT_IDS, OPT_THINK},
    {IN(RUN), OPT_IDS, OPT_EFFORT},          {IN(RUN), OPT_IDS, OPT_THINK_BUDGET},
    {IN(RUN), OPT_IDS, OPT_SHOW_THINKING},   {IN(RUN), OPT_REQUEST, OPT_SYSTEM},
    {IN(RUN), OPT_GREEDY, OPT_TEMP},         {IN(RUN), OPT_GREEDY, OPT_TOP_P},
    {IN(RUN), OPT_GREEDY, OPT_TOP_K},        {IN(RUN), OPT_GREEDY, OPT_MIN_P},
    {IN(SCORE), OPT_IDS, OPT_SCORE_TEXT},    {IN(TOKENIZE), OPT_TOKENIZE_TEXT, OPT_FILE},
    {IN(TOKENIZE), OPT_TOKENIZE_TEXT, OPT_LINES},
    {IN(TOKENIZE), OPT_JSON, OPT_LINES},     {IN(PARSE), OPT_LINES, OPT_TOOLS},
    {IN(PARSE), OPT_LINES, OPT_PROMPT_TAIL}, {IN(HELP), OPT_MAN, OPT_COMPLETION},
};
// clang-format on

const size_t cli_n_conflicts = sizeof cli_conflicts / sizeof cli_conflicts[0];
