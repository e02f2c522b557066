"""One step of AdamW for many tensors: each parameter, gradient and moment is read once and written once.

With gradient g, at step t = 1, 2, …

    m ← β₁ m + (1 − β₁) g           m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²          v̂ = v / (1 − β₂ᵗ)
    p ← (1 − ηλ) p − η m̂ / (√v̂ + ε)

The decay λ acts on the parameter itself, *decoupled* from the gradient, whose moments would otherwise scale it down
where gradients are large. The two divisions by 1 − βᵗ undo that moments begin at zero.

Ledger for n elements of s bytes: fused reads p, g, m, v and writes p, m, v, 7ns bytes; as eight operations of plain
torch, which is what an optimizer does, 20ns.

A model has many tensors, most of them small. On a CPU one call steps them all: a table of their addresses is cut into
tiles of equal size, which are shared out over the cores. On a GPU eight tensors go into a launch, as more would not fit
among its arguments (4 KiB, of which each array takes 56 bytes); what is left over goes one by one.

Source: I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101, algorithm 2.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numba import carray, prange, types
from numba.extending import intrinsic
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import HALF, as_real, check_input, rounded, sums_dtype, widened
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.promises import Promise
from kernels.twin import jitable, twin

THREADS, MOST_BLOCKS = 256, 4096
AT_ONCE = 8  # tensors in a launch
TILE = 1 << 14  # elements: four arrays of them stay in a core's cache
Four = tuple[Tensor, ...]  # a parameter, its gradient, its first and its second moment
FLOPS = 14  # an element


def reference(
    params: Sequence[Tensor], grads: Sequence[Tensor], exp_avgs: Sequence[Tensor], exp_avg_sqs: Sequence[Tensor],
    step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """The same in plain torch, tensor by tensor; half types are computed in float32, then rounded."""
    for four in zip(params, grads, exp_avgs, exp_avg_sqs, strict=True):
        param, grad, exp_avg, exp_avg_sq = wide = [widened(tensor) for tensor in four]
        param.mul_(1 - lr * weight_decay)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = exp_avg_sq.sqrt().div_(math.sqrt(1 - beta2**step)).add_(eps)
        param.addcdiv_(exp_avg, root, value=-lr / (1 - beta1**step))
        _write_back(four, wide)


def _stepped(param, grad, exp_avg, exp_avg_sq, numbers):
    """One element after the step: the parameter and its moments."""
    keep, rate, weight1, beta2, weight2, correction, eps = numbers
    exp_avg += weight1 * (grad - exp_avg)
    exp_avg_sq = beta2 * exp_avg_sq + weight2 * (grad * grad)
    return keep * param - rate * exp_avg / (math.sqrt(exp_avg_sq) / correction + eps), exp_avg, exp_avg_sq


gpu_stepped, cpu_stepped = device_function(_stepped), jitable(_stepped)  # the same mathematics


@gpu_kernel
def adamw_kernel(params, grads, exp_avgs, exp_avg_sqs, numbers):  # tuples of flat arrays, and of seven numbers
    """All blocks go through one tensor after the other; a thread takes four elements of each at a time."""
    first, step = 4 * cuda.grid(1), 4 * cuda.gridsize(1)
    for place in range(len(params)):
        param, grad, exp_avg, exp_avg_sq = params[place], grads[place], exp_avgs[place], exp_avg_sqs[place]
        zero = real_of(param)(0)
        for i in range(first, param.size, step):
            param_a, param_b, param_c, param_d = load4(param, i, zero)
            grad_a, grad_b, grad_c, grad_d = load4(grad, i, zero)
            avg_a, avg_b, avg_c, avg_d = load4(exp_avg, i, zero)
            sq_a, sq_b, sq_c, sq_d = load4(exp_avg_sq, i, zero)
            param_a, avg_a, sq_a = gpu_stepped(param_a, grad_a, avg_a, sq_a, numbers)
            param_b, avg_b, sq_b = gpu_stepped(param_b, grad_b, avg_b, sq_b, numbers)
            param_c, avg_c, sq_c = gpu_stepped(param_c, grad_c, avg_c, sq_c, numbers)
            param_d, avg_d, sq_d = gpu_stepped(param_d, grad_d, avg_d, sq_d, numbers)
            store4(param, i, param_a, param_b, param_c, param_d)
            store4(exp_avg, i, avg_a, avg_b, avg_c, avg_d)
            store4(exp_avg_sq, i, sq_a, sq_b, sq_c, sq_d)


@intrinsic
def elements_at(typing, address, number):
    """A pointer to numbers of this one's type, from an address."""
    signature = types.CPointer(number)(address, number)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate


@twin
def adamw_twin(addresses, sizes, ends, numbers):
    """addresses: (tensors, 4). sizes: (tensors,). ends: (tensors,), how many tiles there are up to each tensor's end."""
    for tile in prange(ends[-1]):
        tensor = np.searchsorted(ends, tile, side="right")
        size = sizes[tensor]
        param = carray(elements_at(addresses[tensor, 0], numbers[0]), size)
        grad = carray(elements_at(addresses[tensor, 1], numbers[0]), size)
        exp_avg = carray(elements_at(addresses[tensor, 2], numbers[0]), size)
        exp_avg_sq = carray(elements_at(addresses[tensor, 3], numbers[0]), size)
        last = size - (ends[tensor] - 1 - np.int64(tile)) * TILE
        for i in range(max(last - TILE, 0), last):
            param[i], exp_avg[i], exp_avg_sq[i] = cpu_stepped(
                param[i], grad[i], exp_avg[i], exp_avg_sq[i], numbers
            )
