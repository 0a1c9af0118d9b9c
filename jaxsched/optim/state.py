"""Reads the rate from an optimizer state, and sets the clocks of its schedules."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import describe, is_concrete, is_integer
from jaxsched.optim.learning_rate import LearningRateState
from jaxsched.optim.plateau import ScaleByPlateauState

Tree = TypeVar("Tree")

INJECTED = (optax.InjectHyperparamsState, optax.InjectStatefulHyperparamsState)
PARTITION = type(optax.partition({}, {}).init({}))
CLOCKS = (
    LearningRateState,
    optax.ScaleByScheduleState,
    # Only shapes: arrays would start JAX's backend, and `jax.distributed.initialize` must come first.
    type(jax.eval_shape(optax.add_decayed_weights(lambda count: 0.0).init, ())),
    type(jax.eval_shape(optax.schedules.WrappedSchedule(lambda count: 0.0).init)),
    *INJECTED,
)
"""The types of state whose `count` is the clock of a schedule."""


class _Reading(NamedTuple):
    """What is read of one group, by its paths: the factors of its rate, or its clocks."""

    rates: dict[str, jax.Array]
    injected: dict[str, jax.Array]
    scales: dict[str, jax.Array]
    clocks: dict[str, jax.Array]


NOTHING = _Reading({}, {}, {}, {})

Groups = dict[str | None, _Reading]
"""Readings by label; `None` stands for all parameters."""


def learning_rate(opt_state: Any) -> Any:
    """Reads the latest applied rate from an optimizer state.

    The rate is found at any depth: inside `chain`, `named_chain`, `partition`, `masked`, `MultiSteps`,
    `apply_if_finite`, `inject_hyperparams`, a Flax `TrainState` or an `nnx.Optimizer`. The scale of a plateau
    is a factor of the rate.

    A `learning_rate` of `inject_hyperparams` is a factor too, unless a `scale_by_learning_rate` is inside the
    same `inject_hyperparams`. Then the injected rate is assumed to be its input and counts once, because a
    state does not show what a factory does with its arguments. If yours applies two rates, put them side by
    side in a chain, and you get their product:
    `chain(inject_hyperparams(optax.sgd)(0.1), scale_by_learning_rate(schedule, flip_sign=False))`.

    Args:
      opt_state: any pytree that holds one learning rate, of `scale_by_learning_rate` or `inject_hyperparams`.

    Returns:
      A float32 scalar; with groups (`param_labels`, `optax.partition`), a dict of scalars by label. A state
      with leading axes, from `jax.vmap`, `jax.pmap` or a scan that stacks states, gives arrays with these
      axes.

    Raises:
      ValueError: there is no rate, or there are several for the same parameters; the message lists their
        paths.
    """
    groups = _read(opt_state, "")
    rates: dict[str | None, jax.Array] = {}
    for label, reading in groups.items():
        for found in (reading.rates, reading.injected):
            if len(found) > 1:
                places = ", ".join(f"`{path}`" for path in found)
                raise ValueError(
                    f"There are {len(found)} learning rates in this optimizer state, at {places}; "
                    "pass the part that holds one."
                )
        if reading.rates or reading.injected:
            rates[label] = _product([each for part in reading for each in part.values()])
    if not rates:
        raise ValueError(
            "There is no learning rate in this optimizer state. Instead of `optax.adamw(schedule)` use "
            "`jaxsched.with_schedule(optax.adamw, schedule)`."
        )
    return _by_label(rates)


def _by_label(found: dict[str | None, jax.Array]) -> Any:
    """What was read of each group, or that of all parameters."""
    return found[None] if set(found) == {None} else {str(label): each for label, each in found.items()}


def _product(factors: list[Any]) -> jax.Array:
    """The float32 product of factors, aligned at their leading axes."""
    # Copies: the rate must outlive a state that is donated.
    arrays = [jnp.array(factor, jnp.float32) for factor in factors]
    rank = max(array.ndim for array in arrays)
    aligned = [jnp.expand_dims(array, tuple(range(array.ndim, rank))) for array in arrays]
    return functools.reduce(operator.mul, aligned)


def _read(tree: Any, path: str) -> Groups:
    """The readings of all groups in a tree."""
    groups: Groups = {None: NOTHING}
    for here, node in _nodes(tree, path, (LearningRateState, ScaleByPlateauState, PARTITION, *INJECTED)):
        if isinstance(node, LearningRateState):
            rate = node.learning_rate
            each = rate if isinstance(rate, dict) else {None: rate}
            groups = _joined(groups, {label: NOTHING._replace(rates={here: r}) for label, r in each.items()})
        elif isinstance(node, ScaleByPlateauState):
            groups = _joined(groups, {None: NOTHING._replace(scales={here: node.scale})})
        elif isinstance(node, PARTITION):
            groups = _joined(groups, _partition(node.inner_states, here, _read))
        elif isinstance(node, INJECTED):
            inner = _read(node.inner_state, f"{here}.inner_state")
            if "learning_rate" in node.hyperparams:
                injected = {f"{here}.hyperparams": node.hyperparams["learning_rate"]}
                # Our own state inside already holds the rate that the factory computed from it.
                around = {
                    label: NOTHING._replace(injected={} if reading.rates else injected)
                    for label, reading in inner.items()
                }
                inner = _joined(around, inner)
            groups = _joined(groups, inner)
    return groups


def _nodes(tree: Any, path: str, kinds: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The outermost nodes of some kinds in a tree, and its other leaves, each with its path."""
    for keys, node in jax.tree.leaves_with_path(tree, is_leaf=lambda node: isinstance(node, kinds)):
        yield path + jax.tree_util.keystr(keys), node


