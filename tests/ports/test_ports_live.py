"""Random calls against PyTorch itself, where it is installed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsched.ports import torch as ports

torch = pytest.importorskip("torch", reason="compares with PyTorch itself: pip install torch")

STEPS = 40
rates = st.floats(1e-4, 10.0)
lengths = st.integers(1, 25)
factors = st.floats(0.05, 1.0)


def original(name, lr, **arguments):
    """The rates of a scheduler of PyTorch at steps 0 to 39."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The optimizer makes no step.
        scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
        values = []
        for _ in range(STEPS):
            values.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return np.array(values)


ARGUMENTS = {
    "StepLR": {"step_size": lengths, "gamma": factors},
    "MultiStepLR": {"milestones": st.lists(lengths, max_size=5).map(sorted), "gamma": factors},
    "ConstantLR": {"factor": factors, "total_iters": lengths},
    "LinearLR": {"start_factor": factors, "end_factor": factors, "total_iters": lengths},
    "ExponentialLR": {"gamma": factors},
    "PolynomialLR": {"total_iters": lengths, "power": st.floats(0.5, 3.0)},
    "CosineAnnealingLR": {"T_max": lengths, "eta_min": st.floats(0.0, 1e-4)},
    "CosineAnnealingWarmRestarts": {
        "T_0": lengths,
        "T_mult": st.integers(1, 3),
        "eta_min": st.floats(0.0, 1e-4),
    },
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_port_gives_what_pytorch_gives_now(name):
    @settings(max_examples=20, deadline=None)
    @given(rates, st.fixed_dictionaries(ARGUMENTS[name]))
    def check(lr, arguments):
        ours = getattr(ports, name)(lr, **arguments)(np.arange(STEPS))
        np.testing.assert_allclose(ours, original(name, lr, **arguments), rtol=4e-7, atol=1e-9 * lr)

    check()
