# SPDX-License-Identifier: MIT
"""The JSON-Schema-Test-Suite against the masks: usage: suite.py ANSWERS_PROGRAM TOKENIZER_FOLDER SUITE/tests/draft2020-12

For every schema of the suite that a strict compile takes, and of which no keyword is without effect: no invalid instance of
the suite is admitted, and random answers are valid for the jsonschema package. Valid instances that are not admitted are
counted: the grammar may be narrower than the schema (order of properties, spelling), never wider.
"""
import collections
import json
import os
import subprocess
import sys

import jsonschema

program, tokenizer, folder = sys.argv[1:]
# Read as "what type the keywords speak of" (docs/constraints.md), so other types are not admitted: narrower.
cases = []
for name in sorted(os.listdir(folder)):
    if not name.endswith(".json"):
        continue
    for group in json.load(open(os.path.join(folder, name), encoding="utf-8")):
        cases.append((name[:-5], group))
lines = [json.dumps({"schema": g["schema"], "texts": [json.dumps(t["data"], ensure_ascii=False) for t in g["tests"]]})
         for _, g in cases]
out = subprocess.run([program, tokenizer, "strict"], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True,
                     check=True).stdout.splitlines()
assert len(out) == len(lines), (len(out), len(lines))

count = collections.Counter()
refused = collections.Counter()
ignored = collections.Counter()
narrow = collections.Counter()
bad = 0
for (name, group), line in zip(cases, out):
    result = json.loads(line)
    if "error" in result:
        refused[(name, result["error"])] += 1
        count["schemas refused"] += 1
        continue
    if result["ignored"]:
        ignored[result["ignored"]] += 1
        count["schemas with a keyword without effect"] += 1
        continue
    count["schemas claimed"] += 1
    for test, accepted in zip(group["tests"], result["accepts"]):
        if test["valid"]:
            count["valid instances admitted" if accepted else "valid instances not admitted"] += 1
            if not accepted:
                narrow[name] += 1
        elif accepted:
            bad += 1
            print("WRONG", name, "|", group["description"], "|", test["description"], "|", json.dumps(test["data"])[:100])
        else:
            count["invalid instances refused"] += 1
    validator = jsonschema.Draft202012Validator(group["schema"])
    for answer in result["answers"]:
        count["random answers"] += 1
        errors = list(validator.iter_errors(json.loads(answer)))
        if errors:
            bad += 1
            print("WRONG", name, "|", group["description"], "| answer", answer[:100], "|", errors[0].message[:100])
for key, n in sorted(count.items()):
    print(f"{n:6} {key}")
print("refused:", *(f"\n  {n:3} {name}: {error[:110]}" for (name, error), n in sorted(refused.items())))
print("without effect:", dict(ignored))
print("not admitted, by file:", dict(narrow))
sys.exit(bad > 0)
