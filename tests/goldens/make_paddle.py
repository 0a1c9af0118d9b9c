"""Writes `paddle.json`: what the schedulers of Paddle give. Run it with paddlepaddle==3.3.1 installed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import functions
import paddle
from paddle.optimizer import lr as originals
from writing import steps_over, write

SETS = 20
TABULATED = ("LambdaDecay", "MultiplicativeDecay", "CyclicLR")
"""The ports of these have a `total_steps`, which the originals have not."""


def number(draw: random.Random, low: float, high: float) -> float:
    """One of three digits, uniform in its logarithm."""
    return float(f"{low * (high / low) ** draw.random():.3g}")


def argument(value: Any) -> Any:
    if isinstance(value, dict) and "function" in value:
        return getattr(functions, value["function"])
    if isinstance(value, dict):
        return original(value["port"], value["args"], value["kwargs"])
    return value


def original(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    known = {key: argument(value) for key, value in kwargs.items()}
    if name in TABULATED:
        known.pop("total_steps", None)
    return getattr(originals, name)(*map(argument, args), **known)


def case(
    name: str, args: list[Any], kwargs: dict[str, Any], horizon: int, last: int = 10**6
) -> dict[str, Any]:
    scheduler = original(name, args, kwargs)
    steps = [min(step, last) for step in steps_over(horizon)]
    rates = []
    for step in range(steps[-1] + 1):
        rates.append(scheduler())
        if step < steps[-1]:
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
    products = ("nearly_one", "up_and_down", "slow_decay", "three_levels", "inverse")
    for i in range(SETS):
        rate, table = number(draw, 1e-4, 1.0), {"total_steps": 101}
        name, kwargs = (traced[i % 5], {}) if i % 2 else (tabulated[i % 5], table)
        yield case("LambdaDecay", [rate, function(name)], kwargs, 10, last=100)
        yield case("MultiplicativeDecay", [rate, function(products[i % 5])], table, 10, last=100)


def decays(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(SETS):
        rate = number(draw, 1e-4, 1.0) if i else 0.0
        warmup = [1, 2, 3, 4000, 0.5][i] if i < 5 else draw.randint(1, 60)
        scale = {} if i % 2 else {"learning_rate": number(draw, 1e-2, 10.0)}
        yield case("NoamDecay", [draw.choice([1, 64, 512, 768]), warmup], scale, int(warmup))
        count = 1 + i % 5
        boundaries = sorted(draw.randint(0, 26) for _ in range(count))
        values = [number(draw, 1e-4, 1.0) for _ in range(count + 1)]
        yield case("PiecewiseDecay", [boundaries, values], {}, 24)
        yield case("NaturalExpDecay", [rate, number(draw, 1e-4, 1.0)], {}, draw.choice([10, 100, 1000]))
        gamma = 0.0 if i == 1 else number(draw, 1e-4, 2.0)
        yield case("InverseTimeDecay", [rate, gamma], {}, draw.choice([10, 100, 1000]))
        yield case("ExponentialDecay", [rate, number(draw, 0.3, 0.9999)], {}, 24)
        factor = {} if i % 4 == 0 else {"gamma": number(draw, 0.05, 0.99)}
        milestones = sorted(draw.sample(range(27), i % 6))
        yield case("MultiStepDecay", [rate, milestones], factor, 24)
        size = [1, 2, 3, 30, 1000][i] if i < 5 else draw.randint(1, 40)
        yield case("StepDecay", [rate, size], {"gamma": 0.0} if i == 2 else factor, size)
        end = {} if i % 3 == 0 else {"end_lr": [0.0, rate, 2 * rate, number(draw, 1e-5, 0.1)][i % 4]}
        power = {} if i % 5 == 0 else {"power": [1.0, 2.0, 0.5, 3.0][i % 4]}
        again = {"cycle": True} if i % 2 else {}
        length = [1, 1, 2, 3, 10, 10, 500][i] if i < 7 else draw.randint(1, 40)
        yield case("PolynomialDecay", [rate, length], end | power | again, length)


def ramps(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(SETS):
        rate = number(draw, 1e-4, 1.0)
        eta_min = {} if i % 3 == 0 else {"eta_min": [0, 1e-5, 0.3 * rate, rate, 2 * rate][i % 5]}
        length = [1, 2, 3, 15, 500][i] if i < 5 else draw.randint(1, 40)
        yield case("CosineAnnealingDecay", [rate, length], eta_min, length)
        mult = [{}, {"T_mult": 1}, {"T_mult": 2}, {"T_mult": 3}, {"T_mult": 10}][i % 5]
        yield case("CosineAnnealingWarmRestarts", [rate, length], mult | eta_min, length)
        ends = (
            {}
            if i % 4 == 0
            else {"start_factor": number(draw, 1e-3, 1.0), "end_factor": [0.0, 1.0, 0.25][i % 3]}
        )
        yield case("LinearLR", [rate, length], ends, length)
        inner = [
            rate,
            port("CosineAnnealingDecay", rate, draw.randint(1, 15)),
            port("PiecewiseDecay", [3, 8], [rate, rate / 2, rate / 8]),
            port("PolynomialDecay", rate, draw.randint(1, 15), power=2.0, cycle=True),
            port("NoamDecay", 64, draw.randint(1, 10)),
        ][i % 5]
        start = 0.0 if i % 2 else number(draw, 1e-6, 1e-3)
        end = rate + start if i % 3 else number(draw, 1e-2, 1.0)
        ramp = [1, 2, 3, 24, 500][i] if i < 5 else draw.randint(1, 20)
        yield case("LinearWarmup", [inner, ramp, start, end], {}, ramp)


def one_cycles(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(30):
        three = i % 2 == 1
        total = [1, 2, 3, 10, 10, 7, 30, 1000][i] if i < 8 else draw.randint(4, 300)
        start = [0.3, 0.0, 1.0, 0.05, 0.5, 0.45, 0.95, 0.25][i % 8] if i < 16 else number(draw, 0.02, 0.49)
        if start * total == 1:
            continue
        shape = {} if i % 3 == 0 else {"anneal_strategy": ["cos", "linear"][i % 2]}
        phases = (
            shape | ({"three_phase": True} if three else {}) | ({} if start == 0.3 else {"phase_pct": start})
        )
        ends = (
            {"divide_factor": number(draw, 1, 50), "end_learning_rate": number(draw, 1e-7, 1)}
            if i % 5
            else {}
        )
        args = [number(draw, 1e-3, 1.0), total]
        yield case("OneCycleLR", args, phases | ends, total - 1, last=total - 1)


def triangles(draw: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(30):
        base = number(draw, 1e-4, 0.1) if i % 7 else 0.0
        peak = number(draw, 0.1, 1.0) if i % 5 else base / 2
        up = [1, 2, 3, 2000][i] if i < 4 else draw.randint(1, 15)
        down = {} if i % 3 == 0 else {"step_size_down": [1, 2, draw.randint(1, 20)][i % 3]}
        mode = [
            {},
            {"mode": "triangular2"},
            {"mode": "exp_range", "exp_gamma": [0.9, 0.999, 1.001, 0.0, 1.0][i % 5]},
            {"scale_fn": function("inverse_of_cycle")},
            {"scale_fn": function("slow_decay"), "scale_mode": "iterations"},
            {"scale_fn": function("ramp_of_eight"), "scale_mode": "iterations", "total_steps": 1001},
        ][i % 6]
        yield case("CyclicLR", [base, peak, up], down | mode, up)


def main() -> None:
    families = (from_functions, decays, ramps, one_cycles, triangles)
    cases = [each for family in families for each in family(random.Random(family.__name__))]
    write("paddle", paddle.__version__, cases)


if __name__ == "__main__":
    main()
