"""Plateaus: against PyTorch's traces, against the docstring, and in optimizers."""

from __future__ import annotations

import copy
import json
import math
import pickle
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js

GOLDENS = json.loads((Path(__file__).parents[1] / "goldens/torch_plateau.json").read_text())
TRACES = GOLDENS["traces"]
LENGTH = 30
HASTY = js.Plateau(factor=0.5, patience=0)
PARAMS = jnp.array([1.0, -2.0])


def scan(rule, metrics):
    def step(state, metric):
        state = rule.observe(state, metric)
        return state, state

    return jax.lax.scan(step, rule.init(), metrics)[1]


scanned = jax.jit(chex.assert_max_traces(scan, n=2))
"""The state after each of `LENGTH` metrics; it compiles once per mode, whatever the rule."""


def states(rule, metrics):
    padded = [*metrics, *[math.nan] * (LENGTH - len(metrics))]
    return jax.tree.map(lambda leaf: leaf[: len(metrics)], scanned(rule, jnp.asarray(padded, jnp.float32)))


def rule_of(trace):
    return js.Plateau(**trace["arguments"])


def rates_of(trace):
    """PyTorch's rate after each metric."""
    rates = np.ones(len(trace["metrics"]))
    for i, rate in trace["cuts"]:
        rates[i:] = rate
    return rates


def same(scales, rates):
    np.testing.assert_allclose(scales, rates, rtol=1e-6, atol=0)


def optimizer(rule=HASTY, schedule=0.1):
    return optax.chain(js.scale_by_learning_rate(schedule), js.scale_by_plateau(rule))


def test_there_are_enough_traces():
    assert len(TRACES) > 500
    for mode in ("min", "max"):
        for margin in ("rtol", "atol"):
            chosen = [t for t in TRACES if t["arguments"]["mode"] == mode and t["arguments"][margin] > 0]
            assert len([t for t in chosen if t["cuts"]]) > 80


@pytest.mark.smoke
def test_every_trace_of_pytorch():
    for trace in TRACES:
        same(states(rule_of(trace), trace["metrics"]).scale, rates_of(trace))


@jax.jit
def in_an_optimizer(rule, metrics):
    """The scales of a plateau that gets each metric from `update`, and of one that observes it."""
    tx = optimizer(rule)

    def step(states, metric):
        given_to, observing = states
        _, given_to = tx.update(PARAMS, given_to, PARAMS, value=metric)
        observing = rule.observe(observing, metric)
        return (given_to, observing), (given_to[1].plateau.scale, observing[1].plateau.scale)

    return jax.lax.scan(step, (tx.init(PARAMS), tx.init(PARAMS)), metrics)[1]


@pytest.mark.smoke
def test_every_trace_of_pytorch_in_an_optimizer():
    for trace in TRACES:
        metrics = jnp.array(trace["metrics"], jnp.float32)
        for scales in in_an_optimizer(rule_of(trace), metrics):
            same(scales, rates_of(trace))


@pytest.mark.parametrize("mode", ["min", "max"])
def test_64_rules_at_once(mode):
    chosen = [trace for trace in TRACES if trace["arguments"]["mode"] == mode][:64]
    rules = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(rule_of, chosen))
    metrics = jnp.array([trace["metrics"] for trace in chosen])
    same(jax.jit(jax.vmap(scan))(rules, metrics).scale, [rates_of(trace) for trace in chosen])


@pytest.mark.parametrize("trace", TRACES[:6], ids=range(6))
def test_alone_and_in_an_optimizer(trace):
    rule, rates = rule_of(trace), rates_of(trace)
    tx = optimizer(rule)
    observe = jax.jit(js.Plateau.observe)
    update = jax.jit(lambda state, metric: tx.update(PARAMS, state, PARAMS, value=metric))
    eager, compiled, inside, given_to = rule.init(), rule.init(), tx.init(PARAMS), tx.init(PARAMS)
    applied = 1.0
    for metric, rate in zip(trace["metrics"], rates, strict=True):
        eager, compiled = rule.observe(eager, metric), observe(rule, compiled, metric)
        inside = observe(rule, inside, metric)
        updates, given_to = update(given_to, metric)
        same(updates, -0.1 * applied * PARAMS)
        same(js.learning_rate(given_to), 0.1 * applied)
        same([eager.scale, compiled.scale, inside[1].plateau.scale, given_to[1].plateau.scale], [rate] * 4)
        applied = rate
    updates, inside = tx.update(PARAMS, inside)
    same(updates, -0.1 * applied * PARAMS)


