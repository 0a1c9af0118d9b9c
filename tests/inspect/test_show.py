"""`python -m jaxsched show`: what it prints, writes and returns."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import jaxsched as js
from jaxsched.__main__ import main
from jaxsched._inspect.check import check

WARMUP_COSINE = "warmup(Cosine(0.3, 0.01, 15), 5)"


def refused(arguments, capsys):
    """The message with which `main` exits with status 2."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    return capsys.readouterr().err


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_key_rates_and_findings(capsys):
    assert main(["show", WARMUP_COSINE, "--steps", "30"]) == 0
    out = capsys.readouterr().out
    rates, findings = out.split("\n\n")[1:3]
    assert out.startswith(f"{WARMUP_COSINE}\n")
    assert rows(rates) == [
        ["step", "learning", "rate"],
        ["0", "0.0", "first"],
        ["5", "0.3", "boundary,", "peak"],
        ["29", "0.01", "last"],
    ]
    assert findings.splitlines() == [str(each) for each in check(js.parse(WARMUP_COSINE), 30)]


def test_without_steps_it_shows_everything(capsys):
    assert main(["show", WARMUP_COSINE]) == 0
    assert ["20", "0.01", "last"] in rows(capsys.readouterr().out)


def test_it_says_when_there_are_no_findings(capsys):
    assert main(["show", "Cosine(0.3, 0.001, 100)", "--steps", "101", "--strict"]) == 0
    assert capsys.readouterr().out.endswith("\n\nno findings\n\n")


def test_strict_fails_on_a_warning_alone(capsys):
    too_long = ["show", "warmup(0.3, 100)", "--steps", "50"]
    assert main(too_long) == 0
    assert main([*too_long, "--strict"]) == 1
    assert main(["show", WARMUP_COSINE, "--strict"]) == 0
    assert "warning at step" in capsys.readouterr().out


def test_a_stack_is_shown_member_by_member(capsys):
    assert main(["show", "stack([Cosine(0.3, 0, 10), Linear(0.2, 0, 4), 0.1])"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("Cosine(0.3, 0, 10)\n", "Linear(0.2, 0, 4)\n", "Constant(0.1)\n"))
    assert out.count("last") == 3


def test_many_boundaries_are_not_all_listed(capsys):
    main(["show", "cycle(Cosine(0.3, 0.01, 10), 10)", "--steps", "300"])
    out = capsys.readouterr().out
    assert out.count("boundary") == 20
    assert "and more boundaries" in out


def test_a_horizon_of_all_steps(capsys):
    main(["show", "Linear(0.3, 0, 2147483647)", "--steps", str(2**31 - 1)])
    assert ["2147483646", "1.3969839e-10", "last"] in rows(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("warmup(Cosin(0.3, 0.01, 15), 5)", "Unknown schedule `Cosin`; did you mean `Cosine`?"),
        ("Linear(0.3, 0, -1)", "`transition_steps` must be at least 0, got -1."),
        ("stack([stack([Linear(0.1, 0, 1)]), stack([Linear(0.1, 0, 1)])])", "must be one schedule"),
        ("", "Expected a schedule, a number or a list."),
    ],
)
def test_a_wrong_expression(expression, message, capsys):
    assert message in refused(["show", expression], capsys)


def test_a_typo_is_pointed_at(capsys):
    lines = refused(["show", "warmup(Cosin(0.3, 0.01, 15), 5)"], capsys).splitlines()
    assert lines[-2].index("Cosin") == lines[-1].index("^")


@pytest.mark.parametrize("steps", ["0", "-1", "1.5", "many", str(2**31), "1_0", "²"])
def test_wrong_steps(steps, capsys):
    message = refused(["show", "0.1", f"--steps={steps}"], capsys)
    assert "--steps: must be an integer from 1 to 2147483647" in message


@pytest.mark.parametrize("suffix", [".svg", ".png", ".csv", ".SVG"])
def test_out_writes_by_suffix(suffix, tmp_path):
    path = tmp_path / f"schedule{suffix}"
    assert main(["show", WARMUP_COSINE, "--steps", "30", "--out", str(path)]) == 0
    head = path.read_bytes()[:8]
    assert head.startswith({".svg": b"<svg ", ".png": b"\x89PNG", ".csv": b"step,"}[suffix.lower()])


def test_the_table_reads_back_as_the_same_rates(tmp_path):
    path = tmp_path / "rates.csv"
    main(["show", WARMUP_COSINE, "--steps", "30", "--out", str(path)])
    header, *lines = path.read_text().splitlines()
    steps, rates = zip(*(line.split(",") for line in lines), strict=True)
    assert header == "step,learning_rate"
    assert list(steps) == [str(step) for step in range(30)]
    np.testing.assert_array_equal(np.float32(rates), js.parse(WARMUP_COSINE)(np.arange(30)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "schedule.pdf"], "--out: must end in one of .svg, .png, .csv, got 'schedule.pdf'"),
        (
            ["--steps", "2147483647", "--out", "schedule.csv"],
            "schedule.csv cannot be written: `every` must be at least 2148 for 2147483647 steps, because a "
            "table has at most 1000000 lines, got 1.",
        ),
        (["--every", "0"], "argument --every: must be an integer from 1 to 2147483647, got '0'"),
        (["--every", "5"], "argument --every: needs a table, --out FILE.csv"),
        (
            ["--out", "missing/schedule.csv"],
            "missing/schedule.csv cannot be written: No such file or directory",
        ),
        (["--log", "z", "--out", "schedule.svg"], "--log: invalid choice: 'z'"),
        (["--log", "y"], "--log: needs a picture, --out"),
        (["--log", "x", "--steps", "1", "--out", "schedule.svg"], '`log` must not have "x"'),
    ],
)
def test_what_cannot_be_written(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in refused(["show", "Constant(0.1)", *arguments], capsys)


def test_a_png_needs_matplotlib(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = refused(["show", "0.1", "--out", str(tmp_path / "x.png")], capsys)
    assert "Figures need Matplotlib: `pip install matplotlib`." in message


def test_alone_it_shows_help(capsys):
    assert main([]) == 0
    assert "show" in capsys.readouterr().out


def test_the_command():
    command = [sys.executable, "-m", "jaxsched", "show", "Linear(0.3, 0.2, 4)", "--steps", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ["4", "0.2", "last"] in rows(done.stdout)
    assert done.stderr == ""


def test_a_table_of_every_tenth_step(tmp_path):
    path = tmp_path / "rates.csv"
    assert main(["show", "Linear(1, 0, 64)", "--steps", "33", "--out", str(path), "--every", "16"]) == 0
    assert path.read_text() == "step,learning_rate\n0,1.0\n16,0.75\n32,0.5\n"
    long = ["show", "Linear(1, 0, 64)", "--steps", "2147483647", "--every", "715827882", "--out", str(path)]
    assert main(long) == 0
    assert [line.split(",")[0] for line in path.read_text().splitlines()[1:]] == [
        *("0", "715827882", "1431655764", "2147483646")
    ]


@pytest.mark.thorough
def test_a_full_disk_ends_in_a_message():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        run = subprocess.run(
            [sys.executable, "-m", "jaxsched", "show", "0.1"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert run.returncode == 2
    assert run.stderr.endswith("error: the output cannot be written: No space left on device\n")
    assert "Traceback" not in run.stderr
