"""The scale of a plateau as a gradient transformation."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxsched._core.exported import exported_state
from jaxsched.optim.learning_rate import scaled_by
from jaxsched.plateau import Rule


@exported_state
class ScaleByPlateauState(NamedTuple):
    """The state of `scale_by_plateau`.

    Attributes:
      plateau: the state of the rule.
      scale: the factor that the latest update applied, float32.
    """

    plateau: Any
    scale: jax.Array


def scale_by_plateau(rule: Rule, *, metric: str | None = "value") -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by the scale of a plateau.

    The scale multiplies any schedule in the same chain, warmup included. Call `rule.observe(opt_state,
    metric)` after each evaluation, or pass a metric to every update: `update(..., value=loss)` applies the
    current scale and then observes the loss.

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
      metric: the name of the extra argument of `update` to observe, or `None` to observe none.

    Raises:
      TypeError: `rule` is not a plateau, or `metric` is not a string.
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"`rule` must be a Plateau, got {rule!r}.")
    if not (metric is None or isinstance(metric, str)):
        raise TypeError(f"`metric` must be a name or None, got {metric!r}.")

    def init(params: optax.Params) -> ScaleByPlateauState:
        plateau = rule.init()
        return ScaleByPlateauState(plateau, jnp.copy(rule.scale_of(plateau)))

    def update(
        updates: optax.Updates,
        state: ScaleByPlateauState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ScaleByPlateauState]:
        scale = rule.scale_of(state.plateau)
        scaled = jax.tree.map(lambda update: scaled_by(update, scale), updates)
        observed = extra_args.get(metric) if metric else None
        plateau = state.plateau if observed is None else rule.observe(state.plateau, observed)
        return scaled, ScaleByPlateauState(plateau, scale)

    return optax.GradientTransformationExtraArgs(init, update)
