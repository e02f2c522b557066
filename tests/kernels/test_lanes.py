"""Block-wide and warp-wide device functions, on the simulated GPU and on a GPU if there is one."""

import numpy as np
import pytest
import torch

from kernels import simt
from kernels.backend import cuda, gpu_kernel, gpu_present, launch
from kernels.lanes import block_max, block_sum, warp_max, warp_sum

BLOCKS = (32, 64, 96, 256, 1024)


@gpu_kernel
def sum_twice(values, out):
    place = cuda.grid(1)
    first = block_sum(values[place])
    out[place] = first + block_sum(first)


@gpu_kernel
def max_twice(values, out):
    place = cuda.grid(1)
    first = block_max(values[place])
    out[place] = first + block_max(values[place] - first)


@gpu_kernel
def within_warps(values, out):
    place = cuda.grid(1)
    out[0, place] = warp_sum(values[place])
    out[1, place] = warp_max(values[place])


def on_each_backend(kernel, grid, block, *arrays):
    """The last array as the simulated GPU and a real one leave it."""
    simulated = [array.copy() for array in arrays]
    run = simt.launch(kernel, grid, block, *simulated, order="shuffled", seed=block)
    assert not run.hazards
    yield simulated[-1]
    if gpu_present():
        real = [torch.from_numpy(array).cuda() for array in arrays]
        launch(kernel, (grid,), (block,), *real)
        yield real[-1].cpu().numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", BLOCKS)
def test_every_thread_has_the_sum_of_its_block(threads, dtype):
    values = np.random.default_rng(threads).integers(-50, 50, 2 * threads).astype(dtype)
    total = values.reshape(2, -1).sum(1, keepdims=True)
    for found in on_each_backend(sum_twice, 2, threads, values, np.zeros_like(values)):
        assert np.array_equal(found.reshape(2, -1), np.tile(total * (1 + threads), threads))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", BLOCKS)
def test_every_thread_has_the_largest_of_its_block(threads, dtype):
    values = -np.random.default_rng(threads).integers(1, 5000, 2 * threads).astype(dtype)
    largest = values.reshape(2, -1).max(1, keepdims=True)
    for found in on_each_backend(max_twice, 2, threads, values, np.zeros_like(values)):
        assert np.array_equal(found.reshape(2, -1), np.tile(largest, threads))


def test_warps_keep_to_themselves():
    values = np.random.default_rng(0).integers(-50, 50, 96).astype(np.float32)
    warps = values.reshape(3, 32)
    for found in on_each_backend(within_warps, 1, 96, values, np.zeros((2, 96), np.float32)):
        assert np.array_equal(found[0], warps.sum(1).repeat(32))
        assert np.array_equal(found[1], warps.max(1).repeat(32))


def test_a_sum_takes_two_barriers_and_no_bank_conflicts():
    values = np.ones(256, np.float32)
    run = simt.launch(sum_twice, 1, 256, values, np.zeros_like(values))
    assert run.counters.barriers == 2 * 2 * 8  # two sums, eight warps
    assert run.counters.shared_bank_conflicts == 0
