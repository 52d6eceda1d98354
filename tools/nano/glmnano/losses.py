# SPDX-License-Identifier: MIT
"""What each kind of stage minimises, for one batch, and which parameters it trains.

Every loss returns (sum to minimise, next-token losses [R] for the log, their rows [R] as indices into B * L).

Sources: the indexer's alignment with the attention it serves and the two phases (dense warm-up, sparse continuation) follow
the DeepSeek-V3.2 report, section 2.1; one selection for several layers follows IndexCache (arXiv 2603.12201) and the GLM-5
report (arXiv 2602.15763); the draft layer with shared selection follows section 3 of the model description.
"""

import torch
import torch.nn.functional as F

from .generate import choose
from .model import rotary

DRAFTS = 3


def learned_rows(targets):
    return torch.nonzero(targets.flatten() >= 0)[:, 0]


def _next_token(model, states, targets, rows):
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.lm_head(states)
    return F.cross_entropy(logits.float(), targets.flatten()[rows], reduction="none")


def dense(model, ids, targets):
    """Next token, dense attention."""
    rows = learned_rows(targets)
    with torch.autocast("cpu", torch.bfloat16):
        states = model(ids, rows)
    losses = _next_token(model, states, targets, rows)
    return losses.sum(), losses.detach(), rows


def attention_share(q, k, allowed):
    """Attention of all heads together, [B, R, L], of the R queries: every row sums to one."""
    z = torch.einsum("bhqd,bhkd->bhqk", q.float(), k.float()) * q.shape[-1] ** -0.5
    return torch.softmax(z.masked_fill(~allowed[:, None], -torch.inf), -1).mean(1)


ANSWER_WEIGHT = 11.0
OTHERS_STEP = 4  # of the rows that write no answer, one in this many is looked at, for as many


def aligned_rows(targets, first):
    """(rows [R], weights [B, R]) of the alignment: rows before `first` count nothing, rows that write answers most. Few rows do,
    and theirs is the attention that reaches far; with all rows alike a short training of the indexers loses needles. Scores of
    all rows of 4,096 took 12 GB."""
    at = torch.arange(targets.shape[1])
    others = OTHERS_STEP * (at % OTHERS_STEP == 1)
    weights = torch.where(targets >= 0, ANSWER_WEIGHT, others[None].float()) * (at >= first)
    rows = torch.nonzero(weights.any(0))[:, 0]
    return rows, weights[:, rows]


def alignment(scores, share, allowed, weights):
    """Sum of the divergence of the indexer's softmax from the attention it should foresee, rows weighted by `weights` [B, R]."""
    log_q = torch.log_softmax(scores.masked_fill(~allowed, -torch.inf), -1).masked_fill(~allowed, 0.0)
    p = share.masked_fill(~allowed, 0.0)
    kl = (p * (torch.log(p + 1e-9) - log_q)).sum(-1)
    return (kl * weights).sum()


def _select(indexer, parts, allowed, top):
    """The indexer's choice for every query, [B, L, L]."""
    if allowed.shape[-1] <= top:
        return allowed
    with torch.no_grad():
        return choose(indexer.scores(*parts), allowed, top, exact=False)


def _walk(model, ids, sparse, aligned):
    """Final states [B, L, D] of all positions and the indexers' alignment loss over `aligned` (see aligned_rows; None: no loss)."""
    config = model.config
    batch, length = ids.shape
    cos, sin = rotary(config, torch.arange(length)[None])
    allowed = torch.ones(length, length, dtype=torch.bool).tril()[None].expand(batch, -1, -1)
    rows, weights = aligned or (None, None)
    x = model.embed_tokens(ids)
    total, scores, shares, mask = x.new_zeros(()), None, [], allowed
    for i, block in enumerate(model.layers):
        u = block.input_layernorm(x)
        q, k, v, qr = block.self_attn.qkv(u, cos, sin)
        if config.owns_indexer(i) and (sparse or aligned):
            if shares:
                total = total + alignment(scores, sum(shares) / len(shares), mask[:, rows], weights)
            indexer, shares = block.self_attn.indexer, []
            iq, ik, iw = indexer.parts(u.detach(), qr.detach(), cos, sin)
            if sparse:
                mask = _select(indexer, (iq, ik, iw), allowed, config.index_topk)
            if aligned:
                scores = indexer.scores(iq[:, rows], ik, iw[:, rows])
        if aligned:
            shares.append(attention_share(q.detach()[:, :, rows], k.detach(), mask[:, rows]))
        whole = not sparse or length <= config.index_topk
        out = block.self_attn.attend(q, k, v, None if whole else mask[:, None])
        x = block.feed(x.flatten(0, 1), out.flatten(0, 1)).view(batch, length, -1)
    if shares:
        total = total + alignment(scores, sum(shares) / len(shares), mask[:, rows], weights)
    return model.norm(x), total


