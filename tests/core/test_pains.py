"""The common problems of users with schedules in optimizers, one test each."""

from __future__ import annotations

import flax.training.train_state
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxsched as js

SCHEDULE = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}
BAD = {"w": jnp.array([jnp.nan, 1.0]), "b": jnp.array([1.0])}


def updated(tx, state, steps, grads=PARAMS):
    """The last of `steps` updates, and the state after it."""
    update, updates = jax.jit(tx.update), None
    for _ in range(steps):
        updates, state = update(grads, state, PARAMS)
    return updates, state


def trained(optimizer, steps, params=PARAMS):
    """The parameters and state after each update. `optimizer(i)` makes update `i`."""
    state = optimizer(0).init(params)
    for i in range(steps):
        updates, state = optimizer(i).update(params, state, params)
        params = optax.apply_updates(params, updates)
        yield params, state


def close(left, right, rtol=2e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), left, right)


def ours(schedule=SCHEDULE, **options):
    return js.scale_by_learning_rate(schedule, **options)


def by_shape(params):
    """Labels each parameter: `"head"` for biases, else `"body"`."""
    return jax.tree.map(lambda leaf: "head" if leaf.shape == (1,) else "body", params)


def nnx_trained(tx, steps):
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    for _ in range(steps):
        optimizer.update(model, nnx.grad(lambda model: model(PARAMS["w"]).sum())(model))
    return model, optimizer


NESTS = {
    "alone": (ours(), 1.0),
    "chain": (optax.chain(optax.trace(0.9), optax.chain(ours())), 1.0),
    "named_chain": (optax.named_chain(("momentum", optax.trace(0.9)), ("rate", ours())), 1.0),
    "masked": (optax.masked(ours(), {"w": True, "b": False}), 1.0),
    "MultiSteps": (optax.MultiSteps(ours(), 1).gradient_transformation(), 1.0),
    "apply_if_finite": (optax.apply_if_finite(ours(), 3), 1.0),
    "inject_hyperparams": (optax.inject_hyperparams(optax.sgd)(SCHEDULE), 1.0),
    "around": (optax.inject_hyperparams(lambda m: optax.chain(optax.trace(m), ours()))(m=0.9), 1.0),
    "adamw": (optax.chain(optax.adamw(1.0), ours(flip_sign=False)), 1.0),
    "behind": (optax.chain(optax.inject_hyperparams(optax.sgd)(0.5), ours(flip_sign=False)), 0.5),
}


@pytest.mark.parametrize("name", NESTS)
def test_the_current_rate_can_be_read_through_any_nesting(name):
    tx, factor = NESTS[name]
    for steps in range(1, 5):
        _, state = updated(tx, tx.init(PARAMS), steps)
        assert js.learning_rate(state) == factor * SCHEDULE(steps - 1)
        assert jax.jit(js.learning_rate)(state) == factor * SCHEDULE(steps - 1)
    assert js.learning_rate(state).dtype == jnp.float32


def test_the_current_rate_of_a_flax_train_state():
    tx = optax.chain(optax.trace(0.9), ours())
    state = flax.training.train_state.TrainState.create(apply_fn=None, params=PARAMS, tx=tx)
    for i in range(3):
        state = state.apply_gradients(grads=PARAMS)
        assert js.learning_rate(state) == SCHEDULE(i)


def test_the_current_rate_of_an_nnx_optimizer():
    rule = js.Plateau(factor=0.5, patience=0)
    tx = optax.chain(optax.adam(1.0), ours(flip_sign=False), js.scale_by_plateau(rule))
    model, optimizer = nnx_trained(tx, 3)
    assert js.learning_rate(optimizer) == js.learning_rate(optimizer.opt_state) == SCHEDULE(2)
    assert isinstance(js.learning_rate(optimizer), jax.Array)
    optimizer = rule.observe(rule.observe(js.set_count(optimizer, 8), 1.0), 1.0)
    assert js.learning_rate(optimizer) == SCHEDULE(2)
    nnx.jit(lambda model, optimizer: optimizer.update(model, nnx.state(model)))(model, optimizer)
    assert js.learning_rate(optimizer) == 0.5 * SCHEDULE(8)
    adam, (clock, _), _ = optimizer.opt_state
    assert (adam[0].count[...], clock[...]) == (4, 9)
    groups = ours({"body": SCHEDULE, "head": 0.1}, param_labels=by_shape)
    close(js.learning_rate(nnx_trained(groups, 2)[1]), {"body": SCHEDULE(1), "head": 0.1})


