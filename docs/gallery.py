"""The gallery of the site: a card of every public schedule, with its picture and the call that makes it."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import api
import jax.numpy as jnp
import numpy as np

import jaxsched as js
from catalogue import cases, ports
from jaxsched._inspect.plot import curves_of, labelled, marks_of
from jaxsched._inspect.svg import Curve, picture
from jaxsched.ports import keras, mmengine, optax, paddle, timm, torch, transformers

STEPS, PORT_STEPS = 1000, 24
"""The number of steps in a picture. The ports are shown past their end."""

HORIZON = 800
"""Where the schedules of the catalogue, which have no picture of their own here, have their last event."""

SHAPES: dict[str, Callable[[], js.Schedule]] = {
    "Constant": lambda: js.Constant(0.3),
    "Linear": lambda: js.Linear(0.3, 0.0, 800),
    "Polynomial": lambda: js.Polynomial(0.3, 0.0, 800, power=3),
    "OneMinusSqrt": lambda: js.OneMinusSqrt(0.3, 0.0, 800),
    "Cosine": lambda: js.Cosine(0.3, 0.01, 800),
    "Geometric": lambda: js.Geometric(0.3, 0.001, 800),
    "Rex": lambda: js.Rex(0.3, 0.0, 800),
    "Tanh": lambda: js.Tanh(0.3, 0.0, 800),
    "Relaxation": lambda: js.Relaxation(0.3, 0.0, 800),
    "Exponential": lambda: js.Exponential(0.3, 0.5, 200),
    "InversePower": lambda: js.InversePower(0.3, 50, 0.5),
    "Logistic": lambda: js.Logistic(0.3, 0.0, 500, 80),
    "Piecewise": lambda: js.Piecewise([0.3, 0.1, 0.03], [400, 800]),
    "Table": lambda: js.Table([0.3 / (1 + step // 100) for step in range(1000)]),
    "table of a function": lambda: js.table(lambda step: 0.3 if step < 300 else 90 / step, 1000),
    "Lambda": lambda: js.Lambda(lambda step: 0.2 + 0.1 * jnp.exp(-step / 300) * jnp.cos(step / 40)),
}

COMBINATORS: dict[str, Callable[[], js.Schedule]] = {
    "join": lambda: js.join([0.05, js.Rex(0.3, 0.1, 400), js.Linear(0.1, 0.0, 400)], [200, 600]),
    "warmup": lambda: js.warmup(js.Cosine(0.3, 0.01, 800), 200),
    "cooldown": lambda: js.cooldown(js.warmup(0.3, 100), 700, 300, shape=js.OneMinusSqrt),
    "knots": lambda: js.knots([0.05, 0.3, 0.1, 0.0], [0, 200, 600, 1000], js.Cosine),
    "cycle": lambda: js.cycle(js.Cosine(0.3, 0.01, 150), 150, 2, 0.8),
    "reflect": lambda: js.reflect(js.Linear(0.05, 0.3, 200), 400),
    "staircase": lambda: js.staircase(js.Cosine(0.3, 0.01, 1000), 100),
    "per_epoch": lambda: js.per_epoch(0.3 * js.Exponential(1, 0.8), 100),
    "stretch": lambda: js.stretch(0.3 * js.Exponential(1, 0.8), 100),
    "shift": lambda: js.shift(js.Cosine(0.3, 0.01, 600), 300),
    "reclock": lambda: js.reclock(js.Cosine(0.3, 0.01, 2000), js.knots([0, 300, 2000], [0, 300, 800])),
    "clip": lambda: js.clip(js.Exponential(0.3, 0.5, 200), 0.05, 0.2),
    "Product": lambda: js.reflect(js.Linear(0.5, 1.0, 50), 100) * js.Cosine(0.3, 0.0, 1000),
    "Sum": lambda: js.Linear(0.2, 0.0, 1000) + js.reflect(js.Linear(0.0, 0.1, 100), 200),
    "stack": lambda: js.stack([js.Linear(0.3, 0, 800), js.Cosine(0.3, 0, 800), js.Rex(0.3, 0, 800)]),
}

PRESETS: dict[str, Callable[[], js.Schedule]] = {
    "warmup_cosine": lambda: js.warmup_cosine(0.3, 1000, 200, end_value=0.01),
    "warmup_stable_decay": lambda: js.warmup_stable_decay(0.3, 1000, 100, 300),
    "warmup_stable_decay cosine": lambda: js.warmup_stable_decay(0.3, 1000, 100, 300, shape=js.Cosine),
    "warmup_stable_decay sqrt": lambda: js.warmup_stable_decay(0.3, 1000, 100, 300, shape=js.OneMinusSqrt),
    "one_cycle": lambda: js.one_cycle(0.012, 0.3, 0.0, 1000),
    "one_cycle linear": lambda: js.one_cycle(0.012, 0.3, 0.0, 1000, shape=js.Linear, three_phases=True),
    "one_cycle_momentum": lambda: js.one_cycle_momentum(0.95, 0.85, 1000),
    "cyclic": lambda: js.cyclic(0.05, 0.3, 125),
    "cyclic halving": lambda: js.cyclic(0.05, 0.3, 125, value_factor=0.5),
    "cyclic decaying": lambda: js.cyclic(0.05, 0.3, 125, decay_rate=0.998),
    "cyclic_momentum": lambda: js.cyclic_momentum(0.9, 0.8, 125),
    "warm_restarts": lambda: js.warm_restarts(0.3, 0.01, 150, 2, 0.8),
    "inverse_sqrt": lambda: js.inverse_sqrt(0.3, 100),
    "noam": lambda: js.noam(512, 100),
    "step_decay": lambda: js.step_decay(0.3, 0.5, 200),
    "multi_step": lambda: js.multi_step(0.3, 0.5, [300, 600, 800]),
}

PLATEAUS: dict[str, Callable[[], js.Plateau]] = {
    "Plateau": lambda: js.Plateau(factor=0.5, patience=3),
    "Plateau with a floor": lambda: js.Plateau(factor=0.5, patience=1, cooldown=2, min_scale=0.2),
    "torch ReduceLROnPlateau": lambda: torch.ReduceLROnPlateau(0.3, factor=0.5, patience=3),
    "keras ReduceLROnPlateau": lambda: keras.ReduceLROnPlateau(0.3, factor=0.5, patience=3),
    "paddle ReduceOnPlateau": lambda: paddle.ReduceOnPlateau(0.3, factor=0.5, patience=3),
    "mmengine ReduceOnPlateauLR": lambda: mmengine.ReduceOnPlateauLR(0.3, factor=0.5, patience=3),
    "mmengine ReduceOnPlateauMomentum": lambda: mmengine.ReduceOnPlateauMomentum(0.3, factor=0.5, patience=3),
    "optax reduce_on_plateau": lambda: optax.reduce_on_plateau(factor=0.5, patience=3),
    "timm PlateauLRScheduler": lambda: timm.PlateauLRScheduler(0.3, 0.5, 3, mode="min"),
    "transformers get_reduce_on_plateau_schedule": (
        lambda: transformers.get_reduce_on_plateau_schedule(0.3, factor=0.5, patience=3)
    ),
    "transformers GreedyLR": lambda: transformers.GreedyLR(0.3, factor=0.5, patience=1),
    "transformers get_greedy_schedule": lambda: transformers.get_greedy_schedule(0.3, patience=0),
}

REFERENCE = Path(__file__).parent / "reference"
TITLE = "# Ports of "
"""How the page of a system's ports in `REFERENCE` begins."""

