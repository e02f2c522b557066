"""What is special to rotary positions: lengths, relative positions, pairings, tables."""

import pytest
import torch
from cases.rope import tables

import kernels
from kernels import simt
from kernels.sequences.rope import _launch_shape

PAIRINGS = pytest.mark.parametrize("interleaved", [False, True], ids=["halves", "neighbors"])


def random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@PAIRINGS
def test_keeps_the_length_of_every_pair(interleaved):
    x = random(2, 7, 3, 10)
    y = kernels.rope(x, *tables(7, 10), interleaved)

    def lengths(t):
        pairs = t.unflatten(-1, (5, 2)) if interleaved else t.unflatten(-1, (2, 5)).transpose(-1, -2)
        return pairs.norm(dim=-1)

    torch.testing.assert_close(lengths(y), lengths(x))
    assert torch.equal(y[:, 0], x[:, 0])  # nothing turns at time 0
    assert not torch.isclose(y[:, 1:], x[:, 1:]).all(-1).any()


@PAIRINGS
def test_products_depend_on_the_distance_in_time_alone(interleaved):
    """The property the embedding was made for: RoFormer, equation 11."""
    time, width = 12, 16
    query, key = random(2, width).expand(time, 1, 2, width).unbind(2)  # the same vectors at all times
    cos, sin = tables(time, width)
    query, key = (kernels.rope(vector, cos, sin, interleaved)[:, 0] for vector in (query, key))
    scores = query @ key.T  # (time, time)
    for distance in range(-time + 1, time):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert scores[:, 0].std() > 0.1  # and it does depend on it


@PAIRINGS
def test_backward_turns_back(interleaved):
    x = random(3, 5, 2, 6).requires_grad_()
    y = kernels.rope(x, *tables(5, 6), interleaved)
    (grad,) = torch.autograd.grad(y, x, y.detach())
    torch.testing.assert_close(grad, x.detach())


def test_pairings_are_permutations_of_each_other():
    """A model trained with one pairing can be run with the other, its rows put in another order."""
    x, (cos, sin) = random(4, 2, 8), tables(4, 8)
    order = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])  # neighbors to halves
    expected = kernels.rope(x, cos, sin)[..., order]
    torch.testing.assert_close(kernels.rope(x[..., order].contiguous(), cos, sin, interleaved=True), expected)


def test_a_quarter_turn_by_hand():
    """(1, 2) and (3, 4) by a quarter turn: (a, b) becomes (-b, a)."""
    x, cos, sin = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.zeros(1, 2), torch.ones(1, 2)
    assert kernels.rope(x, cos, sin, interleaved=True).flatten().tolist() == [-2, 1, -4, 3]
    assert kernels.rope(x, cos, sin).flatten().tolist() == [-3, -4, 1, 2]


def test_tables_of_another_origin():
    """Decoding turns the newest time alone: a slice of the tables says which it is."""
    x, (cos, sin) = random(2, 9, 3, 8), tables(9, 8)
    whole = kernels.rope(x, cos, sin)
    torch.testing.assert_close(kernels.rope(x[:, 6:], cos[6:], sin[6:]), whole[:, 6:])


@PAIRINGS
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("simulate", [False, True], ids=["CPU", "simulated GPU"])
def test_half_heads_beside_float32_tables(half, interleaved, simulate):
    """The result is rounded once: as exact as the type allows."""
    x = random(5, 3, 12).to(half)
    cos, sin = tables(5, 12)
    exact = kernels.rope(x.double(), cos, sin, interleaved)
    if simulate:
        with simt.simulated():
            found = kernels.rope(x, cos.float(), sin.float(), interleaved)
    else:
        found = kernels.rope(x, cos.float(), sin.float(), interleaved)
    assert found.dtype == half
    torch.testing.assert_close(found.double(), exact, rtol=torch.finfo(half).eps / 2, atol=1e-6)


def test_learned_tables_are_used_where_nothing_is_learned():
    cos, sin = (table.requires_grad_() for table in tables(5, 8))
    with torch.no_grad():
        assert not kernels.rope(random(5, 3, 8), cos, sin).requires_grad


def test_backward_keeps_the_tables_alone():
    x = torch.randn(64, 8, 16, requires_grad=True)
    saved = []

    def pack(tensor):
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kernels.rope(x, *(table.float() for table in tables(64, 16)))
    assert [tensor.shape for tensor in saved] == [(64, 8), (64, 8)]


@pytest.mark.parametrize(
    ("positions", "heads", "pairs", "block"),
    [
        (4096, 32, 64, (16, 16, 1)),  # Llama: two heads a thread
        (4096, 1, 64, (16, 1, 16)),  # one head: several positions a block
        (1, 32, 64, (16, 16, 1)),
        (100, 3, 5, (2, 4, 32)),
        (100, 1, 1, (1, 1, 64)),
        (7, 2, 4096, (256, 1, 1)),
    ],
)
def test_blocks_follow_the_shape(positions, heads, pairs, block):
    grid, found = _launch_shape(positions, heads, pairs)
    assert found == block
    assert grid[0] * block[2] >= positions > (grid[0] - 1) * block[2]


def test_no_lane_is_idle_for_a_usual_shape():
    x = torch.randn(1, 4, 16, 64)
    with simt.simulated() as launches:
        kernels.rope(x, *(table.float() for table in tables(4, 64)))
    counters = launches[0].counters
    assert counters.warp_efficiency == 1
    assert counters.global_store_sectors == 16 * counters.global_store_requests  # 512 bytes, all of them used
