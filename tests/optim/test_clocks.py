"""Clocks that the caller gives to an update, and the clock that the state keeps."""

from __future__ import annotations

import contextlib
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

TOKENS = 10_000_000_000
BATCHES = np.repeat([100_000_000, 200_000_000, 400_000_000], [20, 20, 10])
"""10 billion tokens in a batch that doubles twice."""

SEEN = np.cumsum(BATCHES)
"""The tokens after each update."""

PLAN = js.warmup(js.Linear(0.3, 0.01, TOKENS - 10**9), 10**9)
PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}
LABELS = {"w": "slow", "b": "fast"}

PATHS = {"float64": contextlib.nullcontext, "float32": float32_path}


def chain(schedule=PLAN, **options):
    return optax.chain(optax.trace(0.9), js.scale_by_learning_rate(schedule, **options))


def trained(tx, clocks, params=PARAMS, state=None):
    """The parameters, the state and the rates of updates at these clocks, which the program is given."""

    @jax.jit
    def step(carry, clock):
        params, state = carry
        updates, state = tx.update(jax.tree.map(jnp.cos, params), state, params, step=clock)
        return (optax.apply_updates(params, updates), state), js.learning_rate(state)

    carry = params, tx.init(params) if state is None else state
    (params, state), rates = jax.lax.scan(step, carry, clocks)
    return params, state, rates


@pytest.mark.smoke
@pytest.mark.parametrize("path", PATHS)
def test_a_plan_in_tokens_under_a_batch_that_grows(path):
    assert SEEN[-1] == TOKENS
    with PATHS[path]():
        _, state, rates = trained(chain(), jnp.asarray(SEEN, jnp.float32))
    np.testing.assert_allclose(rates, PLAN(SEEN), rtol=2e-6)
    assert rates[-1] == np.float32(0.01)
    assert js.get_count(state) == len(SEEN)


@pytest.mark.parametrize("path", PATHS)
def test_reclock_makes_the_same_plan_of_updates(path):
    clock = js.knots([0, *SEEN[[19, 39, 49]]], [0, 20, 40, 50])
    with PATHS[path]():
        tx = chain(js.reclock(PLAN, clock))
        _, state, rates = trained(tx, jnp.arange(1, 51))
        later = js.set_count(state, 49)
        assert rates[-1] == np.float32(0.01)
        np.testing.assert_allclose(rates, PLAN(SEEN), rtol=2e-6)
        _, later = tx.update(PARAMS, later)
    np.testing.assert_allclose(js.learning_rate(later), PLAN(SEEN[48]), rtol=2e-6)


def test_a_resume_in_the_middle_goes_on_bit_for_bit():
    clocks = jnp.asarray(SEEN, jnp.float32)
    params, state, rates = trained(chain(), clocks)
    half = trained(chain(), clocks[:23])
    kept_params, kept_state = pickle.loads(pickle.dumps(half[:2]))
    again = trained(chain(), clocks[23:], kept_params, kept_state)
    jax.tree.map(np.testing.assert_array_equal, again[:2], (params, state))
    np.testing.assert_array_equal(np.concatenate([half[2], again[2]]), rates)


def test_no_digit_is_lost_of_numbers_of_the_host_and_in_x64():
    tx = js.scale_by_learning_rate(js.Piecewise([0.3, 0.1], [TOKENS]))
    state = tx.init(PARAMS)

    def rate(step):
        return float(js.learning_rate(tx.update(PARAMS, state, step=step)[1]))

    for kind in (int, float, np.int64, np.uint64, np.float64):
        assert (rate(kind(TOKENS - 1)), rate(kind(TOKENS))) == (np.float32(0.3), np.float32(0.1))
    with enable_x64(True):
        for dtype in (jnp.int64, jnp.uint64, jnp.float64):
            ours = jax.jit(lambda step: js.learning_rate(tx.update(PARAMS, state, step=step)[1]))
            rates = [float(ours(jnp.asarray(step, dtype))) for step in (TOKENS - 1, TOKENS)]
            assert rates == [np.float32(0.3), np.float32(0.1)]


@pytest.mark.parametrize(
    "dtype", by_default(("int8", "uint32", "bfloat16"), ["int8", "int32", "uint32", "bfloat16", "float32"])
)
def test_every_real_scalar_is_a_clock(dtype):
    schedule = js.Linear(1.0, 0.0, 100)
    tx = js.scale_by_learning_rate(schedule)
    state = tx.init(PARAMS)
    for step in (jnp.asarray(40, dtype), np.asarray(40, jnp.dtype(dtype))[()]):
        assert js.learning_rate(tx.update(PARAMS, state, step=step)[1]) == schedule(40)


def test_a_known_array_in_a_compiled_step_is_a_clock():
    step, late = jnp.int32(40), jnp.float32(-1)
    tx = js.scale_by_learning_rate(js.Linear(1.0, 0.0, 100))
    _, state = jax.jit(lambda: tx.update(PARAMS, tx.init(PARAMS), step=step))()
    assert js.learning_rate(state) == np.float32(0.6)
    with pytest.raises(ValueError, match="`step` must be at least 0"):
        jax.jit(lambda: tx.update(PARAMS, tx.init(PARAMS), step=late))()


def test_an_unsigned_clock_goes_on_beyond_int32():
    tx = js.scale_by_learning_rate(js.Linear(1.0, 0.0, 4e9))
    _, state = jax.jit(lambda step: tx.update(PARAMS, tx.init(PARAMS), step=step))(jnp.uint32(3_000_000_000))
    assert js.learning_rate(state) == 0.25


