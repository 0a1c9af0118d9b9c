"""Upper bounds on the costs of a schedule, and how the measurements compare with them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.peers import THIRTEEN
from benchmarks.report import cell

Row = dict[str, Any]
Table = Sequence[Mapping[str, Any]]


class Found(NamedTuple):
    """A measured number and its limit."""

    what: str
    number: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.number <= self.limit


class Bound(NamedTuple):
    """An upper bound on numbers in a table.

    Attributes:
      what: the quantity.
      must: the bound, in words.
      table: the name of the table.
      found: finds the numbers and their limits in the table.
    """

    what: str
    must: str
    table: str
    found: Callable[[Table], Iterable[Found]]


def each(
    column: str,
    limit: Callable[[Mapping[str, Any]], float],
    but: Sequence[str] = (),
    of: Callable[[Any], float] = float,
) -> Callable[[Table], Iterable[Found]]:
    """Finds the numbers of a column, each with a limit that depends on its row.

    Args:
      column: the name of the column.
      limit: the limit of a row.
      but: rows to leave out.
      of: the number in a cell.
    """
    return lambda rows: [
        Found(row["schedule"], of(row[column]), limit(row)) for row in rows if row["schedule"] not in but
    ]


def factor(times: Mapping[str, Any]) -> float:
    """Our time divided by the other time."""
    return float(times["factor"])


def seconds(times: Mapping[str, Any]) -> float:
    """Our time."""
    return float(times["ours"])


def mean(column: str, limit: float) -> Callable[[Table], Iterable[Found]]:
    """Finds the geometric mean of the factors, without the join of 1,000, which would flatter us."""
    return lambda rows: [
        Found(
            "geometric mean",
            statistics.geometric_mean(
                factor(row[column]) for row in rows if row["schedule"] != "join of 1,000"
            ),
            limit,
        )
    ]


def together(rows: Table) -> Iterable[Found]:
    """The instructions of the thirteen usual schedules, ours and Optax's, if all were counted."""
    usual = [row for row in rows if row["schedule"] in THIRTEEN]
    if len(usual) < len(THIRTEEN):
        return []
    return [Found("together", sum(row["closed over"] for row in usual), sum(row["Optax"] for row in usual))]


def only(name: str, column: str, limit: float) -> Callable[[Table], Iterable[Found]]:
    """Finds the number of a single row."""
    return lambda rows: [Found(name, row[column], limit) for row in rows if row["schedule"] == name]


BOUNDS = (
    Bound(
        "TPU: instructions of one evaluation, closed over",
        "each at most 1.2 times Optax's plus 10",
        "tpu",
        each("closed over", lambda row: 1.2 * row["Optax"] + 10),
    ),
    Bound("TPU: those of thirteen usual schedules", "together at most Optax's", "tpu", together),
    Bound(
        "TPU: those of growing restarts",
        "at most 80",
        "tpu",
        only("warm_restarts, growing", "closed over", 80),
    ),
    Bound(
        "TPU: loops in one evaluation, closed over",
        "none but in a join of 1,000",
        "tpu",
        each("loops", lambda row: 0, but=["join of 1,000"]),
    ),
    Bound(
        "TPU: instructions of one evaluation, as an argument",
        "each at most 150",
        "tpu",
        each("an argument", lambda row: 150),
    ),
    Bound(
        "TPU: float64 in StableHLO or compiled, forward or in a gradient",
        "none",
        "tpu",
        each("float64", lambda row: 0),
    ),
    Bound(
        "TPU: seconds to compile one evaluation",
        "each at most 1.5 times Optax's plus 0.05",
        "tpu",
        each("compile", lambda row: 1.5 * row["compile"]["theirs"] + 0.05, of=seconds),
    ),
    Bound(
        "TPU: instructions added to a step of SGD with momentum",
        "each at most Optax's plus 2",
        "tpu",
        each("adds to a step", lambda row: row["Optax adds"] + 2),
    ),
    Bound(
        "GPU: kernels of one evaluation, closed over",
        "each at most Optax's",
        "gpu",
        each("closed over", lambda row: row["Optax"], but=["stack of 5 kinds"]),
    ),
    Bound("GPU: those of a stack", "at most 3", "gpu", only("stack of 5 kinds", "closed over", 3)),
    Bound(
        "GPU: kernels added to a step of SGD with momentum",
        "each at most Optax's plus 2",
        "gpu",
        each("adds to a step", lambda row: row["Optax adds"] + 2),
    ),
    Bound(
        "CPU: operations in a step of SGD with momentum",
        "each at most Optax's plus 2",
        "cpu",
        each("in a step", lambda row: row["Optax"] + 2),
    ),
    Bound(
        "CPU: trace, lower and compile, to Optax's",
        "each at most 1.5",
        "cpu",
        each("trace, lower, compile", lambda row: 1.5, of=factor),
    ),
    Bound(
        "CPU: trace, lower and compile, geometric mean",
        "at most 1.25",
        "cpu",
        mean("trace, lower, compile", 1.25),
    ),
    Bound(
        "CPU: an eager call, to Optax's",
        "each but Constant at most 1",
        "cpu",
        each("an eager call", lambda row: 1, but=["Constant"], of=factor),
    ),
    Bound(
        "CPU: 10^6 rates in one call, to Optax's",
        "each at most 2.5, inverse_sqrt and noam 6",
        "cpu",
        each("many rates", lambda row: 6 if row["schedule"] in ("inverse_sqrt", "noam") else 2.5, of=factor),
    ),
    Bound("CPU: 10^6 rates, geometric mean", "at most 1.3", "cpu", mean("many rates", 1.3)),
    Bound(
        "CPU: 1,000 parts, to compile, to Optax's warmup-cosine",
        "each at most 5",
        "many",
        each("compile", lambda row: 5, of=factor),
    ),
    Bound(
        "CPU: 1,000 parts, a call, to one Cosine",
        "each at most 2",
        "many",
        each("a call", lambda row: 2, of=factor),
    ),
    Bound(
        "`import jaxsched` beyond `import jax, optax`, to that",
        "at most 0.1",
        "import",
        lambda rows: [Found("import", factor(row["import"]), 0.1) for row in rows],
    ),
)

REASONS: dict[str, str] = {
    "TPU: instructions of one evaluation, as an argument": (
        "two cycles whose factor may be 1, whole or a fraction count their restarts in each of these ways"
    ),
    "TPU: instructions added to a step of SGD with momentum": (
        "the larger end of a transition is selected, and steps before 0 are held at 0; Optax does neither"
    ),
    "CPU: operations in a step of SGD with momentum": (
        "a join of 1,000 finds its part in two rounds of comparing, then looks its numbers up"
    ),
    "CPU: 10^6 rates in one call, to Optax's": (
        "a stack of mixed kinds computes each of them in float64, the switch of Optax's in float32"
    ),
}
"""Why a bound does not hold, by its quantity."""


def judged(tables: Mapping[str, Table]) -> list[Row]:
    """Every bound with its worst number, and whether it holds."""
    rows = []
    for bound in BOUNDS:
        found = list(bound.found(tables[bound.table])) if bound.table in tables else []
        row: Row = {"what": bound.what, "must be": bound.must, "is": "not measured", "holds": None}
        if found:
            worst = max(found, key=lambda one: (one.number - one.limit) / max(one.limit, 1))
            above = sum(not one.holds for one in found)
            row["is"] = f"{worst.what} {cell(worst.number)}, limit {cell(worst.limit)}"
            row["holds"] = "yes" if not above else f"no: {above} of {len(found)}"
        rows.append(row | {"why not": REASONS.get(bound.what)})
    return rows
