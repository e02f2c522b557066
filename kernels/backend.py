"""The one door to the GPU: every `cuda` in this package comes from here.

`numba.cuda` is numba-cuda where its wheel is installed (it redirects the name at start-up) and Numba's own elsewhere,
as on macOS. Decorating never asks for a driver: kernels compile when they are first launched, or when
`kernels.compiled` compiles them for a GPU that need not be there.

Operations launch their kernels through `launch`. Where there is no GPU something else can stand in for one: inside
`instead_of_gpu(launcher)` CPU tensors go through the GPU kernels, and each launch is given to `launcher`. The simulated
GPU uses that (`kernels.simt.simulated`).
"""

import functools
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numba.cuda
import torch
from numba.core.errors import NumbaPerformanceWarning

__all__ = [
    "SIMULATING",
    "blocks",
    "cuda",
    "device_function",
    "gpu_kernel",
    "gpu_present",
    "instead_of_gpu",
    "intrinsic",
    "launch",
    "row_grid",
    "runs_on_gpu",
    "threads_for",
    "tile_grid",
]

cuda: Any = numba.cuda  # its types speak of Python, not of what a kernel sees
config: Any = numba.config  # its options are set while Numba starts
# whether NUMBA_ENABLE_CUDASIM=1 has put Numba's own simulator in the place of its compiler
SIMULATING = bool(config.ENABLE_CUDASIM)
gpu_kernel = cuda.jit  # lazy: no signature, so nothing is compiled until a launch
Launcher = Callable[..., None]  # (kernel, grid, block, *arguments)

_stand_in: ContextVar[Launcher | None] = ContextVar("stand_in", default=None)


def _intrinsic() -> Any:
    """What declares an instruction of our own for kernels: numba-cuda's `intrinsic`, or Numba's where there is none."""
    try:
        return importlib.import_module("numba.cuda.extending").intrinsic
    except (ImportError, AttributeError):
        return importlib.import_module("numba.extending").intrinsic


intrinsic = _intrinsic()


def device_function(function: Callable[..., Any]) -> Any:
    """Declare a function that kernels call, inlined into each of them.

    Inlining lets a kernel compile on a machine without a GPU: a called device function would ask the driver which GPU
    to compile for.
    """
    return cuda.jit(device=True, inline="always")(function)


@functools.cache
def gpu_present() -> bool:
    """Whether torch and Numba both reach an NVIDIA GPU; never raises."""
    try:
        return torch.cuda.is_available() and not SIMULATING and cuda.is_available()
    except Exception:  # a broken driver fails in many ways: each means there is no GPU to use
        return False


def runs_on_gpu(tensor: torch.Tensor) -> bool:
    """Whether a kernel launch, rather than the CPU twin, has to compute on this tensor."""
    return tensor.is_cuda or _stand_in.get() is not None


@contextmanager
def instead_of_gpu(launcher: Launcher) -> Iterator[None]:
    """Inside, operations on CPU tensors give their launches to `launcher`, with tensors as `as_array` makes them."""
    token = _stand_in.set(launcher)
    try:
        yield
    finally:
        _stand_in.reset(token)


def blocks(items: int, per_block: int) -> int:
    """The number of blocks that covers `items`."""
    return -(-items // per_block)


def threads_for(width: int, most: int) -> int:
    """Threads for a block that covers `width` items: a power of two from one warp (32) to `most`."""
    return max(32, min(1 << (width - 1).bit_length(), most)) if width else 32


def tile_grid(rows: torch.Tensor, most_down: int = 4096) -> tuple[tuple[int, int], tuple[int, int]]:
    """Blocks of 256 threads for (rows, width), four columns a thread: side by side over a row, then down the rows.

    At most about `most_down` threads stand below each other; with more rows than that each thread takes several.
    """
    wide = threads_for(blocks(rows.shape[1], 4), 256)
    down = 256 // wide
    columns = blocks(rows.shape[1], 4 * wide)
    return (columns, min(blocks(rows.shape[0], down), max(most_down // down, 1))), (wide, down)


def row_grid(
    rows: torch.Tensor, most_threads: int, most_blocks: int = 65536
) -> tuple[tuple[int], tuple[int]]:
    """A block for each row of (rows, width), a thread for each four columns; with many rows, several rows a block."""
    return (min(rows.shape[0], most_blocks),), (threads_for(blocks(rows.shape[1], 4), most_threads),)


def launch(kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
    """Start `kernel` on the GPU that holds the tensors among `arguments`, in torch's current stream there.

    Numbers pass as they are, tensors, those in tuples too, as `as_array` makes them. A grid without blocks starts
    nothing.
    """
    if 0 in grid:
        return
    given = [_given(argument) for argument in arguments]
    stand_in = _stand_in.get()
    if stand_in is not None:
        stand_in(kernel, grid, block, *given)
        return
    items = (item for part in arguments for item in (part if isinstance(part, tuple) else (part,)))
    device = next(item.device for item in items if isinstance(item, torch.Tensor))
    with torch.cuda.device(device):
        stream = torch.cuda.current_stream().cuda_stream
        _configured(kernel, grid, block, stream, device)(*given)


def _given(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return as_array(argument)
    return tuple(map(_given, argument)) if isinstance(argument, tuple) else argument


def as_array(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor as kernels take it: without its gradient, which refuses to be an array, and bfloat16 as its bits."""
    plain = tensor.detach() if tensor.requires_grad else tensor
    return plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain


@functools.lru_cache(maxsize=1024)
def _configured(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], stream: int, device: torch.device
) -> Any:
    """`kernel` with its launch shape: setting one up costs as much as a small launch, so it is kept."""
    with warnings.catch_warnings():  # a small tensor makes a small grid, which is no mistake to warn of
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        return kernel[grid, block, cuda.external_stream(stream) if stream else cuda.default_stream()]
