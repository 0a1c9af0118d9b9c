"""What the reference lists: the public names of the package, and a page for each schedule."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jaxsched as js

DOCS = Path(__file__).parent
PAGES = DOCS / "reference" / "schedules"
"""The folder of the generated pages, which Git ignores."""

CORE = "".join(path.read_text() for path in Path(js.__file__).parent.glob("_core/*.py"))
"""The source with the types, whose descriptions Python does not keep."""

MEAN = r"f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad "
FRACTION = r", \quad p = \min(t / T, 1)"
"""What the page says of all transitions, so that the table need not."""

KINDS = ("transitions", "shapes", "combinators", "presets")
"""What has a page for each name."""

ONLY_IN_PYTHON = ("Lambda(", "stack(", "select(")
"""What the playground cannot draw."""

SYNONYMS = {
    "Constant": "constant learning rate, fixed learning rate, flat",
    "Cosine": "cosine annealing, cosine decay, CosineAnnealingLR, half cosine",
    "Exponential": "exponential decay, ExponentialLR, half-life",
    "Geometric": "geometric decay, log-linear decay",
    "InversePower": "inverse time decay, inverse square root, rsqrt, hyperbolic decay",
    "Lambda": "LambdaLR, custom schedule",
    "Linear": "linear decay, linear schedule, LinearLR, linear decay to zero, D2Z",
    "Logistic": "sigmoid decay, logistic decay",
    "OneMinusSqrt": "1-sqrt, one minus square root, square root decay",
    "Piecewise": "piecewise constant, MultiStepLR, levels, milestones",
    "Polynomial": "polynomial decay, PolynomialLR, poly",
    "Relaxation": "exponential approach, exponential cooldown",
    "Rex": "reflected exponential, budgeted training",
    "Table": "lookup table, list of rates",
    "Tanh": "hyperbolic tangent decay, HTD",
    "clip": "minimum learning rate, maximum learning rate, min_lr, eta_min, floor",
    "cooldown": "decay phase, final decay, anneal at the end",
    "cycle": "warm restarts, SGDR, CosineAnnealingWarmRestarts, periodic",
    "cyclic": "triangular, triangular2, exp_range, cyclical learning rate, CLR, CyclicLR",
    "cyclic_momentum": "cyclical momentum",
    "forecast": "predict the loss, scaling law",
    "index": "learning rate, learning rate scheduler, learning rate schedule, scheduler, lr scheduler, API",
    "inverse_sqrt": "inverse square root, rsqrt, T5",
    "join": "SequentialLR, join_schedules, chain schedules",
    "knots": "piecewise linear, piecewise_interpolate_schedule, interpolation",
    "multi_step": "MultiStepLR, milestones, multi-step decay",
    "noam": "Noam, Transformer schedule, Attention Is All You Need",
    "one_cycle": "one-cycle, one cycle, 1cycle, OneCycleLR, one-cycle policy, super-convergence",
    "one_cycle_momentum": "one-cycle momentum, momentum schedule",
    "per_epoch": "epochs, steps per epoch",
    "plateau": "ReduceLROnPlateau, reduce on plateau, patience",
    "range-test": "lr finder, learning rate finder, LR range test, lr_find",
    "reclock": "batch size warmup, tokens, samples",
    "reflect": "triangle wave, zigzag",
    "shift": "delay, offset",
    "stack": "vmap, sweep, hyperparameter sweep, grid search",
    "staircase": "stepwise, StepLR",
    "step_decay": "step decay, StepLR, drop every n epochs",
    "stretch": "time scale, fractional epochs",
    "testing": "custom scheduler, own schedule, subclass",
    "text": "config file, parse, plot, draw, serialize",
    "transforms": "optimizer, inject_hyperparams, layer-wise decay, discriminative learning rates, groups",
    "trees": "pytree, filter_jit",
    "warm_restarts": "warm restarts, SGDR, CosineAnnealingWarmRestarts, cosine annealing with warm restarts",
    "warmup": "linear warmup, gradual warmup, WarmupLR, ramp up",
    "warmup_cosine": "cosine with warmup, warmup and cosine annealing, get_cosine_schedule_with_warmup",
    "warmup_stable_decay": "WSD, WSD schedule, trapezoidal, trapezoid, warmup-stable-decay",
}
"""What else readers call what a page is about, by its name: the search finds these words."""


def kind(value: Any) -> str | None:
    """What a public value is: one of `KINDS`, or of the `types`; most functions are none."""
    module = getattr(value, "__module__", "")
    if module.startswith("jaxsched.combinators."):
        return "combinators"
    if module == "jaxsched.presets":
        return "presets"
    if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
        return "types"
    if inspect.isclass(value) and issubclass(value, js.Schedule) and not inspect.isabstract(value):
        return "transitions" if issubclass(value, js.Transition) else "shapes"
    return "shapes" if module.startswith("jaxsched.shapes.") else None


def names(wanted: str) -> list[str]:
    """The names of this kind, in the order of `__all__`."""
    return [name for name in js.__all__ if kind(getattr(js, name)) == wanted]


def formula(value: Any) -> str:
    """The formula in a docstring, as TeX in one line; an empty text where there is none."""
    found = re.search(r"\$\$(.+?)\$\$", inspect.getdoc(value) or "", re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def examples(value: Any) -> list[str]:
    """The expressions in the table of a docstring."""
    return re.findall(r"^\| `(.+?)` +\|", inspect.getdoc(value) or "", re.MULTILINE)


def schedule(text: str) -> js.Schedule:
    """An expression as a schedule; `js.parse` does not read functions."""
    return eval(text, vars(js)) if "lambda" in text else js.parse(text)


def functions(module: Any) -> list[str]:
    """The names of the public functions that a module defines, in its order."""
    found = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return [name for name, value in found.items() if name[0] != "_" and value.__module__ == module.__name__]


def row(name: str) -> tuple[str, str]:
    """A public name below `jaxsched` as a link, and the first line of its docstring."""
    module, _, last = f"jaxsched.{name}".rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if kind(value) == "types":
        (said,) = re.findall(rf'^{name}: TypeAlias = .+\n"""(.+)"""', CORE, re.MULTILINE)
        return f"[{name}](testing.md#types)", said
    return f"{{py:obj}}`{last} <{module}.{last}>`", str(inspect.getdoc(value)).split("\n")[0]


def rows(wanted: str) -> Iterator[tuple[str, ...]]:
    """The table of a kind: names, the first lines of the docstrings and, for shapes, formulas."""
    shapes = wanted in ("transitions", "shapes")
    yield ("name", "what it is", "formula") if shapes else ("name", "what it is")
    for name in names(wanted):
        tex = formula(getattr(js, name)).removeprefix(MEAN).removesuffix(FRACTION)
        yield (*row(name), tex and f"${tex}$") if shapes else row(name)


def table(lines: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown. The first line is its head."""
    head, *rest = lines
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ("---",) * len(head), *rest)) + "\n"


