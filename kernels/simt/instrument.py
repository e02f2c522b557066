"""How the simulator's instruments are compiled: plain loops over the active lanes, one machine-code pass each.

The arithmetic of a kernel is NumPy, whole arrays of lanes at a time. What watches it (how many sectors a request
takes, who else has touched a byte) walks lane by lane and remembers, which NumPy cannot say and Numba makes fast.
"""

from collections.abc import Callable
from typing import Any

import numba

from kernels.cache import twin_cache


def instrument(function: Callable[..., Any]) -> Any:
    """Compile a loop over NumPy arrays for the CPU; kept on disk, so that only the first run ever waits for it."""
    compiled: Any = numba.njit(boundscheck=False, nogil=True, error_model="numpy")(function)
    compiled._cache = twin_cache(function, "simt")
    return compiled
