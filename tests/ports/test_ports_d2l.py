"""The ports of the book's schedulers: its own examples, deviations, refusals and tracing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import jaxsched as js
from jaxsched.ports import d2l


def test_the_books_last_figure_is_the_same_value():
    port = d2l.CosineScheduler(20, warmup_steps=5, base_lr=0.3, final_lr=0.01)
    assert port == js.warmup(js.Cosine(0.3, 0.01, 15), 5)


def test_a_warmup_of_the_whole_run_ends_at_once():
    schedule = d2l.CosineScheduler(5, base_lr=0.3, final_lr=0.01, warmup_steps=5, warmup_begin_lr=0.1)
    np.testing.assert_allclose(schedule(np.arange(7)), [0.1, 0.14, 0.18, 0.22, 0.26, 0.01, 0.01], rtol=1e-6)


def test_nothing_to_do_is_done():
    assert d2l.CosineScheduler(0, 0.3, 0.01)(0) == np.float32(0.01)


def test_rates_are_leaves():
    def rate(base_lr):
        return (
            d2l.SquareRootScheduler(base_lr)(3)
            + d2l.FactorScheduler(0.5, 0.0, base_lr)(0)
            + d2l.MultiFactorScheduler([2, 9], 0.5, base_lr)(3)
            + d2l.CosineScheduler(20, base_lr, 0.0, 5)(5)
        )

    np.testing.assert_allclose(jax.jit(jax.grad(rate))(0.3), 0.5 + 0.5 + 0.5 + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: d2l.SquareRootScheduler("x"), "`lr` must be a number, got 'x'"),
        (lambda: d2l.FactorScheduler(-0.5), "`factor` must be at least 0, got -0.5."),
        (lambda: d2l.FactorScheduler(base_lr=None), "`base_lr` must be a number, got None"),
        (lambda: d2l.FactorScheduler(stop_factor_lr=float("nan")), "`stop_factor_lr` must be a finite"),
        (
            lambda: d2l.MultiFactorScheduler([5, 2.5], 0.5, 0.3),
            r"`step\[1\]` must be a whole number",
        ),
        (lambda: d2l.MultiFactorScheduler([5, -1], 0.5, 0.3), r"`step\[1\]` must be at least 0, got -1."),
        (lambda: d2l.MultiFactorScheduler(5, 0.5, 0.3), "`step` must be a list of numbers, got 5"),
        (lambda: d2l.MultiFactorScheduler([5], "half", 0.3), "`factor` must be a number, got 'half'"),
        (lambda: d2l.CosineScheduler(20.5), "`max_update` must be a whole number, got 20.5."),
        (lambda: d2l.CosineScheduler(-1), "`max_update` must be at least 0, got -1."),
        (lambda: d2l.CosineScheduler(20, final_lr="0"), "`final_lr` must be a number, got '0'"),
        (
            lambda: d2l.CosineScheduler(20, warmup_steps=21),
            r"`warmup_steps` must be at most `max_update` \(20\), got 21.",
        ),
        (lambda: d2l.CosineScheduler(20, warmup_steps=-1), "`warmup_steps` must be at least 0, got -1."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()
