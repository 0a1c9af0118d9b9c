"""Findings: for each, a schedule that has it and one that does not."""

from __future__ import annotations

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusals
from selection import by_default

import jaxsched as js
from catalogue.cases import CASES, EVERY, PRESET_VARIANTS, PRESETS
from catalogue.ports import PORTS
from jaxsched import ports
from jaxsched._core.versions import enable_x64
from jaxsched._inspect.check import Finding, check
from jaxsched.testing import float32_path

LAST = 2**31 - 1


class Halving(js.Schedule):
    init_value: js.Number = js.number()

    def evaluate(self, t):
        return self.init_value * jnp.exp2(-t)


class Bumpy(js.Transition):
    """A user's transition that overshoots its ends."""

    init_value: js.Number = js.number()
    end_value: js.Number = js.number()
    transition_steps: js.Number = js.number(at_least=0)

    def weights(self, elapsed, left):
        return left * (1 + 5 * elapsed), elapsed * (1 - 5 * left)


def wave(step):
    return jnp.where(step > 5, -0.1, 0.1)


def broken(step):
    return 0.3 / (step - 6)


def cliff(step):
    return jnp.where(step < 1_000_007, 0.3, 0.001)


COSINE = js.Cosine(0.3, 0.01, 100)
HALVES = js.join([js.Linear(0.3, 0.1, 50), js.Cosine(0.1, 0.01, 50)], [50])

