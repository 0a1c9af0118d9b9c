"""Small instances of the port of Levanter, for the laws."""

from __future__ import annotations

from collections.abc import Callable

from jaxsched._core.schedule import Schedule
from jaxsched.ports import levanter

PORTS: dict[str, Callable[[], Schedule]] = {
    "levanter lr_scheduler": lambda: levanter.lr_scheduler(12, learning_rate=0.3, warmup=4),
    "levanter lr_scheduler in cycles": lambda: levanter.lr_scheduler(
        17, learning_rate=0.3, warmup=2, rewarmup=2, decay=3, cycle_length=5, cooldown=2, lr_schedule="inv"
    ),
    "levanter lr_scheduler that goes on": lambda: levanter.lr_scheduler(
        12, learning_rate=0.3, warmup=0, cycles=3, lr_schedule={"type": "inv_sqrt", "timescale": 2}
    ),
}
