"""inspect(): what it reads off the real compiler; tests/kernels/operations holds every GPU kernel to it."""

import numpy as np
import pytest
import torch
from numba import float32, float64, int32, types
from numba.core.errors import NumbaError

from kernels.backend import cuda, gpu_kernel
from kernels.catalog import OPERATIONS
from kernels.compiled import Compiled, inspect
from kernels.gpus import GPUS

needs_compiler = pytest.mark.usefixtures("compiler")
KERNELS = [
    pytest.param(promise.kernel, promise.signature(torch.float32), id=promise.kernel.__name__)
    for operation in OPERATIONS.values()
    for promise in operation.promises
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
def test_the_signature_may_be_examples():
    x = np.zeros(8, dtype=np.float32)
    by_types = inspect(scale, (float32[::1], int32))
    for example in ((x, np.int32(3)), [torch.from_numpy(x), int32], (float32[::1], np.int32(1))):
        assert inspect(scale, example).lines == by_types.lines
    assert inspect(scale, (x, 3)).lines != by_types.lines  # a Python int is 64 bits wide
    assert ".f64" in inspect(widens, (x,)).ptx
    with pytest.raises(TypeError, match=r"signature\[1\]: expected an array, a tensor, .*, got str"):
        inspect(scale, (x, "3"))


@needs_compiler
@pytest.mark.parametrize(("kernel", "signature"), KERNELS)
def test_line_information_costs_nothing(kernel, signature):
    """Not a register, not a byte; every store to global memory stands under a line of the source."""
    with_lines, without = inspect(kernel, signature), inspect(kernel, signature, lineinfo=False)
    for taken in ("registers", "spill_bytes", "stack_bytes", "shared_bytes", "loads", "stores"):
        assert getattr(with_lines, taken) == getattr(without, taken)
    assert without.lines == {}
    stores = [text for found in with_lines.lines.values() for text in found if text.startswith("st.")]
    elsewhere = [text for text in stores if text.startswith(("st.shared", "st.local", "st.param"))]
    assert len(stores) - len(elsewhere) == sum(with_lines.stores.values()) > 0


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
    assert (found.shared_loads, found.shared_stores) == ({4: 1}, {4: 1})
    assert (found.loads, found.stores) == ({4: 1}, {4: 1})


@needs_compiler
def test_other_gpus_are_compiled_for():
    found = inspect(shares, (float32[::1],), "A100")
    assert found.arch == "sm_80"
    assert found.on("A100 80GB") is found
    there = found.on("T4")
    assert there.arch == "sm_75"
    assert ".target sm_75" in there.ptx
    assert found.on("sm_75") is there
    assert there.on("A100") is found
    assert found.occupancy(128, 40 << 10, gpu="T4").blocks == 1  # 64 KiB an SM
    assert found.occupancy(128, 40 << 10, gpu="sm_90").blocks == 5  # 228 KiB
    assert found.occupancy(128, gpu="H200").limit == "warps"
    with pytest.raises(ValueError, match=r"arch: expected .*T4"):
        found.occupancy(128, gpu="T5")


@needs_compiler
def test_what_numba_compiles_apart_needs_no_gpu():
    @cuda.jit
    def streams(x, bits):
        i = cuda.grid(1)
        bits[i] = cuda.ldcs(x, i).view(np.int32)

    found = inspect(streams, (float32[::1], int32[::1]))
    assert any(text.startswith("ld.global.cs") for texts in found.lines.values() for text in texts)
    assert not found.linked


@needs_compiler
def test_what_a_driver_links_in_is_left_out_and_said():
    @cuda.jit
    def waits(x):
        cuda.cg.this_grid().sync()
        x[0] = 1

    found = inspect(waits, (float32[::1],))
    assert found.linked
    assert found.registers > 0


@needs_compiler
def test_a_table_for_all_gpus():
    found = inspect(shares, (float32[::1],)).occupancies(64)
    assert list(found) == list(GPUS)
    assert found["RTX 3090"].limit == "blocks"  # 16 blocks of two warps in 48 slots
    assert found["RTX 3090"] == pytest.approx(2 / 3)
    assert found["T4"] == found["A100"] == 1.0
    table = repr(found).splitlines()
    assert len(table) == len(GPUS) + 1
    assert table[1].split()[:2] == ["T4", "sm_75"]
    assert len({len(row.partition("  blocks")[0].partition("  warps")[0]) for row in table[1:]}) == 1


def test_without_a_kernel_there_is_no_other_gpu():
    found = Compiled("k", "sm_90", "", 32, 0, 0, 0)
    assert found.occupancy(256) == found.occupancy(256, gpu="H200") == 1.0
    with pytest.raises(ValueError, match="gpu: k was compiled for sm_90 alone, got 'T4'"):
        found.occupancy(256, gpu="T4")


@needs_compiler
def test_a_local_array_is_on_the_stack():
    assert inspect(hungry, (float32[::1], int32[::1])).stack_bytes >= 160


@needs_compiler
def test_a_register_limit_is_kept_and_spills():
    wide = cuda.jit(OPERATIONS["rms_norm_backward"].promises[0].kernel.py_func)
    tight = cuda.jit(max_registers=16)(wide.py_func)
    signature = OPERATIONS["rms_norm_backward"].promises[0].signature(torch.float64)
    assert inspect(tight, signature).registers <= 24 < inspect(wide, signature).registers
    assert inspect(tight, signature).spill_bytes > 0


@pytest.mark.parametrize("arch", ["sm_61", "sm90", "H300", "", None])
def test_an_unknown_architecture_is_refused(arch):
    with pytest.raises(ValueError, match=r"arch: expected .*sm_90.*H200"):
        inspect(scale, (float32[::1], int32), arch)


@pytest.mark.parametrize("kernel", ["scale", 3, None, int, len])
def test_what_is_no_kernel_is_refused(kernel):
    with pytest.raises(TypeError, match=r"kernel.*expected a function"):
        inspect(kernel, (float32[::1],))


@needs_compiler
def test_what_cuda_does_not_have_is_refused():
    def lists(x):
        x[0] = sum([i + 1 for i in range(3)])

    with pytest.raises(NumbaError, match="list"):
        inspect(lists, (float64[::1],))
