"""What is known of schedules before they run, in words and as a picture: `python -m jaxsched forecast`."""

from __future__ import annotations

import csv
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsched._core.schedule import Schedule
from jaxsched._figures import STYLE, imported
from jaxsched._inspect.plot import COLOURS, plot, svg
from jaxsched._inspect.svg import FILE_STYLE, WIDTH, Curve, opening, picture, wrapped
from jaxsched._inspect.tables import as_text
from jaxsched.forecast._rates import rates_of
from jaxsched.forecast.convex import bound
from jaxsched.forecast.decay import memory
from jaxsched.forecast.laws import LossLaw

COLUMNS = 80
"""The width of the text."""

HORIZONS = 200
"""The number of points of a curve."""


class Fit(NamedTuple):
    """A law fitted to runs.

    Attributes:
      law: the law.
      steps: the number of updates in the longest run.
    """

    law: LossLaw
    steps: int


def in_words(schedules: Sequence[Schedule], steps: int, weight_decay: float, fit: Fit | None) -> str:
    """The schedules with their numbers, and a table for theory and one for a law.

    Raises:
      ValueError: a rate is negative or not finite, or one times `weight_decay` is above 1; with a law, a
        schedule has no rate above 0.
    """
    names = [f"{i + 1}" for i in range(len(schedules))]
    parts = []
    for name, schedule in zip(names, schedules, strict=True):
        first, *others = wrapped(repr(schedule), COLUMNS - len(name) - 2)
        parts.append("\n".join([f"{name}  {first}", *(" " * (len(name) + 2) + line for line in others)]))
    told = _theory(names, schedules, steps, weight_decay)
    if fit is not None:
        told += ["", *_by_law(names, schedules, steps, fit)]
    return "\n".join([*parts, "", *told])


def _theory(
    names: Sequence[str], schedules: Sequence[Schedule], steps: int, weight_decay: float
) -> list[str]:
    """The table of the bound and of what the final weights remember, with the meaning of its columns."""
    rows = [["", "bound", "factor", "bound with it", "window", "warmup", "cooldown", "initial"]]
    notes = []
    for name, schedule in zip(names, schedules, strict=True):
        try:
            found, kept = bound(schedule, steps), memory(schedule, weight_decay, steps)
        except ValueError as error:
            raise ValueError(f"{name}, {schedule!r}: {error}") from error
        numbers = [found.value, found.best_multiplier, found.best_value]
        shares = [kept.warmup, kept.cooldown, kept.initial]
        rows.append(
            [name, *(f"{x:.4g}" for x in numbers), f"{kept.window:.0f}", *(f"{x:.1%}" for x in shares)]
        )
        if np.isinf(found.value):
            moves = np.flatnonzero(rates_of(schedule, 0, steps))
            end = f"from step {moves[-1] + 1} on, so the bound is infinite" if len(moves) else "at all steps"
            notes += _wrapped(f"note: {name} has a rate of 0 {end}.")
    return [
        as_text(rows, "<" + ">" * 7),
        *notes,
        "",
        *_wrapped(
            f"bound: of convex theory on the loss after {steps} steps, for gradients of norm 1 at a distance "
            "of 1 from the solution; factor: on the rates, for the lowest bound."
        ),
        *_wrapped(
            "window: the mean age in steps of what the final weights remember under a weight decay of "
            f"{weight_decay:g}; warmup, cooldown: their shares of it; initial: what is left of the initial "
            "weights."
        ),
    ]


def _by_law(names: Sequence[str], schedules: Sequence[Schedule], steps: int, fit: Fit) -> list[str]:
    """The table of the predicted losses, and where the law extrapolates."""
    law, last = fit.law, steps - 1
    runs = "1 run" if len(law.residuals) == 1 else f"{len(law.residuals)} runs"
    if steps <= fit.steps and law.fitted:
        # The last loss of a run may be a mean over the updates before its end.
        last = min(last, law.fitted.steps[1])
    predicted = [law.predict(schedule, [last]) for schedule in schedules]
    lowest = int(np.argmin([each.loss[0] for each in predicted]))
    rows = [["", "loss", "90% band", "above the lowest"]]
    notes = []
    for i, (name, each) in enumerate(zip(names, predicted, strict=True)):
        over = ""
        if i != lowest:
            found = law.compare(schedules[i], schedules[lowest], last)
            over = f"{found.difference:.2g} ± {found.error:.2g}"
            over += "" if found.distinguishable else ", not distinguishable"
        rows.append([name, f"{each.loss[0]:.4g}", f"{each.low[0]:.4g} to {each.high[0]:.4g}", over])
        for text in each.extrapolates:
            notes += _wrapped(f"note: {name} is beyond the fit: {text}.")
    return [
        f"The loss after {last + 1} steps, by the {law.law} law fitted to {runs}:",
        as_text(rows, "<>><"),
        *notes,
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)


