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
      name: its name in the table of results.
      schedule: the learning rate, in epochs.
      rule: a plateau that scales the schedule, or `None`.
      late: whether the book's training loop applies the schedule one epoch late.
    """

    name: str
    schedule: js.Schedule
    rule: js.Plateau | None = None
    late: bool = True

    def expression(self, as_published: bool) -> str:
        """The text of the learning rate."""
        schedule = self.published() if as_published else self.schedule
        return f"{schedule!r}" if self.rule is None else f"{schedule!r} * {self.rule!r}"

    def published(self) -> js.Schedule:
        """The schedule as the book's PyTorch loop applies it.

        The loop calls the book's own schedulers after each epoch, with the number of that epoch. So the first
        epoch trains at the optimizer's initial rate, 0.3, and epoch k at `s(k - 1)`. PyTorch's schedulers are
        on time.
        """
        return js.join([0.3, self.schedule], [1]) if self.late else self.schedule

    def plan(self, steps_per_epoch: int, as_published: bool) -> Plan:
        """The run as the trainer takes it, in optimizer steps."""
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