def test_the_rates_of_groups_are_a_dict():
    labels = {"w": "slow", "b": "fast"}
    rule = js.Plateau(factor=0.5, patience=0)
    each = {"slow": ours(0.1 * SCHEDULE), "fast": optax.chain(optax.trace(0.9), ours())}
    wanted = {"slow": 0.1 * SCHEDULE(3), "fast": SCHEDULE(3)}
    groups = ours({"slow": 0.1 * SCHEDULE, "fast": SCHEDULE}, param_labels=labels)
    for tx in (optax.partition(each, labels), groups):
        tx = optax.chain(optax.clip(10.0), tx, js.scale_by_plateau(rule))
        _, state = updated(tx, tx.init(PARAMS), 4)
        close(js.learning_rate(state), wanted)
        _, state = updated(tx, rule.observe(rule.observe(js.set_count(state, 3), 1.0), 1.0), 1)
        close(js.learning_rate(state), jax.tree.map(lambda rate: 0.5 * rate, wanted))


def test_the_current_rate_is_nowhere_and_the_error_has_the_remedy():
    for state in (optax.adamw(SCHEDULE).init(PARAMS), nnx_trained(optax.sgd(SCHEDULE), 0)[1], ()):
        with pytest.raises(ValueError, match=r"`jaxsched.with_schedule\(optax.adamw, schedule\)`"):
            js.learning_rate(state)


def test_the_current_rate_is_in_several_places_and_the_error_names_them():
    tx = optax.chain(ours(), optax.named_chain(("again", ours())))
    with pytest.raises(ValueError, match=r"2 learning rates .* at `\[0\]`, `\[1\]\['again'\]`"):
        js.learning_rate(tx.init(PARAMS))


def test_the_logged_rate_is_the_one_that_was_applied():
    tx = ours()
    state = tx.init(None)
    for i in range(25):
        update, state = tx.update(jnp.ones(()), state)
        assert -update == js.learning_rate(state) == SCHEDULE(i)


def test_gradient_accumulation_does_not_change_the_schedules_speed():
    plain = optax.chain(optax.trace(0.9), ours())
    tx = optax.MultiSteps(plain, 4).gradient_transformation()
    state, plain_state = tx.init(PARAMS), plain.init(PARAMS)
    for i in range(6):
        for part in range(4):
            assert js.learning_rate(state) == SCHEDULE(max(i - 1, 0))
            grads = jax.tree.map(lambda x, part=part: x * (1 + part), PARAMS)
            updates, state = updated(tx, state, 1, grads)
        assert js.learning_rate(state) == SCHEDULE(i)
        expected, plain_state = updated(plain, plain_state, 1, jax.tree.map(lambda x: 2.5 * x, PARAMS))
        close(updates, expected)
    assert state.inner_opt_state[1].count == 6


@pytest.mark.parametrize("kind", ["apply_if_finite", "MultiSteps"])
def test_a_skipped_update_does_not_advance_the_schedule(kind):
    tx = optax.chain(optax.trace(0.9), ours())
    multi = optax.MultiSteps(tx, 1, should_skip_update_fn=optax.skip_not_finite)
    tx = multi.gradient_transformation() if kind == "MultiSteps" else optax.apply_if_finite(tx, 5)
    _, state = updated(tx, tx.init(PARAMS), 3)
    updates, skipped = updated(tx, state, 2, BAD)
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(updates))
    assert js.learning_rate(skipped) == SCHEDULE(2)
    updates, skipped = updated(tx, skipped, 1)
    assert js.learning_rate(skipped) == SCHEDULE(3)
    close(updates, updated(tx, state, 1)[0], rtol=0)


def test_a_run_without_its_optimizer_state_goes_on_at_its_step():
    tx = ours({"w": SCHEDULE, "b": 0.1 * SCHEDULE}, param_labels={"w": "w", "b": "b"})
    updates, state = updated(tx, js.set_count(tx.init(PARAMS), 8), 1)
    expected, straight = updated(tx, tx.init(PARAMS), 9)
    jax.tree.map(np.testing.assert_array_equal, (updates, state), (expected, straight))


