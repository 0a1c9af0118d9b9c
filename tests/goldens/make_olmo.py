"""Writes `olmo.json`: what the schedulers of OLMo-core give.

Run it with ai2-olmo-core==3.0.0 (`pip install --no-deps`), torch and NumPy installed. Only
`olmo_core/optim/scheduler.py` runs; stubs stand for the base class of configurations, the rank of the process
and the names of two fields. Left out are the steps at which it divides by zero; see `jaxsched.ports.olmo`.
"""

from __future__ import annotations

import enum
import importlib
import importlib.metadata
import random
import warnings
from typing import Any

from alone import folder, stub
from writing import steps_over, write

SETS = 20
LENGTHS = (1, 2, 5, 12, 20, 50, 300, 1000)


def schedulers() -> Any:
    """The module `olmo_core.optim.scheduler`, without the rest of OLMo-core."""
    root = folder("olmo_core")

    class Config:
        pass

    class Registrable:
        @classmethod
        def register(cls, name: str) -> Any:
            return lambda registered: registered

    stubs: dict[str, dict[str, Any]] = {
        "olmo_core": {"__path__": [str(root)]},
        "olmo_core.config": {"Config": Config, "Registrable": Registrable, "StrEnum": enum.StrEnum},
        "olmo_core.distributed": {"__path__": []},
        "olmo_core.distributed.utils": {"get_rank": lambda: 0},
        "olmo_core.optim": {"__path__": [str(root / "optim")]},
        "olmo_core.optim.config": {"INITIAL_LR_FIELD": "initial_lr", "LR_FIELD": "lr"},
    }
    stub(stubs)
    warnings.simplefilter("ignore")
    return importlib.import_module("olmo_core.optim.scheduler")


def made(module: Any, name: str, config: dict[str, Any]) -> Any:
    """A scheduler from its arguments, with dicts for the schedulers and stages in them."""

    def argument(key: str, value: Any) -> Any:
        if key == "schedulers":
            members = [({**each}, each["_CLASS_"]) for each in value]
            for member, _ in members:
                del member["_CLASS_"]
                if "decay" in member:
                    member["decay_fraction"] = None
            return [made(module, cls, member) for member, cls in members]
        if key == "stages":
            return [module.ComposableSchedulerStage(**each) for each in value]
        return module.OverrideDecay(**value) if key == "override_decay" else value

    # The original removes the last of its list.
    copies = {key: [*value] if isinstance(value, list) else value for key, value in config.items()}
    return getattr(module, name)(**{key: argument(key, value) for key, value in copies.items()})


def rates_of(module: Any, name: str, lr: float, t_max: int, kwargs: dict[str, Any], steps: list[int]) -> Any:
    config = dict(kwargs)
    if "cosine_t_max" in config:
        config["t_max"] = config.pop("cosine_t_max")
    scheduler = made(module, name, config)
    rates = {}
    for step in steps:
        try:
            rates[step] = scheduler.get_lr(lr, step, t_max)
        except ZeroDivisionError:
            assert step == 0 or step >= t_max or name == "WSDS", (name, step, t_max, kwargs)
    return [*rates], [*rates.values()]


def rate(draw: random.Random) -> float:
    return draw.choice((4e-4, 6e-4, 0.001, 0.03, 0.3, 1.0))


def share(draw: random.Random, name: str, t_max: int, most: float) -> dict[str, Any]:
    """A length and its spelling: a whole number up to a fraction of the run, or a fraction."""
    lengths = [0, 1, 2, 5, 10, round(t_max * most / 2), round(t_max * most)]
    length = draw.choice([each for each in lengths if each <= most * t_max])
    fraction = draw.choice([each for each in (0, 0.05, 0.1, 0.25, 0.35, 0.5, 1) if each <= most])
    return draw.choice(({name: length}, {f"{name}_steps": length}, {f"{name}_fraction": fraction}))


def start(draw: random.Random) -> tuple[float, int]:
    return rate(draw), draw.choice(LENGTHS)


def warmed(draw: random.Random, lr: float, t_max: int) -> dict[str, Any]:
    kwargs = share(draw, "warmup", t_max, 1.2)
    if draw.random() < 0.3:
        kwargs["warmup_min_lr"] = draw.choice((0.0, 0.01 * lr, 0.4 * lr))
    return kwargs


