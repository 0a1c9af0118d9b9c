"""The tables of the pages `docs/coming-from`: what is old, what is new, and where the two are compared."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "coming-from"

STEPS = [*range(12), *(step for ten in range(20, 111, 10) for step in (ten - 1, ten, ten + 1)), 150, 1000]
"""Updates, of which the first is number 0; where the tables' plans turn, on both sides of it."""

METRICS = [
    2.0,
    1.5,
    1.5,
    1.6,
    1.5,
    1.5,
    1.4,
    1.45,
    1.45,
    1.45,
    1.45,
    1.45,
    *[1.3] * 11,
    1.2,
    1.1,
    *[1.25] * 7,
]
"""What a plateau observes, one after the other."""


def rows(system):
    """The table of a system's page: pairs of an old call and a new one."""
    text = (PAGES / f"{system}.md").read_text()
    return re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
