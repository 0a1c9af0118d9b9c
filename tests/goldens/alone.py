"""How one file of an original runs without the rest of its package."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def stub(modules: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts modules with these contents where the file looks for those of its package."""
    for name, contents in modules.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update({"__path__": [], **contents})


def load(name: str, path: str | Path) -> Any:
    """The module `name` from its file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder(package: str) -> Path:
    """Where an installed package is."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))
