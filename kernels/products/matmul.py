"""A product of matrices with bias and activation in one pass: y = f(A B + bias), the whole of a linear layer.

A product of (m, k) and (k, n) does 2mnk FLOPs on mk + kn + mn numbers, so a large one is bound by arithmetic. What
follows it is bound by memory: bias and activation in kernels of their own carry the result four times more, to memory
and back. In the epilogue of the product they are free (see epilogue.py; the product itself is in product.py).

Ledger for elements of s bytes: fused reads a, b and bias and writes y, (mk + kn + n + mn)s bytes. Unfused, addition and
activation move 4mns more. Where a gradient will be wanted, GELU and SiLU write z = A B + bias as well, mns.

Source: NVIDIA, cuBLAS Library, "cublasLtEpilogue_t".
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import HALF, check_input, multiplied_under_autocast
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Gradient, Operation
from kernels.products.epilogue import ACTIVATE, FLOPS, check_activation, keeps
from kernels.products.matmul_backward import matmul_backward_operation
from kernels.products.product import PROMISES, product


def reference(
    a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str | None = None, keep: bool = False
) -> tuple[Tensor, Tensor]:
    """The same in plain torch: up to three operations; the second result is z, or empty."""
    z = torch.mm(_rows(a), b.to(a.dtype))
    if bias is not None:
        z = z + bias.to(a.dtype)
    z = z.view(*a.shape[:-1], b.shape[1])
    return ACTIVATE[activation](z), z if keep else z.new_empty(0)


def _rows(a: Tensor) -> Tensor:
    """a, in any layout, as (rows, depth)."""
    return a if a.dim() == 2 else a.reshape(math.prod(a.shape[:-1]), a.shape[-1])


def _launch(
    a: Tensor, b: Tensor, bias: Tensor | None, activation: str | None, keep: bool
) -> tuple[Tensor, Tensor]:
    out, kept = product(_rows(a), b, a.dtype, bias, activation, keep)
    shape = (*a.shape[:-1], b.shape[1])
    kept = kept.view(shape if keep else 0)
    return out if a.dim() == 2 else out.view(shape), kept


def _fake(
    a: Tensor, b: Tensor, bias: Tensor | None, activation: str | None, keep: bool
) -> tuple[Tensor, Tensor]:
    shape = (*a.shape[:-1], b.shape[1])
    return a.new_empty(shape), a.new_empty(shape if keep else 0)


def _ledger(
    a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str | None = None, keep: bool = False
) -> Ledger:
    full = imagine(a, *a.shape[:-1], b.shape[1])
    n = full.numel()
    steps = [entry("mm", (a, b), (full,), 2 * n * a.shape[-1])]
    steps += [] if bias is None else [entry("add", (full, bias), (full,), n)]
    steps += [] if activation is None else [entry(activation, (full,), (full,), n * FLOPS[activation])]
    writes, flops = (full, full) if keep else (full,), sum(step.flops for step in steps)
    return entry("matmul", (a, b, bias), writes, flops, tuple(steps))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    a, b, bias, ctx.activation, keep = inputs
    need_a, need_b, *_ = ctx.needs_input_grad
    out, kept = output
    ctx.b_dtype, ctx.bias_dtype = b.dtype, None if bias is None else bias.dtype
    for_slope = kept if keep else out if ctx.activation == "relu" else None
    ctx.save_for_backward(a if need_b else None, b if need_a else None, for_slope)
    ctx.mark_non_differentiable(kept)
    ctx.set_materialize_grads(False)  # rather than zeros in the shape of z, for its gradient


def _backward(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None, None, None, None
    need_a, need_b, need_bias, *_rest = ctx.needs_input_grad
    b_dtype, bias_dtype = ctx.b_dtype if need_b else None, ctx.bias_dtype if need_bias else None
    grad_a, grad_b, grad_bias = matmul_backward_operation(
        grad, *ctx.saved_tensors, ctx.activation, b_dtype, bias_dtype
    )
    return (
        grad_a if need_a else None,
        grad_b if need_b else None,
        grad_bias if need_bias else None,
        None,
        None,
    )


matmul_operation = Operation(
    schema="matmul(Tensor a, Tensor b, Tensor? bias, str? activation, bool keep) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=PROMISES,
)


def matmul(a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str | None = None) -> Tensor:
    """f(a @ b + bias) in one pass: a linear layer with its activation.

    a: (..., depth), b: (depth, width), bias: (width,) or None; the result is (..., width) in a's dtype. activation is
    None, "relu", "gelu", "gelu_tanh" (its tanh approximation) or "silu". A transposed b, such as a linear layer's
    weight.t(), is taken as it is, without a copy. Gradients flow to a, b and bias.

    Raises TypeError for a dtype and ValueError for a shape, device or activation that does not fit; a batch of
    matrices b is refused.
    """
    if has_torch_function((a, b, bias)):
        return handle_torch_function(matmul, (a, b, bias), a, b, bias, activation)
    check_input("a", a)
    check_input("b", b)
    if bias is not None:
        check_input("bias", bias)
    a, b, bias = multiplied_under_autocast(a, b, bias)
    _check(a, b, bias)
    check_activation(activation)
    return matmul_operation(a, b, bias, activation, keeps(activation, a, b, bias))[0]


def _check(a: Tensor, b: Tensor, bias: Tensor | None) -> None:
    """Refuse factors and a bias that do not fit together."""
    if b.dim() != 2:
        raise ValueError(
            f"b must be a matrix (depth, width), got {b.dim()} axes; torch.bmm multiplies batches"
        )
    if a.shape[-1] != b.shape[0]:
        raise ValueError(f"b must have {a.shape[-1]} rows, a's last axis, got shape {tuple(b.shape)}")
    if bias is not None and bias.shape != b.shape[1:]:
        raise ValueError(f"bias must have shape {tuple(b.shape[1:])}, b's last axis, got {tuple(bias.shape)}")
    for name, tensor in (("b", b), ("bias", bias)):
        if tensor is None:
            continue
        if tensor.dtype != a.dtype and not (a.dtype in HALF and tensor.dtype == torch.float32):
            beside = " or float32" if a.dtype in HALF else ""
            raise TypeError(f"{name} must be {a.dtype}{beside} beside a in {a.dtype}, got {tensor.dtype}")
        if tensor.device != a.device:
            raise ValueError(f"{name} must be on {a.device} like a, got {tensor.device}")
