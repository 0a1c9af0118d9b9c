"""One computation in two dtypes: float64 on platforms that have it, float32 elsewhere.

The dtype is chosen when the program is lowered. A program for a TPU contains no float64, and one for a CPU
contains no float32 version of the computation.

The choice is a primitive, so it survives differentiation. `jvp`, `vmap` and transposition transform the
computation separately for each dtype, in the x64 mode of that dtype. A backward pass saves only the operands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsched._core.versions import enable_x64

FLOAT64_PLATFORMS = ("cpu", "cuda", "rocm")
"""The platforms that compute in float64; all others compute in float32."""

Computation = Callable[..., list[Any]]
"""`computation(dtype, *operands)` returns a list of arrays whose dtypes do not depend on `dtype`."""


def by_platform(computation: Computation, *operands: jax.Array) -> list[jax.Array]:
    """`computation(dtype, *operands)` in the dtype of the platform the program is lowered for."""
    traced = {}
    for name, dtype in (("wide", np.float64), ("narrow", np.float32)):
        with x64_mode(dtype):
            traced[name] = jax.make_jaxpr(functools.partial(computation, dtype))(*operands)
    # Tracers that a user's function closes over become operands, so that they are transformed too.
    held = {id(x): x for each in traced.values() for x in each.consts if isinstance(x, jax.core.Tracer)}
    if not held:
        return _choose().bind(*operands, **traced)
    from jax.extend.core import jaxpr_as_fun

    closed = {np.float64: traced["wide"], np.float32: traced["narrow"]}

    def opened(dtype: Any, *operands: jax.Array) -> list[Any]:
        given = dict(zip(held, operands, strict=False))
        consts = [given.get(id(x), x) for x in closed[dtype].consts]
        return list(jaxpr_as_fun(closed[dtype].replace(consts=consts))(*operands[len(held) :]))

    return by_platform(opened, *held.values(), *operands)


def x64_mode(dtype: Any) -> Any:
    """The x64 mode for a dtype: on for float64, the caller's mode for float32."""
    return enable_x64(dtype == np.float64 or x64_is_on())


def x64_is_on() -> bool:
    """Whether x64 mode is on."""
    return jax.dtypes.canonicalize_dtype(np.float64) == np.float64


@functools.cache
def _choose() -> Any:
    """The primitive. It is made on first use, because its imports are slow."""
    from jax.extend.core import Primitive, jaxpr_as_fun
    from jax.extend.mlir.dialects import stablehlo as hlo
    from jax.interpreters import ad, batching, mlir

    choose = Primitive("jaxsched_choose")
    choose.multiple_results = True

    def transformed(transform: Callable[[Callable[..., Any]], Any], *operands: Any, **traced: Any) -> Any:
        """Applies `transform` to the computation in each dtype."""
        functions = {np.float64: jaxpr_as_fun(traced["wide"]), np.float32: jaxpr_as_fun(traced["narrow"])}
        return by_platform(lambda dtype, *operands: list(transform(functions[dtype])(*operands)), *operands)

    def run(*operands: Any, **traced: Any) -> Any:
        with jax.disable_jit(False):
            return jax.jit(lambda *operands: choose.bind(*operands, **traced))(*operands)

    def lowering(name: str, dtype: Any) -> Any:
        def rule(context: Any, *operands: Any, **traced: Any) -> Any:
            with x64_mode(dtype):
                # In a program for several platforms, inner functions take a platform index, here an int64.
                index = mlir.ir.RankedTensorType.get(
                    [], mlir.dtype_to_ir_type(np.dtype(np.int64 if x64_is_on() else np.int32))
                )
                told = [hlo.convert(index, each) for each in context.dim_var_values]
                context = context.replace(dim_var_values=told)
                return mlir.lower_fun(jaxpr_as_fun(traced[name]), multiple_results=True)(context, *operands)

        return rule

    def jvp(primals: Any, tangents: Any, **traced: Any) -> Any:
        moving = [i for i, tangent in enumerate(tangents) if type(tangent) is not ad.Zero]

        def transform(function: Callable[..., Any]) -> Callable[..., Any]:
            def tangents_out(*operands: Any) -> Any:
                primals, moved = list(operands[: len(tangents)]), list(operands[len(tangents) :])

                def of_moving(*some: Any) -> Any:
                    changed = dict(zip(moving, some, strict=True))
                    return function(*(changed.get(i, primal) for i, primal in enumerate(primals)))

                return jax.jvp(of_moving, [primals[i] for i in moving], moved)[1]

            return tangents_out

        moved = [tangents[i] for i in moving]
        return choose.bind(*primals, **traced), transformed(transform, *primals, *moved, **traced)

    def transpose(cotangents: Any, *operands: Any, **traced: Any) -> Any:
        linear = [ad.is_undefined_primal(operand) for operand in operands]
        avals = [operand.aval for operand, is_linear in zip(operands, linear, strict=True) if is_linear]
        known = [operand for operand, is_linear in zip(operands, linear, strict=True) if not is_linear]

        def transform(function: Callable[..., Any]) -> Callable[..., Any]:
            def cotangents_out(*operands: Any) -> Any:
                rest, given = operands[: len(known)], operands[len(known) :]

                def of_linear(*some: Any) -> Any:
                    supply = {True: iter(some), False: iter(rest)}
                    return function(*(next(supply[is_linear]) for is_linear in linear))

                return jax.linear_transpose(of_linear, *avals)(list(given))

            return cotangents_out

        given = map(ad.instantiate_zeros, cotangents)
        results = iter(transformed(transform, *known, *given, **traced))
        return [next(results) if is_linear else None for is_linear in linear]

    def batch(operands: Any, axes: Any, **traced: Any) -> Any:
        results = transformed(lambda function: jax.vmap(function, in_axes=axes), *operands, **traced)
        return results, [0] * len(results)

    choose.def_impl(run)
    choose.def_abstract_eval(lambda *_, narrow, **__: narrow.out_avals)
    mlir.register_lowering(choose, lowering("narrow", np.float32))
    for platform in FLOAT64_PLATFORMS:
        mlir.register_lowering(choose, lowering("wide", np.float64), platform=platform)
    ad.primitive_jvps[choose] = jvp
    ad.primitive_transposes[choose] = transpose
    batching.primitive_batchers[choose] = batch
    return choose