SYSTEMS = {
    system: (REFERENCE / f"ports-{system}.md").read_text().partition("\n")[0].removeprefix(TITLE)
    for system in js.ports.SYSTEMS
}
"""The name of each system, as its page has it."""

SECTIONS: dict[str, Mapping[str, Callable[[], Any]]] = {
    "Shapes": SHAPES,
    "Combinators": COMBINATORS,
    "Presets": PRESETS,
    "Plateaus": PLATEAUS,
    "Ports": dict(sorted(ports.PORTS.items(), key=lambda item: SYSTEMS[item[0].split()[0]].casefold())),
}

KINDS = {"Shapes": ("transitions", "shapes"), "Combinators": ("combinators",)}
"""What of the package each section shows, with or without a row above."""

SHORT = ("Plateaus", "Ports")
"""The sections that show `PORT_STEPS` steps."""

COMPOSED = ("Presets", "Ports")
"""The sections that also show what a schedule is composed of."""

LONGEST_LINK = 1000
"""The most characters of an expression in a link to the playground."""

METRICS = [max(1 - step / 6, 0.0) for step in range(PORT_STEPS)]
"""The metrics that the plateaus observe: a loss that falls for six evaluations and then stays."""


class Panel(NamedTuple):
    """A picture of the gallery.

    Attributes:
      name: its name, which starts with the public name.
      call: the call that a user writes.
      value: the schedule or the rule that the call returns.
      steps: the number of steps to draw.
    """

    name: str
    call: str
    value: js.Schedule | js.Plateau
    steps: int

    @property
    def schedule(self) -> js.Schedule:
        """The schedule to draw."""
        return self.value if isinstance(self.value, js.Schedule) else under_plateau(self.value)

    @property
    def system(self) -> str:
        """The system whose port it is, or `""`."""
        first = self.name.split()[0]
        return first if first in SYSTEMS else ""

    @property
    def title(self) -> str:
        """The name without the system."""
        return self.name.removeprefix(self.system).strip()


