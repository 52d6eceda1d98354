# SPDX-License-Identifier: MIT
"""glm quantize as a user meets it: summaries, refusals, a full disk, Ctrl-C, memory smaller than the model."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

from check_golden import read_npy
from glm_cli import Case, NANO52, PROGRAM, SANITIZED, SOURCE, environment, glm
sys.path.insert(0, os.path.join(SOURCE, "tests", "formats"))
import package  # noqa: E402

NANO = os.path.join(SOURCE, "models", "nano")
NANO5 = os.path.join(os.path.dirname(NANO52), "nano5")
# What llama.cpp's quantiser takes for rows that 256 does not divide (tensor_type_fallback).
FALLBACKS = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0", **{t: "IQ4_NL" for t in (
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS")}, "Q2_K": "Q4_0", "Q3_K": "Q4_0", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0"}
TINY_MODEL = os.environ.get("GLM_TEST_TINY_MODEL", "")
IDS = "5 9 200 17 33 41 7 300 250 99"


class Quantize(Case):
    def logits(self, model, name):
        file = self.path(name + ".npy")
        self.succeeds("score", model, "--ids", IDS, "--logits", file, "--precision", "exact")
        return read_npy(file)[1]

    def test_summary_and_what_the_file_is(self):
        out = self.path("a.gguf")
        text = self.succeeds("quantize", NANO52, out, "Q8_0")
        self.assertRegex(text, r"(?m)^experts +BF16 +Q8_0 +18 +294\.9 k +313\.3 kB +0\.00[45]\d+$")
        self.assertIn(f"wrote {out}\n", text)
        info = self.json("inspect", out, "--json")
        origin = self.json("inspect", NANO52, "--json")
        for key in ("architecture", "shapes", "routed_scale", "rope_theta", "rms_eps", "indexers", "parameters",
                    "eos_ids", "sampling", "kv_bytes_per_token"):
            self.assertEqual(info[key], origin[key], key)
        value = self.json("quantize", NANO52, self.path("b.gguf"), "Q8_0", "--json")
        self.assertEqual(value["out_bytes"], os.path.getsize(self.path("b.gguf")))
        self.assertEqual(sum(c["size_bytes"] for c in value["classes"]), info["size_bytes"])
        self.assertEqual(sum(c["parameters"] for c in value["classes"]), value["parameters"])

    def test_what_it_computes(self):
        golden = self.logits(NANO52, "golden")
        spread = max(golden) - min(golden)
        for kind, limit in (("F32", 1e-5), ("BF16", 1e-5), ("F16", 1e-5), ("Q8_0", 0.35)):
            out = self.path(kind + ".gguf")
            self.succeeds("quantize", NANO52, out, kind, "--quiet")
            found = self.logits(out, kind)
            worst = max(abs(a - b) for a, b in zip(found, golden)) / spread
            self.assertLess(worst, limit, kind)
            self.assertEqual(worst > 1e-4, kind == "Q8_0")

    def test_tokenizer_survives(self):
        out = self.path("a.gguf")
        self.succeeds("quantize", NANO52, out, "F16", "--quiet")
        text = "Hello <|user|> [gMASK]<sop> w\u00f6rld <think>\n\n  12345 \U0001f600"
        for more in ((), ("--plain",)):
            self.assertEqual(self.succeeds("tokenize", out, "--text", text, *more),
                             self.succeeds("tokenize", NANO52, "--text", text, *more))

    def test_rules_and_refusals(self):
        out = self.path("a.gguf")
        self.succeeds("quantize", NANO52, out, "Q8_0", "--tensor", "ffn_(up|down)_exps=F16", "--tensor",
                      "^blk\\.1\\.=BF16", "--quiet")
        types = {t["name"]: t["type"] for t in self.json("inspect", out, "--tensors", "--json")["tensors"]}
        self.assertEqual(types["blk.3.ffn_up_exps.weight"], "F16")
        self.assertEqual(types["blk.3.ffn_gate_exps.weight"], "Q8_0")
        self.assertEqual(types["blk.1.ffn_up.weight"], "BF16")
        for wrong in ("F16", "=F16", "a=", "=", "(=F16", "a=I8"):
            self.fails(2, "quantize", "--quiet", NANO52, self.path("b.gguf"), "Q8_0", "--tensor", wrong)
        self.fails(2, "quantize", "--quiet", NANO52, self.path("b.gguf"))
        self.fails(2, "quantize", "--quiet", NANO52, self.path("b.gguf"), "Q8", says="Q8")
        self.fails(2, "quantize", "--quiet", NANO52, self.path("b.bin"), "Q8_0", says=".gguf")
        self.fails(2, "quantize", "--quiet", NANO52, self.path("b.gguf"), "Q8_0", "--split-size", "0")
        self.fails(2, "quantize", "--quiet", out, self.path("b.gguf"), "F32", says="--allow-requantize")
        self.fails(1, "quantize", "--quiet", self.path("no"), self.path("b.gguf"), "Q8_0")
        self.fails(1, "quantize", "--quiet", NANO52, self.path("no/b.gguf"), "Q8_0")
        self.fails(3, "quantize", "--quiet", self.write("c.gguf", "GGUF"), self.path("b.gguf"), "Q8_0")
        self.assertEqual(sorted(os.listdir(self.scratch)), ["a.gguf", "c.gguf"])

    def test_rows_that_do_not_fit(self):
        """Every type on rows of 64 or 32 elements, and on rows of 48 or 24 that no block divides."""
        for wanted, given in FALLBACKS.items():
            result = glm("quantize", NANO52, self.path("a.gguf"), "Q8_0", "--tensor", ".=" + wanted, "--dry-run")
            self.assertEqual(result.returncode, 0, result.stderr)
            notes = result.stderr.decode()
            self.assertIn(f"token_embd.weight: rows of 64 do not fit {wanted}: {given} instead", notes)
            self.assertIn(f"blk.0.attn_v_b.weight: rows of 32 do not fit {wanted}: {given} instead", notes)
            self.assertIn(f"blk.0.attn_k_b.weight: rows of 24 do not fit {wanted}: F16 instead", notes)
        for wanted in ("Q8_0", "Q4_0", "Q5_1", "IQ4_NL", "MXFP4"):
            result = glm("quantize", NANO52, self.path("a.gguf"), "Q8_0", "--tensor", ".=" + wanted, "--dry-run")
            self.assertNotIn(b"rows of 64", result.stderr)
            self.assertIn(b"rows of 48 do not fit " + wanted.encode() + b": F16", result.stderr)

    def test_importance(self):
        text, out = self.write("text.txt", "The cat sat on the mat. " * 100), self.path("im.gguf")
        found = self.succeeds("imatrix", NANO52, "-f", text, "-o", out, "--threads", "1")
        self.assertRegex(found, r"^\d+ tokens in \d sequences, 91 matrices\n")
        value = self.json("imatrix", NANO52, "-f", "-", "-o", self.path("b.gguf"), "--json", "--ctx", "64",
                          input="The cat sat on the mat.")
        self.assertEqual(value["matrices"], 83)  # no row chose positions, so the indexer has none
        self.assertEqual([layer["layer"] for layer in value["rare"]], [2, 3, 4, 5, 6])
        result = glm("quantize", NANO52, self.path("c.gguf"), "IQ4_NL", "--imatrix", out)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"matrices known", result.stderr)
        self.fails(2, "imatrix", NANO52, "-f", text)
        self.fails(2, "imatrix", NANO52, "-o", out)
        self.fails(2, "imatrix", "-f", text, "-o", out)
        self.fails(2, "imatrix", NANO52, "-f", self.write("empty", ""), "-o", out)
        self.fails(1, "imatrix", NANO52, "-f", self.path("none"), "-o", out)
        self.fails(1, "imatrix", NANO52, "-f", text, "-o", "/dev/null/x")
        self.fails(3, "quantize", NANO52, self.path("d.gguf"), "IQ4_NL", "--quiet", "--imatrix", text)
        self.fails(3, "quantize", NANO52, self.path("d.gguf"), "IQ4_NL", "--quiet", "--imatrix", self.path("c.gguf"))

    def test_full_disk(self):
        whole, out = self.path("whole.gguf"), self.path("a.gguf")
        self.succeeds("quantize", NANO52, whole, "Q8_0", "--quiet")
        size = os.path.getsize(whole)
        for limit in (0, 1000, size // 2, size - 1):
            def restrict():
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            result = glm("quantize", NANO52, out, "Q8_0", "--quiet", preexec_fn=restrict)
            self.assertEqual(result.returncode, 1, result)
            self.assertIn(b"File too large", result.stderr)
            self.assertEqual(os.listdir(self.scratch), ["whole.gguf"])
        self.write("a.gguf", "precious")
        result = glm("quantize", NANO52, out, "Q8_0", "--quiet", preexec_fn=restrict)
        self.assertEqual(result.returncode, 1)
        with open(out) as file:
            self.assertEqual(file.read(), "precious")

    def test_two_at_once(self):
        with open(self.path("a.gguf.partial"), "w") as file:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX)
            self.fails(1, "quantize", NANO52, self.path("a.gguf"), "Q8_0", "--quiet", says="being written")


class Receipt(Case):
    TEXT = "The quick brown fox jumps over the lazy dog. " * 12

    def setUp(self):
        super().setUp()
        self.text = self.write("text.txt", self.TEXT)
        self.out = self.path("a.gguf")
        self.succeeds("quantize", NANO52, self.out, "Q8_0", "--quiet")

    def receipt_of(self, path):
        return self.json("inspect", path, "--json", "--quiet")["receipt"]

    def test_a_model_is_like_itself(self):
        same = self.path("same.gguf")
        self.succeeds("quantize", NANO52, same, "F32", "--quiet")
        value = self.json("receipt", NANO52, same, "-f", self.text, "--json", "--print-only", "--precision", "exact")
        self.assertLess(value["kl_max"], 1e-6)
        self.assertEqual((value["top1"], value["experts_overlap"], value["selection_overlap"]), (1.0, 1.0, 1.0))
        self.assertAlmostEqual(value["perplexity"] / value["perplexity_reference"], 1, places=5)
        score = self.json("score", NANO52, "--text", self.text, "--json", "--precision", "exact")
        self.assertAlmostEqual(value["perplexity_reference"] / score["perplexity"], 1, places=6)
        self.assertEqual(value["tokens"], score["tokens"])
        self.assertGreater(value["selection_rows"], 0)
        self.assertIsNone(value["needle"])
        import hashlib
        self.assertEqual(value["text_sha256"], hashlib.sha256(self.TEXT.encode()).hexdigest())

    def test_reference_is_exact(self):
        options = ("-f", self.text, "--json", "--print-only", "--ctx", "128")
        same = self.json("receipt", self.out, self.out, *options, "--precision", "exact")
        self.assertEqual((same["kl_max"], same["precision"]), (0, "exact"))
        fast = self.json("receipt", self.out, self.out, *options)
        self.assertGreater(fast["kl_max"], 0)
        self.assertEqual(fast["perplexity_reference"], same["perplexity_reference"])

    def test_conversations(self):
        prompt = "[gMASK]<sop><|user|>%s<|assistant|><think></think>"
        wanted = self.json("run", NANO, "-p", "Hello", "--think", "off", "--greedy", "--json", "--precision", "exact")["text"]
        self.assertGreater(len(wanted), 2)
        lines = [{"prompt": prompt % "Hello", "answer": wanted + "<|user|>", "task": "needle"},
                 {"prompt": prompt % "Hello", "answer": "Xyz.<|user|>", "task": "needle"},
                 {"prompt": prompt % "Hello", "answer": wanted, "task": "tool_call"},
                 {"prompt": prompt % "Hi there", "answer": "Bye"}]
        text = self.write("c.jsonl", "\n\n".join(json.dumps(line) for line in lines))
        value = self.json("receipt", NANO, NANO, "-f", text, "--print-only", "--json")
        self.assertEqual([value[k] for k in ("needles", "needle_reference", "needle")], [2, 0.5, 0.5])
        self.assertEqual([value[k] for k in ("tool_calls_asked", "tool_calls_reference", "tool_calls")], [1, 1, 1])
        tokens = [len(self.json("tokenize", NANO, "--json", "--text", line[k])) for k in ("prompt", "answer") for line in lines]
        self.assertEqual((value["tokens"], value["rows"]), (sum(tokens), sum(tokens[4:])))
        self.assertIn("needles found           50.00 %, reference 50.00 %, of 2",
                      self.succeeds("receipt", NANO, NANO, "-f", text, "--print-only"))
        for line, says in (('{"prompt": "a"}', "line 1: answer: expected a text"), ('{"prompt": "", "answer": "a"}', "at least one token"),
                           ('{"prompt": "a", "answer": "b", "task": "x"}', "needle or tool_call"), ("[", "line 1"), ("", "two tokens"),
                           (json.dumps({"prompt": "a " * 200, "answer": "b"}), "conversation 1: expected a prompt and an answer")):
            bad = self.write("bad.jsonl", line)
            result = glm("receipt", NANO, NANO, "-f", bad, "--print-only", "--ctx", "64")
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(says, result.stderr.decode())

    def test_written_in_place(self):
        with open(self.out, "rb") as file:
            before = file.read()
        self.assertIsNone(self.receipt_of(self.out))
        self.succeeds("receipt", NANO52, self.out, "-f", self.text, "--print-only")
        with open(self.out, "rb") as file:
            self.assertEqual(file.read(), before)
        text = self.succeeds("receipt", NANO52, self.out, "-f", self.text)
        self.assertIn("same best token", text)
        with open(self.out, "rb") as file:
            after = file.read()
        self.assertEqual(len(after), len(before))
        changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
        self.assertLess(changed[-1] - changed[0], 4096)
        receipt = self.receipt_of(self.out)
        self.assertTrue(receipt["is_of_these_weights"])
        self.assertEqual(receipt["measured"]["reference"], self.json("inspect", NANO52, "--json")["id"])
        self.assertIn("quality receipt\n", self.succeeds("inspect", self.out))
        self.json("receipt", NANO52, self.out, "-f", self.text, "--json", "--ctx", "64") # again: replaced
        self.assertEqual(self.receipt_of(self.out)["measured"]["window"], 64)
        self.assertEqual(sorted(os.listdir(self.scratch)), ["a.gguf", "text.txt"])

    def test_other_weights_are_called_out(self):
        self.succeeds("receipt", NANO52, self.out, "-f", self.text)
        where = next(t["offset"] for t in self.json("inspect", self.out, "--tensors", "--json")["tensors"]
                     if t["name"] == "blk.3.ffn_down_exps.weight")
        with open(self.out, "r+b") as file:
            file.seek(where + 2)
            file.write(b"\x11")
        result = glm("inspect", self.out)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"OTHER WEIGHTS", result.stdout)
        self.assertIn(b"measured on other weights", result.stderr)
        self.assertFalse(self.receipt_of(self.out)["is_of_these_weights"])

    def test_a_split_has_the_receipt_of_the_whole(self):
        self.succeeds("quantize", NANO52, self.path("s.gguf"), "Q8_0", "--split-size", "300K", "--quiet")
        first = self.path("s-00001-of-00003.gguf")
        self.succeeds("receipt", NANO52, first, "-f", self.text)
        self.succeeds("receipt", NANO52, self.out, "-f", self.text)
        split, whole = self.receipt_of(first), self.receipt_of(self.out)
        self.assertTrue(split["is_of_these_weights"])
        self.assertEqual(split["measured"]["tensors"], whole["measured"]["tensors"])

    def test_a_file_without_room(self):
        """It is written anew with a longer head, and every tensor is where the file's own alignment puts it."""
        for align, filler in ((32, 0), (8, 0), (8, 8), (64, 0), (4096, 0)):
            made = package.convert(NANO5).set("test.filler", package.STRING, " " * filler)
            made.align = align
            if align != 32:
                made.set("general.alignment", package.U32, align)
            path = self.write("b.gguf", made.image())
            self.succeeds("receipt", NANO5, path, "-f", self.text, "--precision", "exact")
            receipt = self.receipt_of(path)
            self.assertTrue(receipt["is_of_these_weights"], align)
            self.assertLess(receipt["measured"]["kl_max"], 1e-6)
            listed = {t["name"]: t for t in self.json("inspect", path, "--tensors", "--json")["tensors"]}
            with open(path, "rb") as file:
                after = file.read()
            for name, _, _, data in made.tensors:
                at = listed[name]["offset"]
                self.assertEqual(after[at:at + listed[name]["size_bytes"]], data, (align, name))

    def test_refusals_and_damage(self):
        self.fails(2, "receipt", NANO52, self.out)
        self.fails(2, "receipt", NANO52, "-f", self.text)
        self.fails(2, "receipt", NANO52, NANO52, "-f", self.text, says="--print-only")
        self.fails(2, "receipt", os.path.join(os.path.dirname(NANO52), "nano5"), self.out, "-f", self.text,
                   says="two forms of one model")
        self.fails(2, "receipt", NANO52, self.out, "-f", self.write("one", "a"))
        self.fails(1, "receipt", NANO52, self.path("none.gguf"), "-f", self.text)
        self.succeeds("receipt", NANO52, self.out, "-f", self.text)
        with open(self.out, "r+b") as file:
            at = file.read().index(b'"kl_mean"')
            file.seek(at)
            file.write(b"\xff\x00{{")
        result = glm("inspect", self.out)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"glm.receipt", result.stderr)
        self.assertNotIn(b"KL divergence", result.stdout)


