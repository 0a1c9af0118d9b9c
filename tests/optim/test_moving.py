"""A run moves from Optax's schedule to one that can be read, as `docs/how-to/resume.md` shows."""

from __future__ import annotations

import doctest
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import jaxsched as js

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "resume.md").read_text()
SCHEDULE = js.warmup_cosine(0.1, total_steps=30, warmup_steps=5)
PARAMS = {"matrix": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2), "vector": np.float32([0.5, -2])}


@pytest.fixture(scope="module")
def moved():
    """The function of the page."""
    scope = {"js": js}
    (source,) = [
        each.source for each in doctest.DocTestParser().get_examples(PAGE) if "def moved(" in each.source
    ]
    exec(source, scope)
    return scope["moved"]


def readable(*arguments, **keywords):
    return optax.chain(*arguments, js.scale_by_learning_rate(SCHEDULE, flip_sign=False), **keywords)


MOVES = {
    "sgd": (
        optax.sgd(SCHEDULE, momentum=0.9, nesterov=True),
        js.with_schedule(optax.sgd, SCHEDULE, momentum=0.9, nesterov=True),
    ),
    "adamw": (
        optax.adamw(SCHEDULE, weight_decay=0.1),
        js.with_schedule(optax.adamw, SCHEDULE, weight_decay=0.1),
    ),
    "adamw by hand": (optax.adamw(SCHEDULE), readable(optax.adamw(1.0))),
    "injected": (optax.inject_hyperparams(optax.adamw)(SCHEDULE), readable(optax.adamw(1.0))),
}


def advance(tx, params, opt_state, first, last):
    @jax.jit
    def step(params, opt_state, i):
        gradients = jax.tree.map(lambda each: each * (1 + i % 3), params)
        updates, opt_state = tx.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    for i in range(first, last):
        params, opt_state = step(params, opt_state, i)
    return params, opt_state


@pytest.mark.parametrize("name", MOVES)
def test_a_run_that_moves_is_the_run_that_stays(moved, name):
    old, new = MOVES[name]
    half = advance(old, PARAMS, old.init(PARAMS), 0, 12)
    first = new.init(PARAMS)
    state = moved(half[1], first)
    assert jax.tree.structure(state) == jax.tree.structure(first)
    params, state = advance(new, half[0], state, 12, 25)
    stayed, _ = advance(old, *half, 12, 25)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), params, stayed)
    assert js.learning_rate(state) == SCHEDULE(24)
    assert js.get_count(state) == 25
    anew, _ = advance(new, half[0], js.set_count(first, 12), 12, 25)
    assert not np.allclose(anew["vector"], stayed["vector"], rtol=1e-3)  # without the moments
