"""Compiling for a GPU that is not there: who asks the driver, and what it is told.

Numba compiles some functions that a kernel calls apart from it: device functions that are not declared inline, and a
few of its own (`x.view(dtype)`, `cuda.ldcs`, grid barriers). It compiles them for the GPU it finds, so it asks the
driver, and there may be none. All it wants to know is the compute capability; here it is told one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

from kernels.backend import cuda


@contextlib.contextmanager
def as_if_on(compute_capability: tuple[int, int]) -> Iterator[None]:
    """Inside, Numba takes a GPU of this capability to be there; nothing changes where one is."""
    if cuda.is_available():
        yield
        return
    # the module whose functions ask: numba-cuda's, or Numba's own where there is no wheel
    asks = sys.modules[type(cuda.jit(_nothing)).__module__]
    present = SimpleNamespace(compute_capability=compute_capability)
    with mock.patch.object(asks, "get_current_device", return_value=present):
        yield


def _nothing() -> None: ...
