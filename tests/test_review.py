"""Schedules amid other transformations, mixtures of leaves, and shapes that a user writes."""

from __future__ import annotations

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxsched as js

HELD = {
    "jit": lambda rate: jax.jit(lambda w, t: rate(w, t))(2.0, 3),
    "grad": lambda rate: jax.grad(rate)(2.0, 3.0),
    "grad under jit": lambda rate: jax.jit(jax.grad(rate))(2.0, 3.0),
    "jit under grad": lambda rate: jax.grad(jax.jit(rate))(2.0, 3.0),
    "vmap": lambda rate: jax.vmap(rate, (0, None))(jnp.arange(4.0), 3),
    "vmap under jit": lambda rate: jax.jit(jax.vmap(rate, (0, None)))(jnp.arange(4.0), 3),
    "scan": lambda rate: lax.scan(lambda w, t: (w, rate(w, t)), 2.0, jnp.arange(4))[1],
    "hessian": lambda rate: jax.jit(jax.hessian(rate))(2.0, 3.0),
}
"""Transformations of a function of a number that a schedule's function holds, and of the step."""


@pytest.mark.parametrize("way", HELD)
def test_a_function_that_holds_what_is_traced(way):
    """What it holds is transformed like any argument: it is no constant, whose gradient would be 0."""
    got = HELD[way](lambda w, t: js.Lambda(lambda step: w * w * step)(t))
    expected = HELD[way](lambda w, t: w * w * t)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_an_eager_gradient_compiles_once(caplog):
    gradient = jax.grad(lambda schedule, step: schedule(step))

    def at(rate):
        return gradient(js.warmup(js.Cosine(rate, 0.01, 10), 5), 7.0)

    at(0.1)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for rate in (0.2, 0.3, 0.4):
            at(rate)
    assert not [record for record in caplog.messages if record.startswith("Compiling")]


def test_disable_jit():
    schedule = js.join([js.warmup(js.Cosine(0.3, 0.0, 10), 5), 0.1], [12])
    steps = jnp.arange(15)
    expected = schedule(steps), jax.vmap(jax.grad(schedule))(steps + 0.5)
    with jax.disable_jit():
        got = schedule(steps), jax.vmap(jax.grad(schedule))(steps + 0.5)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
