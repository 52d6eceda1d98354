#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What clients see when something breaks behind an answer that began, and the limits of time.

usage: faults_test.py GLM MODEL [TEST...]
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
from harness import MODEL, Server, main, user

APIS = {"/v1/chat/completions": {"messages": user("x")}, "/v1/completions": {"prompt": "x", "max_tokens": 100000},
        "/v1/responses": {"input": "x"}, "/v1/messages": {"messages": user("x"), "max_tokens": 100000}}
FAULT = "a page could not be read"


def widened(folder, source=MODEL, n_ctx=200000):
    """A copy of the model whose context is so wide that an answer lasts for seconds."""
    path = os.path.join(folder, "model")
    shutil.copytree(source, path)
    name = os.path.join(path, "config.json")
    with open(name, encoding="utf-8") as f:
        config = json.load(f)
    config["max_position_embeddings"] = n_ctx
    with open(name, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return path


def ask(s, path, receive_bytes=0, **fields):
    """A connection on which a stream begins that does not end by itself."""
    body = json.dumps({**APIS[path], "stream": True, "ignore_eos": True, "temperature": 1, **fields}).encode()
    c = socket.socket()
    c.settimeout(60)
    if receive_bytes:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    c.connect(("127.0.0.1", s.port))
    c.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body)
    return c


def read_all(c, start=b""):
    """To the end of the connection."""
    out = start
    while piece := c.recv(65536):
        out += piece
    c.close()
    return out


def metric(s, name):
    text = s.call("GET", "/metrics")[2].decode()
    return float(re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M).group(1))


class Faults(unittest.TestCase):
    """Weights are cut short while they are in use."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.model = widened(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def serve(self, *options):
        before, harness.MODEL = harness.MODEL, self.model
        try:
            s = Server("--ctx", "200000", *options)
        finally:
            harness.MODEL = before
        self.addCleanup(lambda: s.process.poll() is None and s.stop())
        return s

    def break_weights(self):
        for name in glob.glob(os.path.join(self.model, "model*.safetensors")):
            os.truncate(name, 8192)

    def check_events(self, path, answer):
        """The documented error ends the stream; nothing that says the answer is whole precedes it."""
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head.split(b"\r\n")[0] + b" ")
        self.assertTrue(body.endswith(b"0\r\n\r\n"), (path, body[-200:]))
        events = [e for e in re.sub(rb"\r\n[0-9a-f]+\r\n", b"", b"\r\n" + body).decode().rstrip().split("\n\n") if e and not e.startswith(":")]
        self.assertGreater(len(events), 2, path)
        name = re.match(r"event: (.*)\n", events[-1])
        data = json.loads(re.search(r"^data: (.*)$", events[-1], re.M).group(1))
        if path == "/v1/messages":
            self.assertEqual((name.group(1), data["type"], data["error"]["type"]), ("error", "error", "api_error"))
            self.assertTrue(data["request_id"])
        elif path == "/v1/responses":
            self.assertEqual((name.group(1), data["type"], data["response"]["status"]), ("response.failed", "response.failed", "failed"))
            self.assertEqual(data["response"]["error"]["code"], "server_error")
        else:
            self.assertEqual((data["error"]["type"], data["error"]["param"]), ("server_error", None))
        error = data["response"]["error"] if path == "/v1/responses" else data["error"]
        self.assertIn(FAULT, error["message"])
        for end in ("[DONE]", "message_stop", "response.completed", "response.incomplete", '"finish_reason": "'):
            self.assertNotIn(end, "".join(events), path)

    def test_every_dialect_ends_with_its_error(self):
        s = self.serve()
        bias = {"logit_bias": {"1": 100}}  # one id over and over: no tag, no end
        streams = [(path, ask(s, path, **bias)) for path in APIS]
        begun = []
        for path, c in streams:
            answer = b""
            while answer.count(b"\n\n") < 6:
                answer += c.recv(65536)
            begun.append(answer)
        self.break_weights()
        for (path, c), start in zip(streams, begun):
            self.check_events(path, read_all(c, start))
        for path, body in APIS.items():
            status, headers, text = s.call("POST", path, {**body, "max_tokens": 4})
            error = json.loads(text)["error"]
            self.assertEqual((status, error["type"]), (500, "api_error" if path == "/v1/messages" else "server_error"), path)
            self.assertIn(FAULT, error["message"])
        self.assertEqual(s.call("GET", "/health")[0], 503)
        self.assertEqual(s.call("GET", "/v1/models")[0], 200)
        self.assertEqual(metric(s, "glm_requests_running"), 0)
        self.assertIsNone(s.process.poll())
        self.assertEqual(s.stop(), 0)

    def test_who_does_not_read_is_cut(self):
        """64 KiB wait, the slot's sampling pauses, then the connection is closed; others go on."""
        s = self.serve("--max-stall", "2")
        slow = ask(s, "/v1/chat/completions", 4096, logprobs=True, top_logprobs=20, logit_bias={"1": 100})
        end = time.monotonic() + 60
        made = -1.0
        while metric(s, "glm_generated_tokens_total") != made:  # until it stands still
            self.assertLess(time.monotonic(), end)
            made = metric(s, "glm_generated_tokens_total")
            time.sleep(0.3)
        self.assertEqual(metric(s, "glm_requests_running"), 1)
        began = time.monotonic()
        self.assertEqual(s.post("/v1/completions", {"prompt": "x", "max_tokens": 4, "ignore_eos": True})[0], 200)
        self.assertLess(time.monotonic() - began, 1.5)  # not held up by the other
        while metric(s, "glm_requests_running") > 0:
            self.assertLess(time.monotonic() - began, 20)
            time.sleep(0.05)
        self.assertLess(metric(s, "glm_generated_tokens_total"), made + 1000)  # the system's buffers may have grown meanwhile
        slow.settimeout(10)
        try:
            answer = read_all(slow)
        except ConnectionResetError:
            answer = b""
        self.assertFalse(answer.endswith(b"0\r\n\r\n"))  # what is not whole does not look whole
        self.assertEqual(s.stop(), 0)

    def test_answers_end_after_their_time(self):
        s = self.serve("--max-seconds", "1")
        stop = {"/v1/chat/completions": '"finish_reason": "length"', "/v1/completions": '"finish_reason": "length"',
                "/v1/responses": '"reason": "max_output_tokens"', "/v1/messages": '"stop_reason": "max_tokens"'}
        began = time.monotonic()
        for path, c in [(path, ask(s, path, logit_bias={"1": 100})) for path in APIS]:
            answer = read_one(c)
            self.assertIn(stop[path].encode(), answer, path)
        self.assertLess(time.monotonic() - began, 10)
        limits = json.loads(s.call("GET", "/props")[2])["limits"]
        self.assertEqual((limits["answer_seconds"], limits["unread_output_seconds"], limits["unread_output_bytes"]), (1, 30, 65536))
        self.assertEqual(s.stop(), 0)

    def test_limits_are_flags(self):
        s = self.serve("--max-body", "1000", "--drain", "0")
        self.assertEqual(s.call("POST", "/v1/completions", {"prompt": "x", "max_tokens": 1})[0], 200)
        self.assertEqual(s.call("POST", "/v1/completions", {"prompt": "x" * 1000, "max_tokens": 1})[0], 413)
        c = ask(s, "/v1/completions", logit_bias={"1": 100})
        c.recv(1000)
        began = time.monotonic()
        self.assertEqual(s.stop(signal.SIGTERM), 0)  # nothing is waited for
        self.assertLess(time.monotonic() - began, 5)
        c.close()


