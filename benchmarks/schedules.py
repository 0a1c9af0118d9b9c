"""Schedules beside Optax's and PyTorch's, in time and in error: `python -m benchmarks.schedules`.

Every row is measured in this one run. Times are medians over rounds in which ours and theirs take turns; the
ratio is theirs to ours, with its lowest and highest. Take `pip install torch` for the rows of PyTorch.
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
from benchmarks.report import publish
from benchmarks.timing import Times, in_words, paired

MILLION = 10**6
PARTS = 1000


def error(rates: Any, truth: np.ndarray) -> float:
    """The largest relative error."""
    return float(np.max(np.abs(np.asarray(rates, np.float64) / truth - 1)))


def errors() -> list[dict[str, Any]]:
    """How far the rates are from float64 formulas that do not cancel."""
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


def row(what: str, ours: str, theirs: str, peer: str, times: Times | None = None) -> dict[str, Any]:
    """A line of the table."""
    ratio = f"{times.ratio:.2f} ({times.spread[0]:.2f} to {times.spread[1]:.2f})" if times else None
    return {"what": what, "ours": ours, "theirs": theirs, "peer": peer, "ratio": ratio}


def timed(
    what: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any], calls: int = 1, rounds: int = 9
) -> dict[str, Any]:
    """A line with the times of two functions."""
    times = paired(ours, theirs, calls, rounds)
    return row(what, in_words(times.ours), in_words(times.theirs), peer, times)


def run(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls a function and waits for its result."""
    jax.block_until_ready(function(*arguments))


def joins() -> list[dict[str, Any]]:
    """A join of 1,000 cosines: to compile, and to call beside one cosine."""
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
    """Calls outside of a compiled program, and many rates at once."""
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
    """The same 10^6 rates by PyTorch's scheduler, step by step."""
    import torch

    steps = np.arange(MILLION)
    ours = js.Cosine(0.3, 0.0, MILLION)

    def theirs() -> None:
        optimizer = torch.optim.SGD([torch.zeros(1)], 0.3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer makes no step
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, MILLION)
            for _ in range(MILLION):
                scheduler.step()

    what = "10^6 rates of a cosine"
    return [timed(what, "PyTorch", lambda: ours(steps).block_until_ready(), theirs, rounds=3)]


def training() -> list[dict[str, Any]]:
    """A compiled training step, with a schedule and with a constant rate; and 100 schedules."""
    x = jax.random.normal(jax.random.key(0), (256, 512))
    params = {f"w{i}": jax.random.normal(jax.random.key(i), (512, 512)) / 23 for i in range(3)}

    def loss(params: Any) -> jax.Array:
        hidden = x
        for weight in params.values():
            hidden = jnp.tanh(hidden @ weight)
        return (hidden**2).mean()

    def step_of(tx: optax.GradientTransformation) -> Callable[[], Any]:
        state = tx.init(params)

        @jax.jit
        def step(params: Any, state: Any) -> Any:
            updates, state = tx.update(jax.grad(loss)(params), state, params)
            return optax.apply_updates(params, updates), state

        return lambda: jax.block_until_ready(step(params, state))

    scheduled = step_of(js.scale_by_learning_rate(js.warmup_cosine(0.3, MILLION, 1000)))
    constant = step_of(optax.scale(-0.3))
    rows = [timed("a training step with warmup-cosine", "a constant rate", scheduled, constant, 30, 15)]

    def ours() -> None:
        rate = jax.jit(lambda schedule, step: schedule(step))
        for i in range(100):
            rate(js.Cosine(0.3 + 0.001 * i, 0.0, 1000), 7).block_until_ready()

    def theirs() -> None:
        for i in range(100):
            rate = jax.jit(optax.cosine_decay_schedule(0.3 + 0.001 * i, 1000))
            rate(7).block_until_ready()

    rows.append(timed("100 schedules in a compiled function", "Optax", ours, theirs, rounds=3))
    return rows


def main() -> None:
    """Measures every row, prints the table and keeps it."""
    torch = torch_calls() if importlib.util.find_spec("torch") else []
    publish("schedules", errors() + joins() + calls() + torch + training(), "python -m benchmarks.schedules")


if __name__ == "__main__":
    main()
