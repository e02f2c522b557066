"""inspect(): what it reads off the real compiler, and what every GPU kernel of the package is held to."""

import os
import subprocess
import sys
from importlib import metadata

import pytest
from numba import float32, float64, int32, types
from numba.core.errors import NumbaError

from kernels import compiled
from kernels.backend import cuda, gpu_kernel
from kernels.catalog import OPERATIONS
from kernels.compiled import CompilerMissing, inspect


def installed(wheel: str) -> bool:
    try:
        metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return False
    return True


needs_compiler = pytest.mark.skipif(
    not (installed("nvidia-nvvm") and installed("nvidia-cuda-nvcc")), reason="needs the extra [compiler]"
)
KERNELS = [
    pytest.param(kernel, signature, id=f"{operation.name}-{signature[0].dtype}")
    for operation in OPERATIONS.values()
    for kernel, signature in operation.kernels
]


@gpu_kernel
def scale(x, factor):
    i = cuda.grid(1)
    if i < x.shape[0]:
        x[i] = x[i] * float32(factor)


@gpu_kernel
def widens(x):
    i = cuda.grid(1)
    x[i] = x[i] * 0.1  # a bare constant is float64, and so is the product


@gpu_kernel
def shares(x):
    scratch = cuda.shared.array(128, float32)
    scratch[cuda.threadIdx.x] = x[cuda.threadIdx.x]
    cuda.syncthreads()
    x[cuda.threadIdx.x] = scratch[127 - cuda.threadIdx.x]


@gpu_kernel
def hungry(x, order):
    """Keeps 40 numbers at hand, at places known only when it runs."""
    kept = cuda.local.array(40, float32)
    for i in range(40):
        kept[order[i]] = x[i]
    for i in range(40):
        x[i] = kept[i] * kept[39 - i]


@needs_compiler
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize(("kernel", "signature"), KERNELS)
def test_every_kernel_compiles_spills_nothing_and_keeps_its_precision(kernel, signature, arch):
    found = inspect(kernel, signature, arch)
    assert f".target {arch}" in found.ptx
    assert found.spill_bytes == 0
    assert found.stack_bytes == 0
    assert found.occupancy(256) > 0
    assert found.loads
    assert found.stores
    if signature[0].dtype == float32:
        assert found.float64 == []
    else:
        assert found.float64


def test_there_are_kernels_to_hold_to_it():
    assert len(KERNELS) >= 6


@needs_compiler
def test_the_signature_may_be_types_or_text():
    by_types = inspect(scale, types.void(float32[::1], int32))
    by_tuple = inspect(scale, (float32[::1], int32))
    by_text = inspect(scale, "void(float32[::1], int32)")
    assert by_types.registers == by_tuple.registers == by_text.registers
    assert by_text.loads == {4: 1}
    assert by_text.stores == {4: 1}
    assert by_text.name == "scale"
    assert 0 < by_text.registers < 32
    assert (by_text.shared_bytes, by_text.stack_bytes) == (0, 0)
    assert inspect(scale.py_func, (float32[::1], int32)).registers == by_text.registers  # undecorated


@needs_compiler
def test_a_bare_constant_shows_as_double_precision():
    assert any(line.startswith("mul.f64") for line in inspect(widens, (float32[::1],)).float64)
    assert inspect(scale, (float32[::1], int32)).float64 == []


@needs_compiler
def test_shared_memory_counts_in_the_occupancy():
    found = inspect(shares, (float32[::1],), "sm_80")
    assert found.shared_bytes == 128 * 4
    assert found.occupancy(128, shared_bytes=80 << 10).limit == "shared memory"
    assert found.occupancy(128, shared_bytes=80 << 10).blocks == 2
    assert found.occupancy(128) == 1.0


@needs_compiler
def test_a_local_array_is_on_the_stack():
    assert inspect(hungry, (float32[::1], int32[::1])).stack_bytes >= 160


@needs_compiler
def test_a_register_limit_is_kept_and_spills():
    wide = cuda.jit(OPERATIONS["rms_norm_backward"].kernels[0][0].py_func)
    tight = cuda.jit(max_registers=16)(wide.py_func)
    signature = OPERATIONS["rms_norm_backward"].kernels[0][1]
    assert inspect(tight, signature).registers <= 24 < inspect(wide, signature).registers
    assert inspect(tight, signature).spill_bytes > 0


