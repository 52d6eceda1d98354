# SPDX-License-Identifier: MIT
"""Checks that training and held-out data are disjoint; needs nothing but Python.

Generates dialogues of both sides and compares: every word that came from a divided vocabulary, every signature of a tool,
and every whole prompt. Run as a program it exits 1 when one is on both sides.
"""

import sys
from pathlib import Path

from . import words as vocabulary
from .mixture import LENGTHS, SKILLS, dialogue
from .split import Split, rng_of


def collect(held_out, n_dialogues, seed=0):
    """(words of divided vocabularies, prompts) of one side."""
    split = Split(held_out)
    split.used = set()
    rng = rng_of("check", seed, held_out)
    prompts, skills = set(), set()
    for _ in range(n_dialogues):
        d = dialogue(split, rng, LENGTHS["every"])
        prompts.add(d.prompt_key())
        if d.skill in ("arith", "code", "pages"):  # here every request stands alone
            prompts.update(f"{d.skill}\n{m['content']}" for m in d.messages if m["role"] == "user")
        skills.add(d.skill)
    assert skills == set(SKILLS), f"expected all skills, got {sorted(skills)}"
    return split.used, prompts


def main(n_dialogues=3000):
    vocabulary.load_fragments(Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json")
    words, prompts = collect(False, n_dialogues)
    held_words, held_prompts = collect(True, n_dialogues)
    both = (words & held_words, prompts & held_prompts)
    print(f"training: {len(words)} words, {len(prompts)} prompts; held out: {len(held_words)} words, {len(held_prompts)} prompts; "
          f"on both sides: {len(both[0])} words, {len(both[1])} prompts")
    for item in sorted(map(str, both[0] | both[1]))[:10]:
        print("  " + item)
    return 1 if both[0] or both[1] else 0


if __name__ == "__main__":
    sys.exit(main())
