"""The playground's own formulas and messages, in Chromium, against the library."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import jaxsched as js
from catalogue.cases import COMBINATORS, PRESET_VARIANTS, PRESETS, SHAPES, VARIANTS
from jaxsched._text.parse import readable

DOCS = Path(__file__).parents[2] / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CASES = {**SHAPES, **VARIANTS, **COMBINATORS, **PRESETS, **PRESET_VARIANTS}
PRESET_CALLS = (
    "step_decay(0.3, 0.5, 30)",
    "multi_step(0.3, 0.5, [30, 60, 60])",
    "warmup_cosine(0.3, 100, warmup_steps=10, end_value=0.01)",
    "warmup_stable_decay(0.3, 100, 10, 20, 0.1, 0.01, OneMinusSqrt)",
    "one_cycle(0.012, 0.3, 0, 100)",
    "one_cycle(0.012, 0.3, 0, 100, 0.4, Linear, three_phases=True)",
    "one_cycle_momentum(0.95, 0.85, 100, shape=partial(Polynomial, power=2))",
    "cyclic(0.1, 0.3, 10, 20, value_factor=0.5)",
    "cyclic(0.1, 0.3, 10, decay_rate=0.99)",
    "cyclic_momentum(0.9, 0.8, 10)",
    "warm_restarts(0.3, 0.01, 10, 2, 0.8)",
    "warm_restarts(0.3, 0, 40, 0.5, cycles=3)",
    "inverse_sqrt(0.3, 10)",
    "inverse_sqrt(0.3, 10, 0.1, 40)",
    "noam(512, 40)",
)
"""Calls of presets: the catalogue's print as compositions."""

MISTAKES = (
    *(
        "",
        "Cosine",
        "Cosine()",
        "Cosine(0.3, 0)",
        "Cosin(0.3, 0, 10)",
        "cosine(0.3, 0, 10)",
        "StepLR(0.1, 30)",
    ),
    *("Cosine(0.3, 0, -1)", "Cosine(0.3, 0, 10, powr=2)", "Cosine(0.3, 0, 10, power=2, power=3)"),
    *(
        "Cosine(init_value=0.3, 0, 10)",
        "Cosine(0.3, 0, 10, 2, 3, 4)",
        "Cosine('a', 0, 10)",
        "Cosine([0.3], 0, 10)",
    ),
    *(
        "Cosine(None, 0, 10)",
        "Cosine(True, 0, 10)",
        "Cosine(0.3, 0, 1e40)",
        "Cosine(0.3, 0, 10",
        "Cosine(0.3 0, 10)",
    ),
    *(
        "warmup(0.3, -5)",
        "warmup(0.3, 5, first_step=2)",
        "warmup(0.3, 5, 0, Lineer)",
        "warmup(0.3, 5, 0, 0.3)",
    ),
    *(
        "warmup(0.3, 5, 0, warmup)",
        "warmup('x', 5)",
        "warmup(0.3, 5, 0, Geometric)",
        "knots([0.1, 0.2], [0, 5, 3])",
    ),
    *("knots([0.1, 0.2, 0.3], [0, 5, 3])", "knots(0.3, [0])", "knots([], [])", "knots([0.1, 1e40], [0, 3])"),
    *(
        "Piecewise([0.3], [10])",
        "Piecewise([0.3, 0.1], [-10])",
        "Table([])",
        "join([], [])",
        "join([0.1, 'b'], [3])",
    ),
    *(
        "join([0.1, 0.2], [])",
        "join(0.3, [])",
        "cycle(0.3, 0)",
        "cycle(0.3, 5, 0.5)",
        "cycle(0.3, 5, cycles=1.5)",
    ),
    *(
        "clip(0.3, 0.5, 0.1)",
        "clip(0.3, 'a')",
        "Geometric(0, 1, 5)",
        "Geometric(-1, 1, 5)",
        "Tanh(0.3, 0, 5, 3, 3)",
    ),
    *("Relaxation(0.3, 0, 5, 1)", "Exponential(0.3, -1)", "reflect(0.3, 0)", "shift(0.3)", "stretch(0.3, 0)"),
    *(
        "0.3 +",
        "0.3 ** 2",
        "0.3 / 0",
        "Constant(0.3) / 2",
        "-Cosine",
        "Cosine * 2",
        "[0.3]",
        "(0.3, 0.2)",
        "'a'",
    ),
    *("None", "0.3 0.4", "1__0", "0.3.4", "@", "Cosine(0.3, 0, 10))", "partial(Cosine, power=2)", "1e999"),
    *("warmup(0.3, 5, 0, partial(Cosine, 2))", "warmup(0.3, 5, 0, partial(Polynomial, power=-2))"),
    *(
        "warmup(0.3, 5, 0, partial(Polynomial, powr=2))",
        "warmup(0.3, 5, 0, partial())",
        "Constant(0.3) * 1e39",
    ),
    *(
        "warmup_cosine(0.3, 10, 20)",
        "warmup_stable_decay(0.3, 100, 50, 60)",
        "one_cycle(0.1, 0.3, 0, 100, 2)",
    ),
    *("one_cycle(0.1, 0.3, 0, 100, three_phases=1)", "cyclic(0.1, 0.3, 0)", "warm_restarts(0.3, 0, 0)"),
    *("inverse_sqrt(0.3, 0)", "noam(0, 5)", "multi_step(0.3, 0.5, [5, 3])", "multi_step(0.3, 1e30, [5, 30])"),
)

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(CHROMIUM is None, reason="runs the page's script in Chromium: apt install chromium"),
]


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    form = re.search(r"```\{raw\} html\n(.*?)```", (DOCS / "playground.md").read_text(), re.DOTALL)[1]
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(re.sub("<script.*</script>", "", form))
        for name in ("schedules", "playground"):
            page.add_script_tag(content=(DOCS / "_static" / f"{name}.js").read_text())
        page.evaluate("document.dispatchEvent(new Event('DOMContentLoaded'))")
        yield page
        browser.close()


