"""Plateaus: rules that scale the rate when a metric stops improving, with explicit state."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.exported import exported_state
from jaxsched._core.fields import Number, check_range, describe, field, is_integer, is_real, number
from jaxsched._core.value import Value

Tree = TypeVar("Tree")


@exported_state
class PlateauState(NamedTuple):
    """The state of a plateau.

    Attributes:
      scale: the factor of the rate, float32, initially 1.
      best: the best metric so far, float32, initially infinite.
      bad_count: observations in a row without improvement, int32.
      cooldown_count: observations left of the cooldown after a cut, int32.
    """

    scale: jax.Array
    best: jax.Array
    bad_count: jax.Array
    cooldown_count: jax.Array


class Rule(Value, abc.ABC, abstract=True):
    """A rule for `scale_by_plateau`: an initial state, and a new state for each metric."""

    state_type: ClassVar[type]

    _repr_html_: ClassVar[Callable[[Rule], str | None]]
    """The picture in a notebook, set by `jaxsched._inspect.plot`."""

    @abc.abstractmethod
    def init(self) -> Any:
        """The state before the first observation."""

    @abc.abstractmethod
    def plateau_of(self, state: Any) -> PlateauState:
        """The part of a state that every rule has."""

    def scale_of(self, state: Any) -> jax.Array:
        """The factor of the rate in a state."""
        return self.plateau_of(state).scale

    @abc.abstractmethod
    def step(self, state: Any, metric: jax.Array) -> Any:
        """The state after a metric: a float32 scalar, or an array with the shape of the state's leaves."""

    def observe(self, state: Tree, metric: Any) -> Tree:
        """The state after an observation.

        Args:
          state: a state of this rule, or any tree with one, such as an optimizer state or an `nnx.Optimizer`.
          metric: a real scalar. With several processes or devices, reduce it over them first. If the state
            has leading axes, from `jax.vmap` for example, a scalar applies to every member, and an array of
            their shape has one metric for each.

        Returns:
          A new tree of the same structure.

        Raises:
          TypeError: `metric` is neither a real scalar nor an array of real numbers with the leading axes.
          ValueError: the tree has no such state, or several; the message lists their paths.
        """
        leaves, structure = jax.tree.flatten_with_path(state, is_leaf=self._is_state)
        places = [i for i, (_, leaf) in enumerate(leaves) if self._is_state(leaf)]
        if len(places) != 1:
            paths = ", ".join(f"`{jax.tree_util.keystr(leaves[i][0])}`" for i in places)
            raise ValueError(
                f"There are {len(places)} plateau states, at {paths}; pass the part that holds one."
                if places
                else "There is no plateau state in this tree; add `scale_by_plateau` to the optimizer."
            )
        values = [leaf for _, leaf in leaves]
        # The fields may be in containers, such as Flax variables.
        fields, holders = jax.tree.flatten(values[places[0]])
        plain = jax.tree.unflatten(jax.tree.structure(jax.eval_shape(self.init)), fields)
        metric = _metric(metric, jnp.shape(self.scale_of(plain)))
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            after = self.step(plain, metric)
        values[places[0]] = jax.tree.unflatten(holders, jax.tree.leaves(after))
        return jax.tree.unflatten(structure, values)

    def _is_state(self, node: Any) -> bool:
        return isinstance(node, self.state_type)


class Machine(NamedTuple):
    """The deviations of a port from the description of `Plateau`.

    Attributes:
      signed_margin: whether the relative margin is a fraction of $b$ instead of $|b|$.
      infinities: whether an infinitely good metric is better.
      first: whether the first metric always becomes the best, NaN included.
      trigger: whether it cuts if the bad count is "above" the patience, "at" it or above, or "equal" to it.
      cooldown: the treatment of a metric during the cooldown. "watch": it may be a new best, and is not
        counted as bad. "ignore": it is ignored. "hold": as "watch", but the last observation of the cooldown
        counts as bad again.
      keeps_counting: whether a cut that does not lower the scale leaves the counts as they are.
    """

    signed_margin: bool = False
    infinities: bool = False
    first: bool = False
    trigger: str = "above"
    cooldown: str = "watch"
    keeps_counting: bool = False


