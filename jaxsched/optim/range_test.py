"""The learning-rate range test: the largest rate at which a model trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.fields import Number, checked_number, describe, is_concrete, is_integer, is_real, show
from jaxsched._core.transition import EasingLike, as_easing
from jaxsched._figures import new_axes
from jaxsched.shapes.exponential import Geometric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Step: TypeAlias = "Callable[[Any, jax.Array, jax.Array], tuple[Any, Any]]"
"""`step(state, rate, i) -> (state, metric)`: the training step of a range test."""

SMOOTHED, RAW, STEEPEST, TENTH = "#0072b2", "#999999", "#d55e00", "#009e73"
"""Okabe and Ito's colour-blind-safe colours, and a grey."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of `range_test`: a value and a pytree. Its arrays are float32 unless stated otherwise.

    Attributes:
      rates: all rates of the ramp, including those after the stop, shape (steps,).
      metrics: the metric of each try, shape (steps,); NaN after the stop.
      smoothed: the smoothed metric, shape (steps,); NaN after the stop.
      count: the number of tries, int32, including the last one.
      diverged: whether the test stopped because the metric diverged or was not finite, a boolean.
      steepest: the rate whose update improves the smoothed metric most, before its best; NaN if none
        improves it.
      tenth_of_best: a tenth of the rate with the best smoothed metric; NaN if none is finite.
      mode: `"min"` or `"max"`: whether a lower or a higher metric is better; static.
      log_scale: whether the ramp is geometric, and so drawn on a logarithmic axis; static.
    """

    rates: jax.Array = dataclasses.field(repr=False)
    metrics: jax.Array = dataclasses.field(repr=False)
    smoothed: jax.Array = dataclasses.field(repr=False)
    count: jax.Array
    diverged: jax.Array
    steepest: jax.Array
    tenth_of_best: jax.Array
    mode: Literal["min", "max"] = dataclasses.field(metadata={"static": True})
    log_scale: bool = dataclasses.field(metadata={"static": True})

    _repr_html_: ClassVar[Callable[[RangeTest], str | None]]
    """The picture in a notebook, set by `jaxsched._inspect.plot`."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plots the raw and the smoothed metric against the rate, and marks both suggestions.

        If the test diverged, the axis covers the metrics before the stop, and the last try may lie outside.

        Args:
          ax: the Matplotlib axes to draw on; by default those of a new figure.

        Returns:
          The axes.

        Raises:
          ImportError: Matplotlib is not installed.
          TypeError: the result is traced.
          ValueError: it holds several tests, from `jax.vmap` for example.
        """
        if not is_concrete(self):
            raise TypeError("A traced range test cannot be drawn, because its numbers are not known yet.")
        if np.ndim(self.count):
            raise ValueError(
                f"A batch of {np.size(self.count)} range tests cannot be drawn; draw one of them: "
                "`jax.tree.map(lambda leaf: leaf[0], tests).plot()`."
            )
        ax = ax or new_axes()
        rates, metrics, smoothed = self._tried()
        ax.plot(rates, metrics, color=RAW, lw=1, label="raw")
        ax.plot(rates, smoothed, color=SMOOTHED, lw=2, label="smoothed")
        for label, rate, color, style in self._suggested():
            ax.axvline(rate, color=color, ls=style, lw=1.5, label=label)
        if self.log_scale:
            ax.set_xscale("log")
        if limits := self._limits(metrics, smoothed):
            ax.set_ylim(*limits)
        ax.set_xlabel("learning rate")
        ax.set_ylabel("metric")
        ax.legend(frameon=False)
        return ax

    def _tried(self) -> list[np.ndarray]:
        """The rates that were tried, and their raw and smoothed metrics."""
        return [np.asarray(each)[: int(self.count)] for each in (self.rates, self.metrics, self.smoothed)]

    def _suggested(self) -> list[tuple[str, float, str, str]]:
        """The label, rate, colour and line style of each suggestion that is known."""
        marks = [
            ("steepest", float(self.steepest), STEEPEST, "--"),
            ("a tenth of the best", float(self.tenth_of_best), TENTH, ":"),
        ]
        known = [mark for mark in marks if np.isfinite(mark[1])]
        return [(f"{name}: {rate:.2g}", rate, colour, style) for name, rate, colour, style in known]

    def _limits(self, metrics: np.ndarray, smoothed: np.ndarray) -> tuple[float, float] | None:
        """The limits for a test that diverged: its best raw and its worst smoothed metric before the stop."""
        # The raw metric may grow by orders of magnitude before the smoothed one stops the test.
        before = smoothed[:-1]
        if not self.diverged or not len(before):
            return None
        low, high = float(before.min()), float(before.max())
        if self.mode == "min":
            low = min(low, float(metrics[:-1].min()))
        else:
            high = max(high, float(metrics[:-1].max()))
        margin = 0.08 * (high - low)
        return (low - margin, high + margin) if margin else None


def range_test(
    step: Step,
    state: Any,
    *,
    min_value: Number = 1e-6,
    max_value: Number = 1.0,
    steps: int = 100,
    shape: EasingLike = Geometric,
    mode: Literal["min", "max"] = "min",
    smoothing: Number = 0.9,
    divergence: Number = 4.0,
) -> RangeTest:
    r"""Trains at an increasing learning rate until the metric diverges.

    Try $i$ uses the rate $r_i = \text{ramp}(i)$. The ramp goes from `min_value` at the first of `steps` tries
    to `max_value` at the last. The metric $m_i$ is smoothed by an exponential moving average with bias
    correction and $\beta$ = `smoothing`:

    $$s_i = \frac{\sum_{j \le i} \beta^{i - j} m_j}{\sum_{j \le i} \beta^{i - j}}$$

    The test stops if $m_i$ is not finite, or if $s_i$ is worse than the best so far by more than the factor
    `divergence`. For a positive metric to minimise, such as a loss, that is above `divergence` times its
    lowest value. For a positive metric to maximise, such as an accuracy, it is below its highest value
    divided by `divergence`. A negative metric counts as its absolute value with the other mode.

    There are two suggestions. `steepest` is the rate $r_i > 0$ before the best try whose update improves the
    metric most, from $s_i$ to $s_{i+1}$. On a geometric ramp this is the steepest slope against the logarithm
    of the rate. `tenth_of_best` is a tenth of the rate of the best try. Smoothing delays the curve, and so
    both suggestions, by about $\beta / (1 - \beta)$ tries.

    The loop is one compiled program. It does not change `state`, and you can call `range_test` under
    `jax.jit` and `jax.vmap`. Without `jax.jit` each call compiles again. To run the same `step` often, use
    `jax.jit(lambda state: jaxsched.range_test(step, state))`.

    Gradient descent on a quadratic of curvature 8 diverges at rates above 2/8:

    >>> import jaxsched as js
    >>> def step(weight, rate, i):
    ...     return weight - rate * 8 * weight, 4 * weight**2
    >>> result = js.range_test(step, 1.0, min_value=0.001, smoothing=0)
    >>> bool(result.diverged), round(float(result.rates[result.count - 1]), 2)
    (True, 0.33)
    >>> round(float(result.steepest), 4)
    0.0043

    Args:
      step: `step(state, rate, i) -> (state, metric)`, a training step in JAX. `rate` is a float32 scalar.
        `i` is the index of the try, an int32 from 0, with which it can choose a batch. `metric` is a real
        scalar, such as the loss of the batch.
      state: the initial state, a pytree: parameters, optimizer state, a random key.
      min_value: the first rate, at least 0; above 0 on a geometric ramp.
      max_value: the last rate, above `min_value`.
      steps: the number of rates to try, at least 2.
      shape: the shape of the ramp, a class of transitions or a `functools.partial` of one. `Geometric` is
        the exponential ramp, `Linear` that of the paper.
      mode: `"min"` for a metric to minimise, `"max"` for one to maximise, as in the paper.
      smoothing: the weight of the past, at least 0 and below 1; 0 means no smoothing.
      divergence: the factor of worsening that ends the test, above 1. Use a small one for an accuracy that
        is high by chance.

    Returns:
      The curve and the suggestions, a `RangeTest`.

    Raises:
      TypeError: an argument is of the wrong type, or `step` does not return a pair of a state like `state`
        and a real scalar.
      ValueError: an argument is out of range, or the ramp does not allow its ends.

    Source: Smith, *Cyclical Learning Rates for Training Neural Networks*, arXiv:1506.01186, section 3.3. The
    smoothing and the suggestions are later practice.
    """
    if not callable(step):
        raise TypeError(f"`step` must be callable, got {describe(step)}.")
    if not is_integer(steps):
        raise TypeError(f"`steps` must be an integer, got {describe(steps)}.")
    if steps < 2:
        raise ValueError(f"`steps` must be at least 2, got {steps}.")
    if mode not in ("min", "max"):
        raise ValueError(f'`mode` must be "min" or "max", got {mode!r}.')
    low, high = checked_number("min_value", min_value, at_least=0), checked_number("max_value", max_value)
    if is_concrete(low, high) and not low < high:
        raise ValueError(f"`max_value` must be above `min_value` ({show(low)}), got {show(high)}.")
    easing = as_easing("shape", shape)
    ramp = easing.cls(low, high, steps - 1, **easing.keywords)
    sweep = _Sweep(
        decay=jnp.asarray(checked_number("smoothing", smoothing, at_least=0, below=1), jnp.float32),
        tolerance=jnp.asarray(checked_number("divergence", divergence, above=1), jnp.float32),
        rates=ramp(jnp.arange(steps)).astype(jnp.float32),
    )
    sign = 1 if mode == "min" else -1
    # The program trains until NaN on purpose, so `jax_debug_nans` must not stop it.
    with jax.debug_nans(False):
        found = jax.jit(lambda state, sweep: _run(step, state, sweep, sign))(state, sweep)
    return RangeTest(sweep.rates, **found, mode=mode, log_scale=easing.cls is Geometric)


class _Sweep(NamedTuple):
    """The parameters of a sweep, in float32: the numbers of `range_test`, and the ramp."""

    decay: jax.Array
    tolerance: jax.Array
    rates: jax.Array


class _Progress(NamedTuple):
    """The state of the loop.

    Attributes:
      i: the index of the next try.
      state: the next argument of `step`.
      total: the sum of the metrics so far, each weighted by `decay` to the power of its age.
      weight: the sum of these weights.
      best: the lowest smoothed cost so far. The cost is the metric, negated if it is to be maximised.
      diverged: whether to stop.
      metrics: the metrics so far, then NaN.
      smoothed: the smoothed metrics so far, then NaN.
    """

    i: jax.Array
    state: Any
    total: jax.Array
    weight: jax.Array
    best: jax.Array
    diverged: jax.Array
    metrics: jax.Array
    smoothed: jax.Array


def _run(step: Step, state: Any, sweep: _Sweep, sign: int) -> dict[str, jax.Array]:
    """The fields of a `RangeTest` that the loop computes; the cost is `sign` times the metric."""

    def tried(now: _Progress) -> _Progress:
        state, metric = _try(step, now.state, sweep.rates[now.i], now.i)
        total = sweep.decay * now.total + metric
        weight = sweep.decay * now.weight + 1
        smoothed = total / weight
        cost = sign * smoothed
        best = jnp.minimum(now.best, cost)
        limit = jnp.where(best > 0, best * sweep.tolerance, best / sweep.tolerance)
        return _Progress(
            i=now.i + 1,
            state=state,
            total=total,
            weight=weight,
            best=best,
            diverged=~jnp.isfinite(smoothed) | (cost > limit),
            metrics=now.metrics.at[now.i].set(metric),
            smoothed=now.smoothed.at[now.i].set(smoothed),
        )

    nothing, zero = jnp.full_like(sweep.rates, jnp.nan), jnp.zeros((), jnp.float32)
    end = lax.while_loop(
        lambda now: (now.i < len(sweep.rates)) & ~now.diverged,
        tried,
        _Progress(
            i=jnp.zeros((), jnp.int32),
            state=state,
            total=zero,
            weight=zero,
            best=zero + jnp.inf,
            diverged=jnp.zeros((), bool),
            metrics=nothing,
            smoothed=nothing,
        ),
    )
    steepest, best = _suggestions(sweep.rates, sign * end.smoothed)
    return {
        "metrics": end.metrics,
        "smoothed": end.smoothed,
        "count": end.i,
        "diverged": end.diverged,
        "steepest": steepest,
        "tenth_of_best": best / 10,
    }


def _try(step: Step, state: Any, rate: jax.Array, i: jax.Array) -> tuple[Any, jax.Array]:
    """Calls `step` once, checks its result and converts the metric to float32."""
    result = step(state, rate, i)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"`step` must return a pair, (state, metric), got {_in_words(result)}.")
    after, metric = result
    given: Any = jax.tree.structure(state)
    returned: Any = jax.tree.structure(after)
    if returned != given:
        raise TypeError(
            f"`step` must return a state with the structure of its argument, {given}, got {returned}."
        )
    if not _is_real_scalar(metric):
        raise TypeError(f"`step` must return a real scalar as its metric, got {_in_words(metric)}.")
    return after, jnp.asarray(metric, jnp.float32)


def _is_real_scalar(value: Any) -> bool:
    if not isinstance(value, jax.Array | np.ndarray | np.generic | float | int) or np.shape(value) != ():
        return False
    return is_real(jnp.result_type(value))


def _in_words(value: Any) -> str:
    """A result of `step` for a message; a traced array only has a type, such as `float32[3]`."""
    return str(jax.typeof(value)) if isinstance(value, jax.Array) else describe(value)


def _suggestions(rates: jax.Array, costs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The rate before the lowest cost whose update lowers the cost most, and the rate of the lowest cost."""
    known = jnp.where(jnp.isfinite(costs), costs, jnp.inf)
    best = known.argmin()
    # A ramp may begin at 0, and a change of the cost after that try is noise.
    on_the_way = (jnp.arange(len(rates) - 1) < best) & (rates[:-1] > 0)
    falls = jnp.where(on_the_way, costs[:-1] - costs[1:], 0)
    steepest = jnp.where(falls.max() > 0, rates[falls.argmax()], jnp.nan)
    return steepest, jnp.where(jnp.isfinite(known[best]), rates[best], jnp.nan)
