"""Matplotlib figures, if it is installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE: Any = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3}
"""The style of every figure, as Matplotlib's parameters."""


def imported(name: str) -> Any:
    """Imports a module of Matplotlib.

    Raises:
      ImportError: Matplotlib is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError("Figures need Matplotlib: `pip install matplotlib`.") from error


def new_axes() -> Axes:
    """The axes of a new figure, one that a notebook shows.

    Raises:
      ImportError: Matplotlib is not installed.
    """
    plt = imported("matplotlib.pyplot")
    with plt.rc_context(STYLE):
        ax: Axes = plt.subplots(layout="constrained")[1]
    return ax
