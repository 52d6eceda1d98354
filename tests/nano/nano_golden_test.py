#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the engine with what transformers computed from the bundled model (tests/data/nano, made by tools/nano/golden.py).

    nano_golden_test.py ROOT [MODEL [GOLDEN]]

Exact precision: logits of the last rows within 1e-5 of their range, selected positions and greedy continuation identical.
GLM_TEST_PROGRAM names the program.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from check_golden import LIMIT_LOGIT, Report, max_difference, read_npy, run_glm  # noqa: E402

EXACT = ["--precision", "exact"]


def check(report, model, k, golden, n_rows, logits):
    ids = golden["ids"]
    n = len(ids)
    with tempfile.TemporaryDirectory() as folder:
        path, dump = os.path.join(folder, "logits.npy"), os.path.join(folder, "dump")
        run_glm("score", model, "--ids", " ".join(map(str, ids)), "--logits", path, "--dump", dump, "--quiet", *EXACT)
        shape, found = read_npy(path)
        report.equal(f"{k} rows of logits", shape[0] == n)
        last = found[(n - n_rows) * shape[1]:]
        report.figure(f"{k} logits, of their range", max_difference(last, logits) / golden["logit_range"], LIMIT_LOGIT)
        for layer, wanted in golden["selected"].items():
            (_, width), positions = read_npy(os.path.join(dump, f"selected.{layer}.npy"))
            rows = [[p for p in positions[i * width:(i + 1) * width] if p >= 0] for i in range(n - n_rows, n)]
            rows = [row or list(range(i + 1)) for i, row in zip(range(n - n_rows, n), rows)]  # empty: everything is selected
            report.equal(f"{k} positions selected in layer {layer}", rows == wanted)
    prompt = " ".join(map(str, ids[: golden["prompt_tokens"]]))
    greedy = run_glm("run", model, "--ids", prompt, "--greedy", "-n", str(len(golden["greedy"])), "--quiet", *EXACT)
    report.equal(f"{k} greedy continuation", [int(i) for i in greedy.split()] == golden["greedy"], greedy)


def main():
    model = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "models" / "nano")
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else ROOT / "tests" / "data" / "nano"
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    report = Report()
    for k, one in enumerate(golden["sequences"]):
        _, logits = read_npy(folder / f"{k}.logits.npy")
        check(report, model, k, one, golden["rows"], logits)
    print("passed" if report.n_failed == 0 else f"{report.n_failed} figures over their limits")
    return 1 if report.n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
