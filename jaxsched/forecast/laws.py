"""Laws of the loss: fitted to logged runs, they predict the loss of another schedule, with its error."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxsched._core.evaluate import compute
from jaxsched._core.fields import (
    as_numbers,
    brief,
    check_range,
    checked_number,
    describe,
    is_concrete,
    show,
)
from jaxsched._core.schedule import ScheduleLike, as_schedule
from jaxsched._core.versions import outside_of_programs
from jaxsched._text.mistakes import mistake
from jaxsched._text.reader import Reader, tokens
from jaxsched.forecast.fitting import UNSEEN, LogLosses, fit_constants, held_out, standard_errors
from jaxsched.forecast.formulas import FORMULAS, TRACED
from jaxsched.forecast.runs import KINDS, LAST, as_runs, changes, kind_of, rates_until, whole_steps

MOST = 700.0
"""The largest logarithm of a ratio of losses: its exponential is a float64."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What a law was fitted to, and how well; `LossLaw.fit` makes it.

    Attributes:
      relative_errors: the standard error of each constant as a fraction of the constant, in the order of the
        law's formula; for `decay`, that of `-log(decay)`. If one is near 1, the logs do not determine the
        constant; 1e6 means that they do not depend on it.
      scatter: the standard deviation of the log loss around the law, in runs left out of the fit.
      correlation: the correlation of neighbouring residuals, from 0 for noise to 1 for a misfit.
      rival: the other law's constants, fitted to the same runs.
      steps: the first and the last step of the logs.
      peaks: the lowest and the highest peak rate of the runs.
      floor: the lowest rate after a peak, as a fraction of that peak.
      kinds: how the rates of the runs move after their peak: `constant`, `jump` (most of the fall in at most
        three steps), `cooldown` (in a stretch of less than a third of the run), `decay` (of more) and `rise`.
    """

    relative_errors: tuple[float, ...]
    scatter: float
    correlation: float
    rival: tuple[float, ...]
    steps: tuple[int, int]
    peaks: tuple[float, float]
    floor: float
    kinds: tuple[str, ...]

    def __post_init__(self) -> None:
        checked = {
            "relative_errors": _numbers("relative_errors", self.relative_errors, at_least=0),
            "scatter": float(checked_number("scatter", self.scatter, at_least=0)),
            "correlation": float(checked_number("correlation", self.correlation, at_least=0, at_most=1)),
            "rival": _numbers("rival", self.rival, above=0),
            "steps": tuple(int(_as_step(each)[0]) for each in _pair("steps", self.steps)),
            "peaks": _pair("peaks", self.peaks, above=0),
            "floor": float(checked_number("floor", self.floor, at_least=0, at_most=1)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.kinds, tuple | list):
            raise TypeError(f"`kinds` must be a list of texts, got {describe(self.kinds)}.")
        object.__setattr__(self, "kinds", tuple(self.kinds))
        for i, kind in enumerate(self.kinds):
            if kind not in KINDS:
                raise ValueError(f"`kinds[{i}]` must be one of {', '.join(KINDS)}, got {brief(kind)}.")

    def beyond(self, rates: np.ndarray, steps: np.ndarray) -> list[str]:
        """How a schedule leaves the range of the fit, in words."""
        found = []
        if steps[-1] > self.steps[1]:
            found.append(f"step {steps[-1]} is after the last fitted step, {self.steps[1]}")
        if steps[0] < self.steps[0]:
            found.append(f"step {steps[0]} is before the first fitted step, {self.steps[0]}")
        return found + self.unlike(rates)

    def unlike(self, rates: np.ndarray) -> list[str]:
        """How the rates are unlike all those of the fit, in words."""
        peak, kind = float(rates.max()), kind_of(rates)
        floor = float(rates[int(rates.argmax()) :].min()) / peak
        found = []
        if not self.peaks[0] * (1 - 1e-3) <= peak <= self.peaks[1] * (1 + 1e-3):
            found.append(
                f"a peak of {peak:g} is outside the fitted peaks, {self.peaks[0]:g} to {self.peaks[1]:g}"
            )
        if kind not in self.kinds:
            found.append(f"the rate's course is a {kind}, and the fitted ones are {', '.join(self.kinds)}")
        if floor < 0.9 * self.floor:
            found.append(
                f"the rate falls to {floor:.2g} of its peak, and no fitted one below {self.floor:.2g}"
            )
        return found

    def doubt(self, rates: np.ndarray) -> float:
        """How much a disagreement with the other law counts: wholly for rates unlike those of the fit."""
        return 1.0 if self.unlike(rates) else self.correlation


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """The losses that a law predicts.

    Attributes:
      loss: the predicted loss after the update at each step, float64, shape (n,). Far from the fit a law may
        give no loss above 0; the band then goes from 0 to infinity.
      low: the lower end of the band, float64, shape (n,); NaN for a law that was not fitted here.
      high: the upper end, likewise.
      extrapolates: how the schedule leaves the range of the fit, one sentence each; empty if it does not.
    """

    loss: np.ndarray
    low: np.ndarray
    high: np.ndarray
    extrapolates: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The difference between the losses that a law predicts for two schedules.

    Attributes:
      difference: the first loss minus the second; below 0, the first schedule is better.
      error: half the width of the band about it; NaN for a law that was not fitted here, and infinite if the
        band of either loss is.
      step: the losses are compared after the update at this step.
      extrapolates: how either leaves the range of the fit.
    """

    difference: float
    error: float
    step: int
    extrapolates: tuple[str, ...] = ()

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is larger than its error. An unknown error distinguishes nothing."""
        return abs(self.difference) > self.error

    def __str__(self) -> str:
        numbers = f"{self.difference:+.2g} ± {self.error:.2g} at step {self.step}"
        if not self.distinguishable:
            return f"not distinguishable: {numbers}"
        return f"the {'first' if self.difference < 0 else 'second'} is lower: {numbers}"


@dataclasses.dataclass(frozen=True, repr=False)
class LossLaw:
    r"""A law of the loss under any schedule, with its constants.

    With the rates $r_0, r_1, \dots$ of a schedule, its warmup included, and $S_t = r_0 + \dots + r_t$, the
    loss after the update at step $t$ is

    $$L(t) = L_0 + A S_t^{-\alpha} + B \sum_{k=1}^{t} (r_k - r_{k-1})
      \left(1 - (1 + C r_k^{-\gamma} (S_t - S_{k-1}))^{-\beta}\right)$$

    for `multi-power` (Luo et al., 2025, arXiv:2503.12811), and

    $$L(t) = L_0 + A S_t^{-\alpha}
      + C \sum_{k=1}^{t} (r_k - r_{k-1}) \frac{1 - \lambda^{t-k+1}}{1 - \lambda}$$

    for `annealing` (Tissue et al., 2024, arXiv:2408.11029), where $\lambda$ is `decay`. The sums include the
    warmup, where the rate rises. It adds almost the same amount to all later losses, so constants that were
    fitted without it differ in `L0`. Rates are absolute, so `A`, `B` and `C` depend on their unit. A rate of
    0 is taken as the limit of small rates.

    Nearby changes of the rate are summed as one, so the time is proportional to the number of steps that you
    ask for. This changes a loss by less than 1e-5 of itself.

    `LossLaw.fit` finds the constants. Published ones are given by name:

    >>> from jaxsched import forecast
    >>> law = forecast.LossLaw("annealing", L0=2.6, A=0.5, alpha=0.5, C=0.7, decay=0.999)
    >>> law.predict(1e-3, [100, 1000]).loss.round(3)
    array([4.173, 3.1  ])

    A law is frozen, compares by its numbers, and prints as text that `LossLaw.parse` reads.

    Args:
      law: `multi-power` or `annealing`.
      L0, A, alpha, C: constants of both laws, above 0.
      B, beta, gamma: constants of `multi-power` alone, above 0.
      decay: the constant of `annealing` alone, above 0 and below 1.
      fitted: the quality and the range of the fit, for the band; `None` for published constants.
      residuals: for each run of the fit `log(loss / predicted)` at its steps. They are not part of the text.

    Raises:
      TypeError: a constant is not a number.
      ValueError: the law is unknown, or lacks a constant, or has one too many, or one is outside its range.
    """

    law: str
    L0: float
    A: float
    alpha: float
    C: float
    B: float | None = None
    beta: float | None = None
    gamma: float | None = None
    decay: float | None = None
    fitted: Fitted | None = None
    residuals: tuple[np.ndarray, ...] = dataclasses.field(default=(), compare=False)

    def __post_init__(self) -> None:
        names = _formula(self.law).names
        for name in ("L0", "A", "alpha", "B", "C", "beta", "gamma", "decay"):
            value = getattr(self, name)
            if name not in names and value is not None:
                raise ValueError(f"`{name}` must be left out of the law {self.law}, got {brief(value)}.")
            if name in names:
                limits = {"below": 1.0} if name == "decay" else {}
                object.__setattr__(self, name, float(checked_number(name, value, above=0, **limits)))
        if self.fitted is None:
            return
        if not isinstance(self.fitted, Fitted):
            raise TypeError(f"`fitted` must be a `Fitted` or None, got {describe(self.fitted)}.")
        (other,) = FORMULAS.keys() - {self.law}
        for name, law in (("relative_errors", self.law), ("rival", other)):
            wanted, given = len(FORMULAS[law].names), len(getattr(self.fitted, name))
            if given != wanted:
                raise ValueError(
                    f"`fitted` must have {wanted} numbers in `{name}`, one for each constant of the law "
                    f"{law}, got {given}."
                )
        # The other law refuses constants that it cannot have.
        rival: dict[str, Any] = dict(zip(FORMULAS[other].names, self.fitted.rival, strict=True))
        LossLaw(other, **rival)

    @classmethod
    def fit(cls, runs: Sequence[Any], law: str = "multi-power", delta: float = 1e-3) -> LossLaw:
        """Fits a law to logged runs.

        It minimises the Huber loss of `log(loss / predicted)`, summed over all logged steps, in the
        logarithms of the constants, from several starts, and lowers Huber's threshold in stages to `delta`.
        To learn what a decay does, it needs different runs, such as a long decay, a constant rate and a jump.
        The other law is fitted too: where the two disagree, you can trust neither.

        Args:
          runs: a list of `Run`.
          law: `multi-power` or `annealing`.
          delta: the residual above which a point counts linearly, above 0.

        Returns:
          The law, with `fitted` and `residuals`.

        Raises:
          TypeError: `runs` is not a list of `Run`.
          ValueError: the law is unknown, `delta` is not above 0, or there are too few losses.
        """
        formula = _formula(law)
        runs = as_runs(runs)
        delta = float(checked_number("delta", delta, above=0))
        logs = LogLosses(runs)
        if logs.count <= len(formula.names):
            raise ValueError(f"`runs` must have more than {len(formula.names)} losses, got {logs.count}.")
        (other,) = FORMULAS.keys() - {law}
        found = fit_constants(formula, logs, delta)
        rival = fit_constants(FORMULAS[other], logs, delta)
        residuals = logs.residuals(formula, found)
        scatter, correlation = held_out(formula, logs, found, delta)
        peaks = [float(rates.max()) for rates in logs.rates]
        floors = [float(rates[int(rates.argmax()) :].min() / rates.max()) for rates in logs.rates]
        kinds = {kind_of(rates) for rates in logs.rates}
        fitted = Fitted(
            standard_errors(formula, logs, found, delta),
            scatter,
            correlation,
            _outer(other, rival),
            (min(int(run.steps[0]) for run in runs), max(int(run.steps[-1]) for run in runs)),
            (min(peaks), max(peaks)),
            min(floors),
            tuple(kind for kind in KINDS if kind in kinds),
        )
        constants = dict(zip(formula.names, _outer(law, found), strict=True))
        return cls(law, fitted=fitted, residuals=tuple(residuals), **constants)

    @classmethod
    def parse(cls, text: str) -> LossLaw:
        """Reads the text of a law, as `repr` writes it, by the rules of `jaxsched.parse`.

        Raises:
          TypeError: `text` is not a string.
          ValueError: it is not the text of a law.
        """
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a string, got {describe(text)}.")
        names = {"LossLaw": cls, "Fitted": Fitted}
        reader = Reader(tokens(text), names, functools.partial(mistake, text))
        value = reader.expression()
        if not isinstance(value, cls) or reader.next.kind != "end":
            raise ValueError(f"`text` must be one `LossLaw(...)`, got {brief(text)}.")
        return value

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.compare}
        texts = [f"{name}={value!r}" for name, value in shown.items() if value is not None]
        return f"LossLaw({', '.join(texts)})"

    def predict(self, schedule: ScheduleLike, steps: Any, level: float = 0.9) -> Prediction:
        r"""The loss of a schedule after the updates at some steps, with a band.

        The band is $\log L \pm z \sigma$, where $z$ is the normal quantile of `level` and

        $$\sigma^2 = \left(s^2 + \rho\, (\log L - \log L')^2\right) \max(1, t / t_1)^2$$

        Here $s$ is the scatter in runs left out of the fit in turn, $\rho$ the correlation of neighbouring
        residuals, $L'$ the prediction of the other law, and $t_1$ the last fitted step. If, by
        `extrapolates`, the rates are unlike all those of the fit, residuals say nothing about them, and
        $\rho$ is 1. If the loss depends on a constant that the logs say nothing about, the band goes from 0
        to infinity.

        Args:
          schedule: the schedule from step 0 on, warmup included, or a number.
          steps: the steps, whole numbers, ascending, shape (n,), n at least 1.
          level: the share of losses that the band should hold, above 0 and below 1.

        Raises:
          TypeError: an argument is of another type.
          ValueError: the steps do not ascend, a rate is negative or all are 0, or `level` is not above 0 and
            below 1.
        """
        at = whole_steps(steps)
        quantile = _quantile(level)
        _, rates = rates_until("schedule", schedule, at)
        loss, error, _ = self._losses(rates, at)
        beyond = self.fitted.beyond(rates, at) if self.fitted else []
        beyond += [f"the law gives no loss above 0 at step {step}" for step in at[loss <= 0][:1]]
        factor = np.exp(np.minimum(quantile * error, MOST))
        low, high = np.where(np.isinf(error), [[0.0], [math.inf]], [loss / factor, loss * factor])
        return Prediction(loss, low, high, tuple(beyond))

    def loss(self, schedule: ScheduleLike, step: int) -> Any:
        """The loss after the update at a step, differentiable: an objective for `optimize`.

        It is the loss of `predict`, but also works in a traced function. There it has JAX's float dtype, and
        a gradient with respect to the numbers of the schedule. The gradient with respect to a rate of 0 is 0.

        Args:
          schedule: the schedule from step 0 on, warmup included, or a number.
          step: the step, a whole number of at least 0.

        Raises:
          TypeError: an argument is of another type, or `step` is traced.
          ValueError: `step` is out of range; or in a function that is not traced, a rate is negative or all
            are 0.
        """
        at = _as_step(step)
        plan = as_schedule("schedule", schedule)
        if outside_of_programs() and is_concrete(plan):
            return float(self.predict(plan, at).loss[0])
        steps = np.arange(at[0] + 1, dtype=np.int32)
        (found,) = compute(TRACED[self.law], plan, steps, _inner(self.law, self._constants()))
        return found

    def compare(self, a: ScheduleLike, b: ScheduleLike, step: int, level: float = 0.9) -> Comparison:
        """The difference between the losses of two schedules after the update at a step, with its error.

        The error is like that of `predict`, but counts only how far the two laws disagree about the
        difference. A disagreement common to both schedules cancels.

        Args:
          a: the first schedule, or a number.
          b: the second schedule, or a number.
          step: the step, a whole number of at least 0.
          level: as in `predict`.

        Raises:
          TypeError, ValueError: as in `predict`.
        """
        at = _as_step(step)
        quantile = _quantile(level)
        rates = [rates_until(name, each, at)[1] for name, each in (("a", a), ("b", b))]
        told = [self._losses(each, at) for each in rates]
        losses, deviations, rivals = ([float(each[0]) for each in kind] for kind in zip(*told, strict=True))
        difference = losses[0] - losses[1]
        fitted = self.fitted
        if fitted is None:
            return Comparison(difference, math.nan, int(at[0]))
        noise = fitted.scatter * math.hypot(*losses)
        apart = difference - (rivals[0] - rivals[1])
        error = math.hypot(noise, math.sqrt(max(map(fitted.doubt, rates))) * apart)
        error *= max(1.0, float(at[0]) / max(fitted.steps[1], 1))
        if math.inf in deviations:
            error = math.inf
        beyond = dict.fromkeys(text for each in rates for text in fitted.beyond(each, at))
        return Comparison(difference, quantile * error, int(at[0]), tuple(beyond))

    def _constants(self) -> list[float]:
        return [getattr(self, name) for name in FORMULAS[self.law].names]

    def _losses(self, rates: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The loss, the standard deviation of its logarithm, and the loss by the other law.

        The deviation is infinite where one of the laws gives no loss above 0, or this one a loss that depends
        on a constant of which the logs say nothing.
        """
        groups = [*changes(rates, steps)]
        mine, slopes = _loss(self.law, self._constants(), groups)
        if self.fitted is None:
            return mine, np.full_like(mine, math.nan), np.full_like(mine, math.nan)
        (other,) = FORMULAS.keys() - {self.law}
        rival, _ = _loss(other, self.fitted.rival, groups)
        unseen = np.array(self.fitted.relative_errors) >= UNSEEN
        possible = (mine > 0) & (rival > 0) & ~slopes[:, unseen].any(axis=1)
        apart = np.log(np.where(possible, mine, 1)) - np.log(np.where(possible, rival, 1))
        spread = np.sqrt(self.fitted.scatter**2 + self.fitted.doubt(rates) * apart**2)
        ahead = np.maximum(1.0, steps / max(self.fitted.steps[1], 1))
        return mine, np.where(possible, spread * ahead, math.inf), rival


def _as_step(step: Any) -> np.ndarray:
    """A step as an int64 array of shape (1,), checked."""
    if not is_concrete(step):
        raise TypeError("`step` must be concrete, got a traced number.")
    given = float(checked_number("step", step))
    if not (given.is_integer() and 0 <= given <= LAST):
        raise ValueError(f"`step` must be a whole number from 0 to {LAST}, got {show(given)}.")
    return np.array([int(given)])


def _numbers(name: str, value: Any, **limits: float) -> tuple[float, ...]:
    """A list of numbers within limits, checked."""
    kept = tuple(np.asarray(as_numbers(name, value)).tolist())
    for i, each in enumerate(kept):
        check_range(f"{name}[{i}]", each, **limits)
    return kept


def _pair(name: str, value: Any, **limits: float) -> tuple[float, ...]:
    """The lowest and the highest of something, checked."""
    kept = _numbers(name, value, **limits)
    if len(kept) != 2 or kept[0] > kept[1]:
        raise ValueError(f"`{name}` must be the lowest and the highest, got {brief(value)}.")
    return kept


def _formula(law: Any) -> Any:
    if not isinstance(law, str) or law not in FORMULAS:
        raise ValueError(f"`law` must be one of {', '.join(FORMULAS)}, got {brief(law)}.")
    return FORMULAS[law]


def _loss(law: str, constants: Sequence[float], groups: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The losses, and their derivatives with respect to the logarithms of the constants."""
    inner = np.array(_inner(law, constants))
    losses, slopes = zip(*(FORMULAS[law].loss(inner, each) for each in groups), strict=True)
    return np.concatenate(losses), np.concatenate(slopes)


def _inner(law: str, constants: Sequence[float]) -> list[float]:
    """The constants of a law as its formula takes them."""
    *others, last = constants
    return [*others, -math.log(last) if law == "annealing" else last]


def _outer(law: str, inner: np.ndarray) -> tuple[float, ...]:
    """The constants of a law from what was fitted."""
    values = [*map(float, inner)]
    return (*values[:-1], math.exp(-values[-1])) if law == "annealing" else tuple(values)


def _quantile(level: float) -> float:
    level = float(checked_number("level", level, above=0, below=1))
    return statistics.NormalDist().inv_cdf((1 + level) / 2)
