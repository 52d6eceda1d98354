# SPDX-License-Identifier: MIT
"""run, score, inspect and bench on the random-weight nano52."""
import json
import os
import signal
import struct
import subprocess
import time
import unittest

from check_golden import read_npy
from glm_cli import Case, NANO52, PROGRAM, SANITIZED, environment, glm

IDS = "5 9 200 17 33 41 7 300 250 99"


class Score(Case):
    def test_text_json_and_files(self):
        value = self.json("score", NANO52, "--ids", IDS, "--json")
        self.assertEqual(set(value), {"tokens", "mean_nll", "perplexity"})
        self.assertEqual(value["tokens"], 10)
        text = self.succeeds("score", NANO52, "--ids", IDS)
        self.assertRegex(text, r"^tokens +10\nmean nll +[\d.]+\nperplexity +[\d.]+\n$")
        self.assertEqual(self.json("score", NANO52, "--ids", "@" + self.write("ids", IDS.replace(" ", ",\n")), "--json"),
                         value)
        one = self.json("score", NANO52, "--ids", "5", "--json")
        self.assertEqual(one, {"tokens": 1, "mean_nll": None, "perplexity": None})
        file = self.write("text", "Hello, world")
        n = len(self.succeeds("tokenize", NANO52, "-f", file).split())
        self.assertEqual(self.json("score", NANO52, "--text", file, "--json")["tokens"], n)
        self.assertEqual(self.json("score", NANO52, "--text", "-", "--json", input="Hello, world")["tokens"], n)

    def test_chunks_and_threads_change_nothing(self):
        files = []
        for i, options in enumerate([(), ("--chunk", "1"), ("--chunk", "3", "--threads", "2"), ("--threads", "1")]):
            file = self.path(f"{i}.npy")
            self.succeeds("score", NANO52, "--ids", IDS, "--logits", file, *options)
            with open(file, "rb") as f:
                files.append(f.read())
        self.assertEqual(len(set(files)), 1)
        shape, values = read_npy(self.path("0.npy"))
        self.assertEqual((shape[0], len(values)), (10, 10 * shape[1]))

    def test_dump(self):
        out = self.path("out")
        self.succeeds("score", NANO52, "--ids", IDS, "--dump", out, "--chunk", "4")
        names = sorted(os.listdir(out))
        self.assertIn("hidden.embed.npy", names)
        self.assertIn("hidden.norm.npy", names)
        for name in names:
            shape, values = read_npy(os.path.join(out, name))
            self.assertEqual(shape[0], 10, name)
            self.assertEqual(values.typecode, "i" if name.startswith(("selected", "experts")) else "f", name)
        self.succeeds("score", NANO52, "--ids", IDS, "--dump", out)  # once more into the same folder
        self.assertEqual(sorted(os.listdir(out)), names)
        self.fails(1, "score", NANO52, "--ids", IDS, "--dump", self.write("file", ""), says="file")
        self.fails(1, "score", NANO52, "--ids", IDS, "--dump", self.path("a/b"), says="a/b")

    def test_failed_writes_leave_nothing(self):
        self.fails(1, "score", NANO52, "--ids", IDS, "--logits", "/dev/full", says="No space left")
        self.fails(1, "score", NANO52, "--ids", IDS, "--logits", self.path("no/out.npy"), says="no/out.npy")
        self.fails(2, "score", NANO52, "--ids", "5 99999", "--logits", self.path("out.npy"), says="99999")
        self.assertEqual(os.listdir(self.scratch), [])

    def test_closed_descriptors_do_not_become_files(self):
        out = self.path("out.npy")
        result = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "score", NANO52, "--ids", IDS,
                                 "--logits", out, "--dump", self.path("dump")], env=environment())
        self.assertEqual(result.returncode, 1)  # the result could not be written
        for name in [out, *(os.path.join(self.path("dump"), n) for n in os.listdir(self.path("dump")))]:
            read_npy(name)

    def test_bad_lists(self):
        for ids, says in [("", "at least one"), (" , ", "at least one"), ("1 x", "got x"), ("1 -2", "got -2"),
                          ("384", "384"), ("1.5", "1.5"), ("99999999999999", "expected a token id"),
                          ("@" + self.write("bad", "1 2 three"), "three")]:
            self.fails(2, "score", NANO52, "--ids", ids, says=says)
        self.fails(1, "score", NANO52, "--ids", "@" + self.path("absent"), says="absent")
        self.fails(4, "score", NANO52, "--ids", IDS, "--ctx", "5", says="5")

    def test_progress_json(self):
        result = glm("score", NANO52, "--ids", IDS, "--json", "--progress", "json", "--chunk", "2")
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual(set(line), {"what", "done", "total", "elapsed_s", "left_s"})
        self.assertEqual(lines[-1]["done"], lines[-1]["total"])
        result = glm("score", NANO52, "--ids", IDS, "--progress", "json", "--quiet")
        self.assertEqual(result.stderr, b"")


