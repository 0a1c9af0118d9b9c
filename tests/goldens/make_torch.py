"""Writes `torch.json`: what the schedulers of PyTorch give. Run it with torch==2.13.0 installed."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from typing import Any

import functions
import torch
from torch.optim import SGD, lr_scheduler, swa_utils
from writing import steps_over, write

SETS = 20
OWN_RATES = ("CyclicLR", "OneCycleLR")
"""These take the rate as an argument rather than from the optimizer."""
TABULATED = ("LambdaLR", "MultiplicativeLR", "CyclicLR")
"""The ports of these have a `total_steps`, which the originals have not."""


def number(draw: random.Random, low: float, high: float) -> float:
    """One of three digits, uniform in its logarithm."""
    return float(f"{low * (high / low) ** draw.random():.3g}")


def argument(value: Any) -> Any:
    return getattr(functions, value["function"]) if isinstance(value, dict) else value


def optimizer(lr: float) -> SGD:
    return SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def build(name: str, optimizer: SGD, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The original scheduler, given what comes after the base rate."""
    module = swa_utils if name == "SWALR" else lr_scheduler
    known = {key: argument(value) for key, value in kwargs.items()}
    if name in TABULATED:
        known.pop("total_steps", None)
    return getattr(module, name)(optimizer, *map(argument, args), **known)


def member(optimizer: SGD, port: dict[str, Any]) -> Any:
    own = 0 if port["port"] in OWN_RATES else 1
    return build(port["port"], optimizer, port["args"][own:], port["kwargs"])


