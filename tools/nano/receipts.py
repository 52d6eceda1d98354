#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quality receipts of the bundled model's quantised files, over held-out conversations: `receipts.py GLM [MODEL] [--types ...]`.

Quantises MODEL (models/nano) to each type with GLM, measures `glm receipt` on the answers of held-out conversations of all skills
and prints a table row for each; the last row is the Q8_0 file in fast precision against itself in exact. With --keep FOLDER the files,
receipts inside, and the conversations stay there. Needs Python alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "nano"))

from glmnano.cases import cases  # noqa: E402
from glmnano.dialogue import answer_text, prompt_text  # noqa: E402


def task_of(skill, dialogue):
    """The receipt's name for what a conversation asks, if it has one."""
    if skill == "needle":
        return "needle"
    return "tool_call" if dialogue.check["kind"] == "calls" else None


def write_conversations(path, n_each, needle_tokens):
    """`n_each` conversations a skill, disjoint from what was trained on."""
    with open(path, "w", encoding="utf-8") as file:
        for skill, dialogues in cases(n_each, needle_tokens=needle_tokens).items():
            for d in dialogues:
                line = {"prompt": prompt_text(d), "answer": answer_text(d)}
                if task_of(skill, d):
                    line["task"] = task_of(skill, d)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def share(value):
    return "-" if value is None else f"{100 * value:.2f} %"


def row(name, r, bits):
    return (f"| {name} | {bits} | {r['kl_mean']:.2g}, {r['kl_p99']:.2g} | {share(r['top1'])} | "
            f"{r['perplexity']:.4f} ({r['perplexity_reference']:.4f}) | {share(r['experts_overlap'])} | {share(r['selection_overlap'])} | "
            f"{share(r['needle'])} ({share(r['needle_reference'])}) | {share(r['tool_calls'])} ({share(r['tool_calls_reference'])}) |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("glm")
    parser.add_argument("model", nargs="?", default=str(ROOT / "models" / "nano"))
    parser.add_argument("--types", default="Q8_0,Q4_K_M,IQ3_XXS")
    parser.add_argument("--cases", type=int, default=100, help="conversations a skill")
    parser.add_argument("--needle-tokens", type=int, default=1024, choices=(512, 1024, 2048, 4096))
    parser.add_argument("--keep", help="folder for the files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        text = folder / "conversations.jsonl"
        write_conversations(text, args.cases, args.needle_tokens)

        def receipt(reference, quantised, *options):
            done = subprocess.run([args.glm, "receipt", str(reference), str(quantised), "-f", str(text), "--ctx", "8192", "--json", "--quiet",
                                   *options], check=True, capture_output=True, text=True)
            return json.loads(done.stdout)

        print("| file | bits a parameter | KL mean, p99 | best token | perplexity (reference) | experts | positions | needles (reference) "
              "| tool calls (reference) |\n|---|---|---|---|---|---|---|---|---|")
        for kind in args.types.split(","):
            out = folder / f"nano-{kind}.gguf"
            made = subprocess.run([args.glm, "quantize", args.model, str(out), kind, "--json", "--quiet"], check=True, capture_output=True, text=True)
            made = json.loads(made.stdout)
            r = receipt(args.model, out)
            print(row(kind, r, f"{made['bits_per_parameter']:.2f}"), flush=True)
            if kind == "Q8_0":
                own = receipt(out, out, "--print-only")
        if "Q8_0" in args.types.split(","):
            print(row("Q8_0, fast against exact", own, "-"))
        print(f"{r['rows']} rows of {r['needles']} needles, {r['tool_calls_asked']} tool calls and other conversations, {r['tokens']} tokens in all")


main()
