"""The next schedule, from the norms of the gradients that a run has logged."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jaxsched._core.fields import Numbers, as_numbers, checked_number, describe, is_concrete, show
from jaxsched._core.schedule import Schedule, ScheduleLike
from jaxsched._inspect.check import one_schedule, whole_steps
from jaxsched.combinators.ramps import knots as through
from jaxsched.forecast._rates import check_some, rates_of
from jaxsched.shapes.levels import Table

POWERS = {"adam": -1, "sgd": -2}
"""The weight of an update is its norm to this power."""


def refine(
    schedule: ScheduleLike,
    gradient_norms: Numbers,
    optimizer: Literal["adam", "sgd"] = "adam",
    *,
    smoothing: float = 0.1,
    knots: int | None = None,
) -> Schedule:
    r"""The schedule that is best in theory, given the gradients of a run.

    $$\eta_t = c \, w_t \sum_{p=t+1}^{T} w_p, \qquad
    w_t = \begin{cases} \hat G_t^{-1} & \text{adam} \\ \hat G_t^{-2} & \text{sgd} \end{cases}$$

    where $T$ is the number of norms, $\hat G_t$ is the median of the norms about update $t$, and $c$ gives
    the refined schedule the largest rate that `schedule` has in the run. Norms that stay the same give a
    linear decay. Norms that fall at first give a warmup. The last rate is 0.

    The median is over $2 \lfloor \lfloor \text{smoothing} \cdot T \rfloor / 2 \rfloor + 1$ norms. At the
    start the norms are padded with the first one, and at the end with their reflection.

    >>> import jaxsched as js
    >>> from jaxsched import forecast
    >>> forecast.refine(js.Cosine(0.75, 0, 5), [2, 2, 2, 2, 2])
    Table([0.75, 0.5625, 0.375, 0.1875, 0])
    >>> forecast.refine(js.Cosine(0.75, 0, 5), [4, 2, 2, 2, 2])
    Table([0.5, 0.75, 0.5, 0.25, 0])

    Args:
      schedule: the schedule of the run.
      gradient_norms: the norm of the gradient at each update, shape (T,), from step 0 on: the sum of the
        absolute values (L1) for Adam, and the Euclidean norm (L2) for SGD.
      optimizer: `"adam"` or `"sgd"`.
      smoothing: the length of the median's window as a fraction of the run, from 0, for none, to 1.
      knots: the number of knots of the result, at least 2, evenly spaced from step 0 to the last.

    Returns:
      A `Table` of $T$ rates, or with `knots` a `jaxsched.knots` through some of them.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `schedule` is a stack, a rate of it is negative or not finite, or all are 0; there are
        fewer than two norms, or one is not finite or not above 0; another argument is out of range.

    Source: Defazio et al., "Optimal Linear Decay Learning Rate Schedules and Further Refinements",
    arXiv:2310.07831, with the filter and the smoothing of their code.
    """
    plan = one_schedule(schedule)
    if not isinstance(optimizer, str) or optimizer not in POWERS:
        raise ValueError(f'`optimizer` must be "adam" or "sgd", got {optimizer!r}.')
    if not is_concrete(gradient_norms, smoothing):
        raise TypeError("`gradient_norms` and `smoothing` must be concrete, got traced ones.")
    norms = np.asarray(as_numbers("gradient_norms", gradient_norms), np.float64)
    if len(norms) < 2:
        raise ValueError(f"`gradient_norms` must have at least 2 numbers, got {len(norms)}.")
    for i in np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))[:1]:
        raise ValueError(f"`gradient_norms[{i}]` must be finite and above 0, got {show(norms[i])}.")
    fraction = float(checked_number("smoothing", smoothing, at_least=0, at_most=1))
    run = rates_of(plan, 0, len(norms))
    check_some(run, len(norms) - 1)
    smooth = _median_filter(norms, int(fraction * len(norms)) // 2)
    # Relative to the lowest norm, no weight overflows.
    weights = (smooth / smooth.min()) ** POWERS[optimizer]
    after = np.append(np.cumsum(weights[:0:-1])[::-1], 0.0)
    refined = weights * after
    rates = refined / refined.max() * run.max()
    if knots is None:
        return Table(rates)
    count = whole_steps("knots", knots)
    if not 2 <= count <= len(rates):
        raise ValueError(
            f"`knots` must be from 2 to {len(rates)}, the number of norms, got {describe(knots)}."
        )
    steps = np.arange(count) * (len(rates) - 1) // (count - 1)
    return through(rates[steps], steps)


def _median_filter(values: np.ndarray, half: int) -> np.ndarray:
    """The median of each value, `half` values before it and `half` after it, in O(n log n).

    It finds the bits of the medians' ranks from the highest to the lowest. At each bit the ranks with a 0 go
    before those with a 1, and of each window the range of those ranks stays that begin as its median does.
    """
    # The filter of SciPy is as fast from 1.15 on, but until 1.15.2 its medians may be wrong.
    padded = np.pad(np.pad(values, (0, half), mode="reflect"), (half, 0), mode="edge")
    order = np.argsort(padded, kind="stable")
    ranks = np.argsort(order, kind="stable")
    start = np.arange(len(values))
    end = start + 2 * half + 1
    below = np.full(len(values), half)
    median = np.zeros(len(values), int)
    for bit in reversed(range(len(padded).bit_length())):
        ones = ranks >> bit & 1
        zeros = np.append(0, np.cumsum(1 - ones))
        smaller = zeros[end] - zeros[start]
        high = below >= smaller
        start, end = (np.where(high, zeros[-1] + each - zeros[each], zeros[each]) for each in (start, end))
        below -= np.where(high, smaller, 0)
        median += high << bit
        ranks = np.concatenate([ranks[ones == 0], ranks[ones == 1]])
    return padded[order[median]]
