"""`--help` of every command fits a terminal and is complete, and its examples work."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from train.__main__ import main

PROGRAM = "python -m train"
COMMANDS = {"train": [], **{name: [name] for name in main.commands}}
command = pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)


def help_of(words, columns=1000):
    """The help on a terminal of this width, of which click leaves two columns free."""
    result = CliRunner().invoke(main, [*words, "--help"], prog_name=PROGRAM, terminal_width=columns - 2)
    assert result.exit_code == 0, result.output
    return result.output


def params(words):
    command = main.commands[words[0]] if words else main
    return [each for each in command.params if isinstance(each, click.Option)]


@command
@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_too_long_and_no_word_is_cut(words, columns):
    text = help_of(words, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert text.split() == help_of(words).split()


@command
def test_an_option_takes_two_lines_at_most(words):
    text = help_of(words, 80)
    starts = [i for i, line in enumerate(text.splitlines()) if line.startswith(("  -", "  Examples:"))]
    end = text[: text.index("\n\n", text.index("--help"))].count("\n") + 1
    lengths = [b - a for a, b in zip(starts, [*starts[1:-1], end], strict=False)]
    assert len(lengths) == len(params(words)) + 1
    assert max(lengths) <= 2, text


@command
def test_every_option_has_a_help_and_says_its_default(words):
    for param in params(words):
        assert param.help, param.name
        quiet = param.is_flag and not param.secondary_opts
        if param.default is not None and not quiet and not param.multiple:
            assert param.show_default, param.name


@command
def test_the_examples_are_commands(words):
    (_, text) = help_of(words).split("Examples:")
    lines = text.replace("\\\n", " ").strip().splitlines()
    assert lines
    for line in lines:
        (*program,) = shlex.split(line)
        assert program[:3] == PROGRAM.split()
        assert program[3 : 3 + len(words)] == words
        target = main.commands[words[0]] if words else main
        assert isinstance(target.make_context(None, program[3 + len(words) :]), click.Context)


TYPOS = {
    "option": (["--epoch", 3], "No such option '--epoch'. (Did you mean one of: '--epochs'"),
    "option of a command": (["sweep", "--ovr", "a=1:2:3"], "No such option '--ovr'."),
    "command": (["compar"], "No such command 'compar'."),
    "schedule": (["--schedule", "Cosin(0.1, 0, 10)"], "Unknown schedule `Cosin`; did you mean `Cosine`?"),
    "schedule of a command": (
        ["sweep", "--schedule", "Cosin(0.1, 0, 10)", "--over", "init_value=0:1:2"],
        "Unknown schedule `Cosin`; did you mean `Cosine`?",
    ),
    "stack": (["--schedule", "stack([0.1, 0.2])"], "must be one schedule, got a stack of 2"),
    "stack of a command": (
        ["sweep", "--schedule", "stack([0.1, 0.2])", "--over", "value=0:1:2"],
        "must be one schedule, got a stack of 2",
    ),
    "batch of 0": (["--batch-size", 0], "Invalid value for '--batch-size': 0 is not in the range x>=1."),
    "batch of words": (["--batch-size", "x"], "'--batch-size': 'x' is not a valid integer."),
    "half a step": (["find-lr", "--steps", 1.5], "'--steps': '1.5' is not a valid integer."),
    "endless rates": (["find-lr", "--max-value", "inf"], "'--max-value': 'inf' is not a finite number."),
    "values": (["sweep", "--over", "a=1:2"], "Invalid value for '--over': `a=1:2` must be NAME=LOW:HIGH"),
    "policy": (
        ["--resume", "run", "--retarget", "Rewarmup(..)"],
        "'--retarget': 'Rewarmup(..)' must be Continue, HoldToPlan or Rewarmup(STEPS).",
    ),
    "argument": (["compare", "sweep"], "Got unexpected extra argument (sweep)"),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_is_an_error_before_any_work(typo, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("train.__main__.Session", None)  # a call would be another error
    arguments, message = TYPOS[typo]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())
