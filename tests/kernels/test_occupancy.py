"""Occupancy: by hand, and against NVIDIA's own calculator, compiled from the CUDA Toolkit's header."""

import random
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.occupancy import LIMITS, MAX_BLOCK, occupancy

CALCULATOR = """
#include <cstdio>
#include <limits.h>
#include <cuda_occupancy.h>
int main() {
    int major, minor, warps, block, registers; size_t sm, most, reserved, shared;
    while (scanf("%d %d %d %zu %zu %zu %d %d %zu", &major, &minor, &warps, &sm, &most, &reserved,
                 &block, &registers, &shared) == 9) {
        cudaOccDeviceProp gpu;
        gpu.computeMajor = major; gpu.computeMinor = minor; gpu.numSms = 1; gpu.warpSize = 32;
        gpu.maxThreadsPerBlock = 1024; gpu.maxThreadsPerMultiprocessor = warps * 32;
        gpu.regsPerBlock = gpu.regsPerMultiprocessor = 65536;
        gpu.sharedMemPerBlock = 48 * 1024; gpu.sharedMemPerBlockOptin = most; gpu.sharedMemPerMultiprocessor = sm;
        gpu.reservedSharedMemPerBlock = reserved;
        cudaOccFuncAttributes kernel;
        kernel.maxThreadsPerBlock = INT_MAX; kernel.numRegs = registers; kernel.sharedSizeBytes = 0;
        kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN; kernel.maxDynamicSharedSizeBytes = most;
        kernel.partitionedGCConfig = PARTITIONED_GC_OFF; kernel.numBlockBarriers = 1;
        cudaOccDeviceState state; cudaOccResult result;
        cudaOccError error = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &gpu, &kernel, &state, block, shared);
        printf("%d %d\\n", (int)error, result.activeBlocksPerMultiprocessor);
    }
}
"""


def header_folder() -> Path | None:
    """Where the wheel nvidia-cuda-runtime keeps its headers."""
    try:
        files = metadata.files("nvidia-cuda-runtime") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).parent for file in files if file.name == "cuda_occupancy.h"), None)


@pytest.mark.skipif(
    header_folder() is None or not shutil.which("g++"), reason="needs nvidia-cuda-runtime and g++"
)
def test_nvidias_calculator_agrees(tmp_path):
    (tmp_path / "calculator.cpp").write_text(CALCULATOR)
    program = tmp_path / "calculator"
    command = ["g++", "-w", f"-I{header_folder()}", "-o", str(program), str(tmp_path / "calculator.cpp")]
    subprocess.run(command, check=True, timeout=120)
    draw = random.Random(0)
    cases = [
        (arch, draw.randint(1, MAX_BLOCK), draw.randint(1, 260), draw.choice([0, draw.randint(0, 240 << 10)]))
        for arch in LIMITS
        for _ in range(1000)
    ]
    lines = []
    for arch, block, registers, shared in cases:
        sm = LIMITS[arch]
        major, minor = divmod(int(arch[3:]), 10)
        sizes = (sm.shared_bytes, sm.shared_bytes_block, sm.shared_reserved)
        lines.append(" ".join(map(str, (major, minor, sm.warps, *sizes, block, registers, shared))))
    done = subprocess.run(
        [str(program)], input="\n".join(lines), capture_output=True, text=True, check=True, timeout=60
    )
    theirs = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    ours = [(0, occupancy(*case).blocks) for case in cases]
    wrong = [
        (case, ours, theirs) for case, ours, theirs in zip(cases, ours, theirs, strict=True) if ours != theirs
    ]
    # NVIDIA counts 256 registers a thread as possible; no compiler hands out more than 255
    assert [case for case in wrong if case[0][2] != 256] == []


@pytest.mark.parametrize(
    ("arch", "block", "registers", "shared", "value", "limit"),
    [
        ("sm_90", 256, 32, 0, 1.0, "warps"),
        ("sm_90", 256, 64, 0, 0.5, "registers"),
        ("sm_90", 256, 33, 0, 0.75, "registers"),  # rounded up to 40 a thread: 48 warps
        ("sm_90", 32, 16, 0, 0.5, "blocks"),
        ("sm_90", 256, 16, 100 << 10, 0.25, "shared memory"),
        ("sm_75", 1024, 64, 0, 1.0, "warps"),
        ("sm_86", 1024, 32, 0, 2 / 3, "warps"),
        ("sm_80", 1024, 65, 0, 0.0, "registers"),
        ("sm_80", 32, 16, 164 << 10, 0.0, "shared memory"),
    ],
)
def test_by_hand(arch, block, registers, shared, value, limit):
    found = occupancy(arch, block, registers, shared)
    assert found == pytest.approx(value)
    assert found.limit == limit
    assert found.threads == found.blocks * block
    assert f"limited by {limit}" in repr(found)


@given(
    arch=st.sampled_from(list(LIMITS)),
    block=st.integers(1, MAX_BLOCK),
    registers=st.integers(1, 255),
    shared=st.integers(0, 200 << 10),
)
def test_more_of_anything_never_fits_better(arch, block, registers, shared):
    found = occupancy(arch, block, registers, shared)
    assert 0 <= found <= 1
    assert occupancy(arch, block, registers + 1, shared) <= found
    assert occupancy(arch, block, registers, shared + 1) <= found


@pytest.mark.parametrize("block", [0, -1, 1025, 2.5])
def test_an_impossible_block_is_refused(block):
    with pytest.raises(ValueError, match=r"block.*1 to 1024"):
        occupancy("sm_90", block, 32, 0)


@pytest.mark.parametrize("arch", ["sm_61", "sm_9", "H100", "", None])
def test_an_unknown_architecture_is_refused(arch):
    with pytest.raises(ValueError, match=r"arch.*sm_75, sm_80"):
        occupancy(arch, 256, 32, 0)