# Mean KL divergence a mixture may cost where no choice hangs on rounding: some 1.6 times what was measured.
MIXTURES = {"F32": 1e-9, "BF16": 1e-9, "F16": 1e-9, "Q8_0": 4e-4, "Q6_K": 1.5e-3, "Q5_K_M": 9e-3, "Q5_K_S": 9e-3,
            "Q4_K_M": 3e-2, "Q4_K_S": 4e-2, "Q3_K_M": 5e-2, "Q2_K": 1e-1, "IQ4_NL": 4e-2, "IQ4_XS": 4e-2,
            "IQ3_XXS": 1e-1, "IQ2_XS": 3e-1, "IQ2_XXS": 4e-1, "MXFP4_MOE": 5e-2}


@unittest.skipUnless(os.path.exists(TINY_MODEL), "tiny-model is not built")
class Mixtures(Case):
    """Every mixture on rows of 256, all experts and positions chosen."""

    def test_distance(self):
        model, out = self.path("model"), self.path("a.gguf")
        options = ("--hidden 256 --layers 3 --dense 1 --vocab 512 --heads 2 --q-rank 256 --kv-rank 256 --ff 512 "
                   "--expert-ff 256 --experts 4 --used 4 --topk 4096 --ctx 4096 --index-heads 4")
        subprocess.run([TINY_MODEL, model, *options.split()], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120)
        shutil.copy(os.path.join(NANO52, "tokenizer.json"), model)
        text = self.write("text", "The quick brown fox jumps over the lazy dog, 12345 times. " * 20)
        listed = self.succeeds("help", "quantize").split("TYPE is one of ")[1].split(". Rows")[0]
        self.assertEqual(set(listed.replace("\n", " ").replace(",", " ").split()), set(MIXTURES))
        for kind, limit in MIXTURES.items():
            result = glm("quantize", model, out, kind, "--quiet")
            if result.returncode == 3 and b"no encoder" in result.stderr:
                print("no encoder yet:", kind)
                continue
            self.assertEqual(result.returncode, 0, result.stderr)
            value = self.json("receipt", model, out, "-f", text, "--precision", "exact", "--print-only", "--json")
            self.assertLess(value["kl_mean"], limit, kind)
            if limit > 1e-6:
                self.assertGreater(value["kl_mean"], limit / 50, kind)


