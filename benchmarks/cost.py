"""The cost of a schedule on a TPU, a GPU and a CPU, beside Optax's: `python -m benchmarks.cost`.

    python -m benchmarks.cost --tpu-python tpu/bin/python --cuda-python cuda/bin/python

The two options name the Pythons of separate environments, with `pip install "jax[tpu]" optax` and
`pip install "jax[cuda12]" optax`. Neither needs its device. Without an option, its part is not measured. If
the CUDA environment finds a GPU, it compiles for that GPU and also times a call. `--part tpu`, `--part gpu`
or `--part cpu` measures one part in the current environment.

Counts are exact. Times are medians of alternating runs. The factor after them is our time divided by
Optax's, with its lowest and highest: below 1, ours is faster. The last table compares every bound with the
measurements.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import jaxsched as js
from benchmarks import hlo, targets
from benchmarks.bounds import Row, judged
from benchmarks.peers import PAIRS, PARTS, Pair, T, W
from benchmarks.report import RESULTS, publish
from benchmarks.targets import Target
from benchmarks.timing import Times, calls_in, in_ratio, in_words, paired

ROOT = Path(__file__).parents[1]
COMMAND = "python -m benchmarks.cost"
STEP = jax.ShapeDtypeStruct((), jnp.int32)
SLOW = ("join of 1,000",)
"""Rows for which Optax takes seconds, timed in fewer rounds."""


class Program(NamedTuple):
    """A program before and after the compiler."""

    stablehlo: str
    text: str

    @classmethod
    def of(cls, target: Target, function: Callable[..., Any], *arguments: Any) -> Program:
        """Compiles a function for a device."""
        lowered = target.lower(function, *arguments)
        return cls(lowered.as_text(), lowered.compile().as_text())


def counted(pair: Pair, target: Target) -> Row:
    """The instructions of one evaluation, those added to a training step, and the uses of float64."""
    closed = Program.of(target, pair.our_closed, STEP)
    argument = Program.of(target, pair.our_rate, pair.ours, STEP)
    theirs = Program.of(target, pair.their_rate, STEP)

    def slope(schedule: js.Schedule, step: Any) -> Any:
        return jax.grad(lambda each: pair.our_rate(each, step).sum(), allow_int=True)(schedule)

    slopes = Program.of(target, slope, pair.ours, STEP)
    with_ours, with_theirs, constant = in_a_step(pair, target)
    return {
        "closed over": hlo.instructions(closed.text),
        "an argument": hlo.instructions(argument.text),
        "Optax": hlo.instructions(theirs.text),
        "loops": hlo.loops(closed.text),
        "adds to a step": with_ours - constant,
        "Optax adds": with_theirs - constant,
        "float64": sum(hlo.float64s(text) for program in (closed, argument, slopes) for text in program),
    }


def in_a_step(pair: Pair, target: Target) -> tuple[int, int, int]:
    """The operations of a step of SGD with momentum, with our schedule, with theirs and with a constant."""

    def operations(step: Callable[..., Any], scale: optax.GradientTransformation) -> int:
        init = optax.chain(optax.trace(0.9), scale).init
        params = jax.ShapeDtypeStruct((pair.members, 1000) if pair.members else (1000,), jnp.float32)
        state = jax.eval_shape(jax.vmap(init) if pair.members else init, params)
        return hlo.instructions(Program.of(target, step, params, state, params).text)

    # The state has the same form for every schedule. That of a stack is not available outside `vmap`.
    return (
        operations(partial(pair.our_step, pair.ours), js.scale_by_learning_rate(0.3)),
        operations(pair.their_step, optax.scale_by_learning_rate(lambda count: 0.3)),
        operations(pair.constant_step, optax.scale_by_learning_rate(0.3)),
    )


def cost(times: Times) -> Row:
    """A table cell of times; the factor is our time divided by theirs."""
    low, high = times.spread
    return {
        "ours": times.ours,
        "theirs": times.theirs,
        "factor": 1 / times.ratio,
        "spread": (1 / high, 1 / low),
    }


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> Row:
    """Times two functions; the slower one sets the number of calls in a turn."""
    return cost(paired(ours, theirs, min(calls_in(ours), calls_in(theirs)), rounds))


def compiling(target: Target, pair: Pair, rounds: int) -> Row:
    """The time of `lowered.compile()` alone."""

    def compile_next(rate: Callable[[Any], Any]) -> Callable[[], Any]:
        lowered = iter([target.lower(rate, STEP) for _ in range(1 + rounds)])  # The first is not timed.
        return lambda: next(lowered).compile()

    return cost(paired(compile_next(pair.our_closed), compile_next(pair.their_rate), rounds=rounds))


def run(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls a function and waits for its result."""
    jax.block_until_ready(function(*arguments))


