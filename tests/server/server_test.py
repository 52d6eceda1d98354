#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Talk to `glm serve` as clients do, and as clients must not: Python's standard library only.

usage: server_test.py GLM MODEL [TEST...]
"""
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from harness import FILE_TEXT, GLM, MODEL, TOOLS, WEATHER, Base, Server, eventually, main, user


class Chat(Base):
    def test_answer_with_thought(self):
        status, r = self.s.post("/v1/chat/completions", {"model": "any", "messages": user("say hello")})
        self.assertEqual(status, 200)
        m = r["choices"][0]["message"]
        self.assertEqual((m["content"], m["reasoning_content"]), ("Hello from glm.", "They greet me."))
        self.assertNotIn("tool_calls", m)
        self.assertEqual(r["choices"][0]["finish_reason"], "stop")
        self.assertEqual(r["model"], "any")
        u = r["usage"]
        self.assertEqual(u["total_tokens"], u["prompt_tokens"] + u["completion_tokens"])
        self.assertGreater(u["completion_tokens_details"]["reasoning_tokens"], 0)

    def test_tool_round_trip(self):
        body = {"messages": user("weather in Oslo"), "tools": TOOLS}
        _, r = self.s.post("/v1/chat/completions", body)
        c = r["choices"][0]
        self.assertEqual(c["finish_reason"], "tool_calls")
        call = c["message"]["tool_calls"][0]
        self.assertEqual(json.loads(call["function"]["arguments"]), {"city": "Oslo", "days": 3})
        self.assertTrue(call["id"].startswith("call_"))
        body["messages"] += [c["message"], {"role": "tool", "tool_call_id": call["id"], "content": "It rains"}]
        _, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual(r["choices"][0]["message"]["content"], "It rains in Oslo.")

    def test_stream_equals_whole(self):
        body = {"messages": user("weather in Oslo"), "tools": TOOLS, "stream_options": {"include_usage": True}}
        events = self.s.events("/v1/chat/completions", body)
        self.assertEqual(events[-1][1], "[DONE]")
        self.assertEqual(events[-2][1]["choices"], [])
        self.assertGreater(events[-2][1]["usage"]["completion_tokens"], 0)
        text, thought, calls, finish = "", "", {}, None
        for name, e in events[:-2]:
            self.assertIsNone(name)
            self.assertNotIn("error", e)
            d = e["choices"][0]["delta"]
            text += d.get("content") or ""
            thought += d.get("reasoning_content") or ""
            for t in d.get("tool_calls", []):
                call = calls.setdefault(t["index"], {"arguments": ""})
                if "id" in t:
                    self.assertNotIn("id", call)
                    call.update(id=t["id"], name=t["function"]["name"])
                call["arguments"] += t["function"]["arguments"]
            finish = e["choices"][0]["finish_reason"] or finish
        self.assertEqual((text, thought, finish), ("Checking.", "Need the tool.", "tool_calls"))
        self.assertEqual(calls[0]["name"], "get_weather")
        self.assertEqual(json.loads(calls[0]["arguments"]), {"city": "Oslo", "days": 3})

    def test_parallel_calls_and_one(self):
        body = {"messages": user("two calls"), "tools": TOOLS}
        _, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual([c["function"]["name"] for c in r["choices"][0]["message"]["tool_calls"]], ["get_weather", "now"])
        self.assertEqual(r["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"], "{}")
        self.assertIsNone(r["choices"][0]["message"]["content"])

    def test_stop_strings_leave_thought_alone(self):
        _, r = self.s.post("/v1/chat/completions", {"messages": user("stop here"), "stop": ["END"]})
        m = r["choices"][0]["message"]
        self.assertEqual((m["content"], m["reasoning_content"]), ("one two ", "END is not seen here."))
        self.assertEqual(r["choices"][0]["finish_reason"], "stop")

    def test_thought_alone_becomes_the_answer(self):
        _, r = self.s.post("/v1/chat/completions", {"messages": user("only thought")})
        self.assertEqual(r["choices"][0]["message"]["content"], "The answer came as thought.")

    def test_thinking_off(self):
        for switch in ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"},
                       {"chat_template_kwargs": {"enable_thinking": False}}):
            _, r = self.s.post("/v1/chat/completions", {"messages": user("no thought"), **switch})
            self.assertEqual(r["choices"][0]["message"]["content"], "Plain.", switch)
            self.assertNotIn("reasoning_content", r["choices"][0]["message"])

    def test_budgets_of_thought_by_all_their_names(self):
        names = [{"thinking_token_budget": 5}, {"thinking_budget_tokens": 5}, {"thinking_budget": 5},
                 {"thinking": {"type": "enabled", "budget_tokens": 5}}, {"reasoning": {"max_tokens": 5}},
                 {"chat_template_kwargs": {"thinking_budget": 5}}]
        for ask in names:  # random weights: without a budget they think to the end, and begin again
            _, r = self.s.post("/v1/chat/completions", {"messages": user("x"), "max_tokens": 80, "seed": 1, "ignore_eos": True, **ask})
            self.assertEqual(r["usage"]["completion_tokens_details"]["reasoning_tokens"], 6, ask)
        for ask, n in (({"thinking_token_budget": 0}, 1), ({"thinking_token_budget": -1}, 80), ({}, 80)):
            _, r = self.s.post("/v1/chat/completions", {"messages": user("x"), "max_tokens": 80, "seed": 1, "ignore_eos": True, **ask})
            self.assertEqual(r["usage"]["completion_tokens_details"]["reasoning_tokens"], n, ask)
        _, r = self.s.post("/v1/messages", {"messages": user("x"), "max_tokens": 80, "seed": 1, "thinking": {"type": "enabled", "budget_tokens": 5}})
        self.assertEqual(r["usage"]["output_tokens_details"]["thinking_tokens"], 6)
        for ask in names[:1] + names[4:5]:
            _, r = self.s.post("/v1/responses", {"input": "x", "max_output_tokens": 80, "seed": 1, **ask})
            self.assertEqual(r["usage"]["output_tokens_details"]["reasoning_tokens"], 6, ask)
        status, r = self.s.post("/v1/chat/completions", {"messages": user("x"), "thinking": {"type": "enabled", "budget_tokens": 0.5}})
        self.assertEqual((status, r["error"]["param"]), (400, "thinking.budget_tokens"))

    def test_length_n_and_logprobs(self):
        body = {"messages": user("x"), "max_tokens": 4, "n": 3, "seed": 5, "logprobs": True, "top_logprobs": 2}
        _, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual([c["index"] for c in r["choices"]], [0, 1, 2])
        self.assertEqual({c["finish_reason"] for c in r["choices"]}, {"length"})
        entries = r["choices"][0]["logprobs"]["content"]
        self.assertEqual((len(entries), len(entries[0]["top_logprobs"])), (4, 2))
        again = self.s.post("/v1/chat/completions", body)[1]
        self.assertEqual([c["message"] for c in again["choices"]], [c["message"] for c in r["choices"]])

    def test_json_schema_is_followed(self):
        schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
        body = {"messages": user("x"), "reasoning_effort": "none", "max_tokens": 60, "seed": 1,
                "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}}
        status, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual(status, 200, r)
        self.assertIn(json.loads(r["choices"][0]["message"]["content"]), ({"n": 1}, {"n": 2}))

    def test_forced_tool(self):
        body = {"messages": user("x"), "reasoning_effort": "none", "tools": TOOLS, "max_tokens": 100, "seed": 1,
                "tool_choice": {"type": "function", "function": {"name": "now"}}}
        status, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual(status, 200, r)
        self.assertEqual({c["function"]["name"] for c in r["choices"][0]["message"]["tool_calls"]}, {"now"})

    def test_tools_that_are_no_functions(self):
        tools = [{"type": "web_search", "web_search": {"enable": True}}, {"type": "retrieval"},
                 {"type": "custom", "custom": {"name": "patch", "description": "takes text"}}]
        body = {"messages": user("patch it"), "tools": tools}
        status, r = self.s.post("/v1/chat/completions", body)
        calls = r["choices"][0]["message"]["tool_calls"]
        self.assertEqual([(c["type"], c["function"]["name"]) for c in calls], [("function", "patch")] * 2)
        self.assertEqual(json.loads(calls[0]["function"]["arguments"]), {"input": FILE_TEXT})
        n = self.s.post("/v1/chat/completions/input_tokens", body)[1]["input_tokens"]
        self.assertEqual(n, r["usage"]["prompt_tokens"])
        other = {"type": "custom", "custom": {"name": "other"}}
        status, r = self.s.post("/v1/chat/completions", {**body, "tool_choice": other})
        self.assertEqual((status, r["error"]["param"]), (400, "tool_choice"))

    def test_reasoning_as_content(self):
        body = {"messages": user("stop here"), "stop": "END", "reasoning_format": "none"}
        whole = self.s.post("/v1/chat/completions", body)[1]["choices"][0]["message"]
        self.assertEqual(whole["content"], "<think>END is not seen here.</think>one two ")
        self.assertNotIn("reasoning_content", whole)
        chunks = [e["choices"][0]["delta"] for _, e in self.s.events("/v1/chat/completions", body)[:-1]]
        self.assertEqual("".join(d.get("content", "") for d in chunks), whole["content"])
        self.assertFalse(any("reasoning_content" in d for d in chunks))
        self.assertEqual(self.s.post("/v1/chat/completions", {**body, "reasoning_format": 5})[0], 400)

    def test_refusals_name_the_field(self):
        for field, value in (("temperature", 3), ("temperature", "1"), ("top_p", -1), ("n", 9), ("max_tokens", 0),
                             ("stop", 5), ("stop", ["x"] * 17), ("logit_bias", {"x": 1}), ("logit_bias", {"1": 101}),
                             ("seed", 1.5), ("stream", "yes"), ("top_logprobs", 3), ("tool_choice", "required"),
                             ("functions", []), ("response_format", {"type": "xml"})):
            status, r = self.s.post("/v1/chat/completions", {"messages": user("x"), field: value})
            self.assertEqual(status, 400, (field, value, r))
            self.assertIn(field, r["error"]["param"] or "", r)
        status, r = self.s.post("/v1/chat/completions", {"messages": []})
        self.assertEqual((status, r["error"]["type"]), (400, "invalid_request_error"))
        status, r = self.s.post("/v1/chat/completions", {"messages": [{"role": "user", "content": 5}]})
        self.assertEqual((status, r["error"]["param"]), (400, "messages[0].content"))

    def test_overflow_wording(self):
        status, r = self.s.post("/v1/chat/completions", {"messages": user("x " * 3000)})
        self.assertEqual((status, r["error"]["code"]), (400, "context_length_exceeded"))
        self.assertRegex(r["error"]["message"], r"^This model's maximum context length is 1000 tokens\. However, your "
                         r"messages resulted in \d+ tokens\. Please reduce the length of the messages\.$")


class Messages(Base):
    def test_tool_round_trip(self):
        tools = [{"name": "get_weather", "input_schema": WEATHER}]
        body = {"model": "m", "max_tokens": 200, "messages": user("weather in Oslo"), "tools": tools,
                "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"}, {"type": "text", "text": "Be brief."}]}
        status, r = self.s.post("/v1/messages?beta=true", body)
        self.assertEqual((status, r["stop_reason"]), (200, "tool_use"), r)
        self.assertEqual([b["type"] for b in r["content"]], ["thinking", "text", "tool_use"])
        self.assertEqual(r["content"][2]["input"], {"city": "Oslo", "days": 3})
        self.assertTrue(r["content"][0]["signature"])
        body["messages"] += [{"role": "assistant", "content": r["content"]}, {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": r["content"][2]["id"], "content": [{"type": "text", "text": "It rains"}]}]}]
        events = self.s.events("/v1/messages", body)
        self.assertEqual([n for n, _ in events[:2]], ["message_start", "ping"])
        self.assertEqual(events[-1][0], "message_stop")
        text = "".join(e["delta"]["text"] for n, e in events if n == "content_block_delta" and e["delta"]["type"] == "text_delta")
        self.assertEqual(text, "It rains in Oslo.")
        self.assertTrue(all(n == e["type"] for n, e in events))
        open_block = None
        for n, e in events:  # blocks never overlap; indexes are dense
            if n == "content_block_start":
                self.assertIsNone(open_block)
                open_block = e["index"]
            elif n == "content_block_stop":
                self.assertEqual(open_block, e["index"])
                open_block = None

    def test_count_and_refusals(self):
        status, r = self.s.post("/v1/messages/count_tokens", {"model": "m", "messages": user("hello")})
        self.assertEqual(status, 200)
        self.assertGreater(r["input_tokens"], 3)
        status, r = self.s.post("/v1/messages", {"model": "m", "messages": user("hello")})
        self.assertEqual((status, r["type"], r["error"]["type"]), (400, "error", "invalid_request_error"))
        status, r = self.s.post("/v1/messages", {"model": "m", "max_tokens": 5, "messages": user("x " * 3000)})
        self.assertRegex(r["error"]["message"], r"^prompt is too long: \d+ tokens > 1000 maximum$")

    def test_stop_sequence(self):
        _, r = self.s.post("/v1/messages", {"max_tokens": 99, "messages": user("stop here"), "stop_sequences": ["no", "END"]})
        self.assertEqual((r["stop_reason"], r["stop_sequence"]), ("stop_sequence", "END"))


class Responses(Base):
    def test_items_and_events(self):
        tools = [{"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "get_weather", "parameters": WEATHER}]},
                 {"type": "function", "name": "get_weather", "parameters": WEATHER}, {"type": "web_search"}]
        body = {"input": [{"role": "developer", "content": "Be brief."}, {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "weather in Oslo"}]}], "tools": tools}
        status, whole = self.s.post("/v1/responses", body)
        self.assertEqual((status, whole["status"]), (200, "completed"), whole)
        self.assertEqual([i["type"] for i in whole["output"]], ["reasoning", "message", "function_call"])
        events = self.s.events("/v1/responses", body)
        self.assertEqual([e["sequence_number"] for _, e in events], list(range(len(events))))
        self.assertEqual(events[0][0], "response.created")
        self.assertEqual(events[-1][0], "response.completed")
        done = [e["item"] for n, e in events if n == "response.output_item.done"]
        self.assertEqual(done, events[-1][1]["response"]["output"])
        call = done[2]
        body["input"] += done + [{"type": "function_call_output", "call_id": call["call_id"], "output": "It rains"}]
        _, r = self.s.post("/v1/responses", body)
        self.assertEqual(r["output"][-1]["content"][0]["text"], "It rains in Oslo.")

    def test_logprobs(self):
        """Of the message's tokens alone, and the same whole and streamed."""
        body = {"input": "say hello", "include": ["message.output_text.logprobs"], "top_logprobs": 2}
        whole = self.s.post("/v1/responses", body)[1]["output"][1]["content"][0]
        self.assertEqual("".join(e["token"] for e in whole["logprobs"]), "Hello from glm.")
        self.assertTrue(all(len(e["top_logprobs"]) == 2 and e["logprob"] < 0 for e in whole["logprobs"]))
        events = self.s.events("/v1/responses", body)
        deltas = [e for n, e in events if n == "response.output_text.delta"]
        self.assertEqual(sum((e["logprobs"] for e in deltas), []), whole["logprobs"])
        self.assertEqual("".join(e["delta"] for e in deltas), "Hello from glm.")
        done = [e for n, e in events if n == "response.output_text.done"][0]
        self.assertEqual(done["logprobs"], whole["logprobs"])
        self.assertEqual(events[-1][1]["response"]["output"][1]["content"][0], whole)
        self.assertEqual(self.s.post("/v1/responses", {**body, "include": [], "top_logprobs": 0})[1]["output"][1]["content"][0]["logprobs"], [])

    def test_refusals(self):
        for field, value in (("include", 5), ("top_logprobs", 21), ("previous_response_id", "resp_1"), ("background", True), ("input", 5)):
            status, r = self.s.post("/v1/responses", {"input": "x", field: value})
            self.assertEqual((status, r["error"]["param"]), (400, field))
        self.assertEqual(self.s.call("GET", "/v1/responses/resp_1")[0], 404)