def calls(path: Path) -> dict[str, str]:
    """The source of each `lambda` in the dicts of a module, by its key."""
    dicts = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)]
    return {
        str(ast.literal_eval(key)): ast.unparse(value.body)
        for node in dicts
        for key, value in zip(node.keys, node.values, strict=True)
        if key and isinstance(value, ast.Lambda)
    }


def under_plateau(rule: js.Plateau) -> js.Schedule:
    """The rate 0.3, scaled by a plateau that observes `METRICS`, one per step."""
    state, rates = rule.init(), []
    for metric in METRICS:
        rates.append(0.3 * float(rule.scale_of(state)))
        state = rule.observe(state, metric)
    return js.Table(rates)


def panels(title: str) -> list[Panel]:
    """The pictures of a section: those that are chosen here, then the rest of the package's.

    Raises:
      KeyError: there is no section of this title.
    """
    builds = SECTIONS[title]
    sources = (__file__, ports.__file__, *(stack.__file__ for stack in ports.STACKS))
    texts = {name: call for path in sources for name, call in calls(Path(path)).items()}
    steps = PORT_STEPS if title.startswith(SHORT) else STEPS
    chosen = [Panel(name, texts[name], build(), steps) for name, build in builds.items()]
    shown = {name.split()[0] for name in builds}
    names = [name for kind in KINDS.get(title, ()) for name in api.names(kind) if name not in shown]
    return chosen + [from_the_catalogue(name) for name in names]


def from_the_catalogue(name: str) -> Panel:
    """The first case of a class in the catalogue, with its call as its text form has it.

    Raises:
      LookupError: it has none.
    """
    for build in cases.CASES.values():
        value = build(HORIZON)
        if type(value) is getattr(js, name):
            call = re.sub(rf"\b({'|'.join(js.__all__)})\b(?!=)", r"js.\1", repr(value))
            return Panel(name, call, value, STEPS)
    raise LookupError(f"catalogue/cases.py has no `{name}`")


