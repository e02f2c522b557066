"""From the losses of rows to one number: their sum, or their mean over the rows that are not ignored.

A mean's divisor is known only when every target has been seen. So on a GPU a kernel of its own adds up, one block,
always in the same order, and leaves the divisor for the backward pass, where each row's gradient is divided by it.
With no row to count the mean is 0/0, NaN, as in torch.
"""

import torch
from torch import Tensor

from kernels.arguments import rounded
from kernels.backend import cuda, gpu_kernel, launch
from kernels.lanes import MAX_THREADS, block_sum
from kernels.loads import real_of
from kernels.losses.targets import TARGET
from kernels.promises import Promise, sums


def reduced_in_torch(losses: Tensor, ignored: Tensor, reduction: str) -> tuple[Tensor, Tensor]:
    """The loss in plain torch, and a mean's divisor, empty for the others."""
    if reduction != "mean":
        return losses if reduction == "none" else losses.sum(), losses.new_empty(0)
    count = (~ignored).sum(dtype=losses.dtype)
    return losses.sum() / count, count


@gpu_kernel
def reduction_kernel(losses, target, loss, count, ignore_index):
    """losses, target: (rows,); loss: (1,); count: (1,), or empty for a sum."""
    real = real_of(losses)
    total, valid = real(0), real(0)
    for row in range(cuda.threadIdx.x, losses.shape[0], cuda.blockDim.x):
        total += losses[row]
        valid += real(target[row] != ignore_index)
    total, valid = block_sum(total), block_sum(valid)
    if cuda.threadIdx.x == 0:
        if count.size:
            loss[0], count[0] = total / valid, valid
        else:
            loss[0] = total


REDUCING = Promise(
    reduction_kernel,
    (sums(1), TARGET, sums(1), sums(1), int),
    threads=MAX_THREADS,
    load_bytes=8,
    occupancy=1.0,
)


def reduced(losses: Tensor, target: Tensor, ignore_index: int, reduction: str) -> tuple[Tensor, Tensor]:
    """The loss and a mean's divisor from the losses of rows, on a GPU."""
    loss, count = imagined(losses, reduction)
    if reduction == "none":
        return losses, count
    arguments = losses.view(-1), target, loss.view(1), count.view(-1), ignore_index
    launch(reduction_kernel, (1,), (MAX_THREADS,), *arguments)
    return loss, count


def imagined(losses: Tensor, reduction: str) -> tuple[Tensor, Tensor]:
    """Room for the loss and a mean's divisor, given the losses of rows."""
    loss = losses.new_empty(losses.shape if reduction == "none" else ())
    return loss, losses.new_empty(() if reduction == "mean" else 0)


def in_dtype_of(x: Tensor, loss: Tensor) -> Tensor:
    """The loss in x's dtype; under torch.autocast it stays as it was summed, as torch computes losses in float32."""
    device = "cpu" if x.is_cpu else "cuda" if x.is_cuda else ""  # a third of the time of .device.type
    if device and torch.is_autocast_enabled(device):
        return loss
    return rounded(loss, x.dtype)
