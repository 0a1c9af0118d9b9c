"""The whole catalogue, compiled inside larger programs, against its formulas.

Many schedules share each program, as compiling is what takes time: by default a few of each kind.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import jaxsched as js
from catalogue.cases import COMBINATORS, EVERY, PRESET_VARIANTS, PRESETS, SHAPES, VARIANTS
from catalogue.reference import as_argument, worst, worst_in_float32
from jaxsched.testing import float32_path

HORIZON = 1003
"""Not a power of two, so reciprocals are rounded."""

STEPS = np.unique([*range(8), *range(9, HORIZON + 20, 67), 250, 251, 334, 501, 752, *range(1000, 1008)])
STEPS = STEPS.astype(np.int32)

FEW = (
    *("cosine warped", "geometric", "exponential", "table", "warmup", "knots", "join"),
    *("cycle growing", "cycle limited", "staircase", "product", "one_cycle"),
)

KINDS = {
    "a few": {name: EVERY[name] for name in FEW},
    "shapes": SHAPES,
    "variants": VARIANTS,
    "combinators": COMBINATORS,
    "presets": PRESETS,
    "preset variants": PRESET_VARIANTS,
}

CATALOGUE = {
    kind: {name: build(HORIZON) for name, build in cases.items() if name in EVERY}
    for kind, cases in KINDS.items()
}


EVERY_KIND = [pytest.param(kind, marks=[] if kind == "a few" else pytest.mark.thorough) for kind in CATALOGUE]


def bound(name):
    return 1 if name in SHAPES | VARIANTS else 4


def hold(rates, schedules, steps=STEPS):
    """Holds the rates of every schedule, by name, to its formula."""
    for name, schedule in schedules.items():
        assert worst(rates[name], schedule, steps) <= bound(name), name


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_scan_and_shard_map(kind):
    """Steps in a loop, steps sharded over devices, and schedules as arguments of the program."""
    schedules = CATALOGUE[kind]
    everything = {name: as_argument(schedule) for name, schedule in schedules.items()}

    def rates(schedules, step):
        return {name: schedule(step) for name, schedule in schedules.items()}

    @jax.jit
    def scanned(steps):
        return lax.scan(lambda carry, step: (carry + 1, rates(schedules, step)), 0, steps)[1]

    hold(scanned(STEPS), schedules)

    mesh = Mesh(np.array(jax.devices()), ("devices",))
    over = PartitionSpec("devices")
    padded = np.resize(STEPS, -(-len(STEPS) // mesh.size) * mesh.size)
    spread = jax.shard_map(lambda steps: rates(schedules, steps), mesh=mesh, in_specs=over, out_specs=over)
    hold(jax.jit(spread)(padded), schedules, padded)

    hold(jax.jit(lambda schedules: rates(schedules, STEPS))(schedules), everything)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_vmap_of_a_stack(kind):
    """A stack of two schedules of one kind, and a stack of a schedule and a constant."""
    schedules = CATALOGUE[kind]
    stacks = {
        **{(name, "pair"): js.stack([schedule, schedule]) for name, schedule in schedules.items()},
        **{(name, "mixed"): js.stack([schedule, 0.25]) for name, schedule in schedules.items()},
    }

    @jax.jit
    def by_member(stacks):
        return [jax.vmap(lambda member: member(STEPS))(stack) for stack in stacks]

    for (name, form), rates in zip(stacks, by_member(list(stacks.values())), strict=True):
        rounded = as_argument(schedules[name])
        assert worst(rates[0], rounded, STEPS) <= bound(name), (name, form)
        if form == "pair":
            assert worst(rates[1], rounded, STEPS) <= bound(name), name
        else:
            assert (rates[1] == np.float32(0.25)).all(), name


def training(schedules):
    """A step of SGD with momentum for each schedule. The step also returns the rates that it applied."""
    chains = {
        name: optax.chain(optax.trace(0.9), js.scale_by_learning_rate(schedule))
        for name, schedule in schedules.items()
    }

    def loss(params, batch):
        return jnp.mean((batch @ params) ** 2)

    def step(params, states, batch):
        rates, new_params, new_states = {}, {}, {}
        for name, chain in chains.items():
            gradient = jax.grad(loss)(params[name], batch)
            updates, new_states[name] = chain.update(gradient, states[name], params[name])
            new_params[name] = optax.apply_updates(params[name], updates)
            rates[name] = js.learning_rate(new_states[name])
        return new_params, new_states, rates

    return chains, step


def trained(step, params, states, batch, count):
    """The rates that `count` steps applied."""
    history = []
    for _ in range(count):
        params, states, rates = step(params, states, batch)
        history.append(jax.device_get(rates))
    return {name: np.stack([rates[name] for rates in history]) for name in history[0]}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_training(kind):
    """A compiled step with donated parameters and state, then the same on a mesh with explicit axes."""
    schedules, count = CATALOGUE[kind], 12
    chains, step = training(schedules)

    @jax.jit
    def start():
        params = {name: jnp.ones(8) for name in chains}
        states = {name: chain.init(params[name]) for name, chain in chains.items()}
        # From a step in the middle, where the schedules change.
        return params, {name: js.set_count(state, 246) for name, state in states.items()}

    steps = np.arange(246, 246 + count, dtype=np.int32)
    compiled = jax.jit(step, donate_argnums=(0, 1))
    batch = jnp.eye(8)
    hold(trained(compiled, *start(), batch, count), schedules, steps)

    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        everywhere = NamedSharding(mesh, PartitionSpec())
        params, states = jax.device_put(start(), everywhere)
        batch = jax.device_put(jnp.eye(8), NamedSharding(mesh, PartitionSpec("data", None)))
        hold(trained(compiled, params, states, batch, count), schedules, steps)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_exported_for_two_platforms_at_once(kind):
    """One serialized program for CPUs and TPUs. Each platform takes its own path."""
    schedules = CATALOGUE[kind]

    def rates(steps):
        return {name: schedule(steps) for name, schedule in schedules.items()}

    both = export.export(jax.jit(rates), platforms=["cpu", "tpu"])(STEPS)
    hold(export.deserialize(both.serialize()).call(STEPS), schedules)
    alone = export.export(jax.jit(lambda steps: rates(steps)), platforms=["tpu"])(STEPS)
    assert "f64" not in alone.mlir_module()


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_float32_path_in_a_scan_and_as_an_argument(kind):
    schedules = CATALOGUE[kind]

    def rates(schedules, step):
        return {name: schedule(step) for name, schedule in schedules.items()}

    with float32_path():
        scanned = jax.jit(lambda steps: lax.scan(lambda c, t: (c, rates(schedules, t)), 0, steps)[1])(STEPS)
        passed = jax.jit(lambda schedules: rates(schedules, STEPS))(schedules)
    for name, schedule in schedules.items():
        assert worst_in_float32(scanned[name], schedule, STEPS) <= 1, name
        assert worst_in_float32(passed[name], as_argument(schedule), STEPS) <= 1, name
