"""The site as a reader sees it: built without a warning, opened in Chromium without a network."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

VISITS = {"desktop": (1280, "light"), "phone": (360, "dark")}
"""The widths and colour schemes of the windows that visit every page."""

COLOURS = {
    "index",
    "chapter",
    "coming-from/pytorch",
    "exercises",
    "how-to/optax-chain",
    "playground",
    "reference/ports-torch",
    "reference/schedules/Cosine",
    "search",
    "which",
}
"""One page of each kind. The others have the same colours, and contrast is what axe needs longest for."""

MADE_ALIKE = "reference/schedules/", "reference/ports-"
"""The pages that a program writes; axe looks at those of `COLOURS`."""

UNSEEN = [["mjx-container"], ["th:has(> p > .math)"], [".gallery"]]
"""What axe leaves out: the MathML behind the picture of a formula, which it does not read, and the cards of
the gallery, on some of which it runs in a test of their own."""

SIDEBAR = [[".sidebar-drawer"]]
"""What it leaves out of every page but the first, as it is the same."""

LOOK = """async () => {
    if (window.MathJax?.startup) await MathJax.startup.promise;
    // Twice: the site's script looks at the sizes of boxes at the end of a frame.
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    const all = (selector) => [...document.querySelectorAll(selector)];
    const boxes = [document.documentElement, ...all(".content")];
    return {
        overflow: Math.max(...boxes.map((box) => box.scrollWidth - box.clientWidth)),
        unnamed: all(".content :is(img, svg)").filter((picture) => {
            if (picture.closest("mjx-container, a, button, label, [aria-hidden=true]")) return false;
            if (picture.closest("[role=img][aria-label]")) return false;
            const name = picture.alt ?? picture.querySelector("title")?.textContent;
            return picture.checkVisibility() && (!name || name === picture.getAttribute("src"));
        }).map((picture) => picture.outerHTML.slice(0, 200)),
        broken: all("img").filter((image) => !image.naturalWidth).map((image) => image.src),
        untypeset: all(".math:not(:has(mjx-container))").map((formula) => formula.innerText),
        mistyped: all("mjx-merror").map((error) => error.innerText),
        links: all("a[href]").map((link) => link.href),
        ids: all("[id]").map((element) => element.id),
    };
}"""

pytestmark = pytest.mark.thorough


def look_at(browser, site, width, scheme):
    """What a browser window shows on each page, the errors while it loads, and what axe finds."""
    package = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install .[test]")
    axe = package.Axe()
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, reduced_motion="reduce"
    )
    page = context.new_page()
    wrong = []
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"{request.url}: {request.failure}"))
    page.on("request", lambda request: request.url.startswith("http") and wrong.append(request.url))
    for path in sorted(site.rglob("*.html")):
        wrong.clear()
        page.goto(path.as_uri(), wait_until="load")
        seen = page.evaluate(LOOK) | {"wrong": [*wrong]}
        if options := rules(path.relative_to(site).with_suffix("").as_posix(), scheme):
            left_out = {"exclude": UNSEEN + SIDEBAR * (path.name != "index.html")}
            found = axe.run(page, left_out, options).response["violations"]
            seen["axe"] = [
                (rule["id"], node["html"][:200], node["failureSummary"])
                for rule in found
                for node in rule["nodes"]
            ]
        yield path, seen
    context.close()


def rules(name, scheme):
    """The options of axe for a page, or None. The dark scheme changes colours alone."""
    options = {"resultTypes": ["violations"], "preload": False}  # files cannot be loaded twice
    if name in COLOURS:
        return options | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    if scheme == "dark" or name.startswith(MADE_ALIKE):
        return None
    return options | {"rules": {"color-contrast": {"enabled": False}}}


@pytest.mark.parametrize(("width", "scheme"), VISITS.values(), ids=VISITS)
def test_pages(browser, site, width, scheme):
    problems, pages = [], {}
    for path, seen in look_at(browser, site, width, scheme):
        name = str(path.relative_to(site))
        problems += [
            (name, what, seen[what])
            for what in ("wrong", "broken", "unnamed", "untypeset", "mistyped", "overflow", "axe")
            if seen.get(what)
        ]
        pages[path.resolve()] = seen
    assert {(site / f"{name}.html").resolve() for name in COLOURS} < pages.keys()
    for path, seen in pages.items():
        for link in seen["links"]:
            address, anchor = urldefrag(link)
            if anchor.startswith("e="):
                anchor = ""  # an expression for the playground
            if address.startswith("https://"):
                continue
            if "=" in anchor:  # It is the state of a form, as of the gallery's filters.
                anchor = ""
            target = Path(unquote(urlsplit(address).path)).resolve()
            if not target.is_file() or (anchor and unquote(anchor) not in pages[target]["ids"]):
                problems.append((path.name, "link", link))
    assert not problems


COPIED = """(button) => new Promise((resolve) => {
    document.addEventListener("copy", () => resolve(document.activeElement.value), { once: true });
    button.focus();
    document.activeElement.click();
})"""


def test_copied_code_can_be_pasted_into_a_shell(browser, site):
    page = browser.new_page()
    shells = 0
    for name in ("how-to/preview.html", "training.html"):
        page.goto((site / name).as_uri())
        for button in page.locator("button.copybtn").all():
            code = page.locator(button.get_attribute("data-clipboard-target")).inner_text()
            examples = doctest.DocTestParser().get_examples(code)
            wanted = "".join(example.source for example in examples) or re.sub(" *#.*", "", code)
            assert [*map(str.rstrip, button.evaluate(COPIED).splitlines())] == wanted.splitlines()
            shells += not examples
    page.close()
    assert shells
