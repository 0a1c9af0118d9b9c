"""The command line: `python -m train --help`.

A command checks its options and sets up a `Session`. A single run then continues in `train.single`, many runs
at once in `train.many`, decays of a run in `train.branches`. Read `train.options` next.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import jaxsched as js
from jaxsched.optim.retarget import Policy
from train import devices
from train.config import Config, ConfigError
from train.events import FILES
from train.options import (
    AT,
    DECAY_STEPS,
    END_VALUE,
    EPOCHS,
    IN_EPOCHS,
    KEEP_EVERY,
    LOGDIR,
    OVER,
    PER_EPOCH,
    PLATEAU,
    RETARGET,
    SCHEDULE,
    SEED,
    SEEDS,
    SHAPE,
    Finite,
    Shared,
    Whole,
    examples,
    option,
    shared,
)
from train.session import Session, folder_for, join, lock, shared_config
from train.sweep import Over, grid


class Commands(click.Group):
    """A file that cannot be read or written is a message."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click knows what to do
            raise
        except OSError as error:
            name = error.filename2 or error.filename or "A file"
            raise click.ClickException(f"{name}: {error.strerror or error}.") from error


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "python -m train",
        'python -m train --schedule "Cosine(0.2, 0.01, 660)"',
        "python -m train --per-epoch \\",
        '    --schedule "warmup(Cosine(0.2, 0, 25), 5)"',
        "python -m train --schedule 0.2 --plateau 0.5 3",
        "python -m train --resume runs/digits-1 --epochs 60",
    ),
)
@SCHEDULE
@PER_EPOCH
@PLATEAU
@EPOCHS
@SEED
@option("--strict", is_flag=True, help="Do not train if the schedule has a warning.")
@option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Resume the run in DIR.")
@RETARGET
@KEEP_EVERY
@LOGDIR
@shared
@click.pass_context
def main(
    context: click.Context,
    options: Shared,
    *,
    schedule: js.Schedule | None,
    per_epoch: bool,
    plateau: tuple[float, int] | None,
    seed: int,
    epochs: int | None,
    strict: bool,
    resume: Path | None,
    retarget: Policy | None,
    keep_every: int | None,
    logdir: Path | None,
) -> None:
    """Train a LeNet with a learning-rate schedule.

    Without a command, this trains a single run. The commands below train many runs side by side, branch
    decays off a run, or suggest a learning rate.
    """
    given = [name for name in context.params if _is_given(context, name)]
    if context.invoked_subcommand is not None:
        if given:
            command, option = context.invoked_subcommand, _option(given[0])
            takes = {each.name for each in main.commands[command].params}
            advice = f"write it after `{command}`" if given[0] in takes else f"`{command}` does not take it"
            raise click.UsageError(f"{option} is for a single run: {advice}.")
        return
    if resume is not None:
        _resume(context.params, given, options, resume)
        return
    if retarget is not None:
        raise click.UsageError("--retarget is for a resumed run: it needs --resume DIR.")

    session = Session(options, held_out=plateau is not None, shares_batches=True, logdir=logdir)
    epochs = session.epochs(epochs)
    schedule = session.schedule(schedule, epochs, per_epoch)
    session.preview(schedule, epochs, per_epoch, strict)
    text = repr(schedule)
    config = Config(
        dataset=options.dataset,
        data_dir=None if options.data_dir is None else str(options.data_dir),
        schedule=text,
        trained=text,
        per_epoch=per_epoch,
        plateau=plateau,
        momentum=options.momentum,
        seed=seed,
        batch_size=session.batch_size,
        epochs=epochs,
        keep_every=keep_every,
    )
    session.open_logdir(FILES)
    folder = folder_for(options.out, options.dataset, "config.json", "metrics.jsonl", "checkpoints")
    # This import takes seconds. Made here, it does not delay `--help` and error messages.
    from train import single

    single.train(session, config, folder)


def _resume(params: dict[str, Any], given: list[str], options: Shared, folder: Path) -> None:
    """Resumes a run. Only some of its options may change."""
    if "out" in given:
        raise click.UsageError("A resumed run writes to its own folder: leave out --out.")
    if params["retarget"] is not None and params["schedule"] is None:
        raise click.UsageError("--retarget is for another schedule: it needs --schedule EXPR.")
    join(options)
    if devices.is_first() and (folder / "config.json").exists():
        lock(folder, "--resume")
    began = _config_in(folder, "--resume")
    chosen = {name: params[name] for name in given}
    _refuse_others(began, folder, chosen, "per_epoch", "plateau", "seed")
    config, session = _session_of(began, options, params["logdir"])
    config = dataclasses.replace(
        config,
        epochs=params["epochs"] or config.epochs,
        keep_every=params["keep_every"] or config.keep_every,
    )
    session.epochs(config.epochs)
    session.open_logdir(FILES, resumed=True)
    from train import single

    single.resume(session, began, config, folder, params["schedule"], params["retarget"], params["strict"])


