"""What many runs at once show: a line for each epoch, a table, a figure, and all numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from train.many import Round
from train.report import STYLE

COLOURS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito's, which the colour-blind can tell apart."""


def watched(console: Console, rounds: Iterable[Round], epochs: int) -> list[Round]:
    """All rounds, each shown as a line: the best test accuracy so far and how long it took."""
    known = []
    for each in rounds:
        best = np.nanmax(each.test_accuracy)
        console.print(f"epoch {each.epoch}/{epochs}  best test accuracy {best:.4f}  {each.seconds:.2f} s")
        known.append(each)
    return known


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Args:
      expressions: what each run is, as text, by its name, in the order of the arrays.
      rounds: what is known after each epoch.
    """

    expressions: dict[str, str]
    rounds: Sequence[Round]

    def curves(self, what: str) -> np.ndarray:
        """A quantity of all rounds, shape (runs, seeds, epochs)."""
        return np.stack([getattr(each, what) for each in self.rounds], axis=-1)

    def diverged(self) -> np.ndarray:
        """Whether a run's loss was infinite or not a number at any time, shape (runs, seeds)."""
        return ~np.isfinite(self.curves("train_loss")).all(axis=-1)

    def table(self) -> Table:
        """A row a run: the mean of its seeds and, with several, its spread."""
        table = Table()
        columns = ("run", "expression", "train loss", "train accuracy", "test accuracy", "best")
        for column in columns:
            table.add_column(column, overflow="fold")
        quantities = {name: self.curves(name) for name in ("train_loss", "train_accuracy", "test_accuracy")}
        for i, (name, expression) in enumerate(self.expressions.items()):
            if self.diverged()[i].any():
                table.add_row(name, expression, "diverged", "", "", "")
                continue
            last = [_with_spread(curve[i, :, -1]) for curve in quantities.values()]
            best = _with_spread(quantities["test_accuracy"][i].max(axis=-1))
            table.add_row(name, expression, *last, best)
        seconds = sum(each.seconds for each in self.rounds)
        table.caption = f"{len(self.expressions)} runs together: {seconds:.1f} s"
        return table

    def save(self, path: Path) -> None:
        """Writes every number as JSON."""
        names = ("learning_rate", "train_loss", "train_accuracy", "test_accuracy")
        runs: dict[str, Any] = {
            name: {
                "expression": expression,
                "diverged": self.diverged()[i].tolist(),
                **{what: _finite(self.curves(what)[i].tolist()) for what in names},
            }
            for i, (name, expression) in enumerate(self.expressions.items())
        }
        record = {"seconds": [each.seconds for each in self.rounds], "runs": runs}
        path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")

    def figure(self, path: Path) -> None:
        """Draws rates, losses, accuracies, and the gap between train and test accuracy."""
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(14, 7.5), layout="constrained")
            rate, loss, accuracy, gap = figure.subplots(2, 2).flat
            train, test = self.curves("train_accuracy"), self.curves("test_accuracy")
            self._draw(rate, "learning rate", self.curves("learning_rate"))
            self._draw(loss, "train loss", self.curves("train_loss"))
            self._draw(accuracy, "test accuracy", test)
            self._draw(gap, "train accuracy - test accuracy", train - test)
            handles, names = rate.get_legend_handles_labels()
            labels = [f"{name}: {self.expressions[name]}" for name in names]
            figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
            figure.savefig(path, dpi=110)

    def _draw(self, axes: Axes, name: str, curves: np.ndarray) -> None:
        epochs = np.arange(1, len(self.rounds) + 1)
        for i, (run, curve) in enumerate(zip(self.expressions, curves, strict=True)):
            colour, style = COLOURS[i % len(COLOURS)], "--" if i >= len(COLOURS) else "-"
            axes.plot(epochs, curve.mean(axis=0), color=colour, ls=style, label=run)
            if len(curve) > 1:
                axes.fill_between(
                    epochs, curve.min(axis=0), curve.max(axis=0), color=colour, alpha=0.15, lw=0
                )
        axes.set_ylabel(name)
        axes.set_xlabel("epoch")


def _finite(values: Any) -> Any:
    """Lists of numbers with `None` for what JSON has no word for."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if np.isfinite(values) else None


def _with_spread(values: np.ndarray) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{values.mean():.4f} ({values.min():.4f} to {values.max():.4f})"
