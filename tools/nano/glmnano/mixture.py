# SPDX-License-Identifier: MIT
"""The mixture of skills and how long its dialogues get. Needs nothing but Python."""

from dataclasses import dataclass

from .skills import agents, arith, code, copying, manners, needle, pages, tools

SKILLS = ("manners", "tools", "needle", "pages", "arith", "code", "copying", "agents")


@dataclass(frozen=True)
class Lengths:
    """How long dialogues get: characters of haystacks and of agents' instructions, numbers of tools, the longest sequence."""

    max_tokens: int
    needle_chars: tuple
    tool_counts: tuple
    weights: tuple = (0.29, 0.22, 0.11, 0.12, 0.1, 0.08, 0.03, 0.05)  # share of dialogues, in the order of SKILLS
    agent_chars: tuple = (300, 1500)
    none_share: float = tools.NONE_SHARE  # of turns with tools that ask for what none does
    operators: str = arith.OPERATORS


LENGTHS = {
    "short": Lengths(512, (200, 900), (1, 1, 2, 2), (0.38, 0.12, 0.05, 0.07, 0.08, 0.06, 0.24, 0.0)),
    "middle": Lengths(1024, (300, 2600), (1, 1, 2, 3, 4), (0.2, 0.24, 0.1, 0.17, 0.17, 0.08, 0.04, 0.0)),
    # More of what is weak after the first cooling.
    "weak": Lengths(1024, (300, 2600), (1, 2, 3, 4), (0.14, 0.3, 0.06, 0.2, 0.24, 0.03, 0.03, 0.0)),
    # Tables of digits, exact copies, tools that do not fit; then all of it again at every length.
    "drill": Lengths(1024, (300, 2600), (1, 2, 3, 4), (0.08, 0.22, 0.04, 0.18, 0.34, 0.02, 0.12, 0.0)),
    "settle": Lengths(2048, (300, 6000), (1, 2, 3, 4, 4, 8), (0.18, 0.24, 0.08, 0.17, 0.2, 0.05, 0.05, 0.03)),
    # Whether a tool fits at all, and the table of products.
    "fit": Lengths(1024, (300, 2600), (1, 1, 2, 2, 3, 4), (0.06, 0.5, 0.04, 0.06, 0.26, 0.02, 0.06, 0.0), none_share=0.45, operators="+--****"),
    "settle-fit": Lengths(2048, (300, 6000), (1, 2, 2, 3, 4, 8), (0.14, 0.34, 0.07, 0.14, 0.2, 0.04, 0.04, 0.03), none_share=0.3, operators="++--**"),
    # What is wanted and which tool does it, in words; products in two steps.
    "tell": Lengths(1024, (300, 2600), (1, 1, 2, 2, 3, 4), (0.06, 0.5, 0.04, 0.06, 0.24, 0.02, 0.06, 0.02), none_share=0.35, operators="+--****"),
    "settle-tell": Lengths(2048, (300, 6000), (1, 2, 2, 3, 4, 8), (0.14, 0.31, 0.07, 0.14, 0.19, 0.04, 0.04, 0.07), none_share=0.25, operators="++--**"),
    "settle-more": Lengths(1024, (300, 2600), (1, 2, 2, 3, 4), (0.12, 0.33, 0.05, 0.17, 0.2, 0.03, 0.04, 0.06), none_share=0.3, operators="++---**"),
    "settle-all": Lengths(2048, (300, 6000), (1, 2, 2, 3, 4, 8), (0.15, 0.3, 0.1, 0.14, 0.16, 0.04, 0.03, 0.08), none_share=0.25, operators="++---**"),
    # For the indexers, which learn nothing from dialogues shorter than their selection.
    "select": Lengths(1024, (1200, 2600), (2, 3, 4), (0.1, 0.4, 0.3, 0.15, 0.0, 0.0, 0.05, 0.0)),
    "long": Lengths(4096, (800, 11000), (1, 2, 3, 4, 4, 8, 16), agent_chars=(1000, 9000)),
    "long-tools": Lengths(4096, (800, 11000), (1, 2, 3, 4, 4, 8, 16), (0.12, 0.4, 0.15, 0.12, 0.06, 0.04, 0.03, 0.08), agent_chars=(1000, 9000)),
    # For checks of the data: every skill.
    "every": Lengths(4096, (200, 900), (1, 2, 3, 4), (0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)),
}


def dialogue(split, rng, lengths):
    """One dialogue of the mixture."""
    skill = rng.choices(SKILLS, lengths.weights)[0]
    if skill == "needle":
        return needle.make(split, rng, rng.randint(*lengths.needle_chars))
    if skill == "tools":
        return tools.make(split, rng, rng.choice(lengths.tool_counts), none_share=lengths.none_share)
    if skill == "agents":
        return agents.make(split, rng, rng.randint(*lengths.agent_chars))
    if skill == "arith":
        return arith.make(split, rng, operators=lengths.operators)
    return {"manners": manners, "pages": pages, "code": code, "copying": copying}[skill].make(split, rng)
