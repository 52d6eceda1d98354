# SPDX-License-Identifier: MIT
"""tokenize, detokenize, render and parse: what needs only a tokenizer."""
import json
import os
import shutil
import subprocess
import unittest

from glm_cli import Case, NANO52, PROGRAM, glm

# Texts that tokenizers and terminals stumble over.
TEXTS = ["", " ", "Hello, world", "a\nb\r\n\tc  ", "Łódź 東京 🙂 e\u0301", "<|user|>x</think>", "don't 1234567 !!!",
         "\u0000\u0001\u007f", "x" * 3000]


class Tokenize(Case):
    def test_ids_text_and_json_agree(self):
        for text in TEXTS:
            with self.subTest(text=text[:20]):
                file = self.write("text", text)
                ids = self.succeeds("tokenize", NANO52, "-f", file)
                self.assertRegex(ids, r"^(\d+( \d+)*)?\n$")
                self.assertEqual(self.succeeds("tokenize", NANO52, input=text), ids)
                if text and "\0" not in text:
                    self.assertEqual(self.succeeds("tokenize", NANO52, "--text", text), ids)
                pairs = self.json("tokenize", NANO52, "--json", "-f", file)
                self.assertEqual([i for i, _ in pairs], [int(i) for i in ids.split()])
                if text.isascii():
                    self.assertEqual("".join(piece for _, piece in pairs), text)
                # And back, as arguments, from a file and from standard input.
                self.assertEqual(self.succeeds("detokenize", NANO52, input=ids).encode(), text.encode())
                self.assertEqual(self.succeeds("detokenize", NANO52, "-f", self.write("ids", ids)), text)
                if ids.strip():
                    self.assertEqual(self.succeeds("detokenize", NANO52, *ids.split()), text)
                    self.assertEqual(self.succeeds("detokenize", NANO52, ids.replace(" ", ",").strip()), text)

    def test_bytes_that_are_no_text_come_back(self):
        data = bytes(range(256)) + b"\xff\xfe\xc3"
        ids = self.succeeds("tokenize", NANO52, input=data)
        self.assertEqual(glm("detokenize", NANO52, input=ids).stdout, data)
        json.loads(self.succeeds("tokenize", NANO52, "--json", input=data))

    def test_plain(self):
        tag = self.succeeds("tokenize", NANO52, "--text", "</think>").split()
        self.assertEqual(len(tag), 1)
        plain = self.succeeds("tokenize", NANO52, "--plain", "--text", "</think>").split()
        self.assertGreater(len(plain), 1)
        self.assertEqual(self.succeeds("detokenize", NANO52, *plain), "</think>")
        self.assertEqual(self.succeeds("detokenize", NANO52, *tag), "</think>")

    def test_lines(self):
        lines = "".join(json.dumps(text, ensure_ascii=len(text) % 2 == 0) + "\n" for text in TEXTS)
        out = self.succeeds("tokenize", NANO52, "--lines", input=lines)
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(rows), len(TEXTS))
        for text, row in zip(TEXTS, rows):
            self.assertEqual(row, [int(i) for i in self.succeeds("tokenize", NANO52, input=text).split()])
        back = self.succeeds("detokenize", NANO52, "--lines", input=out)
        self.assertEqual([json.loads(line) for line in back.splitlines()], TEXTS)
        plain = self.succeeds("tokenize", NANO52, "--plain", "--lines", input='"</think>"')
        self.assertGreater(len(json.loads(plain)), 1)

    def test_lines_answer_one_by_one(self):
        """A line is answered before the next one is written: lines are a protocol for other programs."""
        process = subprocess.Popen([*PROGRAM, "tokenize", NANO52, "--lines"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        for _ in range(3):
            process.stdin.write(b'"hello"\n')
            process.stdin.flush()
            self.assertTrue(json.loads(process.stdout.readline()))
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        process.stdout.close()

    def test_bad_input(self):
        for command, line in [("tokenize", "{}"), ("tokenize", "[1]"), ("tokenize", '"open'), ("tokenize", '"\\ud800"'),
                              ("detokenize", "1"), ("detokenize", '["1"]'), ("detokenize", "[1.5]"),
                              ("detokenize", "[-1]"), ("detokenize", "[99999999999]"), ("detokenize", "[383000]"),
                              ("render", "[]"), ("render", '{"messages": 3}'), ("parse", "[]"),
                              ("parse", '{"text": 1}'), ("parse", '{"text": "", "prompt_tail": "maybe"}')]:
            with self.subTest(command=command, line=line):
                self.fails(3, command, NANO52, "--lines", input=line + "\n", says="line 1")
        self.fails(3, "detokenize", NANO52, input="1 2 x", says=("standard input", "got x"))
        self.fails(2, "detokenize", NANO52, "1", "x", says="got x")
        self.fails(2, "detokenize", NANO52, "99999", says="99999")
        self.fails(2, "detokenize", NANO52, "1", "-f", "x", says="at most one")
        self.fails(1, "tokenize", NANO52, "-f", self.path("absent"), says="absent")
        self.fails(1, "tokenize", NANO52, "-f", self.scratch, says="folder")
        self.fails(1, "tokenize", self.path("absent"), "--text", "x", says="absent")
        self.fails(3, "tokenize", self.scratch_with("tokenizer.json", "{"), "--text", "x", says="tokenizer.json")

    def scratch_with(self, name, content):
        self.write(name, content)
        return self.scratch

    def test_closed_standard_input(self):
        result = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "tokenize", NANO52],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"")
        self.assertIn(b"standard input", result.stderr)

    def test_full_disk(self):
        for args in [("tokenize", "--text", "x"), ("tokenize", "--text", "x", "--json"), ("detokenize", "5")]:
            with open("/dev/full", "wb") as full:
                result = glm(args[0], NANO52, *args[1:], stdout=full)
            self.assertEqual(result.returncode, 1, args)
            self.assertIn(b"No space left", result.stderr)

    def test_a_tokenizer_alone_is_enough(self):
        shutil.copy(os.path.join(NANO52, "tokenizer.json"), self.scratch)
        self.assertEqual(self.succeeds("tokenize", self.scratch, "--text", "Hello"),
                         self.succeeds("tokenize", NANO52, "--text", "Hello"))
        self.succeeds("render", self.scratch, input='{"messages": [{"role": "user", "content": "Hi"}]}')

    def test_the_bundled_model(self):
        result = glm("tokenize", "--text", "Hello")
        self.assertEqual(result.returncode, 0)
        first = result.stderr.decode().splitlines()[0]
        self.assertIn("bundled model nano", first)
        result = glm("tokenize", "--text", "Hello", "--quiet")
        self.assertIn(b"bundled model", result.stderr)
        result = glm("inspect", "nano")
        self.assertEqual((result.returncode, result.stderr), (0, b""), "its chat template is known")
        # A folder of that name goes before the bundled one; models/ of the current folder is looked at first.
        os.makedirs(self.path("models/nano"))
        shutil.copy(os.path.join(NANO52, "tokenizer.json"), self.path("models/nano"))
        result = glm("tokenize", "nano", "--text", "Hello", cwd=self.scratch)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        os.makedirs(self.path("nano"))
        self.fails(1, "tokenize", "nano", "--text", "Hello", cwd=self.scratch, says="nano")

    def test_locales(self):
        text = "Łódź 東京"
        expected = self.succeeds("tokenize", NANO52, "--text", text)
        for locale in ("C", "POSIX", "de_DE.ISO-8859-1", "C.UTF-8", "nonsense"):
            self.assertEqual(self.succeeds("tokenize", NANO52, "--text", text, env={"LC_ALL": locale}), expected)


