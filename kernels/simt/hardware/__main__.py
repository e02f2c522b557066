"""`python -m kernels.simt.hardware`: a Markdown table of each counter, simulated and counted by an NVIDIA GPU.

The parent process simulates; the child, this module again under the profiler, launches every case once on the GPU.
"""

import shutil
import sys
from collections.abc import Iterator
from typing import Any

from kernels import simt
from kernels.backend import cuda, gpu_present
from kernels.simt.hardware.cases import CASES, Case
from kernels.simt.hardware.profile import METRICS, Counts, ProfilerFailed, profile

# why a GPU counts otherwise, whatever the kernel
WHY = {
    "global_load_requests": "the compiler merges or hoists repeated reads",
    "global_load_sectors": "the compiler merges or hoists repeated reads",
    "shared_load_requests": "the compiler keeps in registers what a thread has just stored",
    "shared_load_wavefronts": "the same; and wide accesses are a model (`traffic.py`)",
    "shared_store_wavefronts": "wide accesses are a model (`traffic.py`)",
    "shared_bank_conflicts": "the hardware's number holds waiting for other users of the banks too",
    "atomics": "the compiler may add up a warp's lanes first and send one request",
    "branches": "branches of the machine code: short ones are predicated away, loops unrolled",
    "divergent_branches": "a short `if` is predicated: its lanes are masked, nothing branches",
    "warp_efficiency": "averaged over machine instructions, not statements",
    "statements": "machine instructions: a statement is several",
    "flops": "the simulator counts the operations written; division and roots are several instructions",
    "flops64": "as for flops",
}


def rows(case: Case, simulated: Any, hardware: Counts) -> Iterator[str]:
    """The table's lines for one case: the counters that either side has seen."""
    for counter in METRICS:
        ours, theirs = getattr(simulated, counter), hardware[counter]
        if theirs is None:
            yield f"| {case.name} | {counter} | {ours:g} | – | – | not counted by this chip |"
        elif ours or theirs:
            ratio = f"{theirs / ours:.2f}" if ours else "–"
            same = abs(theirs - ours) < 1e-3
            why = "" if same else case.known.get(counter, WHY.get(counter, "**unexplained**"))
            yield f"| {case.name} | {counter} | {ours:g} | {theirs:g} | {ratio} | {why} |"


def launch_all() -> None:
    """Every case once, on the GPU."""
    for case in CASES:
        case.kernel[case.grid, case.block](*case.arguments(cuda.to_device))
    cuda.synchronize()


def main() -> int:
    ncu = shutil.which("ncu")
    if not gpu_present():
        print("Nothing to compare with: this machine has no NVIDIA GPU that torch and Numba can use.")
        return 0
    if ncu is None:
        print(
            "Nothing to compare with: ncu (NVIDIA Nsight Compute, part of the CUDA Toolkit) is not on the PATH."
        )
        return 0
    child = [sys.executable, "-m", "kernels.simt.hardware", "launch"]
    try:
        counted = profile(ncu, child, [case.kernel.py_func.__name__ for case in CASES])
    except ProfilerFailed as failure:
        print(f"ncu has counted nothing. It says:\n{failure}", file=sys.stderr)
        return 1
    print("| case | counter | simulated | hardware | ratio | why they differ |\n|---|---|---|---|---|---|")
    for case, hardware in zip(CASES, counted, strict=True):
        run = simt.launch(case.kernel, case.grid, case.block, *case.arguments(lambda array: array))
        print(*rows(case, run.counters, hardware), sep="\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["launch"]:
        launch_all()
    else:
        sys.exit(main())
