#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Conversations that grow turn by turn, from clients that send answers back as text without their reasoning: the prompt holds the
tokens that were really generated, so all but the last page of what was served comes from the cache.

usage: splice_test.py GLM MODEL
"""
import tempfile
import unittest

from harness import TOOLS, WEATHER, Base, Server, main, user

PAGE = 64
LONG = "This is a long beginning. " * 10
CLAUDE_TOOLS = [{"name": "get_weather", "description": "weather", "input_schema": WEATHER}]
CODEX_TOOLS = [{"type": "function", "name": "get_weather", "description": "weather", "parameters": WEATHER}]
KEY = {"Authorization": "Bearer first-key"}


class Splice(Base):
    def chat(self, messages, headers=None, server=None, **more):
        status, body = (server or self.s).post("/v1/chat/completions", {"messages": messages, "seed": 1, "max_tokens": 99, **more}, headers)
        self.assertEqual(status, 200, body)
        u = body["usage"]
        return body["choices"][0]["message"], u["prompt_tokens"], u["prompt_tokens_details"]["cached_tokens"], u["completion_tokens"]

    def assert_all_reused(self, n_prompt, n_generated, n_cached):
        """Of prompt and answer, whose last token was not run, every whole page."""
        self.assertEqual(n_cached, (n_prompt + n_generated - 1) // PAGE * PAGE)

    def test_reasoning_left_out(self):
        messages = user(LONG + "Now say hello.")
        served = self.chat(messages)
        self.assertTrue(served[0]["reasoning_content"])
        for turn in range(4):
            messages = messages + [{"role": "assistant", "content": served[0]["content"]}, *user(f"Once more, say hello {turn}.")]
            before, served = served, self.chat(messages)
            self.assert_all_reused(before[1], before[3], served[2])

    def test_tool_calls(self):
        messages = user(LONG + "What is the weather in Oslo?")
        answer, n_prompt, _, n = self.chat(messages, tools=TOOLS)
        call = answer["tool_calls"][0]
        self.assertEqual(call["function"]["name"], "get_weather")
        # As a client whose JSON library sorts and spaces members its own way.
        call["function"]["arguments"] = '{"days":3,"city": "Oslo"}'
        back = {"role": "assistant", "content": answer["content"], "tool_calls": [call]}
        messages += [back, {"role": "tool", "tool_call_id": call["id"], "content": "It rains"}]
        _, n_next, n_cached, _ = self.chat(messages, tools=TOOLS)
        self.assert_all_reused(n_prompt, n, n_cached)
        self.assertGreater(n_next, n_prompt + n)
        # Under the id of its call it is known behind another beginning too: one token more, and the reasoning is there.
        changed = [{**messages[0], "content": "Hm. " + messages[0]["content"]}, *messages[1:]]
        with_id = self.chat(changed, tools=TOOLS)[1]
        changed[1] = {**back, "tool_calls": [{**call, "id": "call_of_another"}]}
        self.assertGreater(with_id, self.chat(changed, tools=TOOLS)[1])

    def test_messages(self):
        ask = {"model": "m", "max_tokens": 99, "tools": CLAUDE_TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024}}
        messages = user(LONG + "What is the weather in Oslo? (Claude)")
        _, first = self.s.post("/v1/messages", {**ask, "messages": messages})
        use = next(b for b in first["content"] if b["type"] == "tool_use")
        messages += [{"role": "assistant", "content": [b for b in first["content"] if b["type"] != "thinking"]},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": "It rains"}]}]
        status, second = self.s.post("/v1/messages", {**ask, "messages": messages})
        self.assertEqual(status, 200, second)
        served = sum(first["usage"][k] for k in ("input_tokens", "cache_read_input_tokens"))
        self.assert_all_reused(served, first["usage"]["output_tokens"], second["usage"]["cache_read_input_tokens"])
        _, counted = self.s.post("/v1/messages/count_tokens", {"model": "m", "messages": messages, "tools": CLAUDE_TOOLS,
                                                              "thinking": ask["thinking"]})
        self.assertEqual(counted["input_tokens"], sum(second["usage"][k] for k in ("input_tokens", "cache_read_input_tokens")))

    def test_responses(self):
        ask = {"model": "m", "max_output_tokens": 99, "tools": CODEX_TOOLS}
        items = user(LONG + "What is the weather in Oslo? (Codex)")
        _, first = self.s.post("/v1/responses", {**ask, "input": items})
        call = next(i for i in first["output"] if i["type"] == "function_call")
        items = items + [i for i in first["output"] if i["type"] != "reasoning"]
        items.append({"type": "function_call_output", "call_id": call["call_id"], "output": "It rains"})
        status, second = self.s.post("/v1/responses", {**ask, "input": items})
        self.assertEqual(status, 200, second)
        u = first["usage"]
        self.assert_all_reused(u["input_tokens"], u["output_tokens"], second["usage"]["input_tokens_details"]["cached_tokens"])

    def test_what_was_changed_is_read_as_sent(self):
        messages = user(LONG + "Please say hello, and no more.")
        answer, n_prompt, _, n = self.chat(messages)
        follow = user("Go on, say hello.")

        def prompt_with(message, **more):
            return self.chat(messages + [message] + follow, **more)[1]
        kept = prompt_with({"role": "assistant", "content": answer["content"]})
        self.assertEqual(kept, prompt_with({"role": "assistant", "content": " " + answer["content"] + "\n"}))
        self.assertEqual(kept, prompt_with({"role": "assistant", "content": answer["content"], "reasoning_content": "They greet me."}))
        self.assertEqual(kept, prompt_with({"role": "assistant", "content": [{"type": "text", "text": answer["content"]}]}))
        length = len("They greet me.")  # of reasoning, a token a letter at the most
        for other in ({"content": answer["content"] + "!"}, {"content": answer["content"], "reasoning_content": " "}):
            n_other = prompt_with({"role": "assistant", **other})
            if other["content"] != answer["content"]:
                self.assertLess(n_other, kept)
                self.assertGreaterEqual(n_other, kept - length)
            else:
                self.assertEqual(n_other, kept)  # blanks are no reasoning
        self.assertNotEqual(kept, prompt_with({"role": "assistant", "content": answer["content"], "reasoning_content": "I made this up myself."}))
        cleared = prompt_with({"role": "assistant", "content": answer["content"]}, chat_template_kwargs={"clear_thinking": True})
        self.assertLess(cleared, kept)

    def test_keys_are_kept_apart(self):
        with tempfile.NamedTemporaryFile("w", suffix=".keys") as f:
            f.write("first-key\nsecond-key\n")
            f.flush()
            s = Server("--key-file", f.name)
            messages = user(LONG + "Please say hello to me.")
            answer, _, _, _ = self.chat(messages, KEY, s)
            messages += [{"role": "assistant", "content": answer["content"]}, *user("And say hello again.")]
            own = self.chat(messages, KEY, s)[1]
            self.assertLess(self.chat(messages, {"Authorization": "Bearer second-key"}, s)[1], own)
            self.assertEqual(s.stop(), 0)


if __name__ == "__main__":
    main()
