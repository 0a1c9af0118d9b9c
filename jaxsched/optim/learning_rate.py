"""The learning rate as a gradient transformation that stores its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsched._core.clock import LARGEST_STEP, LAST_STEP
from jaxsched._core.exported import exported_state
from jaxsched._core.fields import check_unmasked, checked_flag, describe, is_concrete, is_number, show
from jaxsched._core.schedule import Constant, Schedule, ScheduleLike, as_schedule
from jaxsched.optim.groups import labels_of

Rates: TypeAlias = "jax.Array | dict[str, jax.Array]"
"""A rate, or a dict of rates by the label of their parameters."""


@exported_state
class LearningRateState(NamedTuple):
    """The state of `scale_by_learning_rate`.

    Attributes:
      count: the number of updates made, int32: the clock of the schedule, unless `update` is
        given a `step`. It stops at the largest int32.
      learning_rate: the rate that the latest update applied, float32; before the first update, the rate
        that it will apply. With groups, a dict of rates by label; that of a frozen group is 0.
    """

    count: jax.Array  # type: ignore[assignment]  # hides a method of tuples, as Optax's states do
    learning_rate: Rates


def scale_by_learning_rate(
    schedule: ScheduleLike | Mapping[str, ScheduleLike | None],
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

    With `param_labels` each parameter group has its own schedule; all share one clock:

    >>> groups = js.scale_by_learning_rate(
    ...     {"body": js.Linear(0.01, 0.0, 10), "head": 0.1}, param_labels={"dense": "body", "out": "head"}
    ... )
    >>> js.learning_rate(groups.init({"dense": jnp.ones(2), "out": jnp.ones(2)}))
    {'body': Array(0.01, dtype=float32), 'head': Array(0.1, dtype=float32)}

    `None` as the schedule of a label freezes its parameters: their updates are 0 even if a gradient is NaN,
    and their rate reads as 0.

    `update(..., schedule=other)` uses another schedule for that call: one schedule, or a dict with the same
    labels. If it is an argument of your compiled step, a hundred schedules of one structure take one trace.

    `update(..., step=clock)` sets the step for that call, for example to the tokens, samples or hours so far,
    if your schedule counts these. It is an integer or floating scalar from 0 to 2^53, and all groups use it.
    JAX's integers wider than int32 become floats. `count` still counts updates, and `init` stores the rate of
    step 0.

    >>> tokens = js.scale_by_learning_rate(js.Linear(0.1, 0.0, 10e9))
    >>> _, state = tokens.update(jnp.ones(2), tokens.init(params), step=5e9)
    >>> js.learning_rate(state), js.get_count(state)
    (Array(0.05, dtype=float32), Array(1, dtype=int32))

    Args:
      schedule: the schedule; a number is a constant, a function of the step is a `Lambda`. With
        `param_labels`, a dict of schedules by label, with `None` for frozen parameters.
      param_labels: a tree of labels that is a prefix of the parameters, or a function from the parameters
        to one, as in `optax.partition`; `label_by_path` makes one. Parameters that are `None` or masked may
        have any label or none.
      flip_sign: whether to multiply by the negative rate, for gradient descent. Pass `False` after an
        optimizer that flips the sign itself, such as `optax.adamw(1.0)`.

    Raises:
      TypeError: `schedule` is not a schedule, a label is not a string, or `flip_sign` is not a boolean. In
        `update`: `step` is not a real scalar.
      ValueError: `schedule` is a dict and `param_labels` is missing, or the reverse. In `init` and
        `update`: a label has no schedule, a parameter has no label, or a label has no parameter;
        `step` is negative, above 2^53, NaN or masked.
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
        step: Any = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, LearningRateState]:
        schedules = mine if schedule is None else _schedules(schedule, grouped)
        if set(schedules) != set(mine):
            raise ValueError(f"`schedule` must have the labels {sorted(mine)}, got {sorted(schedules)}.")
        clock = state.count if step is None else _clock(step)
        rates = {label: each(clock) for label, each in schedules.items()}
        leaves, structure = jax.tree.flatten(updates)
        scaled = [
            jnp.zeros_like(leaf) if schedules[label] is FROZEN else scaled_by(leaf, sign * rates[label])
            for leaf, label in zip(leaves, labelled(updates), strict=True)
        ]
        state = LearningRateState(optax.safe_increment(state.count), kept(rates))
        return jax.tree.unflatten(structure, scaled), state

    return optax.GradientTransformationExtraArgs(init, update)


ONE = ""
"""The label of all parameters without groups."""

FROZEN = Constant(0.0)
"""This very object stands for `None`, the schedule of frozen parameters."""


def _schedules(schedule: Any, grouped: bool) -> dict[str, Schedule]:
    """The schedules by label."""
    if isinstance(schedule, Mapping) != grouped:
        given = "a dict of schedules" if isinstance(schedule, Mapping) else f"{schedule!r}"
        wanted = "a dict of schedules, one for each label of" if grouped else "one schedule without"
        raise ValueError(f"`schedule` must be {wanted} `param_labels`, got {given}.")
    if not grouped:
        return {ONE: as_schedule("schedule", schedule)}
    for label in schedule:
        if not isinstance(label, str):
            raise TypeError(f"`schedule` must have strings as labels, got {describe(label)}.")
    return {
        label: FROZEN if each is None else as_schedule(f"schedule[{label!r}]", each)
        for label, each in schedule.items()
    }


def _clock(step: Any) -> Any:
    """A caller's clock, as a step of the schedules."""
    if hasattr(step, "__jax_array__") and not isinstance(step, jax.Array):
        step = step.__jax_array__()
    check_unmasked("step", step)
    if not is_number(step) or np.shape(step) != ():
        raise TypeError(f"`step` must be a real scalar, got {describe(step)}.")
    # In a compiled step, a comparison of a known array would be traced.
    known = step.item() if isinstance(step, jax.Array) and is_concrete(step) else step
    if is_concrete(known) and not 0 <= known <= LARGEST_STEP:
        raise ValueError(f"`step` must be at least 0 and at most {show(LARGEST_STEP)}, got {describe(step)}.")
    integer = isinstance(step, jax.Array) and jnp.issubdtype(step.dtype, jnp.integer)
    # A schedule stops counting integers of JAX at the end of int32.
    wide = integer and jnp.iinfo(step.dtype).max > LAST_STEP
    return step.astype(jnp.zeros(()).dtype) if wide else step


def scaled_by(update: jax.Array, factor: jax.Array) -> jax.Array:
    """`update` times a factor, in float32 or better, rounded once to the dtype of the update."""
    update = jnp.asarray(update)
    dtype = jnp.promote_types(update.dtype, jnp.float32)
    return (update.astype(dtype) * factor.astype(dtype)).astype(update.dtype)
