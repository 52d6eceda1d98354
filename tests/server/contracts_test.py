#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a bad request is answered, rule by rule: status, type and code of both dialects, the field that is named, limits.

usage: contracts_test.py GLM MODEL [TEST...]

The numbers in names and comments are the rules' order of precedence: the first that applies decides.
"""
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import GLM, MODEL, TOOLS, Base, Server, eventually, main, user

HOST = b"Host: localhost\r\n"
CHAT, COMPLETIONS, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"
APIS = {CHAT: {"messages": user("x")}, COMPLETIONS: {"prompt": "x"}, RESPONSES: {"input": "x"},
        MESSAGES: {"messages": user("x"), "max_tokens": 4}}


class Contract(Base):
    def check_body(self, path, status, body, expected):
        """The body of an error in the dialect of the path, and what a client may rely on in it."""
        r = json.loads(body)
        error = r["error"]
        kind, code = expected
        if path.startswith(MESSAGES):
            self.assertEqual(r["type"], "error", r)
            self.assertTrue(r["request_id"], r)
            self.assertEqual(set(error), {"type", "message"})
        else:
            self.assertEqual(set(error), {"message", "type", "param", "code"}, r)
            if code:
                self.assertEqual(error["code"], code, (path, r))
        self.assertEqual(error["type"], kind, (path, status, r))
        message = error["message"]
        self.assertTrue(0 < len(message.encode()) <= 256 and message.isprintable(), r)

    def refused(self, path, body, status, openai, anthropic=None, headers=None, method="POST"):
        got, answered, text = self.s.call(method, path, body, headers)
        self.assertEqual(got, status, (path, str(body)[:200], text))
        self.assertEqual(answered["Content-Type"], "application/json", path)
        self.assertEqual(int(answered["Content-Length"]), len(text))
        self.assertTrue(answered["x-request-id"])
        self.check_body(path, got, text, (anthropic, None) if path.startswith(MESSAGES) else openai)
        return json.loads(text), answered

    def raw_status(self, data):
        answer = self.s.raw(data)
        self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:100])
        return int(answer.split(b" ")[1]), answer


class Transport(Contract):
    def test_rules_1_to_3(self):
        for data, status, code in ((b"nonsense\r\n\r\n", 400, "bad_http"), (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505, None),
                                   (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, None),
                                   (b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 40000 + b"\r\n\r\n", 431, None),
                                   (b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 101 + b"\r\n", 431, None)):
            got, answer = self.raw_status(data)
            self.assertEqual(got, status, data[:60])
            self.check_body("/", got, answer.split(b"\r\n\r\n", 1)[1], ("invalid_request_error", code))

    def test_rule_5_hosts_and_origins(self):
        for header, status in (("Host", 421), ("Origin", 403)):
            for path in (CHAT, MESSAGES):
                self.refused(path, "{}", status, ("permission_error", None), "permission_error",
                             {header: "http://evil.example" if header == "Origin" else "evil.example"})
        for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"):
            self.assertEqual(self.s.call("GET", "/v1/models", headers={"Origin": origin})[0], 200, origin)
        for origin in ("null", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "file://", "http://evil.example:80"):
            self.assertEqual(self.s.call("GET", "/v1/models", headers={"Origin": origin})[0], 403, origin)
        for host in ("localhost", "localhost:1", "127.0.0.1:9", "[::1]:5"):
            self.assertEqual(self.s.call("GET", "/v1/models", headers={"Host": host})[0], 200, host)
        for host in ("localhost.evil.example", "evil.example:80", "127.0.0.1.nip.io", "rebind.network:8080"):
            self.assertEqual(self.s.call("GET", "/v1/models", headers={"Host": host})[0], 421, host)

    def test_rules_6_and_7_paths_and_methods(self):
        self.refused("/v1/nothing", "{}", 404, ("invalid_request_error", "not_found"))
        self.refused("/v1/messages/nothing", "{}", 404, None, "not_found_error")
        for path, method, allow in ((CHAT, "GET", "POST"), (MESSAGES, "DELETE", "POST"), ("/v1/models", "POST", "GET")):
            _, headers = self.refused(path, None, 405, ("invalid_request_error", None), "invalid_request_error", method=method)
            self.assertIn(allow, headers["Allow"])

    def test_rule_9_kinds_of_bodies(self):
        for path in APIS:
            for headers, status in (({"Content-Encoding": "gzip"}, 415), ({"Content-Type": "text/xml"}, 415),
                                    ({"Content-Type": "application/x-www-form-urlencoded"}, 415)):
                self.refused(path, "{}", status, ("invalid_request_error", None), "invalid_request_error", headers)
            for kind in ("application/json", "application/json; charset=utf-8", "text/plain", "application/problem+json"):
                self.assertEqual(self.s.call("POST", path, "{}", {"Content-Type": kind})[0], 400)  # read, and refused as empty
        head = b"POST /v1/completions HTTP/1.1\r\n" + HOST
        self.assertEqual(self.raw_status(head + b"Transfer-Encoding: gzip\r\n\r\n")[0], 501)
        body = json.dumps({"prompt": "x", "max_tokens": 1}).encode()
        self.assertEqual(self.raw_status(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)[0], 200)

    def test_rule_10_bodies_too_large(self):
        for framing in (b"Content-Length: 67108865\r\n\r\n", b"Content-Length: 99999999999999999999999\r\n\r\n"):
            for path, kind in (("/v1/completions", ("invalid_request_error", "request_too_large")), (MESSAGES, ("request_too_large", None))):
                got, answer = self.raw_status(b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + framing)
                self.assertIn(got, (413,) if len(framing) < 36 else (413, 400), framing)
                if got == 413:
                    self.check_body(path, got, answer.split(b"\r\n\r\n", 1)[1], kind)

    def test_rule_11_json(self):
        bad = (b"", b"{", b"[]", b"5", b"null", b'{"a": 1}x', b'{"messages": "\xff"}', b'{"a": 01}', b'{"a": NaN}', b"{'a': 1}",
               b'{"a": 1,}', b'\xef\xbb\xbf{}', b'{"a": "\x01"}', b'{"a": tru}',
               b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", b"[" * 200000)
        for path in APIS:
            for body in bad:
                self.refused(path, body, 400, ("invalid_request_error", "invalid_json"), "invalid_request_error")

    def test_what_was_not_read_closes(self):
        """An answer before the whole body was read closes the connection, and reads on so that it can be seen."""
        body = b"x" * 200000
        got, answer = self.raw_status(b"POST /v1/nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 300000\r\n\r\n" + body)
        self.assertEqual(got, 404)
        self.assertIn(b"Connection: close", answer)


class Fields(Contract):
    """Rules 12 and 13."""

    def field(self, path, name, value, param=None):
        with self.subTest(path=path, field=name, value=str(value)[:100]):
            self.check_field(path, name, value, param)

    def check_field(self, path, name, value, param):
        body = {**APIS[path], name: value}
        if body[name] is Ellipsis:
            del body[name]
        r, _ = self.refused(path, body, 400, ("invalid_request_error", None), "invalid_request_error")
        if path != MESSAGES:
            self.assertTrue((r["error"]["param"] or "").startswith(param or name), (name, value, r))
        self.assertIn((param or name).split(".")[0].split("[")[0], r["error"]["message"], (name, value))

    def accepted(self, path, **fields):
        body = {**APIS[path], **({"max_output_tokens": 2} if path == RESPONSES else {"max_tokens": 2}), **fields}
        with self.subTest(path=path, fields=str(fields)[:100]):
            status, r = self.s.post(path, body)
            self.assertEqual(status, 200, (path, fields, r))

    def test_ranges(self):
        common = {"temperature": (-0.1, 2.1, "1", [], True), "top_p": (-0.1, 1.1, "x"), "top_k": (-1, 1.5, "x"), "priority": ("high", 1.5, 2 ** 40), "stream": (1, "true")}
        extra = {"presence_penalty": (-2.1, 2.1, "x"), "frequency_penalty": (-2.1, 2.1), "seed": (1.5, "1", 2 ** 70, [])}
        bias = {"logit_bias": ([], {"x": 1}, {"-1": 1}, {"99999999": 1}, {"1": 101}, {"1": -101}, {"1": "x"}, {str(i): 1 for i in range(1025)})}
        stop = (5, {}, [5], ["x"] * 17, ["x" * 300], "x" * 300)
        table = {CHAT: {**common, **extra, **bias, "stop": stop, "n": (0, 9, 129, 1.5, "1"), "max_tokens": (0, -2, "4", 1.5),
                        "max_completion_tokens": (0, "4"), "logprobs": (1, "x"), "top_logprobs": (-1, 21, 1.5, 3)},
                 COMPLETIONS: {**common, **extra, **bias, "stop": stop, "n": (0, 9), "max_tokens": (0, -2, "4"), "logprobs": (-1, 21, "x"),
                               "echo": (1, "x"), "suffix": ("x",), "prompt": (..., 5, {}, "", [], [-1], [10 ** 9], ["", "a"], [1.5], [[1], 2])},
                 RESPONSES: {**common, "max_output_tokens": (0, -1, "4"), "top_logprobs": (-1, 21), "input": (..., 5, {}),
                             "previous_response_id": ("resp_1",), "conversation": ("c",), "background": (True,)},
                 MESSAGES: {**common, "max_tokens": (..., 0, -1, "4"), "stop_sequences": (5, "x", [5]), "messages": (..., 5, [], {})}}
        for path, fields in table.items():
            for name, values in fields.items():
                for value in values:
                    self.field(path, name, value)

    def test_good_values(self):
        for path in APIS:
            for fields in ({"temperature": 0}, {"temperature": 2.0}, {"top_p": 1}, {"top_k": 0}, {"top_k": 4.0}, {"temperature": None},
                           {"stream": None}, {"stream": False}, {"nobody": {"knows": []}}, {"metadata": {"a": "b"}}, {"model": "any/name"}):
                self.accepted(path, **fields)
        for fields in ({"stop": "x"}, {"stop": ["x"] * 16}, {"seed": -5}, {"seed": 2 ** 63 - 1}, {"logit_bias": {"5": -100}}, {"n": 2.0},
                       {"max_tokens": 10 ** 9, "stop_token_ids": [5], "logit_bias": {"5": 100}}, {"max_tokens": -1, "min_tokens": 0, "stop_token_ids": [5], "logit_bias": {"5": 100}},
                       {"presence_penalty": -2}, {"frequency_penalty": 2}, {"user": "u", "store": True, "service_tier": "auto"}):
            self.accepted(CHAT, **fields)
            self.accepted(COMPLETIONS, **fields)

    def test_messages_and_tools(self):
        tool = TOOLS[0]["function"]
        for name, value, param in (
                ("messages", ..., None), ("messages", [], None), ("messages", 5, None), ("messages", [5], None), ("messages", [{}], None),
                ("messages", [{"role": 5, "content": "x"}], None), ("messages", [{"role": "No Role!", "content": "x"}], None),
                ("messages", [{"role": "user", "content": None}], None), ("messages", [{"role": "user", "content": []}], None),
                ("messages", [{"role": "user", "content": [{"type": "hologram"}]}], None), ("messages", [{"role": "user", "content": [5]}], None),
                ("messages", [{"role": "assistant", "content": "", "tool_calls": {}}], None),
                ("messages", [{"role": "tool", "content": "x", "tool_call_id": 5}], None), ("messages", user("x") * 10001, None),
                ("messages", [{"role": "user", "content": [{"type": "text", "text": "x"}] * 1001}], None),
                ("tools", 5, None), ("tools", [5], None), ("tools", [{"type": "function"}], None),
                ("tools", [{"type": "function", "function": {**tool, "name": "no spaces"}}], None),
                ("tools", [{"type": "function", "function": {**tool, "name": "x" * 129}}], None),
                ("tools", [{"type": "function", "function": {**tool, "parameters": 5}}], None), ("tools", TOOLS * 257, None),
                ("tool_choice", "required", None), ("response_format", {"type": "xml"}, None), ("audio", {}, None),
                ("functions", [], None), ("web_search_options", {}, None), ("modalities", ["audio"], None)):
            self.field(CHAT, name, value, param)

    def test_tolerated_messages(self):
        for messages in ([{"role": "developer", "content": "x"}], [{"role": "msg", "content": "x"}], user("x") + [{"role": "assistant", "content": None}],
                         [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/"}}]}],
                         user("x") + [{"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{bro"}}]},
                                      {"role": "tool", "content": "y"}]):
            self.accepted(CHAT, messages=messages)

    def test_anthropic_rules(self):
        use = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}
        self.accepted(MESSAGES, messages=user("x") + [use, result])
        self.accepted(MESSAGES, messages=[{"role": "system", "content": "s"}] + user("x"))
        for messages in (user("x") + [use] + user("y"), user("x") + [result],
                         user("x") + [{"role": "assistant", "content": [{**use["content"][0], "input": "x"}]}, result]):
            self.field(MESSAGES, "messages", messages)
        self.field(MESSAGES, "thinking", {"type": "sometimes"})
        for kind in ("enabled", "disabled", "adaptive"):
            self.accepted(MESSAGES, thinking={"type": kind, "budget_tokens": 1024})

    def test_too_many_fields(self):
        for path, body in APIS.items():
            many = {**body, **{f"x{i}": 1 for i in range(4097)}}
            self.refused(path, many, 400, ("invalid_request_error", "invalid_json"), "invalid_request_error")

    def test_duplicate_names(self):
        """The last one wins, and it is the one that is checked."""
        status, _, text = self.s.call("POST", COMPLETIONS, '{"prompt": "x", "max_tokens": 1, "temperature": 9, "temperature": 1}')
        self.assertEqual(status, 200, text)
        self.assertEqual(self.s.call("POST", COMPLETIONS, '{"prompt": "x", "max_tokens": 1, "temperature": 1, "temperature": 9}')[0], 400)

    def test_echoes_are_short_and_printable(self):
        nasty = "\x1b[31m\r\nSet-Cookie: x\u202e" + "y" * 5000
        for path, fields in ((CHAT, {"tool_choice": {"type": "function", "function": {"name": nasty}}, "tools": TOOLS}),
                             (CHAT, {"messages": [{"role": nasty, "content": "x"}]}), (CHAT, {"response_format": {"type": nasty}}),
                             (COMPLETIONS, {"guided_regex": nasty + "("}), (MESSAGES, {"tool_choice": {"type": nasty}})):
            r, headers = self.refused(path, {**APIS[path], **fields}, 400, ("invalid_request_error", None), "invalid_request_error")
            self.assertNotIn("y" * 65, r["error"]["message"])
            self.assertIsNone(headers["Set-Cookie"])


class Description(Contract):
    def test_openapi_names_what_is_served(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/openapi.json"), encoding="utf-8") as f:
            paths = json.load(f)["paths"]
        for path, methods in paths.items():
            for method in ("GET", "POST", "PUT"):
                status = self.s.call(method, path.replace("{id}", "nano52"), "{" if method != "GET" else None)[0]
                is_served = status not in (404, 405, 501)
                self.assertEqual(is_served, method.lower() in methods, (method, path, status))


class Limits(Contract):
    def test_rule_15_overflow(self):
        for path, field in ((CHAT, "messages"), (COMPLETIONS, "prompt"), (RESPONSES, "input"), (MESSAGES, "messages")):
            body = {**APIS[path], field: user("x " * 3000) if field == "messages" else "x " * 3000, "stream": True}
            r, _ = self.refused(path, body, 400, ("invalid_request_error", "context_length_exceeded"), "invalid_request_error")
            if path != MESSAGES:
                self.assertEqual(r["error"]["param"], field)

    def test_options_of_streams(self):
        for path in (CHAT, COMPLETIONS):
            for fields, param in (({"stream_options": {"include_usage": True}}, "stream_options"),
                                  ({"stream": True, "stream_options": []}, "stream_options"),
                                  ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage")):
                r, _ = self.refused(path, {**APIS[path], **fields}, 400, ("invalid_request_error", "invalid_value"))
                self.assertEqual(r["error"]["param"], param)

    def test_prompt_and_tokens_are_clamped(self):
        _, r = self.s.post(COMPLETIONS, {"prompt": "x " * 400, "max_tokens": 32000, "ignore_eos": True})
        self.assertEqual(r["choices"][0]["finish_reason"], "length")
        self.assertLessEqual(r["usage"]["total_tokens"], 1000)

    def test_props_report_limits(self):
        r = json.loads(self.s.call("GET", "/props")[2])
        text = json.dumps(r)
        for name in ("body", "queue", "n_ctx"):
            self.assertIn(name, text)
        at = r["limits"]
        text = [{"type": "text", "text": "x"}]
        tool = {"type": "function", "function": {"name": "f"}}
        for name, fields in (
                ("messages", lambda n: {"messages": [{"role": "user", "content": "x"}] * n}),
                ("content_parts", lambda n: {"messages": [{"role": "user", "content": text * n}]}),
                ("tools", lambda n: {"tools": [{**tool, "function": {"name": f"f{i}"}} for i in range(n)], "tool_choice": "none"}),
                ("choices", lambda n: {"n": n}),
                ("stop_strings", lambda n: {"stop": [str(i) for i in range(n)]}),
                ("stop_bytes", lambda n: {"stop": "x" * n}),
                ("top_logprobs", lambda n: {"logprobs": True, "top_logprobs": n}),
                ("json_fields", lambda n: {f"x{i}": 0 for i in range(n - 2)}),
                ("schema_depth", lambda n: {"guided_regex": "(" * n + "a" + ")" * n})):
            for n in (at[name], at[name] + 1):
                status, answer = self.s.post(CHAT, {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1, **fields(n)})
                is_over = n > at[name]
                refused_for_length = status == 400 and answer["error"]["code"] == "context_length_exceeded"
                self.assertTrue(status == (400 if is_over else 200) or (not is_over and refused_for_length), (name, n, status, answer))
                self.assertFalse(is_over and refused_for_length, (name, answer))
        self.assertEqual(self.s.post(COMPLETIONS, {"prompt": ["x"] * (at["prompts"] + 1)})[0], 400)


class Quotas(unittest.TestCase):
    """Rules 8, 14 and 16."""

    def test_keys_quota_queue_and_stopping(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("first-key-1\nsecond-key-2\n")
            f.flush()
            s = Server("--key-file", f.name, "--strict-model", "--model-name", "m", "--max-per-key", "2", "--ctx", "4096")
            check = Contract()
            check.s = s
            for path in APIS:
                for key in ({}, {"x-api-key": "wrong-key-00"}, {"Authorization": "Basic Zmlyc3Q="}):
                    check.refused(path, "{", 401, ("invalid_request_error", "invalid_api_key"), "authentication_error", key)
                check.refused(path, {**APIS[path], "model": "other"}, 404, ("invalid_request_error", "model_not_found"), "not_found_error",
                              {"x-api-key": "first-key-1"})
            for method, path in (("GET", "/health"), ("GET", "/ping"), ("HEAD", "/"), ("OPTIONS", CHAT)):
                self.assertIn(s.call(method, path)[0], (200, 204), path)
            for path in ("/props", "/slots", "/tokenize", CHAT):
                self.assertEqual(s.call("POST" if path in ("/tokenize", CHAT) else "GET", path)[0], 401, path)

            body = {"model": "m", "prompt": "x", "max_tokens": 3000, "ignore_eos": True, "stream": True}
            streams = []
            for _ in range(2):
                c = socket.create_connection(("127.0.0.1", s.port), 30)
                data = json.dumps(body).encode()
                c.sendall(b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"x-api-key: first-key-1\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                self.assertIn(b"200 OK", c.recv(64))
                streams.append(c)
            for path in APIS:
                _, headers = check.refused(path, {**APIS[path], "model": "m"}, 429, ("rate_limit_error", "rate_limit_exceeded"),
                                           "rate_limit_error", {"x-api-key": "first-key-1"})
                self.assertGreaterEqual(int(headers["Retry-After"]), 1)
                self.assertIsNone(headers["x-should-retry"])
            small = {"model": "m", "prompt": "x", "max_tokens": 1}
            self.assertEqual(s.post(COMPLETIONS, small, {"x-api-key": "second-key-2"})[0], 200)  # another key's quota is its own
            for c in streams:
                c.close()
            self.assertTrue(eventually(lambda: s.post(COMPLETIONS, small, {"x-api-key": "first-key-1"})[0] == 200))

            with open(f.name, "w", encoding="utf-8") as g:  # a damaged file leaves the old keys; a good one replaces them
                g.write("bad key\n")
            s.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            self.assertEqual(s.post(COMPLETIONS, small, {"x-api-key": "first-key-1"})[0], 200)
            with open(f.name, "w", encoding="utf-8") as g:
                g.write("third-key-3\n")
            s.process.send_signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: s.post(COMPLETIONS, small, {"x-api-key": "third-key-3"})[0] == 200))
            self.assertEqual(s.post(COMPLETIONS, small, {"x-api-key": "first-key-1"})[0], 401)
            self.assertEqual(s.stop(), 0)

    def test_full_queue_and_shutdown(self):
        s = Server("--ctx", "4096", "--queue", "1", "--max-active", "1")
        check = Contract()
        check.s = s
        body = {"prompt": "x", "max_tokens": 4000, "ignore_eos": True, "stream": True}
        streams = []
        data = json.dumps(body).encode()
        for _ in range(4):
            c = socket.create_connection(("127.0.0.1", s.port), 30)
            c.sendall(b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(data) + data)
            if not streams:  # the first one has the place, one of the others the queue
                self.assertTrue(eventually(lambda: s.metric("glm_requests_running") == 1))
            streams.append(c)
        self.assertTrue(eventually(lambda: s.metric("glm_requests_waiting") == 1))
        for path in APIS:
            is_messages = path == MESSAGES
            _, headers = check.refused(path, APIS[path], 529 if is_messages else 503, ("server_error", None), "overloaded_error")
            self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        for c in streams[1:]:
            c.close()
        kept = socket.create_connection(("127.0.0.1", s.port), 30)  # idle connections close at once, what runs ends by itself
        s.process.send_signal(signal.SIGTERM)
        self.assertEqual(kept.recv(1), b"")
        answer = b""
        streams[0].settimeout(30)
        while piece := streams[0].recv(65536):
            answer += piece
        self.assertIn(b"data: [DONE]", answer)
        self.assertEqual(s.process.wait(30), 0)
        s.close()


class Order(unittest.TestCase):
    def test_smaller_priorities_go_first(self):
        s = Server("--max-active", "1", "--script-step", "5")
        order, threads = [], []

        def ask(name, n, **fields):
            s.post(COMPLETIONS, {"prompt": "x", "max_tokens": n, "ignore_eos": True, **fields})
            order.append(name)
        for name, n, priority in (("first", 400, 0), ("late", 4, 7), ("middle", 4, None), ("soon", 4, -3)):
            threads.append(threading.Thread(target=ask, args=(name, n), kwargs={"priority": priority}))
            threads[-1].start()
            self.assertTrue(eventually(lambda: s.metric("glm_requests_running") + s.metric("glm_requests_waiting") == len(threads)))
        for t in threads:
            t.join()
        self.assertEqual(order, ["first", "soon", "middle", "late"])
        self.assertEqual(s.stop(), 0)


class Privileges(unittest.TestCase):
    def test_nothing_is_kept(self):
        s = Server()
        folder = f"/proc/{s.process.pid}/"
        with open(folder + "limits", encoding="ascii") as f:
            self.assertIn(["Max", "core", "file", "size", "0", "0", "bytes"], [line.split() for line in f])
        for task in os.listdir(folder + "task"):
            with open(folder + f"task/{task}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            self.assertEqual([int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "NoNewPrivs")], [0, 0, 0, 1], task)
        self.assertEqual(s.stop(), 0)


class Logs(unittest.TestCase):
    def test_an_object_for_every_request(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("first-key-1\nsecret-key-77\n")
            f.flush()
            s = Server("--key-file", f.name, "--log", "json", "--script-step", "5", "--ctx", "4096")
            key = {"x-api-key": "secret-key-77", "x-request-id": "mine-1"}
            s.post(CHAT, {"messages": user("xyzzy say hello")}, key)
            s.call("POST", MESSAGES, {"messages": user("xyzzy"), "max_tokens": 3, "stream": True}, key)
            s.post(CHAT, {"messages": []}, key)
            s.call("GET", "/xyzzy", headers=key)
            s.post(CHAT, {}, {"x-api-key": "wrong-xyzzy"})
            body = json.dumps({"prompt": "xyzzy", "max_tokens": 4000, "ignore_eos": True, "stream": True}).encode()
            with socket.create_connection(("127.0.0.1", s.port), 10) as c:
                c.sendall(b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"x-api-key: first-key-1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                c.recv(1000)
            time.sleep(0.3)
            s.process.send_signal(signal.SIGTERM)
            err = s.ended()
        self.assertNotIn("xyzzy", err)
        self.assertNotIn("secret", err)
        lines = [json.loads(line) for line in err.splitlines()]
        requests = [r for r in lines if "request" in r]
        got = [(r["route"], r["status"], r["end"], r.get("key"), r.get("prompt_tokens", 0) > 0) for r in requests]
        self.assertEqual(got, [(CHAT, 200, "done", 2, True), (MESSAGES, 200, "done", 2, True), (CHAT, 400, "done", 2, False),
                               (None, 404, "done", None, False), (CHAT, 401, "done", None, False), (COMPLETIONS, 200, "gone", 1, True)])
        self.assertEqual(requests[0]["request"], "mine-1")
        self.assertEqual((requests[1]["generated_tokens"], requests[1]["cached_tokens"]), (3, 0))
        for r in requests[:2]:
            self.assertTrue(0 < r["first_token_seconds"] <= r["seconds"] < 10, r)
            self.assertRegex(r["time"], r"^20\d\d-\d\d-\d\dT[0-9:.]+Z$")
        self.assertIn("info", [r.get("level") for r in lines])

    REFUSED = [  # bytes, status, error, route
        (b"GET /xyzzy HTTP/1.1\r\nHost: localhost\r\nHost: xyzzy\r\n\r\n", 400, "bad_http", None),
        (b"\x16\x03\x01xyzzy", 400, "bad_http", None),
        (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 505, "bad_http", None),
        (b"GET /" + b"xyzzy" * 2000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "bad_http", None),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"xyzzy" * 8000 + b"\r\n\r\n", 431, "bad_http", None),
        (b"GET / HTTP/1.1\r\nConnection: close\r\nHost: xyzzy.example\r\n\r\n", 421, "host_not_allowed", None),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"Origin: http://xyzzy.example\r\n\r\n", 403, "origin_not_allowed", None),
        (b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\nxyzzy", 413, "request_too_large", MESSAGES),
        (b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyzzy\r\n", 400, "bad_http", MESSAGES),
        (b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nxyzzy", 413, "request_too_large",
         COMPLETIONS),
        (b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nxyzzy", 415,
         "unsupported_encoding", COMPLETIONS),
    ]

    def refused_log(self, *options):
        """The log of a server that was sent all of REFUSED, and what /metrics counted."""
        s = Server("--max-body", "4096", *options)
        for data, status, error, route in self.REFUSED:
            answer = s.raw(data)
            self.assertEqual(answer[9:12], b"%d" % status, (data[:60], answer))
            body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
            if route == MESSAGES:  # known by then: its dialect
                self.assertEqual((body["type"], body["request_id"][:4]), ("error", "req_"))
            else:
                self.assertEqual(body["error"]["code"], error)
            self.assertIn(b"x-request-id: req_", answer)
            self.assertIn(b"x-should-retry: false", answer)
        metrics = s.call("GET", "/metrics")[2].decode()
        s.process.send_signal(signal.SIGTERM)
        err = s.ended()
        self.assertNotIn("xyzzy", err)
        return err, metrics

    def test_refusals_of_the_connection(self):
        err, metrics = self.refused_log("--log", "json")
        requests = [r for r in map(json.loads, err.splitlines()) if "request" in r and r["route"] != "/metrics"]
        self.assertEqual([(r["status"], r["error"], r["route"], r["end"]) for r in requests],
                         [(status, error, route, "done") for _, status, error, route in self.REFUSED])
        counts = dict(line.split(" ") for line in metrics.splitlines() if line.startswith(("glm_http_", "glm_disconnects")))
        self.assertEqual(counts, {"glm_http_2xx_total": "0", "glm_http_4xx_total": str(len(self.REFUSED) - 1),
                                  "glm_http_5xx_total": "1", "glm_disconnects_total": "0"})
        err, _ = self.refused_log()
        lines = [line for line in err.splitlines() if "req_" in line]
        self.assertEqual(len(lines), len(self.REFUSED), err)
        for line, (_, status, error, route) in zip(lines, self.REFUSED):
            self.assertRegex(line, r"req_[0-9a-f]+: %s: %d %s$" % (route or "no route", status, error))

    @unittest.skipUnless(os.environ.get("GLM_TEST_LONG"), "waits for 30 seconds")
    def test_slow_heads(self):
        s = Server("--log", "json")
        with socket.create_connection(("127.0.0.1", s.port), 60) as c:
            c.sendall(b"GET /xyzzy")
            self.assertEqual(c.recv(1000)[9:12], b"408")
        s.process.send_signal(signal.SIGTERM)
        err = s.ended()
        self.assertIn('"status": 408, "end": "done", "error": "timeout"', err)
        self.assertNotIn("xyzzy", err)

    def test_neither_prompts_nor_keys(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("secret-key-77\n")
            f.flush()
            s = Server("--key-file", f.name)
            s.post(CHAT, {"messages": user("the quiet word is xyzzy")}, {"x-api-key": "secret-key-77"})
            s.post(CHAT, {"messages": [{"role": "xyzzy!", "content": 5}]}, {"x-api-key": "secret-key-77"})
            s.post(CHAT, {"messages": user("xyzzy")}, {"x-api-key": "wrong-key-xyzzy"})
            s.process.send_signal(signal.SIGTERM)
            said = s.ended()
            self.assertNotIn("xyzzy", said)
            self.assertNotIn("secret-key", said)


if __name__ == "__main__":
    main()
