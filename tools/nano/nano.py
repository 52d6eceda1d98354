#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The one entry of the trainer: `nano.py --work FOLDER tokenizer | train | evaluate | export`; see README.md."""

import argparse
import json
import time
from pathlib import Path


def make_tokenizer(args):
    """Train the tokenizer on generated dialogues of all skills."""
    from glmnano import mixture, tokens
    from glmnano.dialogue import pieces
    from glmnano.split import Split, rng_of

    rng, split = rng_of(args.seed, "tokenizer"), Split(False)
    texts = []
    for _ in range(args.dialogues):
        for text, _ in pieces(mixture.dialogue(split, rng, mixture.LENGTHS["middle"])):
            for token in tokens.ADDED:
                text = text.replace(token, "\n")
            texts.append(text)
    folder = Path(args.work)
    folder.mkdir(parents=True, exist_ok=True)
    data = tokens.train(texts, args.vocab)
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{folder / 'tokenizer.json'}: {args.vocab} tokens")


def train(args):
    """Run the stages of the preset that are not done yet."""
    from glmnano.presets import PRESETS
    from glmnano.train import run_stages

    run_stages(args.work, PRESETS[args.preset], args.seed, args.workers)


def evaluate(args):
    """Measure the skills on held-out cases, and what the drafts are worth."""
    from glmnano.evaluate import CommandBackend, TorchBackend, table
    from glmnano.evaluate import evaluate as measure

    if args.command_line:
        backend = CommandBackend([args.command_line], args.model)
    else:
        import torch

        from glmnano.export import round_weights
        from glmnano.train import load_run

        torch.set_num_threads(args.workers)
        model, tokenizer, _ = load_run(args.work)
        round_weights(model)
        backend = TorchBackend(model, tokenizer, sparse=not args.dense)
    failures = []
    started = time.time()
    skills = args.skills.split(",") if args.skills else None
    report = measure(backend, args.cases, skills=skills, needle_tokens=args.needle_tokens, failures=failures, browser=args.browser)
    print(table(report))
    record = {"cases": args.cases, "needle_tokens": args.needle_tokens, "skills": report}
    if not args.command_line and not args.dense:
        from glmnano.drafts import acceptance

        drafts = record["drafts"] = acceptance(backend.model, backend.tokenizer, args.cases)
        print(f"drafts: {drafts['mean_accepted']:.2f} of 3 accepted in {drafts['rounds']} rounds; least expert {drafts['least_expert']}")
    print(f"{time.time() - started:.0f} s")
    if args.failures:
        with open(args.failures, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(f, ensure_ascii=False) + "\n" for f in failures)
    if args.json:
        Path(args.json).write_text(json.dumps(record) + "\n", encoding="utf-8")


def export(args):
    """Write the model as an official folder."""
    from glmnano.export import export as write
    from glmnano.train import load_run

    model, _, progress = load_run(args.work)
    write(model, Path(args.work) / "tokenizer.json", args.out)
    print(f"{args.out}: after stages {', '.join(progress.done)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", help="folder of tokenizer, checkpoints and log; outside the repository")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes (train) or threads (evaluate)")
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser("tokenizer", help=make_tokenizer.__doc__)
    sub.add_argument("--dialogues", type=int, default=12000)
    sub.add_argument("--vocab", type=int, default=2304)
    sub.set_defaults(run=make_tokenizer)
    sub = commands.add_parser("train", help=train.__doc__)
    sub.add_argument("--preset", default="full")
    sub.set_defaults(run=train)
    sub = commands.add_parser("evaluate", help=evaluate.__doc__)
    sub.add_argument("--cases", type=int, default=100, help="cases a skill")
    sub.add_argument("--skills", help="only these, separated by commas")
    sub.add_argument("--needle-tokens", type=int, default=1024, choices=(512, 1024, 2048, 4096))
    sub.add_argument("--dense", action="store_true", help="without the sparse selection (before the indexers are trained)")
    sub.add_argument("--command-line", help="measure through this `glm` binary instead of PyTorch")
    sub.add_argument("--model", default="nano", help="model for --command-line")
    sub.add_argument("--browser", help="click through the pages in this headless Chromium as well")
    sub.add_argument("--failures", help="write wrong answers to this file")
    sub.add_argument("--json", help="write the report to this file")
    sub.set_defaults(run=evaluate)
    sub = commands.add_parser("export", help=export.__doc__)
    sub.add_argument("--out", required=True)
    sub.set_defaults(run=export)
    args = parser.parse_args()
    if not args.work and not getattr(args, "command_line", None):
        parser.error("--work is missing")
    args.run(args)


if __name__ == "__main__":
    main()
