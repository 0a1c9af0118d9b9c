"""Writes `timm.json`: what the schedulers of timm give.

Run it with timm==1.0.31 (`pip install --no-deps`) and torch==2.13.0 installed. Not drawn are restarts that
timm's logarithm in floats misses, and steps at which it fails; see `test_ports_timm.py`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import random
import sys
import types
from fractions import Fraction
from typing import Any

import functions
import torch
from writing import COUNT, steps_over, write

SETS = 24
STEPS = (1, 2, 3, 5, 8, 10, 12, 20, 50, 300)


def schedulers() -> Any:
    """The module `timm.scheduler`, without the rest of timm, which needs torchvision."""
    package = types.ModuleType("timm")
    package.__path__ = list(importlib.util.find_spec("timm").submodule_search_locations)
    sys.modules["timm"] = package
    return importlib.import_module("timm.scheduler")


def optimizer(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def rates_of(
    module: Any, name: str, args: list[Any], kwargs: dict[str, Any], steps: list[int]
) -> list[float]:
    used = optimizer(args[0])
    function = kwargs.get("decay_fn")
    if isinstance(function, dict):
        kwargs = kwargs | {"decay_fn": getattr(functions, function["function"])}
    scheduler = getattr(module, name)(used, *args[1:], **kwargs)
    if name == "create_scheduler_v2":
        scheduler, _ = scheduler
    rates = []
    for step in steps:
        if scheduler.t_in_epochs:
            scheduler.step(step)
        else:
            scheduler.step_update(step)
        rates.append(used.param_groups[0]["lr"])
    return rates


def meets_its_restarts(args: list[Any], kwargs: dict[str, Any], steps: list[int]) -> bool:
    """Whether timm's floats know the cycle of every step, reckoned by the decimals of `cycle_mul`."""
    growth = kwargs.get("cycle_mul", 1)
    if growth == 1:
        return True
    warmup_t = kwargs.get("warmup_t", 0)
    for step in steps:
        elapsed = step - warmup_t if kwargs.get("warmup_prefix") else step
        if step >= warmup_t:
            index, start, length = 0, Fraction(0), Fraction(args[1])
            while start + length <= elapsed:
                index, start, length = index + 1, start + length, length * Fraction(str(growth))
            begin = (1 - growth**index) / (1 - growth) * args[1]
            if (start == elapsed and begin > elapsed) or index != math.floor(
                math.log(1 - elapsed / args[1] * (1 - growth), growth)
            ):
                return False
    return True


def rate(draw: random.Random) -> float:
    return draw.choice((5e-5, 0.001, 0.03, 0.1, 0.3, 1.0, 2))


def warmed(draw: random.Random, lr: float) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if draw.random() < 0.7:
        kwargs["warmup_t"] = draw.choice((0, 1, 2, 5, 10, 30))
        if draw.random() < 0.7:
            kwargs["warmup_lr_init"] = draw.choice((0, lr / 100, lr / 3, lr, 2 * lr))
        if draw.random() < 0.7:
            kwargs["warmup_prefix"] = draw.choice((True, False))
    if draw.random() < 0.2:
        kwargs["t_in_epochs"] = draw.choice((True, False))
    return kwargs


