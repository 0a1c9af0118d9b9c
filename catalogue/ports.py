"""One small instance of every port, for the laws."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

import catalogue
import jaxsched as js
from jaxsched.ports import d2l, keras, mxnet, optax, paddle, timm, torch, transformers


def _halving(step: Any) -> Any:
    return 0.5**step


def _nearly_one(step: Any) -> Any:
    return 1 - 0.5 / (1 + step)


def _inverse(cycle: Any) -> Any:
    return 1 / jnp.maximum(cycle, 1)


def _down_from_the_fifth(epoch: int, learning_rate: float) -> float:
    return learning_rate if epoch < 5 else 0.9 * learning_rate


def _cycle(peak: float) -> dict[str, Any]:
    return {"init_value": 0.0, "peak_value": peak, "warmup_steps": 2, "decay_steps": 6}


PORTS: dict[str, Callable[[], js.Schedule]] = {
    "torch LambdaLR": lambda: torch.LambdaLR(0.3, _halving),
    "torch MultiplicativeLR": lambda: torch.MultiplicativeLR(0.3, _nearly_one, total_steps=12),
    "torch StepLR": lambda: torch.StepLR(0.3, 4, 0.5),
    "torch MultiStepLR": lambda: torch.MultiStepLR(0.3, [4, 8], 0.5),
    "torch ConstantLR": lambda: torch.ConstantLR(0.3, 0.5, 4),
    "torch LinearLR": lambda: torch.LinearLR(0.3, 0.1, 1.0, 10),
    "torch ExponentialLR": lambda: torch.ExponentialLR(0.3, 0.9),
    "torch PolynomialLR": lambda: torch.PolynomialLR(0.3, 10, 2.0),
    "torch CyclicLR": lambda: torch.CyclicLR(0.1, 0.3, 3, 2, mode="exp_range", gamma=0.9),
    "torch CyclicLR scale_fn": lambda: torch.CyclicLR(0.1, 0.3, 3, 2, scale_fn=_inverse),
    "torch CyclicLRMomentum": lambda: torch.CyclicLRMomentum(0.1, 0.3, 3, 2),
    "torch OneCycleLR": lambda: torch.OneCycleLR(0.3, 12),
    "torch OneCycleLR on its way down": lambda: torch.OneCycleLR(0.3, 12, pct_start=0.05),
    "torch OneCycleLRMomentum": lambda: torch.OneCycleLRMomentum(0.3, 12),
    "torch CosineAnnealingLR": lambda: torch.CosineAnnealingLR(0.3, 6, 0.01),
    "torch CosineAnnealingWarmRestarts": lambda: torch.CosineAnnealingWarmRestarts(0.3, 4, 2, 0.01),
    "torch ChainedScheduler": lambda: torch.ChainedScheduler(
        0.3, [torch.ConstantLR(1.0, 0.5, 4), torch.ExponentialLR(1.0, 0.9)]
    ),
    "torch SequentialLR": lambda: torch.SequentialLR(
        [torch.LinearLR(0.3, 0.1, 1.0, 4), torch.CosineAnnealingLR(0.3, 8)], [4]
    ),
    "torch SWALR": lambda: torch.SWALR(0.3, 0.05, 10),
    "paddle NoamDecay": lambda: paddle.NoamDecay(64, 5, 2.0),
    "paddle PiecewiseDecay": lambda: paddle.PiecewiseDecay([4, 8], [0.3, 0.1, 0.03]),
    "paddle NaturalExpDecay": lambda: paddle.NaturalExpDecay(0.3, 0.1),
    "paddle InverseTimeDecay": lambda: paddle.InverseTimeDecay(0.3, 0.5),
    "paddle PolynomialDecay": lambda: paddle.PolynomialDecay(0.3, 5, 0.01, 2.0, cycle=True),
    "paddle LinearWarmup": lambda: paddle.LinearWarmup(paddle.CosineAnnealingDecay(0.3, 8), 4, 0.0, 0.3),
    "paddle ExponentialDecay": lambda: paddle.ExponentialDecay(0.3, 0.9),
    "paddle MultiStepDecay": lambda: paddle.MultiStepDecay(0.3, [4, 8], 0.5),
    "paddle StepDecay": lambda: paddle.StepDecay(0.3, 4, 0.5),
    "paddle LambdaDecay": lambda: paddle.LambdaDecay(0.3, _halving),
    "paddle MultiplicativeDecay": lambda: paddle.MultiplicativeDecay(0.3, _nearly_one, total_steps=12),
    "paddle CosineAnnealingDecay": lambda: paddle.CosineAnnealingDecay(0.3, 6, 0.01),
    "paddle OneCycleLR": lambda: paddle.OneCycleLR(0.3, 12),
    "paddle CyclicLR": lambda: paddle.CyclicLR(0.1, 0.3, 3, 2, mode="triangular2"),
    "paddle LinearLR": lambda: paddle.LinearLR(0.3, 10, 0.1),
    "paddle CosineAnnealingWarmRestarts": lambda: paddle.CosineAnnealingWarmRestarts(0.3, 4, 2, 0.01),
    "optax constant_schedule": lambda: optax.constant_schedule(0.3),
    "optax polynomial_schedule": lambda: optax.polynomial_schedule(0.3, 0.01, 2, 9, transition_begin=3),
    "optax linear_schedule": lambda: optax.linear_schedule(0.3, 0.01, 9, transition_begin=3),
    "optax piecewise_constant_schedule": lambda: optax.piecewise_constant_schedule(0.3, {4: 0.5, 8: 0.1}),
    "optax exponential_decay": lambda: optax.exponential_decay(
        0.3, 4, 0.5, 2, staircase=True, end_value=0.05
    ),
    "optax cosine_decay_schedule": lambda: optax.cosine_decay_schedule(0.3, 12, alpha=0.1, exponent=2.0),
    "optax piecewise_interpolate_schedule": lambda: optax.piecewise_interpolate_schedule(
        "cosine", 0.3, {4: 2.0, 12: 0.1}
    ),
    "optax linear_onecycle_schedule": lambda: optax.linear_onecycle_schedule(12, 0.3),
    "optax cosine_onecycle_schedule": lambda: optax.cosine_onecycle_schedule(12, 0.3),
    "optax warmup_constant_schedule": lambda: optax.warmup_constant_schedule(0.01, 0.3, 4),
    "optax warmup_cosine_decay_schedule": lambda: optax.warmup_cosine_decay_schedule(0.0, 0.3, 4, 12, 0.01),
    "optax warmup_exponential_decay_schedule": lambda: optax.warmup_exponential_decay_schedule(
        0.0, 0.3, 4, 4, 0.5
    ),
    "optax sgdr_schedule": lambda: optax.sgdr_schedule([_cycle(0.3), _cycle(0.2)]),
    "optax join_schedules": lambda: optax.join_schedules(
        [optax.linear_schedule(0.0, 0.3, 4), optax.cosine_decay_schedule(0.3, 8)], [4]
    ),
    "keras ExponentialDecay": lambda: keras.ExponentialDecay(0.3, 4, 0.5, staircase=True),
    "keras PiecewiseConstantDecay": lambda: keras.PiecewiseConstantDecay([4, 8], [0.3, 0.2, 0.1]),
    "keras PolynomialDecay": lambda: keras.PolynomialDecay(0.3, 4, 0.01, power=2.0, cycle=True),
    "keras InverseTimeDecay": lambda: keras.InverseTimeDecay(0.3, 4, 0.5),
    "keras CosineDecay": lambda: keras.CosineDecay(0.01, 8, alpha=0.1, warmup_target=0.3, warmup_steps=4),
    "keras CosineDecayRestarts": lambda: keras.CosineDecayRestarts(0.3, 4, m_mul=0.8, alpha=0.1),
    "keras LearningRateScheduler": lambda: keras.LearningRateScheduler(
        _down_from_the_fifth, epochs=12, learning_rate=0.3
    ),
    "mxnet FactorScheduler": lambda: mxnet.FactorScheduler(3, 0.5, base_lr=0.3, warmup_steps=2),
    "mxnet MultiFactorScheduler": lambda: mxnet.MultiFactorScheduler(
        [4, 8], 0.5, base_lr=0.3, warmup_steps=2
    ),
    "mxnet PolyScheduler": lambda: mxnet.PolyScheduler(12, base_lr=0.3, final_lr=0.01, warmup_steps=4),
    "mxnet CosineScheduler": lambda: mxnet.CosineScheduler(
        12, base_lr=0.3, final_lr=0.01, warmup_steps=4, warmup_mode="constant"
    ),
    "d2l SquareRootScheduler": lambda: d2l.SquareRootScheduler(0.3),
    "d2l FactorScheduler": lambda: d2l.FactorScheduler(0.9, 0.01, 0.3),
    "d2l MultiFactorScheduler": lambda: d2l.MultiFactorScheduler([4, 8], 0.5, 0.3),
    "d2l CosineScheduler": lambda: d2l.CosineScheduler(12, base_lr=0.3, final_lr=0.01, warmup_steps=4),
    "transformers get_constant_schedule": lambda: transformers.get_constant_schedule(0.3),
    "transformers get_constant_schedule_with_warmup": lambda: transformers.get_constant_schedule_with_warmup(
        0.3, 4
    ),
    "transformers get_linear_schedule_with_warmup": lambda: transformers.get_linear_schedule_with_warmup(
        0.3, 4, 12
    ),
    "transformers get_cosine_schedule_with_warmup": lambda: transformers.get_cosine_schedule_with_warmup(
        0.3, 4, 12
    ),
    "transformers get_cosine_with_hard_restarts_schedule_with_warmup": (
        lambda: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.3, 3, 13, 4)
    ),
    "transformers get_polynomial_decay_schedule_with_warmup": (
        lambda: transformers.get_polynomial_decay_schedule_with_warmup(0.3, 4, 12, 0.01, 2.0)
    ),
    "transformers get_inverse_sqrt_schedule": lambda: transformers.get_inverse_sqrt_schedule(0.3, 4),
    "transformers get_cosine_with_min_lr_schedule_with_warmup": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup(0.3, 4, 12, min_lr_rate=0.1)
    ),
    "transformers get_cosine_with_min_lr_schedule_with_warmup_lr_rate": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(0.3, 4, 12, min_lr=0.03)
    ),
    "transformers get_wsd_schedule": lambda: transformers.get_wsd_schedule(
        0.3, 4, 5, 12, warmup_type="1-sqrt", min_lr_ratio=0.1
    ),
    "transformers get_adafactor_schedule": lambda: transformers.get_adafactor_schedule(0.005),
    "transformers get_scheduler": lambda: transformers.get_scheduler(0.3, "linear", 4, 12),
    "timm CosineLRScheduler": lambda: timm.CosineLRScheduler(
        0.3, 3, 0.01, cycle_mul=2, cycle_decay=0.5, cycle_limit=2, warmup_t=3, warmup_prefix=True
    ),
    "timm TanhLRScheduler": lambda: timm.TanhLRScheduler(0.3, 10, lr_min=0.01, warmup_t=3),
    "timm PolyLRScheduler": lambda: timm.PolyLRScheduler(0.3, 10, power=2.0, warmup_t=3, k_decay=1.5),
    "timm StepLRScheduler": lambda: timm.StepLRScheduler(0.3, 3, 0.5, warmup_t=3),
    "timm MultiStepLRScheduler": lambda: timm.MultiStepLRScheduler(0.3, [4, 7], 0.5, warmup_t=3),
    "timm WSDLRScheduler": lambda: timm.WSDLRScheduler(0.3, 9, 4, 0.01, stable_fn="rsqrt", warmup_t=3),
    "timm create_scheduler_v2": lambda: timm.create_scheduler_v2(0.3, num_epochs=9, warmup_epochs=3)[0],
}
"""Each name begins with the system and the name of the original."""

STACKS = [
    importlib.import_module(f"catalogue.{each.name}")
    for each in pkgutil.iter_modules(catalogue.__path__)
    if each.name in js.ports.SYSTEMS
]
"""The systems whose instances have a file of their own."""

for stack in STACKS:
    PORTS |= stack.PORTS
