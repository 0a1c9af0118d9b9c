"""Draws the README's picture: `python docs/pictures.py`."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import jaxsched as js

EXPRESSIONS = (
    "warmup(Cosine(0.3, 0.01, 80), 20)",
    "cooldown(warmup(0.3, 10), 70, 30, shape=OneMinusSqrt)",
    "cycle(Cosine(0.3, 0.01, 15), 15, 2.0, 0.8)",
    "0.3 * reflect(Linear(0.1, 1.0, 20), 40)",
    "clip(staircase(Exponential(0.3, 0.5, 20), 10), 0.02)",
    "join([0.05, Rex(0.3, 0.1, 40), Linear(0.1, 0.0, 40)], [20, 60])",
)
STEPS = 100


def main() -> None:
    """Draws each expression as a step function of 100 steps."""
    spines = {f"axes.spines.{side}": False for side in ("top", "right")}
    style = spines | {"axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "jaxsched", "font.size": 9}
    with mpl.rc_context(style):
        figure = Figure(figsize=(12, 5), layout="constrained")
        for axes, expression in zip(figure.subplots(2, 3, sharey=True).flat, EXPRESSIONS, strict=True):
            steps = np.arange(STEPS)
            axes.step(steps, js.parse(expression)(steps), where="post", color="#0072b2", lw=2)
            axes.set_title(expression, family="monospace", fontsize=8)
            axes.set_xlim(0, STEPS)
            axes.set_ylim(0, 0.32)
        figure.supxlabel("step")
        figure.supylabel("learning rate")
        figure.savefig(Path(__file__).parent / "schedules.png", dpi=110)


if __name__ == "__main__":
    main()
