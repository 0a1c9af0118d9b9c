"""Writes `plateau_<system>.json`: traces of the plateau schedulers of a system.

    python tests/goldens/make_plateaus.py SYSTEM

for torch, keras, optax, paddle, timm, transformers or mmengine, with the system installed.

A trace is the arguments of our port, the metrics, and the rate that the original had after each of them,
where it changed. Metrics are NaN or infinite now and then, negative, and flat. Draws that come close to the
margin of an improvement are not made: metrics have three digits and margins five.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRACES, LENGTH = 120, 25


def metrics(rng: random.Random, positive: bool) -> list[float]:
    """A random walk with flat stretches, and now and then a metric that is no number or infinite."""
    value, walk = rng.uniform(0.5, 2.0), []
    for _ in range(LENGTH):
        kind = rng.random()
        if kind < 0.04:
            walk.append(rng.choice((math.nan, math.inf, math.inf, -math.inf)))
            continue
        if kind > 0.35:
            value += rng.uniform(-0.3, 0.25)
            value = abs(value) + 0.01 if positive else value
        walk.append(round(value, 3))
    return walk


def margin(rng: random.Random) -> float:
    return rng.choice((0.0, 1e-4, round(rng.uniform(0.001, 0.2), 5)))


def with_optimizer(
    build: Callable[..., Any], kwargs: dict[str, Any]
) -> Callable[[], Callable[[float], float]]:
    """Starts a scheduler that sets the rate of an optimizer of PyTorch at each call of `step(metric)`."""
    import torch

    def start() -> Callable[[float], float]:
        rest = {name: value for name, value in kwargs.items() if name != "lr"}
        optimizer = torch.optim.SGD([torch.zeros(1)], kwargs["lr"])
        scheduler = build(optimizer, **rest)

        def observe(metric: float) -> float:
            scheduler.step(metric)
            return optimizer.param_groups[0]["lr"]

        return observe

    return start


def torch_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    kwargs = torch_arguments(rng)
    return "ReduceLROnPlateau", kwargs, with_optimizer(ReduceLROnPlateau, kwargs)


def transformers_trace(
    rng: random.Random,
) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    from transformers.optimization import get_reduce_on_plateau_schedule as original

    kwargs = torch_arguments(rng)
    return original.__name__, kwargs, with_optimizer(original, kwargs)


def greedy_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    from transformers import optimization

    smooth = rng.choice((True, False))
    kwargs = {
        "lr": rng.choice((0.1, 0.5, 1.0)),
        "mode": rng.choice(("min", "max")),
        "factor": rng.choice((0.5, 0.9, 0.95)),
        "patience": rng.randrange(3),
        # The original's running sum is rounded, so that equal means may differ.
        "threshold": round(rng.uniform(0.001, 0.2), 5) if smooth else margin(rng),
        "threshold_mode": rng.choice(("rel", "abs")),
        "cooldown": rng.randrange(3),
        "warmup": rng.randrange(3),
        "min_lr": rng.choice((1e-3, 0.03, 0.3)),
        "max_lr": rng.choice((0.2, 1.0, 3.0)),
        "eps": rng.choice((1e-8, 0.015)),
        "smooth": smooth,
        "window_size": 3,
        "reset_start": rng.choice((1, 2, 3, 500)),
    }
    name = rng.choice(("GreedyLR", "get_greedy_schedule"))
    return name, kwargs, with_optimizer(getattr(optimization, name), kwargs)


def torch_arguments(rng: random.Random) -> dict[str, Any]:
    return {
        "lr": rng.choice((0.1, 0.5, 1.0)),
        "mode": rng.choice(("min", "max")),
        "factor": rng.choice((0.1, 0.5, 0.9)),
        "patience": rng.randrange(4),
        "threshold": margin(rng),
        "threshold_mode": rng.choice(("rel", "abs")),
        "cooldown": rng.randrange(4),
        "min_lr": rng.choice((0, 0.01, 0.04)),
        "eps": rng.choice((1e-8, 0.015)),
    }


def paddle_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    from paddle.optimizer.lr import ReduceOnPlateau

    kwargs = {
        "learning_rate": rng.choice((0.1, 0.5, 1.0)),
        "mode": rng.choice(("min", "max")),
        "factor": rng.choice((0.1, 0.5, 0.9)),
        "patience": rng.randrange(4),
        "threshold": margin(rng),
        "threshold_mode": rng.choice(("rel", "abs")),
        "cooldown": rng.randrange(4),
        "min_lr": rng.choice((0, 0.01, 0.04)),
        "epsilon": rng.choice((1e-8, 0.015)),
    }

    def start() -> Callable[[float], float]:
        scheduler = ReduceOnPlateau(**kwargs)

        def observe(metric: float) -> float:
            scheduler.step(metric)
            return scheduler()

        return observe

    return "ReduceOnPlateau", kwargs, start


def keras_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    import keras

    monitor = rng.choice(("val_loss", "accuracy"))
    kwargs = {
        "lr": rng.choice((0.1, 0.5, 1.0)),
        "monitor": monitor,
        "factor": rng.choice((0.1, 0.5, 0.9)),
        "patience": rng.randrange(4),
        "mode": rng.choice(("auto", "min", "max") if monitor == "val_loss" else ("min", "max")),
        "min_delta": margin(rng),
        "cooldown": rng.randrange(4),
        "min_lr": rng.choice((0, 0.01, 0.04)),
    }

    def start() -> Callable[[float], float]:
        rest = {name: value for name, value in kwargs.items() if name != "lr"}
        callback = keras.callbacks.ReduceLROnPlateau(**rest)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(kwargs["lr"]), "mse")
        callback.set_model(model)
        callback.on_train_begin()
        epochs = iter(range(LENGTH))

        def observe(metric: float) -> float:
            callback.on_epoch_end(next(epochs), {kwargs["monitor"]: metric})
            return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))

        return observe

    return "ReduceLROnPlateau", kwargs, start


def optax_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    rtol = margin(rng)
    kwargs = {
        "factor": rng.choice((0.1, 0.5, 0.9)),
        "patience": rng.randrange(1, 5),
        "rtol": rtol,
        "atol": margin(rng) if rtol else round(rng.uniform(0.001, 0.2), 5),
        "cooldown": rng.randrange(4),
        "accumulation_size": rng.choice((1, 1, 2, 3)),
        "min_scale": rng.choice((0.0, 0.1, 0.4)),
    }

    def start() -> Callable[[float], float]:
        tx = optax.contrib.reduce_on_plateau(**kwargs)
        state = tx.init(jnp.float64(1))
        update = jax.jit(tx.update)

        def observe(metric: float) -> float:
            nonlocal state
            _, state = update(jnp.float64(1), state, value=jnp.float64(metric))
            return float(state.scale)

        return observe

    return "reduce_on_plateau", kwargs, start


def timm_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    import torch
    from timm.scheduler.plateau_lr import PlateauLRScheduler

    kwargs = {
        "lr": rng.choice((0.1, 0.5, 1.0)),
        "decay_rate": rng.choice((0.1, 0.5, 0.9)),
        "patience_t": rng.randrange(4),
        "threshold": margin(rng),
        "cooldown_t": rng.randrange(4),
        "lr_min": rng.choice((0, 0.01, 0.04)),
        "mode": rng.choice(("min", "max")),
    }

    def start() -> Callable[[float], float]:
        rest = {name: value for name, value in kwargs.items() if name != "lr"}
        optimizer = torch.optim.SGD([torch.zeros(1)], kwargs["lr"])
        scheduler = PlateauLRScheduler(optimizer, **rest)
        epochs = iter(range(1, LENGTH + 1))

        def observe(metric: float) -> float:
            scheduler.step(next(epochs), metric)
            return optimizer.param_groups[0]["lr"]

        return observe

    return "PlateauLRScheduler", kwargs, start


def mmengine_trace(rng: random.Random) -> tuple[str, dict[str, Any], Callable[[], Callable[[float], float]]]:
    from make_mmengine import CLASSES

    renamed = {"mode": "rule", "threshold_mode": "threshold_rule", "min_lr": "min_value"}
    kwargs = {renamed.get(name, name): value for name, value in torch_arguments(rng).items()}
    kwargs["rule"] = {"min": "less", "max": "greater"}[kwargs["rule"]]

    def build(optimizer: Any, **rest: Any) -> Any:
        scheduler = CLASSES["ReduceOnPlateauLR"](optimizer, **rest)
        step = scheduler.step
        scheduler.step = lambda metric: step({"loss": metric})
        return scheduler

    return "ReduceOnPlateauLR", kwargs, with_optimizer(build, kwargs)


SYSTEMS = {
    "torch": [torch_trace],
    "paddle": [paddle_trace],
    "keras": [keras_trace],
    "optax": [optax_trace],
    "timm": [timm_trace],
    "transformers": [transformers_trace, greedy_trace],
    "mmengine": [mmengine_trace],
}
PACKAGES = {"paddle": "paddlepaddle"}


def main(system: str) -> None:
    """Writes the traces of one system."""
    rng = random.Random(0)
    lines = []
    for draw in [draw for draw in SYSTEMS[system] for _ in range(TRACES)]:
        name, kwargs, start = draw(rng)
        trace = metrics(rng, positive=rng.random() < 0.7)
        if kwargs.get("smooth"):  # A metric that is not finite would stay in the original's running sum.
            trace = [metric if math.isfinite(metric) else 1.0 for metric in trace]
        observe, last, changes = start(), None, []
        for i, metric in enumerate(trace):
            rate = observe(metric)
            if rate != last:
                changes.append([i, rate])
            last = rate
        record = {"name": name, "kwargs": kwargs, "metrics": trace, "rates": changes}
        lines.append(json.dumps(record, separators=(",", ":")))
    version = importlib.metadata.version(PACKAGES.get(system, system)).partition("+")[0]
    head = json.dumps({"system": system, "version": version}, separators=(",", ":"))
    path = Path(__file__).parent / f"plateau_{system}.json"
    path.write_text(head[:-1] + ',"traces":[\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main(sys.argv[1])
