"""Pairs of schedules with the same values over 100,000 steps: ours, and Optax's or a formula in `jnp`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

import jaxsched as js

T = 100_000
"""The number of steps of a run."""

W = 1000
"""The number of steps of its warmup."""

PARTS = 1000
"""The number of parts of schedules with many."""


class Pair(NamedTuple):
    """A schedule, and its equivalent with Optax.

    Attributes:
      ours: a schedule, or a stack of them.
      theirs: a function of the step or, for a stack, of the index of a member and the step.
      members: the number of members of a stack, or 0 for a single schedule.
      plain: whether `theirs` is a formula, because Optax has no such schedule.
    """

    ours: js.Schedule
    theirs: Callable[..., Any]
    members: int = 0
    plain: bool = False

    def our_rate(self, schedule: js.Schedule, step: Any) -> Any:
        """The rate of a schedule with the structure of ours, or of each member of a stack."""
        return jax.vmap(lambda member: member(step))(schedule) if self.members else schedule(step)

    def our_closed(self, step: Any) -> Any:
        """The rate of our schedule."""
        return self.our_rate(self.ours, step)

    def their_rate(self, step: Any) -> Any:
        """The rate of their schedule."""
        if self.members:
            return jax.vmap(lambda member: self.theirs(member, step))(jnp.arange(self.members))
        return self.theirs(step)

    def our_step(self, schedule: js.Schedule, params: Any, state: Any, grads: Any) -> Any:
        """A step of SGD with momentum, with a schedule like ours, or one step for each member of a stack."""

        def step(schedule: js.Schedule, params: Any, state: Any, grads: Any) -> Any:
            return descend(js.scale_by_learning_rate(schedule), params, state, grads)

        return (jax.vmap(step) if self.members else step)(schedule, params, state, grads)

    def their_step(self, params: Any, state: Any, grads: Any) -> Any:
        """The same step with theirs."""
        if not self.members:
            return descend(optax.scale_by_learning_rate(self.theirs), params, state, grads)

        def step(member: Any, params: Any, state: Any, grads: Any) -> Any:
            scale = optax.scale_by_learning_rate(lambda count: self.theirs(member, count))
            return descend(scale, params, state, grads)

        return jax.vmap(step)(jnp.arange(self.members), params, state, grads)

    def constant_step(self, params: Any, state: Any, grads: Any) -> Any:
        """The same step with a constant rate."""
        step = partial(descend, optax.scale_by_learning_rate(0.3))
        return (jax.vmap(step) if self.members else step)(params, state, grads)


def descend(scale: optax.GradientTransformation, params: Any, state: Any, grads: Any) -> Any:
    """A step of SGD with momentum."""
    tx = optax.chain(optax.trace(0.9), scale)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state


def joined(schedules: Sequence[Callable[[Any], Any]], *lengths: int) -> Callable[[Any], Any]:
    """Optax's join of schedules of these lengths; the last has no end."""
    return optax.join_schedules(list(schedules), list(itertools.accumulate(lengths)))


def restarts(lengths: Sequence[int]) -> Callable[[Any], Any]:
    """Optax's cosines of these lengths, one after another."""
    cycles = [
        {"init_value": 0.3, "peak_value": 0.3, "decay_steps": each, "warmup_steps": 0} for each in lengths
    ]
    return optax.sgdr_schedule(cycles)


def many_cosines() -> Pair:
    """A join of 1,000 cosines."""
    steps, peaks = T // PARTS, [0.3 - 1e-4 * i for i in range(PARTS)]
    return Pair(
        js.join([js.Cosine(peak, 0.0, steps) for peak in peaks], [steps * i for i in range(1, PARTS)]),
        joined([optax.cosine_decay_schedule(peak, steps) for peak in peaks], *[steps] * (PARTS - 1)),
    )


def five_kinds() -> Pair:
    """A stack of five kinds, and a switch."""
    names = ("Constant", "Linear", "Cosine", "Exponential", "warmup(Cosine)")
    pairs = [PAIRS[name]() for name in names]
    branches = [pair.theirs for pair in pairs]
    return Pair(
        js.stack([pair.ours for pair in pairs]),
        lambda member, step: lax.switch(member, branches, step),
        len(pairs),
    )


