"""Writes `detectron2.json`: what Detectron2 and the parameter schedulers of fvcore give.

Run it with fvcore==0.1.5.post20221221, yacs and torch==2.13.0 installed, and a checkout of Detectron2 at
commit 02b5c4e295e990042a714712c21dc79b731e8833 in `PYTHONPATH`. Its package needs compiled code. Only
`solver` and `config/defaults.py` are loaded, with stubs for what they import from the rest.

Steps at which an original fails, or gives a complex number, are left out: they are at or past the end.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import importlib.util
import random
import sys
import types
from collections.abc import Callable
from typing import Any

import fvcore.common.param_scheduler as fvcore
import torch
from writing import steps_over, write
from yacs.config import CfgNode

COMMIT = "02b5c4e2"
SETS = 24
FAILURES = (RuntimeError, IndexError, ZeroDivisionError)
Draw = tuple[list[Any], dict[str, Any], int]


def solver() -> tuple[Any, Any]:
    """The package `detectron2.solver` and the default configuration."""
    folders = importlib.util.find_spec("detectron2").submodule_search_locations
    for name in ("", ".config", ".utils", ".utils.env"):
        module = types.ModuleType("detectron2" + name)
        module.__path__ = [f"{folder}{name.replace('.', '/')}" for folder in folders]
        sys.modules[module.__name__] = module
    sys.modules["detectron2.config"].CfgNode = CfgNode
    sys.modules["detectron2.config.config"] = sys.modules["detectron2.config"]
    sys.modules["detectron2.utils.env"].TORCH_VERSION = (2, 13)
    return importlib.import_module("detectron2.solver"), importlib.import_module("detectron2.config.defaults")


SOLVER, CONFIG = solver()


def optimizer(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def built(value: Any) -> Any:
    """An argument of the original."""
    if isinstance(value, dict) and "port" in value:
        return member(value["port"], value["args"], value.get("kwargs", {}))
    return [built(each) for each in value] if isinstance(value, list) else value


def member(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    original = getattr(fvcore, name, None) or getattr(SOLVER, name)
    return original(*map(built, args), **{key: built(value) for key, value in kwargs.items()})


def rates_of(name: str, args: list[Any], kwargs: dict[str, Any], steps: list[int]) -> dict[int, float]:
    rates: dict[int, Any] = {}
    args, kwargs = copy.deepcopy(args), dict(kwargs)
    total = kwargs.pop("total_steps", None)
    if total is None:
        used = optimizer(args[0])
        scheduler = member(name, [used, *args[1:]], kwargs)
    else:
        scheduler = member(name, args, kwargs)
    for step in steps:
        try:
            if total is None:
                scheduler.last_epoch = step
                (rates[step],) = scheduler.get_lr()
            else:
                rates[step] = scheduler(step / total)
        except FAILURES:
            continue
    return {step: rate for step, rate in rates.items() if not isinstance(rate, complex)}


def steps_of(total: int) -> list[int]:
    """Steps of the training and up to twice its length, since some rates grow without end."""
    if total < 10:
        return [*range(3 * total + 1)]
    return [step for step in steps_over(total) if step < 10 * total]


def length(index: int) -> int:
    return (1, 2, 3, 7, 10, 30, 90, 333, 1000, 90000, 270000)[index % 11]


def rate(draw: random.Random) -> float:
    return draw.choice((0.001, 0.02, 0.1, 0.3, 1, 1.0, 2.5))


def constant(draw: random.Random, index: int) -> Draw:
    return [rate(draw)], {}, length(index)


def ends(draw: random.Random, index: int) -> Draw:
    start = rate(draw)
    return [start, draw.choice((0, start / 1000, start / 3, start, 3 * start))], {}, length(index)


def exponential(draw: random.Random, index: int) -> Draw:
    return [rate(draw), draw.choice((0.001, 0.02, 0.5, 1, 3.0))], {}, length(index)


def polynomial(draw: random.Random, index: int) -> Draw:
    return [rate(draw), (0.9, 1, 2, 3.0, 0.5, 0, 2.5)[index % 7]], {}, length(index)


def multi_step(draw: random.Random, index: int) -> Draw:
    count = (2, 3, 4, 1, 3)[index % 5]
    values = [rate(draw) * 0.1**i for i in range(count)]
    total = (90, 10, 7, 90000, 333, 30, 270000)[index % 7]
    if index % 3 == 2:
        updates = draw.choice((count * 4, count * 7 - 1, total + count))
        return [values], {"num_updates": updates}, total
    scale = draw.choice((1, 10, total))
    milestones = sorted(draw.sample(range(1, 12), count))
    if index % 2:
        return [values], {"milestones": [scale * each for each in milestones]}, total
    updates = milestones.pop() * scale
    if updates < count:
        updates = 20 * scale
    return [values, updates, [scale * each for each in milestones]], {}, total


def step(draw: random.Random, index: int) -> Draw:
    values = [rate(draw) * 0.3**i for i in range((1, 2, 3, 4, 7)[index % 5])]
    return [draw.choice((1, 30, 120)), values], {}, length(index)


def fixed_gamma(draw: random.Random, index: int) -> Draw:
    total = length(index)
    return [rate(draw), draw.choice((1, 2, 3, 5)), draw.choice((0.1, 0.5, 1.5)), total], {}, total


def inner(draw: random.Random, index: int) -> dict[str, Any]:
    """A scheduler that is part of another."""
    name = draw.choice([*INNER])
    args, kwargs, _ = INNER[name](draw, index)
    return {"port": name, "args": args, "kwargs": kwargs}


def composite(draw: random.Random, index: int) -> Draw:
    lengths = (
        [0.3, 0.7],
        [0.25, 0.75],
        [0.1, 0.2, 0.7],
        [1.0],
        [0.0, 1.0],
        [0.5, 0.0, 0.5],
        [1 / 3, 1 / 3, 1 / 3],
        [0.333, 0.3334, 0.333],
        [0.5, 0.2, 0.2, 0.1],
    )[index % 9]
    parts = [inner(draw, index) for _ in lengths]
    scaling = [draw.choice(("rescaled", "fixed")) for _ in lengths]
    return [parts, list(lengths), scaling], {}, (10, 90, 1000, 30, 333, 90000)[index % 6]


def warmed_up(draw: random.Random, index: int) -> Draw:
    total = length(index + 3)
    share = draw.choice((0.0, 0.1, 1 / 3, 0.5, 1.0, min(3, total) / total))
    kwargs: dict[str, Any] = {}
    if index % 3:
        kwargs["warmup_method"] = draw.choice(("linear", "constant"))
    if index % 2:
        kwargs["rescale_interval"] = draw.choice((True, False))
    return [inner(draw, index), draw.choice((0, 0.001, 0.1, 1.0)), share], kwargs, total


def multiplier(draw: random.Random, index: int) -> Draw:
    args, kwargs, total = warmed_up(draw, index)
    factor = {"port": "WarmupParamScheduler", "args": args, "kwargs": kwargs}
    return [rate(draw), factor if index % 4 else inner(draw, index)], {"max_iter": total}, total


def legacy(draw: random.Random, index: int) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if index % 4:
        kwargs["warmup_iters"] = draw.choice((0, 1, 3, 10, 500))
    if index % 3:
        kwargs["warmup_factor"] = draw.choice((0, 0.1, 1 / 3, 1.0))
    if index % 5 > 2:
        kwargs["warmup_method"] = draw.choice(("linear", "constant"))
    return kwargs


def multi_step_lr(draw: random.Random, index: int) -> Draw:
    total = (10, 30, 2000, 90000)[index % 4]
    cuts = sorted(draw.randint(0, total) for _ in range(index % 5))
    kwargs = legacy(draw, index)
    if index % 3:
        kwargs["gamma"] = draw.choice((0.1, 0.5, 1.5))
    return [rate(draw), cuts], kwargs, total


def cosine_lr(draw: random.Random, index: int) -> Draw:
    total = length(index)
    return [rate(draw), total], legacy(draw, index), total


INNER = {
    "CosineParamScheduler": ends,
    "LinearParamScheduler": ends,
    "ConstantParamScheduler": constant,
    "ExponentialParamScheduler": exponential,
    "PolynomialDecayParamScheduler": polynomial,
    "MultiStepParamScheduler": multi_step,
    "StepParamScheduler": step,
    "StepWithFixedGammaParamScheduler": fixed_gamma,
}
SCHEDULERS: dict[str, Callable[[random.Random, int], Draw]] = {
    **INNER,
    "CompositeParamScheduler": composite,
    "WarmupParamScheduler": warmed_up,
    "LRMultiplier": multiplier,
    "WarmupMultiStepLR": multi_step_lr,
    "WarmupCosineLR": cosine_lr,
}
SOLVERS: tuple[dict[str, Any], ...] = (
    {},
    {"BASE_LR": 0.02, "STEPS": [60000, 80000], "MAX_ITER": 90000},
    {"BASE_LR": 0.02, "STEPS": [210000, 250000], "MAX_ITER": 270000, "GAMMA": 0.3},
    {"STEPS": [], "MAX_ITER": 300, "WARMUP_ITERS": 100, "WARMUP_METHOD": "constant"},
    {"STEPS": [200, 500], "MAX_ITER": 300, "WARMUP_ITERS": 0},
    {"LR_SCHEDULER_NAME": "WarmupCosineLR", "BASE_LR": 0.1, "BASE_LR_END": 0.001, "MAX_ITER": 5000},
    {"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 5000, "RESCALE_INTERVAL": True, "WARMUP_FACTOR": 0.1},
    {"LR_SCHEDULER_NAME": "WarmupStepWithFixedGammaLR", "MAX_ITER": 6000, "NUM_DECAYS": 4, "GAMMA": 0.5},
    {"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 300, "WARMUP_ITERS": 1000},
)


def configured(keys: dict[str, Any]) -> dict[str, Any]:
    """What the configuration with these keys of `SOLVER` gives."""
    config = copy.deepcopy(CONFIG._C)
    for key, value in keys.items():
        config.SOLVER[key] = tuple(value) if isinstance(value, list) else value
    scheduler = SOLVER.build_lr_scheduler(config, optimizer(config.SOLVER.BASE_LR))
    rates = {}
    for index in [each for each in steps_over(config.SOLVER.MAX_ITER) if each < config.SOLVER.MAX_ITER]:
        scheduler.last_epoch = index
        (rates[index],) = scheduler.get_lr()
    return {"solver": keys, "steps": [*rates], "rates": [*rates.values()]}


def main() -> None:
    cases = []
    for name, arguments in SCHEDULERS.items():
        draw = random.Random(name)
        for index in range(SETS):
            args, kwargs, total = arguments(draw, index)
            if name.endswith("ParamScheduler"):
                kwargs["total_steps"] = total
            try:
                rates = rates_of(name, args, kwargs, steps_of(total))
            except FAILURES:  # A warmup to the end of a scheduler that fails there.
                continue
            digits = [float(f"{rate:.13g}") for rate in rates.values()]
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": [*rates], "rates": digits})
    version = f"{COMMIT}, fvcore {importlib.metadata.version('fvcore')}"
    write("detectron2", version, cases, configs=[configured(keys) for keys in SOLVERS])


if __name__ == "__main__":
    main()
