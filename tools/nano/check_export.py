#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares an exported folder with transformers: the same logits from GlmMoeDsaForCausalLM and from the trainer's model.

`check_export.py FOLDER`: float32, latent norms' epsilon set to 1e-5 (transformers has 1e-6 in its code). Every row must agree when
everything is selected, and nearly every row with the sparse selection on. There, equal scores at the cut are common: index scores
are sums of rectified products, so many are exactly zero. Which of the equals `torch.topk` takes is undefined; the comparison gives it
the rule of the trainer and the engine, lowest position first. Where two scores differ by less than their rounding the choice may still
fall either way, and every later row that attends to such a row differs with it: the few rows allowed. Also compares the prompts
that the folder's chat template renders with the trainer's own rendering. Exits 1 on a difference.
"""

import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import torch

from glmnano.cases import cases
from glmnano.config import Config
from glmnano.dialogue import answer_text, prompt_text
from glmnano.export import load_exported
from glmnano.generate import Cache, step

LIMIT = 1e-5  # of the range of the logits
SHARE = 0.98  # of the rows, with the selection on


@contextlib.contextmanager
def lowest_first():
    """Within this, `Tensor.topk` takes the lowest position among equals."""

    def topk(self, k, dim=-1, **_):
        values, indices = torch.sort(self, dim=dim, descending=True, stable=True)
        return torch.return_types.topk((values.narrow(dim, 0, k), indices.narrow(dim, 0, k)))

    original, torch.Tensor.topk = torch.Tensor.topk, topk
    try:
        yield
    finally:
        torch.Tensor.topk = original


def load_theirs(folder):
    """The folder as transformers' model, float32, with the latent norms' epsilon of the trainer and the engine."""
    from transformers import GlmMoeDsaForCausalLM

    theirs = GlmMoeDsaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    for layer in theirs.model.layers:
        layer.self_attn.q_a_layernorm.variance_epsilon = Config().latent_norm_eps
        layer.self_attn.kv_a_layernorm.variance_epsilon = Config().latent_norm_eps
    return theirs


def set_selection(theirs, model, top):
    """Let both models select `top` positions."""
    model.config = dataclasses.replace(model.config, index_topk=top)
    for layer in theirs.model.layers:
        if getattr(layer.self_attn, "indexer", None) is not None:
            layer.self_attn.indexer.index_topk = top


@torch.no_grad()
def differences(theirs, model, ids):
    """Per row, the largest difference of the logits as a share of their range."""
    with lowest_first():
        want = theirs(torch.tensor([ids])).logits[0]
    positions = torch.arange(len(ids))[None]
    states = step(model, Cache(model.config, 1, len(ids)), torch.tensor([ids]), positions, torch.tensor([len(ids)]), True)
    return (model.lm_head(states[0]) - want).abs().amax(-1) / (want.max() - want.min())


def render(tokenizer, dialogue):
    """The prompt as the folder's template renders it."""
    request = dialogue.request()
    for message in request["messages"]:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return tokenizer.apply_chat_template(
        request["messages"], tools=request.get("tools"), tokenize=False, add_generation_prompt=True,
        reasoning_effort=request.get("reasoning_effort"), **request.get("chat_template_kwargs", {}))


def main(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs = load_theirs(folder)
    model = load_exported(folder)
    wrong, everything, selected = 0, [], []
    for d in (d for some in cases(4, seed=3, needle_tokens=512).values() for d in some):
        text = prompt_text(d)
        wrong += render(tokenizer, d) != text
        ids = tokenizer.encode(text + answer_text(d), add_special_tokens=False)
        for top, rows in ((len(ids), everything), (Config().index_topk, selected)):
            set_selection(theirs, model, top)
            rows.append(differences(theirs, model, ids))
    worst, share = torch.cat(everything).max().item(), (torch.cat(selected) <= LIMIT).float().mean().item()
    print(f"{len(selected)} prompts: {wrong} rendered differently; logits differ by at most {worst:.1e} of their range (limit {LIMIT:.0e}); "
          f"with the selection {100 * share:.2f} % of the rows are within it (at least {100 * SHARE:.0f} %)")
    return 1 if wrong or worst > LIMIT or share < SHARE else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
