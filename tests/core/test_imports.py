"""A module imports only modules above it. Imports inside functions count."""

from __future__ import annotations

import ast
import fnmatch
import graphlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxsched
from jaxsched import _core

PACKAGE = Path(jaxsched.__file__).parent
ORDER = [
    "_core",
    "shapes",
    "combinators",
    "plateau",
    "presets",
    "ports",
    "_figures",
    "optim",
    "_text",
    "_inspect",
    "forecast",
    "testing",
    "__init__",
    "__main__",
]
CORE = re.findall(r"^\d+\. `(\w+)`", _core.__doc__, re.MULTILINE)
"""The reading order in the core's docstring."""


def name_of(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """All imports of a file: modules of this package, and other packages by their top-level name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in MODULES else str(node.module))
    return {name if name in MODULES else name.partition(".")[0] for name in names}


GRAPH = {name: imports(path) for name, path in MODULES.items()}


def layer(name: str) -> int:
    """The index of a module's layer in `ORDER`."""
    first = name.split(".")[1] if "." in name else "__init__"
    return ORDER.index(first)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_one_way(name):
    for other in GRAPH[name] & MODULES.keys():
        inside = name.rpartition(".")[0] == other.rpartition(".")[0] != "jaxsched" or other.startswith(
            f"{name}."
        )
        assert layer(other) < layer(name) or inside, f"{name} imports {other}"
        if name.startswith("jaxsched.shapes."):
            assert not inside, f"{name} imports {other} beside it"
        if name.startswith("jaxsched.combinators.") and other.startswith("jaxsched.shapes"):
            assert other == "jaxsched.shapes.linear", f"{name} imports the shape {other}"
        if name.startswith("jaxsched._core."):
            mine, others = (CORE.index(each.rpartition(".")[2]) for each in (name, other))
            assert others < mine, f"{name} imports {other}, which is read after it"


def test_there_is_no_circle():
    graphlib.TopologicalSorter(GRAPH).prepare()


def test_the_core_says_in_which_order_to_read_all_of_it():
    assert sorted(CORE) == sorted(path.stem for path in (PACKAGE / "_core").glob("[!_]*.py"))


def test_no_module_hides_a_public_function():
    packages = {"forecast", "ports"}
    for name in jaxsched.__all__:
        public = getattr(jaxsched, name)
        assert inspect.ismodule(public) == (name in packages)
        assert f"jaxsched.{name}" not in MODULES or name in packages
    assert not [name for name in jaxsched.forecast.__all__ if f"jaxsched.forecast.{name}" in MODULES]


def test_forecasts_are_public():
    assert set(jaxsched.forecast.__all__) <= set(dir(jaxsched.forecast))
    with pytest.raises(AttributeError, match="no attribute 'bounds'"):
        _ = jaxsched.forecast.bounds


@pytest.mark.parametrize("name", MODULES)
def test_optim_and_one_search_alone_import_optax(name):
    outside = GRAPH[name] - MODULES.keys() - set(sys.stdlib_module_names)
    optional = {"matplotlib"} if name in ("jaxsched._figures", "jaxsched._inspect.plot") else set()
    if name.startswith("jaxsched.optim"):
        optional = {"matplotlib", "optax"}
    if name == "jaxsched.forecast.search":
        optional = {"optax"}
    if name == "jaxsched.forecast.fitting":
        optional = {"scipy"}  # JAX needs it, so it is there.
    assert outside <= {"jax", "numpy"} | optional


@pytest.mark.smoke
def test_importing_starts_no_backend_and_no_forecast():
    """`jax.distributed.initialize` comes after the imports, and must come before a backend starts."""
    check = """
import sys, jaxsched
lazy = ("jaxsched.ports.", "jaxsched.forecast.")  # imported on first use
assert not [name for name in sys.modules if name.startswith(lazy)]
import train.__main__
from jax._src import xla_bridge
assert not xla_bridge._backends
"""
    subprocess.run([sys.executable, "-c", check], check=True, cwd=PACKAGE.parent)


def test_pytest_ignores_no_test(pytestconfig):
    """Globs begin where pytest is started, and a star passes over folders too."""
    ignored = [str(pytestconfig.rootpath / glob) for glob in pytestconfig.getoption("ignore_glob")]
    tests = [str(path) for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert ignored
    assert not [path for path in tests for glob in ignored if fnmatch.fnmatch(path, glob)]
