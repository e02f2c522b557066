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
tiles of equal size, which are shared out over the cores. On a GPU eight tensors go into a launch, and what is left over
one by one. What that costs is the time to hand over arrays, about 2 µs each with Numba: a millisecond for 150 tensors,
while the GPU is busy with those before. (torch's fused AdamW passes mere addresses, dozens of tensors in a launch.)

Source: I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101, algorithm 2.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import carray, prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import sums_dtype, widened
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.optimizers.many import (
    TILE,
    Group,
    check_like_params,
    elements_at,
    gapless,
    of_one_kind,
    tiles_of,
    write_back,
)
from kernels.optimizers.numbers import check_betas, check_number, check_step
from kernels.promises import Promise
from kernels.twin import jitable, twin

THREADS, MOST_BLOCKS = 256, 4096
AT_ONCE = 8  # tensors in a launch
WRITTEN = (0, 2, 3)  # of a parameter, its gradient and its two moments, all but the gradient
FLOPS = 14  # an element


def reference(
    params: Sequence[Tensor], grads: Sequence[Tensor], exp_avgs: Sequence[Tensor], exp_avg_sqs: Sequence[Tensor],
    step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """The same in plain torch, tensor by tensor; half types are computed in float32, then rounded."""
    for four in zip(params, grads, exp_avgs, exp_avg_sqs, strict=True):
        param, grad, exp_avg, exp_avg_sq = wide = tuple(map(widened, four))
        param.mul_(1 - lr * weight_decay)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = exp_avg_sq.sqrt().div_(math.sqrt(1 - beta2**step)).add_(eps)
        param.addcdiv_(exp_avg, root, value=-lr / (1 - beta1**step))
        write_back([four], [wide], WRITTEN)


def _stepped(param, grad, exp_avg, exp_avg_sq, numbers):
    """One element after the step: the parameter and its moments."""
    keep, rate, weight1, beta2, weight2, correction, eps = numbers
    exp_avg += weight1 * (grad - exp_avg)
    exp_avg_sq = beta2 * exp_avg_sq + weight2 * (grad * grad)
    return keep * param - rate * exp_avg / (math.sqrt(exp_avg_sq) / correction + eps), exp_avg, exp_avg_sq


gpu_stepped, cpu_stepped = device_function(_stepped), jitable(_stepped)  # the same mathematics


@gpu_kernel
def adamw_kernel(
    params, grads, exp_avgs, exp_avg_sqs, numbers
):  # tuples of flat arrays, and of seven numbers
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


@twin
def adamw_twin(addresses, sizes, first_tiles, tiles, numbers):  # (tensors, 4), (tensors,), (tensors,)
    """All tensors' tiles are numbered through; `first_tiles` says at which number each tensor begins."""
    for tile in prange(tiles):
        tensor = np.searchsorted(first_tiles, tile, side="right") - 1
        begin = (np.int64(tile) - first_tiles[tensor]) * TILE
        end = min(begin + TILE, sizes[tensor])
        # slices rather than i from begin on: that i is not negative must be plain, or nothing is vectorized
        param = carray(elements_at(addresses[tensor, 0], numbers[0]), end)[begin:]
        grad = carray(elements_at(addresses[tensor, 1], numbers[0]), end)[begin:]
        exp_avg = carray(elements_at(addresses[tensor, 2], numbers[0]), end)[begin:]
        exp_avg_sq = carray(elements_at(addresses[tensor, 3], numbers[0]), end)[begin:]
        for i in range(param.size):
            param[i], exp_avg[i], exp_avg_sq[i] = cpu_stepped(
                param[i], grad[i], exp_avg[i], exp_avg_sq[i], numbers
            )


def _launch(
    params: list[Tensor], grads: list[Tensor], exp_avgs: list[Tensor], exp_avg_sqs: list[Tensor],
    step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    numbers = (
        1 - lr * weight_decay, lr / (1 - beta1**step), 1 - beta1, beta2, 1 - beta2, math.sqrt(1 - beta2**step), eps
    )  # fmt: skip
    for fours in of_one_kind((params, grads, exp_avgs, exp_avg_sqs)):
        on_gpu = runs_on_gpu(fours[0][0])
        ordered, ready = gapless(fours, Tensor.contiguous if on_gpu else widened)
        real = np.float64 if fours[0][0].dtype == torch.float64 else np.float32
        (_step_on_gpu if on_gpu else _step_on_cpu)(ready, tuple(map(real, numbers)))
        write_back(ordered, ready, WRITTEN)
    # a graph that has kept one of them for its backward pass must notice
    torch.autograd.graph.increment_version((*params, *exp_avgs, *exp_avg_sqs))


def _step_on_gpu(fours: list[Group], numbers: tuple[Any, ...]) -> None:
    flat = [tuple(tensor.view(-1) for tensor in four) for four in fours if four[0].numel()]
    # a kernel is compiled for eight tensors and for one, not for every number between
    whole = len(flat) - len(flat) % AT_ONCE
    groups = [flat[first : first + AT_ONCE] for first in range(0, whole, AT_ONCE)]
    groups += [[four] for four in flat[whole:]]
    for group in groups:
        longest = max(four[0].numel() for four in group)
        grid = (min(blocks(longest, 4 * THREADS), MOST_BLOCKS),)
        launch(adamw_kernel, grid, (THREADS,), *zip(*group, strict=True), numbers)


def _step_on_cpu(fours: list[Group], numbers: tuple[Any, ...]) -> None:
    elements = sum(four[0].numel() for four in fours)
    adamw_twin(*tiles_of(fours), numbers, elements=elements)


def _fake(*arguments: Any) -> None:
    return None


def _ledger(
    params: Sequence[Tensor], grads: Sequence[Tensor], exp_avgs: Sequence[Tensor], exp_avg_sqs: Sequence[Tensor],
    *numbers: Any, **named: Any,
) -> Ledger:  # fmt: skip
    n = sum(param.numel() for param in params)
    roots = [imagine(sq, *sq.shape, dtype=sums_dtype(sq.dtype)) for sq in exp_avg_sqs]
    steps = (
        entry("mul_", params, params, n),
        entry("lerp_", (*exp_avgs, *grads), exp_avgs, 3 * n),
        entry("mul_", exp_avg_sqs, exp_avg_sqs, n),
        entry("addcmul_", (*exp_avg_sqs, *grads), exp_avg_sqs, 3 * n),
        entry("sqrt", exp_avg_sqs, roots, n),
        entry("div_", roots, roots, n),
        entry("add_", roots, roots, n),
        entry("addcdiv_", (*params, *exp_avgs, *roots), params, 3 * n),
    )
    reads, writes = (*params, *grads, *exp_avgs, *exp_avg_sqs), (*params, *exp_avgs, *exp_avg_sqs)
    return entry("adamw_step", reads, writes, n * FLOPS, steps)


adamw_step_operation = Operation(
    schema="adamw_step(Tensor(a!)[] params, Tensor[] grads, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs, "
    "SymInt step, float lr, float beta1, float beta2, float eps, float weight_decay) -> ()",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=tuple(
        Promise(
            adamw_kernel,
            (*[(1,) * tensors] * 4, (float,) * 7),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.625,
        )
        for tensors in (1, AT_ONCE)
    ),
)


def adamw_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    step: int | Tensor,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> None:
    """One step of AdamW, in place and outside autograd, as torch.optim.AdamW makes it.

    params, grads, exp_avgs, exp_avg_sqs: as many of each, alike in shape and device; gradients in their parameter's
    dtype, moments in it or, beside a half parameter, in float32. The moments begin at zero. step counts from 1; it may
    be a tensor of one element, which on a GPU is waited for. All layouts work; where the four share one without gaps
    (channels_last, say) nothing is copied.

    Raises TypeError for what is no tensor or of another dtype, ValueError for a length, shape, device or number that
    does not fit, before anything is written. Source: arXiv 1711.05101, algorithm 2.
    """
    given = {"params": params, "grads": grads, "exp_avgs": exp_avgs, "exp_avg_sqs": exp_avg_sqs}
    lists = {name: list(tensors) for name, tensors in given.items()}
    if has_torch_function(every := [tensor for tensors in lists.values() for tensor in tensors]):
        arguments = params, grads, exp_avgs, exp_avg_sqs, step, lr, betas, eps, weight_decay
        return handle_torch_function(adamw_step, every, *arguments)
    check_like_params(lists, moments=("exp_avgs", "exp_avg_sqs"))
    numbers = check_step(step), check_number("lr", lr), *check_betas(betas)
    more = check_number("eps", eps), check_number("weight_decay", weight_decay)
    if every:
        with torch.no_grad():
            adamw_step_operation(*lists.values(), *numbers, *more)
    return None
