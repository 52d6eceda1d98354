# SPDX-License-Identifier: MIT
"""The recipe: stages in order. Tokens are rows fed to the model, padding included."""

from .train import Stage

M = 1_000_000


def _finish(indexer, sparse, mtp, select, lengths, n_micro=4, suffix=""):
    """From a cooled dense model to one that can be exported. The indexers need steps more than tokens."""
    return [
        Stage("indexer" + suffix, "indexer", select, indexer, 0.03, 4e-3, 2, cooldown=True, balance=0.0),
        Stage("sparse" + suffix, "sparse", select, sparse, 0.002, 3e-4, n_micro, cooldown=True, balance=0.0002),
        Stage("mtp" + suffix, "mtp", lengths, mtp, 0.02, 3e-3, n_micro, cooldown=True, balance=0.002),
    ]


def _decay(tokens, lengths):
    """The learning rate to zero."""
    return Stage("decay", "dense", lengths, tokens, 0.01, 1.5e-3, cooldown=True, balance=0.0005)


PRESETS = {
    # Dense with two coolings: after the first the model is good enough to be finished by `early`, and training goes on from it
    # at a higher rate again (WSD-S, arXiv 2410.05192). At the first stage's rate longer dialogues make the router collapse.
    "full": [
        Stage("dense-short", "dense", "short", 8 * M, 0.02, 3e-3),
        Stage("dense-middle", "dense", "middle", 2_400_000, 0.012, 2e-3, cooldown=True, balance=0.002),
        Stage("dense-again", "dense", "weak", 5 * M, 0.01, 1.5e-3, balance=0.002),
        Stage("dense-long", "dense", "long", 3 * M, 0.008, 1e-3, balance=0.002),
        _decay(3 * M, "long"),
        *_finish(3 * M, 600_000, 2 * M, "long", "middle"),
        # What was measured then: 43 % of sums, 47 % of pages, 71 % of tool calls. The digits' tables and exact copies need more
        # examples than the mixture had.
        Stage("drill", "dense", "drill", 10 * M, 0.012, 2e-3, balance=0.002),
        Stage("settle", "dense", "settle", 5 * M, 0.01, 1.5e-3, cooldown=True, balance=0.0005),
        *_finish(1 * M, 400_000, 2 * M, "long", "middle", suffix="-again"),
        # Measured: sums 88 %, pages 85 %, tool calls 68 %: none of 20 requests that no tool fits was declined, and 12 of 19 products
        # came out.
        Stage("fit", "dense", "fit", 4 * M, 0.01, 1.5e-3, balance=0.002),
        Stage("settle-fit", "dense", "settle-fit", 3 * M, 0.008, 1.2e-3, cooldown=True, balance=0.0005),
        *_finish(800_000, 400_000, 1_500_000, "long", "middle", suffix="-last"),
        # Measured: still 0 of 20, on training data as well: at the answer's first token nothing was learned but how often a call is
        # made. From here on the working names what is wanted first (see skills/tools.py).
        Stage("tell", "dense", "tell", 3 * M, 0.01, 1.5e-3, balance=0.002),
        Stage("settle-tell", "dense", "settle-tell", 2_500_000, 0.008, 1.2e-3, cooldown=True, balance=0.0005),
        Stage("indexer-tell", "indexer", "long", 600_000, 0.03, 4e-3, 2, cooldown=True, balance=0.0),
        # Measured: tool calls 87 %, 15 of 20 declined; pages 82 %, sums 86 % (23 of 32 differences).
        Stage("settle-more", "dense", "settle-more", 3_200_000, 0.009, 1.3e-3, cooldown=True, balance=0.0005),
        *_finish(600_000, 300_000, 0, "long", "middle", suffix="-more")[:2],
        # Measured: tool calls 82 %, 86 % with dense attention: the selection loses some. Pages 84 %, sums 92 %.
        Stage("indexer-fit", "indexer", "select", 500_000, 0.03, 4e-3, 2, cooldown=True, balance=0.0),
        Stage("sparse-fit", "sparse", "settle-more", 1 * M, 0.004, 6e-4, cooldown=True, balance=0.0002),
        Stage("mtp-fit", "mtp", "middle", 1 * M, 0.02, 3e-3, cooldown=True, balance=0.002),
        Stage("indexer-long", "indexer", "long", 600_000, 0.03, 4e-3, 2, cooldown=True, balance=0.0),
        # Measured: tool calls 86 %, pages 88 %, sums 93 %, but facts 91 % where it was 96, agents' sessions 53 % where it was 66:
        # the last passes had few long dialogues. All skills and lengths once more.
        Stage("settle-all", "dense", "settle-all", 5 * M, 0.008, 1.2e-3, cooldown=True, balance=0.0005),
        *_finish(800_000, 600_000, 1_500_000, "long-tools", "middle", suffix="-all"),
        # Measured: tool calls 87 %, facts 93 %, agents' sessions 85 %, pages 94 %, but sums 87 %. The end of this run.
    ],
    # 15 million tokens, to end within two hours on two free Zen 4 cores: about 70 minutes at the rates of `full` there (4,200 tokens a
    # second dense, 3,500 for indexers, 1,300 sparse, 2,500 for the draft layer).
    "small": [
        Stage("dense-short", "dense", "short", 8 * M, 0.02, 3e-3),
        Stage("dense-middle", "dense", "middle", 5 * M, 0.012, 2e-3, cooldown=True, balance=0.002),
        *_finish(600_000, 400_000, 1_200_000, "select", "middle"),
    ],
    # From a copy of a run after its first cooling to a model that can be exported. Small steps: there are few tokens.
    "early": _finish(450_000, 120_000, 250_000, "select", "middle", n_micro=2),
    # Every stage for a moment: does it all run?
    "smoke": [_decay(8000, "short"), *_finish(8000, 8000, 8000, "middle", "short")],
}
