"""Draws the gallery of the docs, all of `docs/gallery*`: `python docs/gallery.py`."""

from __future__ import annotations

import ast
import itertools
import math
import runpy
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import matplotlib as mpl
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched._figures import STYLE
from jaxsched._inspect.plot import plot, svg
from jaxsched.ports import keras, optax, paddle, timm, torch

DOCS = Path(__file__).parent
PORTS_FILE = DOCS.parent / "catalogue" / "ports.py"
PORTS: dict[str, Callable[[], js.Schedule]] = runpy.run_path(str(PORTS_FILE))["PORTS"]
"""The instances that the tests hold to the laws."""

STEPS, PORT_STEPS = 1000, 24
"""How many updates a picture shows; the ports are shown past their end."""

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
    "optax reduce_on_plateau": lambda: optax.reduce_on_plateau(factor=0.5, patience=3),
    "timm PlateauLRScheduler": lambda: timm.PlateauLRScheduler(0.3, 0.5, 3, mode="min"),
}

SECTIONS: dict[str, Mapping[str, Callable[[], Any]]] = {
    "Shapes": SHAPES,
    "Combinators": COMBINATORS,
    "Presets": PRESETS,
    "Plateaus": PLATEAUS,
    **{
        f"Ports: {system}": {name: build for name, build in PORTS.items() if name.split()[0] == system}
        for system in sorted({name.split()[0] for name in PORTS})
    },
}

SHEET = ("Shapes", "Combinators", "Presets")
"""The sections that the sheet shows."""

METRICS = [max(1 - step / 6, 0.0) for step in range(PORT_STEPS)]
"""What the plateaus are given: a loss that falls for six evaluations and then no more."""


class Panel(NamedTuple):
    """A picture and what it shows.

    Attributes:
      name: what it is called, which begins with the public name.
      call: what a user writes.
      value: what that gives.
      steps: how many of its steps are drawn.
    """

    name: str
    call: str
    value: js.Schedule | js.Plateau
    steps: int

    @property
    def schedule(self) -> js.Schedule:
        """What is drawn."""
        return self.value if isinstance(self.value, js.Schedule) else under_plateau(self.value)

    @property
    def file(self) -> str:
        """The picture's path from the docs."""
        return f"gallery/{self.name.replace(' ', '-')}.svg"


def calls(path: Path) -> dict[str, str]:
    """The text of each function without arguments in the dicts of a module, by its key."""
    dicts = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)]
    return {
        str(ast.literal_eval(key)): ast.unparse(value.body)
        for node in dicts
        for key, value in zip(node.keys, node.values, strict=True)
        if key and isinstance(value, ast.Lambda)
    }


def under_plateau(rule: js.Plateau) -> js.Schedule:
    """The rate 0.3 under a plateau that observes `METRICS`, one a step."""
    state, rates = rule.init(), []
    for metric in METRICS:
        rates.append(0.3 * float(rule.scale_of(state)))
        state = rule.observe(state, metric)
    return js.Table(rates)


def sections() -> dict[str, list[Panel]]:
    """All panels by the title of their section."""
    texts = calls(Path(__file__)) | calls(PORTS_FILE)
    return {
        title: [
            Panel(name, texts[name], build(), STEPS if title in SHEET else PORT_STEPS)
            for name, build in builds.items()
        ]
        for title, builds in SECTIONS.items()
    }


def page(panels: dict[str, list[Panel]]) -> str:
    """The gallery as Markdown."""
    lines = [
        "# Gallery",
        "",
        f"The first {STEPS} steps of everything, and {PORT_STEPS} of the plateaus and the ports. A dotted",
        "line is where one part goes over to the next. `python docs/gallery.py` draws all of it.",
        "",
    ]
    notes = {
        "Plateaus": "A rate of 0.3 while a loss falls for six evaluations, one a step, and then no more.",
        "Ports": "From `jaxsched.ports`, and what each is; [how they are verified](ports.md). What begins "
        "with `_` is in `catalogue/ports.py`.",
    }
    for title, section in panels.items():
        kind = title.partition(":")[0]
        lines += [f"## {title}", ""]
        lines += [notes[kind], ""] if kind in notes else []
        lines += [line for panel in section for line in entry(panel, kind in ("Presets", "Ports"))]
    return "\n".join(lines)


def entry(panel: Panel, composed: bool) -> list[str]:
    """The picture, the call, and what it is composed of, as lines of Markdown."""
    text = repr(panel.value)
    short = text if len(text) <= 100 else f"{text[:97]}..."
    parts = f" is `{short}`" if composed else ""
    return [f"![{panel.name}]({panel.file})", "", f"`{panel.call}`{parts}", ""]


def drawn(panel: Panel) -> str:
    """The picture of a panel."""
    return svg(panel.schedule, panel.steps, labels=False) + "\n"


def metadata(panels: list[Panel]) -> dict[str, str | None]:
    """What the sheet says about itself, by which the tests know that it is up to date."""
    return {"Description": "\n".join(panel.call for panel in panels), "Software": None}


def sheet(panels: list[Panel], columns: int) -> Figure:
    """Small pictures side by side, each under its call."""
    rows = math.ceil(len(panels) / columns)
    small = {"font.size": 6, "lines.linewidth": 1.2, "axes.linewidth": 0.5, "xtick.labelbottom": False}
    with mpl.rc_context(STYLE | small):
        figure = Figure(figsize=(8.5, 1.25 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            plot(panel.schedule, panel.steps, axes)
            title = "\n".join(textwrap.wrap(panel.call.replace("js.", ""), 33))
            axes.set_title(title, family="monospace", fontsize=5)
            axes.set(xlabel="", ylabel="")
            if legend := axes.get_legend():
                legend.remove()
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
    return figure


def main() -> None:
    """Writes the page, the pictures, and the sheet."""
    panels = sections()
    (DOCS / "gallery.md").write_text(page(panels))
    for panel in itertools.chain.from_iterable(panels.values()):
        (DOCS / panel.file).write_text(drawn(panel))
    shown = [panel for title in SHEET for panel in panels[title]]
    sheet(shown, 5).savefig(DOCS / "gallery.png", dpi=170, metadata=metadata(shown))


if __name__ == "__main__":
    main()
