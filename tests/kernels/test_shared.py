"""Shared memory by 16 bytes: what moves, what it costs, and that a wrong place is a hazard."""

import pytest
import torch
from numba import types

from kernels import compiled, simt
from kernels.backend import cuda, gpu_kernel
from kernels.loads import real_of, store4
from kernels.shared import put4, shared_array, take4


@gpu_kernel
def turn(x, out):  # (128,), (128,): fours in the opposite order
    tile = shared_array((2, 64), real_of(x))
    i = cuda.threadIdx.x
    put4(tile[i // 16], 4 * (i % 16), x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3])
    cuda.syncthreads()
    i = 31 - i
    a, b, c, d = take4(tile[i // 16], 4 * (i % 16))
    store4(out, 4 * cuda.threadIdx.x, a, b, c, d)


@gpu_kernel
def misplaced(x, out):
    tile = shared_array((1, 64), real_of(x))
    put4(tile[0], cuda.threadIdx.x + 1, x[0], x[1], x[2], x[3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_moves_four(dtype):
    x, out = torch.arange(128, dtype=dtype), torch.zeros(128, dtype=dtype)
    run = simt.launch(turn, 1, 32, x, out)
    assert torch.equal(out, x.view(32, 4).flip(0).ravel())
    accesses = x.element_size() * 4 // 16
    assert run.counters.shared_load_requests == run.counters.shared_store_requests == accesses
    if dtype == torch.float32:
        assert run.counters.shared_load_wavefronts == 4
        assert run.counters.shared_bank_conflicts == 0


def test_a_place_that_is_no_multiple_of_four_is_a_hazard():
    x = torch.ones(4)
    with pytest.raises(simt.MisalignedAccess, match="four elements"):
        simt.launch(misplaced, 1, 1, x, x)


@pytest.mark.parametrize("real", [types.float32, types.float64], ids=str)
def test_compiles_to_accesses_of_16_bytes(real):
    pytest.importorskip("cuda.bindings", reason="needs NVIDIA's compiler wheels")
    row = types.Array(real, 1, "C")
    found = compiled.inspect(turn, (row, row))
    assert set(found.shared_loads) == set(found.shared_stores) == {16}
    assert ".align 16" in found.ptx
    assert found.shared_bytes == 128 * real.bitwidth // 8
