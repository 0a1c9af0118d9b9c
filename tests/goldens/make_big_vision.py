"""Writes `big_vision.json`: what the schedule of big_vision gives.

Run it with the path of `big_vision/utils.py` of google-research/big_vision at commit 0127fb6. Its two
functions `steps` and `create_learning_rate_schedule` run alone, as the rest of the file needs TensorFlow and
more. JAX computes in float64, so that the rates are exact to float32, in which the original returns them.
"""

from __future__ import annotations

import ast
import math
import random
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from writing import steps_over, write

FUNCTIONS = ("steps", "create_learning_rate_schedule")
LENGTHS = (0, 1, 2, 5, 12, 20, 60, 300, 5000)


def original(path: str) -> Any:
    """`create_learning_rate_schedule`, from its file."""
    module = ast.parse(Path(path).read_text())
    module.body = [each for each in module.body if getattr(each, "name", None) in FUNCTIONS]
    names: dict[str, Any] = {"jnp": jnp}
    exec(compile(module, path, "exec"), names)
    return names["create_learning_rate_schedule"]


def duration(draw: random.Random, name: str, most: int, batch: int, data: int) -> dict[str, Any]:
    """A duration of up to about as many steps, in one of its units."""
    steps = draw.choice((0, 1, most // 4, most // 2, most))
    if name == "warmup":
        steps = min(steps, max(most - 1, 0))
    unit = draw.choice(("steps", "steps", "examples", "epochs", "percent"))
    if unit == "percent":
        return {f"{name}_percent": draw.choice((0.0, 0.05, 0.1, 0.25, 0.5))}
    off = draw.choice((0, 0, batch // 2, batch // 3))
    examples = max(steps * batch - off, 0)
    value = {"steps": steps, "examples": examples, "epochs": round(examples / data, 4)}[unit]
    return {f"{name}_{unit}": value}


def drawn(draw: random.Random, index: int) -> tuple[list[Any], dict[str, Any]]:
    decay_type = ("linear", "polynomial", "cosine", "rsqrt", "stair")[index % 5]
    total = LENGTHS[index % len(LENGTHS)] if index >= 10 else 40
    batch, data = draw.choice((32, 256, 512, 1000, 4096)), draw.choice((5000, 1_281_167))
    kwargs: dict[str, Any] = {
        "batch_size": batch,
        "data_size": data,
        "base": draw.choice((0.001, 0.03, 0.3, 2)),
    }
    if decay_type != "stair" or draw.random() < 0.5:
        kwargs["decay_type"] = decay_type
    if draw.random() < 0.3:
        kwargs["scale_with_batchsize"] = True
    if draw.random() < 0.7 and total > 1:
        kwargs |= duration(draw, "warmup", total, batch, data)
    if draw.random() < 0.5:
        kwargs |= duration(draw, "cooldown", total, batch, data)
        if draw.random() < 0.1:
            kwargs |= {"cooldown_steps": 2 * total + 1} if "cooldown_steps" in kwargs else {}
    if draw.random() < 0.1:
        kwargs["warmup_steps" if "warmup_examples" in kwargs else "cooldown_epochs"] = -1
    if decay_type in ("linear", "polynomial"):
        if draw.random() < 0.6:
            kwargs[draw.choice(("end", "linear_end"))] = draw.choice((0, 1e-5, 0.01, 0.5))
        if draw.random() < 0.6:
            kwargs["power"] = draw.choice((0, 0.5, 1, 2, 3.3))
    if decay_type == "rsqrt":
        if draw.random() < 0.8:
            kwargs |= draw.choice(
                ({"timescale": draw.choice((1, 7.5, 100))}, {"timescale_examples": 20 * batch})
            )
        if draw.random() < 0.5:
            kwargs |= draw.choice(({"shift": draw.choice((-0.5, 3, 40))}, {"shift_percent": 0.2}))
    if decay_type == "stair":
        cuts = sorted(draw.randint(0, max(total, 1)) for _ in range(index // 5 % 4))
        kwargs |= {"steps": cuts, "mults": [draw.choice((0, 0.1, 0.5, 1.5)) for _ in cuts]} if cuts else {}
    return [total], kwargs


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    create = original(sys.argv[1])
    draw, cases = random.Random("create_learning_rate_schedule"), []
    for index in range(90):
        args, kwargs = drawn(draw, index)
        # The original divides by 0 in a run of 0 steps, and may give NaN.
        steps = steps_over(args[0]) if args[0] > 1 else [0, 1, 2, 10][: 4 if args[0] else 1]
        try:
            values = create(*args, **kwargs)(jnp.array(steps))
        except AssertionError:  # a warmup that is not shorter than the run
            continue
        # The shortest decimals of float32.
        rates = [float(str(value)) for value in jnp.broadcast_to(values, len(steps)).__array__()]
        if not any(map(math.isnan, rates)):
            cases.append(
                {
                    "name": "create_learning_rate_schedule",
                    "args": args,
                    "kwargs": kwargs,
                    "steps": steps,
                    "rates": rates,
                }
            )
    write("big_vision", "0127fb6", cases)


if __name__ == "__main__":
    main()
