"""Writes `megatron.json`: what the scheduler of Megatron gives.

Run it with megatron-core==0.16.1 installed (`pip install --no-deps`). Only the file of the scheduler is run,
with a stub for `megatron.core.utils`, which needs PyTorch; the scheduler uses it for its log alone. A case is
the learning rate or the weight decay of a scheduler, as `of` says.
"""

from __future__ import annotations

import importlib.metadata
import math
import random
import types
from typing import Any

from alone import folder, load, stub
from writing import COUNT, write

LENGTHS = (1, 2, 3, 10, 24, 100, 1000, 73_242_188)
STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD", "WSD", "WSD")
TAILS = ("linear", "cosine", "exponential", "minus_sqrt")


def scheduler_class() -> Any:
    """`OptimizerParamScheduler`, without the rest of Megatron."""
    path = folder("megatron") / "core" / "optimizer_param_scheduler.py"
    stub({"megatron.core.utils": {"log_single_rank": lambda *args: None}})
    return load("optimizer_param_scheduler", path).OptimizerParamScheduler


def values_of(scheduler: Any, of: str, kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    group: dict[str, float] = {}
    made = scheduler(types.SimpleNamespace(param_groups=[group]), **kwargs)
    values = []
    for step in steps:
        made.step(step - made.num_steps)
        values.append(group["lr" if of == "learning_rate" else of])
    return values


def steps_around(*turns: float) -> list[int]:
    """Steps from 0 to past the last turn: those around each turn, and some between."""
    end = math.floor(turns[-1])
    steps = {0, 1, 2, 2 * end, 10 * end} | {math.floor(turn) + i for turn in turns for i in (-1, 0, 1, 2)}
    steps = {step for step in steps if step >= 0}
    between = COUNT - len(steps)
    return sorted(steps | {(end + 3) * i // between for i in range(between)})


def draw_arguments(draw: random.Random, index: int) -> tuple[dict[str, Any], list[int]]:
    high = draw.choice((6e-5, 3e-4, 0.01, 0.3))
    length = LENGTHS[index // len(STYLES) % len(LENGTHS)]
    warmup = draw.choice((0, 1, 0.001 * length, 0.3 * length, length // 3, length - 1))
    wd = draw.choice((0.0, 0.01, 0.033, 0.1))
    kwargs: dict[str, Any] = {
        "init_lr": draw.choice((0.0, 0.0, high / 10, high, -high / 2)),
        "max_lr": high,
        "min_lr": draw.choice((0, high / 10, high / 3, high)),
        "lr_warmup_steps": min(warmup, length - 1),
        "lr_decay_steps": length,
        "lr_decay_style": STYLES[index % len(STYLES)],
        "start_wd": wd,
        "end_wd": wd,
        "wd_incr_steps": draw.choice((length, 1, 3 * length)),
        "wd_incr_style": "constant",
    }
    if kwargs["lr_decay_style"] == "WSD":
        decay = draw.choice((0, 1, length // 10, length // 2, length - 1, length, length + 3))
        kwargs["wsd_decay_steps"] = decay
        kwargs["lr_wsd_decay_style"] = draw.choice(TAILS)
    if index % 3 == 1:
        kwargs["use_checkpoint_opt_param_scheduler"] = False
        kwargs["override_opt_param_scheduler"] = draw.choice((True, False))
    start = length - kwargs.get("wsd_decay_steps", 0)
    return kwargs, steps_around(kwargs["lr_warmup_steps"], start, length)


def draw_weight_decay(draw: random.Random, index: int) -> tuple[dict[str, Any], list[int]]:
    kwargs, _ = draw_arguments(draw, index)
    length = (1, 2, 10, 24, 1000, 73_242_188)[index % 6]
    style = ("linear", "cosine", "linear", "cosine", "constant")[index % 5]
    kwargs |= {"wd_incr_steps": draw.choice((0, length)) if style == "constant" else length}
    kwargs["wd_incr_style"] = style
    if style != "constant":
        kwargs["end_wd"] = kwargs["start_wd"] + draw.choice((0.0, 0.01, 0.4))
    return kwargs, steps_around(length // 2, length)


def main() -> None:
    scheduler = scheduler_class()
    cases = []
    for of, arguments, count in (
        ("learning_rate", draw_arguments, len(STYLES) * len(LENGTHS) * 3 // 2),
        ("weight_decay", draw_weight_decay, 30),
    ):
        draw = random.Random(of)
        for index in range(count):
            kwargs, steps = arguments(draw, index)
            values = values_of(scheduler, of, kwargs, steps)
            case = {"name": "OptimizerParamScheduler", "of": of, "kwargs": kwargs}
            cases.append(case | {"steps": steps, "rates": values})
    write("megatron", importlib.metadata.version("megatron-core"), cases)


if __name__ == "__main__":
    main()
