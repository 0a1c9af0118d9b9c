"""The gallery in a browser: its filters, its buttons, and what axe finds."""

from __future__ import annotations

import gallery
import pytest

import jaxsched as js

pytestmark = pytest.mark.thorough
LOOKS = {f"{width} {scheme}": (width, scheme) for width in (360, 1280) for scheme in ("light", "dark")}
SHOWN = """() => [...document.querySelectorAll(".gallery > li")].filter((card) => card.checkVisibility())
    .map((card) => card.querySelector("pre").textContent)"""

OPEN = "document.querySelectorAll('.gallery details').forEach((each) => { each.open = true; })"


@pytest.fixture(scope="module")
def panels():
    return {title: gallery.panels(title) for title in gallery.SECTIONS}


@pytest.fixture(params=LOOKS.values(), ids=LOOKS)
def page(browser, site, request):
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        offline=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.goto((site / "gallery.html").as_uri())
    page.locator("button.copybtn").first.wait_for()
    yield page
    context.close()


def calls(panels, wanted=lambda title, panel: True):
    return [panel.call for title in panels for panel in panels[title] if wanted(title, panel)]


def count(page):
    return page.get_by_role("status").inner_text()


def test_it_shows_everything_in_rows_of_cards(page, panels):
    everything = calls(panels)
    assert page.evaluate(SHOWN) == everything
    assert count(page) == f"{len(everything)} of {len(everything)} schedules"
    places = page.evaluate(
        '() => [...document.querySelectorAll("#shapes li")].map((card) => card.getBoundingClientRect().y)'
    )
    assert places.count(places[0]) == {360: 2, 1280: 5}[page.viewport_size["width"]]
    page.evaluate(OPEN)
    boxes = "[document.documentElement, ...document.querySelectorAll('.gallery > li')]"
    assert page.evaluate(f"Math.max(...{boxes}.map((box) => box.scrollWidth - box.clientWidth))") == 0


def test_filters_hide_the_other_cards(page, panels):
    total = len(calls(panels))
    page.get_by_role("checkbox", name="Presets", exact=True).check()
    presets = calls(panels, lambda title, panel: title == "Presets")
    assert page.evaluate(SHOWN) == presets
    assert count(page) == f"{len(presets)} of {total} schedules"
    assert not page.get_by_role("heading", name="Shapes").is_visible()

    page.get_by_role("checkbox", name="Presets", exact=True).uncheck()
    page.get_by_role("combobox", name="System").select_option("PyTorch")
    ours = calls(panels, lambda title, panel: panel.system == "torch")
    assert page.evaluate(SHOWN) == ours
    assert count(page) == f"{len(ours)} of {total} schedules"

    page.get_by_role("checkbox", name="Plateaus", exact=True).check()
    assert page.evaluate(SHOWN) == ["torch.ReduceLROnPlateau(0.3, factor=0.5, patience=3)"]
    page.get_by_role("button", name="Clear").click()
    text = page.get_by_role("searchbox", name="Name or expression")
    text.fill("js.WARMUP( cosine")
    assert page.evaluate(SHOWN) == ["js.warmup(js.Cosine(0.3, 0.01, 800), 200)"]
    text.fill("staircase(Exponential(0.3, 0.5, 4), 4)")
    assert "torch.StepLR(0.3, 4, 0.5)" in page.evaluate(SHOWN)
    text.fill("no such schedule")
    assert page.evaluate(SHOWN) == []
    assert count(page) == f"0 of {total} schedules"


def test_a_link_carries_the_filters(page, panels):
    page.get_by_role("checkbox", name="Shapes", exact=True).check()
    page.get_by_role("checkbox", name="Ports", exact=True).check()
    page.get_by_role("combobox", name="System").select_option("Keras")
    page.get_by_role("searchbox", name="Name or expression").fill("0.3")
    assert page.evaluate("location.hash") == "#family=shapes&family=ports&system=keras&text=0.3"
    chosen = page.evaluate(SHOWN)
    page.reload()
    assert page.evaluate(SHOWN) == chosen
    assert page.get_by_role("combobox", name="System").input_value() == "keras"
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!location.hash")
    assert page.evaluate(SHOWN) == calls(panels)
    page.evaluate("location.hash = '#system=nobody'")
    page.wait_for_function("location.hash")
    assert page.locator("[name=system] option:checked").inner_text() == "All"
    assert page.evaluate(SHOWN) == calls(panels)
    page.evaluate("location.hash = '#text=rex'")
    page.wait_for_function("document.querySelector('[name=text]').value === 'rex'")
    page.evaluate("location.hash = '#shapes'")
    page.wait_for_function("!document.querySelector('[name=text]').value")
    assert page.evaluate(SHOWN) == calls(panels)


def test_the_filters_need_no_mouse(page):
    page.get_by_role("checkbox", name="Shapes", exact=True).focus()
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.type("PyT")
    page.keyboard.press("Tab")
    page.keyboard.type("cos")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#family=shapes&system=torch&text=cos"


def test_a_button_copies_the_call(page):
    card = page.locator(".gallery > li", has_text="get_wsd_schedule").last
    copied = []
    for button in card.locator("button.copybtn").all():
        if not button.is_visible():
            card.get_by_text("As an expression").click()
        button.click()
        page.wait_for_function("document.querySelector('.copybtn.success')")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
        page.wait_for_function("!document.querySelector('.copybtn.success')")
    call, expression = copied
    assert eval(call, {"transformers": js.ports.transformers}) == js.parse(expression)


def test_without_scripts_all_cards_are_there(browser, site, panels):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "gallery.html").as_uri())
    assert page.locator(".gallery > li:visible").count() == len(calls(panels))
    assert not page.locator(".gallery-filters").is_visible()
    context.close()


def test_axe_finds_nothing(page):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    # All cards are built alike, and axe needs a second for ten.
    page.get_by_role("searchbox").fill("cosine annealing")
    assert 0 < len(page.evaluate(SHOWN)) < 20
    page.evaluate(OPEN)
    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = axe.Axe().run(page, context={"include": [".content"]}, options=options).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
