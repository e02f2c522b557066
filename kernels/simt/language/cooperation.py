"""What threads do together: wait, fence, shuffle, vote, update atomically; and loads and stores with a cache hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.simt.language.subscripts import items
from kernels.simt.machine import access, shuffles

Handler = Callable[[Any, str, Any, list[str]], None]  # (lowering, target, expression, arguments as variables)


def wait(scope: str, combine: str = "") -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        value = low.operand(arguments[0]) if arguments else ""
        low.wait(scope, value, combine, target if combine else "")

    return handler


def syncwarp(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    if arguments:
        low.wait("warp", low.operand(arguments[0]))
    else:
        low.segment.constants["all lanes"] = np.int64(shuffles.FULL)
        low.wait("warp", "all lanes")


def fence(scope: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        low.finer = True
        low.emit(lambda frame, lanes, machine: machine.ordering.fence(lanes.threads, machine.now, scope))

    return handler


def activemask(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.step(target, lambda frame, lanes, machine: shuffles.active(lanes).astype(np.uint32).view(np.int32))


def lanemask_lt(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.step(
        target,
        lambda frame, lanes, machine: (
            (np.left_shift(np.int64(1), lanes.index % 32) - 1).astype(np.uint32).view(np.int32)
        ),
    )


def shuffle(how: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        line, kind = low.line, low.type(target)
        mask, by = low.operand(arguments[0]), low.operand(arguments[2])
        value = low.operand(arguments[1], kind)
        low.step(
            target,
            lambda frame, lanes, machine: shuffles.shuffle(
                machine, lanes, how, frame[mask], frame[value], frame[by], line
            ),
        )

    return handler


def vote(how: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        line = low.line
        mask, value = (low.operand(argument) for argument in arguments)
        low.step(
            target,
            lambda frame, lanes, machine: shuffles.vote(machine, lanes, how, frame[mask], frame[value], line),
        )

    return handler


def atomic(name: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        array, index, *values = arguments
        _update(low, target, name, array, low.operand(index), values)

    return handler


def compare_and_swap(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    array, *values = arguments
    low.segment.constants["first"] = np.int64(0)
    _update(low, target, "cas", array, "first", values)


def _update(low: Any, target: str, name: str, array: str, index: str, values: list[str]) -> None:
    low.executes(low.line)
    line, view = low.line, low.operand(array)
    keys = [low.operand(value, low.type(array).dtype) for value in values]
    low.step(
        target,
        lambda frame, lanes, machine: access.atomic(
            machine, lanes, frame[view], items(frame[index]), name, tuple(frame[key] for key in keys), line
        ),
    )


def hinted_load(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """A load with a hint to the cache, which changes nothing that is counted here."""
    low.executes(low.line)
    array, index = (low.operand(argument) for argument in arguments)
    line = low.line
    low.step(
        target,
        lambda frame, lanes, machine: access.load(machine, lanes, frame[array], items(frame[index]), line),
    )


def hinted_store(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    array, index = (low.operand(argument) for argument in arguments[:2])
    value, line = low.operand(arguments[2], low.type(arguments[0]).dtype), low.line
    low.emit(
        lambda frame, lanes, machine: access.store(
            machine, lanes, frame[array], items(frame[index]), frame[value], line
        )
    )
