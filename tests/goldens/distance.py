"""How far rates may be from what an original gave."""

from __future__ import annotations

import numpy as np


def distance(rates, truth):
    """The largest distance in units of what is allowed."""
    truth = np.asarray(truth, np.float64)
    rates = np.asarray(rates, np.float64)
    allowed = np.maximum(4 * np.spacing(np.abs(truth).astype(np.float32)), 1e-9 * np.abs(truth).max())
    return float(np.max(np.abs(rates - truth) / np.maximum(allowed, 1e-45)))
