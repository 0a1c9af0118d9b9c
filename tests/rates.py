"""The rates of a schedule as the tests of the ports compare them."""

from __future__ import annotations

import jax
import numpy as np


def rates(schedule, steps):
    """The rates at some steps, in float64."""
    return np.asarray(schedule(np.array(steps, np.int32)), np.float64)


def check_traced(port, args, steps, atol):
    """Checks that a port gives the same rates if its arguments are traced."""
    traced = jax.jit(lambda args, steps: port(*args)(steps))(args, steps)
    np.testing.assert_allclose(traced, port(*args)(steps), rtol=2e-6, atol=atol)