@pytest.mark.smoke
def test_groups_another_schedule_and_accumulated_gradients_at_once():
    line = js.Linear(1.0, 0.0, 100)
    tx = optax.MultiSteps(chain({"slow": 0.1 * line, "fast": line}, param_labels=LABELS), 2)
    state = tx.init(PARAMS)
    other = {"slow": js.Constant(0.5), "fast": js.Linear(2.0, 0.0, 100)}

    @jax.jit
    def update(state, step, schedule):
        return tx.update(PARAMS, state, PARAMS, step=step, schedule=schedule)[1]

    for step in (10, 20, 30, 40):
        state = update(state, jnp.int32(step), None)
    assert js.learning_rate(state) == {"slow": np.float32(0.06), "fast": np.float32(0.6)}
    for step in (50.0, 75.0):
        state = update(state, jnp.float32(step), other)
    assert js.learning_rate(state) == {"slow": 0.5, "fast": 0.5}
    assert js.get_count(state) == 3


def test_without_a_step_the_state_counts_again():
    tx = chain(js.Linear(1.0, 0.0, 10))
    state = tx.init(PARAMS)
    for step, rate in ((None, 1.0), (5, 0.5), (None, 0.8)):
        _, state = tx.update(PARAMS, state, step=step)
        np.testing.assert_allclose(js.learning_rate(state), rate, rtol=1e-6)


UPDATE = js.scale_by_learning_rate(0.1)


def given(step):
    return lambda: UPDATE.update(PARAMS, UPDATE.init(PARAMS), step=step)


RANGE = "`step` must be at least 0 and at most 9007199254740992"
VALUE_ERRORS = {
    "negative": (given(-1), f"{RANGE}, got -1 (int)."),
    "NaN": (given(np.float32("nan")), f"{RANGE}, got np.float32(nan) (float32)."),
    "infinite": (given(jnp.inf), f"{RANGE}, got inf (float)."),
    "a negative array": (given(jnp.int32(-3)), f"{RANGE}, got Array(-3"),
    "FLOPs": (given(3e18), f"{RANGE}, got 3e+18 (float)."),
    "a large integer": (given(2**53 + 1), f"{RANGE}, got 9007199254740993 (int)."),
    "masked": (given(np.ma.masked), "`step` must have no masked entry, got masked"),
}

TYPE_ERRORS = {
    "a boolean": (given(True), "`step` must be a real scalar, got True (bool)."),
    "a text": (given("5"), "`step` must be a real scalar, got '5' (str)."),
    "complex": (given(1j), "`step` must be a real scalar, got 1j (complex)."),
    "a time": (given(np.timedelta64(3, "h")), "`step` must be a real scalar, got np.timedelta64(3,'h')"),
    "an array": (given(jnp.arange(2)), "`step` must be a real scalar, got Array([0, 1]"),
    "a traced array": (
        lambda: jax.jit(lambda step: given(step)())(jnp.zeros(3)),
        "`step` must be a real scalar, got ",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_a_bad_step_is_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


decayed = optax.inject_hyperparams(optax.add_decayed_weights)(js.Linear(0.1, 0.0, 10))
STATES = {
    "ours": js.scale_by_learning_rate(0.1),
    "groups": chain({"slow": 0.1, "fast": 0.2}, param_labels=LABELS),
    "Optax's": optax.sgd(js.Linear(0.1, 0.0, 10)),
    "injected": optax.inject_hyperparams(optax.adam)(js.Linear(0.1, 0.0, 10)),
    "ours in an injected one": optax.inject_hyperparams(lambda rate: js.scale_by_learning_rate(rate))(0.1),
    "a weight decay": optax.chain(decayed, js.scale_by_learning_rate(0.1)),
    "MultiSteps": optax.MultiSteps(chain(), 1).gradient_transformation(),
    "masked": optax.masked(chain(), {"w": True, "b": False}),
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", by_default(("groups", "injected", "a weight decay", "MultiSteps"), STATES))
def test_a_count_is_read_as_it_was_set(name):
    tx = STATES[name]
    state = js.set_count(tx.init(PARAMS), 5)
    _, state = tx.update(PARAMS, state, PARAMS)
    count = js.get_count(state)
    assert count == 6
    assert (count.shape, count.dtype) == ((), jnp.int32)
    assert jax.jit(js.get_count)(state) == 6
    many = jax.vmap(js.set_count, (None, 0))(state, jnp.arange(3))
    np.testing.assert_array_equal(js.get_count(many), [0, 1, 2])
    for leaf in jax.tree.leaves(state):
        leaf.delete()  # as if the state were donated
    assert count == 6


def test_the_groups_of_a_partition_have_clocks_of_their_own():
    tx = optax.partition({"slow": optax.apply_if_finite(chain(), 3), "fast": chain()}, LABELS)
    state = tx.init(PARAMS)
    for bad in (1.0, jnp.nan):
        _, state = tx.update({"w": jnp.full(2, bad), "b": jnp.ones(1)}, state, PARAMS)
    assert js.get_count(state) == {"slow": 1, "fast": 2}
    joint = optax.chain(optax.partition({"slow": optax.sgd(1.0), "fast": optax.adam(1.0)}, LABELS), chain())
    assert js.get_count(joint.init(PARAMS)) == 0


def test_clocks_that_differ_are_refused_and_traced_ones_cannot_be():
    tx = optax.chain(decayed, optax.apply_if_finite(chain(), 3))
    _, state = tx.update(jax.tree.map(lambda x: x * jnp.nan, PARAMS), tx.init(PARAMS), PARAMS)
    with pytest.raises(
        ValueError, match=r"got 1 at `\[0\]\.count` and 0 at `\[1\]\.inner_state\[1\]\.count`"
    ):
        js.get_count(state)
    assert jax.jit(js.get_count)(state) == 1
    with pytest.raises(ValueError, match="There is no clock of a schedule in this optimizer state"):
        js.get_count(optax.adam(0.1).init(PARAMS))
