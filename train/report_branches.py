"""The output of branches: a table, a figure, and all metrics as JSON. The last file to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.table import Table
from rich.text import Text

import jaxsched as js
from jaxsched._figures import STYLE
from jaxsched._inspect.plot import COLOURS
from train.branches import Branch
from train.loop import Epoch
from train.report import applied

RUN = "#888888"
"""The colour of the run that the branches leave."""


@dataclass(frozen=True)
class Decays:
    """Branches beside the run that they leave.

    Args:
      run: the metrics of the run.
      schedule: its schedule, in steps.
      branches: the branches.
      results: the metrics of each branch, which begin with those of the run.
    """

    run: Sequence[Epoch]
    schedule: js.Schedule
    branches: Sequence[Branch]
    results: Sequence[Sequence[Epoch]]

    def table(self) -> Table:
        """A row for each branch, and what the run had at its two ends."""
        accuracy = {epoch.step: f"{epoch.test_accuracy:.4f}" for epoch in self.run}
        table = Table(
            caption="before: where the decay starts; run: without it, at the same step",
        )
        for column in ("at", "steps", "shape", "train loss", "test accuracy", "before", "run"):
            table.add_column(column, overflow="fold", justify="left" if column == "shape" else "right")
        for (decay, *_), known in zip(self.branches, self.results, strict=True):
            table.add_row(
                *(str(decay.at), str(decay.steps), Text(decay.shape)),
                *(f"{known[-1].train_loss:.4f}", f"{known[-1].test_accuracy:.4f}"),
                *(accuracy[decay.at], accuracy.get(decay.at + decay.steps, "")),
            )
        return table

    def save(self, path: Path) -> None:
        """Writes all metrics as JSON."""
        branches = {
            branch.decay.folder: {
                **branch.decay._asdict(),
                "schedule": branch.config.trained,
                "epochs": _records(known[len(branch.progress.epochs) :]),
            }
            for branch, known in zip(self.branches, self.results, strict=True)
        }
        run = {"schedule": repr(self.schedule), "epochs": _records(self.run)}
        path.write_text(json.dumps({"run": run, "branches": branches}, indent=1, allow_nan=False) + "\n")

    def figure(self, path: Path) -> None:
        """Draws learning rates, losses and accuracies over the steps."""
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(12, 4), layout="constrained")
            rate, loss, accuracy = figure.subplots(1, 3)
            start = min(branch.decay.at for branch in self.branches)

            def draw(schedule: js.Schedule, first: int, epochs: Sequence[Epoch], **style: Any) -> None:
                steps = np.arange(first, epochs[-1].step + 1)
                rate.plot(steps, applied(schedule, epochs, steps), **style)
                loss.plot(*_curve(epochs, "train_loss"), **style)
                # From the first branch on: what is before it would flatten the rest.
                later = [epoch for epoch in epochs if epoch.step >= start]
                accuracy.plot(*_curve(later, "test_accuracy"), **style)

            draw(self.schedule, 0, self.run, color=RUN, label="the run")
            for i, (branch, known) in enumerate(zip(self.branches, self.results, strict=True)):
                at, steps, shape, _ = branch.decay
                # From where it leaves the run, so that the curves join.
                own = known[len(branch.progress.epochs) - 1 :]
                colour, style = COLOURS[i % len(COLOURS)], "--" if i >= len(COLOURS) else "-"
                label = f"at {at}, {steps} steps, {shape}"
                draw(js.parse(branch.config.trained), at, own, color=colour, ls=style, label=label)
            loss.set_yscale("log")
            for axes, name in ((rate, "learning rate"), (loss, "train loss"), (accuracy, "test accuracy")):
                axes.set_ylabel(name)
                axes.set_xlabel("step")
            figure.suptitle(repr(self.schedule), fontsize=10)
            handles = rate.get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
            figure.savefig(path, dpi=120)


def _curve(epochs: Sequence[Epoch], metric: str) -> tuple[list[int], list[float]]:
    return [epoch.step for epoch in epochs], [getattr(epoch, metric) for epoch in epochs]


def _records(epochs: Sequence[Epoch]) -> list[dict[str, Any]]:
    return [epoch.numbers() for epoch in epochs]
