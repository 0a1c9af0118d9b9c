"""Counts the instructions that a compiled program runs, from its text.

The count is that of the entry computation, without instructions that only name data. Calls are expanded: a
`call` counts as its body, a `while` as its body times its trip count, a `conditional` as its largest branch.
A fusion counts as one, since it is one kernel.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FREE = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element"}
"""Opcodes that only name data."""

_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = .*? ([a-z][\w\-]*)\((.*)$")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_FLOAT64 = re.compile(r"(?:\b|x)f64\b")


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
      name: the name of its result.
      opcode: its operation.
      rest: its operands and attributes, as text.
    """

    name: str
    opcode: str
    rest: str

    def called(self, attribute: str) -> list[str]:
        """The names of the computations in an attribute."""
        found = re.search(rf"\b{attribute}=(?:\{{([^}}]*)\}}|([^,\s]+))", self.rest)
        names = (found[1] or found[2]).split(",") if found else []
        return [name.strip().lstrip("%") for name in names]


class Program(NamedTuple):
    """A compiled program.

    Attributes:
      entry: the name of the entry computation.
      computations: the instructions of each computation, by its name.
    """

    entry: str
    computations: dict[str, list[Instruction]]

    @classmethod
    def read(cls, text: str) -> Program:
        """Reads the output of `compiled.as_text()`.

        Raises:
          ValueError: it has no entry computation.
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
            raise ValueError("`text` must be a compiled program, got a text without an ENTRY computation.")
        return cls(entry, computations)

    def count(self, computation: str | None = None) -> int:
        """The number of instructions that run, in the entry computation or in another."""
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
            raise ValueError(f"`text` must have the trip count of every loop, got none for `{loop.name}`.")
        return int(limits[0].partition(")")[0])

    def loops(self) -> int:
        """The number of `while` loops in all computations."""
        lines = [each for lines in self.computations.values() for each in lines]
        return sum(each.opcode == "while" for each in lines)


def instructions(text: str) -> int:
    """The number of instructions that a compiled program runs."""
    return Program.read(text).count()


def loops(text: str) -> int:
    """The number of `while` loops in a compiled program."""
    return Program.read(text).loops()


def float64s(text: str) -> int:
    """The number of uses of float64 in StableHLO or in a compiled program."""
    return len(_FLOAT64.findall(text))