TRIGGERS = {
    "first rate of 0": (
        "note",
        0,
        js.warmup(COSINE, 10),
        110,
        "because the rate is 0 at step 0. Use ",
    ),
    "0 for long": ("note", 0, js.join([0, COSINE], [40]), 140, "The first 40 updates do nothing, "),
    "0 at every step": ("note", 0, 0.0, 10, "because the rate is 0 at every step. "),
    "infinite": ("warning", 6, broken, 10, "The rate is inf at step 6. Fix "),
    "not a number": ("warning", 2, lambda step: jnp.log(1.5 - step), 10, "The rate is nan at step 2. Fix "),
    "negative": ("warning", 6, wave, 10, "The rate is negative: it falls to -0.1 at step 6, "),
    "product beyond its peak": (
        "warning",
        20,
        0.3 * js.Linear(1, 0.9, 40) * js.Exponential(1, 1.1, 5),
        21,
        "The rate rises to 0.4173 at step 20, above 0.3, the nominal peak of `0.3 * Linear(1, 0.9, 40) * ",
    ),
    "sum beyond its peak": (
        "warning",
        0,
        COSINE + js.Linear(0.1, 0, 100),
        100,
        "0.4 at step 0, above 0.3, the nominal peak of `Cosine(0.3, 0.01, 100) + Linear(0.1, 0, 100)`. "
        "If that is intended, state it with `clip(..., max_value=0.4)`.",
    ),
    "growing cycles": (
        "warning",
        20,
        js.cycle(js.Linear(0.3, 0.1, 10), 10, value_factor=1.5),
        30,
        "to 0.675 ",
    ),
    "warmup from above": (
        "warning",
        0,
        js.warmup(COSINE, 10, 0.5),
        110,
        "rises to 0.5 at step 0, above 0.3, ",
    ),
    "cooldown upwards": ("warning", 99, js.cooldown(0.1, 50, 50, 0.3), 100, "rises to 0.296 at step 99, "),
    "bump of a user's own": (
        "warning",
        40,
        Bumpy(0.3, 0.1, 100),
        100,
        "rises to 0.46 at step 40, above 0.3, ",
    ),
    "jump up": (
        "warning",
        50,
        js.join([js.Linear(0.3, 0.0, 50), js.Linear(0.3, 0.1, 50)], [50]),
        100,
        "The rate jumps from 0.006 to 0.3 at step 50, in `join([Linear(0.3, 0, 50), Linear(0.3, 0.1, 50)], "
        "[50])`. Start each part where the last one ends, or raise `jump_ratio` (10) if the jump is "
        "intended.",
    ),
    "jump down": ("warning", 50, js.Piecewise([0.3, 0.02], [50]), 100, "The rate jumps from 0.3 to 0.02 at "),
    "several jumps": (
        "warning",
        20,
        js.Piecewise([0.3, 0.02, 0.3, 0.02], [20, 40, 60]),
        100,
        "from 0.3 to 0.02 at step 20, in "
        "`Piecewise([0.3, 0.02, 0.3, 0.02], [20, 40, 60])`, and again at step 40. ",
    ),
    "peak of one step": (
        "warning",
        5,
        js.Table([0.01] * 5 + [0.3] + [0.01] * 5),
        10,
        "from 0.01 to 0.3 at step 5",
    ),
    "jump of a function far on": (
        "warning",
        1_000_007,
        cliff,
        LAST,
        "jumps from 0.3 to 0.001 at step 1000007",
    ),
    "jump far on": (
        "warning",
        1_500_000_001,
        js.join([0.3, 0.001], [1_500_000_001]),
        LAST,
        "from 0.3 to 0.001 at step 1500000001",
    ),
    "jump between restarts": (
        "warning",
        45,
        js.cycle(js.Linear(0.3, 0.01, 10), 10) * js.Piecewise([1, 0.01], [45]),
        100,
        "in `Piecewise([1, 0.01], [45])`",
    ),
    "jump from 0": (
        "note",
        40,
        js.join([0, COSINE], [40]),
        140,
        "The rate jumps from 0 to 0.3 at step 40, in ",
    ),
    "jump to 0": (
        "note",
        40,
        js.Piecewise([0.3, 0], [40]),
        100,
        "The rate jumps from 0.3 to 0 at step 40, in ",
    ),
    "warmup longer than the run": (
        "warning",
        49,
        js.warmup(0.3, 80, 0.1),
        50,
        "`Constant(0.3)` in `warmup(0.3, 80, 0.1)` is never reached: it would start at step 80, but the run "
        "ends at step 50, after a rate of 0.2225. Fit the boundaries to the run.",
    ),
    "warmup longer than its cycle": (
        "warning",
        9,
        js.cycle(js.warmup(0.3, 15, 0.1), 10),
        50,
        "it would start at step 15, but `cycle(warmup(0.3, 15, 0.1), 10)` moves on at step 10, ",
    ),
    "a part never reached": (
        "warning",
        59,
        js.join([js.Linear(0.3, 0.1, 50), 0.1, js.Linear(0.1, 0.01, 50)], [50, 80]),
        60,
        "`Linear(0.1, 0.01, 50)` in `join([Linear(0.3, 0.1, 50), 0.1, Linear(0.1, 0.01, 50)], [50, 80])` is "
        "never reached: it would start at step 80, but the run ends at step 60, after a rate of 0.1. Fit ",
    ),
    "a level never reached": (
        "warning",
        49,
        js.multi_step(0.4, 0.5, [20, 80]),
        50,
        "`Piecewise([0.4, 0.2, 0.1], [20, 80])` would end at step 80, but the run ends at step 50, after a "
        "rate of 0.2. Fit its length to the run.",
    ),
    "a part never reached in epochs": (
        "warning",
        99,
        js.shift(js.per_epoch(js.join([0.3, 0.1], [15]), 10), 20),
        100,
        "it would start at step 170, but ",
    ),
    "end never reached": (
        "warning",
        79,
        COSINE,
        80,
        "`Cosine(0.3, 0.01, 100)` would end at step 100, ",
    ),
    "end in a product never reached": (
        "warning",
        79,
        0.5 * COSINE,
        80,
        "`Cosine(0.3, 0.01, 100)` would end at ",
    ),
    "end just missed": ("note", 98, COSINE, 99, "`Cosine(0.3, 0.01, 100)` would end at step 100, "),
    "end of a join's part never reached": (
        "warning",
        49,
        js.join([COSINE, 0.1], [50]),
        100,
        "would end at step 100, but `join([Cosine(0.3, 0.01, 100), 0.1], [50])` moves on at step 50, after a "
        "rate of 0.1596.",
    ),
    "end of a cycle never reached": (
        "warning",
        49,
        js.cycle(COSINE, 50),
        200,
        "but `cycle(Cosine(0.3, 0.01, 100), 50)` moves on at step 50, ",
    ),
    "cooldown never reached": (
        "warning",
        49,
        js.cooldown(0.3, 80, 10),
        50,
        "would end at step 90, ",
    ),
    "knots never reached": ("warning", 49, js.one_cycle(0.1, 0.3, 0.01, 99), 50, "would end at step 99, "),
    "cycles never reached": (
        "warning",
        49,
        js.cycle(js.Linear(0.3, 0.1, 20), 20, cycles=4),
        50,
        "would end at step 80, ",
    ),
    "end reached far too early": (
        "warning",
        100,
        COSINE,
        300,
        "`Cosine(0.3, 0.01, 100)` ends at step 100, and the rate stays at 0.01 for the remaining 200 of 300 "
        "steps. Fit its length to the run.",
    ),
    "at 0 far too early": (
        "warning",
        100,
        js.Linear(0.3, 0, 100),
        120,
        "stays at 0 for the remaining 20 of 120 steps. ",
    ),
    "epochs taken for steps": (
        "warning",
        100,
        js.per_epoch(js.Linear(0.3, 0, 10), 10),
        10_000,
        "`Linear(0.3, 0, 10)` ends at step 100, and the rate stays at 0 for the remaining 9900 of 10000",
    ),
    "table far too short": ("warning", 2, js.Table([0.3, 0.2, 0.1]), 10, "ends at step 2, and the "),
    "few cycles": (
        "warning",
        20,
        js.cycle(js.Linear(0.3, 0.1, 10), 10, cycles=2),
        100,
        "ends at step 20, ",
    ),
}


