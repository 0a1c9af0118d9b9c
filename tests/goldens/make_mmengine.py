"""Writes `mmengine.json`: what the parameter schedulers of MMEngine give.

Run it with mmengine==0.10.7 (`pip install --no-deps`) and torch==2.13.0 installed. The original is the
package `mmengine.optim.scheduler`; what its files take from the rest of MMEngine is replaced by stubs. The
schedulers are built as the registry does it, and called as the hook of the runner does: those by iteration
after an iteration, then those by epoch if it ends one.

Not drawn is what MMEngine divides by 0 for, a `factor` or `start_factor` of 0, and steps of a `OneCycleLR`
past its last; see `test_ports_mmengine.py`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import random
from typing import Any

import torch
from alone import folder, stub
from writing import steps_over, write

SETS = 20
INF = int(1e9)


def schedulers() -> dict[str, type]:
    """The schedulers by their names, without the rest of MMEngine, which needs OpenCV."""
    found = folder("mmengine")
    classes: dict[str, type] = {}

    def register(cls: type) -> type:
        classes[cls.__name__] = cls
        return cls

    class Registry:
        def register_module(self) -> Any:
            return register

    stubs: dict[str, dict[str, Any]] = {
        "mmengine": {"__path__": []},
        "mmengine.logging": {"print_log": print},
        "mmengine.registry": {"PARAM_SCHEDULERS": Registry()},
        "mmengine.optim": {"__path__": [str(found / "optim")], "BaseOptimWrapper": type("Wrapper", (), {})},
        "mmengine.optim.scheduler": {"__path__": [str(found / "optim" / "scheduler")]},
    }
    stub(stubs)
    for name in ("lr_scheduler", "momentum_scheduler"):
        importlib.import_module(f"mmengine.optim.scheduler.{name}")
    return classes


CLASSES = schedulers()


def build(optimizer: torch.optim.Optimizer, config: dict[str, Any], epoch_length: int | None) -> Any:
    """A scheduler, as the build function of the registry makes it."""
    args = {"epoch_length": epoch_length, **config}
    cls = CLASSES[args.pop("type")]
    if args.pop("convert_to_iter_based", False):
        return cls.build_iter_from_epoch(optimizer, **args)
    del args["epoch_length"]
    return cls(optimizer, **args)


def rates_of(
    base: float, configs: list[dict[str, Any]], epoch_length: int | None, steps: list[int]
) -> list[float]:
    key = "momentum" if configs[0]["type"].endswith("Momentum") else "lr"
    optimizer = torch.optim.SGD(
        [torch.zeros(1, requires_grad=True)], **{"lr": 0.1, "momentum": 0.5, key: base}
    )
    made = [build(optimizer, config, epoch_length) for config in configs]
    rates = [optimizer.param_groups[0][key]]
    for step in range(1, steps[-1] + 1):
        for scheduler in made:
            if not scheduler.by_epoch or epoch_length is None:
                scheduler.step()
        if epoch_length is not None and step % epoch_length == 0:
            for scheduler in made:
                if scheduler.by_epoch:
                    scheduler.step()
        rates.append(optimizer.param_groups[0][key])
    return [rates[step] for step in steps]


def windowed(draw: random.Random, index: int, epochs: int) -> dict[str, Any]:
    """Where a scheduler that is `epochs` long begins and ends."""
    kwargs: dict[str, Any] = {}
    if index % 4:
        kwargs["begin"] = draw.choice((0, 1, 3, 10))
    if index % 5 or index % 4 == 0:
        kwargs["end"] = kwargs.get("begin", 0) + epochs
    if index % 3 == 1:
        kwargs["by_epoch"] = draw.choice((True, False))
    if index % 4 == 3 and kwargs.get("by_epoch", True):
        kwargs["epoch_length"] = draw.choice((1, 3, 7))
        kwargs["convert_to_iter_based"] = draw.choice((True, True, False))
    return kwargs


LENGTHS = (1, 2, 3, 5, 8, 12, 20, 50, 100, 300)


def constant(draw: random.Random, index: int) -> dict[str, Any]:
    factor = {"factor": draw.choice((0.001, 0.1, 0.5, 1, 1.0))} if index % 4 else {}
    return factor | windowed(draw, index, LENGTHS[index % 10])


def linear(draw: random.Random, index: int) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if index % 3:
        kwargs["start_factor"] = draw.choice((1e-6, 0.001, 0.1, 0.5, 1))
    if index % 4 == 1:
        kwargs["end_factor"] = draw.choice((0, 0.01, 0.5, 1.0))
    return kwargs | windowed(draw, index, LENGTHS[index % 10])


def exponential(draw: random.Random, index: int) -> dict[str, Any]:
    return {"gamma": draw.choice((0, 0.5, 0.9, 0.99, 1, 1.01))} | windowed(draw, index, LENGTHS[index % 10])


def steps(draw: random.Random, index: int) -> dict[str, Any]:
    kwargs: dict[str, Any] = {"step_size": draw.choice((1, 2, 3, 7, 30))}
    if index % 3:
        kwargs["gamma"] = draw.choice((0.1, 0.5, 0.97, 1, 1.01, 0))
    return kwargs | windowed(draw, index, LENGTHS[index % 10])


def multi_steps(draw: random.Random, index: int) -> dict[str, Any]:
    length = LENGTHS[index % 10]
    milestones = [draw.randint(0, length + 3) for _ in range(index % 6)]
    kwargs: dict[str, Any] = {"milestones": milestones + milestones[: index % 7 == 6]}
    if index % 3:
        kwargs["gamma"] = draw.choice((0.1, 0.5, 0.97, 1.5, 0))
    return kwargs | windowed(draw, index, length)


def poly(draw: random.Random, index: int) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if index % 3:
        kwargs["eta_min"] = draw.choice((0, 1e-5, 0.01, 0.5))
    if index % 4:
        kwargs["power"] = draw.choice((0, 0.5, 0.9, 1, 2.0, 3))
    return kwargs | windowed(draw, index, LENGTHS[index % 10])


def lowest(draw: random.Random, kwargs: dict[str, Any], required: bool) -> None:
    kind = draw.choice(("eta_min", "eta_min_ratio", *[None] * (not required)))
    if kind:
        kwargs[kind] = draw.choice((0, 1e-5, 0.01, 0.3))


def cosine(draw: random.Random, index: int) -> dict[str, Any]:
    length = LENGTHS[index % 10]
    kwargs: dict[str, Any] = {}
    if index % 3 or not index % 5:
        kwargs["T_max"] = max(1, int(length * draw.choice((1, 1, 0.5, 0.3, 2))))
    lowest(draw, kwargs, False)
    return kwargs | windowed(draw, index, length)


def restarts(draw: random.Random, index: int) -> dict[str, Any]:
    periods = [draw.choice((1, 2, 5, 10, 30)) for _ in range(1 + index % 4)]
    kwargs: dict[str, Any] = {"periods": periods}
    if len(periods) > 1 or index % 8:
        kwargs["restart_weights"] = [draw.choice((1, 0.5, 0.1, 1.5)) for _ in periods]
    lowest(draw, kwargs, True)
    length = sum(periods)
    return kwargs | windowed(draw, index, draw.choice((length, length, length + 5, (length + 1) // 2)))


def one_cycle(draw: random.Random, index: int) -> dict[str, Any]:
    length = max(LENGTHS[index % 10], 2)
    kwargs: dict[str, Any] = {"eta_max": draw.choice((0.001, 0.1, 1, 3.0))}
    kwargs["pct_start"] = draw.choice((0.3, 0.1, 0.5, 0.25))
    kwargs["three_phase"] = draw.choice((True, False, False)) and length > 3
    kwargs["anneal_strategy"] = draw.choice(("cos", "linear"))
    if index % 3 == 1:
        kwargs["div_factor"] = draw.choice((2, 10.0, 25))
        kwargs["final_div_factor"] = draw.choice((10, 1e4))
    kwargs |= windowed(draw, index, length)
    if "end" not in kwargs or index % 4 == 1:
        kwargs["total_steps"] = length
        kwargs["end"] = kwargs.get("begin", 0) + draw.choice((length, max(length // 2, 1)))
    return kwargs


DRAWS = {
    "Constant": constant,
    "Linear": linear,
    "Exponential": exponential,
    "Step": steps,
    "MultiStep": multi_steps,
    "Poly": poly,
    "CosineAnnealing": cosine,
    "CosineRestart": restarts,
    "OneCycle": one_cycle,
}


def horizon(config: dict[str, Any], epoch_length: int | None = None) -> int:
    """A step near the end of what a scheduler does."""
    length = config.get("epoch_length", epoch_length) or 1
    in_epochs = config.get("by_epoch", True)
    return min(config.get("end", 40), 400) * (length if in_epochs else 1)


def fewer(steps: list[int], count: int) -> list[int]:
    return sorted({steps[i * (len(steps) - 1) // (count - 1)] for i in range(count)})


def lists(draw: random.Random, index: int) -> tuple[list[dict[str, Any]], int | None]:
    """Schedulers one after another, or at the same time, by epochs, iterations or both."""
    kind, clock = index % 6, index // 6 % 4
    warmup, run = draw.choice((1, 2, 4, 7)), draw.choice((10, 20, 30))
    epoch_length = (None, None, draw.choice((2, 5)), draw.choice((1, 3, 10)))[clock]

    def in_time(config: dict[str, Any], iterations: bool) -> dict[str, Any]:
        if clock == 0 or (clock == 2 and not iterations):
            return config
        if clock == 3:
            return config | {"by_epoch": True, "convert_to_iter_based": True}
        return config | {"by_epoch": False}

    factor = draw.choice((0.001, 0.1, 0.5))
    first = in_time({"type": "LinearLR", "start_factor": factor, "begin": 0, "end": warmup}, True)
    after = warmup if clock != 2 else -(-warmup // epoch_length)
    floor = draw.choice((0, 0.01, 0.05))
    window = {"begin": after if kind < 3 else 0, "end": run}
    main = [
        {"type": "CosineAnnealingLR", "eta_min": floor, "T_max": run - after, **window},
        {"type": "PolyLR", "eta_min": floor, "power": draw.choice((0.9, 1, 2)), **window},
        {"type": "MultiStepLR", "milestones": [5, 8], "gamma": draw.choice((0.1, 0.5)), **window},
        {"type": "MultiStepLR", "milestones": [6, 9], **window},
        {"type": "CosineAnnealingLR", "eta_min": floor, **window},
        {"type": "ExponentialLR", "gamma": 0.9, **window},
    ][kind]
    configs = [first, in_time(main, False)]
    if index % 5 == 4:
        configs.append(in_time({"type": "ConstantLR", "factor": 0.5, "begin": run, "end": run + 5}, False))
    if index % 7 == 6:
        configs.reverse()
    if index % 9 == 8:
        configs.append(in_time({"type": "StepLR", "step_size": 4, "gamma": 0.7}, False))
    if index % 11 == 10:
        cycle = {"type": "OneCycleLR", "eta_max": 0.3, "begin": run + 5, "end": run + 15}
        configs.append(in_time(cycle, False))
        wave = {"type": "CosineAnnealingLR", "T_max": 4, "eta_min": 0.01, "begin": run + 15, "end": run + 30}
        configs.append(in_time(wave, False))
    if index % 13 == 12:
        again = {"periods": [4, 6], "restart_weights": [1, 0.5], "eta_min_ratio": 0.1}
        configs.append(in_time({"type": "CosineRestartLR", **again, "begin": run, "end": run + 12}, False))
    return configs, epoch_length


def main() -> None:
    cases = []
    for name, drawn in DRAWS.items():
        for suffix, count in (("LR", 16), ("Momentum", 6)):
            if name == "OneCycle" and suffix == "Momentum":
                continue
            draw = random.Random(name + suffix)
            for index in range(SETS):
                kwargs = drawn(draw, index)
                base = (
                    draw.choice((5e-5, 0.001, 0.03, 0.1, 1.0)) if suffix == "LR" else draw.choice((0.9, 0.95))
                )
                looked = fewer(steps_over(horizon(kwargs)), count)
                rates = rates_of(
                    base, [{"type": name + suffix, **kwargs}], kwargs.get("epoch_length"), looked
                )
                first = {"lr": base} if suffix == "LR" else {"momentum": base}
                case = {"name": name + suffix, "kwargs": first | kwargs, "steps": looked, "rates": rates}
                cases.append(case)
    draw = random.Random("param_scheduler")
    for index in range(72):
        configs, epoch_length = lists(draw, index)
        base = draw.choice((0.001, 0.03, 0.1, 1.0))
        last = max(horizon(each, epoch_length) for each in configs)
        looked = fewer(steps_over(last), 20)
        rates = rates_of(base, configs, epoch_length, looked)
        kwargs = {"lr": base, "schedulers": configs}
        kwargs |= {} if epoch_length is None else {"epoch_length": epoch_length}
        cases.append({"name": "param_scheduler", "kwargs": kwargs, "steps": looked, "rates": rates})
    write("mmengine", importlib.metadata.version("mmengine"), cases)


if __name__ == "__main__":
    main()