class Custom(Base):
    """Tools of Responses whose input is text."""
    BODY = {"input": "patch it", "tools": [{"type": "custom", "name": "patch", "format": {"type": "text"}}]}

    def test_input_is_text(self):
        _, r = self.s.post("/v1/responses", self.BODY)
        first, second = r["output"]
        self.assertEqual((first["type"], first["id"][:4], first["name"], first["input"]), ("custom_tool_call", "ctc_", "patch", FILE_TEXT))
        self.assertEqual(second["input"], '{"text": "x"}')  # not what was asked for: all there is
        self.assertNotIn("arguments", first)
        events = self.s.events("/v1/responses", self.BODY)
        done = [e for name, e in events if name == "response.output_item.done"]
        self.assertEqual([e["item"]["input"] for e in done], [FILE_TEXT, second["input"]])
        for index, text in enumerate((FILE_TEXT, second["input"])):
            here = [(name, e) for name, e in events if e.get("output_index") == index and "custom_tool_call_input" in name]
            self.assertEqual("".join(e["delta"] for _, e in here[:-1]), text)
            self.assertEqual((here[-1][0], here[-1][1]["input"]), ("response.custom_tool_call_input.done", text))
        self.assertGreater(len([e for name, e in events if name == "response.custom_tool_call_input.delta" and e["output_index"] == 0]), 5)
        # What comes back is what was said: nothing of it is read again but the last page.
        back = {**self.BODY, "input": user("patch it") + r["output"] + [
            {"type": "custom_tool_call_output", "call_id": i["call_id"], "output": "done"} for i in r["output"]] + user("say hello")}
        usage = self.s.post("/v1/responses", back)[1]["usage"]
        before = r["usage"]["input_tokens"] + r["usage"]["output_tokens"]
        self.assertGreaterEqual(usage["input_tokens_details"]["cached_tokens"], before - before % 64 - 64)

    def test_inside_a_namespace(self):
        tools = [{"type": "namespace", "name": "patch", "tools": [{"type": "custom", "name": "x"}]}, *self.BODY["tools"]]
        _, r = self.s.post("/v1/responses", {"input": "patch it", "tools": tools})
        self.assertEqual([i["type"] for i in r["output"]], ["custom_tool_call"] * 2)


