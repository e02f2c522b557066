"""The accesses of `kernels.loads` and `kernels.shared`: what is machine code on a GPU is a step of ours here."""

from __future__ import annotations

from typing import Any

from numba import types

from kernels import loads, shared
from kernels.simt.language import declarations
from kernels.simt.language.cooperation import Handler
from kernels.simt.machine import vectors


def _real_of(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.known[target] = loads.real_type(low.type(arguments[0]))


def _load(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    low.step(
        target, lambda frame, lanes, machine: vectors.load(machine, lanes, frame[array], frame[index], line)
    )


def _store(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.known[target] = None
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    value = low.operand(arguments[2], loads.real_type(low.type(arguments[0])))
    low.emit(
        lambda frame, lanes, machine: vectors.store(
            machine, lanes, frame[array], frame[index], frame[value], line
        )
    )


def _load4(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    fill = low.operand(arguments[2], loads.real_type(low.type(arguments[0])))
    low.step(
        target,
        lambda frame, lanes, machine: vectors.load4(
            machine, lanes, frame[array], frame[index], frame[fill], line
        ),
    )


def _store4(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.known[target] = None
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    real = loads.real_type(low.type(arguments[0]))
    values = [low.operand(argument, real) for argument in arguments[2:]]
    low.emit(
        lambda frame, lanes, machine: vectors.store4(
            machine, lanes, frame[array], frame[index], tuple(frame[value] for value in values), line
        )
    )


def _take4(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    low.step(
        target, lambda frame, lanes, machine: vectors.take4(machine, lanes, frame[array], frame[index], line)
    )


def _put4(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.known[target] = None
    array, index, line = low.operand(arguments[0]), low.operand(arguments[1], types.intp), low.line
    values = [low.operand(argument, low.type(arguments[0]).dtype) for argument in arguments[2:]]
    low.emit(
        lambda frame, lanes, machine: vectors.put4(
            machine, lanes, frame[array], frame[index], tuple(frame[value] for value in values), line
        )
    )


HANDLERS: dict[Any, Handler] = {
    loads.real_of: _real_of,
    loads.load: _load,
    loads.store: _store,
    loads.load4: _load4,
    loads.store4: _store4,
    shared.shared_array: declarations.shared,
    shared.take4: _take4,
    shared.put4: _put4,
}
