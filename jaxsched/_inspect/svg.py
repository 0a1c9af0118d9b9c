"""Small plots as SVG text, without Matplotlib.

The axes have the colour of the surrounding text (`currentColor`). It is also mixed into the curves, which are
then darker on a light page and lighter on a dark one. A standalone file brings its own background and follows
the viewer's light or dark mode.
"""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDTH = 400
HEIGHT = 150
"""The height of the axes with their numbers, in pixels; the labels come below."""

TOP, RIGHT, BOTTOM = 22, 12, 34
"""The least margins around the curves, in pixels; the numbers at the left and the right may need more."""

SMALL_WIDTH, SMALL_HEIGHT, SMALL_TOP, SMALL_BOTTOM = 180, 84, 8, 18
"""The size and the margins of a small picture, in pixels."""

CHARACTER = 6.1
"""The width of one character of a label at the font size `FONT`, in pixels."""

FONT = 10
LINE = 14
MOST_LINES = 5
"""The most lines of a label; a longer one is cut."""

TOLERANCE = 0.3
"""The largest error of a curve, in pixels."""

BLACK = "#000000"
"""A curve of this colour takes the colour of the text."""

PAGE = "svg.jaxsched{color:#1f2328;background:#fff}"
DARK_PAGE = "svg.jaxsched{color:#e6edf3;background:#0d1117}"
FILE_STYLE = f"<style>{PAGE}@media(prefers-color-scheme:dark){{{DARK_PAGE}}}</style>"
"""The style element of a standalone file."""


@dataclass(frozen=True)
class Curve:
    """Rates by step; each is held until the next.

    Attributes:
      label: a name or an expression.
      colour: such as `#0072b2`.
      dashed: whether the line is dashed.
      steps: ascending integers, shape (n,); any numbers if straight lines join the points.
      rates: shape (n,); a rate that is not finite leaves a gap.
    """

    label: str
    colour: str
    dashed: bool
    steps: np.ndarray
    rates: np.ndarray


def picture(
    curves: Sequence[Curve],
    end: int,
    marks: Sequence[int] = (),
    log: str = "",
    labelled: bool = True,
    note: str = "",
    standalone: bool = False,
    names: tuple[str, str] = ("step", "learning rate"),
    held: bool = True,
    small: bool = False,
    title: str = "",
) -> str:
    """The curves as an `<svg>` element.

    Args:
      curves: the curves, at least one.
      end: the step at which the last rates end.
      marks: the steps to mark with a vertical line.
      log: the logarithmic axes, `""`, `"x"`, `"y"` or `"xy"`; what is not above 0 leaves a gap there.
      labelled: whether to print the labels below the axes.
      note: a line below the labels.
      standalone: whether it is a file, rather than part of a page.
      names: the names of the axes.
      held: whether each rate is held until the next step; otherwise straight lines join the points, and the
        axis begins and ends with them.
      small: whether it is a thumbnail, with fewer numbers and no names at its axes.
      title: the text alternative, by default the labels.
    """
    width, height, top, bottom, most = WIDTH, HEIGHT, TOP, BOTTOM, 5
    if small:
        width, height, top, bottom, most = SMALL_WIDTH, SMALL_HEIGHT, SMALL_TOP, SMALL_BOTTOM, 4
    low, high = _limits([curve.rates for curve in curves], "y" in log)
    rows = _ticks(low, high, "y" in log, most)
    begin, stop = float("x" in log), float(max(end, 2 if "x" in log else 1))
    if not held:
        begin, stop = (float(of(of(curve.steps) for curve in curves)) for of in (min, max))
    columns = [tick for tick in _ticks(begin, stop, "x" in log, most) if not held or tick == int(tick)]
    left = 12 + CHARACTER * max(len(_number(tick)) for tick in rows)
    right = max(RIGHT, 2 + CHARACTER / 2 * len(_number(columns[-1])))
    x = _Scale(begin, stop, left, width - right, "x" in log)
    y = _Scale(low, high, height - bottom, top, "y" in log)
    indent = 28 if len(curves) > 1 else 4
    characters = int((width - 4 - indent) / CHARACTER)
    labels = [wrapped(curve.label, characters) for curve in curves] if labelled else []
    labels += [[note]] if note else []
    title = title or "; ".join(_cut(curve.label, 200) for curve in curves)
    titles = ("", "") if small else (names[0], f"{names[1]}{_unknown(curves)}")
    return "\n".join(
        [
            opening(width, height + LINE * sum(map(len, labels))),
            f"{FILE_STYLE if standalone else ''}<title>{escaped(title)}</title>",
            *_axes(x, y, columns, rows, titles),
            *(_mark(x(mark), y) for mark in marks if x.low <= mark <= x.high),
            *(_curve(curve, end, x, y, held) for curve in curves),
            *_labels(curves, labels, indent, height + 4),
            "</svg>",
        ]
    )


