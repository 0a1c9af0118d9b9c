"""Pictures of schedules: with Matplotlib, in notebooks, and as files."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.evaluate import batch_shape
from jaxsched._core.fields import describe, is_concrete
from jaxsched._core.grouping import Parts
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched._figures import STYLE, imported, new_axes
from jaxsched._inspect.horizon import horizon, rates_of
from jaxsched._inspect.svg import Curve, picture, wrapped
from jaxsched._inspect.timeline import boundaries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawable: TypeAlias = "ScheduleLike | Sequence[ScheduleLike] | Mapping[str, ScheduleLike]"
"""What can be drawn: a schedule, a list or a stack of them, or each by its name."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Okabe and Ito's, which the colour-blind can tell apart; after them they come again, dashed."""

SUFFIXES = (".svg", ".png", ".csv")
"""What `save` writes."""

LOGS = ("", "x", "y", "xy")
"""Which axes may be logarithmic."""

MOST_CURVES = 16
"""More than these cannot be told apart: a picture leaves them out, a legend is left out."""

MOST_MARKS = 40
"""Where there are more boundaries, none is marked."""

FINE, COARSE = 2000, 1000
"""At how many steps a schedule is looked at for a figure and for a small picture, boundaries aside."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""The multiples of the golden section, modulo 1, fill an interval evenly and without a period."""

ROWS = 2**16
"""So many steps are evaluated at once for a table."""


def plot(schedules: Drawable, steps: int | None = None, ax: Axes | None = None, *, log: str = "") -> Axes:
    """Draws schedules with Matplotlib.

    Each update's rate is a level from its step to the next one, so that a jump is a jump. Of more than 2,000
    steps so many are drawn, and both sides of every boundary. Boundaries (of `join`, `warmup`, `cooldown`,
    `cycle` and the like) are marked by thin dotted lines, where there are at most 40.

    The axes get a title, the expression, where they show one schedule, and a legend where they show several,
    also when these are drawn one by one; from 17 on there is no legend.

    >>> import jaxsched as js
    >>> from matplotlib.figure import Figure
    >>> ax = js.plot({"cosine": js.Cosine(0.3, 0, 30), "rex": js.Rex(0.3, 0, 30)}, 30, Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['cosine', 'rex']

    Args:
      schedules: a schedule, a list or a stack of schedules, or a dict of them by the name for the legend;
        numbers and callables pass for schedules, as everywhere.
      steps: how many updates to show, from 1 to 2**31 - 1. Left out, it is as many as it takes until nothing
        new comes, such as the last ramp's end; for what never ends, a good while.
      ax: the Matplotlib axes to draw on; a new figure where it is left out.
      log: the axes that are logarithmic: `"x"`, `"y"` or `"xy"`. There what is not above 0 is left out.

    Returns:
      The axes.

    Raises:
      ImportError: Matplotlib is not installed.
      TypeError: an argument is of the wrong type, or a schedule is traced.
      ValueError: `steps` or `log` is not allowed, there is no schedule, or nothing is above 0 on a
        logarithmic axis.
    """
    named, _ = labelled(schedules)
    steps = _checked_steps(steps, named)
    curves = _curves(named, steps, log, FINE, drawn=len(_curve_lines(ax)) if ax else 0)
    ax = ax or new_axes()
    for curve in curves:
        known = np.where(np.isfinite(curve.rates), curve.rates, np.nan)
        ax.plot(
            [*curve.steps, steps],
            [*known, known[-1]],
            drawstyle="steps-post",
            color=curve.colour,
            ls="--" if curve.dashed else "-",
            label="\n".join(wrapped(curve.label, 70)),
        )
    for mark in _marks(named, steps):
        ax.axvline(mark, color="#555555", ls=":", lw=0.8, zorder=1)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log", nonpositive="mask")
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    ax.margins(x=0)
    _entitle(ax)
    return ax


