"""The playground, opened from a file in Chromium without a network, against the library."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

import jaxsched as js
from catalogue.cases import EVERY
from jaxsched._text.parse import readable

HORIZON = 1000

PRESETS = """\
step_decay(0.3, 0.5, 30)
multi_step(0.3, 0.5, [30, 60, 60])
warmup_cosine(0.3, 100, warmup_steps=10, end_value=0.01)
warmup_stable_decay(0.3, 100, 10, 20, 0.1, 0.01, OneMinusSqrt)
one_cycle(0.012, 0.3, 0, 100)
one_cycle(0.012, 0.3, 0, 100, 0.4, Linear, three_phases=True)
one_cycle_momentum(0.95, 0.85, 100, shape=partial(Polynomial, power=2))
cyclic(0.1, 0.3, 10, 20, value_factor=0.5)
cyclic(0.1, 0.3, 10, decay_rate=0.99)
cyclic_momentum(0.9, 0.8, 10)
warm_restarts(0.3, 0.01, 10, 2, 0.8)
warm_restarts(0.3, 0, 40, 0.5, cycles=3)
inverse_sqrt(0.3, 10)
inverse_sqrt(0.3, 10, 0.1, 40)
noam(512, 40)
""".splitlines()
"""Calls of presets: those of the catalogue print as compositions."""

LIMITS = """\
Exponential(0.1, 100)
Exponential(0, 1e9, 1e-3)
cycle(Linear(0.3, 0.5, 50), 50, 0.5, cycles=100)
cycle(Linear(0, 0.5, 5), 5, value_factor=100)
cycle(Linear(0.3, 0, 50), 50, 0.5, cycles=25)
reclock(Linear(0.3, 0, 50), 2 * Linear(0, 50, 100) + 5)
Linear(1, 0, 5) - 0.81 * Table([1, 2])
-(0.81 * Table([1, 2])) - Table([1, 2])
Linear(1, 0, 5) - 0.5
Linear(1, 0, 5) - (-0.5)
0.5 - Linear(1, 0, 5) - 0
""".splitlines()
"""Rates at the ends of their ranges, and signs before numbers."""

MISTAKES = """\

Cosine
Cosine()
js.Cosine()
js.Cosine.power
ports.torch.StepLR(0.1, 30)
Cosine(0.3, 0)
Cosin(0.3, 0, 10)
cosine(0.3, 0, 10)
xyzzy(0.1)
stak([0.1])
Cosine(0.3, 0, -1)
Cosine(0.3, 0, 10, powr=2)
Cosine(0.3, 0, 10, power=2, power=3)
Cosine(init_value=0.3, 0, 10)
Cosine(0.3, 0, 10, 2, 3, 4)
Cosine('a', 0, 10)
Cosine([0.3], 0, 10)
Cosine(None, 0, 10)
Cosine(True, 0, 10)
Cosine(0.3, 0, 1e40)
Cosine(0.3, 0, 10
Cosine(0.3 0, 10)
warmup(0.3, -5)
warmup(0.3, 5, first_step=2)
warmup(0.3, 5, 0, Lineer)
warmup(0.3, 5, 0, 0.3)
warmup(0.3, 5, 0, warmup)
warmup('x', 5)
warmup(0.3, 5, 0, Geometric)
warmup(0.3, 5, 0, partial(Cosine, 2))
warmup(0.3, 5, 0, partial(Polynomial, power=-2))
warmup(0.3, 5, 0, partial(Polynomial, powr=2))
warmup(0.3, 5, 0, partial())
knots([0.1, 0.2], [0, 5, 3])
knots([0.1, 0.2, 0.3], [0, 5, 3])
knots(0.3, [0])
knots([], [])
knots([0.1, 1e40], [0, 3])
Piecewise([0.3], [10])
Piecewise([0.3, 0.1], [-10])
Piecewise([0.3, 0.1, 0.2], [-1, -10])
Table([])
join([], [])
join([0.1, 'b'], [3])
join([0.1, 0.2], [])
join(0.3, [])
cycle(0.3, 0)
cycle(0.3, 5, 0.5)
cycle(0.3, 5, cycles=1.5)
clip(0.3, 0.5, 0.1)
clip(0.3, 'a')
Geometric(0, 1, 5)
Geometric(-1, 1, 5)
Geometric(0.3, 1e-40, 5)
Geometric(-1e-40, 1, 5)
Geometric(-1e-30, 1e-30, 5)
Tanh(0.3, 0, 5, 3, 3)
Relaxation(0.3, 0, 5, 1)
Exponential(0.3, -1)
reflect(0.3, 0)
shift(0.3)
stretch(0.3, 0)
reclock(0.3, Linear(10, 0, 5))
reclock(0.3, warmup(knots([0, 50, 1.5], [0, 50, 100]), 5))
reclock(0.3, -1 * cooldown(Table([1, 2]), 5, 5, 9) + 3)
reclock(0.3, 1e10 * Linear(0, 1e10, 5))
0.3 +
0.3 ** 2
0.3 toString
toString
constructor(0.3)
Linear(1, 0, 5, __proto__=3)
0.3 / 0
Constant(0.3) / 2
-Cosine
Cosine * 2
[0.3]
(0.3, 0.2)
'a'
None
0.3 0.4
1__0
0.3.4
@
Cosine(0.3, 0, 10))
partial(Cosine, power=2)
1e999
Constant(0.3) * 1e39
Constant(0.3) - 1e39
1e39 - Constant(0.3)
warmup_cosine(0.3, 10, 20)
warmup_stable_decay(0.3, 100, 50, 60)
one_cycle(0.1, 0.3, 0, 100, 2)
one_cycle(0.1, 0.3, 0, 100, three_phases=1)
cyclic(0.1, 0.3, 0)
warm_restarts(0.3, 0, 0)
inverse_sqrt(0.3, 0)
noam(0, 5)
multi_step(0.3, 0.5, [5, 3])
multi_step(0.3, 1e30, [5, 30])
""".splitlines()

pytestmark = pytest.mark.thorough


@pytest.fixture
def address(site):
    return (site / "playground.html").as_uri()


@pytest.fixture
def page(browser, address):
    """The page; nothing goes wrong on it, and it asks for nothing from elsewhere."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    wrong = []
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith("http") and wrong.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert not wrong


