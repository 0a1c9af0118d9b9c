"""The ports of Keras: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import jaxsched as js
from jaxsched.ports import keras


def test_every_restart_is_met():
    # Keras gives 0 at 363, where its logarithm is 4.999...
    schedule = keras.CosineDecayRestarts(0.3, 3, t_mul=3.0)
    np.testing.assert_array_equal(schedule(np.array([0, 3, 12, 39, 120, 363])), np.float32(0.3))


def test_a_recurrence_holds_its_last_rate():
    def halve(epoch, learning_rate):
        return learning_rate / 2

    schedule = keras.LearningRateScheduler(halve, epochs=3, learning_rate=0.8)
    assert schedule == js.Table([0.4, 0.2, 0.1])
    np.testing.assert_allclose(schedule(np.array([2, 3, 1000])), 0.1, rtol=1e-6)


def test_a_callback_takes_integers_and_any_callable():
    class Falling:
        def __call__(self, epoch):
            return 2 - epoch

    assert keras.LearningRateScheduler(Falling(), epochs=3) == js.Table([2, 1, 0])


def test_an_error_in_a_function_is_its_own():
    def broken(epoch, learning_rate):
        return learning_rate + "x"

    with pytest.raises(TypeError, match="unsupported operand"):
        keras.LearningRateScheduler(broken, epochs=3, learning_rate=0.1)


def test_rates_are_leaves():
    def rate(first, decay_rate):
        return (
            keras.ExponentialDecay(first, 5, decay_rate, staircase=True)(7)
            + keras.PiecewiseConstantDecay([3, 9], [first, 2 * first, 0.1])(4)
            + keras.PolynomialDecay(first, 4, 0.0, cycle=True)(5)
            + keras.InverseTimeDecay(first, 5, decay_rate)(10)
            + keras.CosineDecay(0.0, 10, warmup_target=first, warmup_steps=4)(2)
            + keras.CosineDecayRestarts(first, 10, alpha=0.5)(5)
        )

    whole = 0.5 + 2 + 0.375 + 0.5 + 0.5 + 0.75
    np.testing.assert_allclose(jax.jit(jax.grad(rate))(0.3, 0.5), whole, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: keras.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` must be above 0, got 0."),
        (lambda: keras.ExponentialDecay("x", 1, 0.5), "`initial_learning_rate` must be a number, got 'x'"),
        (lambda: keras.ExponentialDecay(0.1, 1, -0.5), "`decay_rate` must be at least 0, got -0.5."),
        (lambda: keras.PiecewiseConstantDecay([5], [0.1]), "`values` must have one more entry"),
        (
            lambda: keras.PiecewiseConstantDecay([5, 4], [0.1, 0.2, 0.3]),
            "`boundaries` must be sorted, got 5 before 4 at index 0.",
        ),
        (
            lambda: keras.PiecewiseConstantDecay([2.5], [0.1, 0.2]),
            r"`boundaries\[0\]` must be a whole number",
        ),
        (lambda: keras.PolynomialDecay(0.1, -1), "`decay_steps` must be above 0, got -1."),
        (lambda: keras.PolynomialDecay(0.1, 9, power=-1), "`power` must be at least 0"),
        (lambda: keras.PolynomialDecay(0.1, 9, power=-1, cycle=True), "`power` must be at least 0"),
        (lambda: keras.PolynomialDecay(0.1, 9, None), "`end_learning_rate` must be a number, got None"),
        (
            lambda: keras.PolynomialDecay(0.1, 2.5, cycle=True),
            "`decay_steps` must be a whole number",
        ),
        (lambda: keras.InverseTimeDecay(0.1, 0, 0.5), "`decay_steps` must be above 0, got 0."),
        (lambda: keras.InverseTimeDecay(0.1, 9, -0.5), "`decay_rate` must be at least 0, got -0.5."),
        (lambda: keras.CosineDecay(0.1, 0), "`decay_steps` must be above 0, got 0."),
        (lambda: keras.CosineDecay(0.1, 9, "x"), "`alpha` must be a number, got 'x'"),
        (lambda: keras.CosineDecay(0.1, 9, warmup_target="x"), "`warmup_target` must be a number, got 'x'"),
        (
            lambda: keras.CosineDecay(0.1, 9, warmup_target=1.0, warmup_steps=-1),
            "`warmup_steps` must be at least 0, got -1.",
        ),
        (lambda: keras.CosineDecayRestarts(0.1, 0), "`first_decay_steps` must be above 0, got 0."),
        (lambda: keras.CosineDecayRestarts(0.1, 9, 0.5), "`t_mul` must be at least 1, got 0.5."),
        (lambda: keras.CosineDecayRestarts(0.1, 9, m_mul=-1), "`m_mul` must be at least 0, got -1."),
        (lambda: keras.LearningRateScheduler(0.1, epochs=3), "`schedule` must be a function, got 0.1"),
        (lambda: keras.LearningRateScheduler(abs, epochs=0), "`epochs` must be at least 1, got 0."),
        (lambda: keras.LearningRateScheduler(abs, epochs=2.5), "`epochs` must be a whole number"),
        (lambda: keras.LearningRateScheduler(str, epochs=3), r"`schedule\(0\)` must be a number, got '0'"),
        (
            lambda: keras.LearningRateScheduler(lambda epoch, rate: rate, epochs=3),
            "`learning_rate` must be a number when `schedule` takes two arguments, got None.",
        ),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()