def decayed(draw: random.Random, lr: float, t_max: int, most: float) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if draw.random() < 0.7:
        kwargs = {"decay_fraction": None} | share(draw, "decay", t_max, most)
    if draw.random() < 0.4:
        kwargs["decay_min_lr"] = draw.choice((0.0, 0.01 * lr, 0.05 * lr))
    return kwargs


def constant(draw: random.Random, index: int) -> Any:
    lr, t_max = start(draw)
    return lr, t_max, {"units": draw.choice(("steps", "tokens"))} if index % 2 else {}


def constant_with_warmup(draw: random.Random, index: int) -> Any:
    lr, t_max = start(draw)
    return lr, t_max, warmed(draw, lr, t_max)


def wsd(draw: random.Random, index: int) -> Any:
    lr, t_max = start(draw)
    kwargs = warmed(draw, lr, t_max) | decayed(draw, lr, t_max, 1.2 if index % 5 == 4 else 1)
    if index % 4 == 3:
        kwargs["decay_min_lr"] = draw.choice((0.1, 0.25, 0.5)) * lr
    return lr, t_max, kwargs


def power(draw: random.Random, index: int) -> Any:
    lr, t_max = rate(draw), draw.choice((20, 50, 300, 1000))
    kwargs = {"warmup": draw.choice((1, 3, 10, t_max // 5))} | decayed(draw, lr, t_max, 0.5)
    kwargs["decay_min_lr"] = draw.choice((0.0, 1e-5 * lr))
    if index % 2:
        kwargs["b"] = draw.choice((-0.51, -0.25, -1.0, -1.3))
    if index % 5 == 4:
        kwargs = {"warmup_fraction": 0.6, "decay_fraction": 0.5, "b": -0.5}
    return lr, t_max, kwargs


def annealed(draw: random.Random, index: int) -> Any:
    lr, t_max = start(draw)
    kwargs: dict[str, Any] = {}
    if index % 3:
        kwargs["alpha_f"] = draw.choice((0.0, 0.01, 0.3, 1.0, 1.5))
    return lr, t_max, kwargs | warmed(draw, lr, t_max)


def cosine_and_linear(draw: random.Random, index: int) -> Any:
    lr, t_max = rate(draw), draw.choice((20, 50, 300, 1000))
    kwargs = share(draw, "warmup", t_max, 0.4) | decayed(draw, lr, t_max, 0.5)
    if index % 3:
        kwargs["alpha_f"] = draw.choice((0.1, 0.3, 1.0))
    if index % 4 == 3:
        kwargs["cosine_t_max"] = draw.choice((t_max // 2, 2 * t_max))
    return lr, t_max, kwargs


def exponential(draw: random.Random, index: int) -> Any:
    lr, t_max = start(draw)
    return lr, t_max, {"lr_min": draw.choice((1e-9, 1e-5, 2.0))} if index % 2 else {}


def wsds(draw: random.Random, index: int) -> Any:
    lr = rate(draw)
    lengths = [draw.choice((4, 6, 10, 20, 33, 100)) for _ in range(1 + index % 4)]
    kwargs: dict[str, Any] = {"period_lengths": lengths}
    if index % 3 == 2:
        kwargs["period_lr_multipliers"] = [draw.choice((0.5, 1.0, 1.25)) for _ in lengths]
    kwargs |= draw.choice(({"warmup": 0}, {"warmup": 2}, {"warmup_fraction": 0.25}, {"warmup_fraction": 0.5}))
    kwargs |= draw.choice(({"decay": 1}, {"decay": 2}, {"decay_fraction": 0.1}, {"decay_fraction": 0.5}))
    if index % 5 == 4:
        # The later periods are all decay.
        kwargs["period_lengths"] = [16, *[4] * (index % 3)]
        kwargs |= {"warmup": 3, "warmup_fraction": None, "decay": 4, "decay_fraction": None}
        kwargs.pop("period_lr_multipliers", None)
    if index % 2:
        kwargs |= {"warmup_min_lr": 0.1 * lr, "decay_min_lr": draw.choice((0.0, 0.05, 0.2)) * lr}
    return lr, sum(kwargs["period_lengths"]), kwargs


def overridden(draw: random.Random, lr: float, t_max: int) -> dict[str, Any]:
    end = draw.choice(({"end_lr": 0.0}, {"end_lr": lr / 7}, {"end_lr_fraction": 0.02}))
    stage = {"start": draw.choice((0, t_max // 3, t_max // 2)), "duration": draw.choice((1, t_max // 4 + 1))}
    return {"override_decay": stage | end | draw.choice(({}, {"shape": "cosine"}))}


def composable(draw: random.Random, index: int) -> Any:
    lr = rate(draw)
    stages = []
    for _ in range(1 + index % 4):
        stage: dict[str, Any] = {"duration": draw.choice((1, 2, 7, 10, 30, 200))}
        stage |= draw.choice(({}, {"shape": "linear"}, {"shape": "cosine"}, {"shape": "cosine"}))
        stage |= draw.choice(({}, {}, {"start_lr": 0.0}, {"start_lr": lr / 3}, {"start_lr_fraction": 0.7}))
        ends = ({"end_lr": 0.0}, {"end_lr": lr}, {"end_lr_fraction": 1.0}, {"end_lr_fraction": 0.1})
        stage |= draw.choice(ends)
        stages.append(stage)
    t_max = sum(stage["duration"] for stage in stages)
    return lr, t_max, {"stages": stages} | (overridden(draw, lr, t_max) if index % 3 == 2 else {})


def sequential(draw: random.Random, index: int) -> Any:
    lr = rate(draw)
    most = [draw.choice((3, 8, 20, 60)) for _ in range(1 + index % 3)]
    members: tuple[dict[str, Any], ...] = (
        {"_CLASS_": "ConstantWithWarmup", "warmup": 2},
        {"_CLASS_": "ConstantScheduler"},
        {"_CLASS_": "LinearWithWarmup", "warmup": 0, "alpha_f": 0.5},
        {"_CLASS_": "LinearWithWarmup", "warmup": 0, "alpha_f": 0.5, "t_max": 15},
        {"_CLASS_": "CosWithWarmup", "warmup_fraction": 0.2},
        {"_CLASS_": "HalfCosWithWarmup", "warmup": 0, "alpha_f": 0.2},
        {"_CLASS_": "InvSqrtWithWarmup", "warmup": 3},
        {"_CLASS_": "WSD", "warmup": 1, "decay": 2, "decay_min_lr": lr / 100},
        {
            "_CLASS_": "CosWithWarmupAndLinearDecay",
            "warmup": 1,
            "decay_fraction": 0.3,
            "decay_min_lr": lr / 1000,
        },
        {"_CLASS_": "ComposableScheduler", "stages": [{"duration": 5, "end_lr_fraction": 0.5}]},
        {"_CLASS_": "WSDS", "period_lengths": [4, 8], "warmup": 1, "decay": 1, "decay_min_lr": lr / 1000},
    )
    chosen = [draw.choice(members) for _ in range(len(most) + 1)]
    t_max = max(sum(most) + draw.choice((-2, 1, 10, 40)), 1)
    given = [*most, 7] if index % 2 else most
    kwargs = {"schedulers": chosen, draw.choice(("schedulers_max", "schedulers_max_steps")): given}
    return lr, t_max, kwargs | (overridden(draw, lr, t_max) if index % 4 == 3 else {})


SCHEDULERS = {
    "ConstantScheduler": constant,
    "ConstantWithWarmup": constant_with_warmup,
    "WSD": wsd,
    "PowerLR": power,
    "LinearWithWarmup": annealed,
    "InvSqrtWithWarmup": annealed,
    "CosWithWarmup": annealed,
    "HalfCosWithWarmup": annealed,
    "CosWithWarmupAndLinearDecay": cosine_and_linear,
    "ComposableScheduler": composable,
    "SequentialScheduler": sequential,
    "WSDS": wsds,
    "ExponentialScheduler": exponential,
}


def steps_for(name: str, t_max: int) -> list[int]:
    """The steps of a case; a constant needs few, and a sequence has none past its end."""
    if name == "ConstantScheduler":
        return [0, 1, t_max, 10 * t_max]
    if name == "SequentialScheduler":
        return sorted({t_max * i // 24 for i in range(25)} | {1, t_max - 1})
    return steps_over(t_max)


def main() -> None:
    module = schedulers()
    cases = []
    for name, draw_arguments in SCHEDULERS.items():
        draw = random.Random(name)
        for index in range(30 if name == "SequentialScheduler" else SETS):
            lr, t_max, kwargs = draw_arguments(draw, index)
            steps, rates = rates_of(module, name, lr, t_max, kwargs, steps_for(name, t_max))
            case = {"name": name, "args": [lr, t_max], "kwargs": kwargs, "steps": steps, "rates": rates}
            cases.append(case)
    write("olmo", importlib.metadata.version("ai2-olmo-core"), cases)


if __name__ == "__main__":
    main()