def expressions(page):
    return page.get_by_role("textbox", name="Expressions, one per line")


def curves(page):
    return page.get_by_role("img", name="Learning rate")


def mistake(page):
    return page.locator("#playground-mistake").inner_text()


@pytest.mark.parametrize("catalogue", [True, False], ids=["catalogue", "more"])
def test_rates(page, catalogue):
    """What is typed is drawn without a complaint, prints as in the library, and has the same 200 rates."""
    texts = {repr(build(HORIZON)) for build in EVERY.values()} if catalogue else {*PRESETS, *LIMITS}
    steps = np.linspace(0, 2 * HORIZON, 200).astype(int)
    for text in sorted(texts):
        schedule = js.parse(text)
        expressions(page).fill(text)
        assert not mistake(page), text
        printed, rates = page.evaluate(
            "([text, at]) => {const s = jaxsched.parse(text); return [String(s), at.map((t) => s.at(t))]}",
            [text, steps.tolist()],
        )
        assert printed == repr(schedule)
        np.testing.assert_allclose(np.float32(rates), schedule(steps), rtol=1e-6, atol=1.2e-38, err_msg=text)


def test_every_name_that_parse_reads_is_known(page):
    known = set(page.evaluate("jaxsched.names"))
    ours = {name for name, each in readable().items() if each.__module__.startswith("jaxsched.")}
    assert known == ours - {"stack", "select"}
    for name in ("stack", "select"):
        expressions(page).fill(f"{name}([0.1, 0.2])")
        assert "type each on a line of its own" in mistake(page)


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
    expressions(page).fill("0.1\n# a comment\nCosine(0.3, 0, -5)")
    assert mistake(page).splitlines() == [
        "Line 3: `transition_steps` must be at least 0, got -5.",
        "",
        "Cosine(0.3, 0, -5)",
        "               ^",
    ]
    expressions(page).fill("warmup(warmup(Cosine(0.3, 0, -5), 10), 100)")
    assert mistake(page).splitlines()[2:] == ["…up(Cosine(0.3, 0, -5), 10), 10…", "                   ^"]
    assert expressions(page).get_attribute("aria-invalid") == "true"
    assert page.get_by_role("button", name="Download CSV").is_disabled()
    expressions(page).fill("0.1\nCosine(0.3, 0, 5)")
    assert not mistake(page)
    assert expressions(page).get_attribute("aria-invalid") is None
    assert page.get_by_role("listitem").filter(has_text="begins at").count() == 2


def test_steps_and_a_logarithmic_axis(page):
    steps, log = page.get_by_label("Steps"), page.get_by_label("Logarithmic")
    expressions(page).fill("Geometric(1, 1e-6, 100)")
    steps.fill("1.5")
    assert mistake(page) == "`steps` must be a whole number from 1 to 2147483647, got 1.5."
    steps.fill("2000000000")
    assert "1.6e9" in curves(page).inner_html()
    steps.fill("")
    log.check()
    assert ">1e-6</text>" in curves(page).inner_html()
    expressions(page).fill("-1")
    assert mistake(page) == "A logarithmic axis needs a rate above 0."
    log.uncheck()
    assert not mistake(page)


@pytest.mark.parametrize(
    ("text", "least"), [("reflect(Linear(0.1, 1, 20), 40)", 80), ("InversePower(0.3, 1000, 0.5)", 10_000)]
)
def test_an_endless_schedule_is_shown_until_it_repeats_or_settles(page, text, least):
    expressions(page).fill(text)
    end = int(page.get_by_role("listitem").filter(has_text="begins at").inner_text().split()[-1].rstrip("."))
    assert least < end < 10 * least


