"""Writes `deepspeed.json`: what the schedulers of DeepSpeed give.

Run it with torch==2.13.0 installed, on the unpacked source distribution of deepspeed==0.19.8:
`python make_deepspeed.py deepspeed-0.19.8`. DeepSpeed itself needs a compiler and a device. Its file of
schedulers needs only a logger, which is a stub here.

The rate at step `t` is what the optimizer has after `t` calls of `scheduler.step()`; the first one is what
the constructor leaves there. `OneCycleMomentum` is the first beta of `OneCycle`.
"""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path
from typing import Any

import torch
from alone import load, stub
from writing import steps_over, write

VERSION = "0.19.8"
RATES = (5e-5, 0.001, 0.03, 0.1, 1.0, 2)
Case = tuple[dict[str, Any], int]


def schedulers(folder: Path) -> Any:
    """The module `deepspeed.runtime.lr_schedules`, without the rest of DeepSpeed."""
    assert f"\nVersion: {VERSION}\n" in (folder / "PKG-INFO").read_text()
    logger = logging.getLogger("deepspeed")
    logger.setLevel(logging.ERROR)
    stub({"deepspeed": {}, "deepspeed.utils": {"logger": logger}})
    return load("lr_schedules", folder / "deepspeed" / "runtime" / "lr_schedules.py")


def rates_of(module: Any, name: str, kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=kwargs.get("lr", 0.5))
    given = {key: value for key, value in kwargs.items() if key != "lr"}
    scheduler = getattr(module, name.removesuffix("Momentum"))(optimizer, **given)
    (group,) = optimizer.param_groups
    rates = {}
    for step in range(max(steps) + 1):
        rates[step] = float(group["betas"][0] if name.endswith("Momentum") else group["lr"])
        scheduler.step()
    return [rates[step] for step in steps]


def warmed(draw: random.Random, index: int) -> tuple[dict[str, Any], int]:
    """The arguments of a warmup, and its length."""
    steps = (1, 2, 3, 5, 8, 12, 20, 100, 300)[index % 9]
    kwargs: dict[str, Any] = {"warmup_num_steps": steps}
    if index % 5:
        kwargs["warmup_type"] = ("log", "linear")[index % 2]
    return kwargs, steps


def ends(draw: random.Random) -> dict[str, Any]:
    high = draw.choice(RATES)
    low = draw.choice((0, 0.0, high / 100, high / 3, high, 2 * high))
    return {"warmup_min_lr": low, "warmup_max_lr": high}


def warmup(draw: random.Random, index: int) -> Case:
    kwargs, steps = warmed(draw, index)
    kwargs |= ends(draw)
    if index % 4 == 3:
        del kwargs["warmup_max_lr"]
        kwargs["lr"] = draw.choice(RATES)
    if index % 7 == 6:
        del kwargs["warmup_min_lr"]
    if index == 20:
        return {"warmup_max_lr": 0.1}, 1000
    return kwargs, steps


def total(draw: random.Random, steps: int) -> int:
    return draw.choice((0, 1, steps - 1, steps, steps + 1, steps + 2, 2 * steps + 1, 3 * steps + 7))


def decay(draw: random.Random, index: int) -> Case:
    kwargs, steps = warmed(draw, index)
    kwargs["total_num_steps"] = length = total(draw, steps)
    if index % 6:
        kwargs |= ends(draw)
    return kwargs, max(length, steps)


def cosine(draw: random.Random, index: int) -> Case:
    kwargs, steps = warmed(draw, index)
    kwargs["lr"] = draw.choice(RATES)
    kwargs["total_num_steps"] = length = total(draw, steps)
    if index % 2:
        kwargs["warmup_min_ratio"] = draw.choice((0, 0.01, 0.3, 1, 1.5))
    if index % 3:
        kwargs["cos_min_ratio"] = draw.choice((0, 0.0, 0.01, 0.3, 1, 1.5))
    return kwargs, max(length, steps)


def range_test(draw: random.Random, index: int) -> Case:
    if not index:
        return {}, 4000
    kwargs: dict[str, Any] = {
        "lr_range_test_min_lr": draw.choice(RATES),
        "lr_range_test_step_size": draw.choice((1, 2, 3, 7, 10, 25, 100)),
    }
    if index % 4:
        kwargs["lr_range_test_step_rate"] = draw.choice((0, 0.1, 0.37, 1, 5, -0.01))
    if index % 3:
        kwargs["lr_range_test_staircase"] = draw.choice((True, False))
    return kwargs, 4 * kwargs["lr_range_test_step_size"]


def one_cycle(draw: random.Random, index: int) -> Case:
    high = draw.choice(RATES)
    kwargs: dict[str, Any] = {
        "cycle_min_lr": draw.choice((0, high / 100, high / 3, high)),
        "cycle_max_lr": high,
        "cycle_min_mom": draw.choice((0.5, 0.8, 0.85)),
        "cycle_max_mom": draw.choice((0.9, 0.95, 0.99)),
    }
    if not index:
        return kwargs, 4000
    kwargs["cycle_first_step_size"] = first = draw.choice((1, 2, 3, 7, 10, 12, 30, 100))
    second = first
    if index % 3:
        kwargs["cycle_second_step_size"] = second = draw.choice((0, 1, 2, 5, 10, 13, 40, 100))
    if index % 2:
        kwargs["cycle_first_stair_count"] = draw.choice((-1, 0, 1, 2, 3, 5, 7, 9, 20))
    if index % 4 > 1:
        kwargs["cycle_second_stair_count"] = draw.choice((-1, 0, 1, 2, 3, 5, 8, 9, 20))
    if index % 5:
        kwargs["decay_step_size"] = draw.choice((0, 1, 2, 7, 10, 0.5))
        kwargs["decay_lr_rate"] = draw.choice((0, 0.01, 0.1, 0.5, 2))
        kwargs["decay_mom_rate"] = draw.choice((0, 0.001, 0.01, -0.001))
    return kwargs, first + second


SCHEDULERS = {
    "WarmupLR": (warmup, 36),
    "WarmupDecayLR": (decay, 45),
    "WarmupCosineLR": (cosine, 45),
    "LRRangeTest": (range_test, 24),
    "OneCycle": (one_cycle, 48),
    "OneCycleMomentum": (one_cycle, 36),
}


def main(folder: Path) -> None:
    module = schedulers(folder)
    cases = []
    for name, (draw_arguments, count) in SCHEDULERS.items():
        draw = random.Random(name)
        for index in range(count):
            kwargs, length = draw_arguments(draw, index)
            steps = steps_over(length)
            rates = rates_of(module, name, kwargs, steps)
            cases.append({"name": name, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("deepspeed", VERSION, cases)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