@unittest.skipUnless(os.path.exists(TINY_MODEL), "tiny-model is not built")
class Large(Case):
    """A model of 150 MB, large against what a run may keep in memory."""

    def setUp(self):
        super().setUp()
        self.model = self.path("model")
        subprocess.run([TINY_MODEL, self.model, "--hidden", "512", "--layers", "4", "--vocab", "4096", "--expert-ff",
                        "512", "--experts", "32", "--ff", "1024", "--heads", "4", "--kv-rank", "256"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    @unittest.skipIf(SANITIZED, "sanitizers reserve memory of their own")
    def test_memory_below_the_size_of_the_model(self):
        size = sum(e.stat().st_size for e in os.scandir(self.model))
        limit = 24 << 20
        self.assertGreater(size, 4 * limit)

        def restrict():
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        result = glm("quantize", self.model, self.path("a.gguf"), "Q8_0", "--threads", "2", "--json",
                     preexec_fn=restrict)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(json.loads(result.stdout)["out_bytes"], 2 * limit)

    def start_and_signal(self, out, number):
        """A run of one thread that is sent a signal once a few tensors are listed; its result, output and errors."""
        run = subprocess.Popen([*PROGRAM, "quantize", self.model, out, "Q8_0", "--progress", "json", "--threads", "1"],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.005)
            if os.path.exists(out + ".resume"):
                with open(out + ".resume") as file:
                    if file.read().count("\n") > 5:
                        break
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=60)
        self.assertFalse(os.path.exists(out))
        return run.returncode, stdout, stderr

    def goes_on(self, out, whole):
        value = self.json("quantize", self.model, out, "Q8_0", "--json")
        self.assertGreater(value["resumed"], 4)
        with open(whole, "rb") as a, open(out, "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.assertEqual(sorted(os.listdir(self.scratch)), ["a.gguf", "model", "whole.gguf"])

    def test_interrupt_and_go_on(self):
        whole, out = self.path("whole.gguf"), self.path("a.gguf")
        self.succeeds("quantize", self.model, whole, "Q8_0", "--quiet")
        code, stdout, stderr = self.start_and_signal(out, signal.SIGINT)
        self.assertEqual((code, stdout), (130, b""), stderr)
        self.assertIn(b"same command goes on", stderr)
        self.goes_on(out, whole)

    def test_killed_and_go_on(self):
        whole, out = self.path("whole.gguf"), self.path("a.gguf")
        self.succeeds("quantize", self.model, whole, "Q8_0", "--quiet")
        code, _, stderr = self.start_and_signal(out, signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL, stderr)
        self.goes_on(out, whole)


if __name__ == "__main__":
    unittest.main()
