"""Sphinx configuration of the site. Build it with `sphinx-build -W docs site`."""

from __future__ import annotations

import html
import importlib.util
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import jax
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole, SphinxDirective

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]  # so that nothing here needs to be installed

import api  # noqa: E402
import choosing  # noqa: E402
import exercises  # noqa: E402
import gallery  # noqa: E402

import jaxsched as js  # noqa: E402
from benchmarks.report import RESULTS, markdown  # noqa: E402
from catalogue import cases, ports  # noqa: E402
from jaxsched._core.evaluate import batch_shape  # noqa: E402
from jaxsched._inspect.plot import svg  # noqa: E402

jax.config.update("jax_disable_most_optimizations", True)  # The program of a picture runs once.

project = "jaxsched"
author = "the jaxsched authors"
release = js.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
]
exclude_patterns = ["**.ipynb_checkpoints"]

highlight_language = "bash"

html_theme = "furo"
html_title = "jaxsched"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_domain_indices = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
# A shell may not know comments: zsh does not when it is typed to. Shell code has neither names nor keys.
copybutton_exclude = ".linenos, pre:not(:has(.n, .nt)) .c1"

default_role = "name"
add_module_names = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_use_ivar = True

MATHJAX = "tex-svg.js", "input/tex/extensions/textmacros.js"
"""MathJax with its fonts, and its extension for `\\_` in text. The site loads nothing from a network."""

mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {
    "loader": {"load": ["[tex]/textmacros"]},
    "tex": {"packages": {"[+]": ["textmacros"]}},
    "options": {"enableMenu": False},
}


class Name(ReferenceRole):
    """Text between backticks in a docstring: code, or a link if it names something of this library.

    A lower-case name may be an argument, and a name in the ports is usually that of the original library. In
    these cases only names that start with `jaxsched.` become links.
    """

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        ours = r"jaxsched\.[\w.]+" if "ports" in self.env.docname else r"jaxsched\.[\w.]+|[A-Z]\w+"
        link = self.env.domains["py"].role("obj")
        if link is not None and re.fullmatch(ours, self.text):
            return link("py:obj", self.rawtext, self.text, self.lineno, self.inliner)
        return [nodes.literal(self.rawtext, self.text)], []


class Curve(SphinxDirective):
    """Draws the expressions in its lines as one picture with their texts below, as in a notebook.

    What is alone may be a stack, whose members are drawn.
    """

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"steps": int}

    def run(self) -> list[nodes.Node]:
        schedules = {line: api.schedule(line) for line in self.content if line}
        first = next(iter(schedules.values()))
        drawn = first if batch_shape(first) else schedules
        steps = self.options.get("steps")
        parts = [svg(drawn, steps, standalone=False)]
        if not any(name in line for name in api.ONLY_IN_PYTHON for line in schedules):
            root = "../" * self.env.docname.count("/")
            address = html.escape(root + api.in_the_playground(schedules, steps))
            name = html.escape(f"Open in the playground: {', '.join(schedules)}")
            parts.append(f'<a href="{address}" aria-label="{name}">Open in the playground</a>')
        return [nodes.raw("", f'<div class="curve">{"".join(parts)}</div>', format="html")]


class Listing(SphinxDirective):
    """Lists the public names of a kind, as `docs/api.py` finds them in the package."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        for path in (api.__file__, js.__file__):
            self.env.note_dependency(path)
        return self.parse_text_to_nodes(api.listing(self.arguments[0]), allow_section_headings=True)


class Gallery(SphinxDirective):
    """Draws a section of the gallery or, without an argument, the form that filters its cards."""

    optional_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        for path in (gallery.__file__, cases.__file__, ports.__file__, js.__file__):
            self.env.note_dependency(path)
        text = gallery.section(self.arguments[0]) if self.arguments else gallery.filters()
        return [nodes.raw("", text, format="html")]


class Sweeps(SphinxDirective):
    """Draws the sweeps of the exercises. The argument is the text for screen readers."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        for path in (exercises.__file__, *exercises.FOLDER.glob("*.json")):
            self.env.note_dependency(str(path))
        return [nodes.raw("", exercises.drawn(self.arguments[0]), format="html")]


class Forecast(SphinxDirective):
    """Draws a figure of `docs/choosing.py`. The arguments are its name and the text for screen readers."""

    required_arguments = 2
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        for path in (choosing.__file__, choosing.choosing.__file__, choosing.choosing.LOG, js.__file__):
            self.env.note_dependency(str(path))
        name, description = self.arguments
        picture = exercises.drawn(description, choosing.FIGURES[name])
        return [nodes.raw("", picture, format="html")]


