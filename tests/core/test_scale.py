"""What is not used costs nothing, and a thousand parts cost what a few cost."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from selection import by_default

import jaxsched as js
from catalogue import reference

KINDS = [
    lambda i: js.Cosine(1.0 + i, 0.0, 10),
    lambda i: js.Linear(1.0 + i, 0.5, 10 + i % 3),
    lambda i: js.Constant(1.0 + i),
    lambda i: js.warmup(js.Polynomial(1.0 + i, 0.0, 7, 2), 3),
]


def many(count, kinds):
    parts = [KINDS[i % kinds](i) for i in range(count)]
    return js.join(parts, [10 * i for i in range(1, count)])


BUILD = {
    "join of one kind": lambda n: many(n, 1),
    "join of four kinds": lambda n: many(n, 4),
    "piecewise": lambda n: js.Piecewise(np.linspace(1, 0.5, n), [10 * i for i in range(1, n)]),
    "knots": lambda n: js.knots(np.linspace(1, 0.5, n), [10 * i for i in range(n)]),
    "cycle": lambda n: js.cycle(js.Cosine(1.0, 0.0, 10), 10, cycles=n),
}


def operations(function, *arguments):
    """The names of the operations that a function is traced to."""

    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for sub in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
                if _is_jaxpr(sub):
                    yield from names(sub.jaxpr)

    return list(names(jax.make_jaxpr(function)(*arguments)))


def _is_jaxpr(value):
    return hasattr(value, "jaxpr")


POWERS = {"exp", "exp2", "expm1", "log", "log1p", "pow", "sqrt", "rsqrt"}

SHORT_FORMS = {
    "no power and no warp": (js.Cosine(0.3, 0.01, 10), set()),
    "a power of 2": (js.Cosine(0.3, 0.0, 10, power=2), set()),
    "a power of 3 and a warp of 2": (js.Polynomial(0.3, 0.01, 10, power=3, warp=2), set()),
    "a square root": (js.Polynomial(0.3, 0.0, 10, power=0.5), {"sqrt"}),
    "an inverse": (js.InversePower(0.3, 10, 1), set()),
    "an inverse square root": (js.InversePower(0.3, 10, 0.5), {"rsqrt"}),
    "equal cycles": (js.cycle(js.Linear(0.3, 0.1, 9), 9), set()),
    "cycles of falling rates": (js.cycle(js.Linear(0.3, 0.1, 9), 9, 1, 0.5), {"exp"}),
    "a decay": (js.Exponential(0.1, 0.5, 7), {"exp"}),
    "a geometric ramp": (js.warmup(0.3, 9, 0.01, js.Geometric), {"exp"}),
}
"""Schedules of known numbers, and which powers, roots and logarithms they need."""


@pytest.mark.parametrize("name", SHORT_FORMS)
def test_what_a_known_number_does_not_need_is_left_out(name):
    schedule, needed = SHORT_FORMS[name]
    assert POWERS & {*operations(lambda step: schedule(step), 3)} == needed
    in_full = POWERS & {*operations(lambda schedule, step: schedule(step), schedule, 3)}
    assert "exp" in in_full
    assert {"log", "log1p"} & in_full


ZEROS = {
    "an end of 0": (js.Polynomial(0.3, 0.0, 10), js.Polynomial(0.3, 0.01, 10)),
    "a start of 0": (js.Polynomial(0.0, 0.3, 10), js.Polynomial(0.01, 0.3, 10)),
    "no offset": (js.warmup(0.3, 9), js.warmup(0.3, 9, first_step=1)),
    "no fading": (js.cycle(0.3, 9, 2), js.cycle(0.3, 9, 2, 0.5)),
}


@pytest.mark.parametrize("name", ZEROS)
def test_a_number_at_its_default_is_a_leaf_and_no_operation(name):
    plain, other = ZEROS[name]
    counts = [len(operations(lambda step, each=each: each(step), 3)) for each in (plain, other)]
    assert counts[0] < counts[1]
    assert jax.tree.structure(plain) == jax.tree.structure(other)
    chosen = jax.jit(lambda first: jax.lax.cond(first, lambda: plain, lambda: other))
    rates = [chosen(each)(3) for each in (True, False)]
    np.testing.assert_allclose(rates, [plain(3), other(3)], rtol=1e-6)


@pytest.mark.parametrize("name", BUILD)
def test_a_thousand_parts_are_as_many_operations_as_a_hundred(name):
    sizes = [len(operations(BUILD[name](n).__call__, 3)) for n in (100, 1000)]
    assert sizes[0] == sizes[1]
    assert sizes[0] > 10


@pytest.mark.parametrize("name", by_default(("join of four kinds", "cycle"), BUILD))
def test_a_thousand_parts_are_right(name):
    schedule = BUILD[name](1000)
    steps = np.unique(np.random.default_rng(0).integers(0, 10_100, 150)).astype(np.int32)
    steps = np.concatenate([steps, [0, 9, 10, 11, 9989, 9990, 9991, 10**6]])
    truth = [reference.rate(schedule, int(step)) for step in steps]
    for rates in (schedule(steps), jax.jit(lambda s, t: s(t))(schedule, steps)):
        off = [reference.ulps(rate, true) for rate, true in zip(np.asarray(rates), truth, strict=True)]
        assert max(off) <= 8


def test_a_join_reads_like_the_list_it_was_made_of():
    parts = [KINDS[i % 4](i) for i in range(9)]
    joined = js.join(parts, range(1, 9))
    assert list(joined.schedules) == parts
    assert joined.schedules[-1] == parts[-1]
    assert joined.schedules[2:4] == parts[2:4]
    assert js.join(joined.schedules, joined.boundaries) == joined
    assert len(jax.tree.leaves(many(1000, 1))) == 6


def test_a_stack_leaves_out_what_no_member_uses():
    def size(powers):
        rows = js.stack([js.Cosine(0.1 + power, 0.0, 10, power) for power in powers])
        return len(operations(lambda step: jax.vmap(lambda row: row(step))(rows), 3))

    assert size((1, 1)) < size((1, 2))


@pytest.mark.parametrize("axis", [0, -1])
def test_what_all_members_share_is_found_along_the_axis_of_the_members(axis):
    levels = [0.3, 0.1]
    rows = js.stack([js.knots([level, level], [0, 5], js.Cosine) for level in levels])
    moved = jax.tree.map(lambda leaf: np.moveaxis(leaf, 0, axis), rows)
    rates = jax.vmap(lambda row: row(3), in_axes=axis)(moved)
    np.testing.assert_allclose(rates, levels, rtol=1e-6)
    twice = jax.vmap(jax.vmap(lambda row: row(3)))(js.stack([rows, rows]))
    np.testing.assert_allclose(twice, [levels, levels], rtol=1e-6)
