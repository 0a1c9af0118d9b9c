"""Groups of parameters: labels by path, frozen groups, layers, weight decay and muP."""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction
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


def test_a_message_lists_some_of_many_parameters():
    params = {f"layer{i:03d}": jnp.ones(1) for i in range(500)}
    with pytest.raises(ValueError, match=r"no pattern for `layer000`, .*, `layer009` and 490 more, no param"):
        js.label_by_path([("*/kernel", "a")])(params)


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


@pytest.mark.parametrize("decay", [0.75, 0.5, 1.0])
@pytest.mark.parametrize("depth", [1, 2, 14])
def test_rates_fall_from_the_last_layer_to_the_first(decay, depth):
    layers = js.layerwise(SCHEDULE, decay, depth)
    assert list(layers) == [f"layer{i}" for i in range(depth)]
    for i, layer in enumerate(layers.values()):
        exact = float(Fraction(decay) ** (depth - 1 - i))
        assert layer == exact * SCHEDULE


def test_a_layer_at_the_input_changes_no_other():
    fewer, more = js.layerwise(SCHEDULE, 0.75, 5), js.layerwise(SCHEDULE, 0.75, np.int32(6))
    assert [*more.values()][1:] == [*fewer.values()]


LAYERS = {
    # values = [layer_decay ** (num_layers + 1 - i) for i in range(num_layers + 2)], blocks.i is i + 1
    "beit": (lambda n: n + 2, lambda n: {"embed": n + 1, **{i: n - i for i in range(n)}, "head": 0}),
    # learning_rate * layer_decay ** (n_layers + 2 - depth), embeddings 0, layer_i is i + 1, head n_layers + 2
    "electra": (lambda n: n + 3, lambda n: {"embed": n + 2, **{i: n + 1 - i for i in range(n)}, "head": 0}),
}


@pytest.mark.parametrize("source", LAYERS)
def test_the_layers_of_a_transformer_have_the_rates_of_the_sources(source):
    depth, exponents = LAYERS[source]
    n = 12
    layers = js.layerwise(1.0, 0.75, depth(n))
    labels = {"embed": "layer0", **{i: f"layer{i + 1}" for i in range(n)}, "head": f"layer{depth(n) - 1}"}
    for name, exponent in exponents(n).items():
        np.testing.assert_allclose(layers[labels[name]](0), 0.75**exponent, rtol=1e-7)


def test_the_decay_of_layers_may_be_traced():
    def total(decay):
        return sum(layer(7) for layer in js.layerwise(SCHEDULE, decay, 3).values())

    value, slope = jax.jit(jax.value_and_grad(total))(0.75)
    rate = float(SCHEDULE(7))
    np.testing.assert_allclose(value, rate * (1 + 0.75 + 0.75**2), rtol=1e-6)
    np.testing.assert_allclose(slope, rate * (1 + 2 * 0.75), rtol=1e-6)


VALUE_ERRORS = {
    "decay of 0": (lambda: js.layerwise(0.1, 0.0, 3), "`decay` must be above 0 and at most 1, got 0."),
    "decay above 1": (lambda: js.layerwise(0.1, 1.5, 3), "`decay` must be above 0 and at most 1, got 1.5."),
    "no layers": (lambda: js.layerwise(0.1, 0.5, 0), "`depth` must be at least 1, got 0."),
}
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
    "a label that is no string": (
        lambda: js.scale_by_learning_rate({"a": 0.1, 1: None}, param_labels={"w": "a"}),
        "`schedule` must have strings as labels, got 1 (int).",
    ),
    "half a layer": (lambda: js.layerwise(0.1, 0.5, 2.0), "`depth` must be an integer, got 2.0 (float)."),
    "a text for a decay": (lambda: js.layerwise(0.1, "0.5", 2), "`decay` must be a number, got '0.5' (str)."),
    "layers of None": (
        lambda: js.layerwise(None, 0.5, 2),
        "`schedule` must be a schedule, a number or a callable, got None (NoneType).",
    ),
    "None without groups": (
        lambda: js.scale_by_learning_rate(None),
        "`schedule` must be a schedule, a number or a callable, got None (NoneType).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refusals(kind, build, message):
    with pytest.raises(kind) as error:
        build()
    assert str(error.value) == message


def decayed(schedule, factor, own):
    """The chain of docs/how-to/groups.md."""
    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(factor),
        js.scale_by_learning_rate(schedule),
        optax.add_decayed_weights(-own),
    )


