#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests tools/nano without torch: the chat format, the split, and the judges of answers.

The digests are of prompts that the published GLM-5.2 chat template renders.
"""

import hashlib
import sys
import unittest

ROOT = sys.argv.pop(1)
sys.path.insert(0, ROOT + "/tools/nano")

from glmnano import check_split, words  # noqa: E402
from glmnano.dialogue import Dialogue, answer_text, pieces, prompt_text  # noqa: E402
from glmnano.judge import Answer, judge, parse  # noqa: E402
from glmnano.mixture import LENGTHS, SKILLS, dialogue  # noqa: E402
from glmnano.split import Split, rng_of  # noqa: E402

WEATHER = {
    "name": "get_weather", "description": "Current weather for a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
                   "required": ["city"]},
}
NOW = {"name": "now", "description": "Current time.", "parameters": {"type": "object", "properties": {}}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, reasoning=None, calls=None):
    message = {"role": "assistant", "content": text}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    return message


def tool(text):
    return {"role": "tool", "content": text}


class ChatFormat(unittest.TestCase):
    def check(self, digest, messages, **switches):
        rendered = prompt_text(Dialogue("test", messages + [assistant("")], **switches))
        self.assertEqual(hashlib.sha256(rendered.encode()).hexdigest(), digest, rendered)

    def test_system_and_user(self):
        messages = [{"role": "system", "content": "Answer in one line."}, user("What is 2+2?")]
        self.check("780759d14c0a75d3d45c408cacd78d931a1d85f8c831df2b254c5f8ff0396bfb", messages)
        self.check("b30ee1ad2ff30a954143c16a57b4a9a278433934ee47d26e5969a2e44e7cd3f2", messages, think=False)

    def test_effort_high(self):
        self.check("da98d84ee17dbb0151b1cac2ed3fe45709311161aaea615d36eb943159bc1ff5", [user("Hi")], effort="high")

    def test_past_reasoning(self):
        messages = [user("Name a prime."), assistant("7", "Small one: 7."), user("Another?")]
        self.check("f684b7d2260a20de37b801daeb57947d459beb3d316a61cb471af870a3accaca", messages, keep=False)
        self.check("30eb03fbe362a17efe4c91fc93ff0a017ce70f5ccdb0d30b3291458391a15a99", messages, keep=True)

    def test_parallel_calls(self):
        arguments = {"city": "Oslo", "days": 2, "opts": {"units": "C", "tags": ["a", "b"]}, "alerts": True, "lang": None, "ratio": 0.5}
        messages = [user("Time, and Oslo weather?"),
                    assistant("Checking both.", "Two calls.", [("now", {}), ("get_weather", arguments)]), tool("12:00"), tool("4 C")]
        self.check("e57c398040450c2496f7869acb485af63f51830c448da471ea17f1f757876cc5", messages, tools=[WEATHER, NOW], keep=False)

    def test_chain_then_user(self):
        messages = [user("Oslo?"), assistant("", "Call.", [("get_weather", {"city": "Oslo"})]), tool("4 C"),
                    assistant("4 C in Oslo.", "Report it."), user("Bergen?")]
        self.check("3c6de434a901d24a5480114e464e660c4045632d1ecd3670d34bbf642191adba", messages, keep=False)
        self.check("8fc9c168b1dd73ff2bc69d8c9b5953d85267109d98a2f7dbb9aea1c2731ac157", messages, keep=True)

    def test_pieces_cut_at_control_tokens(self):
        rng = rng_of("pieces")
        for _ in range(300):
            text = [t for t, _ in pieces(dialogue(Split(False), rng, LENGTHS["every"]))]
            for before, after in zip(text, text[1:]):
                self.assertTrue(before.endswith(">") or after.startswith("<"), (before[-20:], after[:20]))


class SplitAndJudge(unittest.TestCase):
    def test_sides_are_disjoint(self):
        self.assertEqual(check_split.main(600), 0)

    def test_wanted_answers_pass_and_damaged_ones_fail(self):
        rng = rng_of("judge")
        seen = dict.fromkeys(SKILLS, 0)
        for _ in range(300):
            d = dialogue(Split(True), rng, LENGTHS["every"])
            text = answer_text(d)
            stop = next(s for s in ("<|user|>", "<|observation|>") if text.endswith(s))
            text = text[: -len(stop)]
            if seen[d.skill] >= 12:  # C functions are compiled: keep the test short
                continue
            seen[d.skill] += 1
            answer = parse(text, d.tools, d.think, stop)
            self.assertTrue(judge(d.check, answer), (d.check, text))
            self.assertFalse(judge(d.check, parse(text, d.tools, d.think, None)), "no stop token")
            self.assertFalse(judge(d.check, Answer("something else", [], "", stop)))
            self.assertFalse(judge(d.check, Answer(answer.content, answer.calls + [["extra", {}]], "", stop)))
        self.assertTrue(all(seen.values()), seen)

    def test_types_of_arguments_count(self):
        check = {"kind": "calls", "calls": [["set", {"on": True}]]}
        self.assertTrue(judge(check, Answer("", [["set", {"on": True}]], "", "<|observation|>")))
        self.assertFalse(judge(check, Answer("", [["set", {"on": 1}]], "", "<|observation|>")))
        self.assertFalse(judge(check, Answer("", [["set", {"on": "true"}]], "", "<|observation|>")))

    def test_sums_are_judged_by_their_last_line(self):
        check = {"kind": "last line", "text": "47 + 386 = 433"}
        for content, passes in (("47 + 386: 7+6+0=13, 4+8+1=13, 0+3+1=4.\n47 + 386 = 433", True), ("47 + 386 = 433", True),
                                ("47 + 386 = 433\nIs that right?", False), ("47 + 386: so 47 + 386 = 433", False)):
            self.assertEqual(judge(check, Answer(content, [], "", "<|user|>")), passes, content)

    def test_mixed_words_reach_the_vocabulary_and_are_in_no_list(self):
        words.load_fragments(ROOT + "/models/nano/tokenizer.json")
        self.addCleanup(words.FRAGMENTS.clear)
        rng = rng_of("mixed")
        made = [words.mixed(rng, lang) for lang in ("en", "zh") for _ in range(3000)]
        listed = {word.lower() for word in words.LABELS + words.LABELS_ZH + words.PEOPLE_ZH + words.CITIES}
        self.assertFalse([word for word in made if word.lower() in listed])
        unused = [piece for piece in words.FRAGMENTS if not any(piece in word for word in made)]
        self.assertLess(len(unused), len(words.FRAGMENTS) // 50, unused[:20])
        self.assertTrue(any(words.is_mixing(Split(False), rng, 0.5) for _ in range(40)))
        self.assertFalse(any(words.is_mixing(Split(True), rng, 1.0) for _ in range(40)), "held-out cases stay what they are")


if __name__ == "__main__":
    unittest.main()