def read_one(c):
    out = b""
    while not out.endswith(b"0\r\n\r\n"):
        piece = c.recv(65536)
        if not piece:
            break
        out += piece
    c.close()
    return out


class Fingerprints(unittest.TestCase):
    """The same name as long as the same request gives the same bits."""

    def of(self, model, *options):
        before, harness.MODEL = harness.MODEL, model
        try:
            s = Server("--ctx", "200", *options)
        finally:
            harness.MODEL = before
        found = set()
        for path in ("/v1/chat/completions", "/v1/completions"):
            body = {**APIS[path], "max_tokens": 2}
            found.add(s.post(path, body)[1]["system_fingerprint"])
            found |= {e["system_fingerprint"] for _, e in s.events(path, body) if e != "[DONE]"}
        s.stop()
        self.assertEqual(len(found), 1, found)
        one = found.pop()
        self.assertRegex(one, "^fp_glm_[0-9a-f]{12}$")
        return one

    def test_same_model_same_name(self):
        with tempfile.TemporaryDirectory() as folder:
            moved = os.path.join(folder, "moved")
            shutil.copytree(MODEL, moved)
            one = self.of(MODEL)
            self.assertEqual(one, self.of(moved, "--threads", "1"))
            gguf = os.path.join(folder, "m.gguf")
            subprocess.run([harness.GLM, "quantize", MODEL, gguf, "F32", "--quiet"], check=True, stdout=subprocess.DEVNULL)
            names = {one, self.of(MODEL, "--precision", "exact"), self.of(MODEL, "--kv-type", "q8"), self.of(gguf),
                     self.of(widened(folder))}
            self.assertEqual(len(names), 5, names)


if __name__ == "__main__":
    main()