PAIRS: dict[str, Callable[[], Pair]] = {
    "Constant": lambda: Pair(js.Constant(0.3), optax.constant_schedule(0.3)),
    "Linear": lambda: Pair(js.Linear(0.3, 0.0, T), optax.linear_schedule(0.3, 0.0, T)),
    "Cosine": lambda: Pair(js.Cosine(0.3, 0.0, T), optax.cosine_decay_schedule(0.3, T)),
    "Polynomial(2)": lambda: Pair(js.Polynomial(0.3, 0.0, T, 2), optax.polynomial_schedule(0.3, 0.0, 2, T)),
    "Geometric": lambda: Pair(
        js.Geometric(0.3, 0.003, T), optax.exponential_decay(0.3, T, 0.01, end_value=0.003)
    ),
    "Exponential": lambda: Pair(js.Exponential(0.3, 0.9999), optax.exponential_decay(0.3, 1, 0.9999)),
    "InversePower": lambda: Pair(js.InversePower(0.3, W, 1), lambda step: 0.3 / (1 + step / W), plain=True),
    "Piecewise(5)": lambda: Pair(
        js.Piecewise([0.3, 0.1, 0.03, 0.01, 0.003], [T // 5, 2 * T // 5, 3 * T // 5, 4 * T // 5]),
        optax.piecewise_constant_schedule(
            0.3, {T // 5: 1 / 3, 2 * T // 5: 0.3, 3 * T // 5: 1 / 3, 4 * T // 5: 0.3}
        ),
    ),
    "warmup(Cosine)": lambda: Pair(
        js.warmup(js.Cosine(0.3, 0.0, T - W), W), optax.warmup_cosine_decay_schedule(0.0, 0.3, W, T)
    ),
    "WSD": lambda: Pair(
        js.warmup_stable_decay(0.3, T, W, T // 5),
        joined(
            [
                optax.linear_schedule(0.0, 0.3, W),
                optax.constant_schedule(0.3),
                optax.linear_schedule(0.3, 0.0, T // 5),
            ],
            *(W, T - T // 5 - W),
        ),
    ),
    "one_cycle": lambda: Pair(
        js.one_cycle(0.3 / 25, 0.3, 0.3 / 25e4, T), optax.cosine_onecycle_schedule(T, 0.3, 0.3)
    ),
    "cyclic": lambda: Pair(
        js.cyclic(0.1, 0.3, W),
        lambda step: 0.3 - 0.2 * jnp.abs(step % (2 * W) / W - 1),
        plain=True,
    ),
    "warm_restarts, equal": lambda: Pair(js.warm_restarts(0.3, 0.0, T // 10), restarts([T // 10] * 10)),
    "warm_restarts, growing": lambda: Pair(
        js.warm_restarts(0.3, 0.0, T // 1000, 2), restarts([T // 1000 * 2**i for i in range(10)])
    ),
    "inverse_sqrt": lambda: Pair(
        js.inverse_sqrt(0.3, W),
        joined([optax.linear_schedule(0.0, 0.3, W), lambda step: 0.3 * (1 + step / W) ** -0.5], W),
        plain=True,
    ),
    "noam": lambda: Pair(
        js.noam(512, W),
        lambda step: 512**-0.5 * jnp.minimum((step + 1.0) ** -0.5, (step + 1.0) * W**-1.5),
        plain=True,
    ),
    "join of 3": lambda: Pair(
        js.join([0.1, js.Cosine(0.3, 0.0, T // 2), js.Linear(0.1, 0.0, T // 4)], [T // 4, 3 * T // 4]),
        joined(
            [
                optax.constant_schedule(0.1),
                optax.cosine_decay_schedule(0.3, T // 2),
                optax.linear_schedule(0.1, 0.0, T // 4),
            ],
            *(T // 4, T // 2),
        ),
    ),
    "join of 1,000": many_cosines,
    "stack of 5 kinds": five_kinds,
}
"""The rows of the cost tables."""

THIRTEEN = (
    *("Constant", "Linear", "Cosine", "Polynomial(2)", "Geometric", "Exponential", "Piecewise(5)"),
    *("warmup(Cosine)", "WSD", "one_cycle", "warm_restarts, equal", "inverse_sqrt", "join of 3"),
)
"""The usual schedules, compared by the sum of their instructions."""