@pytest.mark.parametrize(("level", "step", "schedule", "total", "words"), TRIGGERS.values(), ids=TRIGGERS)
def test_a_mistake_is_found(level, step, schedule, total, words):
    findings = check(schedule, total)
    assert [each for each in findings if (each.level, each.step) == (level, step) and words in each.message]


QUIET = {
    "constant": (0.3, 10),
    "a run of one step": (js.Linear(0.3, 0.0, 1), 1),
    "first rate above 0": (js.warmup(COSINE, 10, first_step=1), 110),
    "product within its peak": (0.5 * COSINE * js.Exponential(1, 0.9), 100),
    "sum within its peak": (js.Cosine(0.3, 0, 100) + js.Cosine(0, 0.01, 100), 100),
    "constant on top": (COSINE + 0.1, 100),
    "a peak that is named": (js.clip(COSINE + js.Linear(0.1, 0, 100), max_value=0.4), 100),
    "growth of a user's own": (lambda step: 0.1 * 1.01**step, 100),
    "parts that meet": (HALVES, 100),
    "jump by a factor of 10": (js.multi_step(0.3, 0.1, [30, 60]), 90),
    "restarts": (js.cycle(js.Cosine(0.3, 0.0, 20), 20), 100),
    "restarts downwards": (js.cycle(js.Linear(0.001, 0.3, 20), 20), 100),
    "restarts in a join": (js.join([0.3, js.cycle(js.Cosine(0.3, 1e-4, 20), 20)], [20]), 100),
    "restarts between epochs": (js.per_epoch(js.cycle(js.Linear(0.3, 1e-4, 1.5), 1.5), 20), 90),
    "restarts far on": (js.cycle(js.Linear(0.3, 1e-4, 10**6), 10**6), 2 * 10**9),
    "steep but smooth": (js.Polynomial(0.3, 0.0, 30, power=9), 30),
    "straight to almost 0": (js.Linear(0.3, 1e-6, 30), 30),
    "steep growth": (js.Geometric(1e-6, 0.3, 4), 4),
    "jumps that matter little": (js.staircase(js.Cosine(0.3, 0.0, 1000), 3), 1000),
    "warmup as long as the run": (js.warmup(0.3, 50, 0.1), 50),
    "a level that begins at the end": (js.multi_step(0.3, 0.5, [15, 30]), 30),
    "an empty part": (js.join([0.3, 0.5, js.Linear(0.3, 0.1, 50)], [50, 50]), 100),
    "a cooldown leaves it": (js.cooldown(COSINE, 50, 50), 100),
    "a cooldown before the last part": (js.cooldown(js.join([0.3, 0.2, 0.1], [30, 80]), 50, 50, 0.01), 100),
    "a reflection turns in it": (js.reflect(COSINE, 120), 120),
    "an earlier cycle is complete": (js.cycle(js.Cosine(0.3, 0.01, 40), 40), 100),
    "over before the run": (js.shift(HALVES, -60), 40),
    "rises early": (js.Linear(0.1, 0.3, 10), 100),
    "at its end for a while": (COSINE, 180),
    "something else goes on": (js.Linear(1.0, 0.5, 10) * COSINE, 100),
    "its last level": (js.Piecewise([0.3, 0.1], [10]), 100),
    "its own clock": (js.stretch(js.shift(COSINE, -20), 3), 240),
}


