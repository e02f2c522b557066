"""SwiGLU in one pass: y = silu(gate) up, with silu as in silu.py.

A gated linear unit multiplies two projections of the same input, one of them through an activation. The projections
are matrix multiplications; what stands between them and the next one is this.

Ledger for n elements of s bytes: fused reads gate and up and writes y, 3ns bytes. Unfused, silu(gate) goes to memory
and comes back: 5ns.

Source: N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, equation 6.
"""

from typing import Any

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_rows, check_alike, check_input, empty_rows, follow_autocast, rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Gradient, Operation
from kernels.pointwise.silu import cpu_silu, gpu_silu
from kernels.pointwise.swiglu_backward import THREADS, swiglu_backward_operation
from kernels.promises import Promise
from kernels.twin import twin


def reference(gate: Tensor, up: Tensor) -> Tensor:
    """The same in plain torch: two operations, with silu(gate) in memory between them."""
    return F.silu(gate) * up


@gpu_kernel
def swiglu_kernel(gate, up, out):  # one axis each: where rows begin does not matter
    first = 4 * cuda.grid(1)
    if first < gate.shape[0]:
        zero = real_of(gate)(0)
        a, b, c, d = load4(gate, first, zero)
        up_a, up_b, up_c, up_d = load4(up, first, zero)
        a, b, c, d = gpu_silu(a) * up_a, gpu_silu(b) * up_b, gpu_silu(c) * up_c, gpu_silu(d) * up_d
        store4(out, first, a, b, c, d)


@twin
def swiglu_twin(gate, up, out):  # made flat here, where it costs nothing
    gate, up, out = gate.ravel(), up.ravel(), out.ravel()
    for i in prange(gate.size):
        out[i] = cpu_silu(gate[i]) * up[i]


def _launch(gate: Tensor, up: Tensor) -> Tensor:
    if runs_on_gpu(gate):
        out = empty_rows(gate)
        tensors = [tensor.contiguous().view(-1) for tensor in (gate, up, out)]
        launch(swiglu_kernel, (blocks(gate.numel(), 4 * THREADS),), (THREADS,), *tensors)
        return out
    wide = widened(gate)
    out = torch.empty_like(wide)
    swiglu_twin(as_rows(wide), as_rows(widened(up)), as_rows(out))
    return rounded(out, gate.dtype)


def _fake(gate: Tensor, up: Tensor) -> Tensor:
    return gate.new_empty(gate.shape)


def _ledger(gate: Tensor, up: Tensor) -> Ledger:
    n, full = gate.numel(), imagine(gate, *gate.shape)
    steps = entry("silu", (gate,), (full,), n * 3), entry("mul", (full, up), (full,), n)
    return entry("swiglu", (gate, up), (full,), n * 4, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    gate, up = ctx.saved_tensors
    need_gate, need_up = ctx.needs_input_grad
    grad_gate, grad_up = swiglu_backward_operation(grad, gate, up if need_gate else None, need_up)
    return grad_gate if need_gate else None, grad_up if need_up else None


swiglu_operation = Operation(
    schema="swiglu(Tensor gate, Tensor up) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(Promise(swiglu_kernel, (1, 1, 1), threads=THREADS, load_bytes=16, occupancy=1.0),),
)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) · up, read and written once.

    gate, up: (..., width) alike in shape, dtype and device; the result too. Gradients flow to both.

    Raises TypeError for a dtype and ValueError for a shape or device that does not fit.
    Source: arXiv 2002.05202, equation 6.
    """
    if has_torch_function((gate, up)):
        return handle_torch_function(swiglu, (gate, up), gate, up)
    check_input("gate", gate)
    check_input("up", up)
    gate, up, _ = follow_autocast((gate, up), None)
    check_alike("up", up, gate, like="gate")
    return swiglu_operation(gate, up)
