"""One small instance of every port of DeepSpeed, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import deepspeed

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "deepspeed WarmupLR": lambda: deepspeed.WarmupLR(0.01, 0.3, 8),
    "deepspeed WarmupDecayLR": lambda: deepspeed.WarmupDecayLR(12, 0.01, 0.3, 4, "linear"),
    "deepspeed WarmupCosineLR": lambda: deepspeed.WarmupCosineLR(0.3, 12, 0.1, 4),
    "deepspeed LRRangeTest": lambda: deepspeed.LRRangeTest(0.1, 12, 0.5),
    "deepspeed OneCycle": lambda: deepspeed.OneCycle(0.1, 0.3, 0.5, 4, 6, decay_step_size=2),
    "deepspeed OneCycleMomentum": lambda: deepspeed.OneCycleMomentum(
        0.1, 0.3, cycle_first_step_size=4, cycle_second_step_size=6, cycle_second_stair_count=3
    ),
}
