"""Schedules of whole numbers, for arguments of Optax that count."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsched._core.schedule import ScheduleLike, part
from jaxsched._core.value import Value

MOST = 2.0**31 - 128
"""The largest float32 that fits an int32."""


class as_integer(Value):
    r"""A schedule of whole numbers, for arguments that count, such as the batches in an update.

    $$f(t) = \text{round}(s(t))$$

    as an int32. Halves are rounded to even, and numbers beyond int32 are clipped. Such arguments do not
    accept the schedule itself, because it gives floats: "cond branches must have equal output types".

    >>> import jaxsched as js
    >>> import optax
    >>> every = js.as_integer(js.Piecewise([1, 4], [1000]))      # accumulates from update 1,000 on
    >>> every(1000)
    Array(4, dtype=int32)
    >>> tx = optax.MultiSteps(optax.sgd(0.1), every_k_schedule=every)

    Like a schedule, it is a value and a pytree. But it is not a schedule, because its result is not a rate.

    Args:
      schedule: the schedule; a number is a constant.

    Raises:
      TypeError: `schedule` is not a schedule, a number or a callable.
      ValueError: it is a stack of schedules.
    """

    schedule: ScheduleLike = part()

    def __call__(self: Any, step: ArrayLike) -> jax.Array:
        """The whole number at `step`, with the shape of `step`."""
        return jnp.clip(jnp.round(self.schedule(step)), -MOST, MOST).astype(np.int32)
