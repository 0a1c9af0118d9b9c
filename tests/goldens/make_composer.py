"""Writes `composer.json`: what the schedulers of MosaicML Composer give.

Run it with mosaicml==0.32.1 (`pip install --no-deps`) and torch==2.13.0 installed. It loads
`composer/core/time.py` and `composer/optim/scheduler.py` alone: stubs stand for the rest of Composer, which
needs many packages, and for the state of its trainer. As the trainer does it, the state has the scaled
`max_duration`.

Arguments that the original refuses are not drawn; see `test_ports_composer.py`.
"""

from __future__ import annotations

import importlib.metadata
import random
import sys
import types
import warnings
from typing import Any

from alone import folder, load, stub
from writing import steps_over, write

LENGTHS = (1, 2, 3, 5, 8, 12, 20, 60, 300)


def schedulers() -> tuple[Any, Any]:
    """The modules `composer.core.time` and `composer.optim.scheduler`."""
    root = folder("composer")
    stub({name: {} for name in ("composer", "composer.utils", "composer.core", "composer.optim")})
    stub({"composer.core.serializable": {"Serializable": object}})
    enums = load("composer.utils.string_enum", root / "utils" / "string_enum.py")
    vars(sys.modules["composer.utils"])["StringEnum"] = enums.StringEnum
    time = load("composer.core.time", root / "core" / "time.py")
    vars(sys.modules["composer.core"]).update(State=object, Time=time.Time, TimeUnit=time.TimeUnit)
    return time, load("composer.optim.scheduler", root / "optim" / "scheduler.py")


TIME, SCHEDULER = schedulers()
TRAINER = ("max_duration", "dataloader_len", "scale_schedule_ratio", "samples_per_batch", "tokens_per_batch")


