"""One small instance of every port of OLMo-core, for the laws."""

from __future__ import annotations

from collections.abc import Callable

from jaxsched._core.schedule import Schedule
from jaxsched.ports import olmo

PORTS: dict[str, Callable[[], Schedule]] = {
    "olmo ConstantScheduler": lambda: olmo.ConstantScheduler(0.3),
    "olmo ConstantWithWarmup": lambda: olmo.ConstantWithWarmup(0.3, warmup=4),
    "olmo WSD": lambda: olmo.WSD(0.3, 12, warmup=4, decay=4, decay_fraction=None),
    "olmo WSD to above 0": lambda: olmo.WSD(0.3, 12, warmup=4, decay_fraction=0.5, decay_min_lr=0.1),
    "olmo PowerLR": lambda: olmo.PowerLR(0.3, 12, warmup=3, decay=4, decay_fraction=None),
    "olmo LinearWithWarmup": lambda: olmo.LinearWithWarmup(0.3, 12, warmup=4),
    "olmo InvSqrtWithWarmup": lambda: olmo.InvSqrtWithWarmup(0.3, warmup=4),
    "olmo CosWithWarmup": lambda: olmo.CosWithWarmup(0.3, 12, warmup=4),
    "olmo HalfCosWithWarmup": lambda: olmo.HalfCosWithWarmup(0.3, 12, warmup=4),
    "olmo CosWithWarmupAndLinearDecay": lambda: olmo.CosWithWarmupAndLinearDecay(
        0.3, 12, warmup=4, decay_fraction=0.25, cosine_t_max=9
    ),
    "olmo ComposableScheduler": lambda: olmo.ComposableScheduler(
        0.3,
        stages=[
            {"duration": 4, "start_lr": 0.0, "end_lr_fraction": 1.0},
            {"duration": 8, "shape": "cosine", "end_lr_fraction": 0.1},
        ],
        override_decay={"start": 9, "duration": 2, "end_lr": 0.0},
    ),
    "olmo SequentialScheduler": lambda: olmo.SequentialScheduler(
        0.3,
        12,
        schedulers=[
            {"_CLASS_": "CosWithWarmup", "warmup": 2, "alpha_f": 0.5},
            {"_CLASS_": "LinearWithWarmup", "warmup": 0},
        ],
        schedulers_max=[6],
    ),
    "olmo WSDS": lambda: olmo.WSDS(0.3, period_lengths=[5, 3, 4], warmup=2, decay=3),
    "olmo ExponentialScheduler": lambda: olmo.ExponentialScheduler(0.3, 12, 1e-3),
}
