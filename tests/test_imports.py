"""A module imports only what stands above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxsched

PACKAGE = Path(jaxsched.__file__).parent
ORDER = [
    "_core",
    "shapes",
    "combinators",
    "presets",
    "_plateau",
    "ports",
    "transforms",
    "range_test",
    "retarget",
    "_marks",
    "check",
    "simulate",
    "_reader",
    "text",
    "_svg",
    "_horizon",
    "display",
    "testing",
    "__init__",
    "__main__",
]
CORE = [
    "versions",
    "fields",
    "value",
    "lists",
    "clock",
    "powers",
    "platforms",
    "evaluate",
    "schedule",
    "transition",
    "parts",
]
FIRST = {"_core": CORE, "transforms": ["groups", "learning_rate", "plateau"], "ports": ["_common"]}
"""The files of a folder that those beside them may import, in this order."""
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The modules that a file imports where it is loaded, not inside of functions."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            files = {
                name
                for name in inner
                if (PACKAGE.parent / name.replace(".", "/")).with_suffix(".py").exists()
            }
            names |= files or {node.module}
    return names


def layer(module: Path) -> int:
    return ORDER.index(module.parts[0])


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_one_way(module):
    for name in imports(PACKAGE / module.with_suffix(".py")):
        if name.startswith("jaxsched."):
            other = Path(*name.split(".")[1:])
            same_folder = len(module.parts) > 1 and other.parts[0] == module.parts[0]
            if same_folder and module.name == "__init__":
                continue
            first = FIRST.get(module.parts[0], [])
            if (
                same_folder
                and other.name in first[: first.index(module.name) if module.name in first else None]
            ):
                continue
            assert layer(other) < layer(module), f"{module} imports {other}"
            assert not same_folder, f"{module} imports {other} beside it"
            if module.parts[0] == "combinators" and other.parts[0] == "shapes":
                assert str(other) == "shapes/linear", f"{module} imports the shape {other}"


@pytest.mark.smoke
def test_importing_starts_no_backend():
    """`jax.distributed.initialize` must come before one, and after the imports."""
    check = "import jaxsched, train.__main__; from jax._src import xla_bridge as x; assert not x._backends"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=PACKAGE.parent)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_only_transforms_import_optax(module):
    names = {name.partition(".")[0] for name in imports(PACKAGE / module.with_suffix(".py"))}
    outside = names - set(sys.stdlib_module_names) - {"jaxsched"}
    allowed = {"jax", "numpy"} | ({"optax"} if module.parts[0] == "transforms" else set())
    assert outside <= allowed
