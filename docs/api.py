"""What the reference lists: the public names of the package, and a page for each schedule."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

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

ONLY_IN_PYTHON = ("Lambda", "stack")
"""The schedules that the playground cannot draw."""


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
    return table([("name", "what it is"), *map(row, documented(f"ports-{wanted}"))])


def pages(wanted: str) -> dict[str, list[str]]:
    """The names on each page of a kind; a disk may ignore case, so `Table` and `table` share one."""
    found: dict[str, list[str]] = {}
    for name in names(wanted):
        found.setdefault(name.lower(), []).append(name)
    return {group[0]: group for group in found.values()}


def page(title: str, group: list[str]) -> str:
    """The page of a schedule: its picture, a link to the playground and its docstring."""
    lines = "\n".join(line for name in group for line in examples(getattr(js, name)))
    parts = [f"# {title}", f"```{{curve}}\n{lines}\n```"]
    if title not in ONLY_IN_PYTHON:
        parts.append(f'<a href="../../playground.html#e={quote(lines, safe="")}">Open in the playground</a>')
    for name in group:
        directive = "autoclass" if inspect.isclass(getattr(js, name)) else "autofunction"
        parts.append(f"```{{eval-rst}}\n.. currentmodule:: jaxsched\n\n.. {directive}:: {name}\n```")
    return "\n\n".join(parts) + "\n"


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
