"""Writes `texts.json`: the texts that the catalogue and one of every port had at commit 7ac4e7e.

Texts are what lasts, so that commit wrote them, and no later one does:

    git worktree add ../then 7ac4e7e && cp tests/goldens/make_texts.py ../then/tests/goldens/
    (cd ../then && PYTHONPATH=.:tests python tests/goldens/make_texts.py)
    cp ../then/tests/goldens/texts.json tests/goldens/

A line is a name in the catalogue, its horizon (a port has none), the text, and all numbers that it stands
for, those left at their defaults too. What holds a function has no text and is left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
from cases import EVERY, HORIZONS, SHORT
from cases_ports import PORTS


def numbers(schedule):
    """Every number in a schedule, in the order of its leaves."""
    return [float(number) for leaf in jax.tree.leaves(schedule) for number in np.ravel(leaf)]


def main():
    built = [
        (name, horizon, build(horizon)) for name, build in EVERY.items() for horizon in (SHORT, *HORIZONS)
    ]
    built += [(name, None, build()) for name, build in PORTS.items()]
    lines = [
        json.dumps([name, horizon, repr(schedule), numbers(schedule)])
        for name, horizon, schedule in built
        if "<" not in repr(schedule)
    ]
    text = '{"version": "7ac4e7e", "texts": [\n' + ",\n".join(lines) + "\n]}\n"
    (Path(__file__).parent / "texts.json").write_text(text)


if __name__ == "__main__":
    main()
