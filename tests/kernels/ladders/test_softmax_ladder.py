"""Each rung of the softmax ladder is right, and counts what its docstring says."""

import pytest
import torch
from numba import types

from kernels import compiled, simt
from kernels.ladders.softmax import RUNGS, block_per_row

SIZES = [(1, 1), (3, 7), (2, 131), (70, 33), (2, 1024), (1, 5003)]
ROWS, WIDTH, THREADS = 3, 2048, 256
# of a row: elements loaded, exponentials, barriers
EXPECTED = {
    "three passes": (3 * WIDTH, 2 * WIDTH, 4),
    "two passes": (2 * WIDTH, 3 * WIDTH, 4 * WIDTH // THREADS),
    "online": (2 * WIDTH, 3 * WIDTH + THREADS, 4),
    "one exponential": (2 * WIDTH, 2 * WIDTH + THREADS, 4),
    "vector loads": (2 * WIDTH, 9 * WIDTH // 4 + THREADS, 4),
}


def climb(rung, x, **options):
    out = torch.full_like(x, 7.0)
    return out, simt.launch(rung.kernel, *rung.shape(*x.shape), x, out, **options)


@pytest.fixture(params=RUNGS, ids=lambda rung: rung.name)
def rung(request):
    return request.param


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_is_softmax(rung, size):
    x = torch.randn(size, generator=torch.Generator().manual_seed(0)) * 10
    out, run = climb(rung, x)
    assert not run.hazards
    torch.testing.assert_close(out.double(), torch.softmax(x.double(), -1), rtol=1e-5, atol=1e-7)


def test_any_order_of_warps_gives_the_same_bits(rung):
    x = torch.randn(3, 300)
    in_lockstep, shuffled = (climb(rung, x, order=order, seed=1)[0] for order in ("lockstep", "shuffled"))
    assert torch.equal(in_lockstep, shuffled)


def test_extreme_values(rung):
    inf = float("inf")
    x = torch.full((6, 40), -inf)
    x[1, 33] = 2.0  # alone among −inf, in the second warp
    x[2] = torch.linspace(-3e38, 3e38, 40)
    x[3], x[3, 5] = 1.0, inf
    x[4], x[4, 39] = 1.0, float("nan")
    x[5] = 1000.0  # exp alone would overflow
    torch.testing.assert_close(climb(rung, x)[0], torch.softmax(x, -1), equal_nan=True)


def test_counts_what_the_docstring_says(rung):
    _, run = climb(rung, torch.randn(ROWS, WIDTH))
    loaded, exponentials, barriers = EXPECTED[rung.name]
    counters, lanes = run.counters, 4 if rung.name == "vector loads" else 1
    assert block_per_row(ROWS, WIDTH) == ((ROWS,), (THREADS,))
    assert counters.global_load_requests * 32 * lanes == ROWS * loaded
    assert counters.global_load_sectors * 32 == ROWS * loaded * 4
    assert counters.global_bytes_useful == ROWS * (loaded + WIDTH) * 4
    assert counters.global_bytes_unique == 2 * ROWS * WIDTH * 4
    assert counters.transcendentals == ROWS * exponentials
    assert counters.barriers == ROWS * barriers * THREADS // 32
    assert counters.flops64 == 0


def test_every_rung_is_expected():
    assert [rung.name for rung in RUNGS] == list(EXPECTED)


def test_compiles_to_registers_alone(rung):
    matrix = types.Array(types.float32, 2, "C")
    try:
        found = compiled.inspect(rung.kernel, (matrix, matrix))
    except compiled.CompilerMissing:
        pytest.skip("needs the extra [compiler]")
    assert found.spill_bytes == found.stack_bytes == 0
    assert not found.float64
    assert max(found.loads) == (16 if rung.name in ("vector loads", "row in registers") else 4)
