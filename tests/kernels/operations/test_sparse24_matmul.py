"""What is special to sparse24_matmul: which elements are kept, and where they stand."""

import pytest
import torch

from kernels import simt
from kernels.products import sparse24_matmul, to_sparse24


def test_the_two_largest_of_four_are_kept():
    matrix = torch.tensor([[1.0, -5, 3, 0, 2, 2, 2, 2], [0, 0, 0, 0, float("inf"), 1, -2, 0]])
    values, index = to_sparse24(matrix)
    assert values.tolist() == [[-5, 3, 2, 2], [0, 0, float("inf"), -2]]
    assert index.tolist() == [[1, 2, 0, 1], [0, 1, 0, 2]]
    assert index.dtype == torch.uint8


@pytest.mark.parametrize("shape", [(1, 4), (37, 52), (300, 8), (0, 4), (3, 0)])
def test_the_product_is_that_of_the_matrix_with_two_of_four(shape):
    draw = torch.Generator().manual_seed(shape[0])
    matrix = torch.randint(-9, 10, shape, generator=draw).float().requires_grad_()
    dense = torch.randint(-9, 10, (shape[1], 7), generator=draw).float()
    values, index = to_sparse24(matrix)
    kept = torch.zeros(shape)
    groups = matrix.detach().view(shape[0], shape[1] // 4, 4)
    for row in range(shape[0]):
        for group in range(shape[1] // 4):
            for place in sorted(range(4), key=lambda i: (-abs(groups[row, group, i]), i))[:2]:
                kept[row, 4 * group + place] = 1
    found = sparse24_matmul(values, index, dense)
    assert torch.equal(found, (matrix * kept) @ dense)
    found.sum().backward()
    assert torch.equal(matrix.grad, kept * dense.sum(1))


def test_a_place_named_twice_counts_twice():
    values, index = torch.tensor([[2.0, 3]]), torch.tensor([[1, 1]], dtype=torch.uint8)
    dense = torch.arange(8.0).view(4, 2)
    values.requires_grad_()
    found = sparse24_matmul(values, index, dense)
    assert torch.equal(found, 5 * dense[1:2])
    found.sum().backward()
    assert values.grad.tolist() == [[5, 5]]


def test_signed_and_unsigned_places_are_the_same():
    values, index = to_sparse24(torch.randn(5, 12))
    dense = torch.randn(12, 3)
    assert torch.equal(
        sparse24_matmul(values, index, dense), sparse24_matmul(values, index.to(torch.int8), dense)
    )


def test_a_gpu_takes_the_lower_two_bits_of_a_place():
    values, dense = torch.ones(1, 2), torch.arange(4.0).view(4, 1)
    with simt.simulated() as launches:
        found = sparse24_matmul(values, torch.tensor([[5, 255]], dtype=torch.uint8), dense)
    assert found.item() == 1 + 3
    assert not launches[0].hazards


def test_zeros_that_are_put_back_leave_infinity_alone():
    """As with a dense matrix: 0 times infinity is nan, so dense must be finite where the matrix has zeros."""
    values, index = torch.tensor([[1.0, 1]]), torch.tensor([[0, 1]], dtype=torch.uint8)
    dense = torch.tensor([[1.0], [2], [3], [4]])
    assert sparse24_matmul(values, index, dense).item() == 3
    dense[3] = float("inf")
    assert sparse24_matmul(values, index, dense).isnan().all()
