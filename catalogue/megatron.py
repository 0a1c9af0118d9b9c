"""One small instance of every port of Megatron, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import megatron

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "megatron OptimizerParamScheduler": lambda: (
        megatron.OptimizerParamScheduler(
            0.01,
            0.3,
            0.03,
            3,
            12,
            "WSD",
            0.01,
            0.1,
            12,
            "cosine",
            wsd_decay_steps=6,
            lr_wsd_decay_style="exponential",
        ).learning_rate
    ),
    "megatron OptimizerParamScheduler linear": lambda: (
        megatron.OptimizerParamScheduler(
            0.01, 0.3, 0.03, 3, 12, "linear", 0.01, 0.1, 12, "cosine"
        ).learning_rate
    ),
    "megatron OptimizerParamScheduler inverse-square-root": lambda: (
        megatron.OptimizerParamScheduler(
            0.01, 0.3, 0.03, 3, 12, "inverse-square-root", 0.01, 0.1, 12, "cosine"
        ).learning_rate
    ),
    "megatron OptimizerParamScheduler WSD, late": lambda: (
        megatron.OptimizerParamScheduler(
            0.01,
            0.3,
            0.03,
            3,
            12,
            "WSD",
            0.01,
            0.1,
            12,
            "cosine",
            wsd_decay_steps=11,
            lr_wsd_decay_style="minus_sqrt",
        ).learning_rate
    ),
    "megatron OptimizerParamScheduler weight_decay": lambda: (
        megatron.OptimizerParamScheduler(
            0.01, 0.3, 0.03, 3, 12, "cosine", 0.01, 0.1, 12, "cosine"
        ).weight_decay
    ),
}
"""Each name begins with the system and the name of the original."""