@pytest.mark.parametrize(("schedule", "total"), QUIET.values(), ids=QUIET)
def test_what_is_no_mistake_is_left_alone(schedule, total):
    assert check(schedule, total) == []


def test_jump_ratio():
    schedule = js.Piecewise([0.3, 0.1], [50])
    assert check(schedule, 100, jump_ratio=3.01) == []
    (finding,) = check(schedule, 100, jump_ratio=2.99)
    assert "raise `jump_ratio` (2.99)" in finding.message


def spike(at):
    """A function that is high at one step only: `check` finds it if it looks at that step."""
    return js.Lambda(lambda step: jnp.where(step == at, 0.3, 0.001))


def rising(*changes):
    """A table that starts at 1 and adds each of `changes` in turn."""
    return js.Table(np.cumsum([1, *changes, 0]).tolist())


def falling(*factors):
    """A table that starts at 1 and multiplies by each of `factors` in turn; it holds the last rate."""
    return js.Table(np.cumprod([1, *factors, 1]).tolist())


def twenty_fold_at(rate):
    """Falls to `rate` in steps below `jump_ratio`, holds it, and jumps."""
    return js.Table([1.0, 0.2, 0.04, 0.008, 0.0016, rate, rate, rate / 20, rate / 20])


def to_0_from(rate):
    return js.Table([1.0, 0.5, 0.2, rate, rate, 0.0, 0.0])


GRID = 30_000 * (LAST - 1) // 65_535
"""The 30,000th of 65,536 evenly spaced steps of the longest run; 32,767 others lie between two of them."""


def after_restarts(count):
    """A jump that follows so many restarts, each of which is a jump too but none to report."""
    cycles = js.cycle(js.Table([1, 0.3, 0.09, 0.027]), 4)
    return cycles * js.Piecewise([0.01, 1], [4 * count + 2])


EVEN = js.join([0.001, 0.001], [10**9])

