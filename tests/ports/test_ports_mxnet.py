"""The ports of MXNet: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from jaxsched.ports import mxnet


@pytest.mark.parametrize("scheduler", [mxnet.PolyScheduler, mxnet.CosineScheduler])
def test_a_warmup_of_the_whole_run_ends_at_once(scheduler):
    schedule = scheduler(4, base_lr=0.4, final_lr=0.01, warmup_steps=4)
    np.testing.assert_allclose(schedule(np.arange(6)), [0.0, 0.1, 0.2, 0.3, 0.01, 0.01], rtol=1e-6)


def test_after_skipped_updates_it_is_at_its_end():
    assert mxnet.PolyScheduler(10, base_lr=0.4, final_lr=0.01)(1000) == np.float32(0.01)


def test_rates_are_leaves():
    def rate(base_lr, warmup_steps):
        warm = {"base_lr": base_lr, "warmup_steps": warmup_steps}
        return (
            mxnet.FactorScheduler(4, 0.5, **warm)(5)
            + mxnet.MultiFactorScheduler([2, 9], 0.5, **warm)(5)
            + mxnet.PolyScheduler(13, **warm)(8)
            + mxnet.CosineScheduler(13, warmup_mode="constant", **warm)(8)
        )

    np.testing.assert_allclose(jax.jit(jax.grad(rate))(0.3, 3), 0.5 + 0.5 + 0.25 + 0.5, rtol=1e-6)


ALL = {
    "FactorScheduler": lambda **warm: mxnet.FactorScheduler(4, **warm),
    "MultiFactorScheduler": lambda **warm: mxnet.MultiFactorScheduler([4], **warm),
    "PolyScheduler": lambda **warm: mxnet.PolyScheduler(20, **warm),
    "CosineScheduler": lambda **warm: mxnet.CosineScheduler(20, **warm),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("warm", "message"),
    [
        ({"base_lr": "x"}, "`base_lr` must be a number, got 'x'"),
        ({"warmup_steps": -1}, "`warmup_steps` must be at least 0, got -1."),
        ({"warmup_steps": 2.5}, "`warmup_steps` must be a whole number, got 2.5."),
        ({"warmup_begin_lr": 0.02}, r"`warmup_begin_lr` must be at most `base_lr` \(0.01\), got 0.02."),
        ({"warmup_begin_lr": None}, "`warmup_begin_lr` must be a number, got None"),
        ({"warmup_mode": "cosine"}, "`warmup_mode` must be .*'linear'.*'constant'.*, got 'cosine'."),
    ],
)
def test_bad_warmup(name, warm, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ALL[name](**warm)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: mxnet.FactorScheduler(0), "`step` must be at least 1, got 0."),
        (lambda: mxnet.FactorScheduler(2.5), "`step` must be a whole number, got 2.5."),
        (lambda: mxnet.FactorScheduler(4, 1.1), "`factor` must be at least 0 and at most 1, got 1.1."),
        (lambda: mxnet.FactorScheduler(4, 0.5, "x"), "`stop_factor_lr` must be a number, got 'x'"),
        (lambda: mxnet.MultiFactorScheduler([]), "`step` must have at least one entry, got none."),
        (lambda: mxnet.MultiFactorScheduler([0]), r"`step\[0\]` must be at least 1, got 0."),
        (lambda: mxnet.MultiFactorScheduler([4, 4]), r"`step` must be strictly increasing, got \[4, 4\]."),
        (lambda: mxnet.MultiFactorScheduler([5, 4]), "`step` must be sorted, got 5 before 4 at index 0."),
        (lambda: mxnet.MultiFactorScheduler([4], 1.5), "`factor` must be at most 1, got 1.5."),
        (lambda: mxnet.PolyScheduler(0), "`max_update` must be at least 1, got 0."),
        (lambda: mxnet.PolyScheduler(9.5), "`max_update` must be a whole number, got 9.5."),
        (lambda: mxnet.PolyScheduler(9, pwr=-1), "`pwr` must be at least 0"),
        (lambda: mxnet.PolyScheduler(9, final_lr="x"), "`final_lr` must be a number, got 'x'"),
        (lambda: mxnet.CosineScheduler(0), "`max_update` must be at least 1, got 0."),
        (lambda: mxnet.CosineScheduler(9, final_lr=[0]), r"`final_lr` must be a number, got \[0\]"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()
