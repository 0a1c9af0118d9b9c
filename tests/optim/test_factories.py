"""`with_schedule` takes the optimizers of Optax that are linear in their rate, and refuses the others."""

from __future__ import annotations

import functools
import inspect
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib
from refusals import refusals
from test_optimizers import GOAL, NEEDED, NOT_LINEAR, SCHEDULE, START, close

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.testing import check_descends

REFUSED = set(NOT_LINEAR) | {
    "contrib.cocob(weight_decay=0.01)",
    "contrib.dadapt_adamw(weight_decay=0.01)",
    "contrib.dpsgd",
    "contrib.dpsgd(momentum=0.9)",
    "contrib.madgrad(momentum=0.9)",
    "contrib.madgrad(weight_decay=0.01)",
    "contrib.momo(weight_decay=0.01)",
    "contrib.momo_adam(weight_decay=0.01)",
    "contrib.prodigy(weight_decay=0.01)",
    "contrib.scale_by_madgrad",
    "contrib.scale_by_madgrad(momentum=0.9)",
    "contrib.schedule_free_adamw(weight_decay=0.01)",
    "lars(momentum=0.9)",
    "lars(weight_decay=0.01)",
    "scale_by_rprop",
}
"""What is not linear in its rate, or cannot be tried: `dpsgd` takes a gradient for each example."""

ARGUMENTS = {
    "contrib.dpsgd": NEEDED["contrib.dpsgd"],
    "noisy_sgd": NEEDED["noisy_sgd"],
    "contrib.schedule_free": {"base_optimizer": optax.sgd(1.0)},
}
"""Arguments that a factory needs."""

COMMON = ("sgd(momentum=0.9)", "adamw", "rmsprop(momentum=0.9)", "lars")
"""The factories in the default run; the others are `thorough`."""


def factories():
    """Every function of the installed Optax with a `learning_rate`, plain and with momentum or decay."""
    found = {}
    for module, prefix in ((optax, ""), (contrib, "contrib.")):
        for name in dir(module):
            value = getattr(module, name)
            if name.startswith("_") or not isinstance(value, types.FunctionType | functools.partial):
                continue
            parameters = inspect.signature(value).parameters
            if "learning_rate" not in parameters:
                continue
            arguments = ARGUMENTS.get(prefix + name, {})
            found[prefix + name] = value, arguments
            for option, given in {"momentum": 0.9, "weight_decay": 0.01, "weight_decay_rate": 0.01}.items():
                if option in parameters:
                    found[f"{prefix}{name}({option}={given})"] = value, arguments | {option: given}
    return found


FACTORIES = factories()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Optax deprecates some of them
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in COMMON else pytest.mark.thorough) for name in FACTORIES],
)
def test_a_factory_is_equal_or_refused(name):
    factory, arguments = FACTORIES[name]
    if name in REFUSED:
        with pytest.raises(ValueError, match="`factory` must make") as caught:
            js.with_schedule(factory, SCHEDULE, **arguments)
        assert f"got `{factory.__name__}(" in str(caught.value)
    else:
        tx = js.with_schedule(factory, SCHEDULE, **arguments)
        assert js.learning_rate(tx.init(START)) == SCHEDULE(0)


def test_the_list_names_factories_of_optax():
    missing = {name for name in REFUSED if name not in FACTORIES}
    assert all("madgrad" in name for name in missing), missing  # Optax 0.2.5 has none


def test_it_makes_the_updates_of_the_optimizer_on_the_schedule():
    options = {"weight_decay": 0.3, "mask": {"matrix": True, "vector": False}}
    ours, theirs = js.with_schedule(optax.adamw, SCHEDULE, **options), optax.adamw(SCHEDULE, **options)
    state, other, params = ours.init(START), theirs.init(START), START
    for i in range(3):
        gradient = jax.tree.map(jnp.subtract, params, GOAL)
        updates, state = jax.jit(ours.update)(gradient, state, params)
        expected, other = jax.jit(theirs.update)(gradient, other, params)
        close(updates, expected)
        assert js.learning_rate(state) == SCHEDULE(i)
        params = optax.apply_updates(params, updates)


