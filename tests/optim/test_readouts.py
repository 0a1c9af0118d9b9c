"""Reading and setting optimizer states with leading axes and under `optax.inject_hyperparams`."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js

PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}
LABELS = {"w": "slow", "b": "fast"}
PEAKS = np.array([0.1, 0.2, 0.4], np.float32)
LENGTH = 8
STEPS = 4
HASTY = js.Plateau(factor=0.5, patience=0)


def line(peak):
    return js.Linear(peak, 0.0, LENGTH)


def line_at(peak, step):
    """`line` by hand."""
    return peak * (1 - step / LENGTH)


def ours(peak, **options):
    return js.scale_by_learning_rate(line(peak), **options)


def groups(peak):
    return js.scale_by_learning_rate({"slow": line(0.1 * peak), "fast": line(peak)}, param_labels=LABELS)


def partition(peak):
    slow = optax.chain(ours(0.1 * peak), js.scale_by_plateau(HASTY))
    return optax.partition({"slow": slow, "fast": ours(peak)}, LABELS)


def plateau_at(step):
    """The scale of `HASTY` if every update has the metric 1: the first is its best, all later ones cut."""
    return 0.5 ** max(step - 1, 0)


NESTS = {
    "alone": (ours, line_at),
    "masked": (lambda peak: optax.masked(ours(peak), {"w": True, "b": False}), line_at),
    "groups": (groups, lambda peak, i: {"slow": line_at(0.1 * peak, i), "fast": line_at(peak, i)}),
    "partition": (
        partition,
        lambda peak, i: {"slow": plateau_at(i) * line_at(0.1 * peak, i), "fast": line_at(peak, i)},
    ),
    "plateau": (
        lambda peak: optax.chain(optax.trace(0.9), ours(peak), js.scale_by_plateau(HASTY)),
        lambda peak, i: plateau_at(i) * line_at(peak, i),
    ),
    "plateau of groups": (
        lambda peak: optax.chain(groups(peak), js.scale_by_plateau(HASTY)),
        lambda peak, i: {
            "slow": plateau_at(i) * line_at(0.1 * peak, i),
            "fast": plateau_at(i) * line_at(peak, i),
        },
    ),
    "MultiSteps": (
        lambda peak: optax.MultiSteps(ours(peak), 2).gradient_transformation(),
        lambda peak, i: line_at(peak, max((i + 1) // 2 - 1, 0)),
    ),
    "injected": (lambda peak: optax.inject_hyperparams(optax.sgd)(line(peak)), line_at),
    "injected beside": (
        lambda peak: optax.chain(optax.inject_hyperparams(optax.sgd)(peak), ours(2 * peak, flip_sign=False)),
        lambda peak, i: peak * line_at(2 * peak, i),
    ),
}


def history(build, peak):
    """The states after each of `STEPS` updates, stacked."""
    tx = optax.with_extra_args_support(build(peak))

    def step(state, _):
        _, state = tx.update(PARAMS, state, PARAMS, value=1.0)
        return state, state

    return jax.lax.scan(step, tx.init(PARAMS), length=STEPS)[1]


def last(build, peak):
    return jax.tree.map(lambda leaf: leaf[-1], history(build, peak))


def expected(rate_of, peaks, steps):
    """The rates by hand at all pairs of `peaks` and `steps`."""
    pairs = [[rate_of(peak, step) for step in steps] for peak in peaks]
    return jax.tree.map(lambda *rates: np.reshape(rates, (len(peaks), len(steps))), *itertools.chain(*pairs))


def close(left, right):
    def same(a, b):
        assert a.shape == np.shape(b)
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, rtol=1e-6)

    jax.tree.map(same, left, right)


def clocks_of(state):
    leaves, _ = jax.tree.flatten_with_path(state)
    return [leaf for path, leaf in leaves if jax.tree_util.keystr(path).endswith("count")]


@pytest.mark.parametrize("nest", NESTS)
def test_a_batched_state_has_a_rate_for_each_member(nest):
    build, rate_of = NESTS[nest]
    grid = expected(rate_of, PEAKS, range(STEPS))
    histories = jax.jit(jax.vmap(lambda peak: history(build, peak)))(PEAKS)
    close(js.learning_rate(histories), grid)
    close(jax.jit(js.learning_rate)(histories), grid)
    close(jax.vmap(js.learning_rate)(histories), grid)
    close(js.learning_rate(history(build, 0.2)), jax.tree.map(lambda rates: rates[1], grid))
    ends = jax.tree.map(lambda leaf: leaf[:, -1], histories)
    close(js.learning_rate(ends), jax.tree.map(lambda rates: rates[:, -1], grid))


def nests(*first, among=NESTS):
    """By default these, where each takes programs of several devices; the rest are thorough."""
    return [pytest.param(nest, marks=[] if nest in first else pytest.mark.thorough) for nest in among]


@pytest.mark.parametrize("nest", nests("alone", "plateau of groups", "injected beside"))
def test_a_state_of_several_devices_has_a_rate_for_each(nest):
    build, rate_of = NESTS[nest]
    states = jax.pmap(lambda peak: last(build, peak))(PEAKS)
    wanted = jax.tree.map(lambda rates: rates[:, 0], expected(rate_of, PEAKS, [STEPS - 1]))
    close(js.learning_rate(states), wanted)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[: len(PEAKS)]), ("member",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("member"))
    states = jax.device_put(jax.vmap(lambda peak: last(build, peak))(PEAKS), spread)
    close(js.learning_rate(states), wanted)
    for leaf in [*jax.tree.leaves(js.learning_rate(states)), *clocks_of(js.set_count(states, 5))]:
        assert leaf.sharding.is_equivalent_to(spread, leaf.ndim)


def test_a_sweep_has_a_rate_for_each_schedule():
    tx = optax.chain(optax.trace(0.9), js.scale_by_learning_rate(0.0))
    schedules = js.stack([line(0.1), 0.3, js.Piecewise([0.4, 0.2], [2])])
    states = jax.vmap(lambda _: tx.init(PARAMS), axis_size=3)(None)
    update = jax.vmap(lambda state, schedule: tx.update(PARAMS, state, PARAMS, schedule=schedule))
    for step, rates in enumerate([[0.1, 0.3, 0.4], [0.0875, 0.3, 0.4], [0.075, 0.3, 0.2]]):
        _, states = update(states, schedules)
        assert states[1].count.tolist() == [step + 1] * 3
        close(js.learning_rate(states), rates)


def test_factors_of_fewer_axes_go_with_the_leading_ones():
    """All axes have one length, so a factor on the wrong axis would not be a shape error."""
    build, _ = NESTS["injected beside"]
    states = jax.vmap(lambda peak: history(build, peak))(PEAKS)
    states = jax.tree.map(lambda leaf: leaf[:, :3], states)
    lines = expected(lambda peak, i: line_at(2 * peak, i), PEAKS, range(3))
    for injected in (0.5, jnp.float32(0.5), PEAKS, jnp.asarray(PEAKS)):
        states[0].hyperparams["learning_rate"] = injected
        close(js.learning_rate(states), np.reshape(injected, (-1, 1)) * lines)


def test_a_rate_that_was_read_outlives_its_state():
    for build, rate_of in NESTS.values():
        state = last(build, 0.2)
        rate = js.learning_rate(state)
        for leaf in jax.tree.leaves(state):
            leaf.delete()  # as if the state were donated
        close(rate, jax.tree.map(np.float32, rate_of(0.2, STEPS - 1)))


MOVED = [nest for nest in NESTS if "plateau" not in nest and nest != "partition"]
IN_BATCHES = [
    *(pytest.param(jax.vmap, nest, id=f"vmap-{nest}") for nest in MOVED),
    *(
        pytest.param(jax.pmap, *each.values, marks=each.marks, id=f"pmap-{each.values[0]}")
        for each in nests("groups", "MultiSteps", among=MOVED)
    ),
]


@pytest.mark.parametrize(("batch", "nest"), IN_BATCHES)
def test_moving_the_clock_moves_that_of_each_member(nest, batch):
    build, rate_of = NESTS[nest]
    before = batch(lambda peak: last(build, peak))(PEAKS)
    for move in (jax.jit(js.set_count), js.set_count):
        moved = move(before, 5)
        for old, new in zip(clocks_of(before), clocks_of(moved), strict=True):
            assert new.tolist() == [5] * len(PEAKS)
            assert new.dtype == old.dtype
        close(js.learning_rate(moved), js.learning_rate(before))
    every = 2 if nest == "MultiSteps" else 1

    def follow(peak, state):
        for _ in range(every):
            _, state = build(peak).update(PARAMS, state, PARAMS)
        return state

    rates = js.learning_rate(batch(follow)(PEAKS, moved))
    close(rates, jax.tree.map(lambda rates: rates[:, 0], expected(rate_of, PEAKS, [every * 6 - 1])))


inject = optax.inject_hyperparams


def fed(build):
    """`build(learning_rate)` in `inject_hyperparams`, with a rate that moves."""
    return inject(lambda learning_rate: build(learning_rate))(line(0.4))


rate = js.scale_by_learning_rate
INJECTED = {
    "ours": fed(rate),
    "a number": inject(lambda learning_rate: rate(learning_rate))(learning_rate=0.1),
    "chain": fed(lambda lr: optax.chain(optax.clip(10.0), optax.chain(rate(lr)))),
    "masked": fed(lambda lr: optax.masked(rate(lr), {"w": True, "b": True})),
    "MultiSteps": fed(lambda lr: optax.MultiSteps(rate(lr), 1).gradient_transformation()),
    "half": fed(lambda lr: rate(0.5 * lr)),
    "on a schedule": fed(lambda lr: rate(lr * line(0.5))),
    "plateau": fed(lambda lr: optax.chain(rate(lr), js.scale_by_plateau(HASTY))),
    "plateau of another": fed(lambda lr: optax.chain(optax.sgd(lr), js.scale_by_plateau(HASTY))),
    "groups": fed(lambda lr: rate({"slow": 0.1 * lr, "fast": 0.3}, param_labels=LABELS)),
    "partition": fed(lambda lr: optax.partition({"slow": rate(0.1 * lr), "fast": optax.sgd(lr)}, LABELS)),
    "one more inside": fed(lambda lr: optax.chain(inject(optax.sgd)(0.5), rate(lr, flip_sign=False))),
    "twice": fed(lambda lr: fed(lambda lr: rate(lr))),
    "beside": optax.chain(inject(optax.sgd)(line(0.4)), rate(0.5, flip_sign=False)),
    "both": optax.chain(inject(optax.sgd)(line(0.4)), fed(lambda lr: rate(lr, flip_sign=False))),
    "beside groups": optax.chain(inject(optax.sgd)(line(0.4)), groups(0.5), optax.scale(-1.0)),
    "another name": inject(lambda lr: rate(lr))(line(0.4)),
}


@pytest.mark.parametrize("name", INJECTED)
def test_what_is_read_is_what_was_applied(name):
    tx = optax.with_extra_args_support(INJECTED[name])
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    state = tx.init(PARAMS)
    for _ in range(STEPS):
        updates, state = jax.jit(tx.update)(ones, state, PARAMS, value=1.0)
        rates = js.learning_rate(state)
        for key, update in updates.items():
            applied = rates[LABELS[key]] if isinstance(rates, dict) else rates
            np.testing.assert_allclose(-update, np.full(update.shape, applied), rtol=1e-6)
            assert abs(applied) > 1e-3


def test_a_rate_that_is_injected_by_hand_is_read_once_it_is_applied():
    tx = inject(lambda learning_rate: optax.chain(optax.trace(0.9), rate(learning_rate)))(0.1)
    state = tx.init(PARAMS)
    state.hyperparams["learning_rate"] = jnp.float32(0.3)
    close(js.learning_rate(state), 0.1)
    _, state = tx.update(PARAMS, state, PARAMS)
    close(js.learning_rate(state), 0.3)


def test_many_injected_rates_count_once_each():
    tx = inject(lambda learning_rate: rate(learning_rate))(0.1)
    states = jax.vmap(lambda _: tx.init(PARAMS), axis_size=3)(None)
    states.hyperparams["learning_rate"] = jnp.asarray(PEAKS)
    _, states = jax.vmap(lambda state: tx.update(PARAMS, state, PARAMS))(states)
    close(js.learning_rate(states), PEAKS)


def test_a_rate_around_ours_is_taken_to_feed_ours():
    """A state does not show what a factory does with its rate; the docstring gives a workaround."""
    factory = inject(lambda learning_rate: optax.chain(optax.sgd(learning_rate), rate(0.5, flip_sign=False)))
    close(js.learning_rate(factory(0.1).init(PARAMS)), 0.5)
    beside = optax.chain(inject(optax.sgd)(0.1), rate(0.5, flip_sign=False))
    close(js.learning_rate(beside.init(PARAMS)), 0.05)


def test_an_optimizer_for_each_group_before_one_rate():
    each = {"slow": optax.sgd(1.0), "fast": optax.adam(1.0)}
    tx = optax.chain(optax.partition(each, LABELS), ours(0.4, flip_sign=False))
    close(js.learning_rate(last(lambda _: tx, 0.4)), line_at(0.4, STEPS - 1))
