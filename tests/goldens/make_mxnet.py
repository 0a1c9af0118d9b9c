"""Writes `mxnet.json`: what the schedulers of MXNet give when they are called with 0, 1, 2, ... in turn.

    python tests/goldens/make_mxnet.py PATH

where PATH is `python/mxnet/lr_scheduler.py` of https://github.com/apache/mxnet, which runs on its own.
Not drawn are warmups of `max_update` steps, which divide by 0; see `test_ports_mxnet.py`.
"""

from __future__ import annotations

import importlib.util
import random
import sys

from writing import steps_over, write

VERSION = "2.0.0 (b84609d3fc)"


def warmed(rng, most):
    """The arguments that all of them take."""
    kwargs = {}
    if rng.random() < 0.8:
        kwargs["base_lr"] = rng.choice((0.001, 0.1, 0.3, 1.0, 2))
    if rng.random() < 0.6:
        kwargs["warmup_steps"] = rng.choice([steps for steps in (0, 1, 2, 5, 12) if steps < most])
        base = kwargs.get("base_lr", 0.01)
        kwargs["warmup_begin_lr"] = rng.choice((0, base / 4, base))
    if rng.random() < 0.5:
        kwargs["warmup_mode"] = rng.choice(("linear", "constant"))
    return kwargs


def factor_scheduler(rng, index):
    step = (1, 2, 3, 7, 10, 100)[index % 6]
    args = [step, rng.choice((0, 0.1, 0.5, 0.9, 0.99, 1))]
    if rng.random() < 0.6:
        args.append(rng.choice((0, 1e-3, 0.05, 0.2)))
    return 3 * step, args, warmed(rng, 100)


def multi_factor_scheduler(rng, index):
    count = 1 + index % 4
    steps = sorted(rng.sample(range(1, 24), count))
    return 24, [steps, rng.choice((-0.5, 0, 0.1, 0.5, 0.9, 1))], warmed(rng, 100)


def poly_scheduler(rng, index):
    length = (1, 2, 3, 8, 13, 20, 60, 1000)[index % 8]
    kwargs = warmed(rng, length)
    if rng.random() < 0.7:
        kwargs["pwr"] = rng.choice((0, 0.5, 1, 2, 3, 2.7))
    if rng.random() < 0.5:
        kwargs["final_lr"] = rng.choice((0, 0.001, 0.05, 2))
    return length, [length], kwargs


def cosine_scheduler(rng, index):
    length = (1, 2, 3, 8, 13, 20, 60, 1000)[index % 8]
    kwargs = warmed(rng, length)
    if rng.random() < 0.7:
        kwargs["final_lr"] = rng.choice((0, 0.001, 0.05, 2))
    return length, [length], kwargs


def beyond(rng):
    """A warmup that goes beyond `max_update`."""
    return 10, [4], {"base_lr": 0.3, "warmup_steps": rng.randint(5, 9), "final_lr": 0.01}


SCHEDULERS = {
    "FactorScheduler": factor_scheduler,
    "MultiFactorScheduler": multi_factor_scheduler,
    "PolyScheduler": poly_scheduler,
    "CosineScheduler": cosine_scheduler,
}


def main(path):
    spec = importlib.util.spec_from_file_location("lr_scheduler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cases = []
    for name, arguments in SCHEDULERS.items():
        rng = random.Random(name)
        drawn = [arguments(rng, index) for index in range(32)]
        if name in ("PolyScheduler", "CosineScheduler"):
            drawn += [beyond(rng) for _ in range(2)]
        for horizon, args, kwargs in drawn:
            steps = steps_over(horizon)
            scheduler = getattr(module, name)(*args, **kwargs)
            rates = [scheduler(step) for step in range(steps[-1] + 1)]
            rates = [float(rates[step]) for step in steps]
            cases.append({"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("mxnet", VERSION, cases)


if __name__ == "__main__":
    main(sys.argv[1])