def _partition(states: dict[Any, Any], path: str, read: Callable[[Any, str], Groups]) -> Groups:
    """The readings of the groups of an `optax.partition`; empty if no group has any."""
    groups: Groups = {}
    for label, state in states.items():
        for inner, reading in read(state, f"{path}[{label!r}]").items():
            groups[str(label) if inner is None else f"{label}.{inner}"] = reading
    known = any(part for reading in groups.values() for part in reading)
    return groups if known else {None: NOTHING}


def _joined(left: Groups, right: Groups) -> Groups:
    """Merges the readings of two parts of a chain; those for all parameters apply to each group."""

    def of(groups: Groups, label: str | None) -> _Reading:
        return groups.get(label, groups.get(None, NOTHING))

    labels: list[str | None] = [label for label in left | right if label is not None] or [None]
    return {
        label: _Reading(*(a | b for a, b in zip(of(left, label), of(right, label), strict=True)))
        for label in labels
    }


def get_count(opt_state: Any) -> Any:
    """Reads the clock of the schedules from an optimizer state: the number of updates made.

    It reads the clocks that `set_count` sets, at any depth, like `learning_rate`. Clocks of the same
    parameters, such as those of a rate and a weight decay, are read as one.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> import optax
    >>> tx = optax.chain(optax.scale_by_adam(), js.scale_by_learning_rate(js.Linear(0.1, 0.0, 10)))
    >>> state = js.set_count(tx.init(jnp.ones(2)), 5)
    >>> _, state = tx.update(jnp.ones(2), state)
    >>> js.get_count(state)
    Array(6, dtype=int32)

    Args:
      opt_state: any pytree with such clocks.

    Returns:
      An int32 scalar; for the groups of `optax.partition`, which have their own clocks, a dict of scalars by
      label. The groups of `param_labels` share a clock. A state with leading axes gives arrays with these
      axes.

    Raises:
      ValueError: there is no clock, or clocks of the same parameters differ, as after an update that part of
        a chain skipped; the message lists their paths. Traced clocks cannot be compared: the first one is
        read.
    """
    counts: dict[str | None, jax.Array] = {}
    for label, reading in _clocks(opt_state, "").items():
        if not reading.clocks:
            continue
        (first, count), *others = reading.clocks.items()
        for path, other in others:
            if is_concrete(count, other) and not np.array_equal(count, other):
                raise ValueError(
                    "The clocks of the same parameters must be equal, got "
                    f"{np.asarray(count)} at `{first}` and {np.asarray(other)} at `{path}`; pass the part "
                    "that holds one."
                )
        # A copy: the count must outlive a state that is donated.
        counts[label] = jnp.array(count)
    if not counts:
        raise ValueError("There is no clock of a schedule in this optimizer state.")
    return _by_label(counts)


