"""The gradients of SwiGLU in one pass: with y = silu(gate) up and g the gradient of y,

    ∂gate = g up silu′(gate),     ∂up = g silu(gate).

silu and its slope share one exponential, computed again from gate, which must be read anyway: nothing is kept from the
forward pass but its inputs.

Ledger for n elements of s bytes: fused reads g, gate and up and writes both gradients, 5ns bytes. Unfused, silu, two
products and silu_backward move 11ns.

Source: N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, equation 6; computed again in the backward pass
as in Liger Kernel, arXiv 2410.10989, section 3.2.
"""

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor

from kernels.arguments import as_rows, empty_rows, or_empty, rounded, wide_or_empty, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.pointwise.silu import cpu_silu_and_slope, gpu_silu_and_slope
from kernels.promises import Promise
from kernels.twin import twin

THREADS = 256  # of a block, four elements each


def reference(grad: Tensor, gate: Tensor, up: Tensor | None, need_up: bool) -> tuple[Tensor, Tensor]:
    """The same in plain torch; only the gradient of gate needs up, and one that is not needed comes back empty."""
    nothing = gate.new_empty(0)
    grad_gate = nothing if up is None else torch.ops.aten.silu_backward(grad * up, gate)
    return grad_gate, grad * F.silu(gate) if need_up else nothing


@gpu_kernel
def swiglu_backward_kernel(grad, gate, up, grad_gate, grad_up):  # one axis each; all but two may be empty
    first = 4 * cuda.grid(1)
    if first < gate.shape[0]:
        zero = real_of(gate)(0)
        grad_a, grad_b, grad_c, grad_d = load4(grad, first, zero)
        a, b, c, d = load4(gate, first, zero)
        (a, slope_a), (b, slope_b) = gpu_silu_and_slope(a), gpu_silu_and_slope(b)
        (c, slope_c), (d, slope_d) = gpu_silu_and_slope(c), gpu_silu_and_slope(d)
        if grad_up.size:
            store4(grad_up, first, grad_a * a, grad_b * b, grad_c * c, grad_d * d)
        if grad_gate.size:
            a, b, c, d = load4(up, first, zero)
            a, b = grad_a * a * slope_a, grad_b * b * slope_b
            store4(grad_gate, first, a, b, grad_c * c * slope_c, grad_d * d * slope_d)


@twin
def swiglu_backward_twin(grad, gate, up, grad_gate, grad_up):
    """A loop for each gradient alone and one for both, so that each can be vectorized; a gradient may be empty."""
    grad, gate, up = grad.ravel(), gate.ravel(), up.ravel()
    grad_gate, grad_up = grad_gate.ravel(), grad_up.ravel()
    if not grad_up.size:
        for i in prange(gate.size):
            _, slope = cpu_silu_and_slope(gate[i])
            grad_gate[i] = grad[i] * up[i] * slope
    elif not grad_gate.size:
        for i in prange(gate.size):
            value, _ = cpu_silu_and_slope(gate[i])
            grad_up[i] = grad[i] * value
    else:
        for i in prange(gate.size):
            value, slope = cpu_silu_and_slope(gate[i])
            grad_gate[i] = grad[i] * up[i] * slope
            grad_up[i] = grad[i] * value


def _launch(grad: Tensor, gate: Tensor, up: Tensor | None, need_up: bool) -> tuple[Tensor, Tensor]:
    if runs_on_gpu(gate):
        grad_gate, grad_up = _room(gate, up is not None), _room(gate, need_up)
        tensors = grad.contiguous(), gate.contiguous(), or_empty(up, gate), grad_gate, grad_up
        grid = (blocks(gate.numel(), 4 * THREADS),)
        launch(swiglu_backward_kernel, grid, (THREADS,), *(tensor.view(-1) for tensor in tensors))
        return grad_gate, grad_up
    wide = widened(gate)
    grad_gate, grad_up = _room(wide, up is not None), _room(wide, need_up)
    tensors = widened(grad), wide, wide_or_empty(up, wide), grad_gate, grad_up
    swiglu_backward_twin(*map(as_rows, tensors))
    return rounded(grad_gate, gate.dtype), rounded(grad_up, gate.dtype)


def _room(gate: Tensor, needed: bool) -> Tensor:
    return empty_rows(gate) if needed else gate.new_empty(0)


def _fake(grad: Tensor, gate: Tensor, up: Tensor | None, need_up: bool) -> tuple[Tensor, Tensor]:
    return gate.new_empty(0 if up is None else gate.shape), gate.new_empty(gate.shape if need_up else 0)


def _ledger(grad: Tensor, gate: Tensor, up: Tensor | None, need_up: bool = True) -> Ledger:
    n, full, steps = gate.numel(), imagine(gate, *gate.shape), []
    if up is not None:
        steps += [entry("mul", (grad, up), (full,), n), entry("silu_backward", (full, gate), (full,), n * 8)]
    if need_up:
        steps += [entry("silu", (gate,), (full,), n * 3), entry("mul", (grad, full), (full,), n)]
    writes, flops = (full,) * (len(steps) // 2), sum(step.flops for step in steps)
    return entry("swiglu_backward", (grad, gate, up), writes, flops, tuple(steps))


swiglu_backward_operation = Operation(
    schema="swiglu_backward(Tensor grad, Tensor gate, Tensor? up, bool need_up) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(swiglu_backward_kernel, (1, 1, 1, 1, 1), threads=THREADS, load_bytes=16, occupancy=1.0),
    ),
)