@pytest.mark.parametrize(
    ("line", "width"),
    [
        ("ld.global.f32 \t%f1, [%rd1];", 4),
        ("@%p1 ld.global.nc.v4.f32 {%f1,%f2,%f3,%f4}, [%rd1];", 16),
        ("ld.global.cs.v2.u32 {%r1,%r2}, [%rd1+8];", 8),
        ("ld.global.L1::no_allocate.L2::128B.b64 %rd1, [%rd2];", 8),
        ("ld.volatile.global.u8 %rs1, [%rd1];", 1),
        ("ld.global.v8.b32 {%r1,%r2,%r3,%r4,%r5,%r6,%r7,%r8}, [%rd1];", 32),
        ("@!%p12 ld.u16 %rs1, [%rd1];", 2),
        ("ld.shared.f32 %f1, [%r1];", None),
        ("ld.shared::cta.f32 %f1, [%r1];", None),
        ("ld.param.u64 %rd1, [kernel_param_0];", None),
        ("ld.local.f32 %f1, [%r1];", None),
        ("ldmatrix.sync.aligned.m8n8.x4.b16 {%r1}, [%r2];", None),
        ("// ld.global.f32", None),
    ],
)
def test_widths_are_read_off_the_instruction(line, width):
    assert compiled._accesses(f"\t{line}\n\tret;", "ld") == ({} if width is None else {width: 1})


def test_precision_is_read_off_the_instruction_not_the_register():
    def doubles(*lines: str) -> list[str]:
        text = "\n".join(f"\t{line}" for line in lines)
        return compiled.Compiled("k", "sm_90", text, 8, 0, 0, 0).float64

    assert doubles("mul.f32 \t%f65, %f63, %f64;") == []
    assert doubles(".reg .f64 \t%fd<3>;", "// add.f64") == []
    assert len(doubles("cvt.f64.f32 \t%fd1, %f1;", "@%p1 fma.rn.f64 %fd1, %fd1, %fd1, %fd1;")) == 2


@pytest.mark.parametrize("arch", ["sm_61", "sm90", "H100", ""])
def test_an_unknown_architecture_is_refused(arch):
    with pytest.raises(ValueError, match=r"arch.*sm_90"):
        inspect(scale, (float32[::1], int32), arch)


@pytest.mark.parametrize("kernel", ["scale", 3, None, int])
def test_what_is_no_kernel_is_refused(kernel):
    with pytest.raises(TypeError, match=r"kernel.*expected a function"):
        inspect(kernel, (float32[::1],))


@needs_compiler
def test_what_cuda_does_not_have_is_refused():
    def lists(x):
        x[0] = sum([i + 1 for i in range(3)])

    with pytest.raises(NumbaError, match="list"):
        inspect(lists, (float64[::1],))


@needs_compiler
def test_a_device_function_compiled_apart_is_explained():
    @cuda.jit(device=True)
    def square(x):
        return x * x

    def calls(x):
        x[0] = square(x[0])

    try:
        inspect(calls, (float32[::1],))
    except ValueError as error:
        assert "inline" in str(error)  # noqa: PT017
    else:
        assert cuda.is_available()  # with a GPU there it simply compiles


@needs_compiler
def test_a_missing_assembler_names_the_extra(monkeypatch):
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(compiled.metadata, "files", missing)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    with pytest.raises(CompilerMissing, match=r"pip install .*\[compiler\]"):
        inspect(scale, (float32[::1], int32))
    monkeypatch.setattr(compiled.shutil, "which", lambda name: "/somewhere/ptxas")
    assert compiled._find_ptxas() == "/somewhere/ptxas"


@needs_compiler
def test_releases_that_do_not_fit_are_explained(monkeypatch):
    newer = compiled._ptx(scale.py_func, (float32[::1], int32), "sm_90", {}).replace(
        ".version ", ".version 9"
    )
    with pytest.raises(CompilerMissing, match=r"nvidia-nvvm|NVVM .* one release"):
        compiled._assemble(newer, "sm_90", None)


@needs_compiler
def test_broken_ptx_is_not_taken_for_a_missing_compiler():
    with pytest.raises(RuntimeError, match="ptxas refused the kernel for sm_90"):
        compiled._assemble(".version 8.0\n.target sm_90\n.address_size 64\nnonsense", "sm_90", None)


def test_without_nvvm_the_mend_is_named():
    """A process in which NVVM cannot be loaded."""
    program = """
import cuda.pathfinder as pathfinder
load = pathfinder.load_nvidia_dynamic_lib
def missing(name):
    if name in ("nvvm", "nvrtc"):
        raise pathfinder.DynamicLibNotFoundError(f"no {name}")
    return load(name)
pathfinder.load_nvidia_dynamic_lib = missing
from numba import float32
from kernels.compiled import CompilerMissing, inspect
def kernel(x):
    x[0] = 1
try:
    inspect(kernel, (float32[::1],))
except CompilerMissing as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert "[compiler]" in done.stdout, done.stderr


def test_numbas_simulator_has_no_compiler():
    program = """
from kernels.compiled import CompilerMissing, inspect
from numba import float32
try:
    inspect(lambda x: None, (float32[::1],))
except CompilerMissing as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        check=False,
    )
    assert "simulator" in done.stdout, done.stderr
