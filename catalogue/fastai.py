"""One small instance of every port of fastai, for the laws."""

from __future__ import annotations

from collections.abc import Callable

import jaxsched as js
from jaxsched.ports import fastai

PORTS: dict[str, Callable[[], js.Schedule]] = {
    "fastai SchedNo": lambda: fastai.SchedNo(0.3, 0.1, total_steps=12),
    "fastai SchedLin": lambda: fastai.SchedLin(0.1, 0.3, total_steps=12),
    "fastai SchedCos": lambda: fastai.SchedCos(0.3, 0.01, total_steps=12),
    "fastai SchedExp": lambda: fastai.SchedExp(0.3, 0.01, total_steps=12),
    "fastai SchedPoly": lambda: fastai.SchedPoly(0.3, 0.01, 2.0, total_steps=12),
    "fastai combine_scheds": lambda: fastai.combine_scheds(
        [0.25, 0.75], [fastai.SchedLin(0.01, 0.3), fastai.SchedExp(0.3, 0.01)], total_steps=12
    ),
    "fastai combined_cos": lambda: fastai.combined_cos(0.25, 0.01, 0.3, 0.001, total_steps=12),
    "fastai fit_one_cycle": lambda: fastai.fit_one_cycle(3, 0.3, batches_per_epoch=4),
    "fastai fit_one_cycle_momentum": lambda: fastai.fit_one_cycle_momentum(3, batches_per_epoch=4),
    "fastai fit_flat_cos": lambda: fastai.fit_flat_cos(3, 0.3, batches_per_epoch=4),
    "fastai fit_sgdr": lambda: fastai.fit_sgdr(2, 1, 0.3, batches_per_epoch=4),
    "fastai fine_tune": lambda: fastai.fine_tune(2, 0.3, pct_start=0.25, batches_per_epoch=4),
    "fastai fine_tune_momentum": lambda: fastai.fine_tune_momentum(2, pct_start=0.25, batches_per_epoch=4),
    "fastai LRFinder": lambda: fastai.LRFinder(1e-3, 0.3, num_it=12),
}
"""Each name begins with the system and the name of the original."""
