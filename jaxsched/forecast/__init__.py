"""What theory and logs say about a schedule before it is run.

Each function is the formula of a paper, which its docstring names. The functions are imported on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxsched.forecast.convex import Bound, Curve, bound
    from jaxsched.forecast.decay import Memory, memory, merge_weights
    from jaxsched.forecast.laws import Comparison, Fitted, LossLaw, Prediction
    from jaxsched.forecast.refinement import refine
    from jaxsched.forecast.runs import Run
    from jaxsched.forecast.search import optimize

_MODULES = {
    "Bound": "convex",
    "Comparison": "laws",
    "Curve": "convex",
    "Fitted": "laws",
    "LossLaw": "laws",
    "Memory": "decay",
    "Prediction": "laws",
    "Run": "runs",
    "bound": "convex",
    "memory": "decay",
    "merge_weights": "decay",
    "optimize": "search",
    "refine": "refinement",
}

__all__ = [
    "Bound",
    "Comparison",
    "Curve",
    "Fitted",
    "LossLaw",
    "Memory",
    "Prediction",
    "Run",
    "bound",
    "memory",
    "merge_weights",
    "optimize",
    "refine",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