class Completions(Base):
    def test_echo_with_logprobs(self):
        body = {"prompt": [5, 6, 7, 8], "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0}
        _, r = self.s.post("/v1/completions", body)
        lp = r["choices"][0]["logprobs"]
        self.assertEqual([len(lp[k]) for k in ("tokens", "token_logprobs", "top_logprobs", "text_offset")], [5] * 4)
        self.assertIsNone(lp["token_logprobs"][0])
        self.assertTrue(all(x < 0 for x in lp["token_logprobs"][1:]))
        self.assertEqual(max(lp["top_logprobs"][4].values()), lp["token_logprobs"][4])

    def test_echo_alone(self):
        body = {"prompt": [5, 6, 7, 8], "echo": True, "logprobs": 1, "temperature": 0}
        one = self.s.post("/v1/completions", {**body, "max_tokens": 1})[1]["choices"][0]
        _, r = self.s.post("/v1/completions", {**body, "max_tokens": 0})
        none = r["choices"][0]
        self.assertEqual(none["logprobs"], {k: v[:4] for k, v in one["logprobs"].items()})
        self.assertEqual((none["text"], none["finish_reason"]), ("&'()", "length"))
        self.assertEqual((r["usage"]["prompt_tokens"], r["usage"]["completion_tokens"]), (4, 0))
        chunks = [e["choices"][0] for _, e in self.s.events("/v1/completions", {**body, "max_tokens": 0})[:-1]]
        self.assertEqual("".join(c["text"] for c in chunks), none["text"])
        self.assertEqual([c["logprobs"] for c in chunks if c["logprobs"]], [none["logprobs"]])
        self.assertEqual(self.s.post("/v1/completions", {**body, "prompt_logprobs": 1})[1]["error"]["param"], "prompt_logprobs")

    def test_greedy_is_the_same_streamed(self):
        body = {"prompt": "abc", "max_tokens": 12, "temperature": 0}
        whole = self.s.post("/v1/completions", body)[1]["choices"][0]["text"]
        events = self.s.events("/v1/completions", body)
        self.assertEqual("".join(e["choices"][0]["text"] for _, e in events[:-1]), whole)


    def test_several_prompts(self):
        """Index p * n + k; each as it is alone; usage over all. What lm-eval sends: lists of ids, echo, logprobs, one token."""
        body = {"max_tokens": 6, "temperature": 0, "n": 2, "logprobs": 2, "echo": True}
        prompts = ["abc", [5, 6, 7, 8], "the end"]
        whole = self.s.post("/v1/completions", {**body, "prompt": prompts})[1]
        self.assertEqual([c["index"] for c in whole["choices"]], list(range(6)))
        used = 0
        for p, prompt in enumerate(prompts):
            alone = self.s.post("/v1/completions", {**body, "prompt": prompt})[1]
            used += alone["usage"]["total_tokens"]
            for k in range(2):
                self.assertEqual({**whole["choices"][2 * p + k], "index": k}, alone["choices"][k])
        self.assertEqual(whole["usage"]["total_tokens"], used)
        requests = {"prompt": [[5, 6, 7], [9, 10]], "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": True, "seed": 1234}
        for c, n in zip(self.s.post("/v1/completions", requests)[1]["choices"], (4, 3)):
            lp = c["logprobs"]
            self.assertEqual([len(lp[k]) for k in ("tokens", "token_logprobs", "top_logprobs", "text_offset")], [n] * 4)
            self.assertIsNone(lp["token_logprobs"][0])
            for x, top in zip(lp["token_logprobs"][1:], lp["top_logprobs"][1:]):
                self.assertGreaterEqual(max(top.values()), x)
        for prompts, param in (([[5], []], "prompt"), ([], "prompt"), (["a", 5], "prompt"), (["a", ""], "prompt"),
                               (["a", [10 ** 9]], "prompt"), (["a"] * 257, "prompt"), ({}, "prompt")):
            status, r = self.s.post("/v1/completions", {"prompt": prompts})
            self.assertEqual((status, r["error"]["param"]), (400, param), (prompts, r))
        status, r = self.s.post("/v1/completions", {"prompt": ["a", "x " * 3000, "b"], "stream": True})
        self.assertEqual((status, r["error"]["code"]), (400, "context_length_exceeded"))

    def test_ids_are_told_when_asked_for(self):
        body = {"prompt": ["abc", [5, 6, 7]], "max_tokens": 8, "seed": 4, "n": 2, "temperature": 1}
        plain = self.s.post("/v1/completions", body)[1]["choices"]
        for extra in ({}, {"logprobs": 1}, {"echo": True}, {"logprobs": 1, "echo": True}):
            whole = self.s.post("/v1/completions", {**body, **extra, "return_token_ids": True})[1]["choices"]
            ids = self.s.post("/tokenize", {"prompt": "abc"})[1]["tokens"]
            self.assertEqual([c["prompt_token_ids"] for c in whole], [ids, ids, [5, 6, 7], [5, 6, 7]])
            for c, p in zip(whole, plain):
                self.assertEqual(len(c["token_ids"]), 8)
                self.assertEqual(self.s.post("/detokenize", {"tokens": c["token_ids"]})[1]["content"], p["text"])
                self.assertNotIn("token_ids", p)
            told = [([], []) for _ in whole]
            for _, e in self.s.events("/v1/completions", {**body, **extra, "return_token_ids": True})[:-1]:
                c = e["choices"][0]
                told[c["index"]][0].extend([c["prompt_token_ids"]] if c["prompt_token_ids"] is not None else [])
                told[c["index"]][1].extend(c["token_ids"])
            self.assertEqual(told, [([c["prompt_token_ids"]], c["token_ids"]) for c in whole])
        self.assertEqual(self.s.post("/v1/completions", {**body, "return_token_ids": 1})[1]["error"]["param"], "return_token_ids")

    def test_prompts_begin_as_chats_do_when_asked_for(self):
        head = self.s.post("/tokenize", {"content": "[gMASK]<sop>"})[1]["tokens"]
        text = self.s.post("/tokenize", {"content": "abc"})[1]["tokens"]
        self.assertEqual(len(head), 2)
        for content in ("abc", "[gMASK]<sop>abc"):
            self.assertEqual(self.s.post("/tokenize", {"content": content, "add_special": True})[1]["tokens"], head + text)
        self.assertEqual(self.s.post("/tokenize", {"prompt": "abc", "add_special_tokens": True})[1]["tokens"], text)

        def ids(server, prompt, **fields):
            body = {"prompt": prompt, "max_tokens": 1, "return_token_ids": True, **fields}
            return server.post("/v1/completions", body)[1]["choices"][0]["prompt_token_ids"]
        self.assertEqual(ids(self.s, "abc"), text)
        self.assertEqual(ids(self.s, "abc", add_special_tokens=True), head + text)
        self.assertEqual(ids(self.s, "[gMASK]<sop>abc", add_special_tokens=True), head + text)
        self.assertEqual(ids(self.s, [5, 6], add_special_tokens=True), [5, 6])
        self.assertEqual(self.s.post("/v1/completions", {"prompt": "", "add_special_tokens": True})[0], 400)
        other = Server("--raw-prefix")
        self.assertEqual(ids(other, "abc"), head + text)
        self.assertEqual(ids(other, "abc", add_special_tokens=False), text)
        self.assertEqual(other.stop(), 0)

    def test_streamed_logprobs_are_the_whole_ones(self):
        for echo in (False, True):
            body = {"prompt": ["abc", [5, 6, 7]], "max_tokens": 8, "seed": 4, "logprobs": 2, "echo": echo, "n": 2,
                    "stream_options": {"include_usage": True}}
            whole = self.s.post("/v1/completions", {k: v for k, v in body.items() if k != "stream_options"})[1]
            events = self.s.events("/v1/completions", body)
            self.assertEqual(events[-1][1], "[DONE]")
            self.assertEqual(events[-2][1]["usage"]["total_tokens"], whole["usage"]["total_tokens"])
            for choice in whole["choices"]:
                text, finish, lists = "", None, {k: [] for k in choice["logprobs"]}
                for _, e in events[:-2]:
                    c = e["choices"][0]
                    if c["index"] != choice["index"]:
                        continue
                    text += c["text"]
                    finish = c["finish_reason"] or finish
                    for k in lists:
                        lists[k] += (c["logprobs"] or lists)[k] if c["logprobs"] else []
                self.assertEqual((text, finish, lists), (choice["text"], choice["finish_reason"], choice["logprobs"]))


class Batches(unittest.TestCase):
    """Several prompts in one request run side by side, with the answers each gets alone."""

    PROMPTS = ["one", [5, 6, 7], "a longer prompt that takes more than one page of sixty-four tokens, or so it should " * 6, "x"]

    def alone(self, s, prompt, **fields):
        _, r = s.post("/v1/completions", {**fields, "prompt": prompt})
        return r["choices"], r["usage"]

    def test_same_answers_in_order(self):
        s = Server("--max-active", "4", "--share-prefix", "none")
        fields = {"max_tokens": 24, "seed": 3, "temperature": 1, "ignore_eos": True, "n": 2, "logprobs": 3, "echo": True}
        prompts = self.PROMPTS * 3
        _, r = s.post("/v1/completions", {**fields, "prompt": prompts})
        expected, n_prompt, n_made = [], 0, 0
        for prompt in prompts:
            choices, usage = self.alone(s, prompt, **fields)
            expected += [{**c, "index": len(expected) + i} for i, c in enumerate(choices)]
            n_prompt += usage["prompt_tokens"]
            n_made += usage["completion_tokens"]
        self.assertEqual(r["choices"], expected)
        self.assertEqual((r["usage"]["prompt_tokens"], r["usage"]["completion_tokens"]), (n_prompt, n_made))
        fields.pop("echo")
        texts, ends = {}, {}
        for _, e in s.events("/v1/completions", {**fields, "prompt": prompts, "stream_options": {"include_usage": True}}):
            for c in e["choices"] if e != "[DONE]" else []:
                texts[c["index"]] = texts.get(c["index"], "") + c["text"]
                self.assertNotIn(c["index"], ends)
                if c["finish_reason"]:
                    ends[c["index"]] = c["finish_reason"]
        alone = [c["text"] for prompt in prompts for c in self.alone(s, prompt, **fields)[0]]
        self.assertEqual([texts[i] for i in range(len(alone))], alone)
        self.assertEqual(set(ends.values()), {"length"})
        self.assertEqual(s.stop(), 0)

    def counts(self, s):
        text = s.call("GET", "/metrics")[2].decode()
        return [float(re.search(rf"^{name} (\S+)$", text, re.M).group(1)) for name in ("glm_steps_total", "glm_step_sequences_total")]

    def test_side_by_side(self):
        s = Server("--max-active", "8")
        n_steps, n_sequences = self.counts(s)
        _, r = s.post("/v1/completions", {"prompt": ["x"] * 32, "max_tokens": 40, "ignore_eos": True})
        self.assertEqual([c["index"] for c in r["choices"]], list(range(32)))
        more_steps, more_sequences = self.counts(s)
        self.assertGreater((more_sequences - n_sequences) / (more_steps - n_steps), 5)
        self.assertEqual(s.stop(), 0)

    def test_a_short_queue_holds_nobody_up(self):
        """What does not fit into the queue is submitted when a place is free, and who goes away frees all."""
        s = Server("--max-active", "4", "--queue", "1")
        status, r = s.post("/v1/completions", {"prompt": [f"{i}" for i in range(60)], "max_tokens": 3, "ignore_eos": True})
        self.assertEqual((status, len(r["choices"])), (200, 60))
        c = socket.create_connection(("127.0.0.1", s.port), 30)
        body = json.dumps({"prompt": ["x"] * 200, "max_tokens": 900, "ignore_eos": True, "stream": True}).encode()
        c.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        c.recv(2000)
        c.close()
        self.assertTrue(eventually(lambda: s.metric("glm_requests_running") == 0))
        self.assertEqual(s.stop(), 0)


class Extras(Base):
    def test_simple_routes(self):
        for path in ("/health", "/v1/health", "/ping", "/version", "/v1/models", "/props", "/slots", "/metrics", "/tokenizer_info", "/"):
            self.assertEqual(self.s.call("GET", path)[0], 200, path)
        self.assertEqual(self.s.call("HEAD", "/")[0], 200)
        self.assertEqual(self.s.call("OPTIONS", "/v1/models")[0], 204)
        name = json.loads(self.s.call("GET", "/v1/models")[2])["data"][0]["id"]
        self.assertEqual(self.s.call("GET", "/v1/models/" + name)[0], 200)
        self.assertEqual(self.s.call("GET", "/v1/models/other")[0], 404)
        status, headers, _ = self.s.call("POST", "/v1/embeddings", {})
        self.assertEqual((status, headers["x-should-retry"]), (501, "false"))
        self.assertEqual(self.s.call("POST", "/slots/0?action=save", {})[0], 501)
        self.assertEqual(self.s.call("POST", "/props", {})[0], 501)
        self.assertEqual(self.s.call("PUT", "/props", {})[0], 405)
        self.assertEqual(self.s.call("GET", "/nothing")[0], 404)
        status, headers, _ = self.s.call("GET", "/v1/chat/completions")
        self.assertEqual((status, headers["Allow"]), (405, "POST"))

    def test_tokens(self):
        _, r = self.s.post("/tokenize", {"content": "abc def"})
        _, back = self.s.post("/detokenize", {"tokens": r["tokens"]})
        self.assertEqual((back["content"], r["count"]), ("abc def", len(r["tokens"])))
        _, r = self.s.post("/apply-template", {"messages": user("hi")})
        self.assertTrue(r["prompt"].endswith("<|user|>hi<|assistant|><think>"), r)
        self.assertEqual(self.s.post("/tokenize", {"content": 5})[0], 400)
        pieces = self.s.post("/tokenize", {"content": "a漢", "with_pieces": True})[1]["tokens"]
        spelled = b"".join(t["piece"].encode() if isinstance(t["piece"], str) else bytes(t["piece"]) for t in pieces)
        self.assertEqual((spelled.decode(), type(pieces[0]["piece"])), ("a漢", str))
        _, r = self.s.post("/tokenize", {"prompt": "abc def", "return_token_strs": True})
        self.assertEqual(("".join(r["token_strs"]), len(r["token_strs"])), ("abc def", r["count"]))
        _, r = self.s.post("/tokenize", {"messages": user("hi"), "return_token_strs": True})
        self.assertEqual(r["token_strs"][-2:], ["<|assistant|>", "<think>"])

    def test_what_a_browser_asks_first(self):
        names = "authorization, content-type, x-stainless-os"
        _, headers, _ = self.s.call("OPTIONS", "/v1/responses", headers={"Origin": "http://localhost:5173", "Access-Control-Request-Headers": names})
        self.assertEqual((headers["Access-Control-Allow-Headers"], headers["Access-Control-Allow-Origin"]), (names, "http://localhost:5173"))
        _, headers, _ = self.s.call("OPTIONS", "/v1/responses", headers={"Access-Control-Request-Headers": "x: y"})
        self.assertNotIn("x: y", headers["Access-Control-Allow-Headers"])

    def test_unknown_efforts_are_told(self):
        for path, body in (("/v1/chat/completions", {"messages": user("say hello"), "reasoning_effort": "huge\u00e9"}),
                           ("/v1/responses", {"input": "say hello", "reasoning": {"effort": "huge"}}),
                           ("/v1/messages", {"messages": user("say hello"), "max_tokens": 9, "output_config": {"effort": "huge"}})):
            status, headers, text = self.s.call("POST", path, body)
            self.assertEqual(status, 200, text)
            self.assertIn("huge", headers["x-glm-warning"])
            self.assertTrue(headers["x-glm-warning"].isascii())

    def test_bodies(self):
        for body in (b"", b"{", b"[]", b"{\"messages\": \xff}", b"{\"a\":1}x", b"[" * 100000):
            status, r = self.s.post("/v1/chat/completions", body)
            self.assertEqual(status, 400, body[:20])
            self.assertEqual(r["error"]["code"], "invalid_json")
        self.assertEqual(self.s.call("POST", "/v1/chat/completions", "{}", {"Content-Type": "text/xml"})[0], 415)
        self.assertEqual(self.s.call("POST", "/v1/chat/completions", "{}", {"Content-Encoding": "gzip"})[0], 415)


class Http(Base):
    def status(self, data):
        answer = self.s.raw(data)
        return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else answer

    def test_strict_framing(self):
        host = b"Host: localhost\r\n"
        cases = [
            (b"nonsense\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\n" + host + b"\r\n", 400), (b"GET / HTTP/2.0\r\n" + host + b"\r\n", 505),
            (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b" folded: x\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n" + host + b"a b: x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b"A : x\r\n\r\n", 400), (b"GET / HTTP/1.1\n" + host + b"\r\n\r\n", 400),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Content-Length: +1\r\n\r\n", 400),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\n", 501),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Content-Length: 99999999999\r\n\r\n", 413),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"POST /v1/completions HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400),
            (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414),
            (b"GET / HTTP/1.1\r\n" + host + b"a: " + b"b" * 40000 + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\n" + host + b"a: b\r\n" * 101 + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
            (b"GET / HTTP/1.1\r\n" + host + b"Origin: https://evil.example\r\n\r\n", 403),
        ]
        for data, expected in cases:
            if expected in (421, 403):
                data = data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            self.assertEqual(self.status(data), expected, data[:80])

    def test_what_is_no_http_is_refused_at_once(self):
        for data in (b"GET / HTTP/1.1\nHost: localhost\n\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            begun = time.monotonic()
            self.assertEqual(self.status(data), 400, data)
            self.assertLess(time.monotonic() - begun, 8)

    def test_chunked_body_and_keep_alive(self):
        body = b"{\"content\": \"abc\"}"
        one = (b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
               b"5;x=y\r\n" + body[:5] + b"\r\n" + b"%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\nTrailer: x\r\n\r\n")
        last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = self.s.raw(one + one + last)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 3, answer)
        self.assertIn(b"Connection: close", answer)

    def test_expect_continue(self):
        head = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.s.port), 10) as c:
            c.sendall(head)
            self.assertTrue(c.recv(100).startswith(b"HTTP/1.1 100 "))
            c.sendall(b"{\"content\": \"ab\"}")
            self.assertIn(b"200 OK", c.recv(4096))

    def test_a_client_that_leaves_frees_its_slot(self):
        body = json.dumps({"messages": user("x"), "max_tokens": 900, "stream": True, "ignore_eos": True}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.s.port), 10) as c:
                c.sendall(head + body)
                c.recv(200)
        self.assertTrue(eventually(lambda: self.s.metric("glm_requests_running") + self.s.metric("glm_requests_waiting") == 0))
        self.assertEqual(self.s.metric("glm_disconnects_total"), 5)


