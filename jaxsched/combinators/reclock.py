"""A schedule on a clock that is a schedule itself."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.clock import LARGEST_STEP, LAST_STEP, Clock
from jaxsched._core.fields import brief, is_concrete, show
from jaxsched._core.lookup import as_array
from jaxsched._core.schedule import Constant, Product, Schedule, ScheduleLike, Sum, part, registry
from jaxsched._core.span import MOST, Span
from jaxsched._core.transition import Transition
from jaxsched._core.versions import enable_x64
from jaxsched.combinators.clocks import per_epoch, shift, staircase, stretch
from jaxsched.combinators.ramps import cooldown, knots, warmup

STRAIGHT = 1e-9
"""How far a clock may be from a straight line, relative to its time, to count as one."""


class reclock(Schedule):
    r"""A schedule on the clock of another schedule.

    $$f(t) = s(c(t))$$

    where $c$ is `clock`. It gives what the schedule counts, such as tokens, samples or hours, after $t$
    updates. For a plan in tokens with a growing batch, use `reclock(plan, knots(tokens, steps))`.

    A time within four rounding errors of an integer is rounded to it, so each part of a plan begins at the
    step that reaches its number of tokens. Times are clipped to the range from 0 to 2^53. Without float64, as
    on a TPU, a time has 24 bits.

    | step                                                           | 0   | 9      | 10    | 11     |
    |----------------------------------------------------------------|-----|--------|-------|--------|
    | `reclock(Linear(0.3, 0, 40), knots([0, 10, 40], [0, 10, 20]))` | 0.3 | 0.2325 | 0.225 | 0.2025 |

    >>> import jaxsched as js
    >>> tokens = js.knots([0, 4e9, 10e9], [0, 2000, 3000])    # 2M a step, then 6M
    >>> schedule = js.reclock(js.Linear(0.5, 0.0, 10e9), tokens)
    >>> [round(float(schedule(step)), 3) for step in (0, 1000, 2000, 2500, 3000)]
    [0.5, 0.4, 0.3, 0.15, 0.0]

    Args:
      schedule: the schedule, in units of the clock; a number is a constant.
      clock: a schedule that never falls and gives the time at each step; a function of the step is a
        `Lambda`.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `clock` falls or goes beyond 2^53. This is checked for a transition, `Piecewise`, `Table`
        and `knots` with concrete numbers, also inside `shift`, `stretch`, `staircase`, `per_epoch`, `warmup`
        and `cooldown`, and times or plus a number. Other clocks are not checked.
    """

    schedule: ScheduleLike = part()
    clock: ScheduleLike = part()

    def check(self: Any) -> None:
        times = np.asarray(_times(self.clock) if is_concrete(self.clock) else [], np.float64)
        falls = np.flatnonzero(np.diff(times) < 0)
        if falls.size:
            before, after = times[falls[0] : falls[0] + 2]
            raise ValueError(
                f"`clock` must be a schedule that does not fall, got {brief(self.clock)}, which goes from "
                f"{show(before)} to {show(after)}."
            )
        if times.max(initial=0.0) > LARGEST_STEP:
            raise ValueError(
                f"`clock` must be at most {show(LARGEST_STEP)}, got {brief(self.clock)}, which goes up to "
                f"{show(times.max())}. Count in a larger unit."
            )

    def evaluate(self: Any, t: Clock) -> Any:
        time = as_array(self.clock.evaluate(t), t.dtype)
        whole = jnp.round(time)
        rounding = 2 * float(jnp.finfo(t.dtype).eps) * abs(time)
        off = jnp.where(abs(whole - time) <= rounding, whole - time, 0)
        return self.schedule.evaluate(Clock.start(time + lax.stop_gradient(off), t.dtype))

    def spans(self: Any, until: float) -> Iterator[Span]:
        for span in _spans(self.schedule, self.clock):
            if span.since < until:
                yield span if span.part is None else span._replace(part=self.schedule)

    def peak(self: Any) -> float | None:
        highest: float | None = self.schedule.peak()
        return highest


def _times(clock: Any) -> Any:
    """Values that a clock has one after the other, as far as its numbers tell."""
    if isinstance(clock, Constant):
        return (clock.value,)
    if isinstance(clock, Transition):
        return clock.init_value, clock.end_value
    if type(clock) in (knots, registry["Piecewise"], registry["Table"]):
        return clock.values
    if isinstance(clock, shift | stretch | staircase | per_epoch | warmup):
        return _times(clock.schedule)
    if isinstance(clock, cooldown):
        return *_times(clock.schedule)[:1], clock.end_value
    if (
        isinstance(clock, Product | Sum)
        and sum(not isinstance(each, Constant) for each in clock.schedules) < 2
    ):
        combine = np.multiply if isinstance(clock, Product) else np.add
        return functools.reduce(combine, [np.asarray(_times(each), np.float64) for each in clock.schedules])
    return ()


@functools.lru_cache(256)
def _spans(schedule: Schedule, clock: Schedule) -> list[Span]:
    """The spans of a schedule on a clock. They are kept, as those of a nest of clocks would take long."""
    length = schedule.duration()
    spans: list[Span] = []
    for piece in _pieces(clock, [*itertools.islice(_edges(schedule), MOST)]):
        span = piece._replace(part=schedule)
        reached = span.part_time(span.until) if span.speed else span.time
        if length is not None and length * (1 - STRAIGHT) <= reached:
            # The schedule is over, and nothing that the clock does later matters.
            return [*spans, span._replace(until=math.inf)]
        # Where the clock stops, a schedule is cut off before its end.
        stops = span.until == math.inf and span.speed == 0 and span.since > 0
        spans.append(piece if stops else span)
    return spans


def _pieces(clock: Schedule, boundaries: list[float]) -> list[Span]:
    """The intervals in which a clock is a straight line.

    A curve is cut at the first steps at which it is at the boundaries, so that they are not missed. In
    between, its chord stands for it.
    """

    def at(steps: np.ndarray) -> np.ndarray:
        with jax.ensure_compile_time_eval(), enable_x64(True):
            return np.asarray(clock(steps), np.float64)

    kinks = np.unique([0.0, *itertools.islice(_edges(clock), MOST)])
    kinks = kinks[(kinks >= 0) & (kinks < LAST_STEP)]
    # The jump at the end of an interval does not belong to it. The last interval has no end.
    shares = np.linspace(0, 1, 16, endpoint=False)
    inner = kinks[:-1, None] + np.diff(kinks)[:, None] * shares
    last = kinks[-1] + np.append(0.0, np.geomspace(1, LAST_STEP - kinks[-1], 15))
    steps = np.vstack([inner, last])
    passed, times = steps - steps[:, :1], at(steps)
    speeds = (times[:, -1:] - times[:, :1]) / passed[:, -1:]
    curved = (abs(times - times[:, :1] - speeds * passed) > STRAIGHT * (abs(times) + abs(speeds))).any(1)
    right, left = times[:, 0], at(np.nextafter(kinks, 0))
    left = np.where(abs(right - left) <= STRAIGHT * abs(right), right, left)
    ends = dict(zip(kinks.tolist(), zip(left, right, strict=True), strict=True))
    if curved.any():
        first, latest = times[0, 0], times[-1, -1]
        wanted = np.array([*sorted(time for time in boundaries if first < time < latest), latest])
        low, high = np.zeros_like(wanted), np.full_like(wanted, LAST_STEP)
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            there = at(middle) >= wanted
            low, high = np.where(there, low, middle), np.where(there, middle, high)
        bent = curved[np.searchsorted(kinks, high, "right") - 1] & ~np.isin(high, kinks)
        ends |= {step: (time, time) for step, time in zip(high[bent].tolist(), wanted[bent], strict=True)}
    pieces: list[Span] = []
    for since, until in itertools.pairwise([*sorted(ends), math.inf]):
        time = ends[since][1]
        if until < math.inf:
            speed = (ends[until][0] - time) / (until - since)
        elif since < LAST_STEP:
            # A curve has got to its last value here.
            speed = 0.0 if curved[-1] else speeds[-1, 0]
        else:
            pieces[-1] = pieces[-1]._replace(until=math.inf)
            break
        pieces.append(Span(None, since, until, float(time), float(speed)))
    return pieces


def _edges(schedule: Schedule) -> Iterator[float]:
    """The times at which a schedule may have a kink or a jump."""
    end = schedule.duration()
    if end is not None:
        yield end
    for span in itertools.islice(schedule.spans(math.inf), MOST):
        yield span.since
        if span.part is not None and span.speed > 0:
            own = (span.since + (time - span.time) / span.speed for time in _edges(span.part))
            yield from (time for time in own if span.since < time < span.until)
