"""Draws the schedules of the README: `python docs/pictures.py`, or `python docs/pictures.py FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

import jaxsched as js
from jaxsched._inspect.plot import svg
from jaxsched._inspect.svg import FILE_STYLE, HEIGHT, LINE, WIDTH, opening

STEPS = 100

EXPRESSIONS = (
    "warmup(Cosine(0.3, 0.01, 80), 20)",
    "cooldown(warmup(0.3, 10), 70, 30, shape=OneMinusSqrt)",
    "cycle(Cosine(0.3, 0.01, 15), 15, 2.0, 0.8)",
    "0.3 * reflect(Linear(0.1, 1.0, 20), 40)",
    "clip(staircase(Exponential(0.3, 0.5, 20), 10), 0.02)",
    "join([0.05, Rex(0.3, 0.1, 40), Linear(0.1, 0.0, 40)], [20, 60])",
)

COLUMNS = 2


def sheet() -> str:
    """All expressions side by side, each under its curve, as one SVG file."""
    height = HEIGHT + LINE + 8
    cells = []
    for i, expression in enumerate(EXPRESSIONS):
        row, column = divmod(i, COLUMNS)
        _, content = svg(js.parse(expression), STEPS, standalone=False).removesuffix("</svg>").split("\n", 1)
        cells.append(f'<g transform="translate({column * WIDTH} {row * height})">\n{content}</g>')
    rows = -(-len(EXPRESSIONS) // COLUMNS)
    return "\n".join([opening(COLUMNS * WIDTH, rows * height) + FILE_STYLE, *cells, "</svg>", ""])


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("schedules.svg")
    Path(target).write_text(sheet())
