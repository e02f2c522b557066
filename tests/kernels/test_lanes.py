"""Block-wide device functions, on a GPU or (started by test_operations.py) in Numba's simulator."""

import pytest
import torch

from kernels.backend import SIMULATING, cuda, gpu_kernel, gpu_present, launch
from kernels.lanes import MAX_THREADS, block_sum

pytestmark = pytest.mark.skipif(not (SIMULATING or gpu_present()), reason="needs a GPU or Numba's simulator")


@gpu_kernel
def sum_twice(values, out):
    scratch = cuda.shared.array(MAX_THREADS, values.dtype)
    lane = cuda.threadIdx.x
    first = block_sum(values[cuda.blockIdx.x, lane], scratch)
    out[cuda.blockIdx.x, lane] = first + block_sum(first, scratch)


@pytest.mark.parametrize("threads", [1, 2, 32, 64])
def test_block_sum_reaches_every_thread(threads):
    values = torch.randint(-50, 50, (2, threads)).double()
    device = "cpu" if SIMULATING else "cuda"
    out = torch.empty_like(values, device=device)
    launch(sum_twice, (2,), (threads,), values.to(device), out)
    total = values.sum(1, keepdim=True)
    assert torch.equal(out.cpu(), (total + total * threads).expand_as(values))
