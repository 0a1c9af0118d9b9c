"""Every system's schedulers under their own names: `jaxsched.ports.torch.StepLR(0.1, step_size=30)`.

A port has the name, the arguments and the defaults of its original, without the optimizer. It returns a
schedule that gives the same rate as the original at every integer step. An argument that a port does not
model must keep its default. Each system is imported on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxsched.ports._config import FromConfig

SYSTEMS = (
    "big_vision",
    "composer",
    "d2l",
    "deepspeed",
    "detectron2",
    "fastai",
    "keras",
    "levanter",
    "maxtext",
    "megatron",
    "mmengine",
    "mxnet",
    "olmo",
    "optax",
    "paddle",
    "timm",
    "torch",
    "torchtitan",
    "transformers",
)

__all__ = ["FromConfig", *SYSTEMS]


def __getattr__(name: str) -> Any:
    if name in SYSTEMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "FromConfig":
        return importlib.import_module(f"{__name__}._config").FromConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
