"""Writes `optax.json`: what the schedules of Optax give in float64.

    python tests/goldens/make_optax.py

Not drawn are lengths and rates that Optax logs and holds at the start; see `test_ports_optax.py`.
"""

from __future__ import annotations

import random
from importlib import metadata

import jax
import optax
from writing import steps_over, write

LENGTHS = (1, 2, 3, 5, 8, 13, 20, 60, 1000)
RATES = (0.0, 0.001, 0.01, 0.1, 0.3, 1.0, 3.0)


def argument(value):
    """What a JSON value stands for."""
    if isinstance(value, list):
        return [argument(each) for each in value]
    if isinstance(value, dict) and "dict" in value:
        return dict(value["dict"])
    if isinstance(value, dict) and "port" in value:
        return original(value["port"], value.get("args", []), value.get("kwargs", {}))
    return value


def original(name, args, kwargs):
    keywords = {key: argument(value) for key, value in kwargs.items()}
    return getattr(optax.schedules, name)(*(argument(value) for value in args), **keywords)


class Draw:
    """Random arguments of one scheduler."""

    def __init__(self, name):
        self.random = random.Random(name)
        self.cases = []

    def rate(self, *, positive=False):
        return self.random.choice(RATES[1:] if positive else RATES)

    def length(self):
        return self.random.choice(LENGTHS)

    def begin(self):
        return self.random.choice((0, 0, 1, 4, 30))

    def factors(self, most=4, last=40):
        steps = sorted(self.random.sample(range(last), self.random.randint(0, most)))
        self.random.shuffle(steps)
        return {"dict": [[step, self.random.choice((0, 0.1, 0.25, 0.5, 1.0, 2.0, 3.7))] for step in steps]}

    def decay(self, length):
        decay = {"transition_steps": length, "decay_rate": self.random.choice((0.1, 0.5, 0.9, 1.0, 1.01))}
        if self.random.random() < 0.5:
            decay["transition_begin"] = self.begin()
        if self.random.random() < 0.5:
            decay["staircase"] = self.random.random() < 0.7
        if self.random.random() < 0.5:
            decay["end_value"] = self.rate()
        return decay

    def cosine(self, length, most_warmup=10):
        warmup = self.random.randint(0, most_warmup)
        cosine = {
            "init_value": self.rate(),
            "peak_value": self.rate(),
            "warmup_steps": warmup,
            "decay_steps": warmup + length,
        }
        if self.random.random() < 0.7:
            cosine["end_value"] = self.rate()
        if self.random.random() < 0.5:
            cosine["exponent"] = self.random.choice((0, 0.5, 1, 2, 3.7))
        return cosine

    def part(self):
        """A schedule for `join_schedules`: one of a few kinds, so that few programs are compiled."""
        return self.random.choice(
            (
                {"port": "constant_schedule", "args": [self.rate()]},
                {"port": "linear_schedule", "args": [self.rate(), self.rate(), self.length()]},
                {"port": "cosine_decay_schedule", "args": [self.rate(), self.length()]},
            )
        )


def constant_schedule(draw, index):
    return 10, [(0, 0.3, 1, 1e-12, 1e12, -0.5)[index] if index < 6 else round(draw.random.random(), 6)], {}


def polynomial_schedule(draw, index):
    length, begin = draw.length(), draw.begin()
    power = draw.random.choice((0, 0.5, 1, 2, 3, 2.7, 10))
    args = [draw.rate(), draw.rate(), power, length]
    return length + begin, args, {"transition_begin": begin} if index % 2 else {}


def linear_schedule(draw, index):
    length, begin = draw.length(), draw.begin()
    return length + begin, [draw.rate(), draw.rate(), length] + [begin] * (index % 2), {}


def piecewise_constant_schedule(draw, index):
    if index == 0:
        return 10, [0.3], {}
    return 40, [draw.rate(positive=True), draw.factors()], {}


def exponential_decay(draw, index):
    length = draw.length()
    return length, [draw.rate(positive=True)], draw.decay(length)


def cosine_decay_schedule(draw, index):
    length = draw.length()
    kwargs = {}
    if index % 2:
        kwargs["alpha"] = draw.random.choice((0.0, 0.1, 0.5, 1.0, 1.5))
    if index % 3:
        kwargs["exponent"] = draw.random.choice((0, 0.5, 1.0, 2, 3.7))
    return length, [draw.rate(positive=True), length], kwargs


def piecewise_interpolate_schedule(draw, index):
    kind = ("linear", "cosine")[index % 2]
    if index < 2:
        return 10, [kind, 0.3], {}
    return 40, [kind, draw.rate(positive=True), draw.factors()], {}


def onecycle(draw, index, names):
    length = (1, 2, 3, 4, 5, 6, 7, 10, 13, 20, 60, 1000)[index % 12]
    kwargs = {}
    for name, choices in names.items():
        if draw.random.random() < 0.6:
            kwargs[name] = draw.random.choice(choices)
    return length, [length, draw.rate(positive=True)], kwargs


def linear_onecycle_schedule(draw, index):
    names = {
        "pct_start": (0.0, 0.1, 0.45, 0.5),
        "pct_final": (0.5, 0.7, 0.9, 1.0),
        "div_factor": (1, 4, 10.0, 100),
        "final_div_factor": (1, 2.5, 1e3),
    }
    return onecycle(draw, index, names)


def cosine_onecycle_schedule(draw, index):
    names = {
        "pct_start": (0.0, 0.1, 0.5, 0.9, 1.0),
        "div_factor": (1, 4, 10.0, 100),
        "final_div_factor": (1, 2.5, 1e3),
    }
    return onecycle(draw, index, names)


def warmup_constant_schedule(draw, index):
    length = draw.length()
    return length, [draw.rate(), draw.rate(), length], {}


def warmup_cosine_decay_schedule(draw, index):
    length = draw.length()
    return length + 10, [], draw.cosine(length)


def warmup_exponential_decay_schedule(draw, index):
    length = draw.length()
    warmup = draw.random.choice((0, 1, 2, 5, 10))
    return length + warmup, [draw.rate(), draw.rate(positive=True), warmup], draw.decay(length)


def sgdr_schedule(draw, index):
    cycles = [draw.cosine(draw.random.choice((1, 2, 5, 8)), 4) for _ in range(1 + index % 3)]
    return 24, [cycles], {}


def join_schedules(draw, index):
    parts = [draw.part() for _ in range(1 + index % 3)]
    boundaries = sorted(draw.random.choices(range(20), k=len(parts) - 1))
    return 24, [parts, boundaries], {}


SCHEDULERS = (
    constant_schedule,
    polynomial_schedule,
    linear_schedule,
    piecewise_constant_schedule,
    exponential_decay,
    cosine_decay_schedule,
    piecewise_interpolate_schedule,
    linear_onecycle_schedule,
    cosine_onecycle_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
    sgdr_schedule,
    join_schedules,
)


def main():
    jax.config.update("jax_enable_x64", True)
    cases = []
    for scheduler in SCHEDULERS:
        name = scheduler.__name__
        draw = Draw(name)
        for index in range(24):
            horizon, args, kwargs = scheduler(draw, index)
            steps = steps_over(horizon)
            schedule = original(name, args, kwargs)
            rates = [float(schedule(step)) for step in steps]
            case = {
                "name": scheduler.__name__,
                "args": args,
                "kwargs": kwargs,
                "steps": steps,
                "rates": rates,
            }
            cases.append(case)
    write("optax", metadata.version("optax"), cases)


if __name__ == "__main__":
    main()