def _config_in(folder: Path, argument: str) -> Config:
    """The configuration of the run in a folder."""
    try:
        return shared_config(folder / "config.json")
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint=argument) from error


def _refuse_others(config: Config, folder: Path, given: dict[str, Any], *names: str) -> None:
    """Refuses options with another value than in the run in a folder."""
    for name in ("dataset", "momentum", "batch_size", *names):
        if name in given and given[name] != getattr(config, name):
            raise click.BadParameter(
                f"{_typed(given[name])} must be {_typed(getattr(config, name))}, as in the run in {folder}.",
                param_hint=_option(name),
            )


def _session_of(config: Config, options: Shared, logdir: Path | None = None) -> tuple[Config, Session]:
    """The session of a run. Only the folder of its data may be another one."""
    data_dir = str(options.data_dir) if options.data_dir else config.data_dir
    options = dataclasses.replace(
        options,
        dataset=config.dataset,
        data_dir=None if data_dir is None else Path(data_dir),
        momentum=config.momentum,
        batch_size=config.batch_size,
    )
    held_out = config.plateau is not None
    session = Session(options, held_out=held_out, shares_batches=True, logdir=logdir)
    return dataclasses.replace(config, data_dir=data_dir), session


@main.command(
    short_help="Train the book's seven schedules.",
    epilog=examples(
        "python -m train compare --seeds 3",
        "python -m train compare --as-published --epochs 10",
    ),
)
@EPOCHS
@SEEDS
@LOGDIR
@option(
    "--as-published", is_flag=True, help="Apply the book's own schedulers one epoch late, as its loop does."
)
@shared
def compare(
    options: Shared,
    *,
    epochs: int | None,
    seeds: int,
    as_published: bool,
    logdir: Path | None,
) -> None:
    """Train the book's seven schedules, side by side.

    They are from the chapter Learning Rate Scheduling of Dive into Deep Learning (d2l.ai). The results
    are shown beside the convex bound, which is known before the run.
    """
    session = Session(options, held_out=True, logdir=logdir)
    epochs = session.epochs(epochs)
    session.open_logdir(f"*/{FILES}")
    folder = folder_for(options.out, f"compare-{options.dataset}", "compare.json")
    from train.chapter import CHAPTER

    expressions = {run.name: run.expression(as_published) for run in CHAPTER}
    plans = [run.plan(session.steps_per_epoch, as_published) for run in CHAPTER]
    steps = epochs * session.steps_per_epoch
    bounds = {
        run.name: js.forecast.bound(plan.schedule, steps).best_value
        for run, plan in zip(CHAPTER, plans, strict=True)
        if plan.rule is None
    }
    _train_many(session, folder, "compare", expressions, plans, epochs, seeds, bounds)


@main.command(
    short_help="Train a grid of schedules.",
    epilog=examples(
        "python -m train sweep \\",
        "    --over schedule.init_value=0.05:0.5:16:log",
        'python -m train sweep --schedule "Constant(0.1)" \\',
        "    --over value=0.01:1:8:log --seeds 3",
    ),
)
@OVER
@SCHEDULE
@PER_EPOCH
@EPOCHS
@SEEDS
@LOGDIR
@shared
def sweep(
    options: Shared,
    *,
    schedule: js.Schedule | None,
    per_epoch: bool,
    epochs: int | None,
    seeds: int,
    overs: tuple[Over, ...],
    logdir: Path | None,
) -> None:
    """Train a grid of schedules, side by side.

    Each --over varies one number of the schedule. With several, all combinations are trained.
    """
    from train.step import Plan

    session = Session(options, logdir=logdir)
    epochs = session.epochs(epochs)
    try:
        members = grid(session.schedule(schedule, epochs, per_epoch), overs)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--over") from error
    session.open_logdir(f"*/{FILES}")
    folder = folder_for(options.out, f"sweep-{options.dataset}", "sweep.json")
    expressions = {name: repr(member) for name, member in members.items()}
    plans = [Plan(session.in_steps(member, per_epoch)) for member in members.values()]
    _train_many(session, folder, "sweep", expressions, plans, epochs, seeds)


