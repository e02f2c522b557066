"""Each rung of the layer norm ladder is right, and counts what its docstring says."""

import math

import numpy as np
import pytest
import torch
from numba import types

from kernels import compiled, simt
from kernels.ladders.layer_norm import RUNGS

SIZES = [(1, 1), (3, 7), (2, 131), (70, 33), (300, 5), (2, 1024), (1, 4001)]
ROWS, WIDTH, THREADS = 32, 1024, 256
# of a row: requests for x, sectors a request of x, barriers
EXPECTED = {
    "thread per row": (3 * WIDTH // 32, 32, 0),
    "block per row": (3 * WIDTH // 32, 4, 2 * math.log2(THREADS) + 4),
    "warp shuffles": (3 * WIDTH // 32, 4, 4),
    "vector loads": (3 * WIDTH // 128, 16, 4),
    "row in registers": (WIDTH // 128, 16, 4),
}


def climb(rung, x, **options):
    draw = torch.Generator().manual_seed(1)
    weight, bias = (torch.randn(x.shape[1], generator=draw) for _ in range(2))
    out, eps = torch.full_like(x, 7.0), np.float32(1e-5)
    run = simt.launch(rung.kernel, *rung.shape(*x.shape), x, weight, bias, out, eps, **options)
    wide = (tensor.double() for tensor in (weight, bias))
    return out, torch.nn.functional.layer_norm(x.double(), x.shape[1:], *wide), run


@pytest.fixture(params=RUNGS, ids=lambda rung: rung.name)
def rung(request):
    return request.param


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_is_layer_norm(rung, size):
    out, exact, run = climb(rung, torch.randn(size, generator=torch.Generator().manual_seed(0)) * 3 + 1)
    assert not run.hazards
    torch.testing.assert_close(out.double(), exact, rtol=1e-4, atol=2e-5)


def test_any_order_of_warps_gives_the_same_bits(rung):
    x = torch.randn(3, 300)
    in_lockstep, shuffled = (climb(rung, x, order=order, seed=1)[0] for order in ("lockstep", "shuffled"))
    assert torch.equal(in_lockstep, shuffled)


def test_counts_what_the_docstring_says(rung):
    counters = climb(rung, torch.randn(ROWS, WIDTH))[2].counters
    requests, sectors, barriers = EXPECTED[rung.name]
    # a thread per row reads weight and bias once for its warp of 32 rows, one sector each time
    vectors = 2 * WIDTH // (32 if sectors < 16 else 128)
    ours, theirs = (
        ROWS * requests,
        (2 * WIDTH, 2 * WIDTH) if sectors == 32 else (ROWS * vectors, ROWS * WIDTH // 4),
    )
    assert counters.global_load_requests == ours + theirs[0]
    assert counters.global_load_sectors == ours * sectors + theirs[1]
    assert counters.barriers == ROWS * barriers * THREADS // 32
    assert counters.flops64 == 0
    assert counters.global_bytes_unique == 4 * (2 * ROWS * WIDTH + 2 * WIDTH)


def test_shuffles_take_the_traffic_out_of_shared_memory():
    x = torch.randn(4, WIDTH)
    tree, shuffles = (climb(RUNGS[place], x)[2].counters for place in (1, 2))
    assert shuffles.shared_load_requests + shuffles.shared_store_requests < (
        (tree.shared_load_requests + tree.shared_store_requests) / 2
    )


def test_every_rung_is_expected():
    assert [rung.name for rung in RUNGS] == list(EXPECTED)


def test_rows_too_long_for_registers_are_refused():
    with pytest.raises(ValueError, match=r"width must be at most 4096 .* got 4097"):
        RUNGS[-1].shape(1, 4097)


def test_compiles_to_registers_alone(rung):
    matrix = types.Array(types.float32, 2, "C")
    vector = types.Array(types.float32, 1, "C")
    try:
        found = compiled.inspect(rung.kernel, (matrix, vector, vector, matrix, types.float32))
    except compiled.CompilerMissing:
        pytest.skip("needs the extra [compiler]")
    assert found.spill_bytes == found.stack_bytes == 0
    assert not found.float64
    assert max(found.loads) == (16 if rung.name in ("vector loads", "row in registers") else 4)
