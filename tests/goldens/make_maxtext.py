"""Writes `maxtext.json`: what the schedule of MaxText gives in float64.

    python tests/goldens/make_maxtext.py maxtext_utils.py

The argument is `src/maxtext/utils/maxtext_utils.py` of AI-Hypercomputer/maxtext at the commit below. Only its
function `create_learning_rate_schedule` is run, with JAX, Optax, and stubs for the types of the
configuration, which need the rest of MaxText.
"""

from __future__ import annotations

import ast
import random
import sys
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from writing import COUNT, write

COMMIT = "e591f30cb"
NAME = "create_learning_rate_schedule"
LENGTHS = (1, 2, 3, 10, 27, 100, 1001, 1_414_078)

EDGES = (
    {"steps": 5, "learning_rate_schedule_steps": 0},
    {"steps": 0, "learning_rate_schedule_steps": 5},
    {"steps": -1, "learning_rate_schedule_steps": 1, "warmup_steps_fraction": 1.0},
    {"steps": 2, "learning_rate_schedule_steps": 1, "warmup_steps_fraction": 1.0},
)


def original(path: str) -> Any:
    """The function, on its own."""
    tree = ast.parse(Path(path).read_text())
    tree.body = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == NAME]
    kinds = types.SimpleNamespace(
        LearningRateScheduleType=types.SimpleNamespace(COSINE="cosine", WSD="wsd"),
        WsdDecayStyle=types.SimpleNamespace(LINEAR="linear", COSINE="cosine"),
    )
    names: dict[str, Any] = {"jnp": jnp, "optax": optax, "types": kinds}
    exec(compile(tree, path, "exec"), names)
    return names[NAME]


def resolved(kwargs: dict[str, Any]) -> types.SimpleNamespace:
    """The configuration of a run, in which -1 stands for the other length."""
    config = types.SimpleNamespace(**kwargs)
    if config.learning_rate_schedule_steps == -1:
        config.learning_rate_schedule_steps = config.steps
    if config.steps == -1:
        config.steps = config.learning_rate_schedule_steps
    return config


def draw_arguments(draw: random.Random, index: int) -> dict[str, Any]:
    length = LENGTHS[index % len(LENGTHS)]
    warmup = draw.choice((0.0, 0.1, 0.004, 0.3, 0.5, 1.0))
    steps = draw.choice((length, length, length + 1, 2 * length, max(length // 2, 1)))
    lengths = draw.choice(((steps, length), (steps, length), (length, -1), (-1, length)))
    return {
        "learning_rate": draw.choice((0.0, 3e-5, 3e-4, 0.01, 0.3)),
        "steps": lengths[0],
        "learning_rate_schedule_steps": lengths[1],
        "warmup_steps_fraction": warmup,
        "lr_schedule_type": ("cosine", "wsd", "wsd")[index // len(LENGTHS) % 3],
        "learning_rate_final_fraction": draw.choice((0.0, 0.1, 0.1, 0.3, 1.0, 1.5)),
        "wsd_decay_steps_fraction": draw.choice((0.0, 0.1, 0.2, 1 - warmup, (1 - warmup) / 2)),
        "wsd_decay_style": draw.choice(("linear", "cosine")),
    }


def steps_of(config: types.SimpleNamespace) -> list[int]:
    """Steps around each turn of the schedule, past its end, and between."""
    length = config.learning_rate_schedule_steps
    turns = [
        int(length * config.warmup_steps_fraction),
        length - int(length * config.wsd_decay_steps_fraction),
        length,
    ]
    steps = {0, 1, 2 * length, 5 * length} | {turn + i for turn in turns for i in (-2, -1, 0, 1, 2)}
    steps = {step for step in steps if step >= 0}
    return sorted(steps | {(length + 3) * i // (COUNT - len(steps)) for i in range(COUNT - len(steps))})


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    create = original(sys.argv[1])
    draw = random.Random(NAME)
    cases = []
    for index in range(3 * 4 * len(LENGTHS)):
        kwargs = draw_arguments(draw, index)
        if index < len(EDGES):
            kwargs |= EDGES[index]
        config = resolved(kwargs)
        if config.lr_schedule_type == "wsd" and (
            config.warmup_steps_fraction + config.wsd_decay_steps_fraction > 1
        ):
            continue  # MaxText refuses this configuration.
        steps = steps_of(config)
        schedule = create(config)
        rates = [float(np.asarray(schedule(jnp.asarray(step)), np.float64)) for step in steps]
        cases.append({"name": NAME, "kwargs": kwargs, "steps": steps, "rates": rates})
    write("maxtext", COMMIT, cases)


if __name__ == "__main__":
    main()
