"""Every Optax optimizer with a learning rate, on a schedule and in front of our transformation."""

from __future__ import annotations

import inspect
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from optax import contrib
from selection import by_default

import jaxsched as js
from jaxsched._core.versions import enable_x64

STEPS = 20
SCHEDULE = js.warmup(js.Cosine(0.03, 0.002, 14), 6, first_step=1)
RATES = SCHEDULE(jnp.arange(STEPS + 1))
FED = [float(rate) for rate in RATES]

START = {"matrix": jnp.linspace(-0.9, 0.3, 12).reshape(4, 3), "vector": jnp.array([0.2, -0.4, 0.7])}
GOAL = {"matrix": jnp.full((4, 3), 1.3), "vector": jnp.array([-0.8, 0.5, 1.5])}
CURVATURE = {"matrix": jnp.linspace(0.6, 1.7, 12).reshape(4, 3), "vector": jnp.array([0.5, 1.0, 2.0])}

NOT_LINEAR = {
    "adafactor(momentum=0.9)": "its momentum averages updates that hold their rates",
    "adafactor(weight_decay_rate=0.01)": "its weight decay is not multiplied by the rate",
    "contrib.cocob": "the rate scales the gradients that it bets on, not its updates",
    "contrib.dadapt_adamw": "its distance estimate and its momentum hold the rates of earlier steps",
    "contrib.madgrad": "its sums of gradients are weighted by the rates",
    "contrib.momo": "the rate is a limit for its own step size, not a factor",
    "contrib.momo_adam": "the rate is a limit for its own step size, not a factor",
    "contrib.prodigy": "its distance estimate is weighted by the rates",
    "contrib.schedule_free": "its averages are weighted by the rates",
    "contrib.schedule_free_adamw": "its averages are weighted by the rates",
    "contrib.schedule_free_sgd": "its averages are weighted by the rates",
    "contrib.schedule_free_sgd(weight_decay=0.01)": "its averages are weighted by the rates",
    "fromage": "it divides the new parameters by sqrt(1 + rate^2)",
    "lars": "its momentum averages updates that hold their rates",
    "lbfgs": "its line search chooses the step that is taken, and the rate is where it starts",
    "rmsprop(momentum=0.9)": "its momentum averages updates that hold their rates",
    "rprop": "the rate is the size of its first steps only",
}
"""Why `chain(optimizer(1.0), scale_by_learning_rate(s, flip_sign=False))` is not `optimizer(s)`."""

NUMBERS_ONLY = {
    "optimistic_adam": "optimistic_adam_v2 takes a schedule",
    "rprop": "the rate is the size of its first steps only",
    "sm3": "it negates its rate",
}
"""Optimizers that take no schedule as their rate; the chain schedules the linear ones all the same."""

COMMON = ("sgd", "sgd(momentum=0.9)", "adam", "adamw", "lion")
"""The optimizers in the default run; the others are `thorough`."""

NEEDED = {
    "contrib.dadapt_adamw": {"estim_lr0": 0.1},
    "contrib.dog": {"init_step": ("distance", 0.1)},
    "contrib.dowg": {"init_estim_sq_dist": 0.1},
    "contrib.dpsgd": {"l2_norm_clip": 1.0, "noise_multiplier": 0.1, "seed": 0},
    "contrib.prodigy": {"estim_lr0": 0.1, "estim_lr_coef": 10.0},
    "noisy_sgd": {"key": 0},
}
"""Arguments without a default, or with one that hardly moves the parameters in 20 steps."""

COMPILED = {"contrib.galore", "contrib.muon", "contrib.sophia", "lbfgs", "novograd", "radam"}
"""Optimizers that are compiled in the run by hand too. Uncompiled, branches and loops compile again at each
step, and radam rounds `1 - b2**t` in another way."""


def schedule_free(optimizer):
    """Its count starts at 1, so it averages with the rate of the next update."""
    return lambda rate, following: contrib.schedule_free(optimizer(rate), following)


def rms_and_decay(rate):
    rms = optax.scale_by_rms(0.999, 1e-8, eps_in_sqrt=False, bias_correction=True)
    return optax.chain(rms, optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(rate))


BY_HAND = {
    "contrib.schedule_free": schedule_free(optax.sgd),
    "contrib.schedule_free_sgd": schedule_free(optax.sgd),
    "contrib.schedule_free_sgd(weight_decay=0.01)": schedule_free(
        lambda rate: optax.chain(optax.add_decayed_weights(0.01), optax.sgd(rate))
    ),
    "contrib.schedule_free_adamw": schedule_free(rms_and_decay),
}
"""Optimizers that use two rates at a step: its own and the next one."""


