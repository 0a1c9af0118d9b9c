"""The output of many runs at once: a line per epoch, a table, a figure, and all metrics as JSON.

Read `train.chapter` next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxsched._figures import STYLE
from jaxsched._inspect.plot import COLOURS
from jaxsched._inspect.tables import as_html, as_text
from train.events import Point, writing
from train.many import Round


def watched(
    console: Console, expressions: dict[str, str], rounds: Iterable[Round], epochs: int
) -> list[Round]:
    """Prints the schedules and a line per epoch, and collects the rounds."""
    for name, expression in expressions.items():
        line = f"{name}: {expression}" if name != expression else name
        console.print(line, soft_wrap=True, highlight=False)
    known = []
    for each in rounds:
        best = np.nanmax(each.test_accuracy)
        line = f"epoch {each.epoch}/{epochs}  best test {best:.4f}  {each.seconds:.2f} s"
        console.print(line, soft_wrap=True, highlight=False)
        known.append(each)
    return known


COLUMNS = ("run", "train loss", "train accuracy", "test accuracy", "best")
"""The columns of the table of a comparison."""

ALIGN = "<>>>>"

METRICS = ("learning_rate", "train_loss", "train_accuracy", "test_accuracy")
"""The metrics of a `Round` that are written."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs side by side. It prints as a table, in a notebook as one in HTML.

    A run is shown as diverged if any of its seeds diverged. Its metrics are saved all the same.

    Args:
      expressions: the expression of each run by its name, in the order of the arrays.
      rounds: the metrics of each epoch.
      bounds: what was said before: the convex bound of a run by its name, at its best multiplier.
    """

    expressions: dict[str, str]
    rounds: Sequence[Round]
    bounds: dict[str, float] = field(default_factory=dict)

    def curves(self, what: str) -> np.ndarray:
        """A metric over all epochs, shape (runs, seeds, epochs)."""
        return np.stack([getattr(each, what) for each in self.rounds], axis=-1)

    def diverged(self) -> np.ndarray:
        """Whether the training loss was ever infinite or NaN, shape (runs, seeds)."""
        return ~np.isfinite(self.curves("train_loss")).all(axis=-1)

    def rows(self) -> list[dict[str, str]]:
        """A row per run: the mean over its seeds and, if there are several, the range."""
        rows = []
        quantities = {name: self.curves(name) for name in ("train_loss", "train_accuracy", "test_accuracy")}
        for i, name in enumerate(self.expressions):
            row = {"run": name}
            for what, curve in quantities.items():
                row[what.replace("_", " ")] = _with_spread(curve[i, :, -1])
            row["best"] = _with_spread(quantities["test_accuracy"][i].max(axis=-1))
            rows.append({"run": name, "train loss": "diverged"} if self.diverged()[i].any() else row)
        return rows

    def table(self) -> Table:
        """The table for a terminal."""
        head, *rows = self._cells()
        table = Table(caption=self._duration())
        for column in head:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        return table

    def __repr__(self) -> str:
        return f"{as_text(self._cells(), ALIGN)}\n{self._duration()}"

    def _repr_html_(self) -> str:
        return as_html(self._cells(), ALIGN, self._duration())

    def _cells(self) -> list[list[str]]:
        """The rows as cells, after the names of the columns."""
        return [list(COLUMNS), *([row.get(column, "") for column in COLUMNS] for row in self.rows())]

    def _duration(self) -> str:
        seconds, runs = sum(each.seconds for each in self.rounds), self.diverged().size
        return f"{runs} runs side by side in {seconds:.1f} s, {seconds / runs:.1f} s per run"

    def forecast(self) -> str:
        """The runs in the order of their bounds, beside their order by the last train loss.

        A run that diverged has the highest loss. The rank correlation is that of each seed.
        """
        names = [name for name in self.expressions if name in self.bounds]
        bounds = np.array([self.bounds[name] for name in names])
        losses = np.where(self.diverged(), np.inf, self.curves("train_loss")[..., -1])
        losses = losses[[name in self.bounds for name in self.expressions]]
        means = losses.mean(axis=1)
        correlations = np.array([np.corrcoef(_ranks(bounds), _ranks(each))[0, 1] for each in losses.T])
        rows = [["bound", "run", "train loss", "run"]]
        rows += [
            [f"{bounds[said]:.4g}", names[said], f"{means[found]:.4f}", names[found]]
            for said, found in zip(bounds.argsort(), means.argsort(), strict=True)
        ]
        return f"{as_text(rows, '><><')}\nrank correlation: {_with_spread(correlations)}"

    def save(self, path: Path) -> None:
        """Writes all metrics as JSON."""
        runs: dict[str, Any] = {
            name: {
                "expression": expression,
                "diverged": self.diverged()[i].tolist(),
                **({"bound": self.bounds[name]} if name in self.bounds else {}),
                **{what: _finite(self.curves(what)[i].tolist()) for what in METRICS},
            }
            for i, (name, expression) in enumerate(self.expressions.items())
        }
        record = {"seconds": [each.seconds for each in self.rounds], "runs": runs}
        path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")

    def log(self, logdir: Path, steps_per_epoch: int) -> None:
        """Writes all metrics for TensorBoard, into a folder for each run and seed."""
        for i, name in enumerate(self.expressions):
            for seed in range(self.diverged().shape[1]):
                with writing(logdir / f"{name}, seed {seed}") as write:
                    write([_point(each, i, seed, steps_per_epoch) for each in self.rounds])

    def figure(self, path: Path) -> None:
        """Draws learning rates, losses, accuracies, and the gap between train and test accuracy."""
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(14, 7.5), layout="constrained")
            rate, loss, accuracy, gap = figure.subplots(2, 2).flat
            train, test = self.curves("train_accuracy"), self.curves("test_accuracy")
            self._draw(rate, "learning rate", self.curves("learning_rate"))
            self._draw(loss, "train loss", self.curves("train_loss"))
            loss.set_yscale("log")
            self._draw(accuracy, "test accuracy", test)
            self._draw(gap, "train accuracy - test accuracy", train - test)
            for axes, curves in ((accuracy, test), (gap, train - test)):
                _leave_out_the_start(axes, curves)
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


def _point(each: Round, run: int, seed: int, steps_per_epoch: int) -> Point:
    metrics = {what: float(getattr(each, what)[run, seed]) for what in METRICS}
    return Point(each.epoch * steps_per_epoch, each.seconds, metrics)


def _leave_out_the_start(axes: Axes, curves: np.ndarray) -> None:
    """Fits the axis to all but the first tenth of the epochs, whose large values would flatten the rest."""
    later = curves[..., curves.shape[-1] // 10 :]
    later = later[np.isfinite(later)]
    if later.size:
        low, high = np.quantile(later, [0.01, 1.0])
        axes.set_ylim(low - 0.05 * (high - low) - 1e-3, high + 0.05 * (high - low) + 1e-3)


def _finite(values: Any) -> Any:
    """Replaces infinities and NaN, which JSON cannot represent, by `None`."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if np.isfinite(values) else None


def _with_spread(values: np.ndarray) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{values.mean():.4f} ({values.min():.4f} to {values.max():.4f})"


def _ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort().argsort()
