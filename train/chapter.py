"""The runs of the chapter "Learning Rate Scheduling" of Zhang et al., *Dive into Deep Learning* (d2l.ai).

Read `train.sweep` next.
"""

from __future__ import annotations

from typing import NamedTuple

import jaxsched as js
from train.step import Plan


class Run(NamedTuple):
    """One of the chapter's runs.

    Attributes:
      name: as in the table.
      schedule: in epochs.
      rule: the plateau that multiplies it, or `None`.
      late: whether the book's loop sets it one epoch late.
    """

    name: str
    schedule: js.Schedule
    rule: js.Plateau | None = None
    late: bool = True

    def expression(self, as_published: bool) -> str:
        """What is trained, as text."""
        schedule = self.published() if as_published else self.schedule
        return f"{schedule!r}" if self.rule is None else f"{schedule!r} * {self.rule!r}"

    def published(self) -> js.Schedule:
        """As the book's PyTorch loop has it.

        It calls a scheduler of its own after each epoch with that epoch's number: the first epoch trains at
        the optimizer's own rate, 0.3, and epoch k at `s(k - 1)`. PyTorch's own schedulers are on time.
        """
        return js.join([0.3, self.schedule], [1]) if self.late else self.schedule

    def plan(self, steps_per_epoch: int, as_published: bool) -> Plan:
        """What the trainer takes, in steps."""
        schedule = self.published() if as_published else self.schedule
        return Plan(js.per_epoch(schedule, steps_per_epoch), self.rule)


CHAPTER = (
    Run("constant", js.Constant(0.3), late=False),
    Run("square root", js.InversePower(0.1, 1, 0.5)),
    Run("factor", js.clip(0.5 * js.Exponential(1.0, 0.9), 0.01, 0.5)),
    Run("multi-factor", js.multi_step(0.5, 0.5, [15, 30]), late=False),
    Run("cosine", js.Cosine(0.3, 0.01, 20)),
    Run("warmup and cosine", js.warmup(js.Cosine(0.3, 0.01, 15), 5)),
    Run("plateau", js.Constant(0.3), js.Plateau(0.5, 3), late=False),
)