class Chat(Case):
    REQUEST = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <|user|>"}]}
    PROMPT = "[gMASK]<sop><|system|>Reasoning Effort: Max<|system|>Be brief.<|user|>Hi <|user|><|assistant|><think>"

    def test_render(self):
        request = json.dumps(self.REQUEST)
        self.assertEqual(self.succeeds("render", NANO52, input=request), self.PROMPT)
        self.assertEqual(self.succeeds("render", NANO52, "-f", self.write("r", request)), self.PROMPT)
        lines = request + "\n" + json.dumps({**self.REQUEST, "enable_thinking": False}) + "\n"
        out = [json.loads(line) for line in self.succeeds("render", NANO52, "--lines", input=lines).splitlines()]
        self.assertEqual(out[0], self.PROMPT)
        self.assertTrue(out[1].endswith("<|assistant|><think></think>"))
        ids = self.succeeds("render", NANO52, "--ids", input=request)
        self.assertRegex(ids, r"^\d+( \d+)*\n$")
        rows = self.succeeds("render", NANO52, "--ids", "--lines", input=lines).splitlines()
        self.assertEqual(json.loads(rows[0]), [int(i) for i in ids.split()])
        # The ids spell the prompt, but the role token inside the message is no token.
        self.assertEqual(self.succeeds("detokenize", NANO52, input=ids), self.PROMPT)
        whole = self.succeeds("tokenize", NANO52, input=self.PROMPT)
        self.assertGreater(len(ids.split()), len(whole.split()))

    def test_render_errors(self):
        for request, says in [("", "standard input"), ("{", "standard input"), ("[]", "object"),
                              ('{"messages": [{"role": "user", "content": 3}]}', "messages[0].content")]:
            self.fails(3, "render", NANO52, input=request, says=says)
        self.fails(4, "render", NANO52, input='{"messages": [' + "[" * 100, says="64")

    def test_parse(self):
        stop = "<|user|>"
        message = self.json("parse", NANO52, input="Think.</think>Hello" + stop)
        self.assertEqual(message, {"content": "Hello", "reasoning_content": "Think.", "tool_calls": message["tool_calls"],
                                   "finish_reason": "stop"})
        self.assertFalse(message["tool_calls"])
        message = self.json("parse", NANO52, "--prompt-tail", "nothink", input="Hello")
        self.assertEqual((message["content"], message["reasoning_content"], message["finish_reason"]),
                         ("Hello", None, "length"))
        declared = [{"type": "function", "function": {"name": "f", "parameters": {
            "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}}}]
        tools = self.write("tools", json.dumps(declared))
        call = "</think><tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value><arg_key>b</arg_key>" \
               "<arg_value>2</arg_value></tool_call><|observation|>"
        message = self.json("parse", NANO52, "--tools", tools, input=call)
        self.assertEqual(message["finish_reason"], "tool_calls")
        function = message["tool_calls"][0]["function"]
        self.assertEqual((function["name"], json.loads(function["arguments"])), ("f", {"a": "1", "b": 2}))
        self.assertEqual(message["tool_calls"][0]["type"], "function")
        line = json.dumps({"text": call, "tools": declared, "prompt_tail": "think"})
        lines = self.succeeds("parse", NANO52, "--lines", input=line + "\n" + '{"text": "x"}\n').splitlines()
        self.assertEqual(json.loads(lines[0]), message)
        self.assertEqual(json.loads(lines[1])["reasoning_content"], "x")
        self.fails(3, "parse", NANO52, "--tools", self.write("bad", "{}"), input="x", says="bad")
        self.fails(1, "parse", NANO52, "--tools", self.path("absent"), input="x", says="absent")


if __name__ == "__main__":
    unittest.main()
