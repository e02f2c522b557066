"""What an operation promises of a GPU kernel; tests hold it to that with the real compiler, on any machine.

A kernel that needs more registers than there are keeps numbers in memory (*spills*); one that loads 4 bytes a lane
instead of 16 asks memory for less at a time; one that takes many registers or much shared memory leaves room for few
warps (*occupancy*). Each would go unnoticed where results are all that is tested.
"""

from dataclasses import dataclass
from typing import Any

import torch
from numba import types

from kernels.arguments import FLOATS

# bfloat16 as kernels take it: its bits (kernels/loads.py)
NUMBA_TYPES: dict[torch.dtype, Any] = {
    torch.float16: types.float16,
    torch.bfloat16: types.int16,
    torch.float32: types.float32,
    torch.float64: types.float64,
}


@dataclass(frozen=True)
class sums:
    """An array of so many axes in the dtype of sums: float32, float64 for float64."""

    axes: int


@dataclass(frozen=True)
class Promise:
    """A kernel, how it is launched, and what the compiler makes of it on sm_75, sm_80 and sm_90.

    arguments: an int stands for an array of the operation's dtype with so many axes, `sums(2)` for one in the dtype of
    sums, `float` for a number of that dtype, `int` and `bool` for themselves, a Numba type for itself, and a tuple for
    a tuple of what its items stand for. Nothing is ever spilled.
    """

    kernel: Any
    arguments: tuple[Any, ...]
    threads: int  # of a block
    load_bytes: int  # a lane, of its widest load from global memory, in float32
    occupancy: float  # at least, of the warps that a multiprocessor has room for, in float32
    dtypes: tuple[torch.dtype, ...] = FLOATS
    shared_bytes: int = 0  # dynamic, a block

    def signature(self, dtype: torch.dtype) -> tuple[Any, ...]:
        """Numba's types of the arguments when the operation computes in `dtype`."""
        element = NUMBA_TYPES[dtype]
        real = types.float64 if dtype == torch.float64 else types.float32
        scalars: dict[Any, Any] = {float: real, int: types.int64, bool: types.boolean}

        def kind(argument: Any) -> Any:
            if isinstance(argument, tuple):
                return types.BaseTuple.from_types([kind(item) for item in argument])
            if isinstance(argument, sums):
                return types.Array(real, argument.axes, "C")
            if isinstance(argument, int) and not isinstance(argument, bool):
                return types.Array(element, argument, "C")
            return scalars.get(argument, argument)

        return tuple(kind(argument) for argument in self.arguments)
