"""Every rung is right, and asks for exactly as much less than the one before as the ladder says."""

import math

import pytest
import torch
from numba import types

from kernels import compiled, simt
from kernels.ladders.matmul import RUNGS

SIDE = 128  # of the square product whose counters are known exactly
NAMES = [rung.name for rung in RUNGS]
REQUESTS = SIDE**3 // 32  # multiply-adds, by warps
#   sectors of 32 bytes from memory, loads from shared memory, wavefronts there
COUNTERS = {
    "naive": (33 * REQUESTS, 0, 0),
    "coalesced": (5 * REQUESTS, 0, 0),
    "shared": (SIDE**3 * 2 // 16 // 8, 2 * REQUESTS, 2 * REQUESTS),
    "column": (SIDE**3 * 2 // 64 // 8, 9 * REQUESTS // 8, 9 * REQUESTS // 8),
    "square": (SIDE**3 * 2 // 128 // 8, 16 * REQUESTS // 64, 16 * REQUESTS // 64),
    "vectorized": (SIDE**3 * 2 // 128 // 8, 4 * REQUESTS // 64, 16 * REQUESTS // 64),
}
# of the warps that a multiprocessor has room for, on the tightest of sm_75, sm_80 and sm_90
OCCUPANCY = {"naive": 1, "coalesced": 1, "shared": 1, "column": 0.5, "square": 0.125, "vectorized": 0.25}


def run(rung, m, k, n, **options):
    draw = torch.Generator().manual_seed(m * k * n)
    a, b = torch.randn(m, k, generator=draw), torch.randn(k, n, generator=draw)
    c = torch.full((m, n), torch.nan)
    found = simt.launch(rung.kernel, *rung.shape(m, n), a, b, c, **options)
    return found, c, a.double() @ b.double()


@pytest.mark.parametrize("size", [(1, 1, 1), (37, 19, 53), (129, 9, 5), (3, 130, 131)], ids=str)
@pytest.mark.parametrize("rung", RUNGS, ids=NAMES)
def test_right_for_any_size(rung, size):
    found, c, expected = run(rung, *size)
    torch.testing.assert_close(c.double(), expected, rtol=1e-5, atol=1e-4)
    assert not found.hazards


@pytest.mark.parametrize("rung", RUNGS[2:4], ids=NAMES[2:4])
def test_right_in_any_order_of_warps(rung):
    """Of those that share memory; the two larger ones wait at the same places, and have no hazards."""
    _, in_lockstep, _ = run(rung, 20, 17, 18)
    _, shuffled, _ = run(rung, 20, 17, 18, order="shuffled", seed=1)
    assert torch.equal(in_lockstep, shuffled)


@pytest.fixture(scope="module")
def counters():
    return {rung.name: run(rung, SIDE, SIDE, SIDE)[0].counters for rung in RUNGS}


@pytest.mark.parametrize("name", NAMES)
def test_counters_are_those_of_the_formulas(counters, name):
    found = counters[name]
    counted = found.global_load_sectors, found.shared_load_requests, found.shared_load_wavefronts
    assert counted == COUNTERS[name]
    assert found.shared_bank_conflicts == 0
    assert found.flops == 2 * SIDE**3


def test_each_rung_asks_for_less(counters):
    """Of memory, then of shared memory, then with fewer instructions."""
    sectors = [counters[name].global_load_sectors for name in NAMES]
    assert sectors == sorted(sectors, reverse=True)
    loads = [counters[name].shared_load_requests for name in NAMES[2:]]
    assert loads == sorted(loads, reverse=True)
    requests = [counters[name].global_load_requests for name in NAMES]
    assert requests[-1] * 4 == requests[-2]


@pytest.mark.parametrize("rung", RUNGS, ids=NAMES)
def test_compiled(rung):
    """Sums stay in registers; only the last rung moves 16 bytes a lane."""
    pytest.importorskip("cuda.bindings", reason="needs NVIDIA's compiler wheels")
    matrix = types.Array(types.float32, 2, "C")
    found = compiled.inspect(rung.kernel, (matrix, matrix, matrix))
    assert found.spill_bytes == found.stack_bytes == 0
    assert not found.float64
    wide = 16 if rung.name == "vectorized" else 4
    assert max(found.loads) == max(found.stores) == wide
    assert set(found.shared_loads) <= {wide}
    threads = math.prod(rung.shape(SIDE, SIDE)[1])
    occupancies = [float(found.on(arch).occupancy(threads)) for arch in ("sm_75", "sm_80", "sm_90")]
    assert min(occupancies) == OCCUPANCY[rung.name]
