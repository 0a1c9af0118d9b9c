"""Times side by side: in turns, so that a busy machine slows both, and as a ratio with its spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Times(NamedTuple):
    """Seconds a call of each of two functions, and their ratio.

    Attributes:
      ours: the median of ours.
      theirs: the median of theirs.
      ratio: the median over the rounds of theirs to ours: above 1, ours is faster.
      spread: its lowest and highest.
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
    """Times two functions in turns; each ends with its work done, so with `block_until_ready`.

    Args:
      ours: one function.
      theirs: the other.
      calls: of each in a turn.
      rounds: of a turn each; a call of each comes first and is not timed.
      before: what comes before every turn and is not timed.
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
    """How many calls take so long together: at least 1, at most 1,000."""
    function()
    return max(1, min(1000, round(seconds / _seconds(function, 1))))


def _seconds(function: Callable[[], Any], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls


def in_words(seconds: float) -> str:
    """A time with its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