def save(schedules: Drawable, path: str | Path, steps: int | None = None, *, log: str = "") -> None:
    """Writes schedules to a file: a picture as `.svg` or `.png`, a table as `.csv`.

    The table has a line for each step, whose numbers are the shortest that read back as the same float32. The
    SVG is drawn without Matplotlib, and is light or dark as its reader's screen is.

    Args:
      schedules: as in `plot`.
      path: the file, which is replaced where there is one.
      steps: as in `plot`.
      log: as in `plot`; it means nothing to a table.

    Raises:
      ImportError: Matplotlib, which draws a `.png`, is not installed.
      OSError: the file cannot be written.
      TypeError: as in `plot`.
      ValueError: as in `plot`, or the file's suffix is none of these.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".svg":
            path.write_text(svg(schedules, steps, log=log) + "\n", encoding="utf-8")
        case ".png":
            figure = imported("matplotlib.figure").Figure(figsize=(8, 4.5), layout="constrained")
            with imported("matplotlib").rc_context(STYLE):
                plot(schedules, steps, figure.subplots(), log=log)
            figure.savefig(path, dpi=150)
        case ".csv":
            _write_table(schedules, steps, path)
        case suffix:
            allowed = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            raise ValueError(f"`path` must end in {allowed}, got {suffix!r}.")


def svg(
    schedules: Drawable,
    steps: int | None = None,
    *,
    log: str = "",
    labels: bool = True,
    standalone: bool = True,
) -> str:
    """A small picture as SVG, drawn without Matplotlib.

    Args:
      schedules: as in `plot`; the first 16 are drawn.
      steps: as in `plot`.
      log: as in `plot`.
      labels: whether the expressions, or the names, stand below.
      standalone: whether it is a file, light or dark as its reader's screen is, and not a part of a page.

    Raises:
      TypeError: as in `plot`.
      ValueError: as in `plot`.
    """
    return _svg(*labelled(schedules, MOST_CURVES), steps, log, labels, standalone)


def to_html(schedule: Schedule) -> str | None:
    """What a notebook shows for a schedule: its curve and its text, as an SVG inside of HTML.

    Notebooks prefer HTML to an image, and what is part of the page takes its colours from it, which an image
    does not. Where the numbers of a schedule are traced, or none that its constructor takes, as those of a
    gradient may be, there is no picture, and a notebook shows its text.
    """
    try:
        named, left_out = labelled(schedule, MOST_CURVES)
    except (TypeError, ValueError):
        return None
    return f"<div>{_svg(named, left_out, None, '', labels=True, standalone=False)}</div>"


Schedule._repr_html_ = to_html


def _svg(
    named: Sequence[tuple[str, Schedule]],
    left_out: int,
    steps: int | None,
    log: str,
    labels: bool,
    standalone: bool,
) -> str:
    total = _checked_steps(steps, named)
    curves = _curves(named, total, log, COARSE)
    note = f"and {left_out} more" if left_out else ""
    return picture(curves, total, _marks(named, total), log, labels, note, standalone)


def labelled(schedules: Drawable, most: int | None = None) -> tuple[list[tuple[str, Schedule]], int]:
    """The first `most` schedules, each checked and with its label, and how many are left out.

    Raises:
      TypeError: one is no schedule, or is traced.
      ValueError: there is none, one is a stack in a list, or its numbers are none that its constructor takes.
    """
    items: list[tuple[str, Any]] = [("schedules", schedules)]
    names: list[str] | None = None
    left_out = 0
    if isinstance(schedules, Mapping):
        names = [str(name) for name in schedules]
        items = [(f"schedules[{name!r}]", each) for name, each in schedules.items()]
    elif isinstance(schedules, list | tuple):
        items = [(f"schedules[{i}]", each) for i, each in enumerate(schedules)]
    elif isinstance(schedules, Schedule) and is_concrete(schedules) and (batch := batch_shape(schedules)):
        shown = min(batch[0], most or batch[0])
        left_out = batch[0] - shown
        items = [(f"schedules[{i}]", schedules._member(i)) for i in range(shown)]
    if not items:
        raise ValueError("`schedules` must have at least one schedule, got none.")
    checked = [_checked(name, each) for name, each in items[:most]]
    labels = names or [repr(each) for each in checked]
    return list(zip(labels, checked, strict=False)), left_out + len(items) - len(checked)


def _checked(name: str, value: Any) -> Schedule:
    """`value` as a schedule whose numbers are known and allowed; what JAX computed need not be."""
    schedule = as_schedule(name, value)
    if not is_concrete(schedule):
        raise TypeError(f"`{name}` must be concrete: the numbers of a traced schedule are not known yet.")
    _check_numbers(schedule)
    return schedule


def _check_numbers(schedule: Schedule) -> None:
    """Raises what the constructors of a schedule and of its parts raise for their arguments."""
    dataclasses.replace(schedule)
    for specifier in dataclasses.fields(schedule):
        value = getattr(schedule, specifier.name)
        for each in value if isinstance(value, tuple | Parts) else [value]:
            if isinstance(each, Schedule):
                _check_numbers(each)


def _checked_steps(steps: Any, named: Sequence[tuple[str, Schedule]]) -> int:
    """`steps`, or the longest horizon where it is left out."""
    if steps is None:
        return horizon(*(schedule for _, schedule in named))
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise TypeError(f"`steps` must be an integer, got {describe(steps)}.")
    if not 1 <= steps <= LAST_STEP:
        raise ValueError(f"`steps` must be at least 1 and at most {LAST_STEP}, got {steps}.")
    return int(steps)


def sampled_steps(schedule: Schedule, steps: int, most: int, log: str = "") -> np.ndarray:
    """All steps of a run; of more than `most` so many, spread over the axis, and both sides of boundaries."""
    first = 1 if "x" in log else 0
    if steps <= most:
        return np.arange(first, steps)
    # A regular grid would show what repeats fast as something slow.
    places = (np.arange(most) + np.arange(most) * GOLDEN % 1) / most
    spread = np.power(float(steps), places) if first else places * steps
    turns = np.array(boundaries(schedule, steps), np.int64)
    turns = turns[: 0 if len(turns) > most // 4 else None]
    return np.unique(np.concatenate([[first, steps - 1], spread.astype(np.int64), turns - 1, turns]))


def _curves(
    named: Sequence[tuple[str, Schedule]], steps: int, log: str, most: int, drawn: int = 0
) -> list[Curve]:
    """The curves of a picture which has some already."""
    if log not in LOGS:
        raise ValueError(f'`log` must be "x", "y" or "xy", got {log!r}.')
    if "x" in log and steps < 2:
        raise ValueError('`log` must not have "x" where step 0 is the only one.')
    curves = []
    for i, (label, schedule) in enumerate(named, start=drawn):
        at = sampled_steps(schedule, steps, most, log)
        dashed = i // len(COLOURS) % 2 == 1
        curves.append(Curve(label, COLOURS[i % len(COLOURS)], dashed, at, rates_of(schedule, at)))
    if "y" in log and not any((curve.rates > 0).any() for curve in curves):
        raise ValueError('`log` must not have "y" where no rate is above 0.')
    return curves


def _marks(named: Sequence[tuple[str, Schedule]], steps: int) -> list[int]:
    """The boundaries to mark."""
    marks = {mark for _, schedule in named for mark in boundaries(schedule, steps)}
    return sorted(marks) if len(marks) <= MOST_MARKS else []


def _write_table(schedules: Drawable, steps: int | None, path: Path) -> None:
    """A line for each step, evaluated a block at a time."""
    named, _ = labelled(schedules)
    total = _checked_steps(steps, named)
    names = ["learning_rate"] if len(named) == 1 else [label for label, _ in named]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *names])
        for start in range(0, total, ROWS):
            steps_here = np.arange(start, min(start + ROWS, total))
            columns = [rates_of(schedule, steps_here) for _, schedule in named]
            writer.writerows(zip(steps_here, *columns, strict=True))


def _curve_lines(ax: Axes) -> list[Any]:
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def _entitle(ax: Axes) -> None:
    """A title for one curve, a legend for several, which may have come one by one."""
    labels = [str(line.get_label()) for line in _curve_lines(ax)]
    if len(labels) == 1 and not ax.get_title():
        ax.set_title(labels[0], family="monospace", fontsize=9)
    if len(labels) > 1 and ax.get_title() in labels:
        ax.set_title("")
    if 1 < len(labels) <= MOST_CURVES:
        ax.legend(frameon=False, fontsize=8)
