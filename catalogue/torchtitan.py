"""One small instance of every port of torchtitan, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import torchtitan

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "torchtitan build_lr_schedulers": lambda: torchtitan.build_lr_schedulers(
        0.3, training_steps=12, warmup_steps=3, decay_ratio=0.4, min_lr_factor=0.1
    ),
    "torchtitan build_lr_schedulers sqrt": lambda: torchtitan.build_lr_schedulers(
        0.3, training_steps=12, warmup_steps=3, decay_type="sqrt"
    ),
}