def machine(rule, metrics):
    """The docstring of `Plateau` in float64."""
    sign = 1 if rule.mode == "min" else -1
    scale, best, bad, waiting = 1.0, sign * math.inf, 0, 0
    for metric in metrics:
        margin = rule.rtol * abs(best) + rule.atol if math.isfinite(best) else 0.0
        if math.isfinite(metric) and sign * metric < sign * best - margin:
            best, bad = metric, 0
        else:
            bad += 1
        if waiting > 0:
            waiting, bad = waiting - 1, 0
        if bad > rule.patience:
            lower = max(scale * rule.factor, rule.min_scale)
            scale = lower if scale - lower > rule.eps else scale
            waiting, bad = rule.cooldown, 0
        yield scale, best, bad, waiting


def in_steps(size, highest):
    """Multiples of `size`; float32 arithmetic on them is exact, so ties are ties in both."""
    return st.integers(0, highest).map(lambda n: n * size)


RULES = st.builds(
    js.Plateau,
    factor=st.sampled_from([0.0, 0.25, 0.5]),
    patience=st.integers(0, 3),
    rtol=in_steps(0.125, 12),
    atol=in_steps(0.125, 8),
    cooldown=st.integers(0, 3),
    min_scale=in_steps(0.125, 8),
    eps=in_steps(0.0625, 8),
    mode=st.sampled_from(["min", "max"]),
)
METRICS = st.integers(-40, 40).map(lambda n: n / 8) | st.sampled_from([math.nan, math.inf, -math.inf])


@settings(max_examples=200, deadline=None)
@given(RULES, st.lists(METRICS, min_size=1, max_size=LENGTH))
def test_it_is_the_machine_of_the_docstring(rule, metrics):
    for ours, true in zip(states(rule, metrics), zip(*machine(rule, metrics), strict=True), strict=True):
        np.testing.assert_array_equal(ours, true)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_not_finite_is_never_better(mode):
    rule = js.Plateau(factor=0.5, patience=3, mode=mode)
    seen = states(rule, [-math.inf, math.inf, math.nan, 2.0, -math.inf, math.inf])
    np.testing.assert_array_equal(seen.bad_count, [1, 2, 3, 0, 1, 2])
    assert seen.best[-1] == 2.0