def test_moving_the_clock_moves_every_schedule_and_never_adams_bias_correction():
    decay = js.Linear(0.1, 0.0, 20)
    tx = optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(decay),
        optax.inject_hyperparams(optax.adamw)(1.0, b1=js.Linear(0.8, 0.9, 20)),
        optax.scale_by_schedule(SCHEDULE),
        optax.MultiSteps(optax.masked(ours(), {"w": True, "b": False}), 1).gradient_transformation(),
    )
    _, before = updated(tx, tx.init(PARAMS), 2)
    for move in (js.set_count, jax.jit(js.set_count)):
        state = move(before, jnp.int32(7) if move is not js.set_count else np.array(7))
        assert jax.tree.structure(state) == jax.tree.structure(before)
        adam, decayed, injected, scheduled, multi = state
        assert [adam.count, injected.inner_state[0].count, multi.gradient_step] == [2, 2, 2]
        clocks = [decayed.count, injected.count, injected.hyperparams_states["b1"].count, scheduled.count]
        assert [*clocks, multi.inner_opt_state.inner_state.count] == [7] * 5
        assert {leaf.dtype for leaf in clocks} == {jnp.dtype(jnp.int32)}
        _, after = updated(tx, state, 1)
        assert after[2].hyperparams["b1"] == js.Linear(0.8, 0.9, 20)(7)
        assert after[4].inner_opt_state.inner_state.learning_rate == SCHEDULE(7)
    with pytest.raises(ValueError, match="There is no clock of a schedule"):
        js.set_count(optax.adamw(0.1).init(PARAMS), 7)
    state = ours().init(PARAMS)
    for count in (True, 1.0, "7", None, jnp.float32(7), np.float32(7), jnp.array([7])):
        with pytest.raises(TypeError, match="`count` must be an integer"):
            js.set_count(state, count)
    for count in (-1, 2**31, jnp.int32(-1)):
        with pytest.raises(ValueError, match="at least 0 and at most 2147483647"):
            js.set_count(state, count)


def test_the_counter_does_not_overflow():
    tx = optax.chain(ours(), optax.inject_hyperparams(optax.sgd)(js.Linear(0.1, 0.2, 5)))
    _, state = updated(tx, js.set_count(tx.init(PARAMS), 2**31 - 2), 3)
    assert state[0].count == state[1].count == 2**31 - 1
    assert state[0].learning_rate == SCHEDULE(2**31 - 1) == np.float32(0.01)
    assert state[1].hyperparams["learning_rate"] == np.float32(0.2)


def test_a_hundred_schedules_are_one_trace():
    tx, traces = optax.chain(optax.adam(1.0), ours(flip_sign=False)), []

    def step(state, schedule):
        traces.append(1)
        return tx.update(PARAMS, state, PARAMS, schedule=schedule)

    state = js.set_count(tx.init(PARAMS), 20)
    compiled = jax.jit(step)
    for i in range(100):
        schedule = js.warmup(js.Cosine(0.1 + i / 100, 0.0, 50 + i), 5 + i)
        close(js.learning_rate(compiled(state, schedule)[1]), schedule(20))
    assert len(traces) == 1
    with jax.checking_leaks():
        jax.jit(step)(state, SCHEDULE)


def test_a_sweep_is_its_single_runs():
    tx = optax.chain(optax.trace(0.9), ours())

    def trained(schedule):
        def step(carry, _):
            params, state = carry
            updates, state = tx.update(params, state, params, schedule=schedule)
            return (optax.apply_updates(params, updates), state), js.learning_rate(state)

        return jax.lax.scan(step, (PARAMS, tx.init(PARAMS)), length=20)

    schedules = [*(js.warmup(js.Cosine(rate, 0.0, 15), 3) for rate in (0.01, 0.2)), js.Linear(0.1, 0.0, 10)]
    at_once = jax.jit(jax.vmap(trained))(js.stack(schedules))
    for i, schedule in enumerate(schedules):
        close(jax.tree.map(lambda x, i=i: x[i], at_once), jax.jit(trained)(schedule), rtol=1e-5)


