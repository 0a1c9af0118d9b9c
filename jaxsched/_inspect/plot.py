"""Plots of schedules: in Matplotlib, in notebooks and as files."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.evaluate import batch_shape
from jaxsched._core.fields import describe, is_concrete, is_integer
from jaxsched._core.grouping import Parts
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched._figures import STYLE, imported, new_axes
from jaxsched._inspect.horizon import horizon, rates_of
from jaxsched._inspect.simulate import observe_all
from jaxsched._inspect.svg import Curve, picture, wrapped
from jaxsched._inspect.timeline import boundaries
from jaxsched.optim.range_test import RAW, SMOOTHED, RangeTest
from jaxsched.plateau import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawable: TypeAlias = "ScheduleLike | Sequence[ScheduleLike] | Mapping[str, ScheduleLike]"
"""What can be drawn: a schedule, a list or a stack of schedules, or a dict of schedules by name."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Okabe and Ito's colour-blind-safe palette. It repeats with dashed lines."""

SUFFIXES = (".svg", ".png", ".csv")
"""The file types that `save` writes."""

LOGS = ("", "x", "y", "xy")
"""The allowed values of `log`: which axes are logarithmic."""

MOST_CURVES = 16
"""More curves than this cannot be told apart. A small picture omits the rest; a figure omits its legend."""

MOST_MARKS = 40
"""Above this number of boundaries none is marked."""

FINE, COARSE = 2000, 1000
"""The number of steps sampled for a figure and for a small picture, besides those at boundaries."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""The multiples of the golden ratio, modulo 1, fill an interval evenly and without a period."""

ROWS = 2**16
"""The number of steps evaluated at once for a table."""

OBSERVATIONS, CUTS = 4096, 4
"""The picture of a plateau ends after this many observations, or soon after this many cuts."""

MOST_ROWS = 1_000_000
"""The most lines of a table."""


def plot(schedules: Drawable, steps: int | None = None, ax: Axes | None = None, *, log: str = "") -> Axes:
    """Plots schedules with Matplotlib.

    Each rate is held from its step to the next, so a jump looks like a jump. A run of more than 2,000 steps
    is sampled at 2,000 steps and on both sides of every boundary. Thin dotted lines mark the boundaries (of
    `join`, `warmup`, `cooldown`, `cycle` and the like) if there are at most 40.

    One schedule gets its expression as the title. Several get a legend, even if they are plotted one by one;
    more than 16 get none.

    >>> import jaxsched as js
    >>> from matplotlib.figure import Figure
    >>> ax = js.plot({"cosine": js.Cosine(0.3, 0, 30), "rex": js.Rex(0.3, 0, 30)}, 30, Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['cosine', 'rex']

    Args:
      schedules: a schedule, a list or a stack of schedules, or a dict from legend names to schedules.
        Numbers and callables count as schedules, as everywhere.
      steps: the number of updates to show, from 1 to 2^31 - 1. By default the plot ends just after the last
        schedule does; a schedule without an end is shown until it has repeated or settled.
      ax: the Matplotlib axes to draw on; by default those of a new figure.
      log: the logarithmic axes: `"x"`, `"y"` or `"xy"`. Values that are not above 0 are omitted.

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
    curves = curves_of(named, steps, log, FINE, drawn=len(_curve_lines(ax)) if ax else 0)
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
    for mark in marks_of(named, steps):
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


def save(
    schedules: Drawable, path: str | Path, steps: int | None = None, *, log: str = "", every: int = 1
) -> None:
    """Saves schedules to a file: a picture as `.svg` or `.png`, a table as `.csv`.

    The table has one line for every `every` steps, from step 0 on, and at most 1,000,000 lines. Each number
    is the shortest that reads back as the same float32. The SVG needs no Matplotlib and follows the viewer's
    light or dark mode.

    Args:
      schedules: as in `plot`.
      path: the file; an existing one is replaced.
      steps: as in `plot`.
      log: as in `plot`; ignored for a table.
      every: the steps from one line of a table to the next, at least 1; ignored for a picture.

    Raises:
      ImportError: `path` is a `.png`, and Matplotlib is not installed.
      OSError: the file cannot be written.
      TypeError: as in `plot`.
      ValueError: as in `plot`, `path` has another suffix, or the table would be too long.
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
            _write_table(schedules, steps, path, every)
        case suffix:
            allowed = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            raise ValueError(f"`path` must end in {allowed}, got {suffix!r}.")


