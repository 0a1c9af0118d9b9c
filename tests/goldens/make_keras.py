"""Writes `keras.json`: what the schedules of Keras give in float64.

    KERAS_BACKEND=tensorflow python tests/goldens/make_keras.py

Only on TensorFlow does Keras have a float64 cosine, and only with arguments that are float64.
Left out are `CosineDecayRestarts` whose logarithm misses a restart; see `test_ports_keras.py`.
"""

from __future__ import annotations

import random
from fractions import Fraction
from types import SimpleNamespace

import functions
import keras
import numpy as np
from writing import steps_over, write

LENGTHS = (1, 2, 3, 5, 8, 13, 20, 60, 1000)
RATES = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0)


def exponential_decay(rng, index):
    length = (*LENGTHS, 2.5)[index % 10]
    kwargs = {"decay_rate": rng.choice((0, 0.1, 0.5, 0.9, 0.96, 1.0, 1.01))}
    if index % 3:
        kwargs["staircase"] = index % 3 == 1
    return length, [rng.choice(RATES), length], kwargs


def piecewise_constant_decay(rng, index):
    count = 1 + index % 4
    boundaries = sorted(rng.choices(range(24), k=count))
    return 24, [boundaries, [rng.choice((0.0, *RATES)) for _ in range(count + 1)]], {}


def polynomial_decay(rng, index):
    length = LENGTHS[index % 9]
    kwargs = {}
    if rng.random() < 0.7:
        kwargs["end_learning_rate"] = rng.choice((0.0, 0.05, 0.5))
    if rng.random() < 0.7:
        kwargs["power"] = rng.choice((0.0, 0.5, 1.0, 2.0, 2.7))
    if index % 3:
        kwargs["cycle"] = index % 3 == 1
    return length, [rng.choice(RATES), length], kwargs


def inverse_time_decay(rng, index):
    length = (*LENGTHS, 2.5)[index % 10]
    kwargs = {"decay_rate": rng.choice((0.0, 0.1, 0.5, 1.0, 3.0))}
    if index % 3:
        kwargs["staircase"] = index % 3 == 1
    return length, [rng.choice(RATES), length], kwargs


def cosine_decay(rng, index):
    length = LENGTHS[index % 9]
    kwargs = {}
    if rng.random() < 0.6:
        kwargs["alpha"] = rng.choice((0.0, 0.1, 0.5, 1.0, 1.5))
    if index % 3:
        kwargs["warmup_target"] = rng.choice(RATES)
    if index % 4:
        kwargs["warmup_steps"] = rng.choice((0, 1, 2, 5, 10))
    return length, [rng.choice((0.0, *RATES)), length], kwargs


def cosine_decay_restarts(rng, index):
    length = LENGTHS[index % 8]
    kwargs = {}
    if rng.random() < 0.8:
        kwargs["t_mul"] = rng.choice((1.0, 1.5, 2.0, 2.5, 3.0))
    if rng.random() < 0.7:
        kwargs["m_mul"] = rng.choice((0.0, 0.5, 0.9, 1.0, 1.1))
    if rng.random() < 0.6:
        kwargs["alpha"] = rng.choice((0.0, 0.1, 0.5, 1.0))
    return 3 * length, [rng.choice(RATES), length], kwargs


SCHEDULERS = {
    "ExponentialDecay": exponential_decay,
    "PiecewiseConstantDecay": piecewise_constant_decay,
    "PolynomialDecay": polynomial_decay,
    "InverseTimeDecay": inverse_time_decay,
    "CosineDecay": cosine_decay,
    "CosineDecayRestarts": cosine_decay_restarts,
}

CALLBACKS = {
    "halving": None,
    "inverse": None,
    "steps_of_ten": None,
    "down_from_the_fifth": (0.1, 1.0),
    "by_the_epoch": (0.3, 2.0),
}
"""Functions of the epoch, and the rates that those of two arguments begin with."""


def wide(value):
    """The numbers that are not integers as NumPy's float64."""
    if isinstance(value, list):
        return [wide(each) for each in value]
    if isinstance(value, dict):
        return {name: wide(each) for name, each in value.items()}
    return np.float64(value) if isinstance(value, float) else value


def misses_a_restart(args, kwargs, steps, rates):
    """Whether the original is at the end of a cycle, or beyond it, at a step at which the next one begins."""
    rate, length = (Fraction(str(value)) for value in args)
    growth, factor, alpha = (
        Fraction(str(kwargs.get(name, default)))
        for name, default in (("t_mul", 2.0), ("m_mul", 1.0), ("alpha", 0.0))
    )
    start, cycle = Fraction(0), 0
    while start <= steps[-1]:
        if start in steps:
            due = rate * ((1 - alpha) * factor**cycle + alpha)
            if abs(rates[steps.index(start)] - due) > 1e-6 * rate:
                return True
        start, cycle = start + length * growth**cycle, cycle + 1
    return False


def called_back(function, epochs, rate, steps):
    """The rates that the callback leaves in an optimizer, the last of them after the last epoch."""
    optimizer = keras.optimizers.SGD(0.01 if rate is None else rate)
    callback = keras.callbacks.LearningRateScheduler(getattr(functions, function))
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    rates = []
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        rates.append(float(optimizer.learning_rate))
    return [rates[min(step, epochs - 1)] for step in steps]


def main():
    keras.config.set_floatx("float64")
    cases = []
    for name, arguments in SCHEDULERS.items():
        rng = random.Random(name)
        for index in range(32):
            horizon, args, kwargs = arguments(rng, index)
            steps = steps_over(int(horizon))
            schedule = getattr(keras.optimizers.schedules, name)(*wide(args), **wide(kwargs))
            rates = [float(schedule(step)) for step in steps]
            if name == "CosineDecayRestarts" and misses_a_restart(args, kwargs, steps, rates):
                continue
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates})
    for function, starts in CALLBACKS.items():
        for epochs in (1, 2, 5, 24):
            for rate in starts or [None]:
                steps = steps_over(epochs)
                kwargs = {"epochs": epochs} | ({} if rate is None else {"learning_rate": rate})
                rates = called_back(function, epochs, rate, steps)
                case = {"name": "LearningRateScheduler", "args": [{"function": function}], "kwargs": kwargs}
                cases.append(case | {"steps": steps, "rates": rates})
    write("keras", keras.__version__, cases)


if __name__ == "__main__":
    main()
