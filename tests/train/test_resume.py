"""A run that is resumed in a new process equals the uninterrupted run, bit for bit.

This file is also the program of the second process: `python test_resume.py FOLDER` resumes from the
checkpoint in `FOLDER/half`, trains to the end, and saves the result in `FOLDER/whole`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

import jaxsched as js

STEPS, STOP = 60, 35
PARAMS = {"body": jnp.linspace(-1.0, 1.0, 6).reshape(3, 2), "head": jnp.array([0.3, -0.7])}
SCHEDULES = {
    "body": js.cycle(js.Cosine(0.1, 0.001, 4), 4, length_factor=2, value_factor=0.7),
    "head": js.warmup(js.Exponential(0.05, 0.9, 3), 6),
}
RULE = js.Plateau(factor=0.5, patience=2, cooldown=1)


def optimizer(schedules):
    chain = optax.chain(
        optax.adamw(1.0, weight_decay=0.01),
        js.scale_by_learning_rate(schedules, param_labels={"body": "body", "head": "head"}, flip_sign=False),
        js.scale_by_plateau(RULE),
    )
    return optax.MultiSteps(chain, every_k_schedule=3).gradient_transformation()


def start():
    rates = {label: np.zeros(STEPS, np.float32) for label in SCHEDULES}
    return {"params": PARAMS, "opt_state": optimizer(SCHEDULES).init(PARAMS), "rates": rates}


def advance(run, first, last):
    """Makes updates `first` to `last`, each with its own noise, and records the rates they applied."""
    tx = optimizer(SCHEDULES)

    @jax.jit
    def step(params, opt_state, i):
        def loss(params):
            noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), i), (2,))
            return jnp.sum((params["body"] @ params["head"] - 1) ** 2) + jnp.sum(noise * params["head"])

        value, grads = jax.value_and_grad(loss)(params)
        updates, opt_state = tx.update(grads, opt_state, params, value=value)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state, rates = run["params"], run["opt_state"], jax.tree.map(np.array, run["rates"])
    for i in range(first, last):
        params, opt_state = step(params, opt_state, i)
        for label, rate in js.learning_rate(opt_state).items():
            rates[label][i] = rate
    return {"params": params, "opt_state": opt_state, "rates": rates}


def save(path, run):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, run)


def load(path):
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(path, start())


def same_bits(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.thorough
def test_a_run_goes_on_in_a_new_process_bit_for_bit(tmp_path):
    half = advance(start(), 0, STOP)
    straight = advance(half, STOP, STEPS)
    save(tmp_path / "half", half)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, __file__, tmp_path], env=environment, check=True)
    same_bits(load(tmp_path / "whole"), straight)

    accumulation, (_, clock, (plateau, scale)) = half["opt_state"], half["opt_state"].inner_opt_state
    assert (accumulation.mini_step, clock.count, plateau.bad_count, scale) == (2, 11, 1, 0.5)
    assert straight["opt_state"].inner_opt_state[2].scale < 0.5
    body = straight["rates"]["body"]
    assert body[3 * 12 + 2] > 2 * body[3 * 11 + 2]  # the restart comes after the stop


def test_a_checkpoint_of_numpy_arrays_goes_on():
    half = advance(start(), 0, STOP)
    same_bits(advance(jax.tree.map(np.asarray, half), STOP, STEPS), advance(half, STOP, STEPS))


def test_a_checkpoint_does_not_overrule_an_edited_schedule():
    opt_state = advance(start(), 0, STOP)["opt_state"]
    edited = {"body": js.Linear(0.2, 0.0, 40), "head": js.Constant(0.3)}
    for _ in range(3):
        _, opt_state = optimizer(edited).update(PARAMS, opt_state, PARAMS)
    scale = opt_state.inner_opt_state[2].scale
    rates = js.learning_rate(opt_state)
    assert rates == {"body": edited["body"](11) * scale, "head": np.float32(0.3) * scale}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    save(folder / "whole", advance(load(folder / "half"), STOP, STEPS))