def pairs_of(names: Iterable[str]) -> Iterator[tuple[str, Pair]]:
    """The rows of a table one by one, with progress on stderr, since a table takes minutes."""
    for name in names:
        print(f"... {name}", file=sys.stderr)
        yield name, PAIRS[name]()


def on_tpu(target: Target, names: Iterable[str] = PAIRS, rounds: int = 5) -> list[Row]:
    """Instructions, and the time to compile them."""
    rows = []
    for name, pair in pairs_of(names):
        times = compiling(target, pair, 1 if name in SLOW else rounds)
        rows.append({"schedule": name} | counted(pair, target) | {"compile": times})
    return rows


def on_gpu(target: Target, names: Iterable[str] = PAIRS, rounds: int = 9) -> list[Row]:
    """Kernels and, with a GPU, the time of a call. Uses of float64 do not count: schedules compute in it."""
    rows = []
    for name, pair in pairs_of(names):
        row: Row = {"schedule": name} | counted(pair, target)
        del row["float64"]
        if target.is_here:
            ours, theirs, step = jax.jit(pair.our_closed), jax.jit(pair.their_rate), jnp.int32(T // 3)
            row["a call"] = in_turns(partial(run, ours, step), partial(run, theirs, step), rounds)
        rows.append(row)
    return rows


def on_cpu(names: Iterable[str] = PAIRS, many: int = 10**6, rounds: int = 7) -> list[Row]:
    """Operations in a training step, and times.

    Args:
      names: the names of the rows.
      many: the number of rates computed in one call.
      rounds: the number of rounds in which ours and theirs take turns.
    """
    rows = []
    for name, pair in pairs_of(names):
        ours, theirs = pair.our_closed, pair.their_rate
        turns = min(3, rounds) if name in SLOW else rounds
        with_ours, with_theirs, constant = in_a_step(pair, targets.here())
        build_ours, build_theirs = partial(built, ours), partial(built, theirs)
        step, steps = jnp.int32(T // 3), jnp.arange(many, dtype=jnp.int32)
        many_ours, many_theirs = jax.jit(ours), jax.jit(jax.vmap(theirs))
        rows.append(
            {
                "schedule": name,
                "in a step": with_ours,
                "Optax": with_theirs,
                "constant": constant,
                "trace, lower, compile": cost(paired(build_ours, build_theirs, rounds=turns)),
                "the first time": cost(
                    paired(build_ours, build_theirs, rounds=turns, before=jax.clear_caches)
                ),
                "an eager call": in_turns(partial(run, ours, step), partial(run, theirs, step), turns),
                "many rates": cost(
                    paired(partial(run, many_ours, steps), partial(run, many_theirs, steps), rounds=turns)
                ),
            }
        )
    return rows


def built(rate: Callable[[Any], Any], step: Any = STEP) -> Any:
    """Traces, lowers and compiles for this machine."""
    return targets.here().lower(rate, step).compile()


MANY: dict[str, Callable[[int], js.Schedule]] = {
    "join": lambda n: js.join(
        [js.Cosine(0.3 - 0.1 * i / n, 0.0, 10) for i in range(n)], range(10, 10 * n, 10)
    ),
    "cycle": lambda n: js.cycle(js.Cosine(0.3, 0.0, 10), 10, value_factor=0.999, cycles=n),
    "Piecewise": lambda n: js.Piecewise([0.3 - 0.1 * i / n for i in range(n)], range(10, 10 * n, 10)),
}
"""Schedules that can have many parts."""


def of_many_parts(parts: int = PARTS, rounds: int = 7) -> list[Row]:
    """Compile times beside Optax's warmup-cosine, and call times beside one cosine of ours."""
    usual = optax.warmup_cosine_decay_schedule(0.0, 0.3, W, T)
    step = jnp.int32(5 * parts)
    cosine = partial(run, built(js.Cosine(0.3, 0.0, T), step), step)
    rows = []
    for name, build in MANY.items():
        schedule = build(parts)
        to_compile = cost(paired(partial(built, schedule), partial(built, usual), rounds=rounds))
        to_call = in_turns(partial(run, built(schedule, step), step), cosine, rounds)
        rows.append({"schedule": f"{name} of {parts:,}", "compile": to_compile, "a call": to_call})
    return rows


IMPORTS = """
import time
began = time.perf_counter()
import jax, optax
between = time.perf_counter()
import jaxsched
print(time.perf_counter() - between, between - began)
"""


def of_importing(rounds: int = 7) -> list[Row]:
    """The time of `import jaxsched` after `import jax, optax`, in separate processes."""
    seconds = []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", IMPORTS]
    # Bytecode is cached, as in an installed package; the first round writes it and is not timed.
    with tempfile.TemporaryDirectory() as kept:
        environment["PYTHONPYCACHEPREFIX"] = kept
        for _ in range(rounds + 1):
            process = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
            )
            ours, theirs = map(float, process.stdout.split())
            seconds.append((ours, theirs, theirs / ours))
    seconds = seconds[1:]
    ours, theirs, ratio = map(statistics.median, zip(*seconds, strict=True))
    ratios = [each[2] for each in seconds]
    times = Times(ours, theirs, ratio, (min(ratios), max(ratios)))
    return [{"what": "`import jaxsched` beyond `import jax, optax`", "import": cost(times)}]


def measure(part: str) -> dict[str, list[Row]]:
    """Measures a part in this environment, then prints and saves its tables."""
    match part:
        case "tpu":
            target = targets.tpu()
            tables = {"tpu": on_tpu(target)}
        case "gpu":
            target = targets.gpu()
            tables = {"gpu": on_gpu(target)}
        case _:
            target = targets.here()
            tables = {"cpu": on_cpu(), "many": of_many_parts(), "import": of_importing()}
    for name, rows in tables.items():
        publish(f"cost/{name}", rows, COMMAND, target.name)
    return tables


def in_short(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """The table of the README: warmup and cosine, then a join of 1,000 parts."""
    cells = (
        ("warmup(Cosine)", "tpu", "closed over", "instructions on a TPU"),
        ("warmup(Cosine)", "gpu", "closed over", "kernels on a GPU"),
        ("warmup(Cosine)", "cpu", "in a step", "operations in a step of SGD on a CPU"),
        ("warmup(Cosine)", "cpu", "trace, lower, compile", "to trace, lower and compile"),
        ("warmup(Cosine)", "cpu", "an eager call", "an eager call"),
        ("warmup(Cosine)", "cpu", "many rates", "10^6 rates in one call"),
        ("join of 1,000", "tpu", "closed over", "instructions on a TPU"),
        ("join of 1,000", "cpu", "trace, lower, compile", "to trace, lower and compile"),
    )
    rows = []
    for schedule, table, column, what in cells:
        (row,) = (each for each in tables[table] if each["schedule"] == schedule)
        cost = row[column]
        if isinstance(cost, Mapping):
            ours, theirs = in_words(cost["ours"]), in_words(cost["theirs"])
            ratio = in_ratio(cost["factor"], cost["spread"])
        else:
            ours, theirs, ratio = f"{cost:,}", f"{row['Optax']:,}", None
        rows.append(
            {"schedule": f"`{schedule}`", "what": what, "ours": ours, "Optax": theirs, "ratio": ratio}
        )
    return rows


def measured_by(python: str, part: str) -> dict[str, list[Row]]:
    """Measures a part in another environment."""
    subprocess.run([python, "-m", "benchmarks.cost", "--part", part], check=True, cwd=ROOT)
    return {part: json.loads((RESULTS / f"cost/{part}.json").read_text())["rows"]}


def main() -> None:
    """Measures every part, then prints and saves the tables and the bounds."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tpu-python", help="Python of an environment with jax[tpu] and optax")
    parser.add_argument("--cuda-python", help="Python of an environment with jax[cuda12] and optax")
    parser.add_argument(
        "--part", choices=("tpu", "gpu", "cpu"), help="measure only this part, in this environment"
    )
    options = parser.parse_args()
    if options.part:
        measure(options.part)
        return
    tables = measure("cpu")
    for part, python in (("tpu", options.tpu_python), ("gpu", options.cuda_python)):
        if python:
            tables |= measured_by(python, part)
    publish("cost/bounds", judged(tables), COMMAND)
    if {"tpu", "gpu"} <= tables.keys():
        publish("cost/short", in_short(tables), COMMAND)


if __name__ == "__main__":
    main()
