"""What the final weights remember, and averages of checkpoints, against runs that are played out."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

import jaxsched as js
from jaxsched import forecast
from jaxsched._core.versions import enable_x64

STEPS = 40
PLANS = {
    "constant": js.Constant(0.2),
    "wsd": js.warmup_stable_decay(0.5, STEPS, 10, 15),
    "with zeros": js.Table([0.3, 0.0, 0.2, 0.0]),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("decay", [0.0, 0.1, 2.0])
def test_weights_are_those_of_adamw(plan, decay):
    """The gradient of each update is along an axis of its own, so each weight shows its update alone."""
    found = forecast.memory(plan, decay, STEPS)
    with enable_x64(True):
        tx = optax.adamw(plan, b1=0.0, b2=0.0, eps=1e-14, weight_decay=decay)

        def update(carry, gradient):
            weights, state = carry
            updates, state = tx.update(gradient, state, weights)
            return (weights + updates, state), None

        start = jnp.full(STEPS, 3.0)
        (final, _), _ = lax.scan(update, (start, tx.init(start)), jnp.eye(STEPS))
        np.testing.assert_allclose(3 * found.initial - found.weights, final, rtol=1e-10, atol=1e-12)
    assert decay * found.weights.sum() + found.initial == pytest.approx(1, rel=1e-12)
    assert found.window == pytest.approx(
        sum(weight * (STEPS - step) for step, weight in enumerate(found.weights)) / sum(found.weights)
    )


def test_the_window_of_a_constant_rate():
    assert forecast.memory(0.01, 0.1, 50_000).window == pytest.approx(1000, rel=1e-12)
    assert forecast.memory(0.01, 0.0, 1000).window == pytest.approx(500.5, rel=1e-12)
    assert np.isnan(forecast.memory(0.0, 0.1, 5).window)


@pytest.mark.parametrize(
    ("schedule", "warmup", "cooldown"),
    [
        (js.warmup_stable_decay(0.5, STEPS, 10, 15), (0, 10), (25, STEPS)),
        (3 * js.warmup(js.Constant(0.1), 7), (0, 7), None),
        (js.cooldown(0.5, 30, 10), None, (30, STEPS)),
        (js.warmup(js.Cosine(0.5, 0, 35), 5), (0, 5), (5, STEPS)),
        (js.one_cycle(0.01, 0.3, 0, STEPS), (0, 12), (12, STEPS)),
        (js.Linear(0.3, 0, STEPS), None, (0, STEPS)),
        (js.Piecewise([0.3, 0.2, 0.1], [10, 20]), None, None),
        (js.Constant(0.1), None, None),
    ],
    ids=repr,
)
def test_shares_of_warmup_and_cooldown(schedule, warmup, cooldown):
    found = forecast.memory(schedule, 0.3, STEPS)
    for share, steps in ((found.warmup, warmup), (found.cooldown, cooldown)):
        held = found.weights[slice(*steps)].sum() / found.weights.sum() if steps else 0
        assert share == pytest.approx(held, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "checkpoints"),
    [
        (js.cooldown(0.3, 80, 20), range(80, 101)),
        (js.cooldown(0.3, 80, 20), np.arange(60, 101, 8)),
        (js.cooldown(0.3, 80, 20, shape=js.OneMinusSqrt), [80, 81, 90, 100, 130]),
        (js.warmup_stable_decay(0.3, 100, 10, 50, end_value=0.03), [50, 75, 100]),
        (js.Cosine(0.3, 0, 10), [0, 5, 10]),
        (js.Constant(0.3), [5, 9]),
        (js.Constant(0.3), [0]),
    ],
    ids=repr,
)
def test_an_average_of_checkpoints_is_what_the_decay_would_give(schedule, checkpoints):
    """In a run whose directions change at checkpoints alone, whatever the rate is."""
    weights = forecast.merge_weights(schedule, checkpoints)
    checkpoints = [int(each) for each in checkpoints]
    assert weights.shape == (len(checkpoints),)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, rel=1e-12)
    start, end = checkpoints[0], checkpoints[-1]
    directions = np.random.default_rng(0).normal(size=(len(checkpoints), 3))
    with enable_x64(True):
        rates = np.asarray(schedule(np.arange(end)))
    position = np.zeros(3)
    decayed, saved = position.copy(), [position]
    for step in range(start, end):
        direction = directions[np.searchsorted(checkpoints, step, side="right")]
        position = position - rates[max(start - 1, 0)] * direction
        decayed -= rates[step] * direction
        if step + 1 in checkpoints:
            saved.append(position)
    np.testing.assert_allclose(weights @ saved, decayed, rtol=1e-10, atol=1e-12)


def test_a_uniform_average_is_a_linear_decay():
    """Equal weights of n checkpoints scale the updates between them by (n - 1) / n, ..., 1 / n."""
    decay = js.Table([1, *np.arange(8, 0, -1) / 9])
    np.testing.assert_allclose(forecast.merge_weights(decay, range(1, 10)), 1 / 9, rtol=1e-12)


VALUE_ERRORS = {
    "`weight_decay` must be at least 0, got -1.": lambda: forecast.memory(0.1, -1, 5),
    "`weight_decay` must be at most 1 / 0.5, the inverse of the rate at step 0, got 3.": (
        lambda: forecast.memory(0.5, 3, 5)
    ),
    "`steps` must be at least 1": lambda: forecast.memory(0.1, 0.1, 0),
    "`schedule` must have finite rates of at least 0, got -0.5 at step 0.": (
        lambda: forecast.memory(-0.5, 0.1, 5)
    ),
    "`schedule` must be one schedule, got a stack of 2": (
        lambda: forecast.memory(js.stack([js.Constant(1), js.Constant(2)]), 0.1, 5)
    ),
    "`checkpoints` must have at least one number, got none.": lambda: forecast.merge_weights(0.1, []),
    "`checkpoints` must ascend, got 5 before 5 at index 1.": lambda: forecast.merge_weights(0.1, [1, 5, 5]),
    "`checkpoints[1]` must be a whole number from 0 to 2147483647, got 1.5.": (
        lambda: forecast.merge_weights(0.1, [1, 1.5])
    ),
    "`checkpoints[0]` must be a whole number from 0 to 2147483647, got -1.": (
        lambda: forecast.merge_weights(0.1, [-1, 5])
    ),
    "`schedule` must not rise after the first checkpoint, got 0.25 at step 1 and 0.5 at the next.": (
        lambda: forecast.merge_weights(js.Table([0.25, 0.25, 0.5]), [0, 3])
    ),
    "`schedule` must have a constant rate above 0 before its decay, got 0 at step 4.": (
        lambda: forecast.merge_weights(0.0, [5, 6])
    ),
}
TYPE_ERRORS = {
    "`schedule` must be concrete": lambda: jax.jit(lambda rate: forecast.memory(js.Constant(rate), 0.1, 5))(
        1
    ),
    "`weight_decay` must be concrete": lambda: jax.jit(lambda decay: forecast.memory(0.1, decay, 5))(1),
    "`checkpoints` must be concrete": lambda: jax.jit(lambda each: forecast.merge_weights(0.1, [each]))(1),
    "`checkpoints` must be a list of numbers, got 5 (int).": lambda: forecast.merge_weights(0.1, 5),
}


@pytest.mark.parametrize("message", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_bad_input(message):
    error = ValueError if message in VALUE_ERRORS else TypeError
    with pytest.raises(error, match=re.escape(message)):
        (VALUE_ERRORS | TYPE_ERRORS)[message]()
