"""A shape and a combinator written outside the package are treated like its own."""

from __future__ import annotations

import math
import re

import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched.__main__ import main as show
from jaxsched.testing import check_laws
from train.__main__ import main as train


class Parabola(js.Schedule):
    peak_value: js.Number = js.number()
    total: js.Number = js.number(above=0)

    def evaluate(self, t):
        return self.peak_value * (1 - jnp.minimum(t / self.total, 1)) ** 2

    def duration(self):
        return float(self.total)

    def peak(self):
        return float(self.peak_value)


class doubling(js.Schedule):
    """A schedule in tokens: a step sees `batch` of them, and the batch doubles at steps 10, 20 and 30."""

    schedule: js.ScheduleLike = js.part()
    batch: js.Number = js.number(above=0)

    def evaluate(self, t):
        k = jnp.minimum(jnp.asarray(t // 10), 3)
        return self.schedule.evaluate(self.batch * (10 * (2**k - 1) + 2**k * (t - 10 * k)))

    def spans(self, until):
        for k in range(4):
            until = 10 * (k + 1) if k < 3 else math.inf
            yield js.Span(self.schedule, 10 * k, until, self.batch * 10 * (2**k - 1), self.batch * 2**k)


TOKENS = 4 * (10 + 20 + 40 + 8 * 15)
"""The tokens seen after 45 steps with an initial batch of 4."""

PLAN = doubling(js.join([Parabola(0.3, 300), js.Linear(0.1, 0.01, TOKENS - 360)], [360]), 4)


def tokens(step):
    """The tokens seen before a step, counted one step at a time."""
    return sum(4 * 2 ** min(each // 10, 3) for each in range(step))


def test_the_numbers():
    for step in (0, 9, 10, 29, 30, 34, 44, 45, 60):
        inner = tokens(step)
        expected = 0.3 * max(1 - inner / 300, 0) ** 2
        if inner >= 360:
            expected = 0.1 + (0.01 - 0.1) * min((inner - 360) / (TOKENS - 360), 1)
        assert PLAN(step) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    check_laws(Parabola(0.3, 300))


def test_its_parts_are_checked():
    """The run sees 360 tokens after 32.5 steps, and the schedule ends after 45."""
    assert [str(each) for each in js.check(PLAN, 45) if each.level == "warning"] == []
    early = [each for each in js.check(PLAN, 40) if "would end at step 45" in each.message]
    assert early[0].step == 39
    assert "would end at step 45, but the run ends at step 40, " in early[0].message
    shorter = js.check(doubling(js.join([Parabola(0.3, 700), 0.1], [360]), 4), 45)
    assert any("`Parabola(0.3, 700)` would end at step 44, " in each.message for each in shorter)
    never = js.check(PLAN, 30)
    assert any("`Linear(0.1, 0.01, 400)` in `join(" in each.message for each in never)
    assert any("it would start at step 33, but the run ends at step 30, " in each.message for each in never)
    late = js.check(PLAN, 200)
    assert any("`Linear(0.1, 0.01, 400)` ends at step 45, " in each.message for each in late)


def test_a_rate_above_its_peak_and_a_jump():
    above = js.check(Parabola(0.3, 50) + js.warmup(0.2, 10), 50)
    assert any("rises to" in each.message for each in above)
    (jump,) = js.check(doubling(js.Piecewise([0.3, 0.001], [360]), 4), 45)
    assert (jump.step, "in `Piecewise([0.3, 0.001], [360])`" in jump.message) == (33, True)


class louder(js.Schedule):
    schedule: js.ScheduleLike = js.part()

    def evaluate(self, t):
        return 2 * self.schedule.evaluate(t)

    def spans(self, until):
        yield js.Span(self.schedule, since=0, factor=2)


def test_a_factor_raises_the_peak():
    assert louder(js.Cosine(0.3, 0.01, 50)).peak() == 0.6
    assert js.check(louder(js.Cosine(0.3, 0.01, 50)), 50) == []
    joined = js.join([louder(0.1), louder(js.Linear(0.2, 0.1, 40))], [10])
    assert js.check(joined, 50) == []


def test_its_horizon_and_its_boundaries(capsys):
    assert show(["show", repr(PLAN)]) == 0
    said = capsys.readouterr().out
    boundaries = re.findall(r"^ *(\d+) .*boundary", said, re.MULTILINE)
    assert boundaries == ["10", "20", "30", "33"]
    assert re.search(r"^ *45 +0\.01 +last$", said, re.MULTILINE)


def test_it_is_drawn():
    ax = js.plot(PLAN, ax=Figure().subplots())
    steps, _ = ax.lines[0].get_data()
    assert (steps[0], steps[-1]) == (0, 46)
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [10, 20, 30, 33]
    assert "doubling(join([Parabola(0.3, 300)" in PLAN._repr_html_()


def test_it_is_simulated_and_retargeted():
    result = js.simulate(PLAN, js.Plateau(factor=0.5, patience=0), [1.0, 1.0], steps_per_observation=10)
    np.testing.assert_array_equal(result.rate, np.asarray(PLAN(np.array([10, 20]))) * [1, 0.5])
    moved = js.retarget(PLAN, js.Linear(0.2, 0.0, 60), 20, js.Continue())
    assert moved(19) == PLAN(19)
    assert any("`Parabola(0.3, 300)` would end at step " in each.message for each in js.check(moved, 60))


def test_it_trains(tmp_path):
    text = "doubling(warmup(Parabola(0.2, 900), 200), 2)"
    arguments = ["--schedule", text, "--epochs", "2", "--out", str(tmp_path / "run"), "--no-cache"]
    result = CliRunner().invoke(train, [*arguments, "--devices", "1"])
    assert result.exit_code == 0, result.output
    assert "`Parabola(0.2, 900)` would end at step " in result.output
