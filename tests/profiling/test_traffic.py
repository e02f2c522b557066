"""Bytes of single operations, each held against a count by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.profiling.meter import meter
from workbench.profiling.traffic import unique_bytes

ROWS, WIDTH = 6, 10
FULL = ROWS * WIDTH * 4  # bytes of the matrix below
INDEX = torch.tensor([1, 4, 1])
OUT = torch.empty(ROWS, WIDTH)


def matrix() -> torch.Tensor:
    return torch.randn(ROWS, WIDTH)


@pytest.mark.parametrize(
    ("call", "moved"),
    [
        (lambda x: x + 1, 2 * FULL),
        (lambda x: x + x, 2 * FULL),  # one input, named twice
        (lambda x: x + x.clone(), 2 * FULL + 3 * FULL),
        (lambda x: x @ x.t(), FULL + ROWS * ROWS * 4),  # a transpose shows the same bytes
        (lambda x: x[:, :5] + x[:, 5:], FULL + FULL // 2),  # two halves of one storage
        (lambda x: x + torch.ones(()).expand(ROWS, WIDTH), 4 + FULL + 4 + FULL),  # four bytes, shown 60 times
        (lambda x: x.view(-1).unsqueeze(0).transpose(0, 1).flatten(), 0),
        (lambda x: x.t().reshape(-1), 2 * FULL),  # does not fit as a view: copied
        (lambda x: torch.ops.aten._unsafe_view(x, [60]), 0),
        (lambda x: torch.empty_like(x).resize_(3), 0),
        (lambda x: x.detach().t_().squeeze_(), 0),
        (lambda x: torch.zeros_like(x), FULL),
        (lambda x: x.new_full((5,), 1.0), 20),
        (lambda x: x.fill_(1.0), FULL),
        (lambda x: x.zero_(), FULL),
        (lambda x: x.uniform_(), FULL),
        (lambda x: x.copy_(OUT), 2 * FULL),
        (lambda x: x.add_(1.0), 2 * FULL),
        (lambda x: x.t().mul_(2.0), 2 * FULL),
        (lambda x: torch.add(x, 1.0, out=OUT), 2 * FULL),  # out= is not read
        (lambda x: torch.add(x, OUT, out=OUT), 3 * FULL),  # unless it is an input as well
        (lambda x: x.half(), FULL + FULL // 2),
        (lambda x: x.sum(), FULL + 4),
        (lambda x: x.sum(0), FULL + WIDTH * 4),
        (lambda x: torch.cat([x, x[:2]]), FULL + FULL + 2 * WIDTH * 4),
        (lambda x: x[INDEX], 3 * 8 + 3 * WIDTH * 4 + 3 * WIDTH * 4),
        (lambda x: torch.nn.functional.embedding(INDEX, x), 3 * 8 + 2 * WIDTH * 4 + 3 * WIDTH * 4),
        (lambda x: x.index_select(1, INDEX), 3 * 8 + 2 * ROWS * 4 + 3 * ROWS * 4),
        (lambda x: x.gather(1, INDEX[None]), 3 * 8 + 3 * 4 + 3 * 4),
        (
            lambda x: x.index_add_(0, INDEX, x[:3].clone()),
            2 * 3 * WIDTH * 4 + 3 * 8 + 2 * 3 * WIDTH * 4 + 3 * WIDTH * 4,
        ),
        (lambda x: x.scatter_(1, INDEX[None], 1.0), 3 * 8 + 3 * 4),
        (lambda x: x.item() if x.numel() == 1 else x[0, 0].item(), 4),
        (lambda x: torch._foreach_zero_([x]), FULL),
    ],
)
def test_bytes_by_hand(call, moved):
    x = matrix()
    assert meter(call, x).bytes == moved


def test_put_into_rows_writes_only_those():
    x = matrix()
    count = meter(lambda x: x.index_put_((INDEX[:2],), torch.tensor(1.0)), x)
    assert count.bytes == 2 * WIDTH * 4 + 2 * 8 + 4
    count = meter(lambda x: x.index_put_((INDEX[:2],), torch.tensor(1.0), accumulate=True), x)
    assert count.bytes == 2 * 2 * WIDTH * 4 + 2 * 8 + 4


def test_cross_entropy_reads_one_class_of_each_row():
    logits, target = matrix(), torch.arange(ROWS)
    log_probabilities = logits.log_softmax(-1)
    count = meter(torch.nn.functional.nll_loss, log_probabilities, target)
    assert count.bytes == ROWS * 4 + ROWS * 8 + 4 + 4  # picked values, target, loss, total weight


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_a_sparse_matrix_counts_what_it_stores():
    dense = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]])
    sparse, right = dense.to_sparse_csr(), torch.randn(3, 4)
    count = meter(lambda a, b: a @ b, sparse, right)
    stored = 3 * 8 + 3 * 8 + 3 * 4  # row pointers, columns, values
    assert count.bytes >= stored + right.numel() * 4 + 2 * 4 * 4


def test_an_index_without_data_counts_the_most_it_can_touch():
    source = torch.empty(ROWS, WIDTH, device="meta")
    index = torch.empty(3, dtype=torch.int64, device="meta")
    count = meter(torch.nn.functional.embedding, index, source)
    assert count.bytes == 3 * 8 + 3 * WIDTH * 4 + 3 * WIDTH * 4


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=0, max_size=3), st.data())
def test_unique_bytes_equals_the_bytes_that_can_be_reached(shape, data):
    """Against brute force: fill a storage through the view and see what changed."""
    x = torch.zeros(tuple(shape))
    for dim in range(x.dim()):
        if data.draw(st.booleans()):
            x = x.narrow(dim, 0, data.draw(st.integers(0, x.shape[dim])))
        if x.shape[dim] == 1 and data.draw(st.booleans()):
            x = x.expand(*[-1] * dim, 3, *[-1] * (x.dim() - dim - 1))
    if x.dim() > 1:
        x = x.permute(*data.draw(st.permutations(range(x.dim()))))
    storage = torch.tensor([], dtype=x.dtype).set_(x.untyped_storage())
    storage.zero_()
    flat = storage.as_strided(x.shape, x.stride(), x.storage_offset())
    for index in torch.cartesian_prod(*map(torch.arange, x.shape)).reshape(-1, x.dim()) if x.dim() else [()]:
        flat[tuple(index)] = 1
    assert unique_bytes([x]) == 4 * int(storage.sum())
    assert unique_bytes([x, x]) == unique_bytes([x])


def test_overlapping_windows_are_not_counted_twice():
    windows = torch.randn(20).unfold(0, 4, 1)  # 17 windows of 4 over 20 values
    assert unique_bytes([windows]) == 20 * 4
