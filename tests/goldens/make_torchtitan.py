"""Writes `torchtitan.json`: what the learning rate of torchtitan is.

Run it with torchtitan==0.3.0 (`pip install --no-deps`) and torch==2.13.0 installed. Only the file of the
scheduler runs. The rest of torchtitan needs a device and many packages. What the file imports from it is a
stub here: the base class of configurations, the logger and the container of optimizers, which is a list.
"""

from __future__ import annotations

import importlib.metadata
import logging
import random
from typing import Any

import torch
from alone import folder, load, stub
from writing import steps_over, write

RATES = (5e-5, 0.001, 0.03, 0.1, 1.0, 2)


def container() -> Any:
    """The class `LRSchedulersContainer`, without the rest of torchtitan."""

    class Configurable:
        class Config:
            pass

    names = {
        "torchtitan": {},
        "torchtitan.config": {"Configurable": Configurable},
        "torchtitan.tools": {},
        "torchtitan.tools.logging": {"logger": logging.getLogger("torchtitan")},
        "torchtitan.components": {},
        "torchtitan.components.optimizer": {},
        "torchtitan.components.optimizer.optimizer": {"OptimizersContainer": list},
    }
    path = folder("torchtitan") / "components" / "optimizer" / "lr_scheduler.py"
    stub(names)
    logging.getLogger("torchtitan").setLevel(logging.ERROR)
    return load("torchtitan.components.optimizer.lr_scheduler", path).LRSchedulersContainer


def rates_of(schedulers: Any, kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    given = dict(kwargs)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=given.pop("lr"))
    training_steps = given.pop("training_steps")
    made = schedulers.Config(**given).build(optimizers=[optimizer], training_steps=training_steps)
    rates = {}
    for step in range(max(steps) + 1):
        rates[step] = float(optimizer.param_groups[0]["lr"])
        if step < max(steps):
            made.step()
    return [rates[step] for step in steps]


def drawn(draw: random.Random, index: int) -> tuple[dict[str, Any], list[int]]:
    length = (1, 2, 3, 5, 12, 20, 50, 300, 1000)[index % 9]
    kwargs: dict[str, Any] = {"lr": draw.choice(RATES), "training_steps": length}
    if index % 7 == 5:
        kwargs["total_steps"] = length = draw.choice((1, 10, 40, 200))
    warmup_steps = 200
    if index % 6:
        warmup_steps = draw.choice((0, 1, 2, 5, 10, length - 1, length, length + 1, 2 * length))
        kwargs["warmup_steps"] = warmup_steps
    ratio = None
    if index % 4:
        ratio = draw.choice((0.0, 0.05, 0.1, 0.2, 0.25, 0.5, 0.8, 1.0, 1.5))
        kwargs["decay_ratio"] = ratio
    if index % 3 or draw.random() < 0.5:
        kwargs["decay_type"] = ("linear", "sqrt", "cosine")[index % 3]
    if index % 5 > 1:
        kwargs["min_lr_factor"] = draw.choice((0, 0.01, 0.1, 0.3, 1, 1.5))
    steps = steps_over(length)
    left = length - min(warmup_steps, length)
    if left == 0 or (ratio is not None and round(length * ratio) == 0):
        # Without steps to decay, torchtitan fails after the last step of the schedule.
        steps = [step for step in steps if step <= length]
    return kwargs, steps


def main() -> None:
    schedulers = container()
    draw = random.Random("build_lr_schedulers")
    cases = []
    for index in range(160):
        kwargs, steps = drawn(draw, index)
        rates = rates_of(schedulers, kwargs, steps)
        cases.append({"name": "build_lr_schedulers", "kwargs": kwargs, "steps": steps, "rates": rates})
    write("torchtitan", importlib.metadata.version("torchtitan"), cases)


if __name__ == "__main__":
    main()
