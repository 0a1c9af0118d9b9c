"""A schedule behind an optimizer that is built at a rate of 1, and the proof that this is the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsched._core.fields import brief, describe, is_concrete, show
from jaxsched._core.schedule import ScheduleLike, as_schedule
from jaxsched._core.versions import enable_x64
from jaxsched.optim.learning_rate import scale_by_learning_rate
from jaxsched.shapes.levels import Table

RATES = (2.0, 3.0, 0.5, 1.5)
"""The rates of the updates that are compared: so large that estimates of a step size move in four updates."""

TOLERANCE = 1e-5
"""How far two updates may be apart, as a fraction of the largest number of a leaf."""

PARAMS = {
    "matrix": np.linspace(-0.9, 0.3, 12, dtype=np.float32).reshape(4, 3),
    "vector": np.array([0.2, -0.4, 0.7], np.float32),
}
GOAL = {"matrix": np.full((4, 3), 1.3, np.float32), "vector": np.array([-0.8, 0.5, 1.5], np.float32)}


def with_schedule(
    factory: Callable[..., optax.GradientTransformation], schedule: ScheduleLike, /, **arguments: Any
) -> optax.GradientTransformationExtraArgs:
    """Builds an Optax optimizer on a schedule, with a rate that can be read.

    It is `optax.chain(factory(learning_rate=1.0, **arguments), scale_by_learning_rate(schedule,
    flip_sign=False))`: the optimizer flips the sign, and the schedule behind it does not. It makes the same
    updates as `factory(schedule, **arguments)`. In addition, its state holds the rate for
    `jaxsched.learning_rate`, and `update(..., schedule=other)` takes another schedule.

    This does not work for every optimizer: some apply momentum after the rate, or a weight decay without it.
    So this function compares the two, in four updates of a small tree of parameters with a changing rate, and
    refuses an optimizer for which they differ. A `mask` applies to all of these parameters. If an argument is
    traced, and in `jax.shard_map`, there is no comparison.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> import optax
    >>> tx = js.with_schedule(optax.adamw, js.Linear(0.1, 0.0, 10), weight_decay=0.1)
    >>> state = tx.init(jnp.ones(2))
    >>> updates, state = tx.update(jnp.ones(2), state, jnp.ones(2))
    >>> js.learning_rate(state)
    Array(0.1, dtype=float32)

    Args:
      factory: a function with an argument `learning_rate` that returns a gradient transformation, such as
        `optax.adamw`.
      schedule: the schedule; a number is a constant, a function of the step is a `Lambda`.
      **arguments: the other arguments of `factory`, by their names.

    Returns:
      The chain.

    Raises:
      TypeError: `factory` is not callable or has no argument `learning_rate`, or `schedule` is not a
        schedule. What `factory` itself raises is raised as it is.
      ValueError: the updates differ from those of `factory(schedule, **arguments)`, or the four updates
        cannot be made. The message has the first difference.
    """
    if not callable(factory):
        raise TypeError(
            "`factory` must be a function such as `optax.adamw`, which is not called yet, "
            f"got {describe(factory)}."
        )
    try:
        parameters = [*inspect.signature(factory).parameters.values()]
    except ValueError:  # A builtin such as `dict` has no signature.
        parameters = []
    if not any(each.name == "learning_rate" or each.kind is each.VAR_KEYWORD for each in parameters):
        raise TypeError(
            f"`factory` must have an argument `learning_rate`, got {describe(factory)}. Put "
            "`jaxsched.scale_by_learning_rate(schedule)` behind what has none."
        )
    if "learning_rate" in arguments:
        raise TypeError(
            "`learning_rate` must be left out, because `schedule` is the rate, "
            f"got {brief(arguments['learning_rate'])}."
        )
    chained = _behind(factory, as_schedule("schedule", schedule), arguments)
    if is_concrete(arguments):
        # What the caller has set for its own program does not concern the comparison.
        with (
            jax.ensure_compile_time_eval(),
            enable_x64(False),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
            jax.transfer_guard("allow"),
            jax.debug_nans(False),
        ):
            _compare(factory, arguments)
    return chained


def _behind(factory: Any, schedule: Any, arguments: dict[str, Any]) -> Any:
    unit = factory(learning_rate=1.0, **arguments)
    return optax.chain(unit, scale_by_learning_rate(schedule, flip_sign=False))


def _without_mask(name: str, value: Any) -> Any:
    """An argument, but a mask that fits the parameters of the user as one that fits any."""
    if "mask" not in name or value is None or isinstance(value, bool | int | float | str):
        return value
    return lambda params: jax.tree.map(lambda _: True, params)


class _Update(NamedTuple):
    """One update: what it is given, and what it gives."""

    params: Any
    gradient: Any
    update: Any


def _compare(factory: Any, arguments: dict[str, Any]) -> None:
    """Raises a `ValueError` if the schedule behind the optimizer gives other updates than in it."""
    texts = {key: getattr(each, "__qualname__", brief(each)) for key, each in arguments.items()}
    given = "".join(f", {key}={text}" for key, text in texts.items())
    name = getattr(factory, "__name__", "factory")
    described = f"`{name}({given.removeprefix(', ')})`"
    table = Table(RATES)
    arguments = {key: _without_mask(key, each) for key, each in arguments.items()}
    try:
        behind = _behind(factory, table, arguments)
        expected = _in_it(factory, table, arguments)
        found = _run([behind] * len(RATES), [(each.params, each.gradient) for each in expected])
    except Exception as error:
        raise ValueError(
            "`factory` must make an optimizer whose updates can be compared on a small tree of parameters, "
            f"got {described}, which raises {type(error).__name__}: {error} If you know that it is linear in "
            "its rate, use `optax.chain(factory(1.0, ...), jaxsched.scale_by_learning_rate(schedule, "
            "flip_sign=False))`."
        ) from error
    if not is_concrete([each.update for each in (*expected, *found)]):
        return  # In `jax.shard_map` even known numbers are traced.
    if not any(np.any(leaf) for leaf in jax.tree.leaves([each.update for each in expected])):
        raise ValueError(
            f"`factory` must change the parameters in its first {len(RATES)} updates, got {described}, whose "
            "updates are 0. If it collects gradients, as `optax.MultiSteps` does, put that around the result."
        )
    for i, (one, other) in enumerate(zip(expected, found, strict=True)):
        pairs = zip(jax.tree.leaves_with_path(one.update), jax.tree.leaves(other.update), strict=True)
        for (path, inside), outside in pairs:
            inside, outside = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
            apart = np.abs(inside - outside)
            if not apart.max() <= TOLERANCE * np.abs(inside).max():
                where = np.unravel_index(apart.argmax(), apart.shape)
                raise ValueError(
                    "`factory` must make updates that are the rate times those at a rate of 1, got "
                    f"{described}: update {i} of parameters{jax.tree_util.keystr(path)}, at the rate "
                    f"{show(RATES[i])}, has {inside[where]:.4g} with the schedule in it and "
                    f"{outside[where]:.4g} with the schedule behind it. {_reason(i)} "
                    f"Use `{name}(schedule{given})`."
                )


def _reason(first: int) -> str:
    if first == 0:
        return (
            "The rate is no factor of what it adds: it may have a weight decay beside the rate, a step size "
            "of its own or a line search."
        )
    return (
        "What it remembers holds the rates of earlier updates: it may have its momentum behind the rate, or "
        "sums, estimates or searches that depend on it."
    )


def _in_it(factory: Any, table: Table, arguments: dict[str, Any]) -> list[_Update]:
    """The updates with the schedule as the rate; where the rate must be a number, with each by hand."""
    try:
        return _run([factory(learning_rate=table, **arguments)] * len(RATES))
    except (TypeError, ValueError):
        return _run([factory(learning_rate=rate, **arguments) for rate in RATES])


def _loss(params: Any, obj_fn: Any = None) -> jax.Array:
    """A quadratic with its lowest point at `GOAL`; a line search passes on what `update` got."""
    return sum((jnp.sum((params[key] - GOAL[key]) ** 2) for key in GOAL), start=jnp.float32(0)) / 2


def _run(
    optimizers: list[optax.GradientTransformation], fixed: list[tuple[Any, Any]] | None = None
) -> list[_Update]:
    """One update of each optimizer, which share a state, along their own path or at given points."""
    params: Any = jax.tree.map(jnp.asarray, PARAMS)
    state, made = optimizers[0].init(params), []
    for i, tx in enumerate(optimizers):
        gradient = jax.tree.map(jnp.subtract, params, GOAL)
        if fixed:
            params, gradient = fixed[i]
        # Not compiled: a program would be new in each call, which takes 20 times as long.
        updates, state = _update(tx, gradient, state, params)
        made.append(_Update(params, gradient, updates))
        params = optax.apply_updates(params, updates)
    return made


def _update(tx: optax.GradientTransformation, gradient: Any, state: Any, params: Any) -> Any:
    update = optax.with_extra_args_support(tx).update
    return update(gradient, state, params, value=_loss(params), grad=gradient, value_fn=_loss, obj_fn=_loss)
