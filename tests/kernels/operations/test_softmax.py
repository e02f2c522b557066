"""What is special to softmax: probabilities, −inf, rows of any length, and how often a row is read."""

import pytest
import torch

from kernels import ledger, simt
from kernels.norms import softmax

inf, nan = float("inf"), float("nan")


def simulated(x):
    """softmax by the GPU kernel."""
    with simt.simulated():
        return softmax(x)


BACKENDS = pytest.mark.parametrize("compute", [softmax, simulated], ids=["twin", "simulated GPU"])


@BACKENDS
def test_adds_up_to_one_and_keeps_the_order(compute):
    x = torch.randn(5, 301, generator=torch.Generator().manual_seed(0)) * 5
    y = compute(x)
    assert (y >= 0).all()
    assert (y.double().sum(-1) - 1).abs().max() < 1e-6
    assert torch.equal(y.argmax(-1), x.argmax(-1))


@BACKENDS
def test_adding_a_number_to_a_row_changes_nothing(compute):
    x = torch.randint(-20, 20, (3, 130)).float()
    assert torch.equal(compute(x + 1024), compute(x))


@BACKENDS
def test_rows_with_infinities_and_nan(compute):
    x = torch.stack(
        [
            torch.full((40,), -inf),
            torch.full((40,), -inf).index_fill(
                0, torch.tensor([33]), 2.0
            ),  # alone, in no thread's first place
            torch.zeros(40).index_fill(0, torch.tensor([0]), -inf),
            torch.zeros(40).index_fill(0, torch.tensor([39]), inf),
            torch.zeros(40).index_fill(0, torch.tensor([7]), nan),
            torch.zeros(40).index_fill(0, torch.tensor([7]), -nan),
            torch.full((40,), 3e38),
            torch.full((40,), torch.finfo(torch.float32).min),
            torch.linspace(-3e38, 3e38, 40),
        ]
    )
    torch.testing.assert_close(compute(x), torch.softmax(x, -1), equal_nan=True)


def test_the_lowest_float64_is_not_that_of_float32():
    x = torch.tensor([[-1e300, -1e300, -inf]], dtype=torch.float64)
    assert torch.equal(simulated(x), torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64))


@BACKENDS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_equal_numbers_share_evenly(compute, dtype):
    assert torch.equal(
        compute(torch.full((2, 256), 30000.0, dtype=dtype)), torch.full((2, 256), 1 / 256, dtype=dtype)
    )


@pytest.mark.parametrize("width", [100_003, 262_144, 1 << 20])
def test_long_rows(width):
    """float16 cannot even hold the sum of so many ones."""
    x = torch.randn(1, width, generator=torch.Generator().manual_seed(0))
    assert (softmax(x) - torch.softmax(x.double(), -1)).abs().max() < 1e-9
    assert (softmax(torch.zeros(1, width).half()).double() * width - 1).abs().max() < 0.01


def test_a_long_row_on_the_simulated_gpu():
    x = torch.randn(1, 30_011, generator=torch.Generator().manual_seed(0)) * 4
    assert (simulated(x) - torch.softmax(x.double(), -1)).abs().max() < 1e-7


@pytest.mark.parametrize("width", [512, 4096])
def test_reads_a_row_twice_at_most_and_from_memory_once(width):
    x = torch.randn(2, width)
    with simt.simulated() as launches:
        softmax(x)
    (run,) = launches
    assert run.counters.global_bytes_useful == 3 * x.nbytes
    assert run.counters.global_bytes_unique == ledger("softmax", x).bytes == 2 * x.nbytes
    assert run.counters.global_load_sectors == 16 * run.counters.global_load_requests  # 16 bytes a lane


def test_the_gradient_of_a_row_adds_up_to_zero():
    """The results add up to 1 whatever x is."""
    x = torch.randn(6, 77, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(softmax(x), x, torch.randn(6, 77, dtype=torch.float64))
    assert found.sum(-1).abs().max() < 1e-14


def test_keeps_the_result_and_not_the_input():
    x = torch.randn(4, 5, requires_grad=True)
    y = softmax(x)
    (kept,) = y.grad_fn.saved_tensors
    assert kept.data_ptr() == y.data_ptr()


def test_ledger_in_formulas():
    x = torch.empty(10**6, 10**4, device="meta")  # 40 GB, were it real
    n, rows = x.numel(), 10**6
    assert ledger("softmax", x).bytes == 8 * n
    assert ledger("softmax", x).unfused.bytes == 4 * (8 * n + 4 * rows)
    assert ledger("softmax_backward", x, x).bytes == 12 * n
    assert ledger("softmax_backward", x, x).unfused.bytes == 4 * (9 * n + 2 * rows)
