"""Calls: what a kernel asks of CUDA (who am I, wait, share, exchange) and of Python (`range`, `len`), as steps.

What is arithmetic has a meaning (`arithmetic/`); this is the rest, a table from the function that the source calls to
how it is lowered.
"""

from __future__ import annotations

import functools
from typing import Any

from numba import types

from kernels.backend import cuda
from kernels.simt.language import cooperation, declarations, iteration, methods, vectors
from kernels.simt.language.cooperation import Handler
from kernels.simt.language.subscripts import Method
from kernels.simt.machine.atomics import ARITHMETIC, BITWISE


def lower_call(low: Any, target: str, expression: Any) -> None:
    """Lower `target = function(...)`."""
    function = low.known.get(expression.func.name)
    arguments = [argument.name for argument in expression.args]
    given = dict(expression.kws)
    if isinstance(function, Method):
        methods.method(low, target, function, arguments, expression)
        return
    if isinstance(function, type) and issubclass(function, BaseException):
        low.known[target] = function  # raised or not: on a GPU nobody sees it
        return
    handler = _table().get(_key(function))
    if handler is None:
        names = arguments + [variable.name for variable in given.values()]
        low.compute(target, expression, function, names)
        return
    order = _PARAMETERS.get(getattr(function, "__name__", ""), ())
    arguments += [given[name].name for name in order[len(arguments) :] if name in given]
    handler(low, target, expression, arguments)


def _key(function: Any) -> Any:
    try:
        hash(function)
    except TypeError:
        return None
    return function


_PARAMETERS = {"array": ("shape", "dtype"), "array_like": ("ary",), "syncwarp": ("mask",)}


@functools.cache
def _table() -> dict[Any, Handler]:
    table: dict[Any, Handler] = {
        range: iteration.range_,
        len: iteration.length,
        enumerate: iteration.counted,
        zip: iteration.counted,
        slice: iteration.slice_,
        bool: _bool,
        type: _type,
        cuda.grid: declarations.grid,
        cuda.gridsize: declarations.grid,
        cuda.shared.array: declarations.shared,
        cuda.local.array: declarations.local,
        cuda.const.array_like: declarations.constant,
        cuda.syncthreads: cooperation.wait("block"),
        cuda.syncthreads_count: cooperation.wait("block", "count"),
        cuda.syncthreads_and: cooperation.wait("block", "and"),
        cuda.syncthreads_or: cooperation.wait("block", "or"),
        cuda.syncwarp: cooperation.syncwarp,
        cuda.activemask: cooperation.activemask,
        cuda.lanemask_lt: cooperation.lanemask_lt,
        cuda.threadfence: cooperation.fence("grid"),
        cuda.threadfence_system: cooperation.fence("grid"),
        cuda.threadfence_block: cooperation.fence("block"),
        cuda.nanosleep: _nothing,
        cuda.cg.this_grid: _nothing,
        cuda.shfl_sync: cooperation.shuffle("idx"),
        cuda.shfl_up_sync: cooperation.shuffle("up"),
        cuda.shfl_down_sync: cooperation.shuffle("down"),
        cuda.shfl_xor_sync: cooperation.shuffle("xor"),
        cuda.atomic.compare_and_swap: cooperation.compare_and_swap,
        **vectors.HANDLERS,
    }
    for name in ("all", "any", "eq", "ballot", "match_any", "match_all"):
        table[getattr(cuda, f"{name}_sync")] = cooperation.vote(name)
    for name in (*ARITHMETIC, *BITWISE):
        table[getattr(cuda.atomic, name)] = cooperation.atomic(name)
    for name in ("ldca", "ldcg", "ldcs", "ldlu", "ldcv"):
        if hasattr(cuda, name):
            table[getattr(cuda, name)] = cooperation.hinted_load
    for name in ("stcg", "stcs", "stwb", "stwt"):
        if hasattr(cuda, name):
            table[getattr(cuda, name)] = cooperation.hinted_store
    return table


def _bool(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """The test of an `if`: what is true is what is not zero."""
    key = low.operand(arguments[0])
    if arguments[0] in low.iteration:
        low.iteration[target] = low.iteration[arguments[0]]
    low.step(target, lambda frame, lanes, machine: frame[key] != 0)


def _type(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """`type(x)`, which a kernel calls to convert: x's Numba type."""
    low.known[target] = types.unliteral(low.type(arguments[0]))


def _nothing(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.known[target] = None
