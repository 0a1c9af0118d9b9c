"""The laws of the loss against their formulas, and fits to logs whose law is known."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import re

import jax
import numpy as np
import pytest
from selection import by_default

import jaxsched as js
from jaxsched import forecast
from jaxsched._core.versions import enable_x64
from jaxsched.forecast._rates import rates_of
from jaxsched.forecast.runs import kind_of

PEAK, END, WARMUP, STEPS = 1e-3, 1e-4, 100, 1000
LAWS = {
    "multi-power": {"L0": 2.6, "A": 0.8, "alpha": 0.5, "B": 150, "C": 1.5, "beta": 0.5, "gamma": 0.5},
    "annealing": {"L0": 2.6, "A": 0.8, "alpha": 0.5, "C": 0.5, "decay": 0.99},
}
LOGGED = np.arange(WARMUP, STEPS, 20)
s = np.arange(STEPS)
x = (s - WARMUP) / (STEPS - WARMUP)
random = np.random.default_rng(0).uniform(0.1, 1, STEPS) * PEAK


def after_warmup(rates):
    return np.where(s < WARMUP, PEAK * s / WARMUP, rates)


CASES = {
    "constant": (js.Constant(PEAK), np.full(STEPS, PEAK)),
    "cosine": (
        js.warmup(js.Cosine(PEAK, END, STEPS - WARMUP), WARMUP),
        after_warmup(END + (PEAK - END) * (1 + np.cos(np.pi * x)) / 2),
    ),
    "linear to 0": (js.Linear(PEAK, 0, STEPS - 1), PEAK * (STEPS - 1 - s) / (STEPS - 1)),
    "zeros at the end": (js.Linear(PEAK, 0, 500), PEAK * np.maximum(500 - s, 0) / 500),
    "jump": (js.warmup(js.Piecewise([PEAK, END], [400]), WARMUP), after_warmup(np.where(s < 500, PEAK, END))),
    "restarts": (
        js.cycle(js.Cosine(PEAK, END, 250), 250),
        END + (PEAK - END) * (1 + np.cos(np.pi * (s % 250) / 250)) / 2,
    ),
    "random": (js.Table(random), random),
}


def reference(law, rates, steps):
    """The formulas as they stand in the docstring: one sum over all changes for each step."""
    c, losses = LAWS[law], []
    for t in steps:
        total = rates[: t + 1].sum()
        loss = c["L0"] + c["A"] * total ** -c["alpha"]
        for k in range(1, t + 1):
            change, since = rates[k] - rates[k - 1], rates[k : t + 1].sum()
            if law == "annealing":
                loss += c["C"] * change * (1 - c["decay"] ** (t - k + 1)) / (1 - c["decay"])
            elif rates[k] > 0:
                reach = c["C"] * rates[k] ** -c["gamma"] * since
                loss += c["B"] * change * (1 - (1 + reach) ** -c["beta"])
            else:
                loss += c["B"] * change * (since > 0)
        losses.append(loss)
    return np.array(losses)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("law", LAWS)
def test_a_prediction_is_the_formula(law, case):
    schedule, rates = CASES[case]
    steps = np.array([3, 90, 101, 480, 520, 640, 999])
    said = forecast.LossLaw(law, **LAWS[law]).predict(schedule, steps)
    np.testing.assert_allclose(said.loss, reference(law, rates, steps), rtol=1e-5)
    assert np.isnan(said.low).all()
    assert np.isnan(said.high).all()


def test_many_steps_are_predicted_as_each_alone():
    law = forecast.LossLaw("multi-power", **LAWS["multi-power"])
    schedule, _ = CASES["cosine"]
    together = law.predict(schedule, range(1, STEPS)).loss
    for step in (1, 150, 700, 999):
        np.testing.assert_allclose(together[step - 1], law.predict(schedule, [step]).loss[0], rtol=1e-5)


SEEN = {
    "decay": js.warmup(js.Cosine(PEAK, END, STEPS - WARMUP), WARMUP),
    "constant": js.warmup(PEAK, WARMUP),
    "jump": js.warmup(js.Piecewise([PEAK, 0.3 * PEAK], [400]), WARMUP),
}
UNSEEN = [
    js.warmup_stable_decay(PEAK, STEPS, WARMUP, 200),
    js.warmup(js.Linear(PEAK, END, STEPS - WARMUP), WARMUP),
    js.warmup(js.Piecewise([PEAK, 0.5 * PEAK], [250]), WARMUP),
]


def logs(law, schedules, noise=0.0, seed=0):
    """Runs whose losses follow a law, times noise."""
    random = np.random.default_rng(seed)
    true = forecast.LossLaw(law, **LAWS[law])
    return [
        forecast.Run(
            schedule,
            LOGGED,
            true.predict(schedule, LOGGED).loss * np.exp(noise * random.standard_normal(len(LOGGED))),
        )
        for schedule in schedules
    ]


@pytest.fixture(scope="module", params=LAWS)
def noisy(request):
    """A law fitted to logs with noise, and the name of the law that they follow."""
    return request.param, forecast.LossLaw.fit(logs(request.param, SEEN.values(), 1e-3), request.param)


def test_a_fit_predicts_other_schedules(noisy):
    name, law = noisy
    for run in logs(name, UNSEEN):
        np.testing.assert_allclose(law.predict(run.schedule, run.steps).loss, run.losses, rtol=3e-3)


def test_a_fit_finds_the_constants_that_the_logs_identify(noisy):
    name, law = noisy
    assert law.law == name
    assert law.fitted.relative_errors[0] < 0.05
    for constant in ("L0", "A", "alpha"):
        assert getattr(law, constant) == pytest.approx(LAWS[name][constant], rel=0.1)


def test_the_residuals_are_those_of_the_logs(noisy):
    name, law = noisy
    for run, residuals in zip(logs(name, SEEN.values(), 1e-3), law.residuals, strict=True):
        said = law.predict(run.schedule, run.steps).loss
        np.testing.assert_allclose(residuals, np.log(run.losses / said), atol=1e-9)
        assert 3e-4 < np.std(residuals) < 2e-3


@pytest.mark.parametrize("law", ["annealing", pytest.param("multi-power", marks=pytest.mark.thorough)])
def test_a_fit_without_noise_is_exact(law):
    fitted = forecast.LossLaw.fit(logs(law, SEEN.values()), law)
    for constant, value in LAWS[law].items():
        assert getattr(fitted, constant) == pytest.approx(value, rel=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("law", LAWS)
def test_a_constant_rate_says_nothing_of_decays(law):
    fitted = forecast.LossLaw.fit(logs(law, [js.Constant(PEAK)], 1e-3), law)
    assert fitted.fitted.relative_errors[3:] == (1e6,) * (len(LAWS[law]) - 3)
    assert forecast.LossLaw.parse(repr(fitted)) == fitted
    assert fitted.predict(SEEN["decay"], [900]).extrapolates == (
        "the rate's course is a decay, and the fitted ones are constant",
        "the rate falls to 0.13 of its peak, and no fitted one below 1",
    )
    assert fitted.predict(SEEN["decay"], [900]).high == math.inf
    assert fitted.compare(SEEN["decay"], SEEN["constant"], 900).error == math.inf
    assert fitted.predict(PEAK, [900]).high < 1.01 * fitted.predict(PEAK, [900]).loss


def test_rates_unlike_the_fitted_ones_count_all_that_the_laws_disagree_by(noisy):
    """Residuals that look like noise say nothing of a decay, if the fit has seen none."""
    name, law = noisy
    other = next(each for each in LAWS if each != name)
    rival = forecast.LossLaw(other, **dict(zip(LAWS[other], law.fitted.rival, strict=True)))
    scatter = law.fitted.scatter
    for kinds, share in ((("constant", "decay"), 0), (("constant",), 1)):
        fitted = dataclasses.replace(law.fitted, correlation=0, kinds=kinds)
        said = dataclasses.replace(law, fitted=fitted).predict(SEEN["decay"], [300, 900])
        apart = np.log(said.loss / rival.predict(SEEN["decay"], [300, 900]).loss)
        error = np.hypot(scatter, share * apart)
        np.testing.assert_allclose(np.log(said.high / said.loss) / 1.6449, error, rtol=1e-4)
        found = dataclasses.replace(law, fitted=fitted).compare(SEEN["decay"], SEEN["constant"], 900)
        constants = law.predict(SEEN["constant"], [900]).loss - rival.predict(SEEN["constant"], [900]).loss
        rest = share * (said.loss[1] - rival.predict(SEEN["decay"], [900]).loss - constants)
        noise = scatter * np.hypot(said.loss[1], law.predict(SEEN["constant"], [900]).loss)
        assert found.error == pytest.approx(1.6449 * np.hypot(noise, rest)[0], rel=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("law", LAWS)
def test_the_band_holds_what_it_says(law):
    inside = []
    for seed in range(8):
        fitted = forecast.LossLaw.fit(logs(law, SEEN.values(), 2e-3, seed), law)
        for run in logs(law, UNSEEN, 2e-3, 100 + seed):
            said = fitted.predict(run.schedule, run.steps)
            inside.append((said.low <= run.losses) & (run.losses <= said.high))
    assert 0.80 <= np.mean(inside) <= 0.97


def test_a_wider_band_for_more_certainty_and_farther_ahead(noisy):
    _, law = noisy
    narrow, wide = (law.predict(SEEN["decay"], [500, 900], level) for level in (0.5, 0.99))
    assert (wide.low < narrow.low).all()
    assert (wide.high > narrow.high).all()
    near, far = (
        law.predict(SEEN["constant"], [900, 9000]).high / law.predict(SEEN["constant"], [900, 9000]).low
    )
    assert far - 1 > 5 * (near - 1)


def test_a_law_prints_and_parses(noisy):
    _, law = noisy
    again = forecast.LossLaw.parse(repr(law))
    assert again == law
    assert hash(again) == hash(law)
    assert repr(again) == repr(law)
    np.testing.assert_array_equal(again.predict(UNSEEN[0], LOGGED).high, law.predict(UNSEEN[0], LOGGED).high)
    assert copy.deepcopy(law) == pickle.loads(pickle.dumps(law)) == law


def test_a_comparison_tells_what_is_larger_than_its_error(noisy):
    _, law = noisy
    apart = law.compare(SEEN["constant"], SEEN["decay"], 980)
    assert apart.distinguishable
    assert str(apart).startswith("the first is lower: -")
    back = law.compare(SEEN["decay"], SEEN["constant"], 980)
    assert (back.difference, back.error) == (-apart.difference, pytest.approx(apart.error))
    assert str(back).startswith("the second is lower: +")
    close = law.compare(SEEN["decay"], js.warmup(js.Cosine(PEAK, 1.01 * END, 900), WARMUP), 980)
    assert not close.distinguishable
    assert str(close).startswith("not distinguishable: ")


def test_published_constants_distinguish_nothing():
    law = forecast.LossLaw("annealing", **LAWS["annealing"])
    found = law.compare(SEEN["decay"], SEEN["constant"], 980)
    assert math.isnan(found.error)
    assert not found.distinguishable


@pytest.mark.parametrize(
    ("schedule", "steps", "words"),
    [
        (SEEN["jump"], [200, 900], []),
        (SEEN["jump"], [200, 2000], ["step 2000 is after the last fitted step, 980"]),
        (SEEN["jump"], [50, 900], ["step 50 is before the first fitted step, 100"]),
        (2 * SEEN["jump"], [900], ["a peak of 0.002 is outside the fitted peaks, 0.001 to 0.001"]),
        (
            js.warmup_stable_decay(PEAK, STEPS, WARMUP, 200, end_value=0.5 * PEAK),
            [980],
            ["the rate's course is a cooldown, and the fitted ones are constant, jump, decay"],
        ),
        (
            js.cycle(js.Cosine(PEAK, END, 250), 250),
            [980],
            ["the rate's course is a rise, and the fitted ones are constant, jump, decay"],
        ),
        (
            js.warmup(js.Piecewise([PEAK, 0.05 * PEAK], [400]), WARMUP),
            [980],
            ["the rate falls to 0.05 of its peak, and no fitted one below 0.1"],
        ),
    ],
)
def test_a_prediction_says_where_it_leaves_the_fit(noisy, schedule, steps, words):
    assert list(noisy[1].predict(schedule, steps).extrapolates) == words


@pytest.mark.parametrize("updates", [1, 20, 3000])
@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        (js.Constant(0.3), "constant"),
        (js.warmup(0.3, 5), "constant"),
        (js.Piecewise([0.3, 0.03], [20]), "jump"),
        (js.step_decay(0.3, 0.1, 8), "jump"),
        (js.step_decay(0.3, 0.5, 6), "jump"),
        (js.step_decay(0.3, 0.9, 1), "decay"),
        (js.Cosine(0.3, 0, 30), "decay"),
        (js.warmup(js.Linear(0.3, 0, 25), 5), "decay"),
        (js.cooldown(0.3, 22, 8), "cooldown"),
        (js.cycle(js.Cosine(0.3, 0, 10), 10), "rise"),
    ],
    ids=repr,
)
def test_a_rate_that_moves_once_an_epoch_is_of_the_kind_of_its_epochs(schedule, kind, updates):
    assert kind_of(rates_of(js.per_epoch(schedule, updates), 0, 30 * updates)) == kind


def test_a_law_that_gives_no_loss_above_0_says_so(noisy):
    """A decay lowers the loss, here below 0: no NaN, no order, and the step at which it happens."""
    _, law = noisy
    law = dataclasses.replace(law, L0=1e-9, A=1e-9)
    decay = js.Linear(PEAK, 0, 1000)
    said = law.predict(decay, [500, 900])
    assert (said.loss <= 0).all()
    assert (said.low.tolist(), said.high.tolist()) == ([0, 0], [math.inf, math.inf])
    assert said.extrapolates[-1] == "the law gives no loss above 0 at step 500"
    found = law.compare(decay, SEEN["constant"], 900)
    assert found.error == math.inf
    assert not found.distinguishable


def test_the_widest_band_is_finite(noisy):
    _, law = noisy
    law = dataclasses.replace(law, fitted=dataclasses.replace(law.fitted, scatter=1e4))
    said = law.predict(PEAK, [900])
    assert 0 < said.low < said.loss < said.high < math.inf


RUN = forecast.Run(PEAK, [10, 20], [3, 2.9])
KNOWN = forecast.LossLaw("annealing", **LAWS["annealing"])
NUMBERS = {"L0": 1, "A": 1, "alpha": 1, "C": 1, "decay": 0.5}


@pytest.mark.thorough
def test_a_threshold_below_all_residuals():
    """No residual is small enough to tell how the constants bend the losses."""
    law = forecast.LossLaw.fit(logs("annealing", SEEN.values(), 1e-3), "annealing", delta=1e-12)
    assert np.isfinite(law.fitted.relative_errors).all()


@pytest.mark.thorough
def test_the_unit_of_the_loss_does_not_matter():
    """Losses of a millionth of a millionth are fitted as their multiples are."""
    runs = logs("annealing", SEEN.values(), 1e-3)
    small = [forecast.Run(run.schedule, run.steps, 1e-12 * run.losses) for run in runs]
    law, tiny = (forecast.LossLaw.fit(each, "annealing") for each in (runs, small))
    for name, factor in {"L0": 1e-12, "A": 1e-12, "C": 1e-12, "alpha": 1, "decay": 1}.items():
        assert getattr(tiny, name) == pytest.approx(factor * getattr(law, name), rel=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "runs",
    [
        [range(100, 108)],
        [[100 + i] for i in range(6)],
        [[100], range(200, 206)],
        [[0] for _ in range(6)],
        [range(10**6, 10**6 + 9)],
    ],
)
def test_a_fit_to_few_losses(runs):
    """One run alone, runs of one loss, of different lengths, of one step, and the end of a long run."""
    law = forecast.LossLaw.fit(
        [forecast.Run(PEAK, steps, np.full(len(steps), 3.0)) for steps in runs], "annealing"
    )
    said = law.predict(PEAK, [300])
    assert np.isfinite([*said.loss, *said.low, *said.high]).all()
    assert [len(each) for each in law.residuals] == [len(steps) for steps in runs]


@pytest.mark.parametrize(
    ("steps", "losses", "message"),
    [
        ([], [], "`steps` must have at least one entry, got none."),
        ([1.5], [1], "`steps[0]` must be a whole number from 0 to 2147483646, got 1.5."),
        ([-1], [1], "`steps[0]` must be a whole number from 0 to 2147483646, got -1."),
        ([2**31 - 1], [1], "`steps[0]` must be a whole number from 0 to 2147483646, got 2147483647."),
        ([3, 2], [1, 1], "`steps` must ascend, got 3 before 2 at index 0."),
        ([1, 2], [1, -1], "`losses[1]` must be finite and above 0, got -1."),
        ([2, 2], [1, 1], "`steps` must ascend, got 2 before 2 at index 0."),
        ([1, 2], [1], "`losses` must have one entry for each of the 2 steps, got 1."),
        ([1, 2], [1, 0], "`losses[1]` must be finite and above 0, got 0."),
        ([1], [math.nan], "`losses[0]` must be finite and above 0, got nan."),
    ],
)
def test_a_run_refuses(steps, losses, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        forecast.Run(0.1, steps, losses)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"runs": []}, ValueError, "`runs` must have at least one run, got none."),
        ({"runs": 0.1}, TypeError, "`runs` must be a list of `Run`, got 0.1 (float)."),
        ({"runs": [0.1]}, TypeError, "`runs[0]` must be a `Run`, got 0.1 (float)."),
        ({}, ValueError, "`runs` must have more than 7 losses, got 2."),
        (
            {"law": ["annealing"]},
            ValueError,
            "`law` must be one of multi-power, annealing, got ['annealing'].",
        ),
        ({"law": "power"}, ValueError, "`law` must be one of multi-power, annealing, got 'power'."),
        ({"delta": 0}, ValueError, "`delta` must be above 0, got 0."),
    ],
)
def test_a_fit_refuses(given, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        forecast.LossLaw.fit(**{"runs": [RUN], **given})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"decay": None}, TypeError, "`decay` must be a number, got None (NoneType)."),
        ({"decay": 1}, ValueError, "`decay` must be above 0 and below 1, got 1."),
        ({"B": 2}, ValueError, "`B` must be left out of the law annealing, got 2."),
        ({"L0": 0}, ValueError, "`L0` must be above 0, got 0."),
        ({"fitted": 3}, TypeError, "`fitted` must be a `Fitted` or None, got 3 (int)."),
    ],
)
def test_a_law_refuses(changed, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        forecast.LossLaw("annealing", **{**NUMBERS, **changed})


FITTED = {
    "relative_errors": (0.1,) * 5,
    "scatter": 1e-3,
    "correlation": 0.5,
    "rival": (2.0, 0.5, 0.5, 100.0, 1.0, 0.5, 0.5),
    "steps": (100, 900),
    "peaks": (0.1, 0.2),
    "floor": 0.1,
    "kinds": ("constant",),
}


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"relative_errors": (0.1,)}, ValueError, "`fitted` must have 5 numbers in `relative_errors`, one"),
        (
            {"relative_errors": 0.1},
            TypeError,
            "`relative_errors` must be a list of numbers, got 0.1 (float).",
        ),
        ({"relative_errors": (-1,) * 5}, ValueError, "`relative_errors[0]` must be at least 0, got -1."),
        ({"scatter": math.nan}, ValueError, "`scatter` must be a finite float32 number, got nan."),
        ({"correlation": 2}, ValueError, "`correlation` must be at least 0 and at most 1, got 2."),
        ({"rival": (1,) * 8}, ValueError, "`fitted` must have 7 numbers in `rival`, one for each"),
        ({"rival": (1, 0)}, ValueError, "`rival[1]` must be above 0, got 0."),
        ({"steps": (900, 100)}, ValueError, "`steps` must be the lowest and the highest, got (900, 100)."),
        ({"steps": (1, 1.5)}, ValueError, "`step` must be a whole number from 0 to 2147483646, got 1.5."),
        ({"peaks": (1,)}, ValueError, "`peaks` must be the lowest and the highest, got (1,)."),
        ({"floor": "a"}, TypeError, "`floor` must be a number, got 'a' (str)."),
        ({"kinds": "constant"}, TypeError, "`kinds` must be a list of texts, got 'constant' (str)."),
        ({"kinds": ("wave",)}, ValueError, "`kinds[0]` must be one of constant, jump, cooldown, decay, rise"),
    ],
)
def test_what_a_fit_cannot_know_is_refused(changed, error, message):
    """A text that was written by hand fails where it is wrong, not in a prediction."""
    forecast.LossLaw("annealing", **NUMBERS, fitted=forecast.Fitted(**FITTED))
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        forecast.LossLaw("annealing", **NUMBERS, fitted=forecast.Fitted(**FITTED | changed))


def test_a_rival_that_is_no_law_is_refused():
    fitted = forecast.Fitted(**FITTED | {"relative_errors": (0.1,) * 7, "rival": (1, 1, 1, 1, 2)})
    with pytest.raises(ValueError, match="^`decay` must be above 0 and below 1, got 2"):
        forecast.LossLaw("multi-power", **LAWS["multi-power"], fitted=fitted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, [3]), "`schedule` must have finite rates of at least 0, got -0.1 at step 0."),
        ((0, [3]), "`schedule` must have a rate above 0 up to step 3, got only zeros."),
        ((0.1, [3], 1), "`level` must be above 0 and below 1, got 1."),
    ],
)
def test_a_prediction_refuses(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        KNOWN.predict(*arguments)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (3, TypeError, "`text` must be a string, got 3 (int)."),
        ("0.1", ValueError, "`text` must be one `LossLaw(...)`, got '0.1'."),
        (f"{KNOWN} 3", ValueError, "`text` must be one `LossLaw(...)`, got "),
        ("open('x')", ValueError, "Unknown schedule `open`"),
    ],
)
def test_what_is_no_law_is_not_parsed(text, error, message):
    with pytest.raises(error, match=re.escape(message)):
        forecast.LossLaw.parse(text)


STACK = js.stack([js.Constant(0.1), js.Constant(0.2)])
REFUSED = [
    (
        lambda: forecast.Run(-0.1, [3], [1]),
        "`schedule` must have finite rates of at least 0, got -0.1 at step 0.",
    ),
    (lambda: forecast.Run(0, [3], [1]), "`schedule` must have a rate above 0 up to step 3, got only zeros."),
    (lambda: forecast.Run(STACK, [3], [1]), "`schedule` must be one schedule, got a stack of 2"),
    (lambda: KNOWN.predict(STACK, [3]), "`schedule` must be one schedule, got a stack of 2"),
    (lambda: KNOWN.compare(0.1, STACK, 3), "`b` must be one schedule, got a stack of 2"),
    (lambda: KNOWN.compare(0.1, -0.1, 3), "`b` must have finite rates of at least 0, got -0.1 at step 0."),
    (lambda: KNOWN.compare(0, 0.1, 3), "`a` must have a rate above 0 up to step 3, got only zeros."),
    (lambda: KNOWN.compare(0.1, 0.2, -1), "`step` must be a whole number from 0 to 2147483646, got -1."),
    (lambda: KNOWN.compare(0.1, 0.2, 1.5), "`step` must be a whole number from 0 to 2147483646, got 1.5."),
    (lambda: KNOWN.loss(0.1, 1.5), "`step` must be a whole number from 0 to 2147483646, got 1.5."),
    (lambda: KNOWN.loss(-0.1, 3), "`schedule` must have finite rates of at least 0, got -0.1 at step 0."),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_schedules_and_steps_are_refused_where_they_are_given(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()


TRACED = {
    "`schedule` must be concrete, got a traced one": lambda x: KNOWN.predict(js.Constant(x), [3]),
    "`a` must be concrete, got a traced one": lambda x: KNOWN.compare(js.Constant(x), 0.1, 3),
    "`steps` must be concrete, got traced ones.": lambda x: KNOWN.predict(0.1, [x]),
    "`step` must be concrete, got a traced number.": lambda x: KNOWN.compare(0.1, 0.2, x),
    "`losses` must be concrete, got traced ones.": lambda x: forecast.Run(0.1, [3], [x]),
}


@pytest.mark.parametrize("message", TRACED)
def test_what_must_not_be_traced(message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        jax.jit(TRACED[message])(0.1)


def test_a_step_may_be_any_whole_number():
    found = KNOWN.compare(SEEN["decay"], SEEN["constant"], 100)
    for step in (100.0, np.int8(100), np.float32(100)):
        assert KNOWN.compare(SEEN["decay"], SEEN["constant"], step).difference == found.difference
    assert KNOWN.compare(SEEN["decay"], SEEN["constant"], np.int8(127)).step == 127


@pytest.mark.parametrize("law", by_default(["annealing"], LAWS))
def test_the_loss_can_be_differentiated(law):
    """With respect to the peak, the end and the warmup, against differences of the formula."""
    known = forecast.LossLaw(law, **LAWS[law])

    def plan(x):
        return js.warmup(js.Cosine(x[0], x[1], 900 - x[2]), x[2])

    def reference_of(x):
        return reference(law, np.asarray(plan(x)(np.arange(300))), [299])[0]

    numbers = np.array([PEAK, END, 60.5])
    with enable_x64(True):
        value, slopes = jax.jit(jax.value_and_grad(lambda x: known.loss(plan(x), 299)))(numbers)
        assert value == pytest.approx(reference_of(numbers), rel=1e-12)
        steps = np.diag(1e-5 * numbers)
        differences = [(reference_of(numbers + each) - reference_of(numbers - each)) / 2 for each in steps]
    np.testing.assert_allclose(np.asarray(slopes) * 1e-5 * numbers, differences, rtol=1e-4)
    assert known.loss(plan(numbers), 299) == known.predict(plan(numbers), [299]).loss[0]
    narrow = jax.jit(lambda x: known.loss(plan(x), 299))(numbers)
    assert narrow.dtype == np.float32
    assert narrow == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("law", LAWS)
def test_a_rate_of_0_leaves_no_nan_in_a_gradient(law):
    known = forecast.LossLaw(law, **LAWS[law])
    value, slope = jax.value_and_grad(lambda peak: known.loss(js.Linear(peak, 0.0, 500), 600))(PEAK)
    assert value == pytest.approx(known.loss(js.Linear(PEAK, 0.0, 500), 600), rel=1e-5)
    assert np.isfinite(slope)


def test_the_best_peak_of_a_law():
    """The search finds what a scan of the predictions finds."""
    law = forecast.LossLaw("multi-power", **LAWS["multi-power"])
    found = forecast.optimize(
        js.Linear(PEAK, 0.0, 300), lambda plan: law.loss(plan, 299), leaves={"init_value": (1e-4, 1e-2)}
    )
    peaks = np.geomspace(1e-4, 1e-2, 41)
    losses = [law.predict(js.Linear(peak, 0.0, 300), [299]).loss[0] for peak in peaks]
    best = int(np.argmin(losses))
    assert law.predict(found, [299]).loss[0] <= losses[best] * (1 + 1e-9)
    assert peaks[max(best - 1, 0)] <= found.init_value <= peaks[min(best + 1, 40)]
