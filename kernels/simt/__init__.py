"""The simulated GPU: runs an unmodified Numba kernel on the CPU, and counts what a real GPU would do.

run = simt.launch(kernel, grid, block, *arguments)
run.counters, run.lines, run.hazards
"""

from kernels.backend import SIMULATING

if SIMULATING:
    raise ImportError(
        "kernels.simt takes the types of kernels from Numba's CUDA compiler, which NUMBA_ENABLE_CUDASIM=1 replaces; "
        "start Python without it"
    )

from kernels.simt.counters import Counters
from kernels.simt.estimate import Estimate, estimate
from kernels.simt.hazards import (
    BarrierDivergence,
    DataRace,
    Hazard,
    LaunchLimit,
    MisalignedAccess,
    NegativeIndex,
    OutOfBounds,
    ShuffleInactiveLane,
    StepLimit,
    UninitialisedShared,
)
from kernels.simt.language.typed import KernelTypeError
from kernels.simt.launch import launch
from kernels.simt.machine.program import UnsupportedError
from kernels.simt.run import Run
from kernels.simt.simulated import Launches, simulated

__all__ = [
    "BarrierDivergence",
    "Counters",
    "DataRace",
    "Estimate",
    "Hazard",
    "KernelTypeError",
    "LaunchLimit",
    "Launches",
    "MisalignedAccess",
    "NegativeIndex",
    "OutOfBounds",
    "Run",
    "ShuffleInactiveLane",
    "StepLimit",
    "UninitialisedShared",
    "UnsupportedError",
    "estimate",
    "launch",
    "simulated",
]
