"""Writes `levanter.json`: what the optimizers of Levanter take as their schedule, in float64.

    python tests/goldens/make_levanter.py levanter/src/levanter/optim/config.py

The file is that of github.com/stanford-crfm/levanter at 9263f81e; JAX and Optax are installed. Stubs stand
for what else it imports, which schedules do not use.
"""

from __future__ import annotations

import random
import sys
import warnings
from typing import Any

import jax
import jax.numpy as jnp
from alone import load, stub
from writing import steps_over, write

COUNT = 130
LENGTHS = (1, 2, 5, 12, 50, 100, 861, 1000)


class ChoiceRegistry:
    """The registry of draccus."""

    choices: dict[str, Any]

    @classmethod
    def register_subclass(cls, name: str) -> Any:
        def register(registered: Any) -> Any:
            if "choices" not in vars(cls):
                cls.choices = {}
            cls.choices[name] = registered
            return registered

        return register


def config_module(path: str) -> Any:
    """Levanter's `optim/config.py`, without the rest of Levanter."""
    stubs: dict[str, dict[str, Any]] = {
        "draccus": {"ChoiceRegistry": ChoiceRegistry},
        "equinox": {},
        "haliax": {},
        "levanter": {},
        "levanter.tracker": {},
        "levanter.optim": {},
        "levanter.optim.clip_update_norm": {"ClipUpdateNormConfig": object},
        "levanter.optim.skipstep": {"SkipStepConfig": object},
        "levanter.optim.util": {"log_norm_passthrough": None, "scan_aware_clip_by_block_rms": None},
        "levanter.utils": {},
        "levanter.utils.jax_utils": {"leaf_key_paths": None},
    }
    stub(stubs)
    return load("levanter.optim.config", path)


def rates_of(module: Any, kwargs: dict[str, Any], steps: list[int]) -> list[float]:
    fields = {key: value for key, value in kwargs.items() if key not in ("num_train_steps", "override_lr")}
    if isinstance(fields.get("lr_schedule"), dict):
        choice = dict(fields["lr_schedule"])
        fields["lr_schedule"] = module.LrSchedule.choices[choice.pop("type")](**choice)
    schedule = module.AdamConfig(**fields).lr_scheduler(kwargs["num_train_steps"], kwargs.get("override_lr"))
    return [float(schedule(jnp.asarray(step))) for step in steps]


def lengths(draw: random.Random, total: int) -> dict[str, Any]:
    """A warmup, a decay and a rewarmup that mostly fit."""
    kwargs: dict[str, Any] = {}
    if draw.random() < 0.8:
        kwargs["warmup"] = draw.choice((0, 0.0, 0.05, 0.1, 0.29, 0.4, 2, 3))
    if draw.random() < 0.6:
        kwargs["decay"] = draw.choice((0, 0.1, 0.2, 0.5, 0.6, 0.8, 1.0, 3))
    if draw.random() < 0.4:
        kwargs["rewarmup"] = draw.choice((0.0, 0.1, 0.3, 2))
    return kwargs


def cycles(draw: random.Random, total: int) -> dict[str, Any]:
    """Cycles of at least 8 steps."""
    part = total // 4
    choices: list[dict[str, Any]] = [
        {"cycles": 2},
        {"cycles": 3},
        {"cycles": 4},
        {"cycles": [part, total]},
        {"cycles": [part, 3 * part]},
        {"haps": [part + 1, 2 * part]},
        {"cycle_length": part},
        {"cycle_length": part + 1},
        {"cycle_length": 0.25},
        {"cycle_length": 0.3},
        {"cycle_length": [part, part + 3]},
        {"cycle_length": [part, part]},
        {"cycle_length": 2 * total},
    ]
    return draw.choice(choices)


def arguments(draw: random.Random, index: int) -> dict[str, Any]:
    total = draw.choice(LENGTHS)
    kwargs: dict[str, Any] = {"num_train_steps": total}
    if index % 4:
        kwargs["learning_rate"] = draw.choice((3e-4, 1e-3, 0.02, 1.0))
    if index % 7 == 3:
        kwargs["override_lr"] = 4e-3
    if index % 3:
        kwargs["min_lr_ratio"] = draw.choice((0.0, 0.01, 0.1, 0.5, 1.0, 1.2))
    kinds: tuple[Any, ...] = (
        "constant",
        "cosine",
        "linear",
        "inv",
        "inv_sqrt",
        {"type": "cosine", "exponent": draw.choice((0.5, 1.0, 2.0))},
        {"type": "inv_sqrt", "timescale": draw.choice((0.5, 10, 60.5))},
        {"type": "power", "batch_size": 4, "seq_length": 16, "a": draw.choice((0.002, 0.1)), "b": -0.51},
        {"type": "power", "batch_size": 1024, "seq_length": 4096},
        {"type": "inv"},
    )
    if index % 11:
        kwargs["lr_schedule"] = kinds[index % len(kinds)]
    kwargs |= lengths(draw, total)
    if total >= 50 and index % 2:
        kwargs |= cycles(draw, total)
    if index % 9 == 4 and kwargs.get("cycles") != [total // 4, total]:
        kwargs["cooldown"] = draw.choice((0.1, 0.25)) if total >= 50 else 0.0
    name = kwargs.get("lr_schedule", "cosine")
    if name in ("inv", {"type": "inv"}) and not kwargs.get("min_lr_ratio", 1):
        kwargs["min_lr_ratio"] = 0.1
    if not kwargs.get("decay", 1) and ("cosine" in str(name) or "power" in str(name)):
        # Levanter fails.
        kwargs["decay"] = 0.5
    if total < 12:
        # No part of a cosine may be empty.
        kwargs["warmup"] = 0
        kwargs["decay"] = draw.choice((None, 1.0))
    return kwargs


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")
    module = config_module(sys.argv[1])
    draw = random.Random("lr_scheduler")
    cases = []
    for index in range(COUNT):
        kwargs = arguments(draw, index)
        steps = steps_over(kwargs["num_train_steps"])
        rates = rates_of(module, kwargs, steps)
        cases.append({"name": "lr_scheduler", "kwargs": kwargs, "steps": steps, "rates": rates})
    write("levanter", "9263f81e", cases)


if __name__ == "__main__":
    main()