def documented(page: str) -> list[str]:
    """The public names below `jaxsched` that a page of the reference describes, in its order."""
    text, found = (DOCS / "reference" / f"{page}.md").read_text(), []
    for directive, name in re.findall(
        r"^(?:```\{(listing)\}|\.\. auto(?:module|class|function|data)::) ([\w.]+)$", text, re.MULTILINE
    ):
        below = name.removeprefix("jaxsched.")
        if directive:
            found += names(name)
        elif name.startswith("jaxsched.ports.") and page != "ports":
            found += [f"{below}.{each}" for each in functions(importlib.import_module(name))]
        elif not below.startswith("_"):
            found.append(below)
    return found


def reference_pages() -> list[str]:
    """The pages of the reference, in the order of the site."""
    found = re.findall(r"^reference/([\w-]+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    ports = re.findall(r"^ports-\w+$", (DOCS / "reference" / "ports.md").read_text(), re.MULTILINE)
    return [page for page in found if page != "index"] + ports


def everything() -> str:
    """Every public name with its first line, under the titles of the pages that describe them."""
    sections = []
    for page in reference_pages():
        title = (DOCS / "reference" / f"{page}.md").read_text().split("\n")[0].removeprefix("# ")
        lines = [("name", "what it is"), *map(row, documented(page))]
        sections.append(f"## [{title}]({page}.md)\n\n{table(lines)}")
    return "\n".join(sections)


def listing(wanted: str) -> str:
    """The table of a kind of schedules, of a system's ports or of everything, in MyST's Markdown."""
    if wanted == "everything":
        return everything()
    if wanted == "types":
        return table(rows(wanted))
    if wanted in KINDS:
        tree = "\n".join(f"schedules/{name}" for name in pages(wanted))
        return f"{table(rows(wanted))}\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    curves = f'<a href="../gallery.html#system={wanted}">Their curves in the gallery</a>'
    return table([("name", "what it is"), *map(row, documented(f"ports-{wanted}"))]) + f"\n{curves}\n"


def pages(wanted: str) -> dict[str, list[str]]:
    """The names on each page of a kind; a disk may ignore case, so `Table` and `table` share one."""
    found: dict[str, list[str]] = {}
    for name in names(wanted):
        found.setdefault(name.lower(), []).append(name)
    return {group[0]: group for group in found.values()}


def page(title: str, group: list[str]) -> str:
    """The page of a schedule: its picture and its docstring."""
    lines = "\n".join(line for name in group for line in examples(getattr(js, name)))
    parts = [f"# {title}", f"```{{curve}}\n{lines}\n```"]
    for name in group:
        directive = "autoclass" if inspect.isclass(getattr(js, name)) else "autofunction"
        parts.append(f"```{{eval-rst}}\n.. currentmodule:: jaxsched\n\n.. {directive}:: {name}\n```")
    return "\n\n".join(parts) + "\n"


def in_the_playground(expressions: Iterable[str], steps: int | None) -> str:
    """The address, beside the index, at which the playground draws these expressions."""
    given = {"e": "\n".join(expressions)} | ({} if steps is None else {"steps": steps})
    return f"playground.html#{urlencode(given)}"


def write_pages(folder: Path) -> None:
    """Writes the pages that have changed, and removes those of names that are gone."""
    texts = {f"{title}.md": page(title, group) for each in KINDS for title, group in pages(each).items()}
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def with_synonyms(page: str, text: str) -> str:
    """A page with the words of `SYNONYMS` for the search: as phrases, and each for itself."""
    if page not in SYNONYMS:
        return text
    phrases = SYNONYMS[page].split(", ")
    words = sorted({word for phrase in phrases for word in re.findall(r"\w+", phrase)})
    title, _, rest = text.partition("\n")
    return (
        f'---\nmyst:\n  html_meta:\n    keywords: "{", ".join(words)}"\n---\n'
        f"{title}\n\n```{{index}} {', '.join(f'! {phrase}' for phrase in phrases)}\n```\n{rest}"
    )