def optimizers():
    """All optimizers by name, as functions of the rate.

    Decay that is 0 by default is always turned on. Momentum and decay that are None by default get an entry
    of their own.
    """
    found = {}
    for module in (optax, contrib):
        for name in dir(module):
            value = getattr(module, name)
            if not inspect.isfunction(value) or name.startswith(("_", "scale_by_")):
                continue
            parameters = inspect.signature(value).parameters
            if "learning_rate" not in parameters:
                continue
            name = name if module is optax else f"contrib.{name}"
            options = dict(NEEDED.get(name, {}))
            extras = {"momentum": 0.9, "weight_decay": 0.01, "weight_decay_rate": 0.01}
            extras = {option: extra for option, extra in extras.items() if option in parameters}
            options |= {option: extra for option, extra in extras.items() if parameters[option].default == 0}
            found[name] = _with(value, options)
            for option, extra in extras.items():
                if parameters[option].default is None:
                    found[f"{name}({option}={extra})"] = _with(value, options | {option: extra})
    return found


def _with(value, options):
    if value is contrib.schedule_free:
        return lambda rate: value(optax.sgd(rate), rate)
    return lambda rate: value(learning_rate=rate, **options)


OPTIMIZERS = optimizers()


def loss(params):
    return sum(jnp.sum(CURVATURE[key] * (params[key] - GOAL[key]) ** 2) for key in params) / 2


VALUE_AND_GRAD = jax.jit(jax.value_and_grad(loss))


def trained(name, build, compiled):
    """The parameters after all steps; `build` takes the rate of a step and the next one."""

    def step(carry, rates):
        params, state = carry
        value, grads = VALUE_AND_GRAD(params)
        extra = {"value": value, "grad": grads, "value_fn": loss}
        if "sophia" in name:
            extra = {"obj_fn": loss}
        if "dpsgd" in name:
            grads = jax.tree.map(lambda grad: jnp.stack([grad, 0.5 * grad]), grads)
        tx = optax.with_extra_args_support(build(*rates))
        updates, state = tx.update(grads, state, params, **extra)
        return (optax.apply_updates(params, updates), state), None

    carry = START, build(*FED[:2]).init(START)
    if compiled or name in COMPILED:
        carry, _ = jax.jit(lambda carry, rates: lax.scan(step, carry, rates))(carry, (RATES[:-1], RATES[1:]))
    else:
        for rates in itertools.pairwise(FED):
            carry, _ = step(carry, rates)
    return carry[0]


def distance(left, right):
    return max(np.abs(a - b).max() for a, b in zip(*map(jax.tree.leaves, (left, right)), strict=True))


def close(left, right):
    for a, b in zip(*map(jax.tree.leaves, (left, right)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Optax deprecates some of them
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in COMMON else pytest.mark.thorough) for name in OPTIMIZERS],
)
def test_a_schedule_is_its_rates_fed_by_hand(name):
    optimizer = OPTIMIZERS[name]
    expected = trained(name, BY_HAND.get(name, lambda rate, _: optimizer(rate)), compiled=False)
    assert distance(expected, START) > 1e-3
    if name in NUMBERS_ONLY:
        with pytest.raises((TypeError, ValueError)):
            trained(name, lambda *_: optimizer(SCHEDULE), compiled=False)
    else:
        close(trained(name, lambda *_: optimizer(SCHEDULE), compiled=False), expected)
    tx = optax.chain(optimizer(1.0), js.scale_by_learning_rate(SCHEDULE, flip_sign=False))
    chained = trained(name, lambda *_: tx, compiled=True)
    if name in NOT_LINEAR:
        assert distance(chained, expected) > 1e-4
    else:
        close(chained, expected)


YOUNG = {"contrib.galore", "contrib.madgrad"}
"""Optimizers that Optax 0.2.5 lacks."""


def test_the_lists_name_optimizers():
    named = set(NOT_LINEAR) | set(NUMBERS_ONLY) | set(NEEDED) | set(BY_HAND) | COMPILED
    assert named - YOUNG <= set(OPTIMIZERS)
    assert {"adamw", "sgd", "lion", "contrib.muon", "sgd(momentum=0.9)"} <= set(OPTIMIZERS)