class Plateau(Rule):
    r"""Multiplies the rate by `factor` when a metric has not improved for more than `patience` observations.

    The rule itself has no state: `init` returns the first state and `observe` the next. An observation $m$ is
    better than the best so far, $b$, if

    $$m < b - \text{rtol}\,|b| - \text{atol}$$

    or, with mode "max", if $m > b + \text{rtol}\,|b| + \text{atol}$. NaN and infinities are never better.
    Then, in this order:

    1. If $m$ is better, $b$ becomes $m$ and the bad count 0. Otherwise the bad count goes up by 1.
    2. During a cooldown, the cooldown count goes down by 1 and the bad count is 0.
    3. If the bad count is above `patience`, the scale becomes `max(scale * factor, min_scale)`, unless that
       lowers it by `eps` or less. The cooldown count becomes `cooldown` and the bad count 0.

    This is the algorithm of PyTorch's `ReduceLROnPlateau` with two changes: the margin is relative to $|b|$,
    so it is right for negative metrics too, and the state holds a scale instead of a rate.

    >>> import jaxsched as js
    >>> rule = js.Plateau(factor=0.5, patience=1)
    >>> state = rule.init()
    >>> for loss in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9):
    ...     state = rule.observe(state, loss)
    ...     print(float(state.scale))
    1.0
    1.0
    1.0
    0.5
    0.5
    0.25

    Args:
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement to tolerate, at least 0; the next one cuts.
      rtol: the relative margin, at least 0.
      atol: the absolute margin, at least 0.
      cooldown: the number of observations after a cut that do not count as bad, at least 0.
      min_scale: the lowest scale, from 0 to 1.
      eps: the scale is only cut by more than this, at least 0.
      mode: "min" for a metric to minimise, "max" for one to maximise.
      machine: deviations from the above, set by the plateaus of `jaxsched.ports`.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range.
    """

    factor: Number = number(default=0.1, at_least=0, below=1)
    patience: Number = number(default=10.0, at_least=0)
    rtol: Number = number(default=1e-4, at_least=0)
    atol: Number = number(default=0.0, at_least=0)
    cooldown: Number = number(default=0.0, at_least=0)
    min_scale: Number = number(default=0.0, at_least=0, at_most=1)
    eps: Number = number(default=0.0, at_least=0)
    mode: str = "min"
    machine: Machine = Machine()
    state_type: ClassVar[type] = PlateauState

    def check(self) -> None:
        _check_mode(self.mode)
        if not isinstance(self.machine, Machine):
            raise TypeError(f"`machine` must be a `Machine`, got {self.machine!r}.")

    def init(self) -> PlateauState:
        """The state before the first observation."""
        return PlateauState(
            jnp.ones((), jnp.float32),
            jnp.full((), _worst(self.mode), jnp.float32),
            jnp.full((), NOTHING_YET if self.machine.first else 0, jnp.int32),
            jnp.zeros((), jnp.int32),
        )

    def plateau_of(self, state: PlateauState) -> PlateauState:
        return state

    def step(self, state: PlateauState, metric: jax.Array) -> PlateauState:
        rule, machine = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), self), self.machine
        better = self._is_better(rule, state, metric)
        waiting = state.cooldown_count - (state.cooldown_count > 0)
        # With "hold" the last observation of the cooldown counts again.
        cooling = (waiting if machine.cooldown == "hold" else state.cooldown_count) > 0
        ignored = cooling if machine.cooldown == "ignore" else jnp.asarray(False)
        fresh = jnp.where(ignored, state.bad_count, 0)
        bad = jnp.where(better | cooling, fresh, jnp.clip(state.bad_count, 0, LAST_STEP - 1) + 1)
        due = {"above": bad > rule.patience, "at": bad >= rule.patience, "equal": bad == rule.patience}
        cut = due[machine.trigger] & ~cooling & ~better
        lower = jnp.maximum(state.scale * rule.factor, rule.min_scale)
        lowers = cut & (state.scale - lower > rule.eps)
        ends = lowers if machine.keeps_counting else cut
        return PlateauState(
            jnp.where(lowers, lower, state.scale),
            jnp.where(better & ~ignored, metric, state.best),
            jnp.where(ends, 0, bad).astype(jnp.int32),
            jnp.where(ends, rule.cooldown, waiting).astype(jnp.int32),
        )

    def _is_better(self, rule: Plateau, state: PlateauState, metric: jax.Array) -> jax.Array:
        sign = 1 if self.mode == "min" else -1
        metric, best = sign * metric, sign * state.best
        if self.machine.signed_margin:
            limit = best * (1 - sign * rule.rtol) - rule.atol
        else:
            # The first best is infinite, and so would be a relative margin.
            limit = best - jnp.where(jnp.isfinite(best), rule.rtol * jnp.abs(best) + rule.atol, 0)
        better = metric < limit
        if not self.machine.infinities:
            better &= jnp.isfinite(metric)
        return better | (state.bad_count == NOTHING_YET)


NOTHING_YET = -1
"""The bad count before the first observation, if that one always becomes the best."""


