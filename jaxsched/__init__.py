"""Learning-rate schedules as values: pure functions, step -> rate, that are frozen JAX pytrees."""

from jaxsched import forecast, ports
from jaxsched._core.fields import Number, Numbers, number, numbers, optional_number
from jaxsched._core.schedule import (
    Constant,
    Lambda,
    Schedule,
    ScheduleLike,
    as_arrays,
    is_schedule,
    part,
    parts,
)
from jaxsched._core.span import Span
from jaxsched._core.transition import Transition
from jaxsched._inspect.check import Finding, check
from jaxsched._inspect.plot import plot
from jaxsched._inspect.simulate import Simulation, simulate
from jaxsched._text.parse import parse
from jaxsched._text.record import from_dict, to_dict
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import per_epoch, shift, staircase, stretch
from jaxsched.combinators.cycle import cycle, reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import cooldown, knots, warmup
from jaxsched.combinators.reclock import reclock
from jaxsched.combinators.stack import stack
from jaxsched.optim.factories import with_schedule
from jaxsched.optim.groups import label_by_path, layerwise
from jaxsched.optim.integers import as_integer
from jaxsched.optim.learning_rate import LearningRateState, scale_by_learning_rate
from jaxsched.optim.plateau import scale_by_plateau
from jaxsched.optim.range_test import RangeTest, range_test
from jaxsched.optim.retarget import Continue, HoldToPlan, Rewarmup, retarget
from jaxsched.optim.state import get_count, learning_rate, set_count
from jaxsched.plateau import Plateau, PlateauState
from jaxsched.presets import (
    cyclic,
    cyclic_momentum,
    inverse_sqrt,
    multi_step,
    noam,
    one_cycle,
    one_cycle_momentum,
    step_decay,
    warm_restarts,
    warmup_cosine,
    warmup_stable_decay,
)
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential, Geometric
from jaxsched.shapes.levels import Piecewise, Table, table
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import OneMinusSqrt, Polynomial
from jaxsched.shapes.rational import InversePower, Rex
from jaxsched.shapes.sigmoid import Logistic, Relaxation, Tanh

__version__ = "0.1.0"

__all__ = [
    "Constant",
    "Continue",
    "Cosine",
    "Exponential",
    "Finding",
    "Geometric",
    "HoldToPlan",
    "InversePower",
    "Lambda",
    "LearningRateState",
    "Linear",
    "Logistic",
    "Number",
    "Numbers",
    "OneMinusSqrt",
    "Piecewise",
    "Plateau",
    "PlateauState",
    "Polynomial",
    "RangeTest",
    "Relaxation",
    "Rewarmup",
    "Rex",
    "Schedule",
    "ScheduleLike",
    "Simulation",
    "Span",
    "Table",
    "Tanh",
    "Transition",
    "as_arrays",
    "as_integer",
    "check",
    "clip",
    "cooldown",
    "cycle",
    "cyclic",
    "cyclic_momentum",
    "forecast",
    "from_dict",
    "get_count",
    "inverse_sqrt",
    "is_schedule",
    "join",
    "knots",
    "label_by_path",
    "layerwise",
    "learning_rate",
    "multi_step",
    "noam",
    "number",
    "numbers",
    "one_cycle",
    "one_cycle_momentum",
    "optional_number",
    "parse",
    "part",
    "parts",
    "per_epoch",
    "plot",
    "ports",
    "range_test",
    "reclock",
    "reflect",
    "retarget",
    "scale_by_learning_rate",
    "scale_by_plateau",
    "set_count",
    "shift",
    "simulate",
    "stack",
    "staircase",
    "step_decay",
    "stretch",
    "table",
    "to_dict",
    "warm_restarts",
    "warmup",
    "warmup_cosine",
    "warmup_stable_decay",
    "with_schedule",
]