EDGES = {
    # Level, step and words of a finding, a schedule that just has it, and one that just does not.
    "jump_ratio": (
        "warning",
        5,
        "jumps",
        js.Piecewise([1, 0.0999], [5]),
        js.Piecewise([1, 0.1], [5]),
        10,
        {},
    ),
    "jump_ratio rounded": (
        *("warning", 5, "jumps", js.Piecewise([1, 2 * (1 + 1.03e-5)], [5])),
        *(js.Piecewise([1, 2 * (1 + 0.97e-5)], [5]), 10, {"jump_ratio": 2}),
    ),
    "a peak rounded": (
        *("warning", 0, "rises to", js.Table([1.0, 0.5]) + js.Table([1.03e-5, 0.0])),
        *(js.Table([1.0, 0.5]) + js.Table([0.97e-5, 0.0]), 2, {}),
    ),
    "four times the change after it": (
        *("warning", 1, "jumps", rising(0.05 * 4.001, 0.05), rising(0.05 * 3.999, 0.05), 4),
        {"jump_ratio": 1.1},
    ),
    "four times the change before it": (
        *("warning", 2, "jumps", falling(np.exp(0.1), np.exp(0.1 * 4.001))),
        *(falling(np.exp(0.1), np.exp(0.1 * 3.999)), 4, {"jump_ratio": 1.2}),
    ),
    "four times the change after it, down": (
        *("warning", 1, "jumps", falling(np.exp(-0.1 * 4.001), np.exp(-0.1))),
        *(falling(np.exp(-0.1 * 3.999), np.exp(-0.1)), 4, {"jump_ratio": 1.2}),
    ),
    "four times the change before it, down": (
        *("warning", 2, "jumps", rising(-0.05, -0.05 * 4.001), rising(-0.05, -0.05 * 3.999), 4),
        {"jump_ratio": 1.1},
    ),
    "a thousandth of the largest": (
        *("warning", 7, "jumps", twenty_fold_at(0.001001), twenty_fold_at(0.000999), 9, {}),
    ),
    "to 0 from a tenth of the largest": ("note", 5, "to 0 at", to_0_from(0.1001), to_0_from(0.0999), 7, {}),
    "to 0 from a third of the largest": (
        *("note", 5, "to 0 at", to_0_from(0.3335), to_0_from(0.3332), 7, {"jump_ratio": 3}),
    ),
    "every step of a run": ("warning", 70_000, "jumps", spike(70_000), None, 2**17, {}),
    "not every step of a longer run": (
        "warning",
        70_001,
        "jumps",
        spike(70_001),
        spike(70_000),
        2**17 + 1,
        {},
    ),
    "65,536 steps": ("warning", GRID, "jumps", spike(GRID), spike(GRID + 1), LAST, {}),
    "65,536 steps, one before": ("warning", GRID, "jumps", spike(GRID), spike(GRID - 1), LAST, {}),
    "the first 4,096 steps": ("warning", 4095, "jumps", spike(4095), spike(4096), LAST, {}),
    "the last 4,096 steps": (
        "warning",
        LAST - 4096,
        "jumps",
        spike(LAST - 4096),
        spike(LAST - 4097),
        LAST,
        {},
    ),
    "two steps after a boundary": (
        *("warning", 10**9 + 2, "jumps", EVEN + spike(10**9 + 2), EVEN + spike(10**9 + 3), LAST, {}),
    ),
    "two steps before a boundary": (
        *("warning", 10**9 - 2, "jumps", EVEN + spike(10**9 - 2), EVEN + spike(10**9 - 3), LAST, {}),
    ),
    "ten thousand jumps": (
        "warning",
        39_998,
        "jumps",
        after_restarts(9999),
        after_restarts(10_000),
        50_000,
        {},
    ),
    "missed by more than a hundredth": (
        *("warning", 98_998, "would end at", js.Linear(0.3, 0.1, 10**5), None, 98_999, {}),
    ),
    "missed by a hundredth": ("note", 98_999, "would end at", js.Linear(0.3, 0.1, 10**5), None, 99_000, {}),
    "missed by more than a step": (
        *("warning", 48, "would end at", js.Linear(0.3, 0.1, 50.001), None, 49, {}),
    ),
    "missed by a step": (
        "note",
        48,
        "would end at",
        js.Linear(0.3, 0.1, 50),
        js.Linear(0.3, 0.1, 49),
        49,
        {},
    ),
    "missed by more than rounding": (
        "note",
        48,
        "would end at",
        js.Linear(0.3, 0.1, 49 * (1 + 1.1e-9)),
        js.Linear(0.3, 0.1, 49 * (1 + 0.9e-9)),
        49,
        {},
    ),
    "at its end for half of the run": (
        *(
            "warning",
            9999,
            "ends at step",
            js.Linear(0.3, 0.1, 9999),
            js.Linear(0.3, 0.1, 10_000),
            20_000,
            {},
        ),
    ),
    "at 0 for a tenth of the run": (
        *("warning", 8999, "ends at step", js.Linear(0.3, 0.0, 8999), js.Linear(0.3, 0.0, 9000), 10_000, {}),
    ),
    "at 0 for a step": (
        *("warning", 4, "ends at step", js.Linear(0.3, 0.0, 4), js.Linear(0.3, 0.0, 5), 6, {}),
    ),
}


@pytest.mark.parametrize(
    ("level", "step", "words", "found", "quiet", "total", "options"), EDGES.values(), ids=EDGES
)
def test_each_limit_is_where_it_is(level, step, words, found, quiet, total, options):
    (finding,) = check(found, total, **options)
    assert (finding.level, finding.step) == (level, step)
    assert words in finding.message
    assert quiet is None or check(quiet, total, **options) == []


