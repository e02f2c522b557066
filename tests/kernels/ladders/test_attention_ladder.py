"""The ladder of attention: every rung right, free of hazards, and as sparing with memory as its docstring says."""

import pytest
import torch
import torch.nn.functional as F
from numba import types

from kernels import compiled, simt
from kernels.ladders import attention
from kernels.ladders.attention import NAIVE, RUNGS, STREAMING, TILED

SIZES = [(1, 1, 1), (5, 3, 7), (64, 32, 32), (65, 33, 17), (130, 97, 32)]


def inputs(queries, keys, width):
    draw = torch.Generator().manual_seed(queries)
    q = torch.randn(queries, width, generator=draw)
    return q, *(torch.randn(keys, width, generator=draw) for _ in range(2))


def climb(rung, q, k, v, **options):
    with simt.simulated(**options) as launches:
        return attention.run(rung, q, k, v), launches


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_right_on_any_size(rung, size):
    q, k, v = inputs(*size)
    out, launches = climb(rung, q, k, v)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q[None], k[None], v[None])[0])
    assert not any(run.hazards for run in launches)


def test_any_order_of_warps_gives_the_same_bits():
    q, k, v = inputs(65, 33, 17)
    assert torch.equal(climb(TILED, q, k, v)[0], climb(TILED, q, k, v, order="shuffled", seed=3)[0])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bytes_are_those_of_the_docstring(size):
    n, s, w = size
    moved = {
        rung: sum(run.counters.global_bytes_unique for run in climb(rung, *inputs(*size))[1])
        for rung in RUNGS
    }
    assert moved[NAIVE] == 4 * (2 * n * w + 2 * s * w + 4 * n * s)
    assert moved[STREAMING] == moved[TILED] == 4 * (2 * n * w + 2 * s * w)


def test_shared_tiles_need_a_64th_of_the_load_requests():
    n, s, w = 128, 64, 32
    own = n // 32 * w  # requests for the queries themselves
    requests = {
        rung: climb(rung, *inputs(n, s, w))[1][0].counters.global_load_requests - own
        for rung in (STREAMING, TILED)
    }
    assert requests[STREAMING] == n // 32 * 2 * s * w
    assert requests[TILED] == n // 64 * 2 * s * w // 32


@pytest.mark.parametrize("rung", [STREAMING, TILED], ids=lambda rung: rung.name)
def test_query_and_output_stay_in_registers(rung):
    matrix = types.Array(types.float32, 2, "C")
    try:
        found = compiled.inspect(rung.kernel, (matrix, matrix, matrix, matrix, types.float32))
    except compiled.CompilerMissing:
        pytest.skip("needs the extra [compiler]")
    assert found.spill_bytes == found.stack_bytes == 0
    assert not found.float64


def test_extreme_scores_stay_finite():
    q, k, v = inputs(5, 40, 8)
    for rung in RUNGS:
        out, _ = climb(rung, q * 1e4, k, v)
        torch.testing.assert_close(out, F.scaled_dot_product_attention(q[None] * 1e4, k[None], v[None])[0])


def test_wider_heads_are_refused():
    with pytest.raises(ValueError, match="q must have a width of at most 32, got 33"):
        attention.run(TILED, *inputs(2, 2, 33))
