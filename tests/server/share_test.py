#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whose cached prefixes a request may use (--share-prefix), seen from outside, and that using them changes no bit of an answer.

usage: share_test.py GLM MODEL [TEST...]
"""
import json
import os
import tempfile
import threading
import unittest

from harness import Server, main, user

PAGE = 64  # tokens that the cache keeps together
KEYS = "first-key-of-the-test", "second-key-of-the-test"
PROMPT = "The cat sat on the mat and thought of fish. " * 20


class Share(unittest.TestCase):
    def server(self, *options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "keys")
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(KEYS) + "\n")
        os.chmod(path, 0o600)
        self.s = Server("--key-file", path, *options)
        self.addCleanup(lambda: self.assertEqual(self.s.stop(), 0))

    def cached(self, api, key, text):
        """Of one request: (prompt tokens, those from the cache), as its usage says."""
        head = {"Authorization": "Bearer " + KEYS[key]}
        if api == "chat":
            status, r = self.s.post("/v1/chat/completions", {"model": "m", "messages": user(text), "max_tokens": 2}, head)
        elif api == "text":
            status, r = self.s.post("/v1/completions", {"model": "m", "prompt": text, "max_tokens": 2}, head)
        elif api == "messages":
            status, r = self.s.post("/v1/messages", {"model": "m", "messages": user(text), "max_tokens": 2}, head)
        else:
            status, r = self.s.post("/v1/responses", {"model": "m", "input": text, "max_output_tokens": 2}, head)
        self.assertEqual(status, 200, r)
        u = r["usage"]
        if api == "messages":
            return u["input_tokens"] + u["cache_read_input_tokens"], u["cache_read_input_tokens"]
        if api == "responses":
            return u["input_tokens"], u["input_tokens_details"]["cached_tokens"]
        return u["prompt_tokens"], u["prompt_tokens_details"]["cached_tokens"]

    def counter(self, name):
        _, _, text = self.s.call("GET", "/metrics", headers={"Authorization": "Bearer " + KEYS[0]})
        return next(int(line.split()[1]) for line in text.decode().splitlines() if line.startswith(name + " "))

    def whole(self, n_prompt):
        """Whole pages of a prompt; its last token is always run."""
        return (n_prompt - 1) // PAGE * PAGE

    def each(self, own, others, *options):
        """In every API: what the key itself finds the second time, and what another key finds then, of whole pages."""
        self.server(*options)
        total = 0
        for api in ("chat", "text", "messages", "responses"):
            text = api + ": " + PROMPT  # chat APIs render alike, and are not to find each other's
            n, cached = self.cached(api, 0, text)
            self.assertGreater(self.whole(n), 2 * PAGE)
            self.assertEqual(cached, 0, api)
            again = self.cached(api, 0, text)
            self.assertEqual(again, (n, own * self.whole(n)), api)
            other = self.cached(api, 1, text)
            self.assertEqual(other, (n, others * self.whole(n)), api)
            total += again[1] + other[1]
        self.assertEqual(self.counter("glm_cached_tokens_total"), total)

    def test_a_key_finds_its_own(self):
        self.each(1, 0)

    def test_key_said(self):
        self.each(1, 0, "--share-prefix", "key")

    def test_all(self):
        self.each(1, 1, "--share-prefix", "all")

    def test_none(self):
        self.each(0, 0, "--share-prefix", "none")

    def bits(self, body, stream, key):
        """Every token of an answer with its log-probability and those of the next best, to the last digit."""
        head = {"Authorization": "Bearer " + KEYS[key]}
        status, _, raw = self.s.call("POST", "/v1/chat/completions", {**body, "stream": stream}, head)
        self.assertEqual(status, 200, raw)
        if not stream:
            return json.loads(raw)["choices"][0]["logprobs"]["content"]
        events = [json.loads(line[6:]) for line in raw.decode().split("\n") if line.startswith("data: {")]
        parts = [e["choices"][0].get("logprobs") for e in events if e.get("choices")]
        return [token for p in parts if p for token in p["content"]]

    def test_same_bits(self):
        """Alone and first, with its prefix cached, in a full batch, streamed and whole, for a key that has nothing cached."""
        self.server("--max-active", "4")
        bodies = [{"model": "m", "messages": user(PROMPT[: 150 * (k + 1)]), "max_tokens": 30, "seed": k, "logprobs": True,
                   "top_logprobs": 3, "temperature": 0.9 if k % 2 else 0.0} for k in range(5)]
        alone = [self.bits(body, False, 0) for body in bodies]
        self.assertGreater(min(len(a) for a in alone), 9)
        before = self.counter("glm_cached_tokens_total")
        failed = []

        def ask(k, stream, key):
            try:
                if self.bits(bodies[k], stream, key) != alone[k]:
                    failed.append(f"request {k}, stream={stream}, key {key}: another answer than alone")
            except Exception as e:  # noqa: BLE001: told by the main thread
                failed.append(repr(e))

        threads = [threading.Thread(target=ask, args=(k, stream, key))
                   for k in range(len(bodies)) for stream in (False, True) for key in (0, 1)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failed, [])
        self.assertGreater(self.counter("glm_cached_tokens_total"), before)


if __name__ == "__main__":
    main()
