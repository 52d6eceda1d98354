#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes that other servers made in front of real clients, each a named test (docs/server.md). Those of the parser alone are in
tests/chat/test_stream_parser.c.

usage: traps_test.py GLM MODEL [TEST...]
"""
import json
import threading

from harness import FILE_TEXT, TOOLS, WEATHER, Base, main, user

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
WRITE = {"type": "object", "properties": {"path": {"type": "string"}, "lines": {"type": "array"}, "text": {"type": "string"}}}
WRITTEN = {"path": 'a "b".txt', "lines": [1, 2.5, {"k": None}], "text": FILE_TEXT}
FUNCTIONS = [("write", WRITE), ("get_weather", WEATHER), ("now", {"type": "object", "properties": {}})]
ASKS = {CHAT: lambda text, **more: {"messages": user(text), "tools": [{"type": "function", "function": {"name": n, "parameters": p}} for n, p in FUNCTIONS], **more},
        RESPONSES: lambda text, **more: {"input": text, "tools": [{"type": "function", "name": n, "parameters": p} for n, p in FUNCTIONS], **more},
        MESSAGES: lambda text, **more: {"messages": user(text), "max_tokens": 600, "tools": [{"name": n, "input_schema": p} for n, p in FUNCTIONS], **more}}


class Traps(Base):
    def whole_calls(self, path, body):
        """[(name, JSON text of the arguments)], how it ended"""
        status, r = self.s.post(path, body)
        self.assertEqual(status, 200, r)
        if path == CHAT:
            c = r["choices"][0]
            return [(t["function"]["name"], t["function"]["arguments"]) for t in c["message"].get("tool_calls", [])], c["finish_reason"]
        if path == RESPONSES:
            return [(i["name"], i["arguments"]) for i in r["output"] if i["type"] == "function_call"], r["status"]
        return [(b["name"], json.dumps(b["input"])) for b in r["content"] if b["type"] == "tool_use"], r["stop_reason"]

    def streamed_calls(self, path, body):
        """The same, put together of fragments as SDKs do; and the number of fragments of each"""
        calls, end = {}, None
        for name, e in self.s.events(path, body):
            if path == CHAT and e != "[DONE]" and e["choices"]:
                for t in e["choices"][0]["delta"].get("tool_calls", []):
                    call = calls.setdefault(t["index"], [None, "", 0])
                    call[0] = t["function"].get("name", call[0])
                    call[1] += t["function"]["arguments"]
                    call[2] += 1
                end = e["choices"][0]["finish_reason"] or end
            elif name == "response.output_item.added" and e["item"]["type"] == "function_call":
                calls[e["output_index"]] = [e["item"]["name"], e["item"]["arguments"], 0]
            elif name == "response.function_call_arguments.delta":
                calls[e["output_index"]][1] += e["delta"]
                calls[e["output_index"]][2] += 1
            elif name == "content_block_start" and e["content_block"]["type"] == "tool_use":
                self.assertEqual(e["content_block"]["input"], {})  # filled here it would be ignored
                calls[e["index"]] = [e["content_block"]["name"], "", 0]
            elif name == "content_block_delta" and e["delta"]["type"] == "input_json_delta":
                calls[e["index"]][1] += e["delta"]["partial_json"]
                calls[e["index"]][2] += 1
            elif name == "message_delta":
                end = e["delta"]["stop_reason"]
            elif name in ("response.completed", "response.incomplete"):
                end = e["response"]["status"]
        return [(n, a) for n, a, _ in calls.values()], end, [k for _, _, k in calls.values()]

    def test_trap_13_a_cut_call_is_none(self):
        for path, limit, end in ((CHAT, "max_tokens", "length"), (RESPONSES, "max_output_tokens", "incomplete"), (MESSAGES, "max_tokens", "max_tokens")):
            for n in (3, 8, 12, 20, 60):
                self.assertEqual(self.whole_calls(path, ASKS[path]("write a file", **{limit: n})), ([], end), (path, n))
        _, r = self.s.post(CHAT, ASKS[CHAT]("write a file", max_tokens=30))
        self.assertFalse(r["choices"][0]["message"]["content"])

    def test_trap_14_arguments_come_while_they_grow(self):
        for path in ASKS:
            self.assertGreater(self.streamed_calls(path, ASKS[path]("write a file"))[2][0], 10, path)

    def test_trap_15_streamed_arguments_are_the_whole_ones(self):
        for path in ASKS:
            for text, expected in (("write a file", [WRITTEN]), ("two calls", [{"city": "Rome"}, {}]), ("weather in Oslo", [{"city": "Oslo", "days": 3}])):
                whole, end = self.whole_calls(path, ASKS[path](text))
                parts, end_streamed, n = self.streamed_calls(path, ASKS[path](text))
                self.assertEqual([json.loads(a) for _, a in whole], expected, path)
                self.assertEqual((parts, end_streamed), (whole, end) if path != MESSAGES else ([(c, a) for c, a in parts], end))
                self.assertEqual([json.loads(a) for _, a in parts], expected, path)
                self.assertTrue(all(n), (path, n))  # {} too is a fragment

    def test_trap_16_a_finish_reason_comes_alone(self):
        for text in ("write a file", "two calls", "say hello"):
            chunks = [e["choices"][0] for _, e in self.s.events(CHAT, ASKS[CHAT](text))[:-1]]
            self.assertTrue(all("finish_reason" in c for c in chunks))
            last = [c for c in chunks if c["finish_reason"]]
            self.assertEqual((len(last), last[0]["delta"]), (1, {}))
            self.assertIs(last[0], chunks[-1])

    def test_trap_17_no_state_goes_from_one_request_to_another(self):
        expected = {text: self.whole_calls(CHAT, ASKS[CHAT](text)) for text in ("write a file", "two calls", "weather in Oslo")}
        seen = []

        def ask(text):
            seen.append((text, self.whole_calls(CHAT, ASKS[CHAT](text))))
        threads = [threading.Thread(target=ask, args=(text,)) for text in list(expected) * 4]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([r for _, r in seen], [expected[text] for text, _ in seen])

    def test_trap_24_tools_of_responses_are_flat_and_streams_end(self):
        tools = ASKS[RESPONSES]("")["tools"]
        for strict in (True, False, None):
            body = {"input": "weather in Oslo", "tools": [{**t, "strict": strict, "description": None} for t in tools]}
            events = self.s.events(RESPONSES, body)
            self.assertEqual(events[-1][0], "response.completed")
            self.assertEqual(events[-1][1]["response"]["output"][-1]["type"], "function_call")
        mixed = {"messages": user("weather in Oslo"), "tools": tools}  # flat ones in Chat Completions
        self.assertEqual(self.whole_calls(CHAT, mixed)[1], "tool_calls")

    def test_trap_25_forced_choices_end_and_are_calls(self):
        strict = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"], "additionalProperties": False}
        tool = {"name": "count", "parameters": strict, "strict": True}
        for switch in ({"reasoning_effort": "none"}, {"thinking_token_budget": 4}):
            for choice in ("required", {"type": "function", "function": {"name": "count"}}):
                body = {"messages": user("x"), "tools": [{"type": "function", "function": tool}], "tool_choice": choice, "seed": 2,
                        "parallel_tool_calls": False, "max_tokens": 200, **switch}
                calls, end = self.whole_calls(CHAT, body)
                self.assertEqual((len(calls), end), (1, "tool_calls"))
                self.assertIn(json.loads(calls[0][1])["n"], range(1, 10))
                self.assertEqual(self.streamed_calls(CHAT, body)[:2], (calls, end))

    def test_chunks_are_what_sdks_expect(self):
        """Names and ids once and first, index always, no error key, one id, usage only when asked for."""
        events = self.s.events(CHAT, ASKS[CHAT]("two calls"))
        self.assertEqual(events[-1][1], "[DONE]")
        self.assertEqual(events[0][1]["choices"][0]["delta"], {"role": "assistant", "content": ""})
        seen = set()
        for _, e in events[:-1]:
            self.assertNotIn("error", e)
            self.assertNotIn("usage", e)
            self.assertEqual((e["object"], e["id"]), ("chat.completion.chunk", events[0][1]["id"]))
            for t in e["choices"][0]["delta"].get("tool_calls", []):
                self.assertEqual("id" in t, t["index"] not in seen)
                self.assertEqual("name" in t["function"], t["index"] not in seen)
                seen.add(t["index"])
        self.assertEqual(seen, {0, 1})

    def test_responses_events_come_in_order(self):
        """A part is added before its first delta, each item is done before the end, with the ids the end has."""
        parts, done = set(), []
        events = self.s.events(RESPONSES, ASKS[RESPONSES]("weather in Oslo"))
        for name, e in events:
            if name == "response.content_part.added":
                parts.add((e["item_id"], e["content_index"]))
            elif name in ("response.output_text.delta", "response.reasoning_text.delta"):
                self.assertIn((e["item_id"], e["content_index"]), parts)
            elif name == "response.output_item.done":
                done.append(e["item"])
        self.assertEqual(done, events[-1][1]["response"]["output"])
        self.assertEqual(set(events[-1][1]["response"]["usage"]) & {"input_tokens", "output_tokens", "total_tokens"},
                         {"input_tokens", "output_tokens", "total_tokens"})

    def test_namespaces_go_back_apart(self):
        tools = [{"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "now", "parameters": {"type": "object"}}]}]
        _, r = self.s.post(RESPONSES, {"input": "x", "tools": tools, "tool_choice": "required", "parallel_tool_calls": False,
                                       "max_output_tokens": 400, "seed": 1, "reasoning": {"effort": "none"}})
        calls = [i for i in r["output"] if i["type"] == "function_call"]
        for call in calls:
            self.assertEqual((call["name"], call["namespace"]), ("now", "ns"))

    def test_messages_have_their_own_ids_and_signatures(self):
        first, second = (self.s.post(MESSAGES, ASKS[MESSAGES]("weather in Oslo"))[1] for _ in range(2))
        self.assertNotEqual(first["id"], second["id"])
        self.assertNotEqual(first["content"][2]["id"], second["content"][2]["id"])
        self.assertTrue(first["content"][0]["signature"])

    def test_billing_lines_are_left_out(self):
        """They differ from request to request, and with them in front no prefix would ever be found again."""
        def count(*blocks):
            system = [{"type": "text", "text": b} for b in blocks]
            return self.s.post(MESSAGES + "/count_tokens", {"messages": user("x"), "system": system})[1]["input_tokens"]
        self.assertEqual(count("x-anthropic-billing-header: cc_version=1; cch=abc;", "Be brief."), count("Be brief."))

    def test_counts_have_everything_in_them(self):
        plain = {"messages": user("x")}
        asked = {**plain, "system": "Be brief.", "tools": ASKS[MESSAGES]("")["tools"]}
        counts = [self.s.post(MESSAGES + "/count_tokens", b)[1]["input_tokens"] for b in (plain, {**plain, "system": "Be brief."}, asked)]
        self.assertEqual(counts, sorted(set(counts)))
        _, r = self.s.post(MESSAGES, {**asked, "max_tokens": 1})
        u = r["usage"]
        self.assertEqual(u["input_tokens"] + u["cache_read_input_tokens"] + u["cache_creation_input_tokens"], counts[2])

    def test_no_tools_and_no_content_are_left_out_not_empty(self):
        _, r = self.s.post(CHAT, {"messages": user("say hello"), "tools": []})
        self.assertNotIn("tool_calls", r["choices"][0]["message"])
        _, r = self.s.post(CHAT, {"messages": user("two calls"), "tools": TOOLS})
        self.assertIsNone(r["choices"][0]["message"]["content"])

    def test_every_stream_ends_with_its_last_event(self):
        """On every way out: stop, length, stop string, a call; a stream without an end makes agents ask again and again."""
        for more in ({}, {"max_tokens": 3}, {"stop": ["glm"]}):
            events = self.s.events(CHAT, {"messages": user("say hello"), **more})
            self.assertEqual(events[-1][1], "[DONE]")
            self.assertTrue(events[-2][1]["choices"][0]["finish_reason"])
        for more in ({}, {"max_output_tokens": 3}):
            self.assertIn(self.s.events(RESPONSES, {"input": "say hello", **more})[-1][0], ("response.completed", "response.incomplete"))
        for more in ({"max_tokens": 100}, {"max_tokens": 3}, {"max_tokens": 100, "stop_sequences": ["glm"]}):
            events = self.s.events(MESSAGES, {"messages": user("say hello"), **more})
            self.assertEqual([n for n, _ in events[-2:]], ["message_delta", "message_stop"])
            self.assertTrue(events[-2][1]["delta"]["stop_reason"])


if __name__ == "__main__":
    main()