def test_it_is_built_in_a_compiled_function_and_from_what_is_traced():
    def step(decay):
        tx = js.with_schedule(optax.sgd, 0.1, momentum=0.9)
        unproved = js.with_schedule(optax.adamw, 0.1, weight_decay=decay)
        updates = tx.update(START, tx.init(START), START)[0]
        return optax.chain(tx, unproved).init(START), updates

    _, updates = jax.jit(step)(0.1)
    np.testing.assert_allclose(updates["vector"], -0.1 * START["vector"], rtol=1e-6)


@pytest.mark.thorough
def test_it_is_built_in_a_mapped_function():
    def update(gradient):
        tx = js.with_schedule(optax.sgd, 0.1)
        return tx.update(gradient, tx.init(gradient))[0]

    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.PartitionSpec("data")
    mapped = jax.shard_map(update, mesh=mesh, in_specs=split, out_specs=split)
    np.testing.assert_allclose(mapped(jnp.ones(2)), -0.1, rtol=1e-6)


def test_it_is_built_under_any_setting():
    with enable_x64(True), jax.numpy_dtype_promotion("strict"), jax.transfer_guard("disallow"):
        js.with_schedule(optax.adamw, 0.1, weight_decay=0.1)


def test_a_factory_that_is_bound_or_takes_any_argument():
    bound = functools.partial(optax.sgd, momentum=0.9)
    assert js.learning_rate(js.with_schedule(bound, 0.25).init(START)) == 0.25
    injected = optax.inject_hyperparams(optax.sgd)
    assert js.learning_rate(js.with_schedule(injected, 0.25).init(START)) == 0.25


def test_the_message_has_the_difference():
    with pytest.raises(ValueError, match="`factory` must make updates that are the rate times") as caught:
        js.with_schedule(optax.rmsprop, 0.1, momentum=0.9)
    words = (
        r"got `rmsprop\(momentum=0.9\)`: update 1 of parameters\['matrix'\], at the rate 3, has (\S+) with "
        r"the schedule in it and (\S+) with the schedule behind it. What it remembers holds the rates of "
        r"earlier updates: it may have its momentum behind the rate, .* "
        r"Use `rmsprop\(schedule, momentum=0.9\)`\."
    )
    inside, behind = map(float, re.search(words, str(caught.value)).groups())
    assert abs(inside - behind) > 0.1


BAD_TYPES = {
    "no factory": (
        lambda: js.with_schedule(optax.adamw(0.1), 0.1),
        "`factory` must be a function such as `optax.adamw`, which is not called yet, got Gradient",
    ),
    "no rate": (
        lambda: js.with_schedule(optax.scale_by_adam, 0.1),
        "`factory` must have an argument `learning_rate`, got <function scale_by_adam",
    ),
    "no signature": (
        lambda: js.with_schedule(dict, 0.1),
        "`factory` must have an argument `learning_rate`, got <class 'dict'> (type).",
    ),
    "no transformation": (
        lambda: check_descends(optax.adamw),
        "`tx` must be an Optax transformation, such as `optax.sgd(0.1)`, got <function adamw",
    ),
    "two rates": (
        lambda: js.with_schedule(optax.sgd, 0.1, learning_rate=0.2),
        "`learning_rate` must be left out, because `schedule` is the rate, got 0.2.",
    ),
    "no schedule": (
        lambda: js.with_schedule(optax.sgd, "cosine"),
        "`schedule` must be a schedule, a number or a callable, got 'cosine'",
    ),
}


@refusals({}, BAD_TYPES)
def test_bad_input(kind, build, message):
    with pytest.raises(kind, match=re.escape(message)):
        build()