def indexer(model, ids, targets):
    """Dense warm-up of the indexers: only they learn, from the attention of the layers they serve."""
    rows = learned_rows(targets)
    with torch.autocast("cpu", torch.bfloat16):
        states, total = _walk(model, ids, False, aligned_rows(targets, model.config.index_topk // 4))
    with torch.no_grad():
        losses = _next_token(model, states.detach().flatten(0, 1)[rows], targets, rows)
    return total, losses, rows


def sparse(model, ids, targets):
    """Next token with the sparse selection on; the indexers go on learning from the selected positions."""
    rows = learned_rows(targets)
    with torch.autocast("cpu", torch.bfloat16):
        states, total = _walk(model, ids, True, aligned_rows(targets, model.config.index_topk // 4))
    losses = _next_token(model, states.flatten(0, 1)[rows], targets, rows)
    return losses.sum() + 0.1 * total, losses.detach(), rows


def mtp(model, ids, targets):
    """The draft layer: three drafts a position; drafts after the first see the keys the first one saw and no others.

    The log shows the loss of all drafts together.
    """
    config = model.config
    batch, length = ids.shape
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        states, _ = _walk(model, ids, True, None)
    layer, block = model.mtp, model.mtp.block
    allowed = torch.ones(length, length, dtype=torch.bool).tril()[None].expand(batch, -1, -1)
    mask, keys, total = allowed, None, states.new_zeros(())
    losses, rows_of = [], []
    state = states
    for j in range(DRAFTS):
        token = F.pad(ids[:, 1 + j :], (0, 1 + j))  # the token j + 1 places on
        wanted = F.pad(targets[:, 1 + j :], (0, 1 + j), value=-1)
        cos, sin = rotary(config, torch.arange(length)[None] + j)
        with torch.autocast("cpu", torch.bfloat16):
            x = layer.eh_proj(torch.cat((layer.enorm(model.embed_tokens(token)), layer.hnorm(state)), -1)).float()
            u = block.input_layernorm(x)
            q, k, v, qr = block.self_attn.qkv(u, cos, sin)
            if j == 0:
                keys = (k, v)
                index = block.self_attn.indexer
                iq, ik, iw = index.parts(u.detach(), qr.detach(), cos, sin)
                mask = _select(index, (iq, ik, iw), allowed, config.index_topk)
                at, weights = aligned_rows(targets, config.index_topk // 4)
                share = attention_share(q.detach()[:, :, at], k.detach(), allowed[:, at])
                total = total + 0.1 * alignment(index.scores(iq[:, at], ik, iw[:, at]), share, allowed[:, at], weights)
            out = block.self_attn.attend(q, *keys, mask[:, None])
            x = block.feed(x.flatten(0, 1), out.flatten(0, 1))
            state = layer.norm(x).view(batch, length, -1)
        rows = learned_rows(wanted)
        losses.append(_next_token(model, state.flatten(0, 1)[rows], wanted, rows))
        rows_of.append(rows)
        total = total + losses[-1].sum()
    return total, torch.cat(losses).detach(), torch.cat(rows_of)


def _of_backbone(name):
    return not name.startswith("mtp.")


KINDS = {
    "dense": (dense, lambda name: _of_backbone(name) and "indexer" not in name),
    "indexer": (indexer, lambda name: _of_backbone(name) and "indexer" in name),
    "sparse": (sparse, _of_backbone),
    "mtp": (mtp, lambda name: name.startswith("mtp.")),
}
