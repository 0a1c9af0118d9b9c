"""One small instance of every port of Detectron2 and fvcore, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import detectron2

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "detectron2 ConstantParamScheduler": lambda: detectron2.ConstantParamScheduler(0.3, total_steps=12),
    "detectron2 CosineParamScheduler": lambda: detectron2.CosineParamScheduler(0.3, 0.01, total_steps=12),
    "detectron2 LinearParamScheduler": lambda: detectron2.LinearParamScheduler(0.3, 0.01, total_steps=12),
    "detectron2 ExponentialParamScheduler": lambda: detectron2.ExponentialParamScheduler(
        0.3, 0.01, total_steps=12
    ),
    "detectron2 PolynomialDecayParamScheduler": lambda: detectron2.PolynomialDecayParamScheduler(
        0.3, 0.9, total_steps=12
    ),
    "detectron2 MultiStepParamScheduler": lambda: detectron2.MultiStepParamScheduler(
        [0.3, 0.03, 0.003], milestones=[6, 8, 9], total_steps=12
    ),
    "detectron2 StepParamScheduler": lambda: detectron2.StepParamScheduler(
        12, [0.3, 0.1, 0.03], total_steps=12
    ),
    "detectron2 StepWithFixedGammaParamScheduler": lambda: detectron2.StepWithFixedGammaParamScheduler(
        0.3, 3, 0.5, 12, total_steps=12
    ),
    "detectron2 CompositeParamScheduler": lambda: detectron2.CompositeParamScheduler(
        [detectron2.LinearParamScheduler(0.01, 0.3), detectron2.CosineParamScheduler(0.3, 0.01)],
        [0.25, 0.75],
        ["rescaled", "fixed"],
        total_steps=12,
    ),
    "detectron2 WarmupParamScheduler": lambda: detectron2.WarmupParamScheduler(
        detectron2.CosineParamScheduler(0.3, 0.01), 0.1, 0.25, total_steps=12
    ),
    "detectron2 LRMultiplier": lambda: detectron2.LRMultiplier(
        0.3,
        detectron2.WarmupParamScheduler(
            detectron2.MultiStepParamScheduler([1, 0.1, 0.01], milestones=[6, 8, 9]), 0.001, 0.25
        ),
        12,
    ),
    "detectron2 WarmupMultiStepLR": lambda: detectron2.WarmupMultiStepLR(0.3, [6, 9], 0.5, warmup_iters=4),
    "detectron2 WarmupCosineLR": lambda: detectron2.WarmupCosineLR(0.3, 12, warmup_iters=4),
}
"""Each name begins with the system and the name of the original."""
