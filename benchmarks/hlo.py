"""What a compiled program runs, counted in its text.

An instruction counts one where a device runs it: the entry computation's, without those that only name data.
What it calls is opened: a `call` is its body, a `while` its body times its trips, a `conditional` the larger
of its branches. A fusion is one, as it is one kernel.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FREE = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element"}
"""They name data; nothing runs."""

_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = .*? ([a-z][\w\-]*)\((.*)$")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_FLOAT64 = re.compile(r"(?:\b|x)f64\b")


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
      name: of its result.
      opcode: what it does.
      rest: its operands and attributes, as they stand there.
    """

    name: str
    opcode: str
    rest: str

    def called(self, attribute: str) -> list[str]:
        """The computations that an attribute names."""
        found = re.search(rf"\b{attribute}=(?:\{{([^}}]*)\}}|([^,\s]+))", self.rest)
        names = (found[1] or found[2]).split(",") if found else []
        return [name.strip().lstrip("%") for name in names]


class Program(NamedTuple):
    """A compiled program.

    Attributes:
      entry: the name of the computation that runs.
      computations: the instructions of every computation by its name.
    """

    entry: str
    computations: dict[str, list[Instruction]]

    @classmethod
    def read(cls, text: str) -> Program:
        """Reads what `compiled.as_text()` gives.

        Raises:
          ValueError: there is no entry computation in it.
        """
        entry: str | None = None
        computations: dict[str, list[Instruction]] = {}
        for line in text.splitlines():
            if head := _HEAD.match(line):
                computations[head[2]] = lines = []
                entry = head[2] if head[1] else entry
            elif computations and (found := _INSTRUCTION.match(line)):
                lines.append(Instruction(*found.groups()))
        if entry is None:
            raise ValueError("`text` must be a compiled program, got none with an ENTRY computation.")
        return cls(entry, computations)

    def count(self, computation: str | None = None) -> int:
        """How many instructions run, in the entry computation or in another."""
        return sum(self._runs(each) for each in self.computations[computation or self.entry])

    def _runs(self, instruction: Instruction) -> int:
        match instruction.opcode:
            case opcode if opcode in FREE:
                return 0
            case "call":
                return sum(map(self.count, instruction.called("to_apply")))
            case "while":
                return self._trips(instruction) * sum(map(self.count, instruction.called("body")))
            case "conditional":
                names = ("branch_computations", "true_computation", "false_computation")
                return max(self.count(branch) for name in names for branch in instruction.called(name))
        return 1

    def _trips(self, loop: Instruction) -> int:
        if known := _TRIPS.search(loop.rest):
            return int(known[1])
        (condition,) = loop.called("condition")
        limits = [each.rest for each in self.computations[condition] if each.opcode == "constant"]
        if len(limits) != 1:
            raise ValueError(f"The trips of `{loop.name}` are not in the text.")
        return int(limits[0].partition(")")[0])

    def loops(self) -> int:
        """How many `while` stand in it, whatever calls them."""
        lines = [each for lines in self.computations.values() for each in lines]
        return sum(each.opcode == "while" for each in lines)


def instructions(text: str) -> int:
    """How many instructions a compiled program runs."""
    return Program.read(text).count()


def loops(text: str) -> int:
    """How many `while` a compiled program has."""
    return Program.read(text).loops()


def float64s(text: str) -> int:
    """How often a text names float64: StableHLO, or a compiled program."""
    return len(_FLOAT64.findall(text))