def _clocks(tree: Any, path: str) -> Groups:
    """The clocks of all groups in a tree."""
    groups: Groups = {None: NOTHING}
    for here, node in _nodes(tree, path, (PARTITION, *CLOCKS)):
        if isinstance(node, PARTITION):
            groups = _joined(groups, _partition(node.inner_states, here, _clocks))
        elif isinstance(node, CLOCKS):
            for name, part in node._asdict().items():
                there = f"{here}.{name}"
                if name == "count":
                    (count,) = jax.tree.leaves(part)
                    found: Groups = {None: NOTHING._replace(clocks={there: count})}
                else:
                    found = _clocks(part, there)
                groups = _joined(groups, found)
    return groups


def set_count(opt_state: Tree, count: Any) -> Tree:
    """Sets the clocks of all schedules in an optimizer state, and nothing else.

    The clocks are those of `scale_by_learning_rate`, of Optax's own schedules and of `inject_hyperparams`.
    Adam's count for bias correction does not change. `learning_rate` still reads the rate of the latest
    update until the next one.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> import optax
    >>> tx = optax.chain(optax.scale_by_adam(), js.scale_by_learning_rate(js.Linear(0.1, 0.0, 10)))
    >>> state = js.set_count(tx.init(jnp.ones(2)), 5)
    >>> _, state = tx.update(jnp.ones(2), state)
    >>> js.learning_rate(state)
    Array(0.05, dtype=float32)

    Args:
      opt_state: any pytree with such clocks.
      count: an integer from 0 to 2^31 - 1, or an integer scalar array. In a state with leading axes, every
        member gets it.

    Returns:
      A new tree of the same structure.

    Raises:
      TypeError: `count` is not an integer.
      ValueError: `count` is out of range, or there is no clock.
    """
    moved, clocks = _moved(opt_state, _as_count(count))
    if not clocks:
        raise ValueError("There is no clock of a schedule in this optimizer state.")
    return moved


def _as_count(count: Any) -> jax.Array:
    integer = is_integer(count) or isinstance(count, np.ndarray | jax.Array)
    if not (integer and np.shape(count) == () and jnp.issubdtype(jnp.result_type(count), jnp.integer)):
        raise TypeError(f"`count` must be an integer, got {describe(count)}.")
    if is_concrete(count) and not 0 <= int(count) <= LAST_STEP:
        raise ValueError(f"`count` must be at least 0 and at most {LAST_STEP}, got {int(count)}.")
    return jnp.asarray(count, jnp.int32)


def _moved(tree: Any, count: jax.Array) -> tuple[Any, int]:
    """The tree with its clocks set to `count`, and the number of clocks."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=lambda node: isinstance(node, CLOCKS))
    clocks = 0
    for i, node in enumerate(leaves):
        if isinstance(node, CLOCKS):
            parts = {}
            for name, part in node._asdict().items():
                if name == "count":
                    # The container of the number, such as a Flax variable, stays.
                    (old,), holder = jax.tree.flatten(part)
                    parts[name] = jax.tree.unflatten(holder, [jnp.full_like(old, count)])
                    clocks += 1
                else:
                    parts[name], inner = _moved(part, count)
                    clocks += inner
            leaves[i] = type(node)(**parts)
    return jax.tree.unflatten(structure, leaves), clocks