def cycles(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    lr = rate(draw)
    length = STEPS[index % len(STEPS)]
    kwargs = warmed(draw, lr)
    if index % 3:
        kwargs["lr_min"] = draw.choice((0, lr / 1000, lr / 4, lr, 1.5 * lr))
    if index % 4:
        kwargs["cycle_limit"] = draw.choice((0, 1, 2, 3, 5, 100))
        kwargs["cycle_decay"] = draw.choice((0, 0.1, 0.5, 0.9, 1, 1.1))
    steps = steps_over(length)
    if index % 4 == 3:
        kwargs["cycle_mul"] = draw.choice((2, 2.0, 3, 1.5, 1.1, 1.25))
    if index % 8 == 6:
        # There is no logarithm for a step at or past the sum of all cycles.
        kwargs["cycle_mul"] = draw.choice((0.5, 0.75, 0.9))
        length = draw.choice((16, 20, 64))
        most = int(length / (1 - kwargs["cycle_mul"])) - 1
        steps = sorted({most * i // (COUNT - 1) for i in range(COUNT)})
    return [lr, length], kwargs, steps


def cosine(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    args, kwargs, steps = cycles(draw, index)
    if index % 5 == 1:
        kwargs["k_decay"] = draw.choice((0.5, 1.5, 2))
    return args, kwargs, steps


def tanh(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    args, kwargs, steps = cycles(draw, index)
    if index % 3:
        kwargs["lb"], kwargs["ub"] = draw.choice(((-6, 3), (-4.0, 4.0), (-1, 0.5), (1, 2), (-3, -2)))
    return args, kwargs, steps


def poly(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    args, kwargs, steps = cosine(draw, index)
    if index % 3:
        kwargs["power"] = draw.choice((0, 0.5, 1, 2, 2.7))
    return args, kwargs, steps


def step(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    lr = rate(draw)
    every = (1, 2, 3, 7, 2.5, 0.5, 30, 100)[index % 8]
    more = [draw.choice((0, 0.1, 0.5, 0.97, 1, 1.01))] if index % 4 else []
    return [lr, every, *more], warmed(draw, lr), steps_over(int(4 * every))


def multi_step(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    lr = rate(draw)
    cuts = sorted(draw.randint(0, 26) for _ in range(index % 6))
    if index % 5 == 4:
        cuts = sorted(cuts + cuts[:1])
    more = [draw.choice((0, 0.1, 0.5, 0.97, 1, 1.5))] if index % 4 else []
    return [lr, cuts, *more], warmed(draw, lr), steps_over(24)


def wsd(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    lr = rate(draw)
    length = draw.choice((1, 2, 5, 12, 20, 50, 300))
    decay = draw.choice([each for each in (1, 2, 4, 10, length) if each <= length])
    kwargs = {key: value for key, value in warmed(draw, lr).items() if key != "warmup_prefix"}
    if index % 3:
        kwargs["lr_min"] = draw.choice((0, lr / 1000, lr / 4, lr, 1.5 * lr))
    names: tuple[Any, ...] = ("1-sqrt", "linear", "cosine", "power", "exp", {"function": "fading"})
    if index % 7:
        kwargs["decay_fn"] = names[index % 6]
    if kwargs.get("decay_fn") == "power":
        kwargs["decay_power"] = draw.choice((0.5, 1, 2.2))
    if kwargs.get("decay_fn") == "exp":
        kwargs["decay_ratio"] = draw.choice((0.01, 0.1, 0.9))
    if index % 2:
        kwargs["stable_fn"] = draw.choice(("constant", "rsqrt", "power"))
        if draw.random() < 0.5 or not kwargs.get("warmup_t"):
            kwargs["stable_timescale"] = draw.choice((1, 7, 20.5, 1000))
        kwargs["stable_power"] = draw.choice((0.3, 0.5, 1, 2))
    return [lr, length, decay], kwargs, steps_over(length + kwargs.get("warmup_t", 0))


def by_name(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any], list[int]]:
    lr = rate(draw)
    names = ("cosine", "tanh", "poly", "step", "multistep", "wsd", "rsqrt")
    name, epochs = names[index % len(names)], draw.choice((10, 20, 90))
    kwargs: dict[str, Any] = {"num_epochs": epochs, "cooldown_epochs": draw.choice((0, 5))}
    if index % 3:
        kwargs["warmup_epochs"] = draw.choice((0, 1, 3))
        kwargs["warmup_prefix"] = draw.choice((True, False))
    if index % 2:
        kwargs["min_lr"] = draw.choice((0, lr / 1000, lr / 4))
        kwargs["warmup_lr"] = draw.choice((0, lr / 100))
    if index % 4 == 3:
        kwargs |= {"step_on_epochs": False, "updates_per_epoch": draw.choice((1, 3, 10))}
    if name in ("step", "multistep", "poly") and draw.random() < 0.7:
        kwargs["decay_rate"] = draw.choice((0.5, 0.97, 1.01))
    if name in ("cosine", "tanh", "poly") and draw.random() < 0.7:
        kwargs["cycle_limit"] = draw.choice((0, 2, 3))
        kwargs["cycle_mul"] = draw.choice((1, 2, 1.5))
        kwargs["cycle_decay"] = draw.choice((0.5, 1))
    if name in ("cosine", "poly") and draw.random() < 0.3:
        kwargs["k_decay"] = draw.choice((0.5, 1.5))
    if name == "step" and draw.random() < 0.7:
        kwargs["decay_epochs"] = draw.choice((2, 7, 2.5))
    if name == "multistep" and draw.random() < 0.7:
        kwargs["decay_milestones"] = draw.choice(([2, 3], [1, 8, 15]))
    if name in ("wsd", "rsqrt"):
        kwargs["decay_epochs"] = draw.choice((None, 3, 0.5))
    if name == "wsd" and draw.random() < 0.5:
        kwargs["decay_fn"] = draw.choice(("linear", "cosine"))
    if name == "rsqrt" and (draw.random() < 0.5 or not kwargs.get("warmup_epochs")):
        kwargs["stable_timescale"] = draw.choice((1, 7.5))
    return [lr, name], kwargs, steps_over(epochs * kwargs.get("updates_per_epoch", 1))


def with_updates(args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of `create_scheduler_v2` as those of a scheduler with cycles."""
    every = kwargs.get("updates_per_epoch", 1)
    warmup_t = every * kwargs.get("warmup_epochs", 0)
    return [args[0], every * kwargs["num_epochs"]], kwargs | {"warmup_t": warmup_t}


SCHEDULERS = {
    "CosineLRScheduler": (cosine, 48),
    "TanhLRScheduler": (tanh, 40),
    "PolyLRScheduler": (poly, 48),
    "StepLRScheduler": (step, SETS),
    "MultiStepLRScheduler": (multi_step, SETS),
    "WSDLRScheduler": (wsd, 42),
    "create_scheduler_v2": (by_name, 84),
}


def main() -> None:
    module = schedulers()
    cases = []
    for name, (draw_arguments, count) in SCHEDULERS.items():
        draw = random.Random(name)
        for index in range(count):
            args, kwargs, steps = draw_arguments(draw, index)
            timed = with_updates(args, kwargs) if draw_arguments is by_name else (args, kwargs)
            if draw_arguments in (step, multi_step, wsd) or meets_its_restarts(*timed, steps):
                rates = rates_of(module, name, args, kwargs, steps)
                case = {"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates}
                if draw_arguments is by_name:
                    case["num_epochs"] = module.create_scheduler_v2(optimizer(args[0]), *args[1:], **kwargs)[
                        1
                    ]
                cases.append(case)
    write("timm", importlib.metadata.version("timm"), cases)


if __name__ == "__main__":
    main()
