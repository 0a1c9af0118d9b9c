"""Times two functions in turns, so that a busy machine slows both, and compares them by their ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Times(NamedTuple):
    """Seconds per call of two functions, and their ratio.

    Attributes:
      ours: the median of ours.
      theirs: the median of theirs.
      ratio: the median of theirs divided by ours over the rounds; above 1, ours is faster.
      spread: the lowest and highest ratio.
    """

    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float]


def paired(
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    calls: int = 1,
    rounds: int = 9,
    before: Callable[[], Any] = lambda: None,
) -> Times:
    """Times two functions in turns. Each must wait for its work to finish, as `block_until_ready` does.

    Args:
      ours: one function.
      theirs: the other.
      calls: the number of calls of each in a round.
      rounds: the number of rounds; a call of each comes first and is not timed.
      before: a function that is called before every turn and is not timed.
    """
    ours(), theirs()
    rows = []
    for _ in range(rounds):
        before()
        our = _seconds(ours, calls)
        before()
        rows.append((our, _seconds(theirs, calls)))
    ratios = [their / our for our, their in rows]
    our, their = (statistics.median(column) for column in zip(*rows, strict=True))
    return Times(our, their, statistics.median(ratios), (min(ratios), max(ratios)))


def calls_in(function: Callable[[], Any], seconds: float = 0.02) -> int:
    """How many calls take about `seconds` together, from 1 to 1,000."""
    function()
    return max(1, min(1000, round(seconds / _seconds(function, 1))))


def _seconds(function: Callable[[], Any], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls


def in_ratio(ratio: float, spread: Iterable[float]) -> str:
    """A ratio as text, with its lowest and highest."""
    low, high = spread
    return f"{ratio:.2f} ({low:.2f} to {high:.2f})"


def in_words(seconds: float) -> str:
    """A time as text, with its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