def rates_of(name: str, args: list[Any], kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    trainer = {key: kwargs.get(key) for key in TRAINER}
    own = {key: value for key, value in kwargs.items() if key not in TRAINER}
    ratio = trainer["scale_schedule_ratio"] or 1.0
    run = trainer["max_duration"]
    if run is not None:
        run = TIME.Time.from_input(run, TIME.TimeUnit.EPOCH)
        run = run * ratio if ratio != 1 else run
        if not run.value:
            raise ValueError("The trainer refuses a run of length 0.")
    scheduler = getattr(SCHEDULER, name)(*args[1:], **own)
    rates = []
    for step in steps:
        timestamp = TIME.Timestamp(
            epoch=step // (trainer["dataloader_len"] or 1),
            batch=step,
            sample=step * (trainer["samples_per_batch"] or 0),
            token=step * (trainer["tokens_per_batch"] or 0),
        )
        state = types.SimpleNamespace(
            max_duration=run, dataloader_len=trainer["dataloader_len"], timestamp=timestamp
        )
        rates.append(args[0] * scheduler(state, ratio))
    return rates


class Draw(random.Random):
    """Draws a run, and times within it."""

    def start(self, index: int) -> dict[str, Any]:
        """The trainer's arguments of a run of about as many batches."""
        self.batches = LENGTHS[index % len(LENGTHS)]
        self.epoch = self.choice([each for each in (1, 2, 5, 10, 30) if each <= self.batches])
        self.samples, self.tokens = self.choice((1, 3, 32, 256)), self.choice((1024, 100, 4096))
        self.unit = self.choice(("ba", "ba", "ep", "sp", "tok"))
        self.trainer = {"max_duration": self.length(self.batches), "dataloader_len": self.epoch}
        if self.unit == "ep" and self.random() < 0.3:
            self.trainer["max_duration"] = self.batches // self.epoch
        if self.unit == "sp" or self.random() < 0.2:
            self.trainer["samples_per_batch"] = self.samples
        if self.unit == "tok" or self.random() < 0.2:
            self.trainer["tokens_per_batch"] = self.tokens
        if index % 3 == 2:
            self.trainer["scale_schedule_ratio"] = self.choice((0.5, 0.7, 1.5, 2, 0.25))
        return self.trainer

    def length(self, batches: int, unit: str | None = None) -> str:
        """A number of batches in the unit of the run, or in another one."""
        unit = unit or self.unit
        if unit == "ep":
            return f"{batches // self.epoch}ep"
        size = {"ba": 1, "sp": self.samples, "tok": self.tokens}[unit]
        off = self.choice((0, 0, 0, size // 2)) if size > 1 else 0
        return f"{batches * size + off}{unit}"

    def time(self, least: int = 0, most: float = 1.0) -> str:
        """A time in the run: a fraction of it, or a length in its unit."""
        if self.random() < 0.4:
            return f"{self.choice((0.06, 0.1, 0.25, 0.3333, 0.5, 0.77, 1)) * most:.6g}dur"
        return self.length(self.randint(least, max(int(self.batches * most), least)))

    def rate(self) -> float:
        return self.choice((5e-5, 0.001, 0.03, 0.1, 0.3, 1.0, 2))

    def factor(self) -> float:
        return self.choice((0, 0.02, 0.1, 0.5, 1, 1.2))

    def some(self, **arguments: Any) -> dict[str, Any]:
        """Leaves out some arguments, which then have their defaults."""
        return {key: value for key, value in arguments.items() if self.random() < 0.7}


def step(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [draw.time(1, 0.4)], draw.some(gamma=draw.choice((0, 0.1, 0.5, 0.97, 1, 1.01)))


def multi_step(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    milestones = [draw.time() for _ in range(index % 5)]
    return [milestones], draw.some(gamma=draw.choice((0, 0.1, 0.5, 0.97, 1, 1.5, -0.5)))


def constant(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [], draw.some(alpha=draw.factor(), t_max=draw.time())


def linear(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [], draw.some(alpha_i=draw.factor(), alpha_f=draw.factor(), t_max=draw.time(1, 1.3))


def exponential(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [draw.choice((0, 0.1, 0.5, 0.9, 0.999, 1, 1.05))], draw.some(decay_period=draw.time(1))


def cosine(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [], draw.some(t_max=draw.time(1, 1.3), alpha_f=draw.factor())


def restarts(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    growth = draw.choice((1, 1.0, 2, 3.0, 1.5, 1.1, 1.02, 2.5, 0.9, 0.5))
    return [draw.time(1, 0.5 if growth >= 1 else 1.0)], draw.some(t_mult=growth, alpha_f=draw.factor())


def polynomial(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return [draw.choice((0, 0.5, 1, 2, 2.7))], draw.some(t_max=draw.time(1, 1.3), alpha_f=draw.factor())


def warmed(draw: Draw) -> dict[str, Any]:
    return draw.some(scale_warmup=draw.choice((True, False)))


def multi_step_warmup(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    milestones = [draw.time() for _ in range(1 + index % 4)]
    if index % 6 == 5:
        milestones[0] = draw.length(draw.batches // 2, "ba")
    return [draw.time(0, 0.5), milestones], draw.some(gamma=draw.choice((0, 0.1, 0.5, 1.5))) | warmed(draw)


def ending(draw: Draw, **arguments: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a scheduler that must last the run."""
    more = {
        "t_max": draw.choice(("1dur", "1.5dur", draw.length(draw.batches), draw.length(2 * draw.batches)))
    }
    return [draw.time(0, draw.choice((0.3, 0.3, 1)))], draw.some(**arguments, **more) | warmed(draw)


def constant_warmup(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return ending(draw, alpha=draw.factor())


def linear_warmup(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return ending(draw, alpha_i=draw.factor(), alpha_f=draw.factor())


def cosine_warmup(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return ending(draw, alpha_f=draw.factor())


def polynomial_warmup(draw: Draw, index: int) -> tuple[list[Any], dict[str, Any]]:
    return ending(draw, power=draw.choice((0, 0.5, 1, 2, 3)), alpha_f=draw.factor())


SCHEDULERS = {
    "StepScheduler": step,
    "MultiStepScheduler": multi_step,
    "ConstantScheduler": constant,
    "LinearScheduler": linear,
    "ExponentialScheduler": exponential,
    "CosineAnnealingScheduler": cosine,
    "CosineAnnealingWarmRestartsScheduler": restarts,
    "PolynomialScheduler": polynomial,
    "MultiStepWithWarmupScheduler": multi_step_warmup,
    "ConstantWithWarmupScheduler": constant_warmup,
    "LinearWithWarmupScheduler": linear_warmup,
    "CosineAnnealingWithWarmupScheduler": cosine_warmup,
    "PolynomialWithWarmupScheduler": polynomial_warmup,
}
SETS = 20


def main() -> None:
    warnings.simplefilter("ignore")  # The schedulers warn of a warmup of 0.
    cases = []
    for name, draw_arguments in SCHEDULERS.items():
        draw = Draw(name)
        for index in range(SETS):
            while True:
                trainer = draw.start(index)
                own, kwargs = draw_arguments(draw, index)
                args, kwargs = [draw.rate(), *own], kwargs | trainer
                steps = steps_over(draw.batches)
                if kwargs.get("t_mult", 1) < 1:
                    steps = [each for each in steps if each < draw.batches]
                try:
                    rates = rates_of(name, args, kwargs, steps)
                except (ValueError, ZeroDivisionError):
                    continue
                break
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("composer", importlib.metadata.version("mosaicml"), cases)


if __name__ == "__main__":
    main()