DEEP = {"layer0": {"w": jnp.ones(2), "b": jnp.ones(1)}, "layer1": {"w": jnp.ones(2)}, "head": jnp.ones(1)}
LABELS = {
    "tree": {"layer0": {"w": "body", "b": "head"}, "layer1": {"w": "body"}, "head": "head"},
    "prefix": {"layer0": "body", "layer1": "body", "head": "head"},
    "function": by_shape,
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_a_rate_per_group_takes_no_boilerplate(labels):
    tx = ours({"body": 0.1 * SCHEDULE, "head": SCHEDULE}, param_labels=labels, flip_sign=False)
    state = js.set_count(tx.init(DEEP), 4)
    updates, state = tx.update(DEEP, state)
    rates = js.learning_rate(state)
    close(rates, {"body": 0.1 * SCHEDULE(4), "head": SCHEDULE(4)})
    names = labels(DEEP) if callable(labels) else labels
    expected = jax.tree.map(lambda name, part: jax.tree.map(lambda x: rates[name] * x, part), names, DEEP)
    jax.tree.map(np.testing.assert_array_equal, updates, expected)


def test_a_frozen_group_stays_and_an_unfrozen_one_starts_its_own_schedule():
    rates = {"w": js.Constant(0.0), "b": js.join([0.0, js.Cosine(0.3, 0.01, 15)], [3])}
    groups = ours(rates, param_labels={"w": "w", "b": "b"}, flip_sign=False)
    tx = optax.chain(optax.adamw(1.0, weight_decay=0.1), groups)
    for i, (params, state) in enumerate(trained(lambda _: tx, 10)):
        np.testing.assert_array_equal(params["w"], PARAMS["w"])
        assert (params["b"] == PARAMS["b"]) == (i < 3)
        assert js.learning_rate(state)["b"] == (0 if i < 3 else js.Cosine(0.3, 0.01, 15)(i - 3))


def test_layerwise_decay_is_a_dict_comprehension():
    params = {f"layer{i}": jnp.ones(2) for i in range(4)}
    decayed = {f"layer{i}": 0.8 ** (3 - i) * SCHEDULE for i in range(4)}
    tx = ours(decayed, param_labels={name: name for name in params})
    updates, _ = updated(tx, js.set_count(tx.init(params), 6), 1, params)
    close(updates, {f"layer{i}": jnp.full(2, -(0.8 ** (3 - i)) * SCHEDULE(6)) for i in range(4)})


def test_labels_and_schedules_that_do_not_match_are_an_error():
    one, groups = ours(), ours({"a": 0.1, "b": 0.2}, param_labels={"w": "a", "b": "b"})
    for labels in ({"w": "a", "b": "typo"}, lambda params: {"w": "a", "b": "typo"}):
        with pytest.raises(ValueError, match=r"must be labels of `schedule`, \['a'\], got \['typo'\]"):
            ours({"a": 0.1}, param_labels=labels).init(PARAMS)
    for tx, schedule, wanted in (
        (one, {"a": 0.1}, "be one schedule without `param_labels`, got a dict"),
        (groups, SCHEDULE, "be a dict of schedules, one for each label of `param_labels`, got"),
        (groups, {"a": 0.1}, r"have the labels \['a', 'b'\], got \['a'\]"),
    ):
        with pytest.raises(ValueError, match=f"`schedule` must {wanted}"):
            tx.update(PARAMS, tx.init(PARAMS), schedule=schedule)
    _, state = groups.update(PARAMS, groups.init(PARAMS), schedule={"a": 0.3, "b": SCHEDULE})
    close(js.learning_rate(state), {"a": 0.3, "b": SCHEDULE(0)})


MISMATCHES = {
    "a missing branch": ({"layer0": "body", "head": "head"}, "there is no label for `['layer1']`."),
    "a missing leaf": (
        {"layer0": {"w": "body"}, "layer1": "body", "head": "head"},
        "there is no label for `['layer0']['b']`.",
    ),
    "None for a label": (
        {"layer0": None, "layer1": "body", "head": "head"},
        "there is no label for `['layer0']`.",
    ),
    "labels below a parameter": (
        {"layer0": "body", "layer1": "body", "head": {"w": "head"}},
        "there is no label for `['head']`, no parameter at `['head']['w']`.",
    ),
    "another branch": (
        {"layer0": "body", "layer1": "body", "head": "head", "layer2": {"w": "body", "b": "head"}},
        "there is no parameter at `['layer2']`.",
    ),
    "other names": (
        {"conv0": "body", "conv1": "body", "head": "head"},
        "there is no label for `['layer0']`, `['layer1']`, no parameter at `['conv0']`, `['conv1']`.",
    ),
    "a list for a dict": (
        ["body", "body", "head"],
        "there is no label for `['head']`, `['layer0']`, `['layer1']`, no parameter at `[0]`, `[1]`, `[2]`.",
    ),
    "a schedule for nothing": (
        {"layer0": "body", "layer1": "body", "head": "body"},
        "there is no parameter with the label 'head'.",
    ),
    "all of them": (
        {"layer0": "body", "layer2": "body"},
        "there is no label for `['head']`, `['layer1']`, no parameter at `['layer2']`, "
        "no parameter with the label 'head'.",
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_labels_that_do_not_match_the_parameters_are_named_at_once(name):
    labels, message = MISMATCHES[name]
    for given in (labels, lambda params: labels):
        tx = optax.chain(optax.trace(0.9), ours({"body": 0.1, "head": 0.2}, param_labels=given))
        for init in (tx.init, jax.jit(tx.init), lambda params, tx=tx: jax.eval_shape(tx.init, params)):
            with pytest.raises(ValueError) as error:
                init(DEEP)
            assert str(error.value) == f"`param_labels` must match the parameters: {message}"


def test_labels_that_match_other_parameters_are_an_error_in_an_update_too():
    tx = ours({"body": 0.1}, param_labels={"layer0": "body"})
    with pytest.raises(ValueError, match=r"match the parameters: there is no label for `\['head'\]`"):
        tx.update(DEEP, tx.init({"layer0": DEEP["layer0"]}))
    tx = ours({"body": 0.1}, param_labels={"w": "body"})
    with pytest.raises(ValueError, match="there is no label for the whole, no parameter at `\\['w'\\]`"):
        tx.init(jnp.ones(2))


HOLES = {
    "None": {"layer0": {"w": jnp.ones(2), "b": None}, "layer1": None, "head": jnp.ones(1)},
    "masked": {
        "layer0": {"w": jnp.ones(2), "b": optax.MaskedNode()},
        "layer1": optax.MaskedNode(),
        "head": jnp.ones(1),
    },
    "masked above the labels": {
        "layer0": optax.MaskedNode(),
        "layer1": {"w": jnp.ones(2)},
        "head": jnp.ones(1),
    },
    "one group": {"layer0": {"w": jnp.ones(2), "b": None}, "layer1": {"w": jnp.ones(2)}, "head": None},
    "empty": {"layer0": {"w": jnp.ones(2), "b": ()}, "layer1": {}, "head": jnp.ones(1)},
    "nothing": None,
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("holes", HOLES)
def test_what_is_no_parameter_takes_any_label_or_none(holes, labels):
    params = HOLES[holes]
    tx = ours({"body": 0.5, "head": 0.25}, param_labels=labels, flip_sign=False)
    updates, state = tx.update(params, tx.init(params))
    jax.tree.map(np.testing.assert_array_equal, js.learning_rate(state), {"body": 0.5, "head": 0.25})
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    for update in jax.tree.leaves(updates):
        np.testing.assert_array_equal(update, np.full(update.shape, 0.25 if update.shape == (1,) else 0.5))


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_groups_inside_of_a_mask_and_of_a_partition(labels):
    groups = ours({"body": 0.5, "head": 0.25}, param_labels=labels, flip_sign=False)
    names = labels(DEEP) if callable(labels) else labels
    rates = {"body": 0.5, "head": 0.25}
    wanted = jax.tree.map(lambda name, part: jax.tree.map(lambda x: rates[name] * x, part), names, DEEP)
    masked = optax.masked(groups, {"layer0": True, "layer1": True, "head": False})
    partition = optax.partition(
        {"a": groups, "b": optax.chain(optax.scale(2.0), groups)}, {"layer0": "a", "layer1": "b", "head": "a"}
    )
    for tx, changed, factor in ((masked, "head", 1 / rates["head"]), (partition, "layer1", 2.0)):
        updates, state = tx.update(DEEP, tx.init(DEEP), DEEP)
        expected = wanted | {
            changed: jax.tree.map(lambda leaf, factor=factor: factor * leaf, wanted[changed])
        }
        jax.tree.map(np.testing.assert_array_equal, updates, expected)
        specs = optax.tree_map_params(tx, lambda leaf: leaf, state)
        assert jax.tree.structure(specs) == jax.tree.structure(state)


def test_a_dict_of_labels_fits_any_tree_with_its_paths():
    tx = ours({"body": 0.5, "head": 0.25}, param_labels=LABELS["tree"], flip_sign=False)
    params = flax.core.freeze(DEEP)
    updates, _ = tx.update(params, tx.init(params))
    assert isinstance(updates, flax.core.FrozenDict)
    assert (updates["layer0"]["w"][0], updates["layer0"]["b"][0]) == (0.5, 0.25)
    tx = ours({"body": 0.5, "head": 0.25}, param_labels={"kernel": "body", "bias": "head"})
    close(js.learning_rate(nnx_trained(tx, 2)[1]), {"body": 0.5, "head": 0.25})
    with pytest.raises(ValueError, match=r"no label for `\['bias'\]`, no parameter with the label 'head'"):
        nnx_trained(ours({"body": 0.5, "head": 0.25}, param_labels={"kernel": "body"}), 0)


def test_momentum_follows_a_schedule_in_float32_where_parameters_are_bfloat16():
    rate, momentum = js.one_cycle(0.01, 0.2, 0.0, 20), js.one_cycle_momentum(0.95, 0.85, 20)
    tx = optax.inject_hyperparams(optax.sgd, hyperparam_dtype=jnp.float32)(rate, momentum=momentum)
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    by_hand = trained(lambda i: optax.sgd(rate(i), momentum=momentum(i)), 20, params)
    for i, (ours_, fed) in enumerate(zip(trained(lambda _: tx, 20, params), by_hand, strict=True)):
        jax.tree.map(np.testing.assert_array_equal, ours_[0], fed[0])
        assert ours_[1].hyperparams == {"learning_rate": rate(i), "momentum": momentum(i)}
        assert js.learning_rate(ours_[1]) == rate(i)
    assert ours_[0]["w"].dtype == jnp.bfloat16


def test_the_rate_does_not_inherit_bfloat16():
    tx, params = ours(js.Constant(0.3)), jnp.array([3.0], jnp.bfloat16)
    updates, state = tx.update(params, tx.init(params))
    assert js.learning_rate(state) == np.float32(0.3)
    assert updates == jnp.float32(-0.9).astype(jnp.bfloat16)
    assert updates != optax.sgd(0.3).update(params, optax.sgd(0.3).init(params))[0]


def test_weight_decay_follows_a_schedule():
    decay = js.Linear(0.1, 0.01, 10)
    tx = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(decay), ours())
    by_hand = trained(lambda i: optax.adamw(SCHEDULE(i), weight_decay=decay(i)), 15)
    for (params, _), (fed, _) in zip(trained(lambda _: tx, 15), by_hand, strict=True):
        close(params, fed, rtol=1e-5)


def test_a_plateau_follows_a_warmup():
    rule = js.Plateau(factor=0.5, patience=1, cooldown=1)
    tx = optax.chain(optax.trace(0.9), ours(), js.scale_by_plateau(rule))
    state, scales = tx.init(PARAMS), []
    for i, loss in enumerate([3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]):
        scales.append(float(state[2].plateau.scale))
        _, state = tx.update(PARAMS, state, PARAMS, value=loss)
        assert js.learning_rate(state) == SCHEDULE(i) * scales[i]  # a loss takes effect at the next update
    assert scales == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_a_validation_metric_is_given_where_it_is_made():
    rule = js.Plateau(factor=0.1, patience=0, mode="max")
    tx = optax.chain(ours(), js.scale_by_plateau(rule, metric=None))
    state = tx.init(PARAMS)
    for epoch, (accuracy, scale) in enumerate([(0.5, 1.0), (0.4, 1.0), (0.6, 0.1), (0.6, 0.1)]):
        _, state = updated(tx, state, 6)
        close(js.learning_rate(state), scale * SCHEDULE(6 * epoch + 5))
        state = jax.jit(rule.observe)(state, accuracy)
