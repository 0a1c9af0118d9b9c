"""Learning-rate schedules as values: pure step -> rate functions that are frozen JAX pytrees."""

from jaxsched._fields import Number, Numbers, number, numbers, optional_number
from jaxsched._schedule import Constant, Lambda, Schedule, part, parts
from jaxsched._transition import Transition
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import per_epoch, shift, staircase, stretch
from jaxsched.combinators.cycle import cycle, reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import cooldown, knots, warmup
from jaxsched.combinators.stack import stack
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
from jaxsched.text import parse
from jaxsched.transforms.learning_rate import LearningRateState, learning_rate, scale_by_learning_rate

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Geometric",
    "InversePower",
    "Lambda",
    "LearningRateState",
    "Linear",
    "Logistic",
    "Number",
    "Numbers",
    "OneMinusSqrt",
    "Piecewise",
    "Polynomial",
    "Relaxation",
    "Rex",
    "Schedule",
    "Table",
    "Tanh",
    "Transition",
    "clip",
    "cooldown",
    "cycle",
    "cyclic",
    "cyclic_momentum",
    "inverse_sqrt",
    "join",
    "knots",
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
    "reflect",
    "scale_by_learning_rate",
    "shift",
    "stack",
    "staircase",
    "step_decay",
    "stretch",
    "table",
    "warm_restarts",
    "warmup",
    "warmup_cosine",
    "warmup_stable_decay",
]
