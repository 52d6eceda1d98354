# SPDX-License-Identifier: MIT
"""Accuracy of glm-nano under a thinking budget, ended softly (`--think-budget N`) or cut hard at N tokens.

    python tools/nano/think_budget.py build/release/glm models/nano --budgets 8,16,32,64 --cases 100

Only cases that think are asked (skill arith unless told otherwise). A hard cut is made of two runs: the first N tokens of
reasoning, then `</think>` behind them and the answer. One line a budget, as JSON with --json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from glmnano.cases import cases
from glmnano.evaluate import CommandBackend
from glmnano.judge import judge, parse


class HardCut(CommandBackend):
    """Cuts reasoning at `budget` tokens whatever stands there."""

    def __init__(self, command, model, budget, limit=420):
        super().__init__(command, model, limit)
        self.budget = budget
        self.end = int(self._run("tokenize", self.model, "--text", "</think>"))

    def _run(self, *args):
        return subprocess.run([*self.command, *map(str, args)], capture_output=True, text=True, check=True, timeout=600).stdout

    def _one(self, dialogue):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(dialogue.request(), file, ensure_ascii=False)
            file.flush()
            start = json.loads(self._run("run", self.model, "--request", file.name, "--greedy", "-n", self.budget, "--json"))
            if self.end in start["ids"] or start["finish_reason"] != "length":
                return super()._one(dialogue)
            prompt = self._run("render", self.model, "--ids", "-f", file.name).split()
        ids = [*map(int, prompt), *start["ids"], self.end]
        rest = json.loads(self._run("run", self.model, "--ids", ",".join(map(str, ids)), "--greedy", "-n", self.limit, "--json"))
        stop = "<|user|>" if rest["finish_reason"] == "stop" else None
        return parse("</think>" + rest["text"], dialogue.tools, True, stop)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("model")
    options.add_argument("--budgets", default="8,16,32,64")
    options.add_argument("--cases", type=int, default=100)
    options.add_argument("--skill", default="arith")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    asked = [d for d in cases(given.cases)[given.skill] if d.think]
    command = [given.program]

    def passed(backend):
        return sum(judge(d.check, a) for d, a in zip(asked, backend.answers(asked)))

    rows = [{"budget": None, "of": len(asked), "unbounded": passed(CommandBackend(command, given.model))}]
    for budget in map(int, given.budgets.split(",")):
        soft = passed(CommandBackend(command, given.model, extra=["--think-budget", str(budget)]))
        hard = passed(HardCut(command, given.model, budget))
        rows.append({"budget": budget, "of": len(asked), "soft": soft, "hard": hard})
    for row in rows:
        print(json.dumps(row) if given.json else "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
