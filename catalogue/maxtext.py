"""One small instance of every schedule of MaxText, for the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxsched as js
from jaxsched.ports import maxtext


def _made(steps: int, **more: Any) -> js.Schedule:
    return maxtext.create_learning_rate_schedule(
        learning_rate=0.3,
        steps=steps,
        learning_rate_schedule_steps=12,
        warmup_steps_fraction=0.25,
        wsd_decay_steps_fraction=0.4,
        **more,
    )


PORTS: dict[str, Callable[[], js.Schedule]] = {
    "maxtext create_learning_rate_schedule": lambda: _made(12),
    "maxtext create_learning_rate_schedule wsd": lambda: _made(15, lr_schedule_type="wsd"),
}
"""Each name begins with the system and the name of the original."""