def _metric(metric: Any, leading: tuple[int, ...]) -> jax.Array:
    """A metric as float32; `leading` is the shape of the state's leaves."""
    try:
        real = is_real(jnp.result_type(metric)) and not np.ma.is_masked(metric)
        # Straight to float32: a large integer would wrap around in int32.
        value = jnp.asarray(metric, jnp.float32) if real else None
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is None or value.shape not in ((), leading):
        allowed = f" or an array of shape {leading}" if leading else ""
        raise TypeError(f"`metric` must be a real scalar{allowed}, got {metric!r}.")
    return value


def _as_plateau(name: str, value: Any) -> Plateau:
    if not isinstance(value, Plateau):
        raise TypeError(f"`{name}` must be a Plateau, got {value!r}.")
    return value


@exported_state
class AveragedState(NamedTuple):
    """The state of `Averaged`.

    Attributes:
      plateau: the state of the plateau.
      mean: the mean of the metrics since the last observation, float32.
      number: the number of these metrics, int32.
    """

    plateau: PlateauState
    mean: jax.Array
    number: jax.Array


class Averaged(Rule):
    """A plateau that observes the mean of every `size` metrics.

    Args:
      plateau: the rule for the means.
      size: the number of metrics in a mean, at least 1.

    Raises:
      TypeError: `plateau` is not a `Plateau`, or `size` is not a number.
      ValueError: `size` is below 1.
    """

    plateau: Plateau = field(_as_plateau)
    size: Number = number(at_least=1)
    state_type: ClassVar[type] = AveragedState

    def init(self) -> AveragedState:
        return AveragedState(self.plateau.init(), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))

    def plateau_of(self, state: AveragedState) -> PlateauState:
        return state.plateau

    def step(self, state: AveragedState, metric: jax.Array) -> AveragedState:
        number = state.number + 1
        mean = (state.number * state.mean + metric) / number
        full = number >= jnp.asarray(self.size, jnp.float32)
        after = self.plateau.step(state.plateau, mean)
        return AveragedState(
            jax.tree.map(lambda new, old: jnp.where(full, new, old), after, state.plateau),
            jnp.where(full, 0, mean),
            jnp.where(full, 0, number),
        )


@exported_state
class GreedyState(NamedTuple):
    """The state of `Greedy`.

    Attributes:
      scale: the factor of the rate, float32, initially 1.
      best: the best mean so far, float32, initially infinite.
      streak: improvements in a row if above 0, observations in a row without one if below, int32.
      pause: observations left to ignore after a change of the scale, int32.
      floor_count: cuts that left the scale at its lowest since the last raise, int32.
      window: the latest metrics, the newest last, float32, on an axis of its own.
      window_count: how many of these there are since the start, int32.
    """

    scale: jax.Array
    best: jax.Array
    streak: jax.Array
    pause: jax.Array
    floor_count: jax.Array
    window: jax.Array
    window_count: jax.Array


