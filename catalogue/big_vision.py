"""Small instances of the port of big_vision, for the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxsched as js
from jaxsched.ports import big_vision


def _made(decay_type: str, **more: Any) -> js.Schedule:
    return big_vision.create_learning_rate_schedule(
        12, base=0.3, decay_type=decay_type, warmup_steps=3, **more
    )


PORTS: dict[str, Callable[[], js.Schedule]] = {
    "big_vision create_learning_rate_schedule linear": lambda: _made("linear", end=0.01),
    "big_vision create_learning_rate_schedule polynomial": lambda: _made("polynomial", power=2.0),
    "big_vision create_learning_rate_schedule cosine": lambda: _made("cosine", cooldown_steps=4),
    "big_vision create_learning_rate_schedule rsqrt": lambda: _made(
        "rsqrt", timescale=5, shift=2, cooldown_steps=4
    ),
    "big_vision create_learning_rate_schedule stair": lambda: _made("stair", steps=[2, 7], mults=[0.5, 0.1]),
}