@pytest.mark.parametrize(("last", "length"), [(0.0125, 80), (0.01255, 81)])
def test_an_expression_of_80_characters_is_shown_whole(last, length):
    schedule = js.Table([0.5] * 13 + [last])
    (finding,) = check(schedule, 14)
    assert len(repr(schedule)) == length
    assert (f"`{schedule!r}`" in finding.message) == (length == 80)
    assert (f"`{repr(schedule)[:77]}...`" in finding.message) == (length == 81)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("total", [12, 1000, 10**6])
def test_presets_give_no_warnings(name, total):
    assert [each for each in check(PRESETS[name](total), total) if each.level == "warning"] == []


SHOWN = {
    "warmup(Cosine(0.3, 0.01, 900), 100, first_step=1)": 1000,
    "cooldown(warmup(0.3, 100), 800, 200, shape=OneMinusSqrt)": 1000,
    "per_epoch(0.3 * Exponential(1, 0.9), 234)": 2340,
    "reflect(Cosine(0.1, 0, 50), 100)": 100,
    "cycle(Cosine(0.2, 0.01, 220), 220)": 440,
    "Cosine(0.3, 0.01, 20)": 20,
}


@pytest.mark.parametrize("text", SHOWN)
def test_what_the_pages_show_gives_no_warnings(text):
    assert [each for each in check(js.parse(text), SHOWN[text]) if each.level == "warning"] == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", PORTS)
def test_ports_give_no_warnings(name):
    horizons = {
        "PolynomialLR": 10,
        "PolyLRScheduler": 10,
        "create_scheduler_v2": 9,
        "get_adafactor_schedule": 20_000,
        "hard_restarts": 13,
        "WarmRestartsScheduler to 0": 15,
        "lr_scheduler in cycles": 17,
        "inverse-square-root": 14,
    }
    total = next((steps for part, steps in horizons.items() if part in name), 12)
    assert [each for each in check(PORTS[name](), total) if each.level == "warning"] == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", PRESET_VARIANTS)
def test_variants_of_presets_give_no_warnings(name):
    total = 875 if name == "warm_restarts shrinking" else 1000
    assert [each for each in check(PRESET_VARIANTS[name](1000), total) if each.level == "warning"] == []


def holds_for(name, horizon, total):
    findings = check((EVERY | CASES)[name](horizon), total)
    assert [each.step for each in findings] == sorted(each.step for each in findings)
    for finding in findings:
        assert finding.level in ("note", "warning")
        assert type(finding.step) is int
        assert 0 <= finding.step < total
        assert str(finding) == f"{finding.level} at step {finding.step}: {finding.message}"
        assert re.fullmatch(r"(The|No) \w.*\.|`.+\.", finding.message)


STEPS = st.integers(1, 300) | st.integers(1, LAST)


@given(st.sampled_from(sorted(CASES)), STEPS, STEPS)
@settings(max_examples=30, deadline=None)
def test_every_schedule_can_be_checked_for_every_run(name, horizon, total):
    holds_for(name, horizon, total)


@pytest.mark.thorough
@given(st.sampled_from(sorted(EVERY)), STEPS, STEPS)
@settings(max_examples=1000, deadline=None)
def test_every_variant_can_be_checked_for_every_run(name, horizon, total):
    holds_for(name, horizon, total)


EXTREMES = {
    "fast clocks": js.stretch(js.stretch(js.Linear(0.3, 0.1, 10), 1e-38), 1e-38),
    "slow clocks": js.stretch(js.stretch(js.Linear(0.3, 0.1, 3e38), 1e38), 1e38),
    "cycles beyond number": js.cycle(js.Linear(0.3, 0.1, 10), 10, 2.0, cycles=3e38),
    "shrinking cycles": js.cycle(js.Linear(0.3, 0.1, 10), 10, 0.5, cycles=3e38),
    "short cycles": js.cycle(js.Linear(0.3, 1e-4, 2), 2),
    "many parts": js.join([js.Linear(0.3, 0.01 * i, 10) for i in range(1500)], list(range(10, 15_000, 10))),
    "deep": js.stretch(js.join([js.clip(js.cycle(0.5 * (0.1 + js.warmup(COSINE, 9)), 9)), 0.3], [5]), 7),
    "largest numbers": js.Linear(3e38, 0.0, 10) * js.Linear(3e38, 0.0, 10) + 3e38,
    "a shape of one's own": 0.5 * Halving(0.3),
    "numbers in JAX": js.join([js.Linear(jnp.float32(0.3), 0, 4), 0.0], jnp.array([4.0])),
}


