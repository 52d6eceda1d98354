#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden numbers of an exported folder, computed by transformers: `golden.py FOLDER OUT`.

For a few held-out conversations OUT/golden.json holds the ids, the selected positions of the last rows in every layer that owns an
indexer, and the greedy continuation; OUT/K.logits.npy the logits of the last rows of conversation K. Float32, eager attention,
latent norms' epsilon 1e-5, equal index scores lowest position first. tests/nano/nano_golden_test.py compares the engine with them.
"""

import json
import sys
from pathlib import Path

import numpy
import torch
import transformers

from check_export import load_theirs, lowest_first
from glmnano.cases import cases
from glmnano.dialogue import answer_text, prompt_text

N_ROWS = 16
N_GREEDY = 24


@torch.no_grad()
def forward(theirs, ids):
    """(logits [n_tok, n_vocab], {layer: selected positions [n_tok, top]})."""
    selected, hooks = {}, []
    for i, layer in enumerate(theirs.model.layers):
        indexer = getattr(layer.self_attn, "indexer", None)
        if indexer is not None:
            hooks.append(indexer.register_forward_hook(lambda _, __, out, i=i: selected.__setitem__(i, out[0])))
    with lowest_first():
        logits = theirs(torch.tensor([ids]), use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    return logits, selected


def sequence(theirs, tokenizer, dialogue, out, k):
    """One conversation: writes the logits, returns its entry of golden.json."""
    ids = tokenizer.encode(prompt_text(dialogue) + answer_text(dialogue), add_special_tokens=False)
    logits, selected = forward(theirs, ids)
    numpy.save(out / f"{k}.logits.npy", logits[-N_ROWS:].numpy())
    rows = range(len(ids) - N_ROWS, len(ids))
    chosen = {str(i): [sorted(int(p) for p in s[row] if p <= row) for row in rows] for i, s in selected.items()}
    prompt = tokenizer.encode(prompt_text(dialogue), add_special_tokens=False)
    greedy, gap = [], float("inf")
    while len(greedy) < N_GREEDY and not (greedy and greedy[-1] in theirs.config.eos_token_id):
        best = forward(theirs, prompt + greedy)[0][-1].topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        greedy.append(int(best.indices[0]))
    return {"skill": dialogue.skill, "ids": ids, "prompt_tokens": len(prompt), "greedy": greedy, "smallest_greedy_gap": gap,
            "logit_range": (logits.max() - logits.min()).item(), "selected": chosen}


def main(folder, out):
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs = load_theirs(folder)
    some = cases(1, seed=5, needle_tokens=512)
    sequences = [sequence(theirs, tokenizer, some[skill][0], out, k) for k, skill in enumerate(("needle", "tools"))]
    data = {"transformers": transformers.__version__, "torch": torch.__version__, "latent_norm_eps": 1e-5, "rows": N_ROWS, "sequences": sequences}
    (out / "golden.json").write_text(json.dumps(data) + "\n", encoding="utf-8")
    for s in sequences:
        print(f"{s['skill']}: {len(s['ids'])} tokens, greedy {tokenizer.decode(s['greedy'])!r}, smallest gap {s['smallest_greedy_gap']:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
