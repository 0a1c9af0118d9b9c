"""How far every schedule is from its formula in real arithmetic: `python -m benchmarks.accuracy`.

Errors are relative, in units in the last place of float32 (2^-24 to 2^-23 of the rate). Ours are the worst
over horizons from 10 to 2^31 - 1; on the float32 path only steps up to 2^24 count, the last that float32 can
tell from its neighbours. Optax's schedules and PyTorch's schedulers with the same formula run at the horizon
10^6. PyTorch computes in float64, so its errors come from its recursions. Its column needs
`pip install torch`.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax

from benchmarks.report import publish
from catalogue.cases import EVERY, HORIZONS, PRESET_VARIANTS, PRESETS
from catalogue.reference import some_steps, worst
from jaxsched.testing import float32_path

PEERS_HORIZON = 10**6
TELLS_APART = 2**24
"""The last step that float32 tells from its neighbours."""

T = PEERS_HORIZON

OPTAX: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "constant": lambda: optax.constant_schedule(0.3),
    "linear": lambda: optax.linear_schedule(0.3, 0.0, T),
    "linear rising": lambda: optax.linear_schedule(0.1, 0.3, T),
    "polynomial": lambda: optax.polynomial_schedule(0.3, 0.0, 2.0, T),
    "polynomial rising": lambda: optax.polynomial_schedule(0.0, 0.3, 1, T),
    "polynomial root": lambda: optax.polynomial_schedule(0.3, 0.01, 0.5, T),
    "cosine": lambda: optax.cosine_decay_schedule(0.3, T),
    "cosine cubed": lambda: optax.cosine_decay_schedule(0.3, T, exponent=3.0),
    "exponential": lambda: optax.exponential_decay(0.1, T // 8, 0.5),
    "exponential growing": lambda: optax.exponential_decay(0.1, T // 4, 1.5),
    "exponential per step": lambda: optax.exponential_decay(0.1, 1, 0.9999),
    "piecewise": lambda: optax.piecewise_constant_schedule(0.3, {T // 2: 1 / 3, T: 0.3}),
    "warmup": lambda: optax.warmup_cosine_decay_schedule(0.0, 0.3, T // 4, T, 0.01),
    "join": lambda: optax.join_schedules(
        [
            optax.constant_schedule(0.1),
            optax.cosine_decay_schedule(0.3, T // 4, 0.1 / 0.3),
            optax.cosine_decay_schedule(0.2, T // 4),
            optax.linear_schedule(0.1, 0.0, T // 4),
        ],
        [T // 4, T // 2, T - T // 4],
    ),
    "cycle": lambda: optax.sgdr_schedule(
        [{"init_value": 0.3, "peak_value": 0.3, "decay_steps": T // 3, "warmup_steps": 0}] * 4
    ),
}


def torch_schedulers() -> dict[str, Callable[[Any], Any]]:
    """PyTorch's schedulers with our formulas, by the name of the case."""
    from torch.optim import lr_scheduler as lr

    return {
        "linear": lambda o: lr.LinearLR(o, 1.0, 0.0, T),
        "linear rising": lambda o: lr.LinearLR(o, 1 / 3, 1.0, T),
        "polynomial": lambda o: lr.PolynomialLR(o, T, 2.0),
        "cosine": lambda o: lr.CosineAnnealingLR(o, T),
        "exponential per step": lambda o: lr.ExponentialLR(o, 0.9999),
        "cycle": lambda o: lr.CosineAnnealingWarmRestarts(o, T // 3),
    }


TORCH_BASE = {"exponential per step": 0.1}
"""The base rate where it is not 0.3."""


def torch_rates(name: str, scheduler: Callable[[Any], Any], steps: np.ndarray) -> Iterator[float]:
    """The rates of a scheduler, stepped from 0, at ascending `steps`."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1)], TORCH_BASE.get(name, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The optimizer makes no step.
        stepped, at = scheduler(optimizer), 0
        for step in steps:
            while at < step:
                stepped.step()
                at += 1
            yield optimizer.param_groups[0]["lr"]


def measure(name: str, torch: dict[str, Callable[[Any], Any]]) -> dict[str, float]:
    """The worst errors of a case and of its peers."""
    errors: dict[str, float] = {}
    for horizon in HORIZONS:
        schedule, steps = EVERY[name](horizon), some_steps(horizon)
        wide = worst(schedule(steps), schedule, steps)
        early = steps[steps <= TELLS_APART]
        with float32_path():
            narrow = worst(schedule(early), schedule, early)
        for column, error in (("float64 inside", wide), ("float32 inside", narrow)):
            errors[column] = max(errors.get(column, 0.0), error)
    schedule, steps = EVERY[name](PEERS_HORIZON), some_steps(PEERS_HORIZON)
    steps = steps[steps <= PEERS_HORIZON]  # Past the end, PyTorch's recursions have no common formula.
    if name in OPTAX:
        errors["Optax"] = worst(jax.jit(jax.vmap(OPTAX[name]()))(steps), schedule, steps)
    if name in torch:
        rates = np.fromiter(torch_rates(name, torch[name], steps), float)
        errors["PyTorch"] = worst(rates, schedule, steps)
    return errors


def main() -> None:
    """Measures every case, then prints and saves a table of the worst errors of each kind."""
    torch = torch_schedulers() if importlib.util.find_spec("torch") else {}
    by_kind: dict[str, list[dict[str, float]]] = {}
    for name, build in EVERY.items():
        kind = name.split()[0] if name in PRESETS | PRESET_VARIANTS else type(build(PEERS_HORIZON)).__name__
        by_kind.setdefault(kind, []).append(measure(name, torch))
    columns = ("float64 inside", "float32 inside", "Optax", "PyTorch")
    rows: list[dict[str, Any]] = [
        {"schedule": f"`{kind}`", "cases": len(cases)}
        | {
            column: max((case[column] for case in cases if column in case), default=None)
            for column in columns
        }
        for kind, cases in by_kind.items()
    ]
    publish("accuracy", rows, "python -m benchmarks.accuracy")


if __name__ == "__main__":
    main()
