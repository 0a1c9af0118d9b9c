"""The output of a run: a line per epoch or a progress bar, then a table and a figure.

Read `train.many` next.
"""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import jaxsched as js
from jaxsched._figures import STYLE
from jaxsched._inspect.plot import COLOURS
from train.config import default_schedule
from train.loop import Epoch

TRAIN, TEST, RATE = COLOURS[:3]
LOSS = "#333333"

WIDE = 80
"""From this number of columns on, the progress shows a bar and the rate."""

GUESS = math.log(10)
"""The loss of a model that gives each of the ten classes the same probability."""


@contextlib.contextmanager
def watching(console: Console, epochs: int, made: int = 0) -> Iterator[Callable[[Epoch], None]]:
    """Shows each epoch after the first `made`: as a progress bar on a terminal, else as a line of text."""
    if not console.is_terminal:
        yield lambda epoch: console.print(f"epoch {epoch.epoch}/{epochs}  {_in_words(epoch)}", soft_wrap=True)
        return
    wide = console.width >= WIDE
    columns = [
        TextColumn(f"{'epoch ' * wide}{{task.completed}}/{{task.total}}"),
        *([BarColumn(16)] * wide),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}"),
    ]
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("compiling", total=epochs, completed=made)
        yield lambda epoch: progress.update(bar, completed=epoch.epoch, description=_in_brief(epoch, wide))


def _in_brief(epoch: Epoch, wide: bool) -> str:
    rate = f"rate {epoch.learning_rate:.3g} " * wide
    return f"{rate}loss {epoch.train_loss:.4g} test {epoch.test_accuracy:.4f}"


def _in_words(epoch: Epoch) -> str:
    return (
        f"learning rate {epoch.learning_rate:.4f}  train loss {epoch.train_loss:.4f}  "
        f"train accuracy {epoch.train_accuracy:.4f}  test accuracy {epoch.test_accuracy:.4f}  "
        f"{epoch.seconds:.2f} s"
    )


def table(epochs: Sequence[Epoch]) -> Table:
    """A table of the last epoch's metrics, the best test accuracy and the total time."""
    last, best = epochs[-1], max(epochs, key=lambda epoch: epoch.test_accuracy)
    rows = {
        "train loss": f"{last.train_loss:.4f}",
        "train accuracy": f"{last.train_accuracy:.4f}",
        "test accuracy": f"{last.test_accuracy:.4f}",
        "best test accuracy": f"{best.test_accuracy:.4f} (epoch {best.epoch})",
        "optimizer steps": f"{last.step}",
        "seconds": f"{sum(epoch.seconds for epoch in epochs):.1f}",
    }
    result = Table(show_header=False)
    for row in rows.items():
        result.add_row(*row)
    return result


def figure(epochs: Sequence[Epoch], schedule: js.Schedule, title: str, path: Path) -> None:
    """Draws loss, accuracy and learning rate over the epochs."""
    steps_per_epoch = epochs[0].step
    at = [epoch.epoch for epoch in epochs]
    steps = np.arange(epochs[-1].step)
    with mpl.rc_context(STYLE):
        result = Figure(figsize=(12, 3.6), layout="constrained")
        loss, accuracy, rate = result.subplots(1, 3)
        loss.plot(at, [epoch.train_loss for epoch in epochs], color=LOSS)
        loss.set_ylabel("train loss")
        accuracy.plot(at, [epoch.train_accuracy for epoch in epochs], color=TRAIN, label="train")
        accuracy.plot(at, [epoch.test_accuracy for epoch in epochs], color=TEST, label="test", ls="--")
        accuracy.set_ylabel("accuracy")
        accuracy.legend(frameon=False, loc="lower right")
        rate.step(steps / steps_per_epoch, applied(schedule, epochs, steps), color=RATE, where="post")
        rate.set_ylabel("learning rate")
        for axes in (loss, accuracy, rate):
            axes.set_xlabel("epoch")
            axes.set_xlim(0, epochs[-1].epoch)
        result.suptitle(title, fontsize=10)
        result.savefig(path, dpi=120)


def applied(schedule: js.Schedule, epochs: Sequence[Epoch], steps: np.ndarray) -> np.ndarray:
    """The rates at steps, with the factor that a plateau had in each epoch."""
    ends = np.array([epoch.step for epoch in epochs])
    planned = np.asarray(schedule(ends - 1))
    rates = np.array([epoch.learning_rate for epoch in epochs], planned.dtype)
    factors = np.divide(rates, planned, out=np.ones_like(planned), where=planned != 0)
    at = np.searchsorted(ends, steps, side="right")
    return np.asarray(schedule(steps)) * factors[np.minimum(at, len(ends) - 1)]


def at_chance(epoch: Epoch, schedule: js.Schedule, steps: int, usual: float) -> str | None:
    """Advice for a run that does no better than a guess.

    Args:
      epoch: the latest epoch.
      schedule: the learning rate, in optimizer steps.
      steps: the length of the run.
      usual: a rate at which the model trains.

    Returns:
      The advice, or `None` if the run has learned something, or if its rate is still low and rises.
    """
    if epoch.train_loss < GUESS - 0.05 or epoch.train_accuracy > 0.15:
        return None
    rates = np.asarray(schedule(np.arange(steps)))
    so_far = float(rates[: epoch.step].max())
    too_high = so_far >= usual / 2
    if not too_high and so_far < 0.99 * rates.max():
        return None
    way = "below" if too_high else "above"
    return f"The loss has not moved from {GUESS:.2f} = log 10: try a rate {way} {so_far:.3g}."


def suggestion(found: js.RangeTest, options: Sequence[str], steps: int) -> str:
    """The learning rate that a range test suggests, why, and the command that trains with it.

    It is a tenth of the rate with the lowest loss. The test's other rate, where the loss falls fastest,
    depends more on the order of the images: with two orders of the digits it was 0.61, which ends at chance,
    and 0.001. `python -m train find-lr` suggests 0.02, and its command ends at a test accuracy of 0.967.

    Args:
      found: the result of the test.
      options: the options of the test that a run needs too.
      steps: the length of that run.
    """
    if not np.isfinite(found.steepest):
        return (
            "No learning rate can be suggested: the loss never fell. "
            f"Try a lower --min-value than {float(found.rates[0]):.3g}."
        )
    tenth = float(found.tenth_of_best)
    rate = float(f"{tenth:.2g}")
    schedule = default_schedule(rate, steps)
    command = shlex.join(["python", "-m", "train", *options, "--schedule", repr(schedule)])
    return (
        f"Suggested learning rate: {rate:g}, a tenth of {10 * tenth:.3g}, the rate with the lowest loss; "
        f"closer to that rate a run may stop learning.\nTrain with it:\n{command}"
    )


def range_test(found: js.RangeTest, folder: Path) -> None:
    """Writes a range test as a figure and as JSON."""
    with mpl.rc_context(STYLE):
        result = Figure(figsize=(6, 4), layout="constrained")
        found.plot(result.subplots()).set_ylabel("loss")
        result.savefig(folder / "find-lr.png", dpi=120)
    count = int(found.count)
    record = {
        "steepest": float(found.steepest),
        "tenth_of_best": float(found.tenth_of_best),
        "diverged": bool(found.diverged),
        "rates": np.asarray(found.rates[:count]).tolist(),
        "losses": [
            loss if np.isfinite(loss) else None for loss in np.asarray(found.metrics[:count]).tolist()
        ],
    }
    (folder / "find-lr.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
