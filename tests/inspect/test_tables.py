"""What a notebook shows as a table, against its text."""

from __future__ import annotations

import copy
import pickle
from html.parser import HTMLParser

import pytest

import jaxsched as js
from jaxsched._inspect.tables import as_html, as_text


class Page(HTMLParser):
    """The cells of the tables in an HTML text, and its other text; every tag must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.rest, self.styles = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.styles += [value for name, value in attrs if name == "style"]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        else:
            self.rest += data


EVIL = "<script>alert('&amp;')</script> [bold] \"`"


def test_html_and_text_have_the_same_cells():
    rows = [["name", "number"], [EVIL, "0.5"], ["", "-12"]]
    page = Page(as_html(rows, "<>", EVIL))
    assert page.rows == rows
    assert page.rest == EVIL
    assert as_text(rows[:1] + rows[2:], "<>") == "name  number\n         -12"
    assert [line.split() for line in as_text(rows, "<>").split("\n")] == [
        " ".join(row).split() for row in rows
    ]


def test_the_page_gives_the_colours():
    styles = Page(as_html([["a"], ["b"]], ">")).styles
    assert any("text-align:right" in style for style in styles)
    assert not any(word in style for style in styles for word in ("background", "color:", "font"))


def evil(t):
    return -1.0 * t


evil.__name__ = evil.__qualname__ = EVIL


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [(js.warmup(js.Cosine(0.3, 0.0, 1000), 5000), 3000), (js.join([0.3, evil], [2]), 10)],
)
def test_findings_are_a_list_and_a_table(schedule, steps):
    findings = js.check(schedule, steps)
    page = Page(findings._repr_html_())
    assert page.rows[0] == ["level", "step", "message"]
    assert [f"{level} at step {step}: {message}" for level, step, message in page.rows[1:]] == [
        str(finding) for finding in findings
    ]
    assert len(findings) == len(page.rows) - 1 > 0
    plain = list(findings)
    assert isinstance(findings, list)
    assert findings == plain == [*findings]
    assert findings[0] == plain[0]
    assert findings[:1] == plain[:1]
    assert repr(findings) == str(findings) == repr(plain)
    for again in (copy.deepcopy(findings), pickle.loads(pickle.dumps(findings))):
        assert again == findings
        assert again._repr_html_() == findings._repr_html_()


def test_no_findings():
    findings = js.check(0.1, 100)
    assert Page(findings._repr_html_()).rest == "No findings."
    assert findings == []
    assert repr(findings) == "[]"
    assert not findings


def test_a_simulation_is_the_same_table_as_its_text():
    result = js.simulate(0.3, js.Plateau(0.5, 3), [1.0, *[0.7] * 40], steps_per_observation=234)
    rows = Page(result._repr_html_()).rows
    assert [[cell for cell in row if cell] for row in rows] == [
        line.split() for line in repr(result).split("\n")
    ]
    assert {len(row) for row in rows} == {8}
