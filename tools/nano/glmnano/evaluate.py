# SPDX-License-Identifier: MIT
"""Measures the skills on held-out cases through a backend.

A backend is anything with `answers(dialogues) -> [Answer]`: `TorchBackend` runs the trainer's own model,
`CommandBackend` runs the engine, `glm run MODEL --request FILE --greedy --json`, one case a process.
"""

import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from .cases import cases
from .dialogue import prompt_text
from .judge import Answer, fenced, judge, parse


class TorchBackend:
    """The model in PyTorch, float32."""

    def __init__(self, model, tokenizer, sparse, limit=420):
        self.model, self.tokenizer, self.sparse, self.limit = model, tokenizer, sparse, limit

    def answers(self, dialogues):
        from .generate import greedy

        prompts = [self.tokenizer.encode(prompt_text(d), add_special_tokens=False).ids for d in dialogues]
        out = []
        stops = set(self.model.config.stop_ids())
        for d, ids in zip(dialogues, greedy(self.model, prompts, self.limit, self.sparse)):
            stop = None
            if ids[-1] in stops:
                stop = self.tokenizer.id_to_token(ids.pop())
            out.append(parse(self.tokenizer.decode(ids, skip_special_tokens=False), d.tools, d.think, stop))
        return out


class CommandBackend:
    """The engine through its command line."""

    def __init__(self, command, model, limit=420, extra=()):
        """`command`: the program as a list, with what runs it in front where it needs an emulator."""
        self.command, self.model, self.limit, self.extra = list(command), str(model), limit, list(extra)

    def answers(self, dialogues):
        return [self._one(d) for d in dialogues]

    def _one(self, dialogue):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(dialogue.request(), file, ensure_ascii=False)
            file.flush()
            done = subprocess.run(
                [*self.command, "run", self.model, "--request", file.name, "--greedy", "-n", str(self.limit), "--json", *self.extra],
                capture_output=True, text=True, check=True, timeout=600)
        body = json.loads(done.stdout)
        calls = [[c["function"]["name"], json.loads(c["function"]["arguments"])] for c in body.get("tool_calls") or []]
        stop = {"stop": "<|user|>", "tool_calls": "<|observation|>"}.get(body["finish_reason"])
        return Answer((body.get("text") or "").strip(), calls, body.get("reasoning") or "", stop)


def evaluate(backend, n_each, seed=0, skills=None, needle_tokens=1024, failures=None, browser=None):
    """Skill -> {"passed", "of", "groups": {group: [passed, of]}, "cases": a digit a case, in order}.

    Wrong answers are appended to `failures`. With `browser` (a command) a page must also do the right thing when clicked.
    """
    report = {}
    for skill, dialogues in cases(n_each, seed, needle_tokens).items():
        if skills and skill not in skills:
            continue
        answers = backend.answers(dialogues)
        passes = [judge(d.check, a) for d, a in zip(dialogues, answers)]
        clicked = _click(browser, dialogues, answers, passes) if browser and skill == "pages" else {}
        groups = defaultdict(lambda: [0, 0])
        for i, (dialogue, answer) in enumerate(zip(dialogues, answers)):
            passes[i] = passes[i] and not clicked.get(i)
            group = groups[dialogue.check["group"]]
            group[0] += passes[i]
            group[1] += 1
            if not passes[i] and failures is not None:
                failures.append({"skill": skill, "prompt": prompt_text(dialogue)[-400:], "wanted": dialogue.check, "got": vars(answer),
                                 "browser": clicked.get(i)})
        report[skill] = {"passed": sum(passes), "of": len(passes), "groups": {k: groups[k] for k in sorted(groups)},
                         "cases": "".join(str(int(p)) for p in passes)}
        if clicked:
            report[skill]["clicked"] = len(clicked)
    return report


def _click(browser, dialogues, answers, passes):
    """Case -> what is wrong with its page in the browser ("": nothing), for the pages that passed so far."""
    from .browser import click_through

    asked = [i for i, passed in enumerate(passes) if passed]
    return dict(zip(asked, click_through(browser, [(dialogues[i].check, fenced(answers[i].content, "html")) for i in asked]))) if asked else {}


def table(report):
    """The report as lines of text."""
    lines = []
    for skill, r in report.items():
        lines.append(f"{skill:8} {r['passed']:4}/{r['of']:<4} {100 * r['passed'] / max(1, r['of']):5.1f} %")
        lines.append("         " + ", ".join(f"{k} {a}/{b}" for k, (a, b) in r["groups"].items()))
    return "\n".join(lines)