def test_every_expression_of_the_catalogue(page):
    """What is typed is drawn without a complaint, prints as it does here, and has the same rates."""
    expressions = {repr(build(t)): t for name, build in CASES.items() if name != "lambda" for t in (100,)}
    for text, t in (expressions | dict.fromkeys(PRESET_CALLS, 100)).items():
        schedule = js.parse(text)
        steps = np.unique(np.append(np.linspace(0, 2 * t, 196).astype(int), [1, t - 1, t, t + 1]))
        page.fill("#playground-text", text)
        assert page.is_hidden("#playground-mistake"), (text, page.inner_text("#playground-mistake"))
        printed, rates = page.evaluate(
            "([text, at]) => {const s = jaxsched.parse(text); return [String(s), at.map((t) => s.at(t))]}",
            [text, steps.tolist()],
        )
        assert printed == repr(schedule)
        np.testing.assert_allclose(
            np.array(rates, float), schedule(steps), rtol=1e-6, atol=1e-37, err_msg=text
        )


def test_every_name_that_parse_reads(page):
    known = set(page.evaluate("jaxsched.names"))
    ours = {
        name for name in readable() if inspect.getmodule(readable()[name]).__name__.startswith("jaxsched.")
    }
    assert known == ours - {"stack", "select"}  # they hold several schedules


def test_mistakes_are_worded_as_in_the_library(page):
    for text in MISTAKES:
        with pytest.raises(ValueError) as caught:
            js.parse(text)
        message, _, caret = str(caught.value).rsplit("\n", 2)
        seen = page.evaluate(
            "(text) => {try {jaxsched.parse(text)} catch (error) {return [error.message, error.place]}}", text
        )
        assert seen == [message, len(caret) - 3], text


def test_a_mistake_is_shown_where_it_is_and_goes_away(page):
    page.fill("#playground-text", "0.1\n# a comment\nCosine(0.3, 0, -5)")
    assert page.inner_text("#playground-mistake").splitlines() == [
        "`transition_steps` must be at least 0, got -5.",
        "line 3: Cosine(0.3, 0, -5)",
        "                       ^",
    ]
    assert page.is_disabled("#playground-csv")
    page.fill("#playground-text", "0.1\nCosine(0.3, 0, 5)")
    assert page.is_hidden("#playground-mistake")
    assert page.locator("#playground-summary li").count() == 2
    page.fill("#playground-steps", "1.5")
    assert "`steps` must be a whole number from 1 to 2147483647, got 1.5." in page.inner_text(
        "#playground-mistake"
    )
    page.fill("#playground-steps", "")


def test_the_downloads(page):
    page.fill("#playground-text", "Linear(1, 0, 4)\nTable([0.1, 0.2])")
    page.fill("#playground-steps", "5")
    with page.expect_download() as found:
        page.click("#playground-csv")
    assert Path(found.value.path()).read_text().splitlines() == [
        'step,"Linear(1, 0, 4)","Table([0.1, 0.2])"',
        "0,1,0.10000000149011612",
        "1,0.75,0.20000000298023224",
        "2,0.5,0.20000000298023224",
        "3,0.25,0.20000000298023224",
        "4,0,0.20000000298023224",
    ]
    with page.expect_download() as found:
        page.click("#playground-svg")
    assert (
        "<title>Learning rate over 5 steps: Linear(1, 0, 4); Table(" in Path(found.value.path()).read_text()
    )
