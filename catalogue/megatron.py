"""One small instance of every port of Megatron, for the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxsched as js
from jaxsched.ports import megatron


def _made(style: str, **more: Any) -> megatron.Schedules:
    run: dict[str, Any] = {
        "init_lr": 0.01,
        "max_lr": 0.3,
        "min_lr": 0.03,
        "lr_warmup_steps": 3,
        "lr_decay_steps": 12,
        "start_wd": 0.01,
        "end_wd": 0.1,
        "wd_incr_steps": 12,
        "wd_incr_style": "cosine",
    }
    return megatron.OptimizerParamScheduler(**run | {"lr_decay_style": style} | more)


def _decaying(steps: int, style: str) -> megatron.Schedules:
    return _made("WSD", wsd_decay_steps=steps, lr_wsd_decay_style=style)


PORTS: dict[str, Callable[[], js.Schedule]] = {
    "megatron OptimizerParamScheduler": lambda: _decaying(6, "exponential").learning_rate,
    "megatron OptimizerParamScheduler linear": lambda: _made("linear").learning_rate,
    "megatron OptimizerParamScheduler inverse-square-root": (
        lambda: _made("inverse-square-root").learning_rate
    ),
    "megatron OptimizerParamScheduler WSD, late": lambda: _decaying(11, "minus_sqrt").learning_rate,
    "megatron OptimizerParamScheduler weight_decay": lambda: _made("cosine").weight_decay,
}
"""Each name begins with the system and the name of the original."""
