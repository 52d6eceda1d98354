# SPDX-License-Identifier: MIT
"""The recipe: stages in order. Tokens are rows fed to the model, padding included."""

from .train import Stage

M = 1_000_000


def _finish(decay, indexer, sparse, mtp, lengths):
    """From a model trained at a constant rate to one that can be exported."""
    return [
        Stage("decay", "dense", lengths, decay, 0.02, 3e-3, cooldown=True, balance=0.0005),
        Stage("indexer", "indexer", lengths, indexer, 0.01, 2e-3, cooldown=True, balance=0.0),
        Stage("sparse", "sparse", lengths, sparse, 0.002, 3e-4, cooldown=True, balance=0.0002),
        Stage("mtp", "mtp", lengths, mtp, 0.02, 3e-3, cooldown=True, balance=0.002),
    ]


PRESETS = {
    # Dense with two coolings: after the first the model is good enough to be finished by `early`, and training goes on from it
    # at a higher rate again (WSD-S, arXiv 2410.05192). At the first stage's rate longer dialogues make the router collapse.
    "full": [
        Stage("dense-short", "dense", "short", 8 * M, 0.02, 3e-3),
        Stage("dense-middle", "dense", "middle", 3 * M, 0.012, 2e-3, cooldown=True, balance=0.002),
        Stage("dense-again", "dense", "middle", 5 * M, 0.01, 1.5e-3, balance=0.002),
        Stage("dense-long", "dense", "long", 3 * M, 0.008, 1e-3, balance=0.002),
        *_finish(3 * M, 1 * M, 1 * M, 2 * M, "long"),
    ],
    # 26 million tokens: at the 4,300 tokens a second measured on two free Zen 4 cores under two hours.
    "small": [
        Stage("dense-short", "dense", "short", 8 * M, 0.02, 3e-3),
        Stage("dense-middle", "dense", "middle", 10 * M, 0.02, 3e-3),
        *_finish(4 * M, 1 * M, 1 * M, 2 * M, "middle"),
    ],
    # From a copy of a run after its first cooling to a model that can be exported.
    "early": _finish(0, 200_000, 200_000, 400_000, "middle")[1:],
    # Every stage for a moment: does it all run?
    "smoke": _finish(8000, 8000, 8000, 8000, "short"),
}
