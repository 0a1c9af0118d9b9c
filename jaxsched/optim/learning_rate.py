"""The learning rate as a gradient transformation that stores its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from jaxsched._core.exported import exported_state
from jaxsched._core.fields import checked_flag
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched.optim.groups import labels_of

Rates: TypeAlias = "jax.Array | dict[str, jax.Array]"
"""A rate, or a dict of rates by the label of their parameters."""


@exported_state
class LearningRateState(NamedTuple):
    """The state of `scale_by_learning_rate`.

    Attributes:
      count: the number of updates made, int32: the clock of the schedule. It stops at the largest int32.
      learning_rate: the rate that the latest update applied, float32; before the first update, the rate
        that it will apply. With groups, a dict of rates by label.
    """

    count: jax.Array  # type: ignore[assignment]  # hides a method of tuples, as Optax's states do
    learning_rate: Rates


def scale_by_learning_rate(
    schedule: ScheduleLike | Mapping[str, ScheduleLike],
    *,
    param_labels: Any = None,
    flip_sign: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by a schedule's rate, and stores the rate in its state.

    It replaces `optax.scale_by_learning_rate` as the last transformation of a chain. The rate is computed in
    float32 or better, and only the product is rounded to the dtype of the update.

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

    With `param_labels` each group of parameters has its own schedule; all share one clock:

    >>> groups = js.scale_by_learning_rate(
    ...     {"body": js.Linear(0.01, 0.0, 10), "head": 0.1}, param_labels={"dense": "body", "out": "head"}
    ... )
    >>> js.learning_rate(groups.init({"dense": jnp.ones(2), "out": jnp.ones(2)}))
    {'body': Array(0.01, dtype=float32), 'head': Array(0.1, dtype=float32)}

    `update(..., schedule=other)` uses another schedule for that call: one schedule, or a dict with the same
    labels. If it is an argument of your compiled step, a hundred schedules of one structure take one trace.

    Args:
      schedule: the schedule; a number is a constant, a function of the step is a `Lambda`. With
        `param_labels`, a dict of schedules by label.
      param_labels: a tree of labels that is a prefix of the parameters, or a function from the parameters
        to one, as in `optax.partition`. Parameters that are `None` or masked may have any label or none.
      flip_sign: whether to multiply by the negative rate, for gradient descent. Pass `False` after an
        optimizer that flips the sign itself, such as `optax.adamw(1.0)`.

    Raises:
      TypeError: `schedule` is not a schedule, or `flip_sign` is not a boolean.
      ValueError: `schedule` is a dict and `param_labels` is missing, or the reverse. In `init` and
        `update`: a label has no schedule, a parameter has no label, or a label has no parameter.
    """
    grouped = param_labels is not None
    mine = _schedules(schedule, grouped)
    sign = -1 if checked_flag("flip_sign", flip_sign) else 1

    def labelled(tree: Any) -> list[str]:
        """The label of each leaf; without groups all have the same."""
        if not grouped:
            return [ONE] * len(jax.tree.leaves(tree))
        return labels_of(param_labels(tree) if callable(param_labels) else param_labels, tree, mine)

    def kept(rates: dict[str, jax.Array]) -> Rates:
        rounded = {label: rate.astype(jnp.float32) for label, rate in rates.items()}
        return rounded if grouped else rounded[ONE]

    def init(params: optax.Params) -> LearningRateState:
        labelled(params)
        count = jnp.zeros((), jnp.int32)
        return LearningRateState(count, kept({label: each(count) for label, each in mine.items()}))

    def update(
        updates: optax.Updates,
        state: LearningRateState,
        params: optax.Params | None = None,
        *,
        schedule: Any = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, LearningRateState]:
        schedules = mine if schedule is None else _schedules(schedule, grouped)
        if set(schedules) != set(mine):
            raise ValueError(f"`schedule` must have the labels {sorted(mine)}, got {sorted(schedules)}.")
        rates = {label: each(state.count) for label, each in schedules.items()}
        leaves, structure = jax.tree.flatten(updates)
        scaled = [
            scaled_by(leaf, sign * rates[label])
            for leaf, label in zip(leaves, labelled(updates), strict=True)
        ]
        state = LearningRateState(optax.safe_increment(state.count), kept(rates))
        return jax.tree.unflatten(structure, scaled), state

    return optax.GradientTransformationExtraArgs(init, update)


ONE = ""
"""The label of all parameters without groups."""


def _schedules(schedule: Any, grouped: bool) -> dict[str, Schedule]:
    """The schedules by label."""
    if isinstance(schedule, Mapping) != grouped:
        given = "a dict of schedules" if isinstance(schedule, Mapping) else f"{schedule!r}"
        wanted = "a dict of schedules, one for each label of" if grouped else "one schedule without"
        raise ValueError(f"`schedule` must be {wanted} `param_labels`, got {given}.")
    if not grouped:
        return {ONE: as_schedule("schedule", schedule)}
    return {label: as_schedule(f"schedule[{label!r}]", each) for label, each in schedule.items()}


def scaled_by(update: jax.Array, factor: jax.Array) -> jax.Array:
    """`update` times a factor, in float32 or better, rounded once to the dtype of the update."""
    update = jnp.asarray(update)
    dtype = jnp.promote_types(update.dtype, jnp.float32)
    return (update.astype(dtype) * factor.astype(dtype)).astype(update.dtype)