class Keys(unittest.TestCase):
    def test_keys(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("# keys\nfirst-key-1\nsecond-key-2\n")
            f.flush()
            s = Server("--key-file", f.name, "--strict-model", "--model-name", "m")
            self.assertEqual(s.call("GET", "/health")[0], 200)
            self.assertEqual(s.call("GET", "/v1/models")[0], 401)
            self.assertEqual(s.call("GET", "/v1/models", headers={"Authorization": "Bearer wrong-key"})[0], 401)
            for headers in ({"Authorization": "Bearer first-key-1"}, {"x-api-key": "second-key-2"}, {"api-key": "first-key-1"}):
                self.assertEqual(s.call("GET", "/v1/models", headers=headers)[0], 200)
            body = {"model": "other", "messages": user("x")}
            status, r = s.post("/v1/chat/completions", body, {"x-api-key": "first-key-1"})
            self.assertEqual((status, r["error"]["code"]), (404, "model_not_found"))
            with open(f.name, "w", encoding="utf-8") as g:
                g.write("third-key-3\n")
            s.process.send_signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: s.call("GET", "/v1/models", headers={"x-api-key": "third-key-3"})[0] == 200))
            self.assertEqual(s.call("GET", "/v1/models", headers={"x-api-key": "first-key-1"})[0], 401)
            self.assertEqual(s.stop(), 0)

    def test_start_is_refused(self):
        for options, code in ((["--host", "0.0.0.0"], 2), (["--tls-cert", "x"], 2), (["--key-file", "/nonexistent"], 1),
                              (["--port", "70000"], 2)):
            run = subprocess.run([GLM, "serve", MODEL, *options], capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual((run.returncode, run.stdout), (code, ""), (options, run.stderr))
        s = Server()
        run = subprocess.run([GLM, "serve", MODEL, "--port", str(s.port)], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("Address already in use", run.stderr)
        self.assertEqual(s.stop(signal.SIGINT), 0)


@unittest.skipUnless(shutil.which("openssl"), "no openssl to make a certificate with")
class Tls(unittest.TestCase):
    def test_whole_and_streamed(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = folder + "/cert.pem", folder + "/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
            s = Server("--tls-cert", cert, "--tls-key", key)
            trust = ssl.create_default_context(cafile=cert)
            for stream, end in ((False, b"}"), (True, b"\n\ndata: [DONE]\n\n")):
                c = http.client.HTTPSConnection("localhost", s.port, timeout=30, context=trust)
                c.request("POST", "/v1/chat/completions", json.dumps({"messages": user("say hello"), "stream": stream}))
                r = c.getresponse()
                text = r.read()
                self.assertEqual(r.status, 200)
                self.assertTrue(text.endswith(end), text[-200:])
                c.close()
            with socket.create_connection(("127.0.0.1", s.port), 10) as c:  # no handshake
                c.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try:
                    self.assertNotIn(b"200", c.recv(1000))
                except ConnectionResetError:
                    pass
            self.assertEqual(s.stop(), 0)


class Progress(unittest.TestCase):
    def test_of_a_long_prompt_in_every_api(self):
        s = Server("--ctx", "4096", "--threads", "1")
        text = "a b c d " * 600

        def held_up(ask):  # so that a prompt takes long enough to be told of on any machine
            def hold_up():
                for _ in range(6):
                    time.sleep(0.02)
                    s.process.send_signal(signal.SIGSTOP)
                    time.sleep(0.26)
                    s.process.send_signal(signal.SIGCONT)
            holder = threading.Thread(target=hold_up)
            holder.start()
            self.addCleanup(holder.join)
            answer = ask()
            holder.join()
            return answer
        asked = {"stream": True, "max_tokens": 1, "max_output_tokens": 1}
        for path, body in (("/v1/chat/completions", {"messages": user("1 " + text)}), ("/v1/completions", {"prompt": "2 " + text}),
                           ("/v1/responses", {"input": "3 " + text}), ("/v1/messages", {"messages": user("4 " + text)})):
            status, _, answer = held_up(lambda p=path, b=body: s.call("POST", p, {**asked, **b}))
            self.assertEqual(status, 200)
            told = re.findall(r": prompt (\d+) of (\d+) tokens, about \d+ s left\n\n", answer.decode())
            done = [int(n) for n, _ in told]
            self.assertTrue(done, (path, answer[:300]))
            self.assertEqual(done, sorted(done))
            self.assertLess(done[-1], int(told[0][1]))
            self.assertEqual(len({total for _, total in told}), 1)
        last = {"messages": user("5 " + text), "max_tokens": 1, "return_progress": True}
        events = held_up(lambda: s.events("/v1/chat/completions", last))
        told = [e["prompt_progress"] for _, e in events[:-1] if "prompt_progress" in e]
        self.assertTrue(told)
        self.assertLess(told[0]["processed"], told[0]["total"])
        self.assertEqual(s.stop(), 0)


class Measures(unittest.TestCase):
    def test_distributions(self):
        """Prometheus' text format, line by line; what was asked is what is counted, under our names and vLLM's."""
        s = Server("--model-name", 'a "b" \\c', "--script-step", "4")
        for n in (1, 3, 40):
            s.post("/v1/completions", {"prompt": [5] * n, "max_tokens": n, "ignore_eos": True})
        text = s.call("GET", "/metrics")[2].decode()
        self.assertEqual(s.stop(), 0)
        families, samples = {}, {}
        for line in text.splitlines():
            kind = re.fullmatch(r"# TYPE (\S+) (gauge|counter|histogram)", line)
            sample = re.fullmatch(r'([a-z:_0-9A-Z]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)', line)
            if kind:
                self.assertNotIn(kind[1], families)
                families[kind[1]] = kind[2]
            elif sample:
                samples[sample[1], sample[2] or ""] = float(sample[3])
                family = re.sub("_(bucket|sum|count)$", "", sample[1]) if sample[1] not in families else sample[1]
                self.assertEqual(sample[1] != family, families[family] == "histogram", line)
            else:
                self.assertRegex(line, "^# HELP ")
        label = r'model_name="a \"b\" \\c"'
        for name, expected in (("glm_request_generated_tokens", (1, 2, 2, 3)), ("glm_request_prompt_tokens", (1, 2, 2, 3))):
            got = tuple(samples[name + "_bucket", f'le="{bound}"'] for bound in ("1", "5", "20", "+Inf"))
            self.assertEqual(got, expected)
            self.assertEqual((samples[name + "_sum", ""], samples[name + "_count", ""]), (44, 3))
        self.assertEqual(samples["vllm:request_generation_tokens_bucket", label + ',le="50"'], 3)
        self.assertEqual(samples["glm_token_seconds_count", ""], 41)
        self.assertGreater(samples["glm_token_seconds_sum", ""], 0.08)
        for name in ("glm_first_token_seconds", "vllm:time_to_first_token_seconds", "glm_request_seconds", "glm_queue_seconds", "glm_prefill_seconds",
                     "glm_decode_seconds"):
            self.assertEqual(samples[name + "_count", label if name[0] == "v" else ""], 3, name)
        self.assertGreater(samples["glm_request_seconds_sum", ""], 0.004 * 44)
        self.assertEqual(samples["vllm:request_success_total", label + ',finished_reason="length"'], 3)
        self.assertEqual(samples["vllm:num_requests_running", label], 0)


class Steps(unittest.TestCase):
    def test_steps_of_a_fixed_time(self):
        s = Server("--script-step", "40")
        began = time.monotonic()
        status, _ = s.post("/v1/completions", {"prompt": "x", "max_tokens": 10, "ignore_eos": True})
        self.assertEqual(status, 200)
        self.assertGreater(time.monotonic() - began, 0.4)  # 1 for the prompt, 9 for the tokens behind the first
        self.assertEqual(s.stop(), 0)


class Load(Base):
    def test_many_at_once_give_what_one_gives(self):
        body = {"messages": user("tell me"), "max_tokens": 20, "seed": 3}
        alone = self.s.post("/v1/chat/completions", body)[1]["choices"][0]["message"]
        results = []

        def ask():
            results.append(self.s.post("/v1/chat/completions", body)[1]["choices"][0]["message"])
        threads = [threading.Thread(target=ask) for _ in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(results, [alone] * 24)


if __name__ == "__main__":
    main()
