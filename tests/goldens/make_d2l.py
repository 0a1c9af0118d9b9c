"""Writes `d2l.json`: what the schedulers of *Dive into Deep Learning* give, called with 0, 1, 2, ... in turn.

    python tests/goldens/make_d2l.py PATH

where PATH is `chapter_optimization/lr-scheduler.md` of https://github.com/d2l-ai/d2l-en. The classes are
taken out of its code blocks and run. Not drawn are warmups of `max_update` steps, which divide by 0; see
`test_ports_d2l.py`.
"""

from __future__ import annotations

import math
import random
import re
import sys
from pathlib import Path

from writing import steps_over, write

VERSION = "1.0.3 (23d7a5ae)"


def classes(text):
    """The schedulers that the chapter defines, by name."""
    namespace = {"math": math}
    for source in re.findall(r"^class \w+Scheduler:\n(?:(?: .*)?\n)+", text, re.MULTILINE):
        exec(source, namespace)
    return {name: value for name, value in namespace.items() if name.endswith("Scheduler")}


def square_root_scheduler(rng, index):
    return 20, [] if index == 0 else [rng.choice((0, 0.1, 1, 1e-6, round(rng.random(), 4)))], {}


def factor_scheduler(rng, index):
    kwargs = {}
    for name, choices in {
        "factor": (0, 0.1, 0.5, 0.9, 0.99, 1, 1.01),
        "stop_factor_lr": (0, 1e-3, 0.05, 0.5),
        "base_lr": (0.01, 0.3, 1, 2.0),
    }.items():
        if rng.random() < 0.8:
            kwargs[name] = rng.choice(choices)
    return 20, [], kwargs


def multi_factor_scheduler(rng, index):
    step = rng.choices(range(24), k=index % 5)
    return 24, [step, rng.choice((-0.5, 0, 0.1, 0.5, 1, 2)), rng.choice((0.01, 0.3, 0.5, 1))], {}


def cosine_scheduler(rng, index):
    length = (1, 2, 3, 8, 13, 20, 60, 1000)[index % 8]
    kwargs = {}
    if rng.random() < 0.8:
        kwargs["base_lr"] = rng.choice((0, 0.001, 0.3, 1))
    if rng.random() < 0.7:
        kwargs["final_lr"] = rng.choice((0, 0.01, 0.05, 2))
    if rng.random() < 0.7:
        kwargs["warmup_steps"] = rng.choice([steps for steps in (0, 1, 2, 5, 12) if steps < length])
        kwargs["warmup_begin_lr"] = rng.choice((0, 0.001, 0.1, 0.5))
    return length, [length], kwargs


SCHEDULERS = {
    "SquareRootScheduler": square_root_scheduler,
    "FactorScheduler": factor_scheduler,
    "MultiFactorScheduler": multi_factor_scheduler,
    "CosineScheduler": cosine_scheduler,
}


def main(path):
    originals = classes(Path(path).read_text())
    cases = []
    for name, arguments in SCHEDULERS.items():
        rng = random.Random(name)
        for index in range(32):
            horizon, args, kwargs = arguments(rng, index)
            steps = steps_over(horizon)
            scheduler = originals[name](*args, **kwargs)
            rates = [scheduler(step) for step in range(steps[-1] + 1)]
            rates = [float(rates[step]) for step in steps]
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("d2l", VERSION, cases)


if __name__ == "__main__":
    main(sys.argv[1])