class Greedy(Rule):
    r"""Raises the rate while a metric improves, and cuts it while the metric does not.

    The metric $m$ of an observation is the mean of the latest `window` metrics, or of all if there are fewer.
    It improves on the best so far, $b$, if

    $$m < (1 - \text{rtol}) \, b - \text{atol}$$

    or, with mode "max", if $m > (1 + \text{rtol}) \, b + \text{atol}$. The first $b$ is infinite, and NaN is
    no improvement. During a pause, an observation only shortens the pause by 1 and ends the streak. Otherwise
    it begins or extends a streak: of improvements, in which $b$ becomes $m$, or of observations without
    improvement. A streak longer than `patience` ends:

    - After improvements, the scale becomes `min(scale / factor, max_scale)`, and a pause of `warmup`
      observations begins.
    - After observations without improvement, the scale becomes `max(scale * factor, min_scale)`, and a pause
      of `cooldown` observations begins. If that leaves the scale at `min_scale` or below for the
      `reset_after`-th time without a raise, the scale returns to 1, and the best and the earlier metrics are
      forgotten.

    A change by `eps` or less, or in the wrong direction, is skipped.

    Args:
      factor: the factor of a cut and the divisor of a raise, above 0 and below 1.
      patience: the longest streak that changes nothing, at least 0.
      rtol: the relative margin of an improvement, at least 0.
      atol: the absolute margin, at least 0.
      cooldown: the number of observations to ignore after a cut, at least 0.
      warmup: the number of observations to ignore after a raise, at least 0.
      min_scale: the lowest scale that a cut makes, at least 0.
      max_scale: the highest scale that a raise makes, at least 0.
      eps: the scale is only changed by more than this, at least 0.
      reset_after: the number of cuts at the lowest scale before it starts again, at least 0; 0 means 1.
      mode: "min" for a metric to minimise, "max" for one to maximise.
      window: the number of metrics in a mean, an integer of at least 1.

    Raises:
      TypeError: an argument is not a number, or `window` is not an integer.
      ValueError: an argument is out of range.

    Source: Subramanian et al., *Dynamic Learning Rate Scheduling based on Loss Changes Leads to Faster
    Convergence*, arXiv:2512.14527, with the details of Transformers' `GreedyLR`.
    """

    factor: Number = number(default=0.95, above=0, below=1)
    patience: Number = number(default=10.0, at_least=0)
    rtol: Number = number(default=0.0, at_least=0)
    atol: Number = number(default=1e-6, at_least=0)
    cooldown: Number = number(default=0.0, at_least=0)
    warmup: Number = number(default=0.0, at_least=0)
    min_scale: Number = number(default=0.0, at_least=0)
    max_scale: Number = number(default=10.0, at_least=0)
    eps: Number = number(default=0.0, at_least=0)
    reset_after: Number = number(default=500.0, at_least=0)
    mode: str = "min"
    window: int = 1
    state_type: ClassVar[type] = GreedyState

    def check(self) -> None:
        _check_mode(self.mode)
        if not is_integer(self.window):
            raise TypeError(f"`window` must be an integer, got {describe(self.window)}.")
        check_range("window", self.window, at_least=1)

    def init(self) -> GreedyState:
        # Separate arrays, because a state may be donated.
        streak, pause, floors, held = (jnp.zeros((), jnp.int32) for _ in range(4))
        best = jnp.full((), _worst(self.mode), jnp.float32)
        window = jnp.zeros(self.window, jnp.float32)
        return GreedyState(jnp.ones((), jnp.float32), best, streak, pause, floors, window, held)

    def plateau_of(self, state: GreedyState) -> PlateauState:
        return PlateauState(state.scale, state.best, jnp.maximum(-state.streak, 0), state.pause)

    def step(self, state: GreedyState, metric: jax.Array) -> GreedyState:
        if state.window.shape[-1] != self.window:
            raise ValueError(
                f"`state` must have a window of {self.window} metrics, got one of {state.window.shape[-1]}."
            )
        rule = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), self)
        sign = 1 if self.mode == "min" else -1
        held = jnp.minimum(state.window_count, self.window - 1) + 1
        newest = jnp.broadcast_to(metric, held.shape)[..., None]
        window = jnp.concatenate([state.window[..., 1:], newest], axis=-1)
        ages = np.arange(self.window)[::-1]
        mean = jnp.mean(window, axis=-1, where=ages < held[..., None])

        paused = state.pause > 0
        improves = ~paused & (sign * mean < sign * state.best * (1 - sign * rule.rtol) - rule.atol)
        before = jnp.clip(state.streak, 1 - LAST_STEP, LAST_STEP - 1)
        streak = jnp.where(improves, jnp.maximum(before, 0) + 1, jnp.minimum(before, 0) - 1)
        raises = improves & (streak > rule.patience)
        cuts = ~paused & (-streak > rule.patience)

        higher = jnp.minimum(state.scale / rule.factor, rule.max_scale)
        lower = jnp.maximum(state.scale * rule.factor, rule.min_scale)
        scale = jnp.where(raises & (higher - state.scale > rule.eps), higher, state.scale)
        scale = jnp.where(cuts & (state.scale - lower > rule.eps), lower, scale)

        at_floor = cuts & (scale <= rule.min_scale)
        floors = jnp.where(raises, 0, jnp.minimum(state.floor_count, LAST_STEP - 1) + at_floor)
        resets = at_floor & (floors >= rule.reset_after)
        pause = jnp.where(raises, rule.warmup, jnp.where(cuts, rule.cooldown, state.pause - paused))
        return GreedyState(
            scale=jnp.where(resets, 1, scale),
            best=jnp.where(resets, _worst(self.mode), jnp.where(improves, mean, state.best)),
            streak=jnp.where(paused | raises | cuts, 0, streak),
            pause=pause.astype(jnp.int32),
            floor_count=jnp.where(resets, 0, floors),
            window=window,
            window_count=jnp.where(resets, 0, held),
        )


def _worst(mode: str) -> float:
    """The best metric before the first observation."""
    return np.inf if mode == "min" else -np.inf


def _check_mode(mode: str) -> None:
    if mode not in ("min", "max"):
        raise ValueError(f"`mode` must be 'min' or 'max', got {mode!r}.")