def original(name: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[SGD, Any]:
    if name == "ChainedScheduler":
        used = optimizer(args[0])
        return used, lr_scheduler.ChainedScheduler([member(used, port) for port in args[1]])
    if name == "SequentialLR":
        used = optimizer(args[0][0]["args"][0])
        return used, lr_scheduler.SequentialLR(used, [member(used, port) for port in args[0]], args[1])
    if name.removesuffix("Momentum") in OWN_RATES:
        used = optimizer(1.0)
        return used, build(name.removesuffix("Momentum"), used, args, kwargs)
    used = optimizer(args[0])
    return used, build(name, used, args[1:], kwargs)


def case(
    name: str, args: list[Any], kwargs: dict[str, Any], horizon: int, last: int = 10**6
) -> dict[str, Any]:
    used, scheduler = original(name, args, kwargs)
    steps = [min(step, last) for step in steps_over(horizon)]
    key = "momentum" if name.endswith("Momentum") else "lr"
    rates = []
    for step in range(steps[-1] + 1):
        rates.append(used.param_groups[0][key])
        if step < steps[-1]:
            used.step()
            scheduler.step()
    found = [float(rates[step]) for step in steps]
    return {"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": found}


def port(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"port": name, "args": list(args), "kwargs": kwargs}


def function(name: str) -> dict[str, str]:
    return {"function": name}


def from_functions(draw: random.Random) -> Iterator[dict[str, Any]]:
    traced = ("halving", "inverse", "steps_of_ten", "nearly_one", "slow_decay")
    tabulated = ("ramp_of_eight", "three_levels", "up_and_down", "quarter_turns", "halving")
    for i in range(SETS):
        lr, horizon = number(draw, 1e-4, 1.0), draw.choice([8, 24, 60])
        if i % 2:
            yield case("LambdaLR", [lr, function(traced[i % 5])], {}, horizon)
        else:
            yield case("LambdaLR", [lr, function(tabulated[i % 5])], {"total_steps": 1001}, horizon)
        names = ("nearly_one", "up_and_down", "slow_decay", "three_levels", "inverse")
        kwargs = {"total_steps": 1001}
        yield case("MultiplicativeLR", [lr, function(names[i % 5])], kwargs, horizon)


def steps_and_powers(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(SETS):
        lr = number(draw, 1e-4, 1.0)
        size = [1, 2, 3, 30, 1000][i] if i < 5 else draw.randint(1, 40)
        gamma = [0.0, 1.0, 1.01, 0.1, 0.5][i] if i < 5 else number(draw, 0.05, 1.0)
        yield case("StepLR", [lr, size] if gamma == 0.1 else [lr, size, gamma], {}, size)
        count = i % 6
        milestones = [draw.randint(0, 26) for _ in range(count)]
        if i >= 12:
            milestones = sorted(milestones + milestones[:1])
        yield case("MultiStepLR", [lr, milestones], {} if i % 3 else {"gamma": gamma}, 24)
        yield case("ExponentialLR", [lr], {"gamma": gamma if i < 3 else number(draw, 0.5, 1.02)}, 24)


def ramps(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(SETS):
        lr = number(draw, 1e-4, 1.0)
        total = [1, 2, 3, 5, 100, 1000][i] if i < 6 else draw.randint(1, 60)
        length = {} if total == 5 else {"total_iters": total}
        factor = [1.0, 0.5, 1e-3, 0.999][i % 4] if i < 12 else number(draw, 1e-3, 1.0)
        yield case("ConstantLR", [lr], length | ({} if total == 5 else {"factor": factor}), total)
        end = [0.0, 1.0, 0.25][i % 3] if i < 12 else number(draw, 1e-3, 1.0)
        factors = {} if total == 5 else {"start_factor": factor, "end_factor": end}
        yield case("LinearLR", [lr], length | factors, total)
        power = {} if total == 5 else {"power": [0.0, 1.0, 2.0, 0.5, 3.0][i % 5]}
        yield case("PolynomialLR", [lr], length | power, total)
        strategy = {} if i % 3 == 0 else {"anneal_strategy": ["cos", "linear"][i % 2]}
        epochs = {} if i == 3 else {"anneal_epochs": 0 if i == 4 else total}
        yield case("SWALR", [lr, number(draw, 1e-4, 1.0)], epochs | strategy, total)


def cosines(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(SETS):
        lr = number(draw, 1e-4, 1.0)
        eta_min = {} if i % 3 == 0 else {"eta_min": [0.0, 1e-5, 0.3 * lr, lr, 2 * lr][i % 5]}
        length = [1, 2, 3, 15, 500][i] if i < 5 else draw.randint(1, 40)
        yield case("CosineAnnealingLR", [lr, length], eta_min, length)
        mult = [{}, {"T_mult": 1}, {"T_mult": 2}, {"T_mult": 3}, {"T_mult": 10}][i % 5]
        yield case("CosineAnnealingWarmRestarts", [lr, length], mult | eta_min, length)


def one_cycles(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(30):
        three = i % 2 == 1
        total = [1, 2, 3, 10, 10, 7, 30, 1000, 10, 5][i] if i < 10 else draw.randint(4, 300)
        start = (
            [0.3, 0.0, 1.0, 0.05, 0.5, 0.7, 0.55, 0.25, 0.9, 0.6][i % 10] if i < 16 else number(draw, 0.02, 1)
        )
        if start * total == 1:
            start = 0.3
        shape = {} if i % 3 == 0 else {"anneal_strategy": ["cos", "linear"][i % 2]}
        phases = (
            shape | ({"three_phase": True} if three else {}) | ({} if start == 0.3 else {"pct_start": start})
        )
        length = {"total_steps": total} if i % 4 else {"epochs": total, "steps_per_epoch": 1 + i % 3}
        steps = total if i % 4 else total * (1 + i % 3)
        factors = (
            {"div_factor": number(draw, 2, 50), "final_div_factor": number(draw, 1, 1e5)} if i % 5 else {}
        )
        momenta = {"base_momentum": 0.8, "max_momentum": number(draw, 0.85, 0.99)} if i % 4 else {}
        if start * steps == 1:
            continue
        for name, more in (("OneCycleLR", factors), ("OneCycleLRMomentum", momenta)):
            kwargs = length | phases | more
            yield case(name, [number(draw, 1e-3, 1.0)], kwargs, steps - 1, last=steps - 1)


def triangles(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(30):
        base = number(draw, 1e-4, 0.1) if i % 7 else 0.0
        peak = number(draw, 0.1, 1.0) if i % 5 else base / 2
        up = [1, 2, 3, 2000, 2.5][i] if i < 5 else draw.randint(1, 15)
        down = {} if i % 3 == 0 else {"step_size_down": [0, 1, draw.randint(1, 20), 3.5][i % 4]}
        rise = {} if up == 2000 else {"step_size_up": up}
        mode = [
            {},
            {"mode": "triangular2"},
            {"mode": "exp_range", "gamma": [0.9, 0.999, 1.001, 0.0, 1.0][i % 5]},
            {"scale_fn": function("inverse_of_cycle")},
            {"scale_fn": function("slow_decay"), "scale_mode": "iterations"},
            {"scale_fn": function("quarter_turns"), "total_steps": 1001, "mode": "none"},
            {"scale_fn": function("ramp_of_eight"), "scale_mode": "iterations", "total_steps": 1001},
        ][i % 7]
        if i % 7 == 5:
            up, rise, down = 4, {"step_size_up": 4}, {"step_size_down": 3}
        momenta = {"base_momentum": 0.8, "max_momentum": number(draw, 0.85, 0.99)} if i % 4 else {}
        for name, more in (("CyclicLR", {}), ("CyclicLRMomentum", momenta)):
            yield case(name, [base, peak], rise | down | mode | more, int(up))


def compositions(draw: random.Random) -> Iterator[dict[str, Any]]:
    def factors(lr: float) -> list[dict[str, Any]]:
        """Members of which PyTorch's chain is the product."""
        return [
            port("ConstantLR", lr, factor=number(draw, 0.1, 1.0), total_iters=draw.randint(1, 20)),
            port("ExponentialLR", lr, gamma=number(draw, 0.8, 1.01)),
            port("LinearLR", lr, start_factor=number(draw, 0.1, 1.0), total_iters=draw.randint(1, 20)),
            port("StepLR", lr, step_size=draw.randint(1, 12), gamma=number(draw, 0.3, 1.0)),
            port("PolynomialLR", lr, total_iters=draw.randint(5, 30), power=2.0),
            port("MultiStepLR", lr, milestones=[4, 9], gamma=0.5),
            port("MultiplicativeLR", lr, function("nearly_one"), total_steps=1001),
        ]

    def others(lr: float) -> list[dict[str, Any]]:
        return [
            port("CosineAnnealingLR", lr, T_max=draw.randint(1, 20), eta_min=lr / 10),
            port("CosineAnnealingWarmRestarts", lr, T_0=draw.randint(1, 8), T_mult=draw.randint(1, 3)),
            port("LambdaLR", lr, function("inverse")),
            port("CyclicLR", lr, 2 * lr, step_size_up=draw.randint(1, 6), cycle_momentum=False),
        ]

    for i in range(SETS):
        lr = number(draw, 1e-3, 1.0)
        drawn, few = factors(1.0), i % 7
        members = [drawn[few], drawn[(few + 1) % 7], drawn[(few + 3) % 7]][: 1 + (few + 1) % 3]
        yield case("ChainedScheduler", [lr, members], {}, 24)
        firsts, rest = factors(lr), [*factors(lr)[:6], *others(lr)]
        few = i % 10
        parts = [firsts[few % 7], rest[few], rest[(3 * few + 6) % 10]][: 1 + (few + 1) % 3]
        milestones = sorted(draw.randint(1, 20) for _ in parts[1:])
        if i in (4, 10):
            milestones[0] = 0
        if i in (7, 13):
            milestones = [milestones[0]] * len(milestones)
        yield case("SequentialLR", [parts, milestones], {}, 24)


def main() -> None:
    warnings.simplefilter("ignore")
    families = (from_functions, steps_and_powers, ramps, cosines, one_cycles, triangles, compositions)
    cases = [each for family in families for each in family(random.Random(family.__name__))]
    write("torch", torch.__version__.partition("+")[0], cases)


if __name__ == "__main__":
    main()
