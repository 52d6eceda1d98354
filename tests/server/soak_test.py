#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many requests of all APIs at once, streamed and whole, some abandoned at a random moment, prefixes cached or not: whoever gets an
answer gets the one it got alone, and afterwards nothing is left of them.

usage: soak_test.py GLM MODEL [N]     N requests, 400 unless said (GLM_TEST_LONG: 10,000)
"""
import http.client
import json
import os
import random
import socket
import sys
import threading
import time
import unittest

from harness import Server, user

N = int(sys.argv[3]) if len(sys.argv) > 3 else 10000 if os.environ.get("GLM_TEST_LONG") else 400
THREADS = 24
PATHS = {"chat": "/v1/chat/completions", "text": "/v1/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


def body_of(api, kind, stream):
    """One of 40 requests. The longer ones share beginnings."""
    prompt = "The cat sat on the mat and thought of fish. " * (kind % 5 * 3) + f"Question {kind}?"
    sampling = {"temperature": 0.8 if kind % 2 else 0.0, "model": "m", "stream": stream}
    n = 4 + kind % 4 * 12
    if api == "text":
        return {"prompt": prompt, "max_tokens": n, "seed": kind, "ignore_eos": True, **sampling}
    if api == "messages":
        return {"messages": user(prompt), "max_tokens": n, **sampling, "temperature": 0.0}
    if api == "responses":
        return {"input": prompt, "max_output_tokens": n, **sampling, "temperature": 0.0}
    return {"messages": user(prompt), "max_tokens": n, "seed": kind, **sampling}


def texts_of(api, stream, raw):
    """What the answer says, whichever way it came. Reasoning that never ended is repeated as content behind a stream."""
    parts = [p for p in parts_of(api, stream, raw) if p]
    return parts[:1] if len(set(parts)) == 1 else parts


def parts_of(api, stream, raw):
    if not stream:
        a = json.loads(raw)
        if api == "chat":
            m = a["choices"][0]["message"]
            return [m.get("reasoning_content"), m["content"]]
        if api == "text":
            return [a["choices"][0]["text"]]
        if api == "messages":
            return [b.get("thinking", "") + b.get("text", "") for b in a["content"]]
        return ["".join(p.get("text", "") for p in (i.get("content") or []) + (i.get("summary") or [])) for i in a["output"]]
    events = [json.loads(line[6:]) for line in raw.decode().split("\n") if line.startswith("data: {")]
    if api == "chat":
        deltas = [e["choices"][0]["delta"] for e in events if e.get("choices")]
        return ["".join(d.get(k) or "" for d in deltas) for k in ("reasoning_content", "content")]
    if api == "text":
        return ["".join(e["choices"][0]["text"] for e in events if e.get("choices"))]
    if api == "messages":
        blocks = {}
        for e in events:
            if e["type"] == "content_block_start":
                blocks[e["index"]] = ""
            if e["type"] == "content_block_delta":
                d = e["delta"]
                blocks[e["index"]] += d.get("thinking", "") + d.get("text", "")
        return [blocks[i] for i in sorted(blocks)]
    done = next(e for e in events if e["type"] in ("response.completed", "response.incomplete"))
    return parts_of(api, False, json.dumps(done["response"]))


class Soak(unittest.TestCase):
    def ask(self, api, kind, stream):
        c = http.client.HTTPConnection("127.0.0.1", self.s.port, timeout=120)
        c.request("POST", PATHS[api], json.dumps(body_of(api, kind, stream)), {"Content-Type": "application/json"})
        r = c.getresponse()
        raw = r.read()
        c.close()
        assert r.status == 200, raw
        return texts_of(api, stream, raw)

    def abandon(self, rng, api, kind):
        """Send a request, or a part of it, read a little or nothing, and go away."""
        data = json.dumps(body_of(api, kind, rng.random() < 0.7)).encode()
        head = f"POST {PATHS[api]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        whole = head + data
        with socket.create_connection(("127.0.0.1", self.s.port), 60) as s:
            s.sendall(whole if rng.random() < 0.8 else whole[:rng.randrange(len(whole))])
            way = rng.random()
            if way < 0.5:
                time.sleep(rng.random() * 0.02)
            elif way < 0.9:
                s.settimeout(0.2)
                try:
                    s.recv(rng.randrange(1, 2000))
                except OSError:
                    pass
            if rng.random() < 0.3:  # with a reset
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def worker(self, seed):
        rng = random.Random(seed)
        try:
            while not self.failed:
                with self.lock:
                    if self.left == 0:
                        return
                    self.left -= 1
                api, kind, stream = rng.choice(list(PATHS)), rng.randrange(40), rng.random() < 0.5
                if rng.random() < 0.4:
                    self.abandon(rng, api, kind)
                    continue
                text = self.ask(api, kind, stream)
                with self.lock:
                    self.n_answers += 1
                    if text != self.alone[api, kind]:
                        self.failed.append(f"{api} {kind} stream={stream}: {text!r}, alone {self.alone[api, kind]!r}")
        except Exception as e:  # noqa: BLE001: told by the main thread
            self.failed.append(repr(e))

    def round(self, n, seed):
        self.left = n
        threads = [threading.Thread(target=self.worker, args=(seed * 1000 + i,)) for i in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(self.failed, [])

    def metrics(self):
        _, _, text = self.s.call("GET", "/metrics")
        return {line.split()[0]: float(line.split()[1]) for line in text.decode().splitlines() if not line.startswith("#")}

    def rest(self):
        """When all have gone: (metrics, anonymous memory in KiB, file descriptors)."""
        for _ in range(200):
            m = self.metrics()
            if m["glm_requests_running"] == m["glm_requests_waiting"] == 0 and m["glm_connections"] == 1:
                break
            time.sleep(0.05)
        time.sleep(0.2)  # the connection that asked for them closes too
        proc = f"/proc/{self.s.process.pid}/"
        with open(proc + "status", encoding="ascii") as f:
            anon = next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
        return m, anon, len(os.listdir(proc + "fd"))

    def test_soak(self):
        self.s = Server("--queue", "1000", "--max-active", "8")
        self.lock, self.failed, self.n_answers = threading.Lock(), [], 0
        self.alone = {(api, kind): self.ask(api, kind, False) for api in PATHS for kind in range(40)}
        self.round(N // 4, 1)
        _, anon_before, fds_before = self.rest()
        self.round(N - N // 4, 2)
        m, anon, fds = self.rest()
        self.assertEqual(m["glm_requests_running"] + m["glm_requests_waiting"], 0)
        self.assertEqual(m["glm_connections"], 1)
        self.assertEqual(m["glm_kv_pages_used"], m["glm_kv_pages_cached"])  # no page but the cache's
        self.assertEqual(m["glm_requests_failed_total"], 0)
        self.assertGreater(m["glm_requests_canceled_total"], N // 20)
        self.assertEqual(fds, fds_before)
        if os.environ.get("GLM_TEST_SANITIZED"):
            print("memory: not compared, a sanitizer keeps what was freed for a while")
        else:
            self.assertLess(anon, anon_before + 4096)
        self.assertEqual(self.s.stop(), 0)
        print(f"{N} requests: {self.n_answers} answers as alone, {m['glm_requests_canceled_total']:.0f} canceled at work, "
              f"{m['glm_cached_tokens_total']:.0f} of {m['glm_prompt_tokens_total']:.0f} prompt tokens cached; "
              f"memory {anon_before} -> {anon} KiB, {fds} descriptors")

    def test_a_reader_that_stops_holds_up_nobody(self):
        self.s = Server()
        long = {"messages": user("Go on and on."), "max_tokens": 600, "logprobs": True, "top_logprobs": 20, "seed": 9,
                "n": 8}  # more than the system takes off the server's hands
        status, whole = self.s.post("/v1/chat/completions", long)
        self.assertEqual(status, 200, whole)
        body = json.dumps({**long, "stream": True, "stream_options": {"include_usage": True}}).encode()
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(60)
            slow.connect(("127.0.0.1", self.s.port))
            slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            stood_still, last = 0, -1.0
            while stood_still < 5:  # until its answer waits for it
                time.sleep(0.05)
                n = self.metrics()["glm_generated_tokens_total"]
                stood_still, last = stood_still + 1 if n == last else 0, n
            self.assertEqual(self.metrics()["glm_requests_running"], 1)
            for kind in range(10):
                self.ask("chat", kind, True)
            raw = b""
            while piece := slow.recv(65536):
                raw += piece
        self.assertIn(b"data: [DONE]", raw)
        last = next(json.loads(line[6:]) for line in raw.decode().split("\n") if line.startswith("data: {") and '"usage": {' in line)
        self.assertEqual(last["usage"]["completion_tokens"], whole["usage"]["completion_tokens"])
        self.assertEqual(self.s.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
