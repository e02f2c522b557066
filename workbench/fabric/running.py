"""Which parts of a fabric are running, while something else looks on: a compiler's capture, or a dispatch mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from torch import Tensor, nn

from workbench.fabric.part import Part

Note = TypeVar("Note")
Inputs = tuple[Tensor | None, ...]


@contextmanager
def following(part: Part, outermost: Note, note: Callable[[str, Part, Inputs], Note]) -> Iterator[list[Note]]:
    """What `note` makes of the path, the part and the inputs of each that is running, innermost last.

    A part that raises stays in the list: the last one is where it happened.
    """
    running = [outermost]

    def enter(path: str, module: Part, inputs: Inputs) -> None:
        running.append(note(path, module, inputs))

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    hooks = []
    for path, module in part.named_modules():
        if isinstance(module, Part):
            hooks += [
                module.register_forward_pre_hook(partial(enter, path)),
                module.register_forward_hook(leave),
            ]
    try:
        yield running
    finally:
        for hook in hooks:
            hook.remove()
