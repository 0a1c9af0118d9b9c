"""The gallery is complete, and each of its pictures can be drawn."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import api
import gallery
import jax.numpy as jnp
import pytest
from modules import public_functions

import jaxsched as js
from catalogue import cases, ports
from jaxsched._core.evaluate import batch_shape
from jaxsched._text.parse import PRESETS

DOCS = Path(gallery.__file__).parent
SHAPES_AND_COMBINATORS = {
    name
    for name, value in vars(js).items()
    if inspect.isclass(value) and issubclass(value, js.Schedule) and not inspect.isabstract(value)
} | {"stack", "table", "Product", "Sum"}


NOT_IN_THE_PLAYGROUND = ("Table", "table of a function", "Lambda")
NOT_IN_THE_PLAYGROUND += ("torch LambdaLR", "torch CyclicLR scale_fn", "paddle LambdaDecay")
"""Schedules that are no text, or a very long one."""


@pytest.fixture(scope="module")
def sections():
    return {title: gallery.panels(title) for title in gallery.SECTIONS}


def first_words(*sections):
    return {panel.name.split()[0] for section in sections for panel in section}


def test_every_shape_combinator_and_preset_is_there(sections):
    assert first_words(sections["Shapes"], sections["Combinators"]) == SHAPES_AND_COMBINATORS
    assert first_words(sections["Presets"]) == set(PRESETS)


@pytest.mark.parametrize("system", js.ports.SYSTEMS)
def test_the_reference_links_the_curves_of_a_system(sections, system):
    assert f'<a href="../gallery.html#system={system}">' in api.listing(system)
    assert any(panel.system == system for panel in sections["Ports"])


@pytest.mark.parametrize("system", js.ports.SYSTEMS)
def test_every_port_is_there(sections, system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    functions = public_functions(module)
    panels = [*sections["Ports"], *sections["Plateaus"]]
    assert functions - {"from_config"} == {
        panel.title.split()[0] for panel in panels if panel.system == system
    }


def test_a_call_is_what_was_called(sections):
    systems = {system: getattr(js.ports, system) for system in js.ports.SYSTEMS}
    for panel in itertools.chain(*sections.values()):
        if panel.name != "Lambda":  # It differs from one with another function.
            assert eval(panel.call, vars(ports) | systems | {"jnp": jnp}) == panel.value, panel.name


@pytest.mark.thorough
def test_what_is_a_text_opens_in_the_playground(sections):
    for panel in itertools.chain(*sections.values()):
        address = gallery.in_the_playground(panel)
        if not isinstance(panel.value, js.Schedule) or panel.name in NOT_IN_THE_PLAYGROUND:
            assert not address
        else:
            state = parse_qs(urlsplit(address).fragment, strict_parsing=True)
            members = [js.parse(line) for line in state["e"][0].split("\n")]
            assert panel.value in (members[0], js.stack(members))
            assert state["steps"] == [str(panel.steps)]


def test_the_page_shows_every_section_once():
    shown = re.findall(r"^```\{gallery\} (.+)$", (DOCS / "gallery.md").read_text(), re.MULTILINE)
    assert shown == [*gallery.SECTIONS]


class Step(js.Schedule):
    r"""One rate, then another.

    $$f(t) = \begin{cases} \text{init} & t < T \\ \text{end} & t \ge T \end{cases}$$
    """

    init_value: js.Number = js.number()
    end_value: js.Number = js.number()
    steps: js.Number = js.number(at_least=0)

    def evaluate(self, t):
        return jnp.where(t < self.steps, self.init_value, self.end_value)


def test_what_the_package_exports_needs_no_row_in_the_docs(monkeypatch):
    monkeypatch.setattr(js, "Step", Step, raising=False)
    monkeypatch.setattr(js, "__all__", [*js.__all__, "Step"])
    with pytest.raises(LookupError, match="catalogue/cases.py has no `Step`"):
        gallery.panels("Shapes")
    monkeypatch.setitem(cases.CASES, "step", lambda t: js.Step(0.3, 0.0, t))
    reference = api.listing("shapes")
    formula = r"$f(t) = \begin{cases} \text{init} & t < T \\ \text{end} & t \ge T \end{cases}$"
    assert f"| {{py:obj}}`Step <jaxsched.Step>` | One rate, then another. | {formula} |" in reference
    assert "\nschedules/Step\n" in reference
    assert "\n.. autoclass:: Step\n" in api.page("Step", ["Step"])
    assert gallery.panels("Shapes")[-1] == ("Step", "js.Step(0.3, 0, 800)", Step(0.3, 0, 800), 1000)


def test_a_combinator_without_a_row_is_drawn_from_its_case(monkeypatch):
    rows = {name: build for name, build in gallery.COMBINATORS.items() if name != "warmup"}
    monkeypatch.setitem(gallery.SECTIONS, "Combinators", rows)
    panel = gallery.panels("Combinators")[-1]
    assert panel.value == cases.COMBINATORS["warmup"](800)
    assert panel.call == "js.warmup(js.Cosine(0.3, 0.01, 600), 200)"


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.thorough
@pytest.mark.parametrize("title", gallery.SECTIONS)
def test_pictures_are_well_formed_and_take_the_colours_of_their_page(sections, title):
    cards = ET.fromstring(gallery.section(title))
    assert len(cards) == len(sections[title])
    for card, panel in zip(cards, sections[title], strict=True):
        assert card.get("data-system") == panel.system
        name, picture = card[:2]
        assert "".join(name.itertext()).startswith(panel.title)
        assert "".join(next(card.iter("pre")).itertext()) == panel.call
        assert picture.find(f"{SVG}title").text.startswith(f"{panel.title}: ")
        assert picture.get("role") == "img"
        assert picture.get("fill") == "currentColor"
        assert not picture.findall(f".//{SVG}style")
        curves = [path for path in picture.iter(f"{SVG}path") if path.get("stroke-width") == "2"]
        assert len(curves) == (batch_shape(panel.schedule) or (1,))[0], panel.name
        for curve in curves:
            assert "currentColor" in curve.get("style")
            assert len(curve.get("d").split()) > 2, panel.name
