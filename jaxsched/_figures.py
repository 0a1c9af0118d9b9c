"""Figures with Matplotlib, where it is installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE: Any = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3}
"""What every figure looks like, as Matplotlib's parameters."""


def imported(name: str) -> Any:
    """A module of Matplotlib.

    Raises:
      ImportError: Matplotlib is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError("A figure takes Matplotlib: `pip install matplotlib`.") from error


def new_axes() -> Axes:
    """Axes in a figure of their own, which a notebook shows.

    Raises:
      ImportError: Matplotlib is not installed.
    """
    plt = imported("matplotlib.pyplot")
    with plt.rc_context(STYLE):
        ax: Axes = plt.subplots(layout="constrained")[1]
    return ax
