"""CPU twins: a kernel's mathematics as a loop that LLVM turns into vector code for every core.

`@twin` compiles one function twice. *Parallel*: `prange` is shared out over the cores. *Serial*: `prange` is `range`,
and no other thread has to be woken, which for a small tensor costs more than the work. Sums may be reordered, as any
vector sum must be; infinities and NaN keep their meaning.
"""

import functools
import os
import threading
from collections.abc import Callable
from math import isqrt
from typing import Any

import numba
import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor

from kernels.cache import twin_cache

config: Any = numba.config  # its options are set while Numba starts
PARALLEL_FROM = 1 << 16  # elements; below, waking the other threads takes longer than the loop
# the liberties the vectorizer needs, and no more: none of them assumes that numbers are finite
REORDER = {"reassoc", "contract", "arcp", "nsz"}

# declares a function that twins call; inlined, as no loop around a call is vectorized
jitable = register_jitable(fastmath=REORDER, error_model="numpy", forceinline=True)

_parallel_region = threading.Lock()  # Numba's portable thread pool aborts when two threads enter it
_first_process = os.getpid()


class Twin:
    """A function compiled for the CPU, serial and parallel; the number of elements decides which one runs.

    It is that of the first argument, unless a call says otherwise.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.serial = _compile(function, "serial")
        self.parallel = _compile(function, "parallel")

    def __call__(self, *arguments: Any, elements: int | None = None) -> Any:
        """Run on contiguous CPU tensors and numbers; tensors' results are written into those given for them."""
        arrays = [_array(value) if isinstance(value, Tensor) else value for value in arguments]
        if (arrays[0].size if elements is None else elements) < PARALLEL_FROM or _alone():
            return self.serial(*arrays)
        with _parallel_region:
            before = numba.get_num_threads()
            numba.set_num_threads(min(torch.get_num_threads(), config.NUMBA_NUM_THREADS))
            try:
                return self.parallel(*arrays)
            finally:
                numba.set_num_threads(before)


def twin(function: Callable[..., Any]) -> Twin:
    """Declare the CPU twin of a GPU kernel: a loop over NumPy arrays that writes its results into its arguments."""
    return Twin(function)


def _alone() -> bool:
    """Whether there is one thread to compute: by setting, or because OpenMP's other threads do not survive a fork.

    A forked child, such as a DataLoader's worker, computes alone.
    """
    return torch.get_num_threads() == 1 or os.getpid() != _first_process


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy() if tensor.requires_grad else tensor.numpy()


def chunks(rows: int) -> int:
    """Into how many chunks to cut `rows` for a sum over rows: one partial sum each, then one sum of those.

    The number depends on `rows` alone, so results do not change with the number of threads; about √rows partial sums of
    √rows terms also keep the rounding error of float32 near √rows rather than rows.
    """
    return isqrt(rows - 1) + 1 if rows else 0


@jitable
def chunk_bounds(chunk: Any, parts: Any, rows: Any) -> tuple[Any, Any]:
    """The first row of a chunk and the one after its last."""
    # prange counts in uint64, and Numba makes a float64 of uint64 and int64 together
    return np.int64(chunk) * rows // parts, (np.int64(chunk) + 1) * rows // parts


def _compile(function: Callable[..., Any], variant: str) -> Any:
    # error_model: dividing by zero gives inf, as in torch, rather than a test at every step that stops vectorization
    compiled: Any = numba.njit(
        parallel=variant == "parallel", fastmath=REORDER, error_model="numpy", nogil=True
    )(function)
    compiled._cache = twin_cache(function, variant)
    return compiled
