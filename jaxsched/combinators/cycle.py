"""Schedules that begin again."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxsched import _wide as wide
from jaxsched._clock import Clock
from jaxsched._fields import LARGEST, Number, is_concrete, number, optional_number, show
from jaxsched._schedule import Schedule, ScheduleLike, part


class reflect(Schedule):
    r"""A schedule run there and back, again and again.

    $$f(t) = s(\min(u, P - u)), \quad u = t \bmod P$$

    where $P$ is `period`, the steps of one way there and back.

    >>> import jaxsched as js
    >>> triangle = js.reflect(js.Linear(0.0, 1.0, 2), 4)
    >>> [float(triangle(step)) for step in range(7)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0]

    Args:
      schedule: the schedule; its first `period / 2` steps are used.
      period: the number of steps after which it begins again, above 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `period` is not finite or not above 0.
    """

    schedule: ScheduleLike = part()
    period: Number = number(above=0)

    def evaluate(self: Any, clock: Clock) -> Any:
        return self.schedule.evaluate(clock.there_and_back(self.period))


class cycle(Schedule):
    r"""Warm restarts: a schedule begun again and again, in cycles that may grow and fade.

    $$f(t) = v^k\, s\!\left(\frac{t - t_k}{g^k}\right), \quad
    t_k = C\,\frac{g^k - 1}{g - 1}, \quad t_k \le t < t_{k+1}$$

    where $C$ is `cycle_steps`, $g$ is `length_factor` ($t_k = kC$ for $g = 1$) and $v$ is
    `value_factor`: cycle $k$ takes $g^k$ times as long as the first, and the schedule is stretched with
    it. A start $t_k$ that lies within $2^{-22}$ (relative) of an integer is that integer, so that a
    factor like 1.1, which no float is, restarts at the steps that its decimals say. With a number of
    `cycles` it stays at the end of the last one; without one it goes on for ever. Source: Loshchilov and
    Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, arXiv:1608.03983.

    >>> import jaxsched as js
    >>> restarts = js.cycle(js.Linear(1.0, 0.0, 2), 2, length_factor=2, value_factor=0.5)
    >>> [float(restarts(step)) for step in range(8)]
    [1.0, 0.5, 0.5, 0.375, 0.25, 0.125, 0.25, 0.21875]

    Args:
      schedule: what is repeated; its first `cycle_steps` steps are used.
      cycle_steps: the length of the first cycle in steps, above 0.
      length_factor: how much longer each cycle is than the one before, above 0.
      value_factor: what each cycle's rates are multiplied with once more, at least 0.
      cycles: how many cycles there are, at least 1, or `None` for no end.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside of its range, or `length_factor` is below 1 and `cycles` is
        `None`: such cycles would all be over after finite time.
    """

    schedule: ScheduleLike = part()
    cycle_steps: Number = number(above=0)
    length_factor: Number = number(default=1.0, above=0, at_most=1e6)
    value_factor: Number = number(default=1.0, at_least=0)
    cycles: Number | None = optional_number(default=None, at_least=1)

    def check(self: Any) -> None:
        if self.cycles is None and is_concrete(self.length_factor) and self.length_factor < 1:
            raise ValueError(
                f"`cycles` must be given where `length_factor` is below 1 ({show(self.length_factor)}), "
                "got None."
            )

    def evaluate(self: Any, clock: Clock) -> Any:
        count, local = clock.growing_periods(self.cycle_steps, self.length_factor, self.cycles)
        value = wide.rounded(self.schedule.evaluate(local), clock.dtype)
        return jnp.clip(wide.power(self.value_factor, count) * value, -LARGEST, LARGEST)