class Run(Case):
    def test_ids(self):
        out = self.succeeds("run", NANO52, "--ids", IDS, "--greedy", "-n", "8", "--ignore-eos")
        self.assertRegex(out, r"^\d+( \d+){7}\n$")
        value = self.json("run", NANO52, "--ids", IDS, "--greedy", "-n", "8", "--ignore-eos", "--json")
        self.assertEqual(set(value), {"text", "reasoning", "tool_calls", "ids", "finish_reason", "usage", "timings"})
        self.assertEqual(value["ids"], [int(i) for i in out.split()])
        self.assertEqual(value["finish_reason"], "length")
        self.assertEqual(value["usage"], {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18})

    def test_a_seed_is_drawn_and_printed_and_repeats(self):
        args = ("run", NANO52, "--ids", IDS, "-n", "12", "--temp", "1")
        first = glm(*args)
        seed = first.stderr.decode().split("--seed ")[1].split()[0]
        self.assertEqual(glm(*args, "--seed", seed).stdout, first.stdout)
        self.assertEqual(glm(*args, "--seed", seed, "--threads", "1").stdout, first.stdout)
        self.assertEqual(glm(*args, "--seed", seed, "--quiet").stderr, b"")
        self.assertNotEqual(glm(*args, "--seed", str(int(seed) ^ 1)).stdout, first.stdout)

    def test_prompts_from_everywhere(self):
        args = ("run", NANO52, "--greedy", "-n", "6", "--json", "--think", "off", "--quiet")
        expected = self.json(*args, "-p", "Hello")
        del expected["timings"]

        def same(*more, **options):
            value = self.json(*args, *more, **options)
            del value["timings"]
            self.assertEqual(value, expected)
        same(input="Hello")
        same(input="Hello\n")
        same("-f", self.write("p", "Hello\n"))
        same("-f", "-", input="Hello")
        same("--request", self.write("r", '{"messages": [{"role": "user", "content": "Hello"}]}'))
        rendered = self.succeeds("render", NANO52, "--ids",
                                 input='{"messages": [{"role": "user", "content": "Hello"}], "enable_thinking": false}')
        ids = self.json("run", NANO52, "--greedy", "-n", "6", "--json", "--ids", rendered)
        self.assertEqual(ids["ids"], expected["ids"])
        self.assertEqual(ids["usage"], expected["usage"])
        raw = self.json("run", NANO52, "--greedy", "-n", "6", "--json", "--raw", "-p", "Hello")
        self.assertEqual(raw["usage"]["prompt_tokens"], len(self.succeeds("tokenize", NANO52, "--text", "Hello").split()))

    def test_request_fields_are_those_of_the_options(self):
        """Whatever a request says of generation does what the option of the same meaning does."""
        end = int(self.succeeds("tokenize", NANO52, "--text", "</think>"))
        bans = {str(i): -100 for i in range(348, 384) if i != end}
        biases = ",".join(f"{k}={v}" for k, v in bans.items())

        def run(fields, *options):
            request = {"messages": [{"role": "user", "content": "Hello"}], "enable_thinking": False, **fields}
            value = self.json("run", NANO52, "--request", "-", "--json", "--quiet", *options, input=json.dumps(request))
            return value["ids"], value["text"], value["finish_reason"]

        greedy = run({"temperature": 0, "max_tokens": 30, "logit_bias": bans})
        self.assertEqual(len(greedy[0]), 30)
        stop = greedy[1][9:12]
        base = ("--seed", "7", "-n", "30")
        for fields, options in [
                ({"temperature": 0, "max_tokens": 9}, ("--greedy", "-n", "9")),
                ({"do_sample": False, "max_tokens": 9}, ("--greedy", "-n", "9")),
                ({"temperature": 0, "max_tokens": 7, "max_completion_tokens": 5}, ("--greedy", "-n", "5")),
                ({"seed": 7, "max_tokens": 30}, base),
                ({"seed": -1, "max_tokens": 30}, ("--seed", str(2**64 - 1), "-n", "30")),
                ({"seed": 7, "max_tokens": 30, "temperature": 1.7}, (*base, "--temp", "1.7")),
                ({"seed": 7, "max_tokens": 30, "top_p": 0.3}, (*base, "--top-p", "0.3")),
                ({"seed": 7, "max_tokens": 30, "top_k": 3}, (*base, "--top-k", "3")),
                ({"seed": 7, "max_tokens": 30, "top_k": -1}, base),
                ({"seed": 7, "max_tokens": 30, "min_p": 0.6}, (*base, "--min-p", "0.6")),
                ({"seed": 7, "max_tokens": 30, "presence_penalty": 2}, (*base, "--presence-penalty", "2")),
                ({"seed": 7, "max_tokens": 30, "frequency_penalty": -2}, (*base, "--frequency-penalty", "-2")),
                ({"seed": 7, "max_tokens": 30, "repetition_penalty": 5}, (*base, "--repeat-penalty", "5")),
                ({"seed": 7, "max_tokens": 30, "logit_bias": bans}, (*base, "--logit-bias", biases)),
                ({"temperature": 0, "max_tokens": 30, "logit_bias": bans, "stop": stop},
                 ("--greedy", "-n", "30", "--logit-bias", biases, "--stop", stop)),
                ({"temperature": 0, "max_tokens": 30, "logit_bias": bans, "stop": ["no such", stop]},
                 ("--greedy", "-n", "30", "--logit-bias", biases, "--stop", stop))]:
            self.assertEqual(run(fields), run({}, *options), fields)
            if not set(fields) <= {"seed", "max_tokens", "top_k"} or fields.get("top_k") == 3:
                self.assertNotEqual(run(fields), run({"seed": 7, "max_tokens": 30}), fields)
        # An option beats the request.
        self.assertEqual(run({"temperature": 0, "max_tokens": 9, "seed": 3}, *base, "--temp", "1.7"),
                         run({}, *base, "--temp", "1.7"))
        names = ("thinking_token_budget", "thinking_budget_tokens", "thinking_budget")
        for n in (3, 0):
            for budget in (*({name: n} for name in names), *({"chat_template_kwargs": {name: n}} for name in names),
                           {"reasoning": {"max_tokens": n}}, {"thinking": {"type": "enabled", "budget_tokens": n}},
                           {"thinking_budget": -1, "reasoning": {"max_tokens": n}}):
                ids = run({"enable_thinking": True, "temperature": 0, "max_tokens": 12, "logit_bias": {str(end): -100}, **budget})[0]
                self.assertEqual(ids.index(end), n, budget)

    def test_constraints(self):
        """From options and requests; random weights, so what comes out right was made so."""
        schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 20},
                                                   "k": {"enum": ["x", "y"]}}, "required": ["n", "k"],
                  "additionalProperties": False}
        file = self.write("schema", json.dumps(schema))
        grammar = self.write("gbnf", 'root ::= ("yes" | "no") "!"')
        tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {
            "type": "object", "properties": {"k": {"enum": ["p", "q"]}}, "required": ["k"]}}}]
        args = ("run", NANO52, "--seed", "5", "-n", "400", "--json", "--quiet")

        def is_answer(text):
            value = json.loads(text)
            return list(value) == ["n", "k"] and 0 <= value["n"] <= 20 and value["k"] in "xy"

        for think in ("off", "on"):
            more = ("-p", "Hello", "--think", think, "--think-budget", "20")
            value = self.json(*args, *more, "--json-schema", file)
            self.assertTrue(is_answer(value["text"]), value)
            self.assertEqual(value["finish_reason"], "stop")
            self.assertRegex(self.json(*args, *more, "--regex", "[ab]{5}")["text"], "^[ab]{5}$")
            self.assertIn(self.json(*args, *more, "--grammar", grammar)["text"], ("yes!", "no!"))
        raw = self.json(*args, "--raw", "-p", "Hello", "--regex", "[ab]{5}")
        self.assertRegex(raw["text"], "^[ab]{5}$")

        def run(fields, *options):
            request = {"messages": [{"role": "user", "content": "Hello"}], "thinking_token_budget": 20, **fields}
            return self.json(*args, "--request", "-", *options, input=json.dumps(request))

        for fields in ({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": schema}}},
                       {"response_format": {"type": "json_schema", "schema": schema}}, {"guided_json": schema},
                       {"structured_outputs": {"json": json.dumps(schema)}}, {"json_schema": schema},
                       {"output_config": {"format": {"type": "json_schema", "schema": schema}}}):
            self.assertTrue(is_answer(run(fields)["text"]), fields)
        self.assertIn(run({"structured_outputs": {"choice": ["yes", "no"]}})["text"], ("yes", "no"))
        self.assertIn(run({"grammar": 'root ::= "yes" | "no"'})["text"], ("yes", "no"))
        for fields in ({"tools": tools, "tool_choice": "required", "parallel_tool_calls": False},
                       {"tools": tools, "parallel_tool_calls": False,
                        "tool_choice": {"type": "function", "function": {"name": "f"}}},
                       {"tools": [{"name": "f", "strict": True, "input_schema": tools[0]["function"]["parameters"]}],
                        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}}):
            value = run(fields)
            self.assertEqual(value["finish_reason"], "tool_calls")
            self.assertEqual([c["function"]["name"] for c in value["tool_calls"]], ["f"])
            self.assertIn(json.loads(value["tool_calls"][0]["function"]["arguments"])["k"], ("p", "q"))
        file = self.write("tools", json.dumps(tools))
        value = run({"tool_choice": "required", "tools": [{"name": "other"}], "parallel_tool_calls": False}, "--tools", file)
        self.assertEqual(value["tool_calls"][0]["function"]["name"], "f")
        call = int(self.succeeds("tokenize", NANO52, "--text", "<tool_call>"))
        forbidden = run({"tools": tools, "tool_choice": "none", "logit_bias": {str(call): 100}, "max_tokens": 50})
        self.assertNotIn(call, forbidden["ids"])

        for fields, says in [({"response_format": {"type": "xml"}}, "response_format"),
                             ({"response_format": {"type": "json_schema"}}, "a schema"),
                             ({"response_format": {"type": "json_schema", "json_schema": {"strict": True, "schema": {"not": {}}}}},
                              "response_format: JSON Schema: unsupported keyword not"),
                             ({"tool_choice": "required"}, "tools"), ({"tools": tools, "tool_choice": "sometimes"}, "tool_choice"),
                             ({"tools": tools, "tool_choice": {"type": "function", "name": "g"}}, "offered"),
                             ({"guided_regex": "("}, "guided_regex: regular expression")]:
            request = {"messages": [{"role": "user", "content": "Hello"}], **fields}
            self.fails(3, "run", NANO52, "--request", self.write("r", json.dumps(request)), says=says)
        self.fails(2, *args, "-p", "x", "--regex", "(", says="--regex")
        self.fails(3, *args, "-p", "x", "--json-schema", self.write("bad", "{"), says="bad")
        self.fails(2, *args, "-p", "x", "--regex", "a", "--grammar", grammar, says="--grammar")

    def test_request_fields_that_are_refused(self):
        for fields, says in [({"temperature": 3}, "temperature: expected a number from 0 to 2"),
                             ({"temperature": "1"}, "temperature"), ({"top_p": 1.5}, "top_p"), ({"top_k": -2}, "top_k"),
                             ({"min_p": -1}, "min_p"), ({"max_tokens": 0}, "max_tokens"), ({"max_tokens": 1.5}, "max_tokens"),
                             ({"seed": 1.5}, "seed"), ({"seed": 2**64}, "seed"), ({"presence_penalty": 3}, "presence_penalty"),
                             ({"stop": ""}, "stop"), ({"stop": [1]}, "stop"), ({"stop": ["a"] * 17}, "stop"),
                             ({"stop": "a\0b"}, "stop"), ({"logit_bias": {"384": 1}}, "logit_bias"),
                             ({"logit_bias": {"1.0": 1}}, "logit_bias"), ({"logit_bias": {"1": 101}}, "logit_bias"),
                             ({"logit_bias": []}, "logit_bias"), ({"do_sample": 1}, "do_sample"), ({"n": 2}, "n: expected 1"),
                             ({"logprobs": True}, "logprobs"), ({"min_tokens": 4}, "min_tokens"),
                             ({"thinking": {"budget_tokens": -2}}, "thinking.budget_tokens"),
                             ({"chat_template_kwargs": {"thinking_budget": "3"}}, "chat_template_kwargs.thinking_budget")]:
            request = {"messages": [{"role": "user", "content": "Hello"}], **fields}
            self.fails(3, "run", NANO52, "--request", self.write("r", json.dumps(request)), says="r: " + says)

    def test_text_is_that_of_json(self):
        args = ("run", NANO52, "-p", "Hello", "--greedy", "-n", "20", "--think", "off")
        text = glm(*args).stdout
        self.assertEqual(text.decode().rstrip("\n"), self.json(*args, "--json")["text"].rstrip("\n"))

    def test_think_budget(self):
        end = int(self.succeeds("tokenize", NANO52, "--text", "</think>"))
        value = self.json("run", NANO52, "-p", "Hello", "--greedy", "-n", "12", "--think-budget", "3",
                          "--logit-bias", f"{end}=-100", "--json")
        self.assertEqual(value["ids"].index(end), 3)
        self.assertIsInstance(value["reasoning"], str)
        cut = self.json("run", NANO52, "-p", "Hello", "--greedy", "-n", "2", "--logit-bias", f"{end}=-100", "--json")
        self.assertEqual((cut["text"], cut["finish_reason"]), ("", "length"))

    def test_stop_text(self):
        args = ("run", NANO52, "-p", "Hello", "--greedy", "-n", "40", "--think", "off", "--json", "--logit-bias")
        bans = ",".join(f"{i}=-100" for i in range(348, 384))  # only ordinary text
        text = self.json(*args, bans)["text"]
        stop = text[9:12]
        value = self.json(*args, bans, "--stop", stop, "--stop", "never seen")
        self.assertEqual(value["text"], text[:text.index(stop)])
        self.assertEqual(value["finish_reason"], "stop")
        self.fails(2, *args, bans, "--stop", "", says="--stop")

    def test_refusals(self):
        self.fails(2, "run", NANO52, "-n", "4", input="", says="expected a prompt")
        self.fails(1, "run", NANO52, "--request", self.path("absent"), says="absent")
        self.fails(3, "run", NANO52, "--request", self.write("r", "{}"), says="r: ")
        self.fails(2, "run", NANO52, "-p", "x", "--ignore-eos", says="--ignore-eos")
        self.fails(2, "run", NANO52, "--greedy", "--ids", "1", "--logit-bias", "999999=1", says="999999")
        self.fails(4, "run", NANO52, "--greedy", "--ids", IDS, "--ctx", "5", says="5")
        self.fails(4, "run", NANO52, "--greedy", "--ids", IDS, "--memory", "1KiB", says="memory")
        self.fails(1, "run", self.path("absent"), "-p", "x", says="absent")
        self.fails(3, "run", self.write("file.gguf", "nonsense"), "-p", "x", says="file.gguf")

    def test_closed_standard_input(self):
        """Its descriptor must not become that of a file of the model, which would be read as the prompt."""
        result = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "run", NANO52, "-n", "1"],
                                env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"standard input: reading: Bad file descriptor", result.stderr)

    def test_stats(self):
        result = glm("run", NANO52, "--ids", IDS, "--greedy", "-n", "4", "--stats")
        self.assertRegex(result.stderr.decode(), r"prompt 10 tokens, .*tokens/s; answer \d+ tokens")

    def test_interrupt(self):
        for signals in (1, 2):
            process = subprocess.Popen([*PROGRAM, "run", NANO52, "--ids", IDS, "--ignore-eos", "--seed", "1"],
                                       env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.read(20)
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130, err)
            self.assertNotIn(b"internal", err)

    def test_interrupt_leaves_no_files(self):
        ids = self.write("ids", " ".join(str(i % 300) for i in range(3000)))
        process = subprocess.Popen([*PROGRAM, "score", NANO52, "--ids", "@" + ids, "--logits", self.path("out.npy"),
                                    "--dump", self.path("dump"), "--threads", "1", "--chunk", "16"],
                                   env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while len(os.listdir(self.scratch)) < 3 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assertEqual(sorted(os.listdir(self.scratch)), ["dump", "ids"])
        self.assertEqual(os.listdir(self.path("dump")), [])

    def test_output_that_breaks(self):
        with open("/dev/full", "wb") as full:
            result = glm("run", NANO52, "--ids", IDS, "--seed", "1", "--ignore-eos", stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left", result.stderr)
        process = subprocess.Popen([*PROGRAM, "run", NANO52, "--ids", IDS, "--ignore-eos", "--seed", "1"],
                                   env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(process.wait(30), 1)
        self.assertIn(b"standard output", process.stderr.read())
        process.stderr.close()


class Inspect(Case):
    def test_table_and_json(self):
        text = self.succeeds("inspect", NANO52)
        for part in ("glm_moe_dsa", "safetensors", "649.8 k", "experts"):
            self.assertIn(part, text)
        value = self.json("inspect", NANO52, "--json")
        self.assertEqual(value["parameters"]["total"], 649808)
        self.assertEqual(value["shapes"]["n_layer"], 7)
        self.assertEqual(value["shapes"]["n_dense_layer"], 2)
        self.assertEqual(value["shapes"]["n_mtp_layer"], 1)
        self.assertEqual(value["indexers"]["full"] + value["indexers"]["shared"], 7)
        self.assertEqual(sum(c["parameters"] for c in value["classes"]), 649808)
        self.assertIsNone(value["content"])
        self.assertRegex(value["id"], "^[0-9a-f]{16,64}$")
        self.assertNotIn("tensors", value)

    def test_tensors(self):
        value = self.json("inspect", NANO52, "--json", "--tensors")
        names = [t["name"] for t in value["tensors"]]
        self.assertEqual(len(names), value["n_tensors"])
        expected = set()
        for name in os.listdir(NANO52):
            if name.startswith("model-") and name.endswith(".safetensors"):
                with open(os.path.join(NANO52, name), "rb") as file:
                    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
                expected |= set(header) - {"__metadata__"}
        self.assertEqual(set(names), expected)
        self.assertIn(names[0], self.succeeds("inspect", NANO52, "--tensors"))

    def test_verify(self):
        one = self.json("inspect", NANO52, "--json", "--verify")
        self.assertRegex(one["content"], "^[0-9a-f]{16,64}$")
        self.assertIn(one["content"], self.succeeds("inspect", NANO52, "--verify"))


class Bench(Case):
    def test_table_and_json(self):
        args = ("bench", NANO52, "--prompt", "8,0", "--gen", "4", "--depth", "0,16", "--batch", "1,2", "--runs", "2")
        rows = self.json(*args, "--json", "--threads", "1", timeout=300)
        self.assertEqual([(r["case"], r["tokens"], r["depth"], r["batch"]) for r in rows],
                         [(c, n, d, b) for b in (1, 2) for d in (0, 16) for c, n in (("prompt", 8), ("gen", 4))])
        for row in rows:
            self.assertEqual(set(row), {"case", "tokens", "depth", "batch", "threads", "runs", "tok_s", "bytes_per_token",
                                        "read_gbs", "share_of_read_limit", "large_page_share"})
            self.assertEqual((row["threads"], row["runs"]), (1, 2))
            self.assertLessEqual(row["tok_s"]["min"], row["tok_s"]["median"])
            self.assertLessEqual(row["tok_s"]["median"], row["tok_s"]["max"])
            self.assertGreater(row["bytes_per_token"], 0)
        table = self.succeeds("bench", NANO52, "--prompt", "8", "--gen", "4", "--runs", "1")
        self.assertRegex(table, r"(?m)^prompt +8 +0 +1 ")
        self.fails(2, "bench", NANO52, "--prompt", "0", "--gen", "0", says="above 0")


if __name__ == "__main__":
    unittest.main()
