#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`glm serve --state`: conversations go on after restarts, also after kill -9 at any time.

usage: state_test.py GLM MODEL
"""
import os
import random
import signal
import tempfile
import time
import unittest

from harness import Server, main

PAGE = 64


def chat(s, messages):
    status, body = s.post("/v1/chat/completions", {"messages": messages, "max_tokens": 24, "temperature": 0.7, "seed": 3})
    assert status == 200, body
    return body["choices"][0]["message"], body["usage"]


def metric(s, name):
    _, _, text = s.call("GET", "/metrics")
    return next(float(line.split()[1]) for line in text.decode().splitlines() if line.startswith(name + " "))


def wait_saved(s, n_pages):
    for _ in range(200):
        if metric(s, "glm_state_saved_pages_total") >= n_pages:
            return
        time.sleep(0.05)
    raise AssertionError("nothing was saved within ten seconds")


class State(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def start(self, *options):
        return Server("--state", os.path.join(self.folder.name, "state"), *options)

    def test_a_conversation_goes_on_after_a_restart(self):
        s = self.start()
        messages = [{"role": "user", "content": "A long story about a cat. " * 8}]
        answer, usage = chat(s, messages)
        self.assertEqual(usage["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(s.stop(), 0)
        s = self.start()
        again, usage = chat(s, messages)
        self.assertEqual(again, answer)
        self.assertEqual(usage["prompt_tokens_details"]["cached_tokens"], (usage["prompt_tokens"] - 1) // PAGE * PAGE)
        self.assertEqual(s.stop(), 0)
        # Without the folder the same bits, read anew.
        s = Server()
        alone, usage = chat(s, messages)
        self.assertEqual(alone, answer)
        self.assertEqual(usage["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(s.stop(), 0)

    def test_kill_9_loses_at_most_the_last_turn(self):
        rng = random.Random(5)
        for round_ in range(6):
            s = self.start()
            self.assertEqual(metric(s, "glm_state_bad_files_total"), 0)
            before = metric(s, "glm_state_saved_pages_total")
            messages = [{"role": "user", "content": f"Story {round_} about a dog. " * 5}]
            _, first = chat(s, messages)
            wait_saved(s, before + first["prompt_tokens"] // PAGE)
            messages += [{"role": "assistant", "content": "Go on."}, {"role": "user", "content": f"And then number {round_}? " * 6}]
            answer, _ = chat(s, messages)
            time.sleep(rng.choice((0, 0.001, 0.003, 0.01)))
            s.stop(signal.SIGKILL)
            s = self.start()
            self.assertEqual(metric(s, "glm_state_bad_files_total"), 0)
            again, usage = chat(s, messages)
            self.assertEqual(again, answer)
            shared = first["prompt_tokens"] - 2 * PAGE  # the answer begins differently
            self.assertGreaterEqual(usage["prompt_tokens_details"]["cached_tokens"], shared)
            self.assertEqual(s.stop(), 0)

    def test_what_is_no_folder_is_refused(self):
        path = os.path.join(self.folder.name, "file")
        with open(path, "w", encoding="utf-8"):
            pass
        with self.assertRaisesRegex(RuntimeError, "file"):
            Server("--state", path)
        s = self.start()
        with self.assertRaisesRegex(RuntimeError, "another process uses the folder"):
            self.start()
        self.assertEqual(s.stop(), 0)


if __name__ == "__main__":
    main()
