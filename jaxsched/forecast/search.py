"""The numbers of a schedule that are best for an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxsched._core.fields import Number, checked_number, describe, frozen, is_number, show
from jaxsched._core.schedule import Schedule
from jaxsched._core.versions import enable_x64
from jaxsched._inspect.check import one_schedule, whole_steps

INSIDE = 0.01
"""A number starts at least this fraction of its range inside of its bounds: at a bound it would stay."""

SETTLED = 1e-9
"""The search ends where the norm of the gradient is below this fraction of the objective."""


def optimize(
    schedule: Schedule,
    objective: Callable[[Any], Any],
    *,
    leaves: Mapping[str, tuple[Number, Number]],
    iterations: int = 200,
) -> Schedule:
    r"""Minimises an objective over some numbers of a schedule, within bounds, using gradients.

    L-BFGS varies an unbounded $z$ for each number $x$:

    $$x = \begin{cases}\text{low}^{1 - s} \, \text{high}^s & \text{low} > 0 \\
    \text{low} + (\text{high} - \text{low}) \, s & \text{low} \le 0\end{cases}, \qquad s = \sin^2 z$$

    It computes in float64, starts at the numbers of `schedule` and finds a local minimum. A number at a bound
    starts a hundredth of its range inside. If nothing is lower than the start, you get the start back.

    >>> import jaxsched as js
    >>> from jaxsched import forecast
    >>> best = forecast.optimize(
    ...     js.Linear(0.1, 0.0, 100),
    ...     lambda schedule: forecast.bound(schedule, 100, gradient_norms=2.0).value,
    ...     leaves={"init_value": (1e-4, 1.0)},
    ... )
    >>> f"{best.init_value:.4f}"
    '0.0486'

    Args:
      schedule: the start. Its other numbers do not change.
      objective: maps a schedule to a number, such as its bound, or its loss at a step by a law,
        `law.loss(schedule, step)`. It is differentiated and compiled, so write it with `jax.numpy`. It may
        build another schedule from the numbers of the one that it gets.
      leaves: the lowest and the highest value of each number to vary, by its field: `"peak_value"`. A field
        that occurs twice needs its path: `"schedule.value"`. For a list, all entries vary.
      iterations: the largest number of steps of L-BFGS, each with several evaluations.

    Returns:
      The schedule with the best numbers.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `schedule` is a stack; `leaves` is empty, or a name in it is not that of one number; bounds
        are not in order, or a number starts outside of them; or the objective is not finite at the start.

    Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989, as
    `optax.lbfgs`.
    """
    plan = one_schedule(schedule)
    if not callable(objective):
        raise TypeError(f"`objective` must be callable, got {describe(objective)}.")
    most = whole_steps("iterations", iterations)
    paths, structure = jax.tree_util.tree_flatten_with_path(plan)
    names = [jax.tree_util.keystr(path).removeprefix(".") for path, _ in paths]
    values = [leaf for _, leaf in paths]
    ranges = {_index(name, names): _Range(name, bounds) for name, bounds in _items(leaves)}
    starts = {i: ranges[i].inverse(np.asarray(values[i], np.float64)) for i in ranges}

    def rebuilt(found: dict[int, Any]) -> Any:
        return jax.tree.unflatten(structure, [found.get(i, value) for i, value in enumerate(values)])

    def numbers(inner: dict[int, Any]) -> dict[int, Any]:
        return {i: ranges[i].value(z) for i, z in inner.items()}

    def loss(inner: dict[int, Any]) -> Any:
        value = objective(rebuilt(numbers(inner)))
        if not is_number(value) or np.ndim(value):
            raise TypeError(
                f"`objective` must return a number, got {describe(value)}; of a `Bound`, return its `value`."
            )
        return jnp.asarray(value, np.float64)

    with enable_x64(True):
        before, after, inner = _minimized(loss, jax.tree.map(jnp.asarray, starts), most)
        start = float(objective(plan))
        found = jax.tree.map(np.asarray, numbers(inner))
    if not np.isfinite(before):
        raise ValueError(f"`objective` must be finite at the start, got {show(before)}.")
    if not after < start:
        return plan
    return rebuilt({i: frozen(x) if x.ndim else float(x) for i, x in found.items()})


def _items(leaves: Any) -> list[tuple[str, Any]]:
    """The names and bounds in `leaves`."""
    if not isinstance(leaves, Mapping):
        raise TypeError(
            f"`leaves` must be a dict of names and bounds, such as {{'peak_value': (1e-5, 1)}}, "
            f"got {describe(leaves)}."
        )
    if not leaves:
        raise ValueError("`leaves` must have at least one name, got none.")
    return [*leaves.items()]


def _index(name: str, names: list[str]) -> int:
    """The leaf that has this name, or a path that ends with it."""
    found = [i for i, each in enumerate(names) if f".{each}".endswith(f".{name}")]
    found = [i for i in found if names[i] == name] or found
    if len(found) != 1:
        several = [names[i] for i in found] or names
        raise ValueError(f"`leaves` must name one number each, of {', '.join(several)}, got {name!r}.")
    return found[0]


class _Range:
    """The bounds of a number, and its map from all real numbers to what is within them."""

    def __init__(self, name: str, bounds: Any) -> None:
        if not isinstance(bounds, tuple | list) or len(bounds) != 2:
            raise TypeError(f"`leaves[{name!r}]` must be a pair, (lowest, highest), got {describe(bounds)}.")
        self.name = name
        self.low, self.high = (float(checked_number(f"leaves[{name!r}]", each)) for each in bounds)
        if not self.low < self.high:
            raise ValueError(
                f"`leaves[{name!r}]` must be in ascending order, got {show(self.low)} and {show(self.high)}."
            )

    def value(self, z: Any) -> Any:
        """The number within the bounds."""
        high, low = jnp.sin(z) ** 2, jnp.cos(z) ** 2
        geometric = self.low > 0
        value = self.low**low * self.high**high if geometric else low * self.low + high * self.high
        return jnp.clip(value, self.low, self.high)

    def inverse(self, value: np.ndarray) -> np.ndarray:
        """The `z` of a number, a little inside of the bounds."""
        if not ((value >= self.low) & (value <= self.high)).all():
            raise ValueError(
                f"`schedule` must start within the bounds of `{self.name}`, from {show(self.low)} to "
                f"{show(self.high)}, got {value.tolist()}."
            )
        part = (value - self.low) / (self.high - self.low)
        if self.low > 0:
            part = np.log(value / self.low) / np.log(self.high / self.low)
        return np.arcsin(np.sqrt(np.clip(part, INSIDE, 1 - INSIDE)))


def _minimized(loss: Any, start: Any, most: int) -> tuple[float, float, Any]:
    """The objective at the start, and at the best of the steps of L-BFGS, and that step."""
    optimizer = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)

    def goes_on(carry: Any) -> Any:
        _, _, _, _, count, size = carry
        return (count < most) & (size > SETTLED)

    def step(carry: Any) -> Any:
        params, state, best, lowest, count, _ = carry
        value, gradient = value_and_grad(params, state=state)
        better = value < lowest
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, best)
        lowest = jnp.where(better, value, lowest)
        updates, state = optimizer.update(gradient, state, params, value=value, grad=gradient, value_fn=loss)
        size = jnp.sqrt(sum(jnp.vdot(each, each) for each in gradient.values())) / jnp.abs(value)
        return optax.apply_updates(params, updates), state, best, lowest, count + 1, size

    @jax.jit
    def run(start: Any) -> Any:
        first = loss(start)
        carry = (start, optimizer.init(start), start, first, 0, jnp.inf)
        _, _, best, lowest, _, _ = lax.while_loop(goes_on, step, carry)
        return first, lowest, best

    first, lowest, best = run(start)
    return float(first), float(lowest), best
