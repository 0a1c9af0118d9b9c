"""The learning rate as a gradient transformation with a state that can be read."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxsched._schedule import ScheduleLike, as_schedule


class LearningRateState(NamedTuple):
    """The state of `scale_by_learning_rate`.

    Attributes:
      count: the clock, int32: how many updates have been made. It stops at the largest int32.
      learning_rate: the rate that the latest update applied, float32; before the first update, the one
        that it will apply.
    """

    count: jax.Array  # type: ignore[assignment]  # hides a method of tuples, as Optax's states do
    learning_rate: jax.Array


def scale_by_learning_rate(
    schedule: ScheduleLike, *, flip_sign: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by a schedule's rate, and remembers the rate.

    It takes the place of `optax.scale_by_learning_rate` as the last part of a chain. The rate is worked
    out in float32 or better, and only the product is rounded to the dtype of the update.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> import optax
    >>> tx = optax.chain(optax.trace(0.9), js.scale_by_learning_rate(js.Linear(0.1, 0.0, 10)))
    >>> params = jnp.ones(2)
    >>> state = tx.init(params)
    >>> updates, state = tx.update(jnp.ones(2), state, params)
    >>> updates
    Array([-0.1, -0.1], dtype=float32)
    >>> js.learning_rate(state)
    Array(0.1, dtype=float32)

    Args:
      schedule: the schedule; a number is a constant, a function of the step is a `Lambda`.
      flip_sign: whether to multiply by the negative rate, so that updates descend. Give `False` behind
        an optimizer that flips the sign itself, as `optax.adamw(1.0)` does.

    Raises:
      TypeError: `schedule` is no schedule, or `flip_sign` no boolean.
    """
    rates = as_schedule("schedule", schedule)
    if not isinstance(flip_sign, bool):
        raise TypeError(f"`flip_sign` must be True or False, got {flip_sign!r}.")
    sign = -1 if flip_sign else 1

    def init(params: optax.Params) -> LearningRateState:
        count = jnp.zeros((), jnp.int32)
        return LearningRateState(count, rates(count).astype(jnp.float32))

    def update(
        updates: optax.Updates,
        state: LearningRateState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, LearningRateState]:
        rate = rates(state.count)
        scaled = jax.tree.map(lambda update: scaled_by(update, sign * rate), updates)
        count = optax.safe_increment(state.count)
        return scaled, LearningRateState(count, rate.astype(jnp.float32))

    return optax.GradientTransformationExtraArgs(init, update)


def scaled_by(update: jax.Array, factor: jax.Array) -> jax.Array:
    """`update` times a factor of at least float32, rounded to the update's dtype once."""
    update = jnp.asarray(update)
    dtype = jnp.promote_types(update.dtype, jnp.float32)
    return (update.astype(dtype) * factor.astype(dtype)).astype(update.dtype)


def learning_rate(opt_state: Any) -> jax.Array:
    """The rate that the latest update applied, read from an optimizer state.

    Args:
      opt_state: any pytree that holds one state of `scale_by_learning_rate`.

    Raises:
      ValueError: it holds none, or several; the message says what to do, or where they are.
    """
    leaves, _ = jax.tree.flatten_with_path(opt_state, is_leaf=_is_state)
    found = [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves if _is_state(leaf)]
    if not found:
        raise ValueError(
            "There is no learning rate in this optimizer state, because no transformation of jaxsched put "
            "one there. Instead of `optax.adamw(schedule)` use "
            "`optax.chain(optax.adamw(1.0), jaxsched.scale_by_learning_rate(schedule, flip_sign=False))`."
        )
    if len(found) > 1:
        places = ", ".join(f"`{path}`" for path, _ in found)
        raise ValueError(f"There are {len(found)} learning rates in this optimizer state, at {places}.")
    return found[0][1].learning_rate


def _is_state(node: Any) -> bool:
    return isinstance(node, LearningRateState)