@pytest.mark.parametrize("dtype", by_default(["bfloat16"], ["float64", "bfloat16", "complex64"]))
@pytest.mark.parametrize("name", by_default(["adamw"], ["sgd", "adamw"]))
def test_parameters_of_every_dtype_get_the_exact_rate(name, dtype):
    with enable_x64(dtype == "float64"):
        unit = OPTIMIZERS[name]
        tx = optax.chain(unit(1.0), js.scale_by_learning_rate(SCHEDULE, flip_sign=False))
        params = fed = jax.tree.map(
            lambda x: x.astype(dtype) * (1 + 1j if dtype == "complex64" else 1), START
        )
        state, fed_state = tx.init(params), unit(1.0).init(params)
        wide = jnp.promote_types(dtype, jnp.float32)
        for i in range(STEPS):
            updates, state = tx.update(params, state, params)
            params = optax.apply_updates(params, updates)
            updates, fed_state = unit(1.0).update(fed, fed_state, fed)
            rate = np.asarray(SCHEDULE(i)).astype(wide)
            updates = jax.tree.map(
                lambda x, rate=rate: (np.asarray(x).astype(wide) * rate).astype(dtype), updates
            )
            fed = optax.apply_updates(fed, updates)
            jax.tree.map(np.testing.assert_array_equal, params, fed)
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(dtype)}
        assert js.learning_rate(state).dtype == jnp.float32
        assert js.learning_rate(state) == np.float32(SCHEDULE(STEPS - 1))


@pytest.mark.parametrize("labels", [None, {"here": "a", "masked": "a", "none": "a"}], ids=["one", "groups"])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_leaves_that_are_none_or_masked_are_left_alone(name, labels):
    params = {"here": jnp.array([1.0, -2.0]), "masked": jnp.array([3.0]), "none": None}
    mask = {"here": True, "masked": False, "none": None}
    schedule = SCHEDULE if labels is None else {"a": SCHEDULE}
    ours = js.scale_by_learning_rate(schedule, param_labels=labels, flip_sign=False)
    tx = optax.masked(optax.chain(OPTIMIZERS[name](1.0), ours), mask)
    expected = optax.masked(OPTIMIZERS[name](SCHEDULE), mask)
    state, expected_state = tx.init(params), expected.init(params)
    for i in range(3):
        updates, state = tx.update(params, state, params)
        wanted, expected_state = expected.update(params, expected_state, params)
        assert updates["none"] is None
        close(updates, wanted)
        assert updates["masked"] == params["masked"]
        rate = js.learning_rate(state)
        assert (rate if labels is None else rate["a"]) == SCHEDULE(i)


@pytest.mark.parametrize("scaled", ["after", "before", "with a plateau"])
def test_groups_that_have_no_rate_of_their_own_read_as_one_scalar(scaled):
    """Adam for one half, plain gradient descent for the other, and one schedule for both."""
    halves = optax.partition(
        {"adam": optax.adam(1.0), "sgd": optax.sgd(1.0)}, {"matrix": "adam", "vector": "sgd"}
    )
    ours = js.scale_by_learning_rate(SCHEDULE, flip_sign=False)
    parts = [ours, halves] if scaled == "before" else [halves, ours]
    if scaled == "with a plateau":
        parts.append(js.scale_by_plateau(js.Plateau(factor=0.5, patience=0, rtol=0.0)))
    tx = optax.with_extra_args_support(optax.chain(*parts))
    state = tx.init(START)
    rates = [js.learning_rate(state)]
    for _ in range(3):
        _, state = tx.update(START, state, START, **({"value": 1.0} if "plateau" in scaled else {}))
        rates.append(js.learning_rate(state))
    assert [(type(rate), rate.shape, rate.dtype) for rate in rates] == [(type(RATES), (), jnp.float32)] * 4
    # The second value is no better than the first, so the third update is the first with the cut.
    scales = [1, 1, 1, 0.5] if "plateau" in scaled else [1] * 4
    np.testing.assert_allclose(rates, np.multiply(scales, [FED[i] for i in (0, 0, 1, 2)]), rtol=1e-6)


def test_the_docs_list_them():
    rows = (Path(__file__).parents[2] / "docs" / "optax.md").read_text()
    for name, reason in NOT_LINEAR.items():
        assert f"| `{name}` | {reason} |" in rows
    assert rows.count("\n| `") == len(NOT_LINEAR)
    assert ", ".join(f"`{name}`" for name in NUMBERS_ONLY) in rows
