#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Conversations in the shapes in which coding agents send them back: the prompt grows, and what was served stays in the cache.

usage: agents_test.py GLM MODEL [TEST...]

The shapes are those of Claude Code 2.1.197, Codex 0.169.0, opencode 1.18.33 and Cline 3.0.65 (tests/clients), cut short.
"""
import json

import harness
from harness import Base, Server, main

PAGE = 64  # tokens that the cache keeps together
RULES = "You run commands for the user and tell them briefly what came. " * 3
TASK = "Run: echo works"
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}, "description": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "bash", "description": "Run a command.", "parameters": PARAMETERS}}


ANSWERS = [
    {"all": ["echo works", "<tool_response>", "Thanks."], "answer": "Manners.</think>You are welcome.<|user|>"},
    {"all": ["echo works", "<tool_response>"], "answer": "It ran.</think>It printed works.<|user|>"},
    {"all": ["echo works"], "answer": "Run it.</think><tool_call>bash<arg_key>command</arg_key><arg_value>echo works</arg_value>"
     "<arg_key>description</arg_key><arg_value>Print</arg_value></tool_call><|observation|>"},
]


class Agents(Base):
    @classmethod
    def setUpClass(cls):
        harness.RULES[:] = ANSWERS
        cls.s = Server("--ctx", "4000")

    def grows(self, before, after):
        """Usage (prompt, cached, generated) of two turns: of what the first left all but the last page is read from cache."""
        self.assertGreaterEqual(after[1], before[0] + before[2] - PAGE - 1, (before, after))
        self.assertLess(after[1], after[0])

    def chat(self, messages):
        status, r = self.s.post("/v1/chat/completions", {"model": "glm", "messages": messages, "tools": [TOOL], "tool_choice": "auto",
                                                         "max_tokens": 300})
        self.assertEqual(status, 200, r)
        u = r["usage"]
        return r["choices"][0]["message"], (u["prompt_tokens"], u["prompt_tokens_details"]["cached_tokens"], u["completion_tokens"])

    def chat_conversation(self, content_of_call, spacing, mark):
        """opencode and Cline write the arguments of a call anew, without spaces."""
        messages = [{"role": "system", "content": RULES + mark}, {"role": "user", "content": TASK}]
        message, first = self.chat(messages)
        call = message["tool_calls"][0]
        arguments = json.dumps(json.loads(call["function"]["arguments"]), separators=spacing)
        messages += [{"role": "assistant", "content": content_of_call, "reasoning_content": message["reasoning_content"], "tool_calls": [
            {"id": call["id"], "type": "function", "function": {"name": "bash", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": call["id"], "content": "works\n"}]
        message, second = self.chat(messages)
        self.assertEqual(message["content"], "It printed works.")
        self.grows(first, second)
        messages += [{"role": "assistant", "content": message["content"], "reasoning_content": message["reasoning_content"]},
                     {"role": "user", "content": "Thanks."}]
        message, third = self.chat(messages)
        self.assertEqual(message["content"], "You are welcome.")
        self.grows(second, third)

    def test_opencode(self):
        self.chat_conversation("", (",", ":"), "opencode")

    def test_cline(self):
        self.chat_conversation(None, (",", ":"), "cline")

    def messages(self, messages):
        status, r = self.s.post("/v1/messages?beta=true", {
            "model": "glm", "max_tokens": 300, "messages": messages, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, "metadata": {"user_id": "{}"},
            "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197." + str(len(messages))},
                       {"type": "text", "text": RULES + "claude", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "bash", "description": "Run a command.", "input_schema": PARAMETERS}]})
        self.assertEqual(status, 200, r)
        u = r["usage"]
        prompt = u["input_tokens"] + u["cache_read_input_tokens"] + u["cache_creation_input_tokens"]
        return r["content"], (prompt, u["cache_read_input_tokens"], u["output_tokens"])

    def test_claude_code(self):
        """Its billing line changes from turn to turn, its marks for caches move, and a system message follows the first question."""
        def user(text, is_marked):
            return {"role": "user", "content": [{"type": "text", "text": text,
                                                 **({"cache_control": {"type": "ephemeral"}} if is_marked else {})}]}
        start = [{"role": "system", "content": "Other agents: none."}]
        content, first = self.messages([user(TASK, True)] + start)
        self.assertEqual([b["type"] for b in content], ["thinking", "tool_use"])
        rest = [{"role": "assistant", "content": content}, {"role": "user", "content": [
            {"tool_use_id": content[1]["id"], "type": "tool_result", "content": "works", "is_error": False}]}]
        content, second = self.messages([user(TASK, False)] + start + rest)
        self.assertEqual(content[-1]["text"], "It printed works.")
        self.grows(first, second)
        rest += [{"role": "assistant", "content": content}, user("Thanks.", True)]
        content, third = self.messages([user(TASK, False)] + start + rest)
        self.assertEqual(content[-1]["text"], "You are welcome.")
        self.grows(second, third)

    def responses(self, items, turn):
        status, r = self.s.post("/v1/responses", {
            "model": "glm", "input": items, "store": False, "parallel_tool_calls": True, "tool_choice": "auto",
            "reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "01a2",
            "client_metadata": {"turn": str(turn)}, "tools": [
                {"type": "function", "name": "bash", "description": "Run a command.", "strict": False, "parameters": PARAMETERS},
                {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "close", "parameters": {
                    "type": "object", "properties": {}}}]}, {"type": "web_search"}]})
        self.assertEqual(status, 200, r)
        u = r["usage"]
        return r["output"], (u["input_tokens"], u["input_tokens_details"]["cached_tokens"], u["output_tokens"])

    def test_codex(self):
        """No instructions: developer messages; its own ids on every item; reasoning items come back."""
        items = [{"type": "message", "id": "msg_1", "role": "developer", "content": [{"type": "input_text", "text": RULES + "codex"}]},
                 {"type": "message", "id": "msg_2", "role": "user", "content": [{"type": "input_text", "text": TASK}]}]
        output, first = self.responses(items, 1)
        self.assertEqual([i["type"] for i in output], ["reasoning", "function_call"])
        items += output + [{"type": "function_call_output", "id": "fco_1", "call_id": output[1]["call_id"], "output": "works\n"}]
        output, second = self.responses(items, 2)
        self.assertEqual(output[-1]["content"][0]["text"], "It printed works.")
        self.grows(first, second)
        items += output + [{"type": "message", "id": "msg_3", "role": "user", "content": [{"type": "input_text", "text": "Thanks."}]}]
        output, third = self.responses(items, 3)
        self.assertEqual(output[-1]["content"][0]["text"], "You are welcome.")
        self.grows(second, third)


main()
