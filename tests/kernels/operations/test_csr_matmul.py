"""What is special to csr_matmul: exact sums, odd patterns, and indices that do not fit."""

import numpy as np
import pytest
import torch
from cases.csr_matmul import indices
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import simt
from kernels.products import csr_matmul
from kernels.products.csr import part_rows
from kernels.products.csr_product import lanes_across

WIDTHS = (1, 2, 16, 17, 33, 64, 70)  # a column, a vector or less, two, four, a panel and more


def whole(draw, *shape):
    return torch.randint(-4, 5, shape, generator=draw).float()


def dense_of(crow, col, values, columns):
    matrix = torch.zeros(len(crow) - 1, columns, dtype=values.dtype)
    for row in range(len(crow) - 1):
        for place in range(int(crow[row]), int(crow[row + 1])):
            matrix[row, int(col[place])] += values[place]
    return matrix


@pytest.mark.parametrize("index", [torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize("width", WIDTHS)
def test_whole_numbers_are_exact(width, index):
    draw = torch.Generator().manual_seed(width)
    crow, col = indices(23, 31, draw, 0.3)
    values, dense = (whole(draw, *shape).requires_grad_() for shape in ((len(col),), (31, width)))
    found = csr_matmul(crow.to(index), col.to(index), values, dense)
    matrix = dense_of(crow, col, values.detach(), 31)
    assert torch.equal(found, matrix @ dense)
    grad = whole(draw, 23, width)
    found.backward(grad)
    row = torch.repeat_interleave(torch.arange(23), crow.diff())
    assert torch.equal(dense.grad, matrix.t() @ grad)
    assert torch.equal(values.grad, (grad @ dense.detach().t())[row, col])


@pytest.mark.parametrize("width", [1, 7, 100])
def test_int32_and_int64_give_the_same_bits(width):
    draw = torch.Generator().manual_seed(0)
    crow, col = indices(40, 50, draw)
    values, dense = torch.randn(len(col), generator=draw), torch.randn(50, width, generator=draw)
    assert torch.equal(csr_matmul(crow, col, values, dense), csr_matmul(crow.int(), col.int(), values, dense))


@pytest.mark.parametrize("on", ["cpu", "simulated gpu"])
@pytest.mark.parametrize("width", [1, 5, 40])
def test_empty_rows_twins_and_any_order(width, on):
    """Rows without nonzeros at both ends and in between, a place named twice, columns out of order."""
    crow = torch.tensor([0, 0, 3, 3, 3, 7, 7])
    col = torch.tensor([4, 0, 4, 3, 2, 1, 0])
    values, dense = torch.arange(1.0, 8), torch.arange(5.0 * width).view(5, width)
    if on == "cpu":
        found = csr_matmul(crow, col, values, dense)
    else:
        with simt.simulated():
            found = csr_matmul(crow, col, values, dense)
    assert torch.equal(found, dense_of(crow, col, values, 5) @ dense)


def test_one_nonzero_and_none():
    crow, col = torch.tensor([0, 0, 1]), torch.tensor([2])
    dense = torch.randn(4, 3)
    assert torch.equal(csr_matmul(crow, col, torch.tensor([2.0]), dense)[1], 2 * dense[2])
    nothing = csr_matmul(
        torch.zeros(3, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.empty(0), dense
    )
    assert torch.equal(nothing, torch.zeros(2, 3))


@pytest.mark.parametrize("width", [1, 5, 40])
def test_what_no_nonzero_names_is_not_read(width):
    crow, col, values = torch.tensor([0, 1, 2]), torch.tensor([1, 3]), torch.ones(2)
    dense = torch.full((5, width), float("nan"))
    dense[[1, 3]] = 7
    assert torch.equal(csr_matmul(crow, col, values, dense), torch.full((2, width), 7.0))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    width=st.sampled_from([1, 3, 40]),
    in_crow=st.booleans(),
    wrong=st.sampled_from([-(2**31), -1, 17, 10**6, 2**31 - 1]),
)
def test_a_wrong_index_is_always_refused(seed, width, in_crow, wrong):
    draw = torch.Generator().manual_seed(seed)
    crow, col = indices(11, 17, draw, 0.4)
    chosen = crow if in_crow else col
    place = int(torch.randint(0, len(chosen), (), generator=draw))
    before, chosen[place] = int(chosen[place]), wrong
    rising = bool((crow.diff() >= 0).all()) and crow[0] == 0 and crow[-1] == len(col)
    values, dense = torch.ones(len(col)), torch.ones(17, width)
    if in_crow and (wrong == before or rising):
        csr_matmul(crow, col, values, dense)
    else:
        with pytest.raises(ValueError, match=r"(crow|col) must"):
            csr_matmul(crow, col, values, dense)


@pytest.mark.parametrize("width", [1, 40])
def test_a_gpu_reads_nothing_outside_and_says_nan(width):
    dense = torch.ones(3, width)
    with simt.simulated() as launches:
        found = csr_matmul(torch.tensor([0, 1, 2, 3]), torch.tensor([0, 3, 2]), torch.ones(3), dense)
        fallen = csr_matmul(torch.tensor([0, 9, 2, 3]), torch.tensor([0, 1, 2]), torch.ones(3), dense)
    assert not any(run.hazards for run in launches)
    assert found[1].isnan().all()
    assert torch.equal(found[[0, 2]], torch.ones(2, width))
    assert fallen[:2].isnan().all()
    assert torch.equal(fallen[2], torch.ones(width))


@given(lengths=st.lists(st.integers(0, 50), max_size=40), of=st.integers(1, 9))
def test_parts_share_out_the_nonzeros(lengths, of):
    crow = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    bounds = [part_rows(crow, crow[-1], part, of) for part in range(of)]
    assert [row for low, high in bounds for row in range(low, high)] == list(range(len(lengths)))
    most, share = max(lengths, default=0) + 1, (crow[-1] + len(lengths)) / of
    assert all(crow[high] - crow[low] + high - low <= share + most for low, high in bounds)


def test_no_bit_depends_on_the_number_of_threads():
    draw = torch.Generator().manual_seed(0)
    crow, col = indices(300, 400, draw, 0.2)
    values, dense = torch.randn(len(col), generator=draw), torch.randn(400, 40, generator=draw)
    many = csr_matmul(crow, col, values, dense)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(csr_matmul(crow, col, values, dense), many)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("width", "across"), [(0, 1), (1, 1), (4, 1), (5, 2), (64, 16), (65, 32), (4096, 32)]
)
def test_lanes_lie_side_by_side_as_far_as_columns_go(width, across):
    assert lanes_across(width) == across