def opening(width: int, height: int) -> str:
    """The opening tag of a picture of this size."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="jaxsched" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;height:auto" role="img" '
        f'font-family="system-ui,sans-serif" font-size="{FONT}" fill="currentColor">'
    )


@dataclass(frozen=True)
class _Scale:
    """The map from numbers to pixels along one axis.

    Attributes:
      low: the number at `start`.
      high: the number at `stop`.
      start: the pixel at one end.
      stop: the pixel at the other end.
      log: whether the axis is logarithmic.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool

    def __call__(self, values: Any) -> Any:
        if not self.log:
            return self.start + (values - self.low) / (self.high - self.low) * (self.stop - self.start)
        with np.errstate(divide="ignore", invalid="ignore"):
            way = np.log10(np.asarray(values, float) / self.low) / math.log10(self.high / self.low)
        return self.start + way * (self.stop - self.start)


def _limits(rates: Sequence[np.ndarray], log: bool) -> tuple[float, float]:
    """The ends of the axis of the rates."""
    values = np.concatenate(rates).astype(float)
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if log:
        return (low / 2, high * 2) if high < 1.1 * low else (low / 1.1, high * 1.1)
    level = high - low <= 1e-6 * max(-low, high)
    if low >= 0 and (level or low <= high / 2):
        low = 0.0
    if high <= 0 and (level or high >= low / 2):
        high = 0.0
    if low == high:
        high = 1.0
    margin = 0.05 * (high - low)
    return low - margin * (low != 0), high + margin * (high != 0)


def _ticks(low: float, high: float, log: bool, most: int) -> list[float]:
    """About `most` round numbers from `low` to `high`."""
    if log:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        if len(powers) > 2:
            return [10.0**power for power in powers[:: math.ceil(len(powers) / most)]]
        around = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        values = [digit * 10.0**power for power in around for digit in (1, 2, 5)]
        if len(inside := [value for value in values if low <= value <= high]) > 1:
            return inside
    unit = 10.0 ** math.floor(math.log10((high - low) / (most - 1)))
    step = next(unit * k for k in (1, 2, 5, 10) if (high - low) / (unit * k) <= most)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _number(value: float) -> str:
    """A tick label in few characters: `0.02`, `5e-5`, `2e9`."""
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.6g}")


def _unknown(curves: Sequence[Curve]) -> str:
    """A note on the first step whose rate is not finite, if any."""
    steps = np.concatenate([curve.steps[~np.isfinite(curve.rates)] for curve in curves])
    return f", not finite at step {steps.min()}" if steps.size else ""


def _axes(
    x: _Scale, y: _Scale, columns: Sequence[float], rows: Sequence[float], names: tuple[str, str]
) -> list[str]:
    """The grid, its tick labels and the names of the axes, if they have any."""
    grid = "".join(f"M{x.start:.1f} {y(tick):.1f}H{x.stop:.1f}" for tick in rows)
    grid += "".join(f"M{x(tick):.1f} {y.start:.1f}V{y.stop:.1f}" for tick in columns)
    at_columns = "".join(
        f'<text x="{x(tick):.1f}" y="{y.start + 13:.1f}">{_number(tick)}</text>' for tick in columns
    )
    at_rows = "".join(
        f'<text x="{x.start - 5:.1f}" y="{y(tick) + 3.5:.1f}">{_number(tick)}</text>' for tick in rows
    )
    if names[0]:
        at_columns += f'<text x="{(x.start + x.stop) / 2:.1f}" y="{y.start + 27:.1f}">{names[0]}</text>'
    return [
        f'<path d="{grid}" stroke="currentColor" stroke-opacity="0.15" fill="none"/>',
        f'<g text-anchor="middle" opacity="0.8">{at_columns}</g>',
        f'<g text-anchor="end" opacity="0.8">{at_rows}</g>',
        *([f'<text x="4" y="12" opacity="0.8">{names[1]}</text>'] if names[1] else []),
    ]