FACTOR, OWN = js.Cosine(0.04, 0.4, 20), js.Linear(0.02, 0.001, 20)
DECAYS = {
    "a factor on the rate": (decayed(SCHEDULE, FACTOR, js.Constant(0.0)), lambda i: FACTOR(i)),
    "a number": (decayed(SCHEDULE, 0.1, 0.0), lambda i: 0.1),
    "its own schedule": (decayed(SCHEDULE, 0.0, OWN), lambda i: OWN(i) / SCHEDULE(i)),
    "both": (decayed(SCHEDULE, FACTOR, OWN), lambda i: FACTOR(i) + OWN(i) / SCHEDULE(i)),
}


@pytest.mark.parametrize("name", DECAYS)
def test_weight_decay_is_that_of_adamw_with_its_numbers_by_hand(name):
    """AdamW decays by `learning_rate * weight_decay`, so a decay of its own is divided by the rate there."""
    tx, decay = DECAYS[name]
    fixed = ("b1", "b2", "eps", "eps_root")  # As traced numbers they would be rounded to float32.
    fed = optax.inject_hyperparams(optax.adamw, fixed)(learning_rate=0.0, weight_decay=0.0)
    update, by_hand = jax.jit(tx.update), jax.jit(fed.update)
    params = expected = {"w": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}
    state, other = js.set_count(tx.init(params), 3), fed.init(params)
    for i in range(3, 10):  # The first rate is 0, where the quotient is not finite.
        gradients = jax.tree.map(lambda x: 0.1 * x + 1.0, params)
        updates, state = update(gradients, state, params)
        other.hyperparams["learning_rate"], other.hyperparams["weight_decay"] = SCHEDULE(i), decay(i)
        wanted, other = by_hand(gradients, other, expected)
        params, expected = optax.apply_updates(params, updates), optax.apply_updates(expected, wanted)
        assert js.learning_rate(state) == SCHEDULE(i)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), params, expected)


@jax.jit
def moved_features(params, multiplier):
    """How far an update of Adam moves the hidden features, as a root mean square."""

    def features(params):
        return jnp.tanh(jnp.ones(4) @ params["embed"]["kernel"]) @ params["hidden"]["kernel"]

    rates = {"input": 0.01, "inner": multiplier * 0.01}
    labels = js.label_by_path([("embed/*", "input"), ("*", "inner")])
    tx = optax.chain(optax.scale_by_adam(eps=0.0), js.scale_by_learning_rate(rates, param_labels=labels))
    gradients = jax.grad(lambda params: (jnp.tanh(features(params)) @ params["head"]["kernel"]).sum())(params)
    updates, _ = tx.update(gradients, tx.init(params))
    move = features(optax.apply_updates(params, updates)) - features(params)
    return jnp.sqrt(jnp.mean(move**2))


def test_under_mup_the_width_does_not_change_how_far_an_update_moves_the_features():
    """The coordinate check of arXiv:2203.03466: without the multiplier the moves grow with the width."""

    def model(width):
        rng = np.random.default_rng(0)
        values = {
            "embed": rng.normal(0, 1, (4, width)),
            "hidden": rng.normal(0, width**-0.5, (width, width)),
            "head": rng.normal(0, 1 / width, (width, 1)),
        }
        return {name: {"kernel": kernel.astype(np.float32)} for name, kernel in values.items()}

    narrow, wide = model(32), model(256)
    before = moved_features(narrow, 1.0)
    assert 0.5 < moved_features(wide, 1 / 8) / before < 2
    assert moved_features(wide, 1.0) / before > 4
