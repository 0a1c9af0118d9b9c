"""Writes to `defaults.json` the parameters and the defaults of the originals of a system's ports.

    python tests/goldens/make_defaults.py SYSTEM [PATH]

with the system installed, in the versions of its other goldens; for d2l and mxnet, PATH is the file that
`make_d2l.py` and `make_mxnet.py` take. A parameter is its name, and its default where it has one; a default
that JSON cannot hold is written as Python shows it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOLDENS = Path(__file__).with_name("defaults.json")
PORTS = Path(__file__).parents[2] / "jaxsched" / "ports"
ORIGINALS = {"CyclicLRMomentum": "CyclicLR", "OneCycleLRMomentum": "OneCycleLR"}
"""What has another name than its port."""


def torch() -> tuple[str, list[Any]]:
    from torch import __version__
    from torch.optim import lr_scheduler, swa_utils

    return __version__, [lr_scheduler, swa_utils]


def timm() -> tuple[str, list[Any]]:
    package = types.ModuleType("timm")  # without the rest of timm, which needs torchvision
    package.__path__ = list(importlib.util.find_spec("timm").submodule_search_locations)
    sys.modules["timm"] = package
    return importlib.metadata.version("timm"), [importlib.import_module("timm.scheduler")]


def keras() -> tuple[str, list[Any]]:
    import keras

    return keras.__version__, [keras.optimizers.schedules, keras.callbacks]


def optax() -> tuple[str, list[Any]]:
    import optax

    return optax.__version__, [optax, optax.contrib]


def paddle() -> tuple[str, list[Any]]:
    import paddle

    return paddle.__version__, [paddle.optimizer.lr]


def transformers() -> tuple[str, list[Any]]:
    from transformers import __version__, optimization

    return __version__, [optimization]


def d2l(path: str) -> tuple[str, list[Any]]:
    from make_d2l import VERSION, classes

    return VERSION, [types.SimpleNamespace(**classes(Path(path).read_text()))]


def mxnet(path: str) -> tuple[str, list[Any]]:
    from make_mxnet import VERSION

    spec = importlib.util.spec_from_file_location("lr_scheduler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return VERSION, [module]


SYSTEMS: dict[str, Callable[..., tuple[str, list[Any]]]] = {
    each.__name__: each for each in (d2l, keras, mxnet, optax, paddle, timm, torch, transformers)
}


def parameters(original: Any) -> list[list[Any]]:
    """The parameters of a function, or of a class but for `self`."""
    known = inspect.signature(original.__init__ if inspect.isclass(original) else original).parameters
    return [
        [name] if each.default is each.empty else [name, plain(each.default)]
        for name, each in known.items()
        if name != "self"
    ]


def plain(default: Any) -> Any:
    return default if default is None or type(default) in (bool, int, float, str) else repr(default)


def main(system: str, *path: str) -> None:
    """Writes the parameters of one system."""
    version, modules = SYSTEMS[system](*path)
    ports = re.findall(r"^def ([A-Za-z]\w*)\(", (PORTS / f"{system}.py").read_text(), re.MULTILINE)
    found = {}
    for port in sorted(ports):
        name = ORIGINALS.get(port, port)
        original = next(getattr(module, name) for module in modules if hasattr(module, name))
        found[port] = parameters(original)
    record = json.loads(GOLDENS.read_text()) if GOLDENS.exists() else {"version": {}, "parameters": {}}
    record["version"][system] = version.partition("+")[0]
    record["parameters"][system] = found
    systems = []
    for name, originals in sorted(record["parameters"].items()):
        lines = [f"{json.dumps(port)}:{json.dumps(each)}" for port, each in originals.items()]
        systems.append(f"{json.dumps(name)}:{{\n" + ",\n".join(lines) + "\n}")
    versions = json.dumps(dict(sorted(record["version"].items())))
    GOLDENS.write_text(f'{{"version":{versions},"parameters":{{\n' + ",\n".join(systems) + "\n}}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
