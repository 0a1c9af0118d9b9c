"""One small instance of every port of Composer, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import composer

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "composer StepScheduler": lambda: composer.StepScheduler(0.3, "2ep", 0.5, dataloader_len=2),
    "composer MultiStepScheduler": lambda: composer.MultiStepScheduler(
        0.3, ["0.75dur", "4ba"], 0.5, max_duration="10ba"
    ),
    "composer ConstantScheduler": lambda: composer.ConstantScheduler(0.3, 0.5, "4ba"),
    "composer LinearScheduler": lambda: composer.LinearScheduler(0.3, 0.1, 1.0, "10ba"),
    "composer ExponentialScheduler": lambda: composer.ExponentialScheduler(0.3, 0.5, dataloader_len=4),
    "composer CosineAnnealingScheduler": lambda: composer.CosineAnnealingScheduler(
        0.3, alpha_f=0.1, max_duration="320sp", samples_per_batch=32
    ),
    "composer CosineAnnealingWarmRestartsScheduler": lambda: composer.CosineAnnealingWarmRestartsScheduler(
        0.3, "4ba", 2, 0.1
    ),
    "composer CosineAnnealingWarmRestartsScheduler to 0": lambda: (
        composer.CosineAnnealingWarmRestartsScheduler(0.3, "8ba", 0.5, 0.1)
    ),
    "composer PolynomialScheduler": lambda: composer.PolynomialScheduler(0.3, 2.0, "10ba", 0.1),
    "composer MultiStepWithWarmupScheduler": lambda: composer.MultiStepWithWarmupScheduler(
        0.3, "2ba", ["4ba", "8ba"], 0.5
    ),
    "composer ConstantWithWarmupScheduler": lambda: composer.ConstantWithWarmupScheduler(
        0.3, "4ba", 0.5, max_duration="10ba"
    ),
    "composer LinearWithWarmupScheduler": lambda: composer.LinearWithWarmupScheduler(
        0.3, "4ba", 0.5, 0.1, scale_warmup=True, max_duration="24ba", scale_schedule_ratio=0.5
    ),
    "composer CosineAnnealingWithWarmupScheduler": lambda: composer.CosineAnnealingWithWarmupScheduler(
        0.3, "0.2dur", alpha_f=0.1, max_duration="10ba"
    ),
    "composer PolynomialWithWarmupScheduler": lambda: composer.PolynomialWithWarmupScheduler(
        0.3, "2ba", alpha_f=0.1, max_duration="10ba"
    ),
}
