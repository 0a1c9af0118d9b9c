"""Plateau: a factor that falls when a metric no longer improves, as explicit optimizer state."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsched._fields import Number, number
from jaxsched._value import Value
from jaxsched.transforms.learning_rate import scaled_by

Tree = TypeVar("Tree")


class PlateauState(NamedTuple):
    """All that a plateau remembers.

    Attributes:
      scale: the factor, float32, 1 at first.
      best: the best metric so far, float32; infinite before the first.
      bad_count: observations in a row that were no improvement, int32.
      cooldown_count: observations for which it still waits after a cut, int32.
    """

    scale: jax.Array
    best: jax.Array
    bad_count: jax.Array
    cooldown_count: jax.Array


class Plateau(Value):
    r"""Multiplies the rate by `factor` when a metric has not improved for more than `patience` observations.

    The rule is a value without memory; `init` gives the first state and `observe` the next. An
    observation $m$ is better than the best so far, $b$, where

    $$m < b - \text{rtol}\,|b| - \text{atol}$$

    and with mode "max" where $m > b + \text{rtol}\,|b| + \text{atol}$. NaN and infinities are never better.
    Then, in this order:

    1. better: $b = m$ and the bad count is 0; otherwise the bad count goes up by 1.
    2. while cooling down: the cooldown count goes down by 1 and the bad count is 0.
    3. bad count above `patience`: the scale becomes `max(scale * factor, min_scale)`, unless that is less
       than `eps` below the old one; the cooldown count becomes `cooldown` and the bad count 0.

    This is the machine of PyTorch's `ReduceLROnPlateau`, but for the margin from $|b|$, which is right for
    negative metrics too, and for a scale in the place of a rate.

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
      factor: of each cut, at least 0 and below 1.
      patience: observations without improvement that are borne, at least 0; the next one cuts.
      rtol: relative margin, at least 0.
      atol: absolute margin, at least 0.
      cooldown: observations after a cut that are not counted as bad, at least 0.
      min_scale: the scale is not cut below it, from 0 to 1.
      eps: a cut of less than this is not made, at least 0.
      mode: "min" for a metric that should fall, "max" for one that should rise.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range.
    """

    factor: Number = number(default=0.1, at_least=0, below=1)
    patience: Number = number(default=10.0, at_least=0)
    rtol: Number = number(default=1e-4, at_least=0)
    atol: Number = number(default=0.0, at_least=0)
    cooldown: Number = number(default=0.0, at_least=0)
    min_scale: Number = number(default=0.0, at_least=0, at_most=1)
    eps: Number = number(default=0.0, at_least=0)
    mode: str = "min"

    def check(self) -> None:
        if self.mode not in ("min", "max"):
            raise ValueError(f"`mode` must be 'min' or 'max', got {self.mode!r}.")

    def init(self) -> PlateauState:
        """The state before the first observation."""
        worst = np.inf if self.mode == "min" else -np.inf
        return PlateauState(
            jnp.ones((), jnp.float32),
            jnp.full((), worst, jnp.float32),
            jnp.zeros((), jnp.int32),
            jnp.zeros((), jnp.int32),
        )

    def observe(self, state: Tree, metric: Any) -> Tree:
        """The state after an observation.

        Args:
          state: a `PlateauState`, or any tree that holds one: an optimizer state, or an `nnx.Optimizer`.
          metric: a real scalar. With several processes or devices it is reduced over them first.

        Returns:
          A new tree of the same structure.

        Raises:
          TypeError: `metric` is no real scalar.
          ValueError: the tree holds none or several; the message lists their paths.
        """
        leaves, structure = jax.tree.flatten_with_path(state, is_leaf=_is_state)
        places = [i for i, (_, leaf) in enumerate(leaves) if _is_state(leaf)]
        if len(places) != 1:
            paths = ", ".join(f"`{jax.tree_util.keystr(leaves[i][0])}`" for i in places)
            raise ValueError(
                f"There are {len(places)} plateau states, at {paths}; pass the part that holds one."
                if places
                else "There is no plateau state in this tree; `scale_by_plateau` in the optimizer makes one."
            )
        values = [leaf for _, leaf in leaves]
        fields, fields_structure = jax.tree.flatten(values[places[0]])
        after = self._step(PlateauState(*fields), _metric(metric))
        values[places[0]] = jax.tree.unflatten(fields_structure, after)
        return jax.tree.unflatten(structure, values)

    def _step(self, state: PlateauState, metric: jax.Array) -> PlateauState:
        rule = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), self)
        sign = 1 if self.mode == "min" else -1
        metric, best = sign * metric, sign * state.best
        # The first best is infinite, where a relative margin would be too.
        margin = jnp.where(jnp.isfinite(best), rule.rtol * jnp.abs(best) + rule.atol, 0)
        better = jnp.isfinite(metric) & (metric < best - margin)
        cooling = state.cooldown_count > 0
        bad = jnp.where(better | cooling, 0, optax.safe_increment(state.bad_count))
        cut = bad > rule.patience
        lower = jnp.maximum(state.scale * rule.factor, rule.min_scale)
        waiting = jnp.where(cooling, state.cooldown_count - 1, state.cooldown_count)
        return PlateauState(
            jnp.where(cut & (state.scale - lower > rule.eps), lower, state.scale),
            sign * jnp.where(better, metric, best),
            jnp.where(cut, 0, bad).astype(jnp.int32),
            jnp.where(cut, rule.cooldown, waiting).astype(jnp.int32),
        )


def _metric(metric: Any) -> jax.Array:
    try:
        value = jnp.asarray(metric)
        real = jnp.issubdtype(value.dtype, jnp.floating) or jnp.issubdtype(value.dtype, jnp.integer)
    except TypeError:
        real = False
    if not real or value.shape != ():
        raise TypeError(f"`metric` must be a real scalar, got {metric!r}.")
    return value.astype(jnp.float32)


def _is_state(node: Any) -> bool:
    return isinstance(node, PlateauState)


class ScaleByPlateauState(NamedTuple):
    """The state of `scale_by_plateau`.

    Attributes:
      plateau: the plateau's own memory.
      scale: the factor that the latest update applied, float32.
    """

    plateau: PlateauState
    scale: jax.Array


def scale_by_plateau(rule: Plateau, *, metric: str | None = "value") -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by a plateau's scale, and hands it a metric where `update` gets one.

    It multiplies whatever schedule stands in the chain, a warmup included. Observe where the metric is
    made, with `rule.observe(opt_state, metric)`, or give it to every update: `update(..., value=loss)`
    applies the scale so far and then observes.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> import optax
    >>> rule = js.Plateau(factor=0.5, patience=0)
    >>> tx = optax.chain(js.scale_by_learning_rate(0.1), js.scale_by_plateau(rule))
    >>> params = jnp.ones(2)
    >>> state = tx.init(params)
    >>> for loss in (1.0, 1.0):
    ...     state = rule.observe(state, loss)
    >>> updates, state = tx.update(jnp.ones(2), state, params)
    >>> js.learning_rate(state)
    Array(0.05, dtype=float32)

    Args:
      rule: the plateau.
      metric: the name of the extra argument of `update` to observe; `None` observes none.

    Raises:
      TypeError: `rule` is no `Plateau`, or `metric` no string.
    """
    if not isinstance(rule, Plateau):
        raise TypeError(f"`rule` must be a Plateau, got {rule!r}.")
    if not (metric is None or isinstance(metric, str)):
        raise TypeError(f"`metric` must be a name or None, got {metric!r}.")

    def init(params: optax.Params) -> ScaleByPlateauState:
        plateau = rule.init()
        return ScaleByPlateauState(plateau, jnp.copy(plateau.scale))

    def update(
        updates: optax.Updates,
        state: ScaleByPlateauState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ScaleByPlateauState]:
        scale = state.plateau.scale
        scaled = jax.tree.map(lambda update: scaled_by(update, scale), updates)
        observed = extra_args.get(metric) if metric else None
        plateau = state.plateau if observed is None else rule.observe(state.plateau, observed)
        return scaled, ScaleByPlateauState(plateau, scale)

    return optax.GradientTransformationExtraArgs(init, update)
