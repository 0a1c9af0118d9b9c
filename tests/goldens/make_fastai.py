"""Writes `fastai.json`: what the schedules of fastai give.

Run it with fastai==2.8.12 and torch==2.13.0 installed. What takes a `Learner` trains one, and the rates are
those of the optimizer at each batch; past the end of the training, and for the functions of the position,
they are what the functions give.

`combine_scheds` rounds the position to float32, which moves rates by some millionths of the highest. All of
fastai's code therefore runs a second time with positions in float64, and those rates are recorded. Where the
two differ by more, because another part has begun, the rate is that of the code as it is.
"""

from __future__ import annotations

import importlib.metadata
import random
import tempfile
from collections.abc import Callable
from typing import Any

import fastai.callback.schedule as original
import numpy as np
import torch
from fastai.basics import Callback, DataLoader, DataLoaders, Learner, nn
from writing import steps_over, write

SETS = 20
FAR = 1e-5
Draw = tuple[list[Any], dict[str, Any], int]
Curve = Callable[[int], float]


def steps_of(total: int) -> list[int]:
    """Steps of the training and up to twice its length, since some rates grow without end."""
    return (
        [*range(3 * total + 1)] if total < 10 else [step for step in steps_over(total) if step < 10 * total]
    )


class Recorder(Callback):
    """Keeps the rate and the momentum of the last parameter group at each batch, and the schedules."""

    order, run_valid = 70, False

    def before_batch(self) -> None:
        self.batches.append({name: float(self.opt.hypers[-1][name]) for name in ("lr", "mom")})
        self.phases[len(self.batches) - 1 - self.learn.train_iter] = next(
            each for each in self.learn.cbs if isinstance(each, original.ParamScheduler)
        )


def trained(method: str, hyper: str, args: list[Any], kwargs: dict[str, Any]) -> Curve:
    batches = kwargs.pop("batches_per_epoch", 10)
    zeros = torch.zeros(batches, 1)
    data = DataLoader(list(zip(zeros, zeros, strict=True)), bs=1)
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    recorder = Recorder()
    recorder.batches, recorder.phases = [], {}
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            DataLoaders(data, data),
            model,
            loss_func=nn.MSELoss(),
            splitter=lambda model: [list(layer.parameters()) for layer in model],
            path=folder,
            cbs=recorder,
        )
        with learner.no_bar(), learner.no_logging():
            getattr(learner, method)(*args, **kwargs)
    first, scheduler = max(recorder.phases.items())

    def rate(step: int) -> float:
        if step < len(recorder.batches):
            return recorder.batches[step][hyper]
        position = (step - first) / (len(recorder.batches) - first)
        return float(np.asarray(scheduler.scheds[hyper](position)).reshape(-1)[-1])

    return rate


def made(name: str, args: list[Any], kwargs: dict[str, Any]) -> Curve:
    """The rate at each step, by the original."""
    if name == "LRFinder":
        given = dict(zip(("start_lr", "end_lr", "num_it"), args, strict=False)) | kwargs
        return trained(
            "lr_find", "lr", [], given | {"stop_div": False, "show_plot": False, "suggest_funcs": None}
        )
    if name.startswith("fi"):
        method = name.removesuffix("_momentum")
        return trained(method, "lr" if method == name else "mom", list(args), dict(kwargs))
    total = kwargs["total_steps"]
    curve = function(name, args)
    return lambda step: float(curve(step / total))


def function(name: str, args: list[Any]) -> Callable[[float], Any]:
    if name == "combine_scheds":
        pcts, scheds = args
        args = [list(pcts), [function(each["port"], each["args"]) for each in scheds]]
    return getattr(original, name)(*args)


