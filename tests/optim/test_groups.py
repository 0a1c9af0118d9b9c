"""Groups of parameters: labels by path, frozen groups."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import equinox as eqx
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from refusals import refusals

import jaxsched as js

SCHEDULE = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
PARAMS = {
    "embed": {"kernel": jnp.array([[0.3, -0.2]]), "bias": jnp.array([0.1])},
    "blocks": [{"kernel": jnp.array([[0.5]])}, {"kernel": jnp.array([[-0.7]])}],
    "bias": jnp.array([1.0]),
}
RULES = [("*/bias", "no_decay"), ("embed/*", "embed"), ("*", "decay")]
LABELS = {
    "embed": {"kernel": "embed", "bias": "no_decay"},
    "blocks": [{"kernel": "decay"}, {"kernel": "decay"}],
    "bias": "decay",
}


@functools.partial(jax.tree_util.register_dataclass, data_fields=["w", "value"], meta_fields=[])
@dataclasses.dataclass
class Layer:
    w: Any
    value: Any


class Pair(NamedTuple):
    left: Any
    right: Any


class Dense(nnx.Module):
    def __init__(self):
        self.kernel, self.bias = nnx.Param(jnp.ones((2, 2))), nnx.Param(jnp.ones(2))


class Model(nnx.Module):
    def __init__(self):
        self.dense, self.norm = Dense(), Dense()


class Equinox(eqx.Module):
    layers: list[jax.Array]
    activation: Any


TREES = {
    "array": (lambda: jnp.ones(2), [""]),
    "dict": (lambda: {"b": {"a/c": 1.0}, "a": 2.0}, ["a", "b/a/c"]),
    "integer keys": (lambda: {0: 1.0, 10: 2.0}, ["0", "10"]),
    "list": (lambda: {"layers": [1.0, (2.0, 3.0)]}, ["layers/0", "layers/1/0", "layers/1/1"]),
    "dataclass": (lambda: [Layer(1.0, {"w": 2.0})], ["0/w", "0/value/w"]),
    "named tuple": (lambda: Pair(1.0, [2.0]), ["left", "right/0"]),
    "frozen dict": (lambda: flax.core.freeze({"a": {"b": 1.0}}), ["a/b"]),
    "nnx state": (
        lambda: nnx.state(Model(), nnx.Param),
        ["dense/bias", "dense/kernel", "norm/bias", "norm/kernel"],
    ),
    "nnx variable": (lambda: {"a": nnx.Param(jnp.ones(2))}, ["a"]),
    "linen, partitioned": (
        lambda: {"params": {"kernel": nn.Partitioned(jnp.ones((2, 2)), (None, "model")), "bias": 1.0}},
        ["params/bias", "params/kernel"],
    ),
    "equinox": (
        lambda: eqx.filter(Equinox([jnp.ones(2), jnp.ones(2)], jax.nn.relu), eqx.is_array),
        ["layers/0", "layers/1"],
    ),
    "holes": (lambda: {"a": None, "b": optax.MaskedNode(), "c": {}, "d": 1.0}, ["d"]),
    "nothing": (lambda: None, []),
}


@pytest.mark.parametrize("name", TREES)
def test_a_parameter_has_the_path_of_its_container(name):
    build, paths = TREES[name]
    params = build()
    labels = js.label_by_path([(path, f"at {path}") for path in paths])(params)
    assert jax.tree.leaves(labels) == [f"at {path}" for path in paths]
    wrapped = jax.tree.structure(params, is_leaf=lambda node: isinstance(node, nnx.Variable | nn.Partitioned))
    assert jax.tree.structure(labels) == wrapped


def test_the_first_pattern_that_matches_gives_the_label():
    assert js.label_by_path(RULES)(PARAMS) == LABELS
    assert js.label_by_path([*map(list, RULES)])(PARAMS) == LABELS
    earlier = [("embed/bias", "a"), ("*/bias", "b"), *RULES[1:]]
    params = {**PARAMS, "head": {"bias": 0.0}}
    labels = {"embed": {"kernel": "embed", "bias": "a"}, "head": {"bias": "b"}}
    assert js.label_by_path(earlier)(params) == {**LABELS, **labels}


def test_a_rule_at_the_end_changes_no_label_that_was_there():
    rules, params = [("*/bias", "a"), ("embed/*", "b")], {"embed": PARAMS["embed"]}
    more = js.label_by_path([*rules, ("*", "c")])({**params, "head": {"kernel": 0.0}})
    assert more == {**js.label_by_path(rules)(params), "head": {"kernel": "c"}}


PATTERNS = {
    "bias": ["bias"],
    "*bias": ["bias", "layers/1/bias", "layers/1/unbias"],
    "*/bias": ["layers/1/bias"],
    "layers/1/*": ["layers/1/bias", "layers/1/unbias"],
    "layers/1*": ["layers/1/bias", "layers/1/unbias", "layers/10/Bias"],
    "layers/[0-9][0-9]/*": ["layers/10/Bias"],
    "layers/[!1]/*": [],
    "*/?bias": [],
    "*/??bias": ["layers/1/bias", "layers/1/unbias"],
    "*/Bias": ["layers/10/Bias"],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_the_whole_path(pattern):
    params = {"bias": 0.0, "layers": {1: {"bias": 0.0, "unbias": 0.0}, 10: {"Bias": 0.0}}, "hole": None}
    labels = js.label_by_path([(pattern, "yes"), ("*", "no")])(params)
    found = jax.tree.leaves_with_path(labels)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, yes in found if yes == "yes"]
    assert names == PATTERNS[pattern]


MISMATCHES = {
    "no pattern": ([("embed/*", "a")], "no pattern for `bias`, `blocks/0/kernel`, `blocks/1/kernel`."),
    "a typo": ([("*/bais", "a"), ("*", "b")], "no parameter for the pattern '*/bais'."),
    "too late": (
        [("embed/*", "a"), ("*", "b"), ("*/bias", "c"), ("bias", "d")],
        "no parameter that earlier patterns leave for '*/bias', 'bias'.",
    ),
    "all of them": (
        [("embed/*", "a"), ("embed/bias", "b"), ("Bias", "c"), ("blocks/*", "d")],
        "no pattern for `bias`, no parameter for the pattern 'Bias', "
        "no parameter that earlier patterns leave for 'embed/bias'.",
    ),
    "no rules": ([], "no pattern for `bias`, `blocks/0/kernel`, `blocks/1/kernel`, `embed/bias`"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_patterns_that_do_not_match_the_parameters_are_named_at_once(name):
    rules, message = MISMATCHES[name]
    labels = js.label_by_path(rules)
    tx = js.scale_by_learning_rate({label: 0.1 for _, label in rules}, param_labels=labels)
    for build in (labels, tx.init, jax.jit(tx.init)):
        with pytest.raises(ValueError) as error:
            build(PARAMS)
        assert str(error.value).startswith(f"`rules` must match the parameters: there is {message}")


def test_what_is_masked_may_leave_a_pattern_idle_but_no_parameter_bare():
    rules = [("neck/*", "a"), ("blocks/*", "b"), ("embed/*", "c")]
    for hole in (None, optax.MaskedNode(), {}):
        params = {"embed": PARAMS["embed"], "hole": hole}
        assert set(jax.tree.leaves(js.label_by_path(rules)(params))) == {"c"}
        with pytest.raises(ValueError, match=r"there is no pattern for `embed/bias`, `embed/kernel`\.$"):
            js.label_by_path(rules[:2])(params)


RATES = {"no_decay": 0.5, "embed": 0.25, "decay": 0.125}


def test_labels_by_path_fit_groups_and_a_partition():
    labels = js.label_by_path(RULES)
    groups = js.scale_by_learning_rate(RATES, param_labels=labels, flip_sign=False)
    parts = optax.partition({label: optax.scale(rate) for label, rate in RATES.items()}, labels)
    inside = optax.partition({"a": groups, "b": optax.identity()}, {"embed": "a", "blocks": "a", "bias": "b"})
    expected = jax.tree.map(lambda label, leaf: RATES[label] * leaf, LABELS, PARAMS)
    for tx, wanted in ((groups, expected), (parts, expected), (inside, {**expected, "bias": PARAMS["bias"]})):
        updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
        jax.tree.map(np.testing.assert_array_equal, updates, wanted)


NNX_LABELS = js.label_by_path([("norm/*", "still"), ("*/bias", "bias"), ("*", "rest")])
NNX_OPTIMIZERS = {
    "groups": js.scale_by_learning_rate({"still": None, "bias": 0.5, "rest": 0.25}, param_labels=NNX_LABELS),
    "partition": optax.partition(
        {"still": optax.set_to_zero(), "bias": optax.sgd(0.5), "rest": optax.sgd(0.25, 0.9)}, NNX_LABELS
    ),
}


@pytest.mark.parametrize("name", NNX_OPTIMIZERS)
def test_labels_by_path_fit_an_nnx_optimizer(name):
    model = Model()
    optimizer = nnx.Optimizer(model, NNX_OPTIMIZERS[name], wrt=nnx.Param)
    optimizer.update(model, jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param)))
    values = [leaf.flat[0] for leaf in map(np.asarray, jax.tree.leaves(nnx.state(model)))]
    assert values == [0.5, 0.75, 1.0, 1.0]  # the bias and the kernel of `dense`, then those of `norm`


def test_a_frozen_group_gets_zeros_and_changes_no_other():
    labels = {"a": "still", "b": "moves"}
    gradients = {"a": jnp.array([jnp.nan, -jnp.inf], jnp.bfloat16), "b": jnp.array([0.1, 3.0])}
    tx = js.scale_by_learning_rate({"still": None, "moves": SCHEDULE}, param_labels=labels)
    plain = js.scale_by_learning_rate({"still": 1.0, "moves": SCHEDULE}, param_labels=labels)
    state, other = tx.init(gradients), plain.init(gradients)
    structure = jax.tree.structure(state)
    for i in range(7):
        updates, state = jax.jit(tx.update)(gradients, state)
        expected, other = jax.jit(plain.update)(gradients, other)
        np.testing.assert_array_equal(updates["a"], np.zeros(2, jnp.bfloat16), strict=True)
        np.testing.assert_array_equal(updates["b"], expected["b"])
        assert js.learning_rate(state) == {"still": 0, "moves": SCHEDULE(i)}
        assert js.learning_rate(state)["still"].dtype == jnp.float32
    assert jax.tree.structure(state) == structure == jax.tree.structure(other)


def test_a_group_freezes_and_thaws_for_a_call():
    labels = {"a": "a", "b": "b"}
    ones = {"a": jnp.ones(2), "b": jnp.ones(2)}
    tx = js.scale_by_learning_rate({"a": None, "b": 0.5}, param_labels=labels, flip_sign=False)
    update = jax.jit(tx.update)
    for schedule, rates in (({"a": 0.25, "b": None}, (0.25, 0)), ({"a": None, "b": 0.5}, (0, 0.5))):
        updates, state = update(ones, tx.init(ones), schedule=schedule)
        assert js.learning_rate(state) == dict(zip("ab", rates, strict=True))
        assert (updates["a"][0], updates["b"][0]) == rates


def test_a_schedule_of_0_is_not_frozen():
    """`None` alone drops a NaN; what a user gives as a number is multiplied."""
    tx = js.scale_by_learning_rate({"a": 0.0}, param_labels={"w": "a"})
    nan = {"w": jnp.array([jnp.nan])}
    assert np.isnan(tx.update(nan, tx.init(nan))[0]["w"])


def test_frozen_groups_are_labels_like_others():
    tx = js.scale_by_learning_rate({"a": None, "b": 0.1}, param_labels={"w": "a"})
    with pytest.raises(ValueError, match="there is no parameter with the label 'b'"):
        tx.init({"w": jnp.ones(2)})
    tx = js.scale_by_learning_rate({"a": 0.1, "b": None}, param_labels={"w": "a"})
    with pytest.raises(ValueError, match="there is no parameter with the label 'b'"):
        tx.init({"w": jnp.ones(2)})


TYPE_ERRORS = {
    "a dict of rules": (
        lambda: js.label_by_path({"*": "a"}),
        "`rules` must be a list of pairs (pattern, label), got {'*': 'a'} (dict).",
    ),
    "a text for a rule": (
        lambda: js.label_by_path([("*", "a"), "ab"]),
        "`rules[1]` must be a pair of two strings, a pattern and a label, got 'ab' (str).",
    ),
    "three in a rule": (
        lambda: js.label_by_path([("*", "a", "b")]),
        "`rules[0]` must be a pair of two strings, a pattern and a label, got ('*', 'a', 'b') (tuple).",
    ),
    "None for a label": (
        lambda: js.label_by_path([("*", None)]),
        "`rules[0]` must be a pair of two strings, a pattern and a label, got ('*', None) (tuple).",
    ),
    "None without groups": (
        lambda: js.scale_by_learning_rate(None),
        "`schedule` must be a schedule, a number or a callable, got None (NoneType).",
    ),
}


@refusals({}, TYPE_ERRORS)
def test_refusals(kind, build, message):
    with pytest.raises(kind) as error:
        build()
    assert str(error.value) == message