@pytest.mark.parametrize(("mode", "step"), [("min", 0.005), ("max", -0.005)])
def test_a_relative_margin_of_negative_metrics(mode, step):
    """With PyTorch's signed margin each of these worse metrics would count as an improvement."""
    rule = js.Plateau(factor=0.5, patience=2, rtol=0.01, mode=mode)
    worse = [-1.0 + step * i for i in range(7)]
    np.testing.assert_array_equal(states(rule, worse).scale, [1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    better = [-1.0 - 4 * step * i for i in range(7)]
    np.testing.assert_array_equal(states(rule, better).bad_count, np.zeros(7))


def test_a_flat_metric_with_patience_2():
    """PyTorch tolerates two bad observations and cuts at the third; Optax and Keras cut at the second.

    Keras 3 reduces at observations 3, 5, 7 and 9.
    """

    def cuts(scales):
        return [i + 1 for i in range(1, 10) if scales[i] < scales[i - 1]]

    torch, keras = TRACES[0], [3, 5, 7, 9]
    assert set(torch["metrics"]) == {1.0}
    assert torch["arguments"]["patience"] == 2
    assert cuts(rates_of(torch)) == [4, 7, 10]
    assert cuts(states(js.Plateau(patience=2), [1.0] * 10).scale) == [4, 7, 10]
    assert cuts(states(js.Plateau(patience=1), [1.0] * 10).scale) == keras
    theirs = optax.contrib.reduce_on_plateau(patience=2)
    state, scales = theirs.init(PARAMS), []
    for _ in range(10):
        _, state = theirs.update(PARAMS, state, value=1.0)
        scales.append(state.scale)
    assert cuts(scales) == keras


def test_the_floor_and_the_smallest_cut():
    flat = [1.0] * 5
    rule = js.Plateau(factor=0.5, patience=0, min_scale=0.375)
    np.testing.assert_array_equal(states(rule, flat).scale, [1, 0.5, 0.375, 0.375, 0.375])
    for eps, last in [(0.24, 0.25), (0.25, 0.5), (0.26, 0.5)]:
        rule = js.Plateau(factor=0.5, patience=0, eps=eps)
        np.testing.assert_array_equal(states(rule, flat).scale, [1, 0.5, last, last, last])
    # The cooldown restarts although the scale did not change.
    waits = js.Plateau(factor=0.5, patience=0, min_scale=1.0, cooldown=2)
    np.testing.assert_array_equal(states(waits, flat).cooldown_count, [0, 2, 1, 0, 2])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_low_precision_loses_nothing(dtype):
    rule = js.Plateau(factor=0.9, patience=0)
    tx = js.scale_by_plateau(rule)
    params = jnp.linspace(0.1, 3.0, 16, dtype=dtype)
    state, scale = tx.init(params), np.float32(1)
    for _ in range(5):
        updates, state = tx.update(params, state, params, value=jnp.ones((), dtype))
        product = np.asarray(params, np.float32) * scale
        assert updates.dtype == dtype
        np.testing.assert_array_equal(np.asarray(updates), np.asarray(jnp.asarray(product).astype(dtype)))
        scale = np.asarray(state.plateau.scale)
    assert [leaf.dtype for leaf in state.plateau] == [jnp.float32, jnp.float32, jnp.int32, jnp.int32]
    np.testing.assert_allclose(scale, 0.9**4, rtol=3e-7)


@pytest.mark.parametrize("metric", [3, np.int64(3_000_000_000), 3_000_000_000, np.float64(0.5), jnp.int8(3)])
def test_any_real_scalar_is_a_metric(metric):
    assert HASTY.observe(HASTY.init(), metric).best == np.float32(metric)


@pytest.mark.parametrize("metric", [jnp.ones(1), [1.0], [1, [2]], "1.0", None, 1j, True, object(), 10**400])
def test_a_metric_that_is_no_real_scalar(metric):
    with pytest.raises(TypeError, match="`metric` must be a real scalar, got "):
        HASTY.observe(HASTY.init(), metric)


def test_errors():
    with pytest.raises(ValueError, match="no plateau state in this tree; add `scale_by_plateau`"):
        HASTY.observe(optax.adam(0.1).init(PARAMS), 1.0)
    twice = optax.chain(js.scale_by_plateau(HASTY), optax.adam(0.1), js.scale_by_plateau(HASTY))
    with pytest.raises(ValueError, match=r"are 2 plateau states, at `\[0\].plateau`, `\[2\].plateau`; pass"):
        HASTY.observe(twice.init(PARAMS), 1.0)
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max', got 'mn'."):
        js.Plateau(mode="mn")
    with pytest.raises(ValueError, match="`factor` must be at least 0 and below 1, got 1."):
        js.Plateau(factor=1.0)
    with pytest.raises(ValueError, match="`patience` must be at least 0, got -1."):
        js.Plateau(patience=-1)
    with pytest.raises(TypeError, match="`rule` must be a Plateau, got 0.1."):
        js.scale_by_plateau(0.1)
    with pytest.raises(TypeError, match="`metric` must be a name or None, got 3."):
        js.scale_by_plateau(HASTY, metric=3)


def test_a_rule_is_a_value():
    rule = js.Plateau(0.5, 3, mode="max")
    assert repr(rule) == "Plateau(0.5, 3, mode='max')"
    assert repr(js.Plateau()) == "Plateau()"
    for other in (js.Plateau(0.5, 3.0, mode="max"), copy.deepcopy(rule), pickle.loads(pickle.dumps(rule))):
        assert other == rule
        assert hash(other) == hash(rule)
    for other in (js.Plateau(0.5, 3), js.Plateau(0.5, 4, mode="max"), js.Constant(0.5)):
        assert other != rule


def test_a_hundred_rules_are_one_trace():
    observe = jax.jit(chex.assert_max_traces(lambda rule, state: rule.observe(state, 1.0), n=1))
    for i in range(100):
        rule = js.Plateau(0.01 * i, i, rtol=0.1 * i, atol=i, cooldown=i, min_scale=0.01 * i, eps=i)
        assert observe(rule, rule.init()).best == 1.0


def test_it_multiplies_any_schedule():
    schedule = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
    tx = optimizer(schedule=schedule)
    state, rate = tx.init(PARAMS), schedule(0)
    for i in range(20):
        if i in (3, 4, 11):
            state = HASTY.observe(state, 1.0)
        # The rate is that of the latest update until the next one.
        assert js.learning_rate(state) == rate
        updates, state = tx.update(PARAMS, state)
        rate = schedule(i) * np.float32(1 if i < 4 else 0.5 if i < 11 else 0.25)
        assert js.learning_rate(state) == rate
        same(updates, -rate * PARAMS)


def test_two_plateaus_by_their_places():
    slow = js.Plateau(factor=0.1, patience=1)
    a, b = ("a", js.scale_by_plateau(HASTY)), ("b", js.scale_by_plateau(slow))
    tx = optax.named_chain(("rate", js.scale_by_learning_rate(1.0)), a, b)
    state = tx.init(PARAMS)
    for _ in range(3):
        state |= {"a": HASTY.observe(state["a"], 1.0), "b": slow.observe(state["b"], 1.0)}
    _, state = tx.update(PARAMS, state)
    assert (state["a"].scale, state["b"].scale) == (0.25, np.float32(0.1))
    same(js.learning_rate(state), 0.025)


def test_two_plateaus_by_the_names_of_their_metrics():
    rising = js.Plateau(factor=0.1, patience=0, mode="max")
    parts = js.scale_by_plateau(HASTY, metric="loss"), js.scale_by_plateau(rising, metric="accuracy")
    tx = optax.chain(*parts, js.scale_by_plateau(HASTY, metric=None))
    state = tx.init(PARAMS)
    for metrics in ({"loss": 1}, {"loss": 1, "accuracy": 2}, {"loss": 0, "accuracy": 2}, {"value": 9}):
        updates, state = tx.update(PARAMS, state, **metrics)
    same([part.scale for part in state], [0.5, 0.1, 1.0])
    same(updates, 0.05 * PARAMS)


def test_it_listens_from_a_step_on():
    @jax.jit
    def observe(state, metric, step):
        observed = HASTY.observe(state, metric)
        return jax.tree.map(lambda new, old: jnp.where(step >= 5, new, old), observed, state)

    state, scales = optimizer().init(PARAMS), []
    for step in range(8):
        state = observe(state, 1.0, step)
        scales.append(float(state[1].plateau.scale))
    assert scales == [1, 1, 1, 1, 1, 1, 0.5, 0.25]


def test_in_one_part_of_a_partition():
    tx = optax.partition({"a": optimizer(), "b": js.scale_by_learning_rate(0.2)}, {"x": "a", "y": "b"})
    params = {"x": PARAMS, "y": PARAMS}
    state = HASTY.observe(HASTY.observe(tx.init(params), 1.0), 1.0)
    for rate in (0.05, 0.025):
        updates, state = tx.update(params, state, params, value=1.0)
        same(updates["x"], -rate * PARAMS)
        same(updates["y"], -0.2 * PARAMS)
        assert js.learning_rate(state) == {"a": np.float32(rate), "b": np.float32(0.2)}


@pytest.mark.smoke
def test_under_multi_steps():
    tx = optax.MultiSteps(optimizer(), 2)
    state = tx.init(PARAMS)
    update = jax.jit(lambda state, value: tx.update(PARAMS, state, PARAMS, value=value))
    # It observes with each update, at every second gradient.
    for i, rate in enumerate([0.1, 0.1, 0.1, 0.1, 0.1, 0.05]):
        updates, state = update(state, 1.0)
        same(js.learning_rate(state), rate)
        same(updates, -rate * PARAMS if i % 2 else 0 * PARAMS)
    state = HASTY.observe(state, 1.0)
    updates, state = update(update(state, 1.0)[1], 1.0)
    same(updates, -0.1 * 0.125 * PARAMS)


@pytest.mark.smoke
def test_in_an_nnx_optimizer():
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    wrapped = nnx.Optimizer(model, optimizer(), wrt=nnx.Param)

    @nnx.jit
    def train(model, wrapped):
        loss, gradients = nnx.value_and_grad(lambda model: (model(PARAMS) ** 2).sum())(model)
        wrapped.update(model, gradients)
        return loss

    first = train(model, wrapped)
    for _ in range(2):
        wrapped = HASTY.observe(wrapped, 1.0)
    assert isinstance(wrapped, nnx.Optimizer)
    second = train(model, wrapped)
    same(js.learning_rate(wrapped), 0.05)
    assert wrapped.step[...] == 2
    assert train(model, wrapped) < second < first
    jitted = nnx.jit(lambda wrapped: HASTY.observe(wrapped, 1.0))(wrapped)
    train(model, jitted)
    same(js.learning_rate(jitted), 0.025)


def test_in_a_train_state():
    state = TrainState.create(apply_fn=None, params={"w": PARAMS}, tx=optimizer())
    observe = jax.jit(HASTY.observe)
    for _ in range(3):
        state = observe(state, 1.0)
    state = state.apply_gradients(grads={"w": jnp.ones(2)})
    assert isinstance(state, TrainState)
    same(js.learning_rate(state), 0.025)
    same(state.params["w"], PARAMS - 0.025)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_replicated_state_stays_replicated(compiled):
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    assert len(everywhere.device_set) == 8
    state = jax.device_put(optimizer().init(PARAMS), everywhere)
    observe = jax.jit(HASTY.observe) if compiled else HASTY.observe
    for _ in range(2):
        state = observe(state, 1.0)
    for leaf in jax.tree.leaves(state):
        assert leaf.sharding.is_equivalent_to(everywhere, leaf.ndim)
    assert state[1].plateau.scale == 0.5


def test_a_batched_state_takes_one_metric_or_one_for_each_member():
    metrics = np.array([[3.0, 1.0, 2.0], [2.0, 1.0, 3.0], [2.5, 0.5, 1.0], [2.5, 0.5, 1.0]], np.float32)
    averaged = js.ports.optax.reduce_on_plateau(factor=0.5, patience=1, accumulation_size=2)
    for rule in (HASTY, averaged):
        alone = []
        for column in metrics.T:
            state = rule.init()
            for metric in column:
                state = rule.observe(state, metric)
            alone.append(state)
        many = jax.vmap(lambda _, rule=rule: rule.init(), axis_size=3)(None)
        mapped = inside = many
        for row in metrics:
            many, mapped = rule.observe(many, row), jax.vmap(rule.observe)(mapped, row)
            inside = jax.jit(rule.observe)({"plateau": inside, "other": row}, row)["plateau"]
        for states in (many, mapped, inside):
            jax.tree.map(np.testing.assert_array_equal, states, jax.tree.map(lambda *x: np.stack(x), *alone))
    many = HASTY.observe(jax.vmap(lambda _: HASTY.init(), axis_size=3)(None), metrics[0])
    np.testing.assert_array_equal(HASTY.observe(many, metrics[1]).scale, [1.0, 0.5, 0.5])
    np.testing.assert_array_equal(HASTY.observe(many, 1.5).scale, [1.0, 0.5, 1.0])


@pytest.mark.parametrize(
    "metric", [jnp.ones(1), jnp.ones(4), jnp.ones((1, 3)), jnp.ones((3, 3)), [1.0, 1.0, 1.0]]
)
def test_metrics_for_other_members_than_there_are(metric):
    many = jax.vmap(lambda _: HASTY.init(), axis_size=3)(None)
    with pytest.raises(TypeError, match=r"`metric` must be a real scalar or an array of shape \(3,\), got "):
        HASTY.observe(many, metric)
