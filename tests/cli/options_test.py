# SPDX-License-Identifier: MIT
"""The option table: parsing, precedence, config file, help, man pages, completions."""
import json
import os
import re
import shutil
import subprocess
import unittest

from glm_cli import Case, NANO52, PROGRAM, glm

COMMANDS = ["run", "score", "tokenize", "detokenize", "render", "parse", "inspect", "bench", "quantize",
            "imatrix", "receipt", "serve", "config", "help", "version"]

# What the contract of the command line names, by command; `engine` is shared by run, score and bench.
ENGINE = ("threads ctx precision memory load kv-type index-type follow-links isa seed latent-eps progress quiet "
          "config")
CONTRACT = {
    "run": "system raw ids request tools temp top-p top-k min-p repeat-penalty presence-penalty "
           "frequency-penalty logit-bias greedy think effort think-budget stop show-thinking stats "
           "ignore-eos json " + ENGINE,
    "score": "ids text logits dump chunk json " + ENGINE,
    "tokenize": "text plain lines json",
    "detokenize": "lines",
    "render": "ids lines",
    "parse": "tools prompt-tail lines",
    "inspect": "tensors verify json",
    "bench": "prompt gen depth batch runs json " + ENGINE,
    "serve": "host port key-file allow-no-key state share-prefix strict-model max-connections max-per-address "
             "max-active queue tls-cert tls-key " + ENGINE,
    "receipt": "file print-only json " + ENGINE,
    "imatrix": "file output json " + ENGINE,
    "serve": "host port model-name key-file allow-no-key state share-prefix strict-model clear-thinking "
             "raw-prefix no-early-role-chunk max-connections max-per-address max-per-key max-active queue tls-cert tls-key script " + ENGINE,
    "quantize": "imatrix tensor split-size allow-requantize dry-run json threads follow-links progress",
    "config": "json",
    "help": "man",
    "version": "json",
}


def config_value(rows, option):
    return next(row for row in rows["options"] if row["option"] == option)


