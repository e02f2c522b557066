"""What a launch may ask for: the shapes of its grid and block, and what no GPU takes.

Source: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
"""

from __future__ import annotations

import numpy as np

from kernels.simt.hazards import LaunchLimit
from kernels.simt.machine.program import Program
from kernels.simt.machine.reports import Reports

Shape = int | tuple[int, ...]
MOST_THREADS = 1024  # a block
MOST_BLOCK, MOST_GRID = (1024, 1024, 64), (2**31 - 1, 65535, 65535)
STATIC_SHARED, DYNAMIC_SHARED = 48 << 10, 227 << 10  # bytes a block


def shape_of(name: str, shape: Shape) -> tuple[int, ...]:
    """A grid or a block as a tuple; ValueError naming it for what is no shape."""
    axes = shape if isinstance(shape, tuple | list) else (shape,)
    whole = all(isinstance(axis, int | np.integer) and not isinstance(axis, bool) for axis in axes)
    if not whole or not 1 <= len(axes) <= 3 or min(axes) < 1:
        raise ValueError(f"{name}: expected 1 to 3 positive integers, got {shape!r}")
    return tuple(map(int, axes))


def full(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """A shape with all three axes."""
    x, y, z = (*shape, 1, 1)[:3]
    return x, y, z


def within_limits(
    program: Program, grid: tuple[int, int, int], block: tuple[int, int, int], dynamic: int, reports: Reports
) -> bool:
    """Whether a GPU takes the launch; a LaunchLimit is reported for each thing it does not."""
    threads = block[0] * block[1] * block[2]
    problems = []
    if threads > MOST_THREADS:
        problems.append(
            f"{threads} threads a block, where a GPU takes at most {MOST_THREADS}; use more blocks"
        )
    problems += [
        f"{count} {what} along {axis}, where a GPU takes at most {most}; put more of them along another axis"
        for shape, limits, what in ((block, MOST_BLOCK, "threads"), (grid, MOST_GRID, "blocks"))
        for axis, count, most in zip("xyz", shape, limits, strict=True)
        if count > most and not (what == "threads" and threads > MOST_THREADS and axis != "z")
    ]
    if program.shared_bytes > STATIC_SHARED:
        problems.append(
            f"{program.shared_bytes} bytes of static shared memory a block, where a GPU takes at most {STATIC_SHARED}; "
            "declare it with shape 0 and give the launch shared_bytes"
        )
    elif program.shared_bytes + dynamic > DYNAMIC_SHARED:
        problems.append(
            f"{program.shared_bytes + dynamic} bytes of shared memory a block, where the largest GPUs take "
            f"{DYNAMIC_SHARED}; use less, or a smaller tile"
        )
    first = reports.run.source[0].line if reports.run.source else 0
    line = program.shared_line if program.shared_bytes > STATIC_SHARED and program.shared_line else first
    for number, problem in enumerate(problems):
        side = reports.access("launches", line, 0)
        reports.hazard(LaunchLimit(f"the launch asks for {problem}", accesses=(side,)), (LaunchLimit, number))
    return not problems