@pytest.mark.parametrize("name", by_default(("cycles beyond number", "short cycles", "many parts"), EXTREMES))
@pytest.mark.parametrize("total", [1, LAST])
def test_extremes(name, total):
    schedule = EXTREMES[name]
    assert all(0 <= each.step < total for each in check(schedule, total))
    steps = np.unique(np.clip([0, 1, 7, 9, 14_999, LAST // 3, LAST - 1], 0, total - 1)).astype(np.int32)
    assert np.isfinite(schedule(steps)).all()
    with float32_path():
        assert np.isfinite(schedule(steps)).all()


def test_what_passes_for_a_schedule():
    assert check(0.3, 10) == check(js.Constant(0.3), 10) == []
    assert check(jnp.float32(0.3), np.int64(10)) == []
    assert check(lambda step: 0.3 - 0.01 * step, 10.0) == []
    assert check(ports.torch.CosineAnnealingLR(0.1, T_max=50, eta_min=0.01), 50) == []
    mixed = js.stack([COSINE, 0.3])
    assert "Cosine(0.3, 0.01, 100)" in check(jax.tree.map(lambda leaf: leaf[0], mixed), 80)[0].message


def test_the_callers_modes_change_nothing():
    schedule = js.warmup(COSINE, 10)
    expected = check(schedule, 80)
    with enable_x64(True), jax.debug_nans(True):
        assert check(schedule, 80) == expected
        assert check(broken, 10)[-1].step == 6


def test_a_finding_is_a_value():
    finding = Finding("note", 3, "The rate is low.")
    assert finding == Finding("note", 3, "The rate is low.")
    assert str(finding) == "note at step 3: The rate is low."


def test_a_long_expression_is_cut():
    (finding,) = check(js.Table([0.3] * 50 + [0.001] * 50), 100)
    assert "`Table([0.3, 0.3, " in finding.message
    assert len(finding.message) < 300


BAD_VALUES = {
    "no steps": (lambda: check(0.3, 0), "`total_steps` must be at least 1 and at most 2147483647, got 0."),
    "too many steps": (
        lambda: check(0.3, 2**31),
        "`total_steps` must be at least 1 and at most 2147483647, ",
    ),
    "half a step": (lambda: check(0.3, 1.5), "`total_steps` must be a whole number, got 1.5."),
    "NaN steps": (lambda: check(0.3, math.nan), "`total_steps` must be a finite float32 number, got nan."),
    "no ratio": (lambda: check(0.3, 10, jump_ratio=1), "`jump_ratio` must be above 1, got 1."),
    "stack": (
        lambda: check(js.stack([0.1, 0.2]), 10),
        "`schedule` must be one schedule, got a stack of 2; pass one member.",
    ),
}

BAD_TYPES = {
    "text": (
        lambda: check("Cosine(0.3, 0, 10)", 10),
        "`schedule` must be a schedule, a number or a callable, got 'Cosine(0.3, 0, 10)' (str); "
        "use `jaxsched.parse` for text.",
    ),
    "steps in words": (lambda: check(0.3, "10"), "`total_steps` must be a number, got '10' (str)."),
    "True steps": (lambda: check(0.3, True), "`total_steps` must be a number, got True (bool)."),
    "traced schedule": (
        lambda: jax.jit(lambda rate: check(js.Constant(rate), 10))(0.3),
        "`schedule` must be concrete, got a traced one: call this outside of `jax.jit`.",
    ),
    "traced steps": (lambda: jax.jit(lambda n: check(0.3, n))(10), "`total_steps` must be concrete, got a "),
    "traced ratio": (
        lambda: jax.jit(lambda ratio: check(0.3, 10, jump_ratio=ratio))(2.0),
        "`jump_ratio` must be concrete, got a ",
    ),
}


@refusals(BAD_VALUES, BAD_TYPES)
def test_bad_input(kind, build, message):
    with pytest.raises(kind, match=re.escape(message)):
        build()
