"""One small instance of every schedule of MaxText, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import maxtext

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "maxtext create_learning_rate_schedule": lambda: maxtext.create_learning_rate_schedule(
        0.3, 12, 12, warmup_steps_fraction=0.25
    ),
    "maxtext create_learning_rate_schedule wsd": lambda: maxtext.create_learning_rate_schedule(
        0.3, 15, 12, 0.25, "wsd", wsd_decay_steps_fraction=0.4
    ),
}
"""Each name begins with the system and the name of the original."""
