# ruff: noqa: N802 - the names are those of the originals.
"""The schedulers of *Dive into Deep Learning*, section "Learning Rate Scheduling".

The originals are called once an epoch, as `scheduler(0)`, `scheduler(1)`, ..., so the step of a port is the
epoch. For the `PolyScheduler` of the exercises see `jaxsched.ports.mxnet.PolyScheduler`, and for the
`MultiStepLR` of the PyTorch tab `jaxsched.ports.torch.MultiStepLR`.
"""

from __future__ import annotations

from jaxsched._core.fields import Number, Numbers, checked_number, is_concrete, show
from jaxsched._core.schedule import Schedule
from jaxsched.combinators.clip import clip
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.ports._checks import checked, is_known, whole, whole_steps
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.rational import InversePower


def SquareRootScheduler(lr: Number = 0.1) -> Schedule:
    r"""The inverse square root of the epoch, counted from 1.

    $$f(t) = \text{lr} \cdot (t + 1)^{-1/2}$$

    >>> from jaxsched.ports import d2l
    >>> d2l.SquareRootScheduler(lr=0.1)
    InversePower(0.1, 1, 0.5)

    Args:
      lr: the first rate.

    Source: `SquareRootScheduler` of d2l 1.0.3.
    """
    (lr,) = checked(lr=lr)
    return InversePower(lr, 1.0, 0.5)


def FactorScheduler(factor: Number = 1, stop_factor_lr: Number = 1e-7, base_lr: Number = 0.1) -> Schedule:
    r"""A constant factor every epoch, down to a floor.

    $$f(0) = \max(\text{stop\_factor\_lr},\ \text{base\_lr} \cdot \text{factor}), \quad
    f(t) = \max(\text{stop\_factor\_lr},\ f(0) \cdot \text{factor}^t)$$

    The first call already multiplies, so no epoch has the rate `base_lr`.

    >>> from jaxsched.ports import d2l
    >>> d2l.FactorScheduler(factor=0.5, stop_factor_lr=1e-2, base_lr=2.0)
    clip(Exponential(1, 0.5), 0.01)

    Args:
      factor: at least 0.
      stop_factor_lr: the floor.
      base_lr: the rate that the first call multiplies.

    Source: `FactorScheduler` of d2l 1.0.3.
    """
    factor = checked_number("factor", factor, at_least=0)
    base_lr, stop_factor_lr = checked(base_lr=base_lr, stop_factor_lr=stop_factor_lr)
    first = base_lr * factor
    if is_concrete(first, stop_factor_lr):
        first = max(first, stop_factor_lr)
    return clip(Exponential(first, factor), stop_factor_lr)


def MultiFactorScheduler(step: Numbers, factor: Number, base_lr: Number) -> Schedule:
    r"""Multiplies by `factor` at each of the given epochs.

    $$f(t) = \text{base\_lr} \cdot \text{factor}^{\#\{s \in \text{step}:\ s \le t\}}$$

    >>> from jaxsched.ports import d2l
    >>> d2l.MultiFactorScheduler(step=[15, 30], factor=0.5, base_lr=0.5)
    Piecewise([0.5, 0.25, 0.125], [15, 30])

    Args:
      step: the epochs of the cuts, whole numbers of at least 0 in any order. An epoch listed twice cuts once.
      factor: the factor of each cut.
      base_lr: the rate before the first cut.

    Source: `MultiFactorScheduler` of d2l 1.0.3, TensorFlow tab. The MXNet tab uses MXNet's own, which cuts
    one epoch later: `jaxsched.ports.mxnet.MultiFactorScheduler`.
    """
    base_lr, factor = checked(base_lr=base_lr, factor=factor)
    cuts = sorted(set(whole_steps("step", step, ascending=False, at_least=0)))
    return Piecewise([base_lr * factor**k for k in range(len(cuts) + 1)], cuts)


def CosineScheduler(
    max_update: Number,
    base_lr: Number = 0.01,
    final_lr: Number = 0,
    warmup_steps: Number = 0,
    warmup_begin_lr: Number = 0,
) -> Schedule:
    r"""A linear warmup, then half a cosine down to `final_lr` at epoch `max_update`.

    With $W$ = `warmup_steps` and $T$ = `max_update`,

    $$f(t) = \begin{cases}
    \text{begin} + (\text{base} - \text{begin}) \, t / W & t < W \\
    \text{final} + (\text{base} - \text{final}) \, \tfrac12 (1 + \cos(\pi (t - W) / (T - W))) & W \le t \le T
    \end{cases}$$

    >>> from jaxsched.ports import d2l
    >>> d2l.CosineScheduler(20, base_lr=0.3, final_lr=0.01, warmup_steps=5)
    warmup(Cosine(0.3, 0.01, 15), 5)

    Args:
      max_update: the epoch from which the rate is `final_lr`, a whole number that includes the warmup.
      base_lr: the rate after the warmup.
      final_lr: the last rate.
      warmup_steps: a whole number, from 0 to `max_update`.
      warmup_begin_lr: the first rate of the warmup.

    Source: `CosineScheduler` of d2l 1.0.3. Deviation: if the warmup takes all of `max_update`, the
    original divides by 0; here the rate is `final_lr` after it.
    """
    base_lr, final_lr, begin = checked(base_lr=base_lr, final_lr=final_lr, warmup_begin_lr=warmup_begin_lr)
    max_update = whole("max_update", max_update, at_least=0)
    warmup_steps = whole("warmup_steps", warmup_steps, at_least=0)
    if is_concrete(max_update, warmup_steps) and warmup_steps > max_update:
        raise ValueError(
            f"`warmup_steps` must be at most `max_update` ({show(max_update)}), got {show(warmup_steps)}."
        )
    left = max_update - warmup_steps
    if is_known(left, 0):
        return join([Linear(begin, base_lr, warmup_steps), final_lr], [warmup_steps])
    decay = Cosine(base_lr, final_lr, left)
    return decay if is_known(warmup_steps, 0) else warmup(decay, warmup_steps, begin)