class _Panel(NamedTuple):
    """A quantity along the run.

    Attributes:
      name: what it is.
      curves: its values for each schedule, shape (horizons,).
      bands: pairs of the low and the high end for each schedule, or nothing.
    """

    name: str
    curves: list[np.ndarray]
    bands: list[tuple[np.ndarray, np.ndarray]]


def save(schedules: Sequence[Schedule], steps: int, path: Path, fit: Fit | None) -> None:
    """Saves the bound, the predicted loss and the rate along the run: as `.svg` or `.png`, or as `.csv`.

    Raises:
      ImportError: `path` is a `.png`, and Matplotlib is not installed.
      OSError: the file cannot be written.
      ValueError: as in `in_words`.
    """
    curves = [bound(each, steps).curve(HORIZONS) for each in schedules]
    at = curves[0].horizons
    panels = [_Panel("bound", [each.values for each in curves], [])]
    if fit is not None:
        predicted = [_predicted(fit.law, each, at) for each in schedules]
        panels.append(
            _Panel("loss", [loss for loss, _, _ in predicted], [(low, high) for _, low, high in predicted])
        )
    match path.suffix.lower():
        case ".svg":
            path.write_text(_svg(schedules, steps, at, panels), encoding="utf-8")
        case ".png":
            _save_png(schedules, steps, at, panels, path)
        case _:
            _save_csv(schedules, steps, at, panels, path)


def _predicted(law: LossLaw, schedule: Schedule, at: np.ndarray) -> np.ndarray:
    """The loss and the ends of its band, shape (3, horizons); NaN before the first rate above 0."""
    moves = np.cumsum(rates_of(schedule, 0, at[-1]))[at - 1] > 0
    said = law.predict(schedule, at[moves] - 1)
    found = np.full((3, len(at)), np.nan)
    found[:, moves] = said.loss, said.low, said.high
    return found


def _svg(schedules: Sequence[Schedule], steps: int, at: np.ndarray, panels: Sequence[_Panel]) -> str:
    """The pictures of the quantities above that of the rates, as one file."""
    pictures = []
    for name, curves, bands in panels:
        drawn = [Curve("", *_style(i), at, each) for i, each in enumerate(curves)]
        drawn += [Curve("", _style(i)[0], True, at, end) for i, band in enumerate(bands) for end in band]
        pictures.append(picture(drawn, steps, log="y", labelled=False, names=("step", name), held=False))
    pictures.append(svg([*schedules], steps, standalone=False))
    cells, height = [], 0
    for each in pictures:
        head, content = each.removesuffix("</svg>").split("\n", 1)
        cells.append(f'<g transform="translate(0 {height})">\n{content}</g>')
        height += int(re.findall(r'height="(\d+)"', head)[0])
    return "\n".join([opening(WIDTH, height) + FILE_STYLE, *cells, "</svg>", ""])


def _save_png(
    schedules: Sequence[Schedule], steps: int, at: np.ndarray, panels: Sequence[_Panel], path: Path
) -> None:
    figure = imported("matplotlib.figure").Figure(figsize=(8, 3 * len(panels) + 3), layout="constrained")
    with imported("matplotlib").rc_context(STYLE):
        *axes, rates = figure.subplots(len(panels) + 1, sharex=True)
        plot([*schedules], steps, rates)
        for ax, (name, curves, bands) in zip(axes, panels, strict=True):
            for i, values in enumerate(curves):
                colour, dashed = _style(i)
                ax.plot(
                    at,
                    np.where(np.isfinite(values), values, np.nan),
                    color=colour,
                    ls="--" if dashed else "-",
                )
            for i, (low, high) in enumerate(bands):
                ax.fill_between(at, low, high, color=_style(i)[0], alpha=0.15, lw=0)
            ax.set_yscale("log")
            ax.set_ylabel(name)
    figure.savefig(path, dpi=150)


def _save_csv(
    schedules: Sequence[Schedule], steps: int, at: np.ndarray, panels: Sequence[_Panel], path: Path
) -> None:
    """Writes a line for each horizon: the rate of the last update before it, and what holds after it."""
    columns = {"step": at}
    for i, schedule in enumerate(schedules):
        of = f" of {schedule!r}" if len(schedules) > 1 else ""
        columns[f"learning_rate{of}"] = rates_of(schedule, 0, steps)[at - 1]
        for name, curves, bands in panels:
            columns[f"{name}{of}"] = curves[i]
            if bands:
                columns[f"low{of}"], columns[f"high{of}"] = bands[i]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _style(i: int) -> tuple[str, bool]:
    """The colour of a curve, and whether it is dashed."""
    return COLOURS[i % len(COLOURS)], i // len(COLOURS) % 2 == 1
