"""Schedules beside Optax's and PyTorch's, in time and in error: `python -m benchmarks.schedules`.

One run measures every row. Times are medians over rounds in which ours and theirs take turns. The ratio is
their time divided by ours, with its lowest and highest. The rows of PyTorch need `pip install torch`.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsched as js
from benchmarks.report import publish, row, timed
from benchmarks.timing import paired

MILLION = 10**6
PARTS = 1000


def error(rates: Any, truth: np.ndarray) -> float:
    """The largest relative error."""
    return float(np.max(np.abs(np.asarray(rates, np.float64) / truth - 1)))


def errors() -> list[dict[str, Any]]:
    """Errors of the rates relative to float64 formulas without cancellation."""
    steps = np.arange(MILLION)
    left = (MILLION - steps) / MILLION
    late = steps[-1000:]
    three = np.array([300_000])
    rows = {
        "cosine to 0 over 10^6 steps, worst relative error": (
            js.Cosine(0.3, 0.0, MILLION)(steps),
            jax.vmap(optax.cosine_decay_schedule(0.3, MILLION))(steps),
            0.3 * np.sin(np.pi / 2 * left) ** 2,
        ),
        "linear to 0 over 10^6 steps, its last 1,000": (
            js.Linear(0.3, 0.0, MILLION)(late),
            jax.vmap(optax.linear_schedule(0.3, 0.0, MILLION))(late),
            0.3 * left[-1000:],
        ),
        "exponential 0.9999 a step, at step 300,000": (
            js.Exponential(0.3, 0.9999)(three),
            jax.vmap(optax.exponential_decay(0.3, 1, 0.9999))(three),
            0.3 * np.exp(300_000 * np.log1p(-1e-4)) * np.ones(1),
        ),
    }
    return [
        row(what, f"{error(ours, truth):.2g}", f"{error(theirs, truth):.2g}", "Optax")
        for what, (ours, theirs, truth) in rows.items()
    ]


def run(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls a function and waits for its result."""
    jax.block_until_ready(function(*arguments))


def joins() -> list[dict[str, Any]]:
    """Times a join of 1,000 cosines: to compile, and to call beside one cosine."""
    boundaries = [10 * (i + 1) for i in range(PARTS - 1)]
    our_parts = [js.Cosine(0.3 - 1e-4 * i, 0.0, 10) for i in range(PARTS)]
    their_parts = [optax.cosine_decay_schedule(0.3 - 1e-4 * i, 10) for i in range(PARTS)]
    step = jnp.int32(5005)

    def ours() -> Any:
        joined = js.join(our_parts, boundaries)
        return jax.jit(lambda step: joined(step)).lower(step).compile()

    def theirs() -> Any:
        joined = optax.join_schedules(their_parts, boundaries)
        return jax.jit(lambda step: joined(step)).lower(step).compile()

    rows = [timed("join of 1,000 cosines, to trace and compile", "Optax", ours, theirs, rounds=3)]
    one_ours, one_theirs = (
        jax.jit(lambda step, each=each: each(step)).lower(step).compile()
        for each in (our_parts[0], their_parts[0])
    )
    joined_ours, joined_theirs = ours(), theirs()
    calls = partial(run, joined_ours, step), partial(run, joined_theirs, step)
    rows.append(timed("a call of it", "Optax", *calls, calls=300))
    slower = [
        paired(partial(run, one, step), partial(run, joined, step), calls=300).ratio
        for one, joined in ((one_ours, joined_ours), (one_theirs, joined_theirs))
    ]
    what = "a call of it, in calls of one cosine of the same"
    rows.append(row(what, f"{slower[0]:.2f}", f"{slower[1]:.2f}", "Optax"))
    return rows


def calls() -> list[dict[str, Any]]:
    """Times calls outside a compiled program, and many rates at once."""
    ours = js.warmup_cosine(0.3, MILLION, 1000)
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.3, 1000, MILLION)
    steps = np.arange(MILLION)
    return [
        timed(
            "an eager call of warmup-cosine",
            "Optax",
            lambda: ours(5000).block_until_ready(),
            lambda: theirs(5000).block_until_ready(),
            calls=100,
        ),
        timed(
            "10^6 rates of warmup-cosine",
            "Optax under vmap",
            lambda: ours(steps).block_until_ready(),
            lambda: jax.vmap(theirs)(steps).block_until_ready(),
            rounds=5,
        ),
    ]


def torch_calls() -> list[dict[str, Any]]:
    """Times 10^6 rates of PyTorch's scheduler, step by step."""
    import torch

    steps = np.arange(MILLION)
    ours = js.Cosine(0.3, 0.0, MILLION)

    def theirs() -> None:
        optimizer = torch.optim.SGD([torch.zeros(1)], 0.3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The optimizer makes no step.
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, MILLION)
            for _ in range(MILLION):
                scheduler.step()

    what = "10^6 rates of a cosine"
    return [timed(what, "PyTorch", lambda: ours(steps).block_until_ready(), theirs, rounds=3)]


def main() -> None:
    """Measures every row, then prints and saves the table."""
    torch = torch_calls() if importlib.util.find_spec("torch") else []
    publish("schedules", errors() + joins() + calls() + torch, "python -m benchmarks.schedules")


if __name__ == "__main__":
    main()