class Benchmark(SphinxDirective):
    """A benchmark's recorded table, with its command, machine and versions."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        path = RESULTS / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        made = f"Made by `{record['command']}` on {record['cores']} cores ({record['device']}), {versions}."
        return self.parse_text_to_nodes(f"{made}\n\n{markdown(record['rows'])}\n")


def write_pages(app: Sphinx) -> None:
    """Writes the pages of the schedules before Sphinx looks for pages."""
    api.write_pages(api.PAGES)


def with_synonyms(app: Sphinx, docname: str, content: list[str]) -> None:
    """Adds the synonyms for the search to a page of the reference."""
    if docname.startswith("reference/"):
        app.env.note_dependency(api.__file__)
        content[0] = api.with_synonyms(docname.rpartition("/")[2], content[0])


def to_rst(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Converts the formulas and tables of a docstring from Markdown to reStructuredText."""
    text = re.sub(r"((?:^ *\|.*\|\n?)+)", lambda match: table(match[1]), "\n".join(lines), flags=re.MULTILINE)
    text = re.sub(r"^( *)\$([^$\n]+)\$\.$", r"\1$$\2$$", text, flags=re.MULTILINE)
    text = re.sub(r"^( *)\$\$(.+?)\$\$", display, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"([\w`]?)\$([^$]+)\$(\w?)", inline, text)
    lines[:] = text.split("\n")


def inline(match: re.Match[str]) -> str:
    """An inline formula, separated from the characters that touch it."""
    before, formula, after = match.groups()
    left, right = before and rf"{before}\ ", after and rf"\ {after}"
    return f"{left}:math:`{formula}`{right}"


def display(match: re.Match[str]) -> str:
    """A display formula."""
    indent, formula = match.groups()
    body = "\n".join(f"{indent}   {line.strip()}" for line in formula.split("\n"))
    return f"{indent}.. math::\n\n{body}\n"


def table(text: str) -> str:
    """Converts a table with a header row to a `list-table`."""
    head, _, *rest = text.rstrip("\n").split("\n")
    indent = head[: len(head) - len(head.lstrip())]
    lines = [f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in (head, *rest):
        cells = row.strip().strip("|").split("|")
        lines += [f"{indent}   {'  - ' if i else '* - '}{cell.strip()}" for i, cell in enumerate(cells)]
    return "\n".join([*lines, "", ""])


def short_signature(app: Sphinx, *described: Any) -> tuple[str, str | None] | None:
    """Shows a class that is the default of an argument by its name."""
    signature, returned = described[-2:]
    return signature and (re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", signature), returned)


def without_types(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Shows only the functions of a module."""
    return True if what == "module" and not inspect.isfunction(obj) else None


def without_last_line(app: Sphinx, doctree: nodes.document) -> None:
    """Removes the empty line at the end of a doctest in Markdown."""
    for block in doctree.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip()
        block.children = [nodes.Text(block.rawsource)]


def with_heading_levels(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Gives the captions of Sphinx's tables of contents the level that a heading must have."""
    for part in {"body", "furo_navigation_tree"} & context.keys():
        context[part] = context[part].replace('role="heading"', 'role="heading" aria-level="2"')


def copy_mathjax(app: Sphinx) -> list[Any]:
    """Copies MathJax to the site from the package `sphinx-mathjax-offline`."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    assert spec is not None
    package = Path(str(spec.origin)).parent / "static" / "mathjax"
    for name in MATHJAX:
        target = Path(app.outdir) / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((package / name).read_bytes())
    return []


def setup(app: Sphinx) -> None:
    """The entry point that Sphinx calls."""
    app.add_role("name", Name())
    app.add_directive("curve", Curve)
    app.add_directive("listing", Listing)
    app.add_directive("gallery", Gallery)
    app.add_directive("sweeps", Sweeps)
    app.add_directive("forecast", Forecast)
    app.add_directive("benchmark", Benchmark)
    app.connect("builder-inited", write_pages)
    app.connect("source-read", with_synonyms)
    app.connect("autodoc-process-docstring", to_rst, priority=400)
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-skip-member", without_types)
    app.connect("doctree-read", without_last_line)
    app.connect("html-page-context", with_heading_levels, priority=900)  # after the theme
    app.connect("html-collect-pages", copy_mathjax)