class Help(Case):
    def test_every_option_is_in_help_man_and_completions(self):
        scripts = {shell: self.succeeds("help", "--completion", shell) for shell in ("bash", "zsh", "fish")}
        for command in COMMANDS:
            text = self.succeeds("help", command)
            page = self.succeeds("help", "--man", command)
            self.assertNotRegex(page, r"(?m)^[^.\n]*(?<!\\)-", "an unescaped hyphen becomes a dash")
            man = page.replace("\\-", "-")
            options = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", text, re.M))
            for option in CONTRACT[command].split():
                self.assertIn(option, options, command)
            for option in options:
                self.assertRegex(man, rf"--{option}\b", command)
                variable = "GLM_" + option.upper().replace("-", "_")
                self.assertIn(variable, man, command)
                part = scripts["bash"].split(f"    {command})\n")[1].split("esac;;")[0]
                self.assertIn(f"--{option} ", part, command)
                part = scripts["zsh"].split(f"    {command})\n")[1].split(";;\n")[0]
                self.assertRegex(part, rf"'\*?--{option}[=\[]", command)
                self.assertIn(f"from {command}' -l {option} ", scripts["fish"])

    def test_short_letters_of_the_contract(self):
        text = self.succeeds("help", "run")
        for letter in "pfn":
            self.assertRegex(text, rf"(?m)^ +-{letter}, --")
        self.assertRegex(self.succeeds("help", "tokenize"), r"(?m)^ +-f, --")

    def test_scripts_are_accepted_by_their_shells(self):
        for shell in ("bash", "zsh", "fish"):
            if shutil.which(shell):
                script = self.write("script", self.succeeds("help", "--completion", shell))
                subprocess.run([shell, "-n", script], check=True)

    def test_bash_completes(self):
        script = self.write("script", self.succeeds("help", "--completion", "bash"))

        def complete(*words):
            code = (f". {script}; COMP_WORDS=({' '.join(words)} \"\"); COMP_CWORD={len(words)}; "
                    f"COMP_WORDS[{len(words)}]='{complete.current}'; _glm; echo \"${{COMPREPLY[@]}}\"")
            return subprocess.run(["bash", "-c", code], check=True, stdout=subprocess.PIPE,
                                  text=True).stdout.split()
        complete.current = ""
        self.assertEqual(complete("glm"), COMMANDS)
        self.assertEqual(complete("glm", "run", "--precision"), ["exact", "fast"])
        complete.current = "--lat"
        self.assertEqual(complete("glm", "score"), ["--latent-eps"])

    def test_man_pages_format_without_warnings(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        for command in [None, *COMMANDS]:
            page = self.succeeds("help", "--man", *([command] if command else []))
            result = subprocess.run(["groff", "-man", "-Tascii", "-ww"], input=page.encode(),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual((result.returncode, result.stderr), (0, b""), command)

    def test_ways_to_ask(self):
        overview = self.succeeds("help")
        self.assertEqual(self.succeeds("--help"), overview)
        self.assertEqual(self.succeeds("-h"), overview)
        for command in COMMANDS[:-2]:
            self.assertIn(f"\n  {command} ", overview)
            self.assertEqual(self.succeeds(command, "--help"), self.succeeds("help", command))
        self.assertEqual(self.succeeds("run", "-h", "--threads", "2"), self.succeeds("help", "run"))

    def test_commands_that_do_not_exist_are_not_listed(self):
        for name in ("train", "convert"):
            self.assertNotRegex(self.succeeds("help"), rf"\b{name}\b")
            self.fails(2, name, says=name)


class Usage(Case):
    def test_wrong_usage(self):
        for args, says in [
            ((), "expected a command"),
            (("frobnicate",), "frobnicate"),
            (("rum",), "did you mean run?"),
            (("run", "--frob"), "--frob"),
            (("run", "--thread", "2"), "did you mean --threads?"),
            (("run", "-x"), "-x"),
            (("run", "--threads"), "expected a value"),
            (("run", "a", "b"), "got one more: b"),
            (("version", "x"), "expected no arguments"),
            (("run", "--precision", "exakt"), ("one of exact|fast", "exakt")),
            (("run", "--greedy=maybe"), ("on or off", "maybe")),
            (("help", "nothing"), "nothing"),
            (("help", "--completion", "tcsh"), "tcsh"),
            (("inspect",), "expected MODEL"),
            (("score", NANO52), "--ids"),
            (("config", "nothing"), "nothing"),
            (("run", "--latent-eps="), "got nothing"),
        ]:
            with self.subTest(args=args):
                self.fails(2, *args, says=says)

    def test_counts(self):
        def threads(text):
            return glm("config", "run", f"--threads={text}").returncode
        for text in ("1", "007", "1K", "0.5K", "1.024K"):
            self.assertEqual(threads(text), 0, text)
        for text in ("", "0", "-1", "+1", "1.5", "1.0001K", "1k", "1KiB", "1 ", " 1", "1e3", "0x10", "inf", "nan",
                     "1K1", "K", ".", "1.", ".5K", "99999999999999999999", "18446744073709551617", "2M", "٣"):
            self.assertEqual(threads(text), 2, text)
        for text in ("18446744073709551615", "18446744073.709551615G", "0"):
            self.assertEqual(glm("config", "run", "--seed", text).returncode, 0, text)
        self.assertEqual(glm("config", "run", "--seed", "18446744073709551616").returncode, 2)

    def test_sizes(self):
        for text in ("1", "8GiB", "1.5GiB", "8G", "512KiB", "1TiB", "0.5MiB"):
            self.assertEqual(glm("config", "run", "--memory", text).returncode, 0, text)
        for text in ("0", "8gb", "8GB", "8Gib", "8 GiB", "-8GiB", "inf", "0.3KiB", "1025TiB"):
            self.assertEqual(glm("config", "run", "--memory", text).returncode, 2, text)

    def test_reals(self):
        for text in ("0", "0.7", "1e-1", ".5", "100"):
            self.assertEqual(glm("config", "run", "--temp", text).returncode, 0, text)
        for text in ("", "inf", "nan", "-1", "1x", "0x1p0", "1e999", "101", "1,5", "+1", "infinity", " 1"):
            self.assertEqual(glm("config", "run", "--temp", text).returncode, 2, text)
        for text in ("-2", "2", "-1e-3"):
            self.assertEqual(glm("config", "run", "--presence-penalty", text).returncode, 0, text)

    def test_lists(self):
        for text in ("1=2", "1=-100,2=0.5"):
            self.assertEqual(glm("config", "run", "--logit-bias", text).returncode, 0, text)
        for text in ("1", "1=", "=1", "1=101", "a=1", "1=nan", "1=1,", "-1=1"):
            self.assertEqual(glm("config", "run", "--logit-bias", text).returncode, 2, text)
        for text in ("1", "1,2K", "0"):
            self.assertEqual(glm("config", "bench", "--depth", text).returncode, 0, text)
        for text in ("", "1,", ",1", "1;2", "x", ",".join(["1"] * 65)):
            self.assertEqual(glm("config", "bench", "--depth", text).returncode, 2, text)

    def test_conflicts(self):
        for args in [
            ("run", "-p", "a", "-f", "b"), ("run", "-p", "a", "--ids", "1"),
            ("run", "--request", "a", "-p", "b"), ("run", "--raw", "--system", "x", "-p", "a"),
            ("run", "--greedy", "--temp", "1", "-p", "a"), ("run", "--ids", "1", "--think", "off"),
            ("score", NANO52, "--ids", "1", "--text", "f"), ("tokenize", "--text", "a", "-f", "b"),
            ("tokenize", "--json", "--lines"), ("help", "--man", "--completion", "bash"),
            ("parse", "--lines", "--tools", "f"),
        ]:
            with self.subTest(args=args):
                self.fails(2, *args, says="at most one of them")

    def test_conflict_between_sources_goes_to_the_stronger(self):
        rows = glm("tokenize", NANO52, "--text", "a", env={"GLM_FILE": "/nonexistent"})
        self.assertEqual(rows.returncode, 0, rows.stderr)
        self.fails(2, "tokenize", NANO52, env={"GLM_FILE": "b", "GLM_TEXT": "a"}, says="GLM_FILE")

    def test_values_may_begin_with_a_dash_and_options_may_end(self):
        dashed = self.succeeds("tokenize", NANO52, "--text", "--text")
        self.assertEqual(self.succeeds("tokenize", NANO52, "--text=--text"), dashed)
        self.assertEqual(self.succeeds("tokenize", "--text", "--text", "--", NANO52), dashed)
        os.symlink(NANO52, self.path("-model"))
        self.assertEqual(self.succeeds("tokenize", "--text", "--text", "--", "-model", cwd=self.scratch), dashed)
        self.fails(2, "tokenize", "-model", "--text", "x", cwd=self.scratch, says="-model")

    def test_control_characters_of_arguments_stay_off_the_terminal(self):
        text = self.fails(2, "run", "--precision", "a\x1b[31mb\nc")
        self.assertNotIn("\x1b", text)


class Sources(Case):
    def test_flag_beats_environment_beats_file_beats_default(self):
        file = self.write("config", "threads = 3\n")
        env = {"GLM_CONFIG": file}

        def threads(*args, **more):
            row = config_value(self.json("config", "run", "--json", *args, env={**env, **more}), "threads")
            return row["value"], row["source"], row["where"]
        self.assertEqual(threads(), ("3", "file", f"{file}:1: threads"))
        self.assertEqual(threads(GLM_THREADS="5"), ("5", "environment", "GLM_THREADS"))
        self.assertEqual(threads("--threads", "7", GLM_THREADS="5"), ("7", "flag", "--threads"))
        self.assertEqual(threads(GLM_CONFIG="/dev/null"), (None, "default", None))
        self.assertEqual(threads(GLM_THREADS=""), ("3", "file", f"{file}:1: threads"))

    def test_places_of_the_config_file(self):
        os.makedirs(self.path(".config/glm"))
        os.makedirs(self.path("xdg/glm"))
        self.write(".config/glm/config", "seed = 1\n")
        self.write("xdg/glm/config", "seed = 2\n")
        other = self.write("other", "seed = 3\n")

        def seed(*args, **env):
            return config_value(self.json("config", "run", "--json", *args, env=env), "seed")["value"]
        self.assertEqual(seed(HOME=self.scratch), "1")
        self.assertEqual(seed(HOME=self.scratch, XDG_CONFIG_HOME=self.path("xdg")), "2")
        self.assertEqual(seed(HOME=self.scratch, XDG_CONFIG_HOME="relative"), "1")
        self.assertEqual(seed(HOME=self.scratch, GLM_CONFIG=other), "3")
        self.assertEqual(seed("--config", other, HOME=self.scratch), "3")
        self.assertEqual(seed(), None)

    def test_sections_comments_strings_and_repeats(self):
        file = self.write("config", '# all\nthreads = 2\n\n[run]\nthreads=4\r\n  stop = "a \\"b\\"\\n"\n'
                                    'stop = two\ngreedy = on\n[bench]\nprompt = 1,2\n')
        rows = self.json("config", "run", "--json", "--config", file)
        self.assertEqual(config_value(rows, "threads")["value"], "4")
        self.assertEqual(config_value(rows, "stop")["value"], ['a "b"\n', "two"])
        self.assertIs(config_value(rows, "greedy")["value"], True)
        self.assertEqual(config_value(rows, "prompt")["value"], None)
        rows = self.json("config", "bench", "--json", "--config", file)
        self.assertEqual(config_value(rows, "threads")["value"], "2")
        self.assertEqual(config_value(rows, "prompt")["value"], "1,2")
        # All commands at once: the general rows, then those of sections.
        found = [(row["value"], row["commands"]) for row in self.json("config", "--json", "--config", file)["options"]
                 if row["option"] == "threads"]
        self.assertEqual(found, [("2", ["run", "score", "bench", "quantize", "imatrix", "receipt", "serve"]), ("4", ["run"])])

    def test_bad_config_files(self):
        for content, says in [
            ("threads\n", (":1:", "name = value")), ("\nfrob = 1\n", (":2:", "frob")),
            ("[nothing]\n", "[command]"), ("[tokenize]\nthreads = 1\n", ("option of tokenize", "threads")),
            ("threads = many\n", (":1: threads", "many")), ('system = "open\n', "double quotes"),
            ("config = other\n", "config"), (b"a\0b", "zero byte"), ("x" * (1 << 20) + "y", "1048576"),
        ]:
            with self.subTest(content=content[:20]):
                self.fails(2, "run", "--config", self.write("config", content), says=says)
        self.fails(1, "run", "--config", self.path("absent"), says="absent")
        self.fails(1, "run", "--config", self.scratch, says="folder")

    def test_every_option_has_a_variable(self):
        for command in COMMANDS:
            for row in self.json("config", command, "--json")["options"]:
                if row["option"] in ("config", "json"):  # these two make the comparison
                    continue
                variable = "GLM_" + row["option"].upper().replace("-", "_")
                text = self.succeeds("help", command)
                line = next(line for line in text.splitlines() if f"--{row['option']}" in line.split())
                value = "on" if row["value"] in (True, False) else (
                    re.search(r"--[\w-]+ ([\w|]+)", line) or [None, "1"])[1].split("|")[0]
                value = {"LIST": "1", "ID": "1=1", "X": "1", "N": "1", "BYTES": "1", "LEVEL": "scalar"}.get(value, value)
                now = next(r for r in self.json("config", command, "--json", env={variable: value})["options"]
                           if r["option"] == row["option"])
                self.assertEqual((now["source"], now["where"]), ("environment", variable), row)

    def test_config_as_text(self):
        text = self.succeeds("config", "--threads", "3", env={"GLM_SEED": "9"})
        self.assertRegex(text, r"(?m)^threads +3  \(--threads\)$")
        self.assertRegex(text, r"(?m)^seed +9  \(GLM_SEED\)$")
        self.assertRegex(text, r"(?m)^precision +fast  \(default\)$")


class Streams(Case):
    def test_full_disk_and_closed_output(self):
        with open("/dev/full", "wb") as full:
            result = glm("help", stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left on device", result.stderr)
        result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "help"], stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"standard output", result.stderr)

    def test_broken_pipe(self):
        read, write = os.pipe()
        os.close(read)
        result = glm("help", stdout=write)
        os.close(write)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_all_standard_descriptors_closed(self):
        result = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "help"])
        self.assertEqual(result.returncode, 1)

    def test_version(self):
        first, *rest = self.succeeds("version").splitlines()
        self.assertRegex(first, r"^glm \d+\.\d+\.\d+")
        self.assertEqual(sum(line.startswith("isa in use: ") for line in rest), 1, rest)
        keys = json.loads(self.succeeds("version", "--json"), object_pairs_hook=lambda p: [k for k, _ in p])
        self.assertEqual(len(keys), len(set(keys)))
        value = self.json("version", "--json")
        for key in ("version", "commit", "flags", "isa_levels", "isa_in_use"):
            self.assertIn(key, value)


if __name__ == "__main__":
    unittest.main()
