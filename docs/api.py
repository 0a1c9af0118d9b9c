"""What the reference lists: the public names of the package, by kind, with their formulas."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import jaxsched as js

MEAN = r"f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad "
FRACTION = r", \quad p = \min(t / T, 1)"
"""What the page says of all transitions, so that the table need not."""


def kind(value: Any) -> str | None:
    """What a public value is: one of the `transitions`, other `shapes`, `combinators` or `presets`."""
    module = getattr(value, "__module__", "")
    if module.startswith("jaxsched.combinators."):
        return "combinators"
    if module == "jaxsched.presets":
        return "presets"
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


def rows(wanted: str) -> Iterator[tuple[str, ...]]:
    """The table of a kind: names, the first lines of the docstrings and, for shapes, formulas."""
    shapes = wanted in ("transitions", "shapes")
    yield ("name", "what it is", "formula") if shapes else ("name", "what it is")
    yield ("---",) * (3 if shapes else 2)
    for name in names(wanted):
        value = getattr(js, name)
        entry = f"{{py:obj}}`{name} <jaxsched.{name}>`", str(inspect.getdoc(value)).split("\n")[0]
        tex = formula(value).removeprefix(MEAN).removesuffix(FRACTION)
        yield (*entry, tex and f"${tex}$") if shapes else entry


def listing(wanted: str) -> str:
    """The table of a kind, then every docstring in full, in MyST's Markdown."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows(wanted))
    entries = [
        f".. auto{'class' if inspect.isclass(getattr(js, name)) else 'function'}:: {name}"
        for name in names(wanted)
    ]
    described = "\n\n".join([".. currentmodule:: jaxsched", *entries])
    return f"{table}\n\n```{{eval-rst}}\n{described}\n```\n"