def test_a_link_carries_everything(page, address):
    expressions(page).fill("0.1 + Linear(1, 0, 4)  # 100 % & more\n0.2")
    page.get_by_label("Steps").fill("7")
    page.get_by_label("Logarithmic").check()
    page.get_by_role("button", name="Copy link").click()
    said = page.get_by_role("status").filter(has_text="address bar")
    said.wait_for()
    page.wait_for_timeout(100)
    assert said.is_visible()
    link = page.evaluate("location.href")
    page.goto("about:blank")
    page.goto(link)
    assert expressions(page).input_value() == "0.1 + Linear(1, 0, 4)  # 100 % & more\n0.2"
    assert page.get_by_label("Steps").input_value() == "7"
    assert page.get_by_label("Logarithmic").is_checked()
    page.goto(f"{address}#{urlencode({'e': 'Linear(1, 0, 4) + 0.5', 'steps': 9})}")
    assert "over 9 steps: Linear(1, 0, 4) + 0.5</title>" in curves(page).inner_html()
    assert not page.get_by_label("Logarithmic").is_checked()


def test_what_was_typed_is_still_there_after_a_step_back(page, address):
    page.goto(f"{address}#e=0.1")
    expressions(page).fill("Linear(1, 0, 5)")
    page.get_by_label("Steps").fill("7")
    page.get_by_label("Logarithmic").focus()
    page.goto("about:blank")
    page.go_back()
    assert expressions(page).input_value() == "Linear(1, 0, 5)"
    assert "over 7 steps" in curves(page).inner_html()


@pytest.mark.parametrize("link", ["#e=Cosine(0.3", "#e=%E0%A4%A", "#e=", "#e=0.1&steps=x", "#e=%00%22%3E"])
def test_a_broken_link_says_what_is_wrong(page, address, link):
    page.goto("about:blank")
    page.goto(address + link)
    assert mistake(page)
    expressions(page).fill("0.1")
    page.get_by_label("Steps").fill("")
    assert not mistake(page)


def test_a_link_adds_no_markup(page, address):
    page.goto(f"{address}#{urlencode({'e': '0.1 # <img src=x onerror=alert(1)></title>'})}")
    assert page.get_by_role("listitem").filter(has_text="<img src=x").count() == 1
    assert page.locator(".playground img").count() == 0


def test_downloads(page):
    expressions(page).fill('Linear(1, 0, 3)  # "a" < b\nTable([0.1, 1e-7])')
    page.get_by_label("Steps").fill("4")
    with page.expect_download() as found:
        page.get_by_role("button", name="Download CSV").click()
    assert found.value.suggested_filename == "schedule.csv"
    assert Path(found.value.path()).read_text().splitlines() == [
        'step,"Linear(1, 0, 3)  # ""a"" < b","Table([0.1, 1e-7])"',
        "0,1,0.1",
        "1,0.6666667,1e-7",
        "2,0.33333334,1e-7",
        "3,0,1e-7",
    ]
    with page.expect_download() as found:
        page.get_by_role("button", name="Download SVG").click()
    assert found.value.suggested_filename == "schedule.svg"
    root = ET.parse(found.value.path()).getroot()
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {'Linear(1, 0, 3)  # "a" < b', "Table([0.1, 1e-7])"} < {*texts}


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page):
    page.get_by_label("Start from").focus()
    reached = []
    for _ in range(7):
        seen = page.evaluate(
            "() => {const e = document.activeElement; return [e.id, getComputedStyle(e).outlineStyle]}"
        )
        reached.append(seen[0].removeprefix("playground-"))
        assert seen[1] == "solid"
        page.keyboard.press("Tab")
    assert reached == ["example", "text", "steps", "log", "link", "svg", "csv"]
    page.get_by_label("Start from").select_option("one_cycle(0.012, 0.3, 0, 100)")
    assert expressions(page).input_value() == "one_cycle(0.012, 0.3, 0, 100)"


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_it_fits_and_axe_finds_nothing(browser, address, width, scheme):
    """In the scheme of the system and, after a click on the theme's button, in the other one."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install '.[test]'")
    size = {"width": width, "height": 900}
    page = browser.new_page(viewport=size, color_scheme=scheme, offline=True)
    page.goto(address)
    backgrounds = set()
    for _ in range(2):
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for text in ("\n".join(PRESETS[:6]), "join([" + "0.1, " * 50 + "-Cosine], [])"):
            expressions(page).fill(text)
            assert not axe.Axe().run(page, context=".playground").response["violations"]
            for box in ("document.documentElement", "document.querySelector('.content')"):
                assert page.evaluate(f"{box}.scrollWidth - {box}.clientWidth") == 0
        page.get_by_role("button", name="Toggle").filter(visible=True).click()
    page.close()
    assert len(backgrounds) == 2
