#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks the bundled model the first cases of every skill, through `glm run`, and compares with its card.

    nano_eval_test.py ROOT

models/nano/evaluation.json records which held-out cases the model passed when it was measured. Of the first N_CASES of each
skill at most ALLOWED may be lost: three points. GLM_TEST_PROGRAM names the program.
"""

import json
import os
import shlex
import sys
import time
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "tools" / "nano"))

from glmnano.evaluate import CommandBackend, evaluate, table  # noqa: E402

N_CASES = 34
ALLOWED = 1  # of 34: 2.9 points


def main():
    model = ROOT / "models" / "nano"
    card = json.loads((model / "evaluation.json").read_text(encoding="utf-8"))
    started = time.time()
    report = evaluate(CommandBackend(shlex.split(os.environ["GLM_TEST_PROGRAM"]), model), N_CASES, skills=set(card["skills"]),
                      needle_tokens=card["needle_tokens"])
    print(table(report))
    lost = 0
    for skill, recorded in card["skills"].items():
        wanted = recorded["cases"][:N_CASES].count("1")
        found = report[skill]["cases"].count("1")
        if found < wanted - ALLOWED:
            print(f"FAILED: {skill}: {found} of {N_CASES}, the card has {wanted}")
            lost += 1
    print(f"{time.time() - started:.0f} s")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
