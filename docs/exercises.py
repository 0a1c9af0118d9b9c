"""Writes the tables of `docs/exercises.md`: `python docs/exercises.py`. Draws the page's figure for the site.

`docs/exercises/` has the `sweep.json` of each sweep. The commands are on the page.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.report import markdown
from jaxsched._figures import STYLE
from jaxsched._inspect.plot import COLOURS

PAGE = Path(__file__).parent / "exercises.md"
FOLDER = PAGE.with_suffix("")

SWEEPS = {"rate": ("constant rate",), "power": ("exponent",), "warmup": ("peak", "epochs of warmup")}
"""The numbers that each sweep varies. Each is a column of its table; the last is the x-axis of its panel."""

WORST = 0.85
"""The lowest test accuracy that the figure shows."""


class Run(NamedTuple):
    """The result of one schedule of a sweep.

    Attributes:
      values: the values of the varied numbers.
      record: the recorded metrics, each of shape (seeds, epochs).
    """

    values: tuple[float, ...]
    record: dict[str, Any]

    def last(self, quantity: str) -> np.ndarray:
        """A metric after the last epoch, shape (seeds,)."""
        return np.array([curve[-1] for curve in self.record[quantity]], np.float64)


def runs(name: str) -> list[Run]:
    """The runs of a sweep, in order."""
    record = json.loads((FOLDER / f"{name}.json").read_text())
    return [
        Run(tuple(float(value) for value in re.findall(r"=([^,]+)", key)), run)
        for key, run in record["runs"].items()
    ]


def row(name: str, run: Run) -> dict[str, str]:
    """The table row of a run: its values, and the metrics of each seed after the last epoch."""
    columns = {title: f"{value:g}" for title, value in zip(SWEEPS[name], run.values, strict=True)}
    for quantity in ("train_loss", "train_accuracy", "test_accuracy"):
        seeds = " and ".join(f"{value:.4f}" for value in run.last(quantity))
        columns[quantity.replace("_", " ")] = seeds
    return columns


def page(text: str) -> str:
    """The page with its tables updated."""
    for name in SWEEPS:
        table = markdown([row(name, run) for run in runs(name)])
        marked = rf"<!-- {name} -->\n.*?<!-- end -->"
        text = re.sub(marked, f"<!-- {name} -->\n\n{table}\n\n<!-- end -->", text, flags=re.DOTALL)
    return text


def figure() -> Figure:
    """Plots test accuracy against the varied number: a line per seed, a cross where it is below `WORST`."""
    with mpl.rc_context(STYLE):
        result = Figure(figsize=(10, 3), layout="constrained")
        panels = result.subplots(1, len(SWEEPS), sharey=True)
        for axes, (name, titles) in zip(panels, SWEEPS.items(), strict=True):
            lines: dict[tuple[float, ...], list[Run]] = {}
            for run in runs(name):
                lines.setdefault(run.values[:-1], []).append(run)
            for colour, (others, members) in zip(COLOURS, lines.items(), strict=False):
                values = np.array([run.values[-1] for run in members])
                accuracies = np.stack([run.last("test_accuracy") for run in members])
                lost = accuracies < WORST
                label = ", ".join(f"{title} {value:g}" for title, value in zip(titles, others, strict=False))
                for i, seed in enumerate(np.where(lost, np.nan, accuracies).T):
                    axes.plot(values, seed, ".-", color=colour, label=None if i else label)
                for value in values[lost.any(axis=1)]:
                    axes.plot(value, WORST, "x", color=colour, clip_on=False)
                if label:
                    axes.legend()
            if name != "warmup":
                axes.set_xscale("log")
                axes.minorticks_off()
            axes.set_xticks(values, [f"{value:g}" for value in values])
            axes.set_xlabel(titles[-1])
        panels[0].set(ylabel="test accuracy", ylim=(WORST, None))
    return result


def drawn(description: str, figure: Callable[[], Figure] = figure) -> str:
    """A figure as HTML, in the colours of the page."""
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sweeps", "axes.facecolor": "none"}):
        figure().savefig(file, format="svg", transparent=True, metadata={"Date": None})
    picture = file.getvalue()
    picture = picture[picture.index("<svg") :].replace("#000000", "currentColor")
    label = html.escape(description)
    return f'<div class="figure" role="img" aria-label="{label}">{picture}</div>'


def main() -> None:
    """Writes the tables."""
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