def _mark(place: float, y: _Scale) -> str:
    return (
        f'<path d="M{place:.1f} {y.start:.1f}V{y.stop:.1f}" stroke="currentColor" stroke-opacity="0.5" '
        'stroke-dasharray="1 3"/>'
    )


def _curve(curve: Curve, end: int, x: _Scale, y: _Scale, held: bool) -> str:
    """The line of a curve: level from one step to the next, straight across steps that were not sampled."""
    steps, rates = np.asarray(curve.steps, float), np.asarray(curve.rates, float)
    if x.log and held:
        steps, rates = steps[steps >= 1], rates[steps >= 1]
    ends = np.append(steps[1:], end)
    level = held & ((ends - steps == 1) | (ends == end))
    corners = x(np.stack([steps, ends], axis=1)), y(np.stack([rates, rates], axis=1))
    points = np.stack(corners, axis=-1)[np.stack([np.ones_like(level), level], axis=1)]
    known = np.isfinite(points).all(axis=1)
    runs = np.split(np.arange(len(points)), np.flatnonzero(np.diff(known)) + 1)
    path = "".join(_run(points[run]) for run in runs if run.size and known[run[0]])
    return f'<path d="{path}" {_stroke(curve)} fill="none" stroke-linejoin="round"/>'


def _run(points: np.ndarray) -> str:
    return "M" + " ".join(f"{px:.1f} {py:.1f}" for px, py in _thinned(points))


def _thinned(points: np.ndarray) -> np.ndarray:
    """The points that keep a line within `TOLERANCE`, by the Douglas-Peucker algorithm."""
    needed = {0, len(points) - 1}
    open_ends = [(0, len(points) - 1)]
    while open_ends:
        first, last = open_ends.pop()
        if last - first < 2:
            continue
        chord, offsets = points[last] - points[first], points[first + 1 : last] - points[first]
        way = np.clip(offsets @ chord / max(float(chord @ chord), 1e-12), 0, 1)
        distances = np.linalg.norm(offsets - way[:, None] * chord, axis=1)
        if distances.max() > TOLERANCE:
            middle = first + 1 + int(distances.argmax())
            needed.add(middle)
            open_ends += [(first, middle), (middle, last)]
    return points[sorted(needed)]


def wrapped(label: str, columns: int) -> list[str]:
    """A label in lines of at most `columns` characters."""
    short = _cut(label, columns * MOST_LINES)
    return textwrap.wrap(short, columns, break_on_hyphens=False, max_lines=MOST_LINES, placeholder=" …")


def _labels(curves: Sequence[Curve], labels: Sequence[list[str]], left: int, y: int) -> list[str]:
    """The labels below the axes from `y` on; several curves each get a sample of their line."""
    elements = []
    for i, lines in enumerate(labels):
        if i < len(curves) > 1:
            elements.append(f'<path d="M4 {y - 3.5}H22" {_stroke(curves[i])}/>')
        for line in lines:
            elements.append(f'<text x="{left}" y="{y}">{escaped(line)}</text>')
            y += LINE
    return ['<g font-family="ui-monospace,monospace">', *elements, "</g>"] if elements else []


def _stroke(curve: Curve) -> str:
    """The style of a line; a viewer without `color-mix` uses the plain colour."""
    dashes = ' stroke-dasharray="6 3"' if curve.dashed else ""
    if curve.colour == BLACK:
        return f'stroke="currentColor" stroke-width="2"{dashes}'
    mixed = f"color-mix(in srgb,{curve.colour} 75%,currentColor)"
    return f'stroke="{curve.colour}" style="stroke:{mixed}" stroke-width="2"{dashes}'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escaped(text: str) -> str:
    """`text` escaped for XML, which does not allow most control characters."""
    return html.escape("".join(character if character.isprintable() else "\ufffd" for character in text))