def test_what_the_factory_refuses_is_its_own_message():
    with pytest.raises(TypeError, match=r"^adamw\(\) got an unexpected keyword argument 'weight_deacy'"):
        js.with_schedule(optax.adamw, 0.1, weight_deacy=0.1)


def test_updates_that_are_all_0_prove_nothing():
    """The schedule in `MultiSteps` counts updates, and behind it batches."""

    def factory(learning_rate):
        return optax.MultiSteps(optax.adam(learning_rate), 8).gradient_transformation()

    with pytest.raises(ValueError, match=r"in its first 4 updates, got `factory\(\)`, whose updates are 0"):
        js.with_schedule(factory, 0.1)


def test_a_mask_is_in_the_message_as_it_was_given():
    with pytest.raises(ValueError, match=r"Use `adafactor\(.*, weight_decay_mask=\{'a': True\}\)`"):
        js.with_schedule(optax.adafactor, 0.1, weight_decay_rate=0.1, weight_decay_mask={"a": True})


def test_a_number_whose_name_has_a_mask_is_no_mask():
    def factory(learning_rate, mask_rate):
        return optax.chain(optax.scale(1 - mask_rate), optax.sgd(learning_rate))

    js.with_schedule(factory, 0.1, mask_rate=0.2)


def chained(*, flip_sign):
    return optax.chain(optax.sgd(1.0), js.scale_by_learning_rate(SCHEDULE, flip_sign=flip_sign))


WARMUP = js.warmup(0.1, 5)
DOWN = {
    "sign in the optimizer": lambda: chained(flip_sign=False),
    "sign in ours": lambda: optax.chain(optax.scale_by_adam(), js.scale_by_learning_rate(WARMUP)),
    "no chain": lambda: js.scale_by_learning_rate(WARMUP),
    "an optimizer of two arguments": lambda: optax.GradientTransformation(*optax.sgd(0.1)),
    "several batches": lambda: optax.MultiSteps(optax.sgd(0.1), 3).gradient_transformation(),
    "with a schedule": lambda: js.with_schedule(optax.sgd, WARMUP),
}
UP = {
    "twice": (lambda: chained(flip_sign=True), "parameters['matrix'] and parameters['vector']"),
    "never": (
        lambda: optax.chain(optax.scale_by_adam(), js.scale_by_learning_rate(0.1, flip_sign=False)),
        "parameters['matrix'] and parameters['vector']",
    ),
    "in a group": (
        lambda: js.scale_by_learning_rate(
            {"up": -js.Constant(0.1), "down": 0.1}, param_labels={"matrix": "up", "vector": "down"}
        ),
        "parameters['matrix']",
    ),
}


@pytest.mark.parametrize("name", DOWN)
def test_a_chain_that_descends(name):
    check_descends(DOWN[name]())


@pytest.mark.parametrize("name", UP)
def test_a_chain_that_climbs(name):
    build, leaves = UP[name]
    with pytest.raises(AssertionError, match=re.escape(f"The updates of {leaves} go up along")):
        check_descends(build())


def test_a_weight_decay_on_large_parameters_descends():
    check_descends(optax.adamw(0.1, weight_decay=0.1), {"scale": jnp.full(3, -30.0)})


def test_a_chain_that_is_not_finite():
    with pytest.raises(AssertionError, match=r"The updates of parameters\['matrix'\] and .* are not finite"):
        check_descends(optax.sgd(float("nan")))


def test_a_chain_that_stands_still():
    late = js.scale_by_learning_rate(js.join([0.0, 0.1], [20]))
    with pytest.raises(AssertionError, match="All 10 updates are 0: pass more `steps`"):
        check_descends(late)
    check_descends(late, steps=21)
    groups = js.scale_by_learning_rate({"a": 0.1, "b": 0.0}, param_labels={"head": "a", "body": "b"})
    check_descends(groups, {"head": jnp.ones(2), "body": jnp.ones((2, 2), jnp.bfloat16)})
