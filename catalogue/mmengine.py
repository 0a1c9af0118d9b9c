"""One small instance of every port of MMEngine."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import mmengine

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "mmengine ConstantLR": lambda: mmengine.ConstantLR(0.3, 0.5, begin=2, end=6),
    "mmengine LinearLR": lambda: mmengine.LinearLR(0.3, 0.1, end=6, epoch_length=2),
    "mmengine ExponentialLR": lambda: mmengine.ExponentialLR(0.3, 0.9, begin=2, end=9),
    "mmengine StepLR": lambda: mmengine.StepLR(0.3, 3, 0.5, end=10),
    "mmengine MultiStepLR": lambda: mmengine.MultiStepLR(0.3, [4, 8], 0.5),
    "mmengine PolyLR": lambda: mmengine.PolyLR(0.3, 0.01, 2.0, end=12),
    "mmengine CosineAnnealingLR": lambda: mmengine.CosineAnnealingLR(0.3, eta_min=0.01, begin=2, end=12),
    "mmengine CosineRestartLR": lambda: mmengine.CosineRestartLR(0.3, [4, 6], [1, 0.5], eta_min=0.01),
    "mmengine OneCycleLR": lambda: mmengine.OneCycleLR(0.1, 0.3, begin=2, end=14),
    "mmengine ConstantMomentum": lambda: mmengine.ConstantMomentum(0.9, 0.5, end=6),
    "mmengine LinearMomentum": lambda: mmengine.LinearMomentum(0.9, 0.5, end=6),
    "mmengine ExponentialMomentum": lambda: mmengine.ExponentialMomentum(0.9, 0.99),
    "mmengine StepMomentum": lambda: mmengine.StepMomentum(0.9, 3, 0.5),
    "mmengine MultiStepMomentum": lambda: mmengine.MultiStepMomentum(0.9, [4, 8], 0.5),
    "mmengine PolyMomentum": lambda: mmengine.PolyMomentum(0.9, 0.5, end=12),
    "mmengine CosineAnnealingMomentum": lambda: mmengine.CosineAnnealingMomentum(0.9, 6, 0.5),
    "mmengine CosineRestartMomentum": lambda: mmengine.CosineRestartMomentum(
        0.9, [4, 6], [1, 0.5], eta_min_ratio=0.5
    ),
    "mmengine param_scheduler": lambda: mmengine.param_scheduler(
        0.3,
        [
            {"type": "LinearLR", "start_factor": 0.1, "end": 4},
            {"type": "CosineAnnealingLR", "eta_min": 0.01, "end": 12},
        ],
    ),
    "mmengine param_scheduler product": lambda: mmengine.param_scheduler(
        0.3,
        [
            {"type": "LinearLR", "start_factor": 0.1, "end": 4},
            {"type": "MultiStepLR", "milestones": [2, 8], "gamma": 0.5},
        ],
    ),
}
