"""The cost of a schedule in a compiled training step: `python -m benchmarks.overhead`.

The first table rows compare a step of LeNet with a schedule and with a constant rate. The others run a
hundred schedules, one after another, in a jitted step. Ours are arguments of one step, which is not traced
again for other numbers or, in a stack, for other kinds. Optax's are closures, each with its own step. Times
are medians of alternating runs. The ratio is their time divided by ours, with its lowest and highest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

import jaxsched as js
from benchmarks.report import publish, row, timed
from benchmarks.timing import in_words, paired
from train.step import State, descend, first_params

MILLION = 10**6
BATCH_SIZE = 256


def training(steps: int, rounds: int, alone: int) -> list[dict[str, Any]]:
    """Times training steps of LeNet with a schedule and with a constant rate.

    Args:
      steps: the number of steps in one compiled program.
      rounds: the number of rounds in which the two take turns.
      alone: the number of steps in the program that times the schedule alone.
    """
    random = np.random.default_rng(0)
    images = jnp.asarray(random.integers(0, 256, (steps, BATCH_SIZE, 28, 28, 1)), jnp.uint8)
    labels = jnp.asarray(random.integers(0, 10, (steps, BATCH_SIZE)), jnp.int32)
    params = first_params(np.uint32(0))

    def steps_with(tx: optax.GradientTransformation) -> Callable[[], Any]:
        def step(state: State, batch: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
            state, (loss, *_) = descend(optax.with_extra_args_support(tx), state, *batch)
            return state, loss

        first = State(params, tx.init(params))
        program = jax.jit(lambda state, batches: lax.scan(step, state, batches))
        return lambda: jax.block_until_ready(program(first, (images, labels)))

    times = paired(
        steps_with(js.scale_by_learning_rate(js.warmup_cosine(0.3, MILLION, 1000))),
        steps_with(optax.scale(-0.3)),
        rounds=rounds,
    )
    ours, theirs = times.ours / steps, times.theirs / steps
    rate = seconds_of_a_rate(alone)
    return [
        row("a training step with warmup-cosine", in_words(ours), in_words(theirs), "a constant rate", times),
        row("the schedule in it", f"{in_words(rate)}, {rate / theirs:.2%}", "0", "a constant rate"),
    ]


def seconds_of_a_rate(steps: int) -> float:
    """The time that a rate and its clock add to a step of a scan."""
    scheduled = js.scale_by_learning_rate(js.warmup_cosine(0.3, MILLION, 1000))
    constant = optax.scale(-0.3)

    def seconds(tx: Any) -> Callable[[], Any]:
        def step(carry: tuple[jax.Array, Any], _: None) -> tuple[tuple[jax.Array, Any], None]:
            params, state = carry
            updates, state = tx.update(params, state)
            return (params + updates, state), None

        params = jnp.ones(())
        program = jax.jit(lambda carry: lax.scan(step, carry, length=steps))
        return lambda: jax.block_until_ready(program((params, tx.init(params))))

    times = paired(seconds(scheduled), seconds(constant))
    return (times.ours - times.theirs) / steps


KINDS: tuple[Callable[[int], js.Schedule], ...] = (
    lambda i: js.Constant(0.1 + 0.001 * i),
    lambda i: js.Linear(0.3, 0.001 * i, 1000),
    lambda i: js.Cosine(0.3, 0.0, 1000 + i),
    lambda i: js.Rex(0.3, 0.0, 1000 + i),
    lambda i: js.Exponential(0.3, 0.999 - 0.001 * i),
    lambda i: js.warmup(js.Cosine(0.3, 0.0, 1000), 10 + i),
    lambda i: js.Piecewise([0.3, 0.03], [500 + i]),
)


def one_after_another(count: int) -> list[dict[str, Any]]:
    """Times `count` schedules, one after another, in a jitted step."""
    cosines = [js.Cosine(0.3 + 0.001 * i, 0.0, 1000) for i in range(count)]
    closures = [optax.cosine_decay_schedule(0.3 + 0.001 * i, 1000) for i in range(count)]
    kinds = picked([KINDS[i % len(KINDS)](i) for i in range(count)])
    theirs = f"{traces_of_closures(closures)}"
    return [
        timed(
            f"{count} schedules in a jitted step",
            "Optax",
            lambda: traces_of_arguments(cosines),
            lambda: traces_of_closures(closures),
            rounds=3,
        ),
        row("times that it is traced", f"{traces_of_arguments(cosines)}", theirs, "Optax"),
        row("the same, schedules of seven kinds", f"{traces_of_arguments(kinds)}", theirs, "Optax"),
    ]


def picked(schedules: Sequence[js.Schedule]) -> list[js.Schedule]:
    """The same schedules in one structure, each taken from the stack of all."""
    stacked = js.stack(schedules)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i in range(len(schedules))]


def traces_of_arguments(schedules: Sequence[js.Schedule]) -> int:
    """How often a jitted step is traced if the schedule is its argument."""
    tx = js.scale_by_learning_rate(schedules[0])
    params = jnp.ones(3)
    state, traces = tx.init(params), 0

    @jax.jit
    def step(params: Any, state: Any, schedule: js.Schedule) -> Any:
        nonlocal traces
        traces += 1
        updates, state = tx.update(params, state, params, schedule=schedule)
        return optax.apply_updates(params, updates), state

    for schedule in schedules:
        params, state = step(params, state, schedule)
    jax.block_until_ready(params)
    return traces


def traces_of_closures(schedules: Sequence[optax.Schedule]) -> int:
    """How often jitted steps are traced if each closes over its schedule."""
    params = jnp.ones(3)
    state, traces = optax.scale_by_learning_rate(schedules[0]).init(params), 0

    def step(schedule: optax.Schedule, params: Any, state: Any) -> Any:
        nonlocal traces
        traces += 1
        updates, state = optax.scale_by_learning_rate(schedule).update(params, state, params)
        return optax.apply_updates(params, updates), state

    for schedule in schedules:
        params, state = jax.jit(partial(step, schedule))(params, state)
    jax.block_until_ready(params)
    return traces


def main() -> None:
    """Measures every row, then prints and saves the table."""
    rows = training(steps=8, rounds=61, alone=10**5) + one_after_another(100)
    publish("overhead", rows, "python -m benchmarks.overhead")


if __name__ == "__main__":
    main()