@main.command(
    short_help="Branch decays off a run.",
    epilog=examples(
        "python -m train cooldown runs/digits-1 \\",
        "    --at 220 --at 440 --steps 110",
        "python -m train cooldown runs/digits-1 --per-epoch \\",
        "    --at 10 --at 20 --steps 5 --shape OneMinusSqrt",
    ),
)
@click.argument("run", type=click.Path(path_type=Path))
@AT
@DECAY_STEPS
@SHAPE
@END_VALUE
@IN_EPOCHS
@shared
@click.pass_context
def cooldown(
    context: click.Context,
    options: Shared,
    *,
    run: Path,
    ats: tuple[int, ...],
    lengths: tuple[int, ...],
    shapes: tuple[str, ...],
    end_value: float,
    per_epoch: bool,
) -> None:
    """Branch decays off checkpoints of a run, and compare them.

    RUN is the folder of a run, usually one with a constant rate. The run does not change. Its branches have
    the same data set, batch size and momentum. Several steps or shapes are run in all combinations.
    """
    join(options)
    config = _config_in(run, "RUN")
    _refuse_others(
        config, run, {name: each for name, each in context.params.items() if _is_given(context, name)}
    )
    config, session = _session_of(config, options)
    from train import branches
    from train.report_branches import Decays

    unit = session.steps_per_epoch if per_epoch else 1
    every = itertools.product(ats, lengths, shapes or ("Linear",))
    decays = [branches.Decay(at * unit, steps * unit, shape, end_value) for at, steps, shape in every]
    found = branches.branches(session, config, run, list(dict.fromkeys(decays)), unit)
    folder = folder_for(
        options.out, f"cooldown-{config.dataset}", "cooldown.json", "config.json", "metrics.jsonl"
    )
    results = branches.train(session, found, folder)
    schedule = session.in_steps(js.parse(config.trained), config.per_epoch)
    if devices.is_first():
        decayed = Decays(branches.history(run, found), schedule, found, results)
        session.console.print(decayed.table())
        decayed.figure(folder / "cooldown.png")
        decayed.save(folder / "cooldown.json")
    session.wrote(folder, "cooldown.json", "cooldown.png", *(branch.decay.folder for branch in found))


@main.command(
    "find-lr",
    short_help="Suggest a learning rate with a range test.",
    epilog=examples(
        "python -m train find-lr",
        "python -m train find-lr --min-value 1e-4 --steps 200",
    ),
)
@option(
    "--min-value", type=Finite(0, min_open=True), metavar="X", default=1e-3, help="The first rate to try."
)
@option("--max-value", type=Finite(0, min_open=True), metavar="X", default=10.0, help="The last rate to try.")
@option("--steps", type=Whole(2), metavar="N", default=100, help="Number of rates, one step each.")
@SEED
@shared
def find_lr(
    options: Shared,
    *,
    seed: int,
    min_value: float,
    max_value: float,
    steps: int,
) -> None:
    """Suggest a learning rate with a range test: raise the rate each step until the loss diverges."""
    if not min_value < max_value:
        raise click.BadParameter(
            f"{max_value} must be above --min-value {min_value}.", param_hint="--max-value"
        )
    session = Session(options)
    folder = folder_for(options.out, f"find-lr-{options.dataset}", "find-lr.json")
    from train import report
    from train.step import Trainer

    trainer = Trainer(session.momentum, session.batch_size)
    found = trainer.find_rate(session.data.train, seed, min_value, max_value, steps)
    if devices.is_first():
        report.range_test(found, folder)
    names = ("dataset", "data_dir", "batch_size", "momentum")
    given = [name for name in names if _is_given(click.get_current_context(), name)]
    same = [text for name in given for text in (_option(name), str(getattr(options, name)))]
    session.say(report.suggestion(found, same, session.defaults.epochs * session.steps_per_epoch))
    session.wrote(folder, "find-lr.json", "find-lr.png")


def _train_many(
    session: Session,
    folder: Path,
    name: str,
    expressions: dict[str, str],
    plans: list[Any],
    epochs: int,
    seeds: int,
    bounds: dict[str, float] | None = None,
) -> None:
    """Trains plans side by side. Prints a table of the results, and writes a figure and a JSON file."""
    from train import many, report_many
    from train.step import Trainer

    trainer = Trainer(session.momentum, session.batch_size)
    rounds = many.train_many(plans, trainer, session.data, epochs, range(seeds), session.mesh)
    known = report_many.watched(session.console, expressions, rounds, epochs)
    result = report_many.Comparison(expressions, known, bounds or {})
    session.console.print(result.table())
    if bounds:
        session.say(result.forecast())
    if devices.is_first():
        result.figure(folder / f"{name}.png")
        result.save(folder / f"{name}.json")
        if session.logdir is not None:
            result.log(session.logdir, session.steps_per_epoch)
    session.wrote(folder, f"{name}.json", f"{name}.png")
    session.say_curves()


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _typed(value: Any) -> str:
    """A value as it is typed after its option. A flag has none."""
    if value is None or value is False:
        return "left out"
    if value is True:
        return "it"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    main(prog_name="python -m train")