def in_float64(values: Any) -> torch.Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def recorded(name: str, draw: Draw) -> dict[str, Any]:
    args, kwargs, total = draw
    steps = steps_of(total)
    released, tensor = made(name, args, kwargs), original.tensor
    as_it_is = np.array([released(step) for step in steps])
    original.tensor = in_float64
    try:
        exact = made(name, args, kwargs)
        rates = np.array([exact(step) for step in steps])
    except AssertionError:  # The fractions add up to 1 in float32 alone.
        rates = as_it_is
    finally:
        original.tensor = tensor
    far = abs(rates - as_it_is) > FAR * abs(as_it_is).max()
    rates = np.where(far, as_it_is, rates)
    digits = [float(f"{rate:.13g}") for rate in rates]
    return {"name": name, "args": args, "kwargs": kwargs, "steps": steps, "rates": digits}


def rate(draw: random.Random) -> float:
    return draw.choice((5e-5, 0.001, 0.003, 0.02, 0.1, 0.3, 1.0))


def length(index: int) -> int:
    return (1, 2, 3, 7, 10, 25, 64, 100, 333, 1000)[index % 10]


def ends(draw: random.Random, index: int) -> Draw:
    start = rate(draw)
    end = draw.choice((0, start / 1000, start / 3, start, 3 * start, 40 * start))
    return [start, end], {"total_steps": length(index)}, length(index)


def from_anywhere(draw: random.Random, index: int) -> Draw:
    args, kwargs, total = ends(draw, index)
    return (args if index % 4 else [0, args[0]]), kwargs, total


def poly(draw: random.Random, index: int) -> Draw:
    args, kwargs, total = from_anywhere(draw, index)
    return [*args, (0.5, 1, 2, 3, 0.3, 2.7, 0)[index % 7]], kwargs, total


def fractions(draw: random.Random, index: int) -> list[float]:
    chosen = (
        [0.3, 0.7],
        [0.25, 0.75],
        [0.1, 0.2, 0.7],
        [1.0],
        [0.0, 0.4, 0.6],
        [0.5, 0.0, 0.5],
        [1 / 7, 2 / 7, 4 / 7],
        [1 / 15, 2 / 15, 4 / 15, 8 / 15],
        [1 / 3, 1 / 3, 1 / 3],
        [0.9, 0.1],
    )
    return chosen[index % len(chosen)]


def combined(draw: random.Random, index: int) -> Draw:
    pcts = fractions(draw, index)
    scheds = []
    # Before a part that is late the position is off by a float32, and does not matter if the end is flat.
    flat = ("SchedNo", "SchedCos")
    names = flat if pcts[0] == 1 / 7 else (*flat, "SchedLin", "SchedExp", "SchedPoly")
    for _ in pcts:
        name = draw.choice(names)
        args, _, _ = ends(draw, 0)
        scheds.append({"port": name, "args": [*args, *[2] * (name == "SchedPoly")]})
    total = (10, 14, 30, 100, 210, 15)[index % 6]
    return [pcts, scheds], {"total_steps": total}, total


def nested(draw: random.Random, index: int) -> Draw:
    args, kwargs, total = combined(draw, index)
    if index % 5 == 4:
        inner, _, _ = combined(draw, 0)
        args[1][-1] = {"port": "combine_scheds", "args": inner}
    return args, kwargs, total


def two_cosines(draw: random.Random, index: int) -> Draw:
    peak = rate(draw)
    pct = (0.25, 0.3, 0.0, 0.99, 0.5, 1 / 3, 0.1)[index % 7]
    values = [peak / draw.choice((1, 5, 25)), peak, peak / draw.choice((1, 1e3, 1e5))]
    return [pct, *values], {"total_steps": length(index)}, length(index)


def training(draw: random.Random, index: int) -> tuple[int, dict[str, Any]]:
    epochs, batches = ((1, 1), (1, 10), (4, 25), (3, 7), (10, 20), (5, 1), (2, 50))[index % 7]
    return epochs, {"batches_per_epoch": batches}