def svg(
    schedules: Drawable,
    steps: int | None = None,
    *,
    log: str = "",
    standalone: bool = True,
) -> str:
    """A small picture as SVG, drawn without Matplotlib.

    Args:
      schedules: as in `plot`; only the first 16 are drawn.
      steps: as in `plot`.
      log: as in `plot`.
      standalone: whether it is a file, with its own light and dark mode, rather than part of a page.

    Raises:
      TypeError: as in `plot`.
      ValueError: as in `plot`.
    """
    return _svg(*labelled(schedules, MOST_CURVES), steps, log, standalone)


def to_html(schedule: Schedule) -> str | None:
    """The notebook display of a schedule: its curve and its text, as an SVG in HTML.

    An SVG in HTML takes its colours from the page; an image does not. There is no picture, only the text, if
    the numbers of the schedule are traced or out of range, as those of a gradient may be.
    """
    try:
        named, left_out = labelled(schedule, MOST_CURVES)
    except (TypeError, ValueError):
        return None
    return f"<div>{_svg(named, left_out, None, '', standalone=False)}</div>"


def _rule_to_html(rule: Rule) -> str | None:
    """The notebook display of a plateau: its scale while the metric never improves, and its text."""
    try:
        dataclasses.replace(rule)  # JAX may have changed its numbers.
        # Uncompiled, thousands of observations would take minutes.
        with (
            jax.debug_nans(False),
            jax.debug_infs(False),
            jax.disable_jit(False),
            jax.transfer_guard("allow"),
        ):
            after = np.asarray(observe_all(rule, np.ones(OBSERVATIONS, np.float32)).scale)
    except (TypeError, ValueError):  # It is traced, a batch, or out of range.
        return None
    scales = np.append(np.float32(1), after)
    cuts = np.flatnonzero(np.diff(scales) < 0)[:CUTS] + 1
    end = min(int(cuts[-1]) * 5 // 4 + 2, len(scales)) if len(cuts) else len(scales)
    curve = Curve(repr(rule), COLOURS[0], False, np.arange(end), scales[:end])
    names = "observation", "scale of the rate, if the metric never improves"
    return f"<div>{picture([curve], end, names=names)}</div>"


def _range_test_to_html(test: RangeTest) -> str | None:
    """The notebook display of a range test: its curves, its suggestions, and how it ended."""
    try:
        rates, metrics, smoothed = test._tried()
        suggested = test._suggested()
    except TypeError:  # It is traced, a batch, or holds no numbers.
        return None
    if smoothed.ndim != 1 or not np.isfinite(smoothed).any():
        return None
    # The last metrics of a test that diverged may be orders of magnitude larger than the others.
    shown = np.clip([metrics, smoothed], *(test._limits(metrics, smoothed) or (-np.inf, np.inf)))
    ends = np.array([np.nanmin(shown), np.nanmax(shown)])
    curves = [Curve("raw", RAW, False, rates, shown[0]), Curve("smoothed", SMOOTHED, False, rates, shown[1])]
    for label, rate, colour, style in suggested:
        curves.append(Curve(label, colour, style == "--", np.full(2, rate), ends))
    note = f"{len(rates)} of {len(test.rates)} rates tried{', then it diverged' if test.diverged else ''}"
    log = "x" if test.log_scale else ""
    text = picture(curves, 0, log=log, note=note, names=("learning rate", "metric"), held=False)
    return f"<div>{text}</div>"


Schedule._repr_html_ = to_html
Rule._repr_html_ = _rule_to_html
RangeTest._repr_html_ = _range_test_to_html


def _svg(
    named: Sequence[tuple[str, Schedule]],
    left_out: int,
    steps: int | None,
    log: str,
    standalone: bool,
) -> str:
    total = _checked_steps(steps, named)
    curves = curves_of(named, total, log, COARSE)
    note = f"and {left_out} more" if left_out else ""
    return picture(curves, total, marks_of(named, total), log, note=note, standalone=standalone)


def labelled(schedules: Drawable, most: int | None = None) -> tuple[list[tuple[str, Schedule]], int]:
    """The first `most` schedules, checked and labelled, and how many are left out.

    Raises:
      TypeError: one is not a schedule, or is traced.
      ValueError: there is none, a list holds a stack, or a number is out of its range.
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
    """Converts a value to a schedule whose numbers are concrete and in range; JAX may have changed them."""
    schedule = as_schedule(name, value)
    if not is_concrete(schedule):
        raise TypeError(f"`{name}` must be concrete: the numbers of a traced schedule are not known yet.")
    _check_numbers(schedule)
    return schedule


def _check_numbers(schedule: Schedule) -> None:
    """Runs the constructors of a schedule and its parts again, to check their arguments."""
    dataclasses.replace(schedule)
    for specifier in dataclasses.fields(schedule):
        value = getattr(schedule, specifier.name)
        for each in value if isinstance(value, tuple | Parts) else [value]:
            if isinstance(each, Schedule):
                _check_numbers(each)


def _checked_steps(steps: Any, named: Sequence[tuple[str, Schedule]]) -> int:
    """`steps`, or by default the longest horizon."""
    if steps is None:
        return horizon(*(schedule for _, schedule in named))
    if not is_integer(steps):
        raise TypeError(f"`steps` must be an integer, got {describe(steps)}.")
    if not 1 <= steps <= LAST_STEP:
        raise ValueError(f"`steps` must be at least 1 and at most {LAST_STEP}, got {steps}.")
    return int(steps)


def sampled_steps(schedule: Schedule, steps: int, most: int, log: str = "") -> np.ndarray:
    """All steps of a run, or `most` spread over the axis and both sides of each boundary."""
    first = 1 if "x" in log else 0
    if steps <= most:
        return np.arange(first, steps)
    # A regular grid would alias fast cycles to slow ones.
    places = (np.arange(most) + np.arange(most) * GOLDEN % 1) / most
    spread = np.power(float(steps), places) if first else places * steps
    turns = np.array(boundaries(schedule, steps), np.int64)
    turns = turns[: 0 if len(turns) > most // 4 else None]
    return np.unique(np.concatenate([[first, steps - 1], spread.astype(np.int64), turns - 1, turns]))


def curves_of(
    named: Sequence[tuple[str, Schedule]], steps: int, log: str, most: int, drawn: int = 0
) -> list[Curve]:
    """The curves to draw, where `drawn` others already have their colours."""
    if log not in LOGS:
        raise ValueError(f'`log` must be "x", "y" or "xy", got {log!r}.')
    if "x" in log and steps < 2:
        raise ValueError('`log` must not have "x" for a run of one step.')
    curves = []
    for i, (label, schedule) in enumerate(named, start=drawn):
        at = sampled_steps(schedule, steps, most, log)
        dashed = i // len(COLOURS) % 2 == 1
        curves.append(Curve(label, COLOURS[i % len(COLOURS)], dashed, at, rates_of(schedule, at)))
    if "y" in log and not any((curve.rates > 0).any() for curve in curves):
        raise ValueError('`log` must not have "y" if no rate is above 0.')
    return curves


def marks_of(named: Sequence[tuple[str, Schedule]], steps: int) -> list[int]:
    """The boundaries to mark; none if there are too many."""
    marks = {mark for _, schedule in named for mark in boundaries(schedule, steps)}
    return sorted(marks) if len(marks) <= MOST_MARKS else []


def _write_table(schedules: Drawable, steps: int | None, path: Path, every: int) -> None:
    """Writes a line for every `every` steps, one block at a time."""
    named, _ = labelled(schedules)
    total = _checked_steps(steps, named)
    if not is_integer(every):
        raise TypeError(f"`every` must be an integer, got {describe(every)}.")
    least = -(-total // MOST_ROWS)
    if every < least:
        reason = f" for {total} steps, because a table has at most {MOST_ROWS} lines" if least > 1 else ""
        raise ValueError(f"`every` must be at least {least}{reason}, got {every}.")
    names = ["learning_rate"] if len(named) == 1 else [label for label, _ in named]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *names])
        for start in range(0, total, ROWS * every):
            steps_here = np.arange(start, min(start + ROWS * every, total), every)
            columns = [rates_of(schedule, steps_here) for _, schedule in named]
            writer.writerows(zip(steps_here, *columns, strict=True))


def _curve_lines(ax: Axes) -> list[Any]:
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def _entitle(ax: Axes) -> None:
    """Sets a title for one curve, or a legend for several, even if they were added one by one."""
    labels = [str(line.get_label()) for line in _curve_lines(ax)]
    if len(labels) == 1 and not ax.get_title():
        ax.set_title(labels[0], family="monospace", fontsize=9)
    if len(labels) > 1 and ax.get_title() in labels:
        ax.set_title("")
    if 1 < len(labels) <= MOST_CURVES:
        ax.legend(frameon=False, fontsize=8)
