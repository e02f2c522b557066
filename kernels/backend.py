"""The one door to the GPU: every `cuda` in this package comes from here.

`numba.cuda` is numba-cuda where its wheel is installed (it redirects the name at start-up) and Numba's own elsewhere,
as on macOS. Decorating never asks for a driver: kernels compile when they are first launched, or when
`kernels.compiled` compiles them for a GPU that need not be there.

With `NUMBA_ENABLE_CUDASIM=1` set before Python starts, Numba runs kernels in its own simulator, one Python thread per
GPU thread: slow, yet it executes the very source that the GPU compiles. Our operations then take CPU tensors through
their GPU kernels.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba.cuda
import torch
from numba import types

__all__ = [
    "SIMULATING",
    "blocks",
    "column_grid",
    "cuda",
    "device_function",
    "gpu_kernel",
    "gpu_present",
    "launch",
    "row_grid",
    "runs_on_gpu",
    "threads_for",
    "with_types",
]

cuda: Any = numba.cuda  # its types speak of Python, not of what a kernel sees
config: Any = numba.config  # its options are set while Numba starts
SIMULATING = bool(config.ENABLE_CUDASIM)  # Numba's own simulator stands in for a GPU
gpu_kernel = cuda.jit  # lazy: no signature, so nothing is compiled until a launch


def device_function(function: Callable[..., Any]) -> Any:
    """Declare a function that kernels call, inlined into each of them.

    Inlining lets a kernel compile on a machine without a GPU: a called device function would ask the driver which GPU
    to compile for.
    """
    return cuda.jit(device=True, inline="always")(function)


def with_types(kernel: Any, *arguments: int | type) -> tuple[tuple[Any, tuple[Any, ...]], ...]:
    """The kernel, twice, with the Numba types of its arguments: in float32 and in float64.

    An argument is given as 1 or 2 if it is a contiguous array with so many axes, as `float` if it is a number of the
    same precision, as `bool` if it is a switch.
    """

    def in_precision(real: Any) -> tuple[Any, tuple[Any, ...]]:
        kinds: dict[Any, Any] = {float: real, bool: types.boolean, 1: real[::1], 2: real[:, ::1]}
        return kernel, tuple(kinds[argument] for argument in arguments)

    return in_precision(types.float32), in_precision(types.float64)


@functools.cache
def gpu_present() -> bool:
    """Whether torch and Numba both reach an NVIDIA GPU; never raises."""
    try:
        return torch.cuda.is_available() and not SIMULATING and cuda.is_available()
    except Exception:  # a broken driver fails in many ways: each means there is no GPU to use
        return False


def runs_on_gpu(tensor: torch.Tensor) -> bool:
    """Whether a kernel launch, rather than the CPU twin, has to compute on this tensor."""
    return tensor.is_cuda or SIMULATING


def blocks(items: int, per_block: int) -> int:
    """The number of blocks that covers `items`."""
    return -(-items // per_block)


def threads_for(width: int, most: int) -> int:
    """Threads for a block that covers a row of `width`: a power of two from one warp (32) to `most`."""
    return max(32, min(1 << (width - 1).bit_length(), most)) if width else 32


def row_grid(rows: torch.Tensor, most_threads: int) -> tuple[tuple[int], tuple[int]]:
    """A block for each row of (rows, width), of as many threads as the row can use; with many rows, several each."""
    return (min(rows.shape[0], 1024),), (threads_for(rows.shape[1], most_threads),)


def column_grid(rows: torch.Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """A thread for each column of (rows, width), and up to 256 blocks that share its rows."""
    threads = threads_for(rows.shape[1], 128)
    return (blocks(rows.shape[1], threads), min(rows.shape[0], 256)), (threads, 1)


def launch(kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
    """Start `kernel` on the GPU that holds the tensors among `arguments`, in torch's current stream there.

    Numbers pass as they are. Empty grids must not get here: CUDA refuses a launch of no blocks.
    """
    tensors = [argument for argument in arguments if isinstance(argument, torch.Tensor)]
    if SIMULATING:
        kernel[grid, block](*(_numpy(argument) for argument in arguments))
        return
    with torch.cuda.device(tensors[0].device):
        stream = torch.cuda.current_stream().cuda_stream
        # a tensor that requires a gradient refuses to be seen as a CUDA array
        plain = (
            argument.detach() if isinstance(argument, torch.Tensor) else argument for argument in arguments
        )
        _configured(kernel, grid, block, stream, tensors[0].device)(*plain)


@functools.lru_cache(maxsize=1024)
def _configured(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], stream: int, device: torch.device
) -> Any:
    """`kernel` with its launch shape: setting one up costs as much as a small launch, so it is kept."""
    return kernel[grid, block, cuda.external_stream(stream) if stream else cuda.default_stream()]


def _numpy(argument: Any) -> Any:
    return argument.detach().numpy() if isinstance(argument, torch.Tensor) else argument
