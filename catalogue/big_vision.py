"""Small instances of the port of big_vision, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import big_vision

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "big_vision create_learning_rate_schedule linear": lambda: big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type="linear", warmup_steps=3, end=0.01
    ),
    "big_vision create_learning_rate_schedule polynomial": lambda: big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type="polynomial", warmup_steps=3, power=2.0
    ),
    "big_vision create_learning_rate_schedule cosine": lambda: big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type="cosine", warmup_steps=3, cooldown_steps=4
    ),
    "big_vision create_learning_rate_schedule rsqrt": lambda: big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type="rsqrt", warmup_steps=3, timescale=5, shift=2, cooldown_steps=4
    ),
    "big_vision create_learning_rate_schedule stair": lambda: big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type="stair", warmup_steps=3, steps=[2, 7], mults=[0.5, 0.1]
    ),
}
