"""Writes `transformers.json`: what the schedules of Hugging Face Transformers give.

Run it with transformers==5.23.0 and torch==2.13.0 installed. Not drawn are polynomials that divide by 0, and
hard restarts that the original misses because the float of a whole number of cycles is below it; see
`test_ports_transformers.py`.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import torch
import transformers
from transformers import optimization
from writing import steps_over, write

LENGTHS = (0, 1, 2, 3, 8, 12, 20, 60, 200, 1000)


def rates_of(name: str, args: list[Any], kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    """What `LambdaLR` sets at these steps: its base rate times its factor."""
    if name == "get_adafactor_schedule":
        return relative_steps(*args, **kwargs, steps=steps)
    lr, *rest = args
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    if name == "get_scheduler":
        scheduler = optimization.get_scheduler(rest[0], optimizer, *rest[1:], **kwargs)
    else:
        scheduler = getattr(optimization, name)(optimizer, *rest, **kwargs)
    return [float(scheduler.base_lrs[0] * scheduler.lr_lambdas[0](step)) for step in steps]


def relative_steps(initial_lr: float = 0.0, warmup_init: bool = False, *, steps: list[int]) -> list[float]:
    """What the schedule reports after these numbers of updates, of which all but the last are skipped."""
    parameter = torch.ones(1, requires_grad=True)
    optimizer = optimization.Adafactor([parameter], scale_parameter=False, warmup_init=warmup_init)
    scheduler = optimization.get_adafactor_schedule(optimizer, initial_lr)
    rates = []
    for step in steps:
        if step:
            parameter.grad = torch.ones(1)
            optimizer.step()
            optimizer.state[parameter]["step"] = step - 1
            optimizer.step()
            scheduler.step()
        rates.append(float(scheduler.get_last_lr()[0]))
    return rates


def misses_a_restart(args: list[Any], kwargs: dict[str, Any], steps: list[int]) -> bool:
    """Whether the float of a fraction of the cycles is on the other side of a whole number."""
    _, warmup_steps, total_steps, *rest = args
    cycles = rest[0] if rest else kwargs.get("num_cycles", 1)
    length = max(1, total_steps - warmup_steps)
    elapsed = [step - warmup_steps for step in steps if warmup_steps <= step < warmup_steps + length]
    return any(int(cycles * (step / length)) != cycles * Fraction(step, length) // 1 for step in elapsed)


def rate(draw: random.Random) -> float:
    return draw.choice((5e-5, 0.001, 0.03, 0.1, 0.3, 1.0, 2))


def phases(draw: random.Random, index: int) -> list[int]:
    """Warmup and whole run; the first of them are the edges."""
    edges = [(0, 0), (0, 1), (1, 1), (2, 1), (5, 3), (0, 20), (1, 20), (20, 20), (19, 20), (2, 8)]
    if index < len(edges):
        return list(edges[index])
    total = draw.choice(LENGTHS[3:])
    return [draw.choice([steps for steps in (0, 1, 2, 3, 6, 30, 100) if steps < total]), total]


def constants(draw: random.Random) -> list[tuple[Any, ...]]:
    drawn: list[tuple[Any, ...]] = []
    for index in range(20):
        drawn.append(("get_constant_schedule", [rate(draw)], {}, 8))
        steps = LENGTHS[index % len(LENGTHS)]
        drawn.append(("get_constant_schedule_with_warmup", [rate(draw), steps], {}, steps))
    return drawn


def decays(draw: random.Random) -> list[tuple[Any, ...]]:
    drawn: list[tuple[Any, ...]] = []
    for index in range(28):
        args = [rate(draw), *phases(draw, index)]
        drawn.append(("get_linear_schedule_with_warmup", args, {}, args[2]))
        args = [rate(draw), *phases(draw, index)]
        kwargs: dict[str, Any] = {}
        if index % 3:
            kwargs["power"] = draw.choice((0, 0.5, 1, 2, 2.7))
        if index % 2:
            kwargs["lr_end"] = draw.choice((0, 1e-5, args[0] / 4, -0.01))
        if args[1] != args[2]:
            drawn.append(("get_polynomial_decay_schedule_with_warmup", args, kwargs, args[2]))
        args = [rate(draw), LENGTHS[index % len(LENGTHS)]]
        kwargs = {"timescale": draw.choice((None, 1, 7, 100, 2.5))} if index % 3 else {}
        drawn.append(("get_inverse_sqrt_schedule", args, kwargs, args[1]))
    return drawn


def late(draw: random.Random) -> list[tuple[Any, ...]]:
    """Polynomials whose warmup is longer than the run: there is no decay, whatever its power."""
    name = "get_polynomial_decay_schedule_with_warmup"
    return [
        (name, [rate(draw), *lengths], {"power": power, "lr_end": 1e-6}, lengths[0] + 5)
        for power in (0, 0.5, 2)
        for lengths in ((2, 1), (5, 3), (20, 0))
    ]


def cosines(draw: random.Random) -> list[tuple[Any, ...]]:
    drawn: list[tuple[Any, ...]] = []
    for index in range(30):
        cycles = draw.choice((0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 2.3))
        args = [rate(draw), *phases(draw, index), *([cycles] if index % 3 else [])]
        drawn.append(("get_cosine_schedule_with_warmup", args, {}, args[2]))
        lowest = draw.choice(("min_lr", "min_lr_rate"))
        kwargs = {lowest: draw.choice((0, 0.01, 0.1, 0.5, 1, 1.5))}
        drawn.append(("get_cosine_with_min_lr_schedule_with_warmup", args, kwargs, args[2]))
        first = {"warmup_lr_rate": draw.choice((None, 0, 0.1, 1, 1.5))} if index % 4 else {}
        drawn.append(("get_cosine_with_min_lr_schedule_with_warmup_lr_rate", args, kwargs | first, args[2]))
    for index in range(60):
        cycles = draw.choice((0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 30, 0.5, 1.5, 2.5))
        args = [rate(draw), *phases(draw, index), *([cycles] if index % 5 else [])]
        drawn.append(("get_cosine_with_hard_restarts_schedule_with_warmup", args, {}, args[2]))
    return drawn


def stable(draw: random.Random) -> list[tuple[Any, ...]]:
    drawn = []
    types = ("linear", "cosine", "1-sqrt")
    for index in range(36):
        warmup_steps, total_steps = phases(draw, index)
        decay_steps = draw.choice((0, 1, 2, 5, 40))
        kwargs: dict[str, Any] = {"warmup_type": types[index % 3], "decay_type": types[index // 3 % 3]}
        if index % 4 == 0:
            kwargs = {}
        if index % 2:
            kwargs["num_stable_steps"] = draw.choice((0, 1, 2, 10))
        else:
            kwargs["num_training_steps"] = total_steps
        if index % 3:
            kwargs["min_lr_ratio"] = draw.choice((0, 0.1, 0.5, 1, 1.5))
        if index % 5 == 0:
            kwargs["num_cycles"] = draw.choice((0, 0.3, 1.5, 2))
        args = [rate(draw), warmup_steps, decay_steps]
        drawn.append(("get_wsd_schedule", args, kwargs, warmup_steps + decay_steps + 10))
    return drawn


def by_name(draw: random.Random) -> list[tuple[Any, ...]]:
    specific: dict[str, list[Any]] = {
        "linear": [None],
        "cosine": [None, {"num_cycles": 1.5}],
        "cosine_with_restarts": [None, {"num_cycles": 2}],
        "polynomial": [None, {"power": 2, "lr_end": 1e-5}],
        "constant": [None],
        "constant_with_warmup": [None],
        "inverse_sqrt": [None, {"timescale": 30}],
        "cosine_with_min_lr": [{"min_lr": 0.001}, {"min_lr_rate": 0.1}],
        "cosine_warmup_with_min_lr": [{"min_lr_rate": 0.1}, {"min_lr": 0.001, "warmup_lr_rate": 0.2}],
        "warmup_stable_decay": [{"num_decay_steps": 4}, {"num_decay_steps": 4, "num_stable_steps": 3}],
    }
    return [
        ("get_scheduler", [rate(draw), name, warmup_steps, 20, *([] if more is None else [more])], {}, 20)
        for name, choices in specific.items()
        for more in choices
        for warmup_steps in (0, 4)
    ]


def relative(draw: random.Random) -> list[tuple[Any, ...]]:
    return [
        (
            "get_adafactor_schedule",
            [draw.choice((0.0, 0.001, 0.3, 1))] if index % 3 else [],
            {"warmup_init": True} if index % 2 else {},
            (8, 60, 9_999, 10_000, 20_000, 100_000)[index // 2 % 6],
        )
        for index in range(24)
    ]


def main() -> None:
    cases = []
    for family in (constants, decays, cosines, stable, by_name, late, relative):
        for name, args, kwargs, horizon in family(random.Random(family.__name__)):
            steps = steps_over(horizon)
            if name.endswith("hard_restarts_schedule_with_warmup") and misses_a_restart(args, kwargs, steps):
                continue
            rates = rates_of(name, args, kwargs, steps)
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("transformers", transformers.__version__, cases)


if __name__ == "__main__":
    main()
