"""Operations on the simulated GPU: their own kernels, launched by their own launchers, on CPU tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from kernels.backend import instead_of_gpu
from kernels.simt.launch import launch
from kernels.simt.run import Run


class Launches(list[Run]):
    """The runs of the kernels that operations have launched, in order."""

    def bytes_read(self, *tensors: torch.Tensor) -> int:
        """The distinct bytes of these tensors that any of the launches has read."""
        return sum(self._bytes("read", tensor) for tensor in tensors)

    def bytes_written(self, *tensors: torch.Tensor) -> int:
        """The distinct bytes of these tensors that any of the launches has written."""
        return sum(self._bytes("written", tensor) for tensor in tensors)

    def _bytes(self, kind: str, tensor: torch.Tensor) -> int:
        first, end = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        units = [
            (addresses[(addresses >= first) & (addresses < end)], touched.unit)
            for run in self
            for touched in run.touched
            for addresses in (touched.addresses(kind),)
        ]
        finest = min((unit for _, unit in units), default=1)
        spread = [(found[:, None] + np.arange(0, unit, finest)).ravel() for found, unit in units]
        return finest * len(np.unique(np.concatenate(spread))) if spread else 0


@contextmanager
def simulated(order: str = "lockstep", seed: int = 0, on_hazard: str = "raise") -> Iterator[Launches]:
    """Inside, the operations of this package run their GPU kernels on the simulated GPU, for CPU tensors.

        with simt.simulated() as launches:
            y = kernels.rms_norm(x, weight)
        launches[0].show()

    order, seed, on_hazard: as for `simt.launch`. Yields the list of the launches so far, each a `Run`.
    """
    launches = Launches()

    def launcher(kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        run = launch(kernel, grid, block, *arguments, order=order, seed=seed, on_hazard=on_hazard)
        launches.append(run)

    with instead_of_gpu(launcher):
        yield launches
