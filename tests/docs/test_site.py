"""The site as a reader sees it: built without a warning, opened in Chromium without a network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

WIDTHS = {"desktop": 1280, "phone": 390}

LOOK = """async () => {
    if (window.MathJax?.startup) await MathJax.startup.promise;
    const all = (selector) => [...document.querySelectorAll(selector)];
    const boxes = [document.documentElement, ...all(".content")];
    return {
        overflow: Math.max(...boxes.map((box) => box.scrollWidth - box.clientWidth)),
        broken: all("img").filter((image) => !image.naturalWidth).map((image) => image.src),
        untypeset: all(".math:not(:has(mjx-container))").map((formula) => formula.innerText),
        mistyped: all("mjx-merror").map((error) => error.innerText),
        links: all("a[href]").map((link) => link.href),
        ids: all("[id]").map((element) => element.id),
    };
}"""

pytestmark = pytest.mark.thorough


def look_at(browser, site, width):
    """What a browser window of this width shows on each page, and the errors while it loads."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    wrong = []
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"{request.url}: {request.failure}"))
    page.on("request", lambda request: request.url.startswith("http") and wrong.append(request.url))
    for path in sorted(site.rglob("*.html")):
        wrong.clear()
        page.goto(path.as_uri(), wait_until="load")
        yield path, page.evaluate(LOOK) | {"wrong": [*wrong]}
    context.close()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_pages(browser, site, width):
    problems, pages = [], {}
    for path, seen in look_at(browser, site, width):
        name = str(path.relative_to(site))
        problems += [
            (name, what, seen[what])
            for what in ("wrong", "broken", "untypeset", "mistyped", "overflow")
            if seen[what]
        ]
        pages[path.resolve()] = seen
    assert len(pages) > 30
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
