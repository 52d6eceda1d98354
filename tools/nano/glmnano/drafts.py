# SPDX-License-Identifier: MIT
"""What the draft layer is worth: how many of three drafted tokens the greedy model accepts; and the use of the experts."""

import torch

from .cases import cases
from .dialogue import prompt_text
from .generate import choose, greedy, step, Cache
from .losses import DRAFTS
from .model import rotary


@torch.no_grad()
def drafts(model, ids):
    """Three drafted tokens [L - 1, 3] after every prefix ids[: i + 2] of one sequence ids [L].

    Row i knows the states of the backbone up to position i and the token at i + 1, as after a verified round.
    """
    config = model.config
    length = len(ids)
    cache = Cache(config, 1, length)
    positions = torch.arange(length)[None]
    states = step(model, cache, ids[None], positions, torch.tensor([length]), True)[:, :-1]
    layer, block = model.mtp, model.mtp.block
    n = length - 1
    allowed = torch.ones(n, n, dtype=torch.bool).tril()[None]
    token, state, out, keys, mask = ids[None, 1:], states, [], None, allowed
    for j in range(DRAFTS):
        cos, sin = rotary(config, torch.arange(n)[None] + j)
        x = layer.eh_proj(torch.cat((layer.enorm(model.embed_tokens(token)), layer.hnorm(state)), -1))
        u = block.input_layernorm(x)
        q, k, v, qr = block.self_attn.qkv(u, cos, sin)
        if j == 0:
            keys = (k, v)
            index = block.self_attn.indexer
            mask = choose(index.scores(*index.parts(u, qr, cos, sin)), allowed, config.index_topk)
        heads = block.self_attn.attend(q, *keys, mask[:, None])
        state = layer.norm(block.feed(x[0], heads[0]))[None]
        token = model.lm_head(state).argmax(-1)
        out.append(token[0])
    return torch.stack(out, 1)


def acceptance(model, tokenizer, n_each, limit=200, longest=1024):
    """{"mean_accepted", "rounds", "least_expert"} over greedy answers to held-out cases of all skills, prompts up to `longest` tokens.

    A round drafts three tokens, accepts those that equal the greedy answer, and goes on after the one the model adds itself.
    """
    dialogues = [d for some in cases(max(1, n_each // 5), seed=1, needle_tokens=512).values() for d in some]
    prompts = [tokenizer.encode(prompt_text(d), add_special_tokens=False).ids for d in dialogues]
    prompts = [p for p in prompts if len(p) <= longest]
    for moe in model.moe_layers():
        moe.load.zero_()
    accepted = rounds = 0
    for prompt, answer in zip(prompts, greedy(model, prompts, limit, sparse=True, batch_size=8)):
        ids = torch.tensor(prompt + answer)
        guess = drafts(model, ids)
        at = len(prompt)  # the token at `at` is known; the drafts after it are of row at - 1
        while at < len(ids) - DRAFTS:
            right = 0
            while right < DRAFTS and guess[at - 1, right] == ids[at + 1 + right]:
                right += 1
            accepted += right
            rounds += 1
            at += right + 1
    least = [round((m.load.min() / m.load.mean()).item(), 2) for m in model.moe_layers()]
    return {"mean_accepted": accepted / max(1, rounds), "rounds": rounds, "least_expert": least}
