"""Schedules in Optax: as callables, and as `scale_by_learning_rate`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js

pytestmark = pytest.mark.smoke

SCHEDULE = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}


def gradients(params):
    return jax.tree.map(lambda x: 0.1 * x + 1.0, params)


def trained(tx, steps=25, params=PARAMS):
    state = tx.init(params)

    @jax.jit
    def step(params, state):
        updates, state = tx.update(gradients(params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def by_hand(steps=25, params=PARAMS):
    """Plain gradient descent with the rates as plain numbers."""
    for i in range(steps):
        rate = float(SCHEDULE(i))
        params = jax.tree.map(lambda p, g, rate=rate: p - rate * g, params, gradients(params))
    return params


def close(left, right, rtol=2e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), left, right)


@pytest.mark.parametrize(
    "tx",
    [
        optax.sgd(SCHEDULE),
        optax.inject_hyperparams(optax.sgd)(SCHEDULE),
        optax.scale_by_learning_rate(SCHEDULE),
        js.scale_by_learning_rate(SCHEDULE),
        optax.chain(optax.sgd(1.0), js.scale_by_learning_rate(SCHEDULE, flip_sign=False)),
        optax.chain(optax.scale_by_schedule(SCHEDULE), optax.scale(-1.0)),
    ],
    ids=["sgd", "inject_hyperparams", "optax", "jaxsched", "chain", "scale_by_schedule"],
)
def test_every_way_in_applies_the_same_rates(tx):
    close(trained(tx)[0], by_hand())


def test_adamw_with_a_schedule_is_adamw_with_its_rates():
    fed = optax.inject_hyperparams(optax.adamw)(learning_rate=0.0)
    params, state = PARAMS, fed.init(PARAMS)
    for i in range(25):
        state.hyperparams["learning_rate"] = SCHEDULE(i)
        updates, state = fed.update(gradients(params), state, params)
        params = optax.apply_updates(params, updates)
    close(trained(optax.adamw(SCHEDULE))[0], params, rtol=2e-5)
    tx = optax.chain(optax.adamw(1.0), js.scale_by_learning_rate(SCHEDULE, flip_sign=False))
    close(trained(tx)[0], params, rtol=2e-5)


def test_the_rate_that_was_applied_is_remembered():
    tx = optax.chain(optax.trace(0.9), js.scale_by_learning_rate(SCHEDULE))
    state = tx.init(PARAMS)
    assert js.learning_rate(state) == SCHEDULE(0)
    for i in range(8):
        _, state = tx.update(PARAMS, state)
        assert js.learning_rate(state) == SCHEDULE(i)
        assert state[1].count == i + 1
    assert state[1].count.dtype == jnp.int32
    assert js.learning_rate(state).dtype == jnp.float32


def test_no_rate_to_read_is_an_error_with_the_remedy():
    with pytest.raises(ValueError, match=r"`jaxsched.with_schedule\(optax.adamw, schedule\)`"):
        js.learning_rate(optax.adamw(SCHEDULE).init(PARAMS))


def test_several_rates_are_an_error_that_lists_them():
    tx = optax.chain(js.scale_by_learning_rate(0.1), js.scale_by_learning_rate(0.2))
    with pytest.raises(ValueError, match=r"There are 2 learning rates .* at `\[0\]`, `\[1\]`"):
        js.learning_rate(tx.init(PARAMS))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.complex64])
def test_only_the_product_is_rounded(dtype):
    update = jnp.array([1.0, 3.0], dtype)
    tx = js.scale_by_learning_rate(js.Constant(0.3))
    scaled, state = tx.update({"w": update, "none": None}, tx.init(None))
    assert scaled["none"] is None
    assert scaled["w"].dtype == dtype
    assert state.learning_rate.dtype == jnp.float32
    exact = -np.float32(0.3) * np.array([1, 3], np.complex64 if dtype == jnp.complex64 else np.float32)
    np.testing.assert_array_equal(np.asarray(scaled["w"]), np.asarray(jnp.asarray(exact).astype(dtype)))


def test_the_clock_saturates():
    tx = js.scale_by_learning_rate(js.Linear(0.1, 0.0, 10))
    state = js.LearningRateState(jnp.int32(2**31 - 2), jnp.float32(0))
    for _ in range(3):
        _, state = tx.update(PARAMS, state)
    assert state.count == 2**31 - 1


def test_numbers_and_functions_pass_for_schedules():
    for schedule, rate in [(0.25, 0.25), (lambda step: 0.5 / (1 + step), 0.5)]:
        tx = js.scale_by_learning_rate(schedule)
        updates, _ = tx.update(jnp.ones(()), tx.init(None))
        assert updates == -rate


def test_bad_input():
    with pytest.raises(TypeError, match="`schedule` must be a schedule, a number or a callable, got '0.1'"):
        js.scale_by_learning_rate("0.1")
    with pytest.raises(TypeError, match="`flip_sign` must be True or False, got 1."):
        js.scale_by_learning_rate(0.1, flip_sign=1)