def drawn(panel: Panel) -> str:
    """The picture of a panel, in the colours of the page."""
    named, _ = labelled(panel.schedule)
    curves = curves_of(named, panel.steps, "", panel.steps)
    description = f"{panel.title}: {described(curves, panel.steps)}"
    return picture(
        curves, panel.steps, marks_of(named, panel.steps), labelled=False, small=True, title=description
    )


def described(curves: Sequence[Curve], steps: int) -> str:
    """What a picture shows, for those who do not see it."""
    rates = np.array([curve.rates for curve in curves])
    ends = f"{rates[0, 0]:.3g} at step 0, {rates[0, -1]:.3g} at step {steps - 1}"
    first = ends if len(curves) == 1 else f"{len(curves)} curves"
    return f"{first}, from {rates.min():.3g} to {rates.max():.3g}"


def in_the_playground(panel: Panel) -> str:
    """The address that draws a panel in the playground, or `""` if it is no text there."""
    if not isinstance(panel.value, js.Schedule):
        return ""
    members, _ = labelled(panel.value)
    texts = [panel.call.replace("js.", "")]
    if len(members) > 1 or not readable(texts[0], panel.value):
        texts = [label for label, _ in members]
    if sum(map(len, texts)) > LONGEST_LINK or not all(readable(label, each) for label, each in members):
        return ""
    return api.in_the_playground(texts, panel.steps)


def readable(text: str, value: js.Schedule) -> bool:
    """Whether `text` is the expression of a schedule."""
    try:
        return js.parse(text) == value
    except ValueError:
        return False


def breakable(text: str, end: str = "") -> str:
    """Text as HTML that may break after `(` and between the words of a name before `end`."""
    rest = rf"(?=\w+{re.escape(end)})"
    return re.sub(
        rf"(?<=\()|(?<=[a-z])(?=[A-Z]){rest}|(?<=_){rest}|(?<=\w{{3}}\.){rest}", "<wbr/>", html.escape(text)
    )


def code(text: str) -> str:
    """A block of code. The class is that of the blocks that have a button to copy them."""
    return f'<div class="highlight"><pre>{breakable(text, "(")}</pre></div>'


def card(panel: Panel, composed: bool) -> str:
    """A panel as HTML, with `composed` also the expression that its call returns."""
    system = f" <span>{SYSTEMS[panel.system]}</span>" if panel.system else ""
    parts = [f"<h3>{breakable(panel.title)}{system}</h3>", drawn(panel), code(panel.call)]
    if composed:
        parts.append(f"<details><summary>As an expression</summary>{code(repr(panel.value))}</details>")
    if address := in_the_playground(panel):
        name = html.escape(f"Open in the playground: {panel.title}")
        parts.append(f'<a href="{html.escape(address)}" aria-label="{name}">Open in the playground</a>')
    return f'<li data-system="{panel.system}">{"".join(parts)}</li>'


def section(title: str) -> str:
    """A section as HTML.

    Raises:
      KeyError: no section has this title.
    """
    cards = (card(panel, title in COMPOSED) for panel in panels(title))
    return f'<ul class="gallery" role="list">{"".join(cards)}</ul>'


def filters() -> str:
    """The form that chooses among the cards. Its script shows it; without a script there are all cards."""
    families = "".join(
        f'<label><input type="checkbox" name="family" value="{title.lower()}"> {title}</label>'
        for title in SECTIONS
    )
    systems = "".join(
        f'<option value="{system}">{name}</option>'
        for system, name in sorted(SYSTEMS.items(), key=lambda item: item[1].casefold())
    )
    return (
        '<form class="gallery-filters" autocomplete="off" hidden="">'
        f"<fieldset><legend>Family</legend>{families}</fieldset>"
        f'<label>System <select name="system"><option value="">All</option>{systems}</select></label>'
        '<label>Name or expression <input type="search" name="text" spellcheck="false"></label>'
        '<button type="reset">Clear</button><p role="status"></p></form>'
        '<script src="_static/gallery.js" defer=""></script>'
    )
