"""Writes to `coming_from.json` what the old calls of the pages `docs/coming-from` give.

    python tests/goldens/make_coming_from.py SYSTEM [PATH]

with the system installed, in the versions of its other goldens; for mxnet, PATH is
`python/mxnet/lr_scheduler.py` of https://github.com/apache/mxnet. A call is evaluated as it stands on the
page, where `optimizer` has the rate of `RATES`, and used as the system says: the rates are those of the
updates `STEPS`, of which the first is number 0. A plateau's are its factors after each of `METRICS`.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import types
import warnings
from pathlib import Path

from coming_from import METRICS, STEPS, rows

RATES = {"pytorch": 0.1, "timm": 0.1, "transformers": 5e-5}
GOLDENS = Path(__file__).with_name("coming_from.json")
ENDS = {"OneCycleLR": 99}
"""The last update of a run, where the original has one."""


def follows_a_metric(old):
    return "lateau" in old or "reedy" in old


def optimizer(system):
    import torch

    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATES[system], momentum=0.9)


def by_steps(names, system, last):
    """Schedulers of PyTorch, which set the optimizer's rate and are told of every update."""

    def values(old):
        used = optimizer(system)
        scheduler = eval(old, names | {"optimizer": used})
        rate = lambda: used.param_groups[0]["lr"]  # noqa: E731
        if follows_a_metric(old):
            for metric in METRICS:
                scheduler.step(metric)
                yield rate() / RATES[system]
        else:
            for _ in range(last(old) + 1):
                yield rate()
                used.step()
                scheduler.step()

    return values


def pytorch(last):
    import torch

    schedulers = torch.optim.lr_scheduler
    return torch.__version__, by_steps(vars(schedulers) | vars(torch.optim.swa_utils), "pytorch", last)


def transformers(last):
    from transformers import __version__, optimization

    return __version__, by_steps(vars(optimization), "transformers", last)


def timm(last):
    package = types.ModuleType("timm")  # without the rest of timm, which needs torchvision
    package.__path__ = list(importlib.util.find_spec("timm").submodule_search_locations)
    sys.modules["timm"] = package
    schedulers = importlib.import_module("timm.scheduler")

    def values(old):
        used = optimizer("timm")
        scheduler = eval(old, vars(schedulers) | {"optimizer": used})
        if follows_a_metric(old):
            for epoch, metric in enumerate(METRICS):
                scheduler.step(epoch + 1, metric)
                yield used.param_groups[0]["lr"] / RATES["timm"]
        else:
            for epoch in range(last(old) + 1):
                scheduler.step(epoch)
                yield used.param_groups[0]["lr"]

    return importlib.metadata.version("timm"), values


def paddle(last):
    from paddle.optimizer import lr

    def values(old):
        scheduler = eval(old, vars(lr))
        if follows_a_metric(old):
            first = scheduler()
            for metric in METRICS:
                scheduler.step(metric)
                yield scheduler() / first
        else:
            for _ in range(last(old) + 1):
                yield scheduler()
                scheduler.step()

    return importlib.metadata.version("paddlepaddle"), values


def keras(last):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import numpy as np

    keras.backend.set_floatx("float64")

    def in_float64(value):
        if isinstance(value, list):
            return [in_float64(each) for each in value]
        return np.float64(value) if isinstance(value, float) else value

    def schedule(cls):
        # Keras computes in the dtype of its first rate.
        def build(*args, **kwargs):
            keywords = {key: in_float64(value) for key, value in kwargs.items()}
            return cls(*map(in_float64, args), **keywords)

        return build

    module = keras.optimizers.schedules
    names = {name: schedule(value) for name, value in vars(module).items() if isinstance(value, type)}
    names |= {name: getattr(keras.callbacks, name) for name in ("LearningRateScheduler", "ReduceLROnPlateau")}

    def values(old):
        scheduler = eval(old, names)
        if follows_a_metric(old):
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(1.0), "mse")
            scheduler.set_model(model)
            scheduler.on_train_begin()
            for epoch, metric in enumerate(METRICS):
                scheduler.on_epoch_end(epoch, {"val_loss": metric})
                yield float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        elif isinstance(scheduler, keras.callbacks.Callback):
            for epoch in range(last(old) + 1):
                yield scheduler.schedule(epoch)
        else:
            for step in range(last(old) + 1):
                yield float(scheduler(np.int64(step)))

    return keras.__version__, values


def mxnet(last):
    spec = importlib.util.spec_from_file_location("lr_scheduler", sys.argv[2])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def values(old):
        scheduler = eval(old, vars(module))
        for update in range(1, last(old) + 2):  # the optimizer counts before it asks
            yield scheduler(update)

    return "2.0.0 (b84609d3fc)", values


def optax(last):
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)

    def values(old):
        made = eval(old, vars(optax.schedules) | vars(optax.contrib))
        if follows_a_metric(old):
            state = made.init(jnp.ones(1))
            for metric in METRICS:
                _, state = made.update(jnp.ones(1), state, value=metric)
                yield float(state.scale)
        else:
            for step in range(last(old) + 1):
                yield float(made(jnp.float64(step))) if step in STEPS else None

    return optax.__version__, values


def main():
    system = sys.argv[1]
    warnings.simplefilter("ignore")
    last = lambda old: next((end for name, end in ENDS.items() if name in old), STEPS[-1])  # noqa: E731
    version, values = globals()[system](last)
    found = {}
    for old, _ in rows(system):
        given = list(values(old))
        picked = given if follows_a_metric(old) else [given[step] for step in STEPS if step < len(given)]
        found[old] = [float(rate) for rate in picked]
    record = json.loads(GOLDENS.read_text()) if GOLDENS.exists() else {"version": {}, "rates": {}}
    record["version"][system] = version.partition("+")[0]
    record["rates"][system] = found
    systems = []
    for name, calls in sorted(record["rates"].items()):
        lines = [
            f"{json.dumps(old)}:{json.dumps(each, separators=(',', ':'))}" for old, each in calls.items()
        ]
        systems.append(f"{json.dumps(name)}:{{\n" + ",\n".join(lines) + "\n}")
    versions = json.dumps(dict(sorted(record["version"].items())))
    GOLDENS.write_text(f'{{"version":{versions},"rates":{{\n' + ",\n".join(systems) + "\n}}\n")


if __name__ == "__main__":
    main()
