"""The rates of a schedule as the tests of the ports compare them."""

from __future__ import annotations

import numpy as np


def rates(schedule, steps):
    """The rates at some steps, in float64."""
    return np.asarray(schedule(np.array(steps, np.int32)), np.float64)
