"""Draws the pictures of the docs: `python docs/pictures.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import jaxsched as js

STEPS = 100

README = (
    "warmup(Cosine(0.3, 0.01, 80), 20)",
    "cooldown(warmup(0.3, 10), 70, 30, shape=OneMinusSqrt)",
    "cycle(Cosine(0.3, 0.01, 15), 15, 2.0, 0.8)",
    "0.3 * reflect(Linear(0.1, 1.0, 20), 40)",
    "clip(staircase(Exponential(0.3, 0.5, 20), 10), 0.02)",
    "join([0.05, Rex(0.3, 0.1, 40), Linear(0.1, 0.0, 40)], [20, 60])",
)

PRESETS = (
    "warmup_cosine(0.3, 100, 20, end_value=0.01)",
    "warmup_stable_decay(0.3, 100, 10, 30)",
    "warmup_stable_decay(0.3, 100, 10, 30, shape=Cosine)",
    "warmup_stable_decay(0.3, 100, 10, 30, shape=OneMinusSqrt)",
    "one_cycle(0.012, 0.3, 0.0, 100)",
    "one_cycle(0.012, 0.3, 0.0, 100, shape=Linear, three_phases=True)",
    "one_cycle_momentum(0.95, 0.85, 100)",
    "cyclic(0.05, 0.3, 12)",
    "cyclic(0.05, 0.3, 12, value_factor=0.5)",
    "cyclic(0.05, 0.3, 12, decay_rate=0.98)",
    "cyclic_momentum(0.9, 0.8, 12)",
    "warm_restarts(0.3, 0.01, 15, 2, 0.8)",
    "inverse_sqrt(0.3, 10)",
    "noam(512, 10)",
    "step_decay(0.3, 0.5, 20)",
    "multi_step(0.3, 0.5, [30, 60, 80])",
)


def sheet(expressions: Sequence[str], columns: int, name: str) -> None:
    """Draws each expression as a step function of 100 steps."""
    spines = {f"axes.spines.{side}": False for side in ("top", "right")}
    rows = math.ceil(len(expressions) / columns)
    with mpl.rc_context(spines | {"axes.grid": True, "grid.alpha": 0.3, "font.size": 9}):
        figure = Figure(figsize=(4 * columns, 2.5 * rows), layout="constrained")
        for axes, expression in zip(figure.subplots(rows, columns).flat, expressions, strict=True):
            steps = np.arange(STEPS)
            axes.step(steps, js.parse(expression)(steps), where="post", color="#0072b2", lw=2)
            axes.set_title(expression, family="monospace", fontsize=8)
            axes.set_xlim(0, STEPS)
        figure.supxlabel("step")
        figure.savefig(Path(__file__).parent / name, dpi=110)


if __name__ == "__main__":
    sheet(README, 3, "schedules.png")
    sheet(PRESETS, 4, "presets.png")