def one_cycle(draw: random.Random, index: int) -> Draw:
    epochs, kwargs = training(draw, index)
    args: list[Any] = [epochs, rate(draw)] if index % 6 else [epochs]
    if index % 3:
        kwargs |= {"div": draw.choice((1, 5.0, 25, 10)), "div_final": draw.choice((1, 100, 1e4, 1e6))}
    if index % 4:
        kwargs["pct_start"] = draw.choice((0.0, 0.1, 0.3, 0.5, 0.99, 1 / 3))
    if index % 5 == 3:
        kwargs["moms"] = draw.choice(([0.9, 0.8, 0.9], [0.95, 0.9, 0.8], [0.85, 0.85, 0.95]))
    return args, kwargs, epochs * kwargs["batches_per_epoch"]


def flat(draw: random.Random, index: int) -> Draw:
    epochs, kwargs = training(draw, index)
    if index % 3:
        kwargs["pct_start"] = draw.choice((0.0, 0.1, 0.5, 0.72, 0.9))
    if index % 4:
        kwargs["div_final"] = draw.choice((1, 10.0, 1e4))
    return [epochs, rate(draw)], kwargs, epochs * kwargs["batches_per_epoch"]


def sgdr(draw: random.Random, index: int) -> Draw:
    cycles, first, mult = (
        (3, 1, 2),
        (1, 1, 2),
        (2, 3, 2),
        (4, 1, 2),
        (2, 1, 3),
        (3, 2, 3),
        (3, 2, 2),
        (2, 5, 4),
        (1, 4, 3),
        (5, 1, 2),
    )[index % 10]
    batches = (1, 10, 4, 7)[index // 3 % 4]
    epochs = sum(first * mult**i for i in range(cycles))
    more = {} if mult == 2 else {"cycle_mult": mult}
    return [cycles, first, rate(draw)], more | {"batches_per_epoch": batches}, epochs * batches


def tuned(draw: random.Random, index: int) -> Draw:
    epochs, kwargs = training(draw, index)
    freeze = 1
    args: list[Any] = [epochs]
    if index % 4:
        args.append(rate(draw))
    if index % 3:
        freeze = kwargs["freeze_epochs"] = draw.choice((1, 2, 3))
    if index % 5:
        kwargs |= {"pct_start": draw.choice((0.1, 0.25, 0.5)), "div": draw.choice((1, 10.0, 25.0))}
    if index % 6 == 5:
        kwargs |= {"div_final": 1e3, "moms": [0.9, 0.8, 0.85], "lr_mult": 10}
    return args, kwargs, (epochs + freeze) * kwargs["batches_per_epoch"]


def finder(draw: random.Random, index: int) -> Draw:
    if not index:
        return [], {}, 100
    args = [draw.choice((1e-7, 1e-5, 1e-3)), draw.choice((0.1, 1, 10, 1e-6))]
    batches = (100, 50, 20, 7, 6, 3, 200)[index % 7]
    return args, {"num_it": batches}, max(batches, 6)


SCHEDULES: dict[str, Callable[[random.Random, int], Draw]] = {
    "SchedNo": ends,
    "SchedLin": from_anywhere,
    "SchedCos": from_anywhere,
    "SchedExp": ends,
    "SchedPoly": poly,
    "combine_scheds": nested,
    "combined_cos": two_cosines,
    "fit_one_cycle": one_cycle,
    "fit_one_cycle_momentum": one_cycle,
    "fit_flat_cos": flat,
    "fit_sgdr": sgdr,
    "fine_tune": tuned,
    "fine_tune_momentum": tuned,
    "LRFinder": finder,
}


def main() -> None:
    cases = []
    for name, arguments in SCHEDULES.items():
        draw = random.Random(name)
        count = 30 if name == "combine_scheds" else SETS
        cases += [recorded(name, arguments(draw, index)) for index in range(count)]
    write("fastai", importlib.metadata.version("fastai"), cases)


if __name__ == "__main__":
    main()
