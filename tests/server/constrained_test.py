#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Constrained answers through every API: what the model of random weights says is held to the request, or the request is refused.

usage: constrained_test.py GLM MODEL [TEST...]
"""
import json
import re

from harness import Base, main, user

COLOUR = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}, "n": {"type": "integer", "minimum": 1, "maximum": 3}},
          "required": ["colour", "n"], "additionalProperties": False}
SET = {"type": "object", "properties": {"level": {"type": "integer", "minimum": 1, "maximum": 9}, "mode": {"enum": ["on", "off"]}},
       "required": ["level", "mode"], "additionalProperties": False}
BOOK = {"type": "object", "properties": {"x": {"type": "string"}}}
OFF = {"reasoning_effort": "none"}
BUDGET = {"thinking_token_budget": 6}
GBNF = 'root ::= "a" [0-9]{2} ("!" | "?")'
MARKED = r'a\d{2}[!?]'


def chat_tool(name, parameters, **more):
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


TOOLS = [chat_tool("set", SET, strict=True), chat_tool("book", BOOK)]
FLAT = [{"type": "function", "name": "set", "parameters": SET, "strict": True}, {"type": "function", "name": "book", "parameters": BOOK}]
CLAUDE = [{"name": "set", "input_schema": SET, "strict": True}, {"name": "book", "input_schema": BOOK}]


class Constrained(Base):
    """One helper an API: the answer as (content, [(name of a call, arguments)])."""

    def chat(self, **fields):
        body = {"messages": user("x"), "max_tokens": 300, "seed": 3, **OFF, **fields}
        if body["reasoning_effort"] is None:
            del body["reasoning_effort"]
        status, r = self.s.post("/v1/chat/completions", body)
        self.assertEqual(status, 200, r)
        answers = []
        for c in r["choices"]:
            self.assertIn(c["finish_reason"], ("stop", "tool_calls"), r)
            calls = [(t["function"]["name"], json.loads(t["function"]["arguments"])) for t in c["message"].get("tool_calls", [])]
            answers.append((c["message"]["content"], calls))
        return answers

    def responses(self, **fields):
        body = {"input": "x", "max_output_tokens": 300, "seed": 3, "reasoning": {"effort": "none"}, **fields}
        status, r = self.s.post("/v1/responses", body)
        self.assertEqual((status, r.get("status")), (200, "completed"), r)
        text = "".join(i["content"][0]["text"] for i in r["output"] if i["type"] == "message")
        return text, [(i["name"], json.loads(i["arguments"])) for i in r["output"] if i["type"] == "function_call"]

    def messages(self, **fields):
        body = {"messages": user("x"), "max_tokens": 300, "seed": 3, "thinking": {"type": "disabled"}, **fields}
        status, r = self.s.post("/v1/messages", body)
        self.assertEqual(status, 200, r)
        self.assertIn(r["stop_reason"], ("end_turn", "tool_use"), r)
        text = "".join(b["text"] for b in r["content"] if b["type"] == "text")
        return text, [(b["name"], b["input"]) for b in r["content"] if b["type"] == "tool_use"]

    def completion(self, **fields):
        status, r = self.s.post("/v1/completions", {"prompt": "x", "max_tokens": 300, "seed": 3, **fields})
        self.assertEqual((status, r.get("error")), (200, None), r)
        return [c["text"] for c in r["choices"]]

    def assert_colour(self, text):
        value = json.loads(text)
        self.assertEqual(sorted(value), ["colour", "n"])
        self.assertIn(value["colour"], ("red", "blue"))
        self.assertIn(value["n"], (1, 2, 3))

    def assert_set(self, calls):
        self.assertTrue(calls)
        for name, arguments in calls:
            self.assertEqual((name, sorted(arguments)), ("set", ["level", "mode"]))
            self.assertIn(arguments["level"], range(1, 10))
            self.assertIn(arguments["mode"], ("on", "off"))


class Content(Constrained):
    def test_schema_in_every_api(self):
        named = {"name": "c", "schema": COLOUR, "strict": True}
        for thinking in ({}, {"reasoning_effort": None, **BUDGET}):
            for form in ({"response_format": {"type": "json_schema", "json_schema": named}},
                         {"response_format": {"type": "json_schema", "schema": COLOUR}},
                         {"response_format": {"type": "json_object", "schema": COLOUR}},
                         {"json_schema": COLOUR}, {"guided_json": COLOUR}, {"guided_json": json.dumps(COLOUR)},
                         {"structured_outputs": {"json": COLOUR}}):
                self.assert_colour(self.chat(**form, **thinking)[0][0])
        flat = {"format": {"type": "json_schema", **named}}
        self.assert_colour(self.responses(text=flat)[0])
        self.assert_colour(self.responses(text=flat, reasoning={"effort": "high", "max_tokens": 6})[0])
        form = {"format": {"type": "json_schema", "schema": COLOUR}}
        self.assert_colour(self.messages(output_config=form)[0])
        self.assert_colour(self.messages(output_format=form["format"])[0])
        self.assert_colour(self.messages(output_config=form, thinking={"type": "enabled", "budget_tokens": 6})[0])
        for form in ({"guided_json": COLOUR}, {"json_schema": COLOUR}, {"structured_outputs": {"json": COLOUR}},
                     {"response_format": {"type": "json_schema", "json_schema": named}}):
            self.assert_colour(self.completion(**form)[0])

    def test_json_object(self):
        # Random weights rarely end an object by themselves: what came must be the beginning of one.
        for path, body in (("/v1/chat/completions", {"messages": user("x"), "response_format": {"type": "json_object"}, **OFF}),
                           ("/v1/completions", {"prompt": "x", "response_format": {"type": "json_object"}})):
            _, r = self.s.post(path, {**body, "max_tokens": 40, "seed": 1})
            c = r["choices"][0]
            text = c["text"] if "text" in c else c["message"]["content"]
            self.assertTrue(text.lstrip().startswith("{"), r)

    def test_regex_choice_and_grammar(self):
        forms = [({"guided_regex": MARKED}, MARKED), ({"structured_outputs": {"regex": MARKED}}, MARKED),
                 ({"guided_choice": ["yes", "no, never"]}, "yes|no, never"),
                 ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes|no"), ({"grammar": GBNF}, MARKED),
                 ({"guided_grammar": GBNF}, MARKED), ({"structured_outputs": {"grammar": GBNF}}, MARKED)]
        for form, pattern in forms:
            for text in (self.chat(**form)[0][0], self.chat(reasoning_effort=None, **form, **BUDGET)[0][0],
                         self.completion(**form)[0], self.responses(**form)[0], self.messages(**form)[0]):
                self.assertTrue(re.fullmatch(pattern, text), (form, text))

    def test_every_choice_of_n(self):
        form = {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": COLOUR}}}
        answers = self.chat(n=4, **form) + self.chat(n=4, reasoning_effort=None, **form, **BUDGET)
        self.assertEqual(len(answers), 8)
        for text, _ in answers:
            self.assert_colour(text)
        self.assertGreater(len({text for text, _ in answers}), 1)
        for text in self.completion(n=3, guided_json=COLOUR):
            self.assert_colour(text)

    def test_streams(self):
        form = {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": COLOUR}}}
        body = {"messages": user("x"), "max_tokens": 300, "seed": 3, **BUDGET, **form}
        deltas = [e["choices"][0]["delta"] for _, e in self.s.events("/v1/chat/completions", body)[:-1]]
        self.assert_colour("".join(d.get("content") or "" for d in deltas))
        self.assertTrue("".join(d.get("reasoning_content") or "" for d in deltas))


class Calls(Constrained):
    def test_strict_and_forced_in_every_api(self):
        chosen = {"type": "function", "function": {"name": "set"}}
        for thinking in ({}, {"reasoning_effort": None, **BUDGET}):
            for content, calls in self.chat(tools=TOOLS, tool_choice=chosen, parallel_tool_calls=False, n=3, **thinking):
                self.assertIsNone(content)
                self.assertEqual(len(calls), 1)
                self.assert_set(calls)
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [chosen]}}
        self.assert_set(self.chat(tools=TOOLS, tool_choice=allowed, parallel_tool_calls=False)[0][1])
        self.assert_set(self.chat(tools=TOOLS[:1], tool_choice="required", parallel_tool_calls=False)[0][1])
        once = {"tools": FLAT, "parallel_tool_calls": False}
        self.assert_set(self.responses(**once, tool_choice={"type": "function", "name": "set"})[1])
        self.assert_set(self.responses(tools=FLAT[:1], parallel_tool_calls=False, tool_choice="required",
                                       reasoning={"effort": "low", "max_tokens": 5})[1])
        choice = {"type": "tool", "name": "set", "disable_parallel_tool_use": True}
        self.assert_set(self.messages(tools=CLAUDE, tool_choice=choice)[1])
        self.assert_set(self.messages(tools=CLAUDE[:1], tool_choice={"type": "any", "disable_parallel_tool_use": True},
                                      thinking={"type": "enabled", "budget_tokens": 5})[1])

    def test_choice_none_in_every_api(self):
        # A bias that wants calls: the mask stands above it.
        tag = json.loads(self.s.call("POST", "/tokenize", {"content": "<tool_call>"})[2])["tokens"]
        self.assertEqual(len(tag), 1)
        body = {"messages": user("x"), "max_tokens": 20, "seed": 3, "logit_bias": {str(tag[0]): 100}}
        _, r = self.s.post("/v1/chat/completions", {**body, **OFF, "tools": TOOLS})
        self.assertFalse(r["choices"][0]["message"]["content"])
        for path, more in (("/v1/chat/completions", {**OFF, "tools": TOOLS, "tool_choice": "none"}),
                           ("/v1/chat/completions", {"tools": TOOLS, "tool_choice": "none"}),
                           ("/v1/messages", {"tools": CLAUDE, "tool_choice": {"type": "none"}}),
                           ("/v1/responses", {"input": "x", "tools": FLAT, "tool_choice": "none"})):
            status, r = self.s.post(path, {**body, **more})
            self.assertEqual(status, 200, r)
            self.assertNotIn("tool_call", json.dumps(r.get("choices") or r.get("content") or r["output"]), path)

    def test_format_beside_tools(self):
        text, calls = self.chat(tools=TOOLS, guided_choice=["yes", "no"], parallel_tool_calls=False)[0]
        self.assertTrue(text in ("yes", "no") or calls, (text, calls))

    def test_namespaced_tools(self):
        space = [{"type": "namespace", "name": "ns", "tools": [FLAT[0]]}, {"type": "web_search"}]
        calls = self.responses(tools=space, tool_choice="required", parallel_tool_calls=False)[1]
        self.assert_set(calls)


class Refusals(Constrained):
    APIS = (("/v1/chat/completions", {"messages": user("x")}), ("/v1/completions", {"prompt": "x"}),
            ("/v1/responses", {"input": "x"}), ("/v1/messages", {"messages": user("x"), "max_tokens": 9}))

    def test_names_the_field(self):
        strict = {"name": "c", "schema": {"not": {}}, "strict": True}
        cases = [({"response_format": {"type": "json_schema", "json_schema": strict}}, "response_format", "not"),
                 ({"response_format": {"type": "json_schema"}}, "response_format", "schema"),
                 ({"response_format": 5}, "response_format", "object"),
                 ({"guided_json": {"$ref": "http://x/y"}}, "guided_json", "$ref"),
                 ({"guided_json": {"type": "object", "properties": {"a": False}, "required": ["a"]}}, "guided_json", "no"),
                 ({"guided_regex": "(a"}, "guided_regex", ""), ({"guided_regex": r"(a)\1"}, "guided_regex", ""),
                 ({"guided_choice": []}, "guided_choice", ""), ({"guided_choice": "yes"}, "guided_choice", "list"),
                 ({"grammar": "root ::= root"}, "grammar", ""), ({"grammar": 1}, "grammar", "string"),
                 ({"guided_json": {"type": "object", "description": "x" * 300000}}, "guided_json", ""),
                 ({"structured_outputs": {"structural_tag": {}}}, "structured_outputs", "structural_tag")]
        for path, body in self.APIS:
            for fields, param, word in cases:
                status, r = self.s.post(path, {**body, **fields})
                self.assertEqual(status, 400, (path, str(fields)[:200], r))
                self.assertEqual(r["error"]["type"], "invalid_request_error")
                self.assertIn(word, r["error"]["message"])
                self.assertLessEqual(len(r["error"]["message"]), 256)
                if path == "/v1/messages":
                    self.assertTrue(r["error"]["message"].startswith(param), r)
                else:
                    self.assertTrue((r["error"]["param"] or "").startswith(param), r)

    def test_choices_of_tools(self):
        for path, tools, choice in (("/v1/chat/completions", TOOLS, {"type": "function", "function": {"name": "other"}}),
                                    ("/v1/chat/completions", TOOLS, "maybe"), ("/v1/chat/completions", [], "required"),
                                    ("/v1/responses", FLAT, {"type": "function", "name": "other"}),
                                    ("/v1/messages", CLAUDE, {"type": "tool", "name": "other"}),
                                    ("/v1/messages", CLAUDE, {"type": "tool"})):
            body = dict(self.APIS)[path]
            status, r = self.s.post(path, {**body, "tools": tools, "tool_choice": choice})
            self.assertEqual(status, 400, (path, choice, r))
            self.assertIn("tool_choice", r["error"]["message"])

    def test_a_choice_needs_tools(self):
        for path, choices in (("/v1/chat/completions", ("auto", "required")), ("/v1/responses", ("auto", "required")),
                              ("/v1/messages", ({"type": "auto"}, {"type": "any"}))):
            body = {**dict(self.APIS)[path], "max_output_tokens" if path.endswith("responses") else "max_tokens": 4}
            for choice in choices:
                status, r = self.s.post(path, {**body, "tool_choice": choice})
                self.assertEqual(status, 400, (path, choice, r))
                self.assertIn("tool_choice", r["error"]["message"])
            # As an agent sends it when it wants no calls, and as another says that it wants none.
            none = {"type": "none"} if path.endswith("messages") else "none"
            for fields in ({"tools": [], "tool_choice": choices[0]}, {"tool_choice": none}, {"tool_choice": None}):
                status, r = self.s.post(path, {**body, **fields})
                self.assertEqual(status, 200, (path, fields, r))

    def test_what_is_not_followed_is_told(self):
        status, headers, text = self.s.call("POST", "/v1/chat/completions", {
            "messages": user("x"), "max_tokens": 20, **OFF,
            "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": {"type": "integer", "multipleOf": 3}}}})
        self.assertEqual(status, 200, text)
        self.assertIn("multipleOf", headers["x-glm-warning"])
        status, headers, text = self.s.call("POST", "/v1/chat/completions", {
            "messages": user("x"), "max_tokens": 4, **OFF,
            "tools": TOOLS + [chat_tool("odd", {"type": "object", "not": {}}, strict=True)]})
        self.assertEqual(status, 200, text)
        self.assertIn("odd", headers["x-glm-warning"])


if __name__ == "__main__":
    main()
