"""Plots, read back from the SVG and from Matplotlib's lines, against the rates."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import jaxsched as js
from catalogue.cases import CASES, SHORT
from jaxsched._core.versions import enable_x64
from jaxsched._figures import new_axes
from jaxsched._inspect.horizon import horizon
from jaxsched._inspect.plot import COLOURS, curves_of, labelled, marks_of, plot, save, svg, to_html
from jaxsched._inspect.svg import picture
from jaxsched._inspect.timeline import boundaries

mpl.use("agg")
SVG = "{http://www.w3.org/2000/svg}"
WARMUP_COSINE = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
LAST_STEP = 2**31 - 1
QUICK = {"constant", "geometric negative", "exponential", "piecewise", "lambda"}
QUICK |= {"warmup", "join", "cycle doubling", "staircase", "negative"}


def axes():
    return Figure().subplots()


def parsed(text):
    return ET.fromstring(text.removeprefix("<div>").removesuffix("</div>"))


def curves(root):
    """The points of each curve of a picture, in pixels; a row of NaN separates its runs."""
    paths = [path for path in root.iter(f"{SVG}path") if path.get("stroke-linejoin")]
    gap = [[np.nan, np.nan]]
    return [
        np.concatenate(
            [
                np.concatenate([np.array(run.split(), float).reshape(-1, 2), gap])
                for run in path.get("d").split("M")[1:]
            ]
        )
        for path in paths
    ]


def scales(root):
    """The maps from pixels to steps and to rates, from two tick labels of each axis."""
    found = []
    for anchor, place, offset in (("middle", "x", 0.0), ("end", "y", -3.5)):
        group = next(g for g in root.iter(f"{SVG}g") if g.get("text-anchor") == anchor)
        ticks = [(float(t.get(place)) + offset, float(t.text)) for t in group if not t.text[0].isalpha()]
        (a, low), (b, high) = ticks[0], ticks[-1]
        found.append(lambda pixel, a=a, b=b, low=low, high=high: low + (pixel - a) / (b - a) * (high - low))
    return found


def shown_rates(text, steps):
    """The rates seen in the middle of each step of a picture, and the height of a pixel as a rate."""
    root = parsed(text)
    to_step, to_rate = scales(root)
    (points,) = curves(root)
    x, y = to_step(points[:-1, 0]), to_rate(points[:-1, 1])
    return np.interp(np.arange(steps) + 0.5, x, y), abs(to_rate(1.0) - to_rate(0.0))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.thorough) for name in CASES]
)
def test_the_notebook_shows_each_rate(name):
    schedule = CASES[name](SHORT)
    text = to_html(schedule)
    seen, pixel = shown_rates(text, min(horizon(schedule), 200))
    np.testing.assert_allclose(seen, schedule(np.arange(len(seen))), rtol=0, atol=pixel)
    assert len(text) < 6000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=20, max_size=20))
def test_any_rates_are_shown(values):
    seen, pixel = shown_rates(svg(js.Table(values), len(values)), len(values))
    np.testing.assert_allclose(seen, np.float32(values), rtol=0, atol=pixel)


@pytest.mark.parametrize("name", ["cosine", "geometric negative", "warmup"])
def test_a_thumbnail_shows_each_rate_and_has_no_names(name):
    named, _ = labelled(CASES[name](SHORT))
    curves = curves_of(named, 200, "", 200)
    text = picture(curves, 200, marks_of(named, 200), labelled=False, small=True, title="as a thumbnail")
    seen, pixel = shown_rates(text, 200)
    np.testing.assert_allclose(seen, curves[0].rates, rtol=0, atol=pixel)
    root = parsed(text)
    assert root.find(f"{SVG}title").text == "as a thumbnail"
    assert not any(each.text[0].isalpha() for each in root.iter(f"{SVG}text"))


WIDE_DIGIT = 6.4
"""The width of a digit of DejaVu Sans, which is wider than most, in pixels."""


@pytest.mark.parametrize("steps", [999, 1000, 20_000, 100_000, 1_000_000])
def test_the_last_number_of_an_axis_is_not_cut_off(steps):
    root = parsed(svg(js.Constant(0.1), steps))
    for text in root.iter(f"{SVG}text"):
        if not text.text[0].isalpha():
            assert float(text.get("x")) + WIDE_DIGIT / 2 * len(text.text) < float(root.get("width"))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Cosine(0.3, 0.01, 15)", 16),
        ("warmup(Cosine(0.3, 0.01, 15), 5)", 21),
        ("warmup(0.3, 10)", 21),
        ("cooldown(warmup(0.3, 10), 70, 30)", 101),
        ("join([0.1, Linear(0.3, 0, 20)], [5])", 26),
        ("join([0.1, 0.2], [5])", 11),
        ("Piecewise([0.3, 0.1, 0.03], [30, 50])", 71),
        ("Piecewise([0.3], [])", 101),
        ("Piecewise([0.3, 0.1], [0])", 101),
        ("knots([0, 1, 0], [0, 10, 40])", 41),
        ("Table([0.1, 0.2, 0.3])", 3),
        ("cycle(Cosine(0.3, 0, 10), 10)", 30),
        ("cycle(Cosine(0.3, 0, 10), 10, 2)", 70),
        ("cycle(Cosine(0.3, 0, 10), 10, 0.5, cycles=2)", 16),
        ("cycle(Cosine(0.3, 0, 10), 10, 1000000, cycles=1000000000)", LAST_STEP),
        ("reflect(Linear(0, 1, 10), 20)", 40),
        ("stretch(Linear(1, 0, 4), 10)", 41),
        ("per_epoch(Linear(1, 0, 4), 10)", 41),
        ("staircase(Linear(1, 0, 40), 10)", 41),
        ("clip(Linear(1, 0, 40), 0.1)", 41),
        ("shift(Linear(1, 0, 40), 10)", 51),
        ("shift(Linear(1, 0, 40), -10)", 31),
        ("shift(Linear(1, 0, 40), -100)", 101),
        ("0.5 * Linear(1, 0, 40) * Linear(1, 0, 20) + 0.1", 41),
        ("Exponential(0.1, 1)", 101),
        ("Linear(0.1, 0, 1e30)", LAST_STEP),
        ("Linear(0.1, 0, 0)", 101),
        ("0.1", 101),
    ],
)
def test_horizon(text, steps):
    assert horizon(js.parse(text)) == steps


SETTLING = {
    "exponential": (js.Exponential(0.1, 0.5, 100), lambda t: 0.1 * 0.5 ** (t / 100), 0),
    "inverse power": (js.InversePower(0.1, 50, 0.5), lambda t: 0.1 * (1 + t / 50) ** -0.5, 0),
    "logistic": (js.Logistic(0.3, 0, 500, 100), lambda t: 0.3 / (1 + np.exp((t - 500) / 100)), 0),
    "a function": (js.Lambda(lambda t: 0.1 + jnp.exp(-t / 700)), lambda t: 0.1 + np.exp(-t / 700), 0.1),
}


@pytest.mark.parametrize(("schedule", "formula", "end"), SETTLING.values(), ids=SETTLING)
def test_an_endless_rate_is_shown_until_it_settles(schedule, formula, end):
    times = np.arange(20_000.0)
    moving = abs(formula(2 * times) - formula(times)) >= 0.05 * abs(formula(0.0) - end)
    settled = np.flatnonzero(moving).max(initial=0)
    assert settled <= horizon(schedule) <= settled * (1 + 2 / 64) + 2


def test_what_does_not_settle():
    assert horizon(js.Lambda(jnp.sin)) == 101
    assert horizon(js.Lambda(lambda t: 0.1 * t)) == 101
    assert 65 <= horizon(js.Exponential(0.1, 20, 64)) <= 67


def test_horizon_of_what_is_a_users_own():
    class Wrapped(js.Schedule):
        """Holds a schedule."""

        inner: js.Schedule = js.part()

        def evaluate(self, t):
            return self.inner.evaluate(t)

    assert horizon(Wrapped(js.Linear(1, 0, 7))) == 8
    assert horizon(js.warmup(js.Lambda(lambda step: 0.1), 10)) == 21
    assert horizon(js.Constant(0.1), js.Linear(1, 0, 4), js.Linear(1, 0, 7)) == 8


@pytest.mark.parametrize("total", [10**6, LAST_STEP])
def test_a_jump_is_a_jump_at_any_horizon(total):
    at = total // 3
    schedule = js.join([0.3, 0.1], [at])
    line = plot(schedule, total, axes()).lines[0]
    steps, rates = line.get_data()
    before = np.searchsorted(steps, at - 1)
    assert steps[before : before + 2].tolist() == [at - 1, at]
    np.testing.assert_array_equal(rates[before : before + 2], np.float32([0.3, 0.1]))
    assert len(steps) < 3000
    points = curves(parsed(svg(schedule, total)))[0][:-1]
    assert len(points) == 4
    assert points[1, 0] == points[2, 0]


def test_what_repeats_fast_is_not_shown_as_something_slow():
    fast = js.reflect(js.Linear(0.0, 1.0, 500), 1000)
    points = curves(parsed(svg(fast, 10**6)))[0][:-1]
    assert np.abs(np.diff(points[:, 1])).mean() > 20


def test_a_long_expression_is_cut():
    many = js.join([js.Cosine(0.3, i / 1e4, 10) for i in range(1000)], range(10, 10_000, 10))
    text = to_html(many)
    assert len(text) < 40_000
    assert max(len(each.text) for each in parsed(text).iter(f"{SVG}title")) <= 200
    assert sum("Cosine" in (each.text or "") for each in parsed(text).iter(f"{SVG}text")) == 5


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"/><script>', "]]>&lt;", "\x00\x1b\ud800", "\u2028☃"]
)
def test_names_are_text_and_nothing_else(evil):
    def rate(step):
        return step * 0.1

    rate.__qualname__ = evil
    for text in (to_html(js.Lambda(rate)), svg({evil: 0.1})):
        text.encode()
        root = parsed(text)
        assert {each.tag for each in root.iter()} <= {
            SVG + tag for tag in ("svg", "style", "title", "path", "g", "text")
        }
    label = next(each for each in root.iter(f"{SVG}title")).text
    assert label == "".join(c if c.isprintable() else "�" for c in evil)


def test_a_rate_that_is_not_finite_leaves_a_gap():
    schedule = js.Lambda(lambda step: jnp.where(step == 4, jnp.nan, jnp.where(step == 6, jnp.inf, 0.1)))
    text = svg(schedule, 10)
    assert "learning rate, not finite at step 4<" in text
    points = curves(parsed(text))[0]
    assert np.isnan(points).any(axis=1).sum() == 3
    line = plot(schedule, 10, axes()).lines[0]
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [4, 6]
    assert "not finite at step 0" in svg(js.Lambda(lambda step: jnp.nan * step), 10)


def test_nan_is_no_error_where_jax_looks_for_it():
    with jax.debug_nans(True):
        assert "not finite" in to_html(js.Lambda(lambda step: jnp.log(step - 5)))


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour, text):
    """The value of `color-mix(in srgb, colour 75%, text)`."""
    return "#" + "".join(
        f"{round(0.75 * int(colour[i : i + 2], 16) + 0.25 * int(text[i : i + 2], 16)):02x}" for i in (1, 3, 5)
    )


def test_curves_stand_out_on_light_and_on_dark_pages():
    text = svg([0.1] * 8)
    pages = re.findall(r"svg.jaxsched\{color:(#\w+);background:(#\w+)\}", text)
    pages = [(ink, page if len(page) == 7 else f"#{page[1:] * 2}") for ink, page in pages]
    assert len(pages) == 2
    assert "prefers-color-scheme:dark" in text
    for colour in re.findall(r"color-mix\(in srgb,(#\w+) 75%,currentColor\)", text)[:6]:
        for ink, page in pages:
            assert contrast(ink, page) > 7
            assert contrast(mixed(colour, ink), page) > 3


def test_in_a_notebook_the_colours_are_those_of_the_page():
    text = to_html(js.Linear(0.1, 0, 4))
    assert "<style" not in text
    assert "background" not in text
    assert parsed(text).get("fill") == "currentColor"


def test_what_has_no_picture_shows_its_text():
    shown = []
    jax.jit(lambda x: shown.append(js.Linear(x, 0, 4)._repr_html_()))(0.1)
    jax.eval_shape(lambda s: shown.append(s._repr_html_()), WARMUP_COSINE)
    gradient = jax.grad(lambda schedule: schedule(3))(js.cycle(js.Linear(0.3, 0, 4), 4))
    shown += [gradient._repr_html_(), jax.tree.map(jnp.shape, WARMUP_COSINE)._repr_html_()]
    nested = js.stack([js.stack([WARMUP_COSINE] * 2)] * 2)
    assert [*shown, nested._repr_html_()] == [None] * 5


def test_a_plateau_shows_its_scale_while_the_metric_never_improves():
    greedy = js.ports.transformers.GreedyLR(0.1, factor=0.5, patience=3)
    for rule in (js.Plateau(0.5, 3), js.ports.optax.reduce_on_plateau(0.5, 3, accumulation_size=5), greedy):
        root = parsed(rule._repr_html_())
        scales_after = js.simulate(0.1, rule, [1.0] * 200).scale
        cuts = np.flatnonzero(np.diff(scales_after)) + 2
        seen, pixel = shown_rates(rule._repr_html_(), cuts[3] + 1)
        np.testing.assert_allclose(seen, [1, *scales_after[: cuts[3]]], rtol=0, atol=pixel)
        labels = [each.text for each in root.iter(f"{SVG}text")]
        assert "scale of the rate, if the metric never improves" in labels
        assert " ".join(labels[labels.index("observation") :]).endswith(repr(rule))


def test_a_plateau_without_a_cut_is_level():
    seen, _ = shown_rates(js.Plateau(patience=2**20)._repr_html_(), 4000)
    np.testing.assert_allclose(seen, 1)


def test_a_plateau_shows_itself_while_nothing_is_compiled():
    with jax.disable_jit(), jax.transfer_guard("disallow"):
        assert "<svg" in js.Plateau(0.5, 3)._repr_html_()


def range_tested(**keywords):
    return js.range_test(lambda w, rate, i: (w - rate * 8 * w, 4 * w**2 + 1), 1.0, **keywords)


@pytest.mark.parametrize(
    "keywords",
    [{"min_value": 0.001, "smoothing": 0}, {"min_value": 0, "max_value": 0.2, "shape": js.Linear}],
)
def test_a_range_test_shows_its_curves_and_suggestions(keywords):
    found = range_tested(**keywords)
    root = parsed(found._repr_html_())
    labels = [each.text for each in root.iter(f"{SVG}text")]
    assert f"steepest: {float(found.steepest):.2g}" in labels
    assert f"a tenth of the best: {float(found.tenth_of_best):.2g}" in labels
    ended = ", then it diverged" if found.diverged else ""
    assert labels[-1] == f"{found.count} of 100 rates tried{ended}"
    raw, smoothed, steepest, tenth = curves(root)
    group = next(g for g in root.iter(f"{SVG}g") if g.get("text-anchor") == "middle")
    ticks = [(float(t.get("x")), float(t.text)) for t in group if t.text != "learning rate"]
    (a, low), (b, high) = ticks[0], ticks[-1]
    way = np.log if found.log_scale else np.array
    _, to_metric = scales(root)
    pixel = abs(to_metric(1.0) - to_metric(0.0))

    def place(rate):
        return a + (way(rate) - way(low)) / (way(high) - way(low)) * (b - a)

    assert steepest[:2, 0] == pytest.approx(place(float(found.steepest)), abs=0.1)
    assert tenth[:2, 0] == pytest.approx(place(float(found.tenth_of_best)), abs=0.1)
    tried = slice(0, int(found.count) - int(found.diverged))
    at = place(np.asarray(found.rates, float)[tried])
    for points, metrics in ((raw, found.metrics), (smoothed, found.smoothed)):
        seen = np.interp(at, points[:-1, 0], to_metric(points[:-1, 1]))
        np.testing.assert_allclose(seen, metrics[tried], rtol=0, atol=pixel)


def test_what_has_no_picture_of_a_plateau_or_a_range_test_shows_its_text():
    rule, shown = js.Plateau(0.5, 3), []
    jax.jit(lambda x: shown.append(js.Plateau(x)._repr_html_()))(0.1)
    shown.append(jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * 2), rule)._repr_html_())
    shown.append(jax.tree.map(lambda leaf: -leaf, rule)._repr_html_())
    test = range_tested(steps=4)
    jax.jit(lambda test: shown.append(test._repr_html_()))(test)
    shown.append(jax.tree.map(lambda leaf: leaf[None], test)._repr_html_())
    shown.append(jax.eval_shape(lambda: test)._repr_html_())
    shown.append(js.range_test(lambda w, rate, i: (w, jnp.nan), 0.0)._repr_html_())
    assert shown == [None] * 7


def test_a_concrete_schedule_has_a_picture_under_jit():
    shown = []
    jax.jit(lambda x: shown.append(WARMUP_COSINE._repr_html_()) or x)(0.1)
    assert shown == [WARMUP_COSINE._repr_html_()]


@pytest.mark.parametrize(("members", "drawn"), [(3, 3), (16, 16), (19, 16)])
def test_a_stack_is_many_curves(members, drawn):
    stack = js.stack([js.Linear(0.1 * (i + 1), 0.0, 10) for i in range(members)])
    text = stack._repr_html_()
    labels = [each.text for each in parsed(text).iter(f"{SVG}text")]
    assert len(curves(parsed(text))) == drawn
    assert (
        len(
            {
                path.get("stroke") + str(path.get("stroke-dasharray"))
                for path in parsed(text).iter()
                if path.get("stroke-linejoin")
            }
        )
        == drawn
    )
    assert ("and 3 more" in labels) == (members > drawn)
    assert "Linear(0.2, 0, 10)" in labels


def test_plot_one():
    ax = plot(WARMUP_COSINE, 30, axes())
    (line, mark) = ax.lines
    steps, rates = line.get_data()
    np.testing.assert_array_equal(steps, np.arange(31))
    np.testing.assert_array_equal(rates[:30], WARMUP_COSINE(np.arange(30)))
    assert line.get_drawstyle() == "steps-post"
    assert mark.get_xdata() == [5, 5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "learning rate")
    assert ax.get_title() == line.get_label() == "warmup(Cosine(0.3, 0.01, 15), 5)"
    assert ax.get_legend() is None
    assert ax.get_xlim() == (0, 30)


@pytest.mark.parametrize(
    ("several", "names"),
    [
        ([js.Cosine(0.3, 0, 10), 0.1], ["Cosine(0.3, 0, 10)", "Constant(0.1)"]),
        ({"a": js.Cosine(0.3, 0, 10), "b": lambda step: 0.1 * step}, ["a", "b"]),
        (js.stack([0.1, 0.2]), ["Constant(0.1)", "Constant(0.2)"]),
    ],
)
def test_plot_several(several, names):
    ax = plot(several, 30, axes())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == names
    assert [line.get_color() for line in ax.lines[:2]] == list(COLOURS[:2])
    assert ax.get_title() == ""


def test_plot_one_after_another():
    ax = plot(js.Linear(0.3, 0, 10), 30, axes())
    plot(js.Cosine(0.3, 0, 10), 40, ax)
    assert ax.get_title() == ""
    assert len(ax.get_legend().get_texts()) == 2
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.get_xlim() == (0, 40)


def test_a_title_of_the_users_own_stays():
    ax = axes()
    ax.set_title("mine")
    assert plot(0.1, 10, ax).get_title() == "mine"


def test_many_curves_have_no_legend():
    assert plot([0.1] * 17, 10, axes()).get_legend() is None
    assert (
        len({(line.get_color(), line.get_linestyle()) for line in plot([0.1] * 16, 10, axes()).lines}) == 16
    )


@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_log_axes(log):
    ax = plot(js.Geometric(0.3, 0.001, 1000), 1000, axes(), log=log)
    assert (ax.get_xscale() == "log", ax.get_yscale() == "log") == ("x" in log, "y" in log)
    assert ax.lines[0].get_xdata()[0] == ("x" in log)
    ax.figure.canvas.draw()


@pytest.mark.parametrize("log", ["x", "y", "xy"])
def test_log_axes_of_an_svg(log):
    """A power law is straight on two logarithmic axes, an exponential on a logarithmic axis of rates."""
    schedule = js.InversePower(1.0, 1e-9, 1.0) if log == "xy" else js.Geometric(1.0, 1e-6, 9999)
    points = curves(parsed(svg(schedule, 10_000, log=log)))[0][:-1]
    straight = np.interp(points[:, 0], points[[0, -1], 0], points[[0, -1], 1])
    # The level of step 1 ends at step 2.
    assert (np.abs(points - np.stack([points[:, 0], straight], axis=1)).max() < 30) == (log != "x")


def test_boundaries_are_marked_where_they_can_be_told_apart():
    few, many = (js.cycle(js.Linear(1, 0, 10), 10, cycles=n) for n in (5, 60))
    marks = [line.get_xdata()[0] for line in plot(few, 50, axes()).lines[1:]]
    assert marks == list(boundaries(few, 50)) == [10, 20, 30, 40]
    assert len(plot(many, 600, axes()).lines) == 1
    assert svg(few, 50).count('stroke-dasharray="1 3"') == 4
    assert svg(many, 600).count('stroke-dasharray="1 3"') == 0


def test_a_figure_of_its_own_is_pyplots():
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    plot(0.1, 10, axes())
    assert plt.get_fignums() == before
    ax = plot(0.1, 10)
    assert plt.gcf() is ax.figure
    plt.close(ax.figure)


def test_pyplot_is_not_imported_where_axes_are_given():
    code = (
        "import sys, jaxsched as js; js.Linear(1, 0, 4)._repr_html_()\n"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)\n"
        "from matplotlib.figure import Figure; js.plot(0.1, 10, Figure().subplots())\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (lambda: plot(0.1, 10), new_axes):
        with pytest.raises(ImportError, match=r"Figures need Matplotlib: `pip install matplotlib`\."):
            draw()


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((0.1, 0), {}, ValueError, "`steps` must be at least 1 and at most 2147483647, got 0."),
        ((0.1, 2**31), {}, ValueError, "`steps` must be at least 1 and at most 2147483647, got 2147483648."),
        ((0.1, 1.5), {}, TypeError, "`steps` must be an integer, got 1.5 (float)."),
        ((0.1, True), {}, TypeError, "`steps` must be an integer, got True (bool)."),
        (([], 10), {}, ValueError, "`schedules` must have at least one schedule, got none."),
        (({}, 10), {}, ValueError, "`schedules` must have at least one schedule, got none."),
        (("0.1", 10), {}, TypeError, "`schedules` must be a schedule, a number or a callable, got '0.1'"),
        (([0.1, None], 10), {}, TypeError, "`schedules[1]` must be a schedule"),
        (({"a": None}, 10), {}, TypeError, "`schedules['a']` must be a schedule"),
        (
            ([js.stack([0.1, 0.2])], 10),
            {},
            ValueError,
            "`schedules[0]` must be one schedule, got a stack of 2",
        ),
        ((0.1, 10), {"log": "z"}, ValueError, '`log` must be "x", "y" or "xy", got \'z\'.'),
        ((0.1, 10), {"log": True}, ValueError, '`log` must be "x", "y" or "xy", got True.'),
        ((0.1, 1), {"log": "x"}, ValueError, '`log` must not have "x" for a run of one step.'),
        ((-0.1, 10), {"log": "y"}, ValueError, '`log` must not have "y" if no rate is above 0.'),
    ],
)
def test_bad_arguments(arguments, keywords, error, message):
    for draw in (lambda *a, **k: plot(*a, axes(), **k), svg):
        with pytest.raises(error, match=re.escape(message)):
            draw(*arguments, **keywords)


def test_a_traced_schedule_cannot_be_drawn():
    with pytest.raises(TypeError, match="`schedules` must be concrete: the numbers of a traced schedule"):
        jax.jit(lambda rate: plot(js.Linear(rate, 0, 4), 10, axes()))(0.1)


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_table_of_several_over_more_than_one_block(tmp_path):
    several = {"cosine": js.Cosine(0.3, 0, 70_000), "lin, ear": js.Linear(0.3, 0, 70_000)}
    save(several, tmp_path / "rates.csv", 70_000)
    header, *lines = read(tmp_path / "rates.csv")
    columns = np.array(lines).T
    assert header == ["step", *several]
    np.testing.assert_array_equal(columns[0].astype(int), np.arange(70_000))
    for column, schedule in zip(columns[1:], several.values(), strict=True):
        np.testing.assert_array_equal(column.astype(np.float32), schedule(np.arange(70_000)))
    assert max(map(len, columns[1])) <= len("0.0123456789e-10")


def test_a_table_in_x64_mode_has_float64(tmp_path):
    with enable_x64(True):
        save(js.Linear(1, 0, 3), tmp_path / "rates.csv")
    assert [line[1] for line in read(tmp_path / "rates.csv")[1:]] == ["1.0", repr(2 / 3), repr(1 / 3), "0.0"]


def test_save_refuses_other_files(tmp_path):
    with pytest.raises(ValueError, match=re.escape("`path` must end in .svg, .png or .csv, got '.pdf'.")):
        save(0.1, tmp_path / "schedule.pdf")
    with pytest.raises(FileNotFoundError):
        save(0.1, tmp_path / "missing" / "schedule.svg")
