"""Dropout and residual addition in one pass: y = residual + dropout(x), as transformers do after every layer.

The mask is computed, never stored (dropout.py), and computed again for the gradients:

    ∂x = dropout(g) with the same mask,     ∂residual = g.

Ledger for n elements of s bytes: fused reads x, residual and the seed and writes y, 3ns + 8 bytes; backward reads g and
the seed and writes ∂x, 2ns + 8. Unfused, the mask is a byte an element: to multiply by it, scale and add moves
(5s + 1)n, to multiply and scale the gradient (4s + 1)n, and the making of the mask is not even counted.

Source: N. Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 15, 2014, section
10; residual dropout: A. Vaswani et al., Attention Is All You Need, arXiv 1706.03762, section 5.4.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import check_alike, check_input, follow_autocast
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Gradient, Operation
from kernels.pointwise.dropout import PROMISE, dropped, kept, scale

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def reference(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    """The same in plain torch, given the mask: two operations."""
    return torch.add(residual, x * kept(x, p, seed), alpha=scale(p))


def reference_backward(grad: Tensor, p: float, seed: Tensor) -> Tensor:
    """The gradient of x in plain torch, given the mask: two operations."""
    return grad * kept(grad, p, seed) * scale(p)


def _fake(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _fake_backward(grad: Tensor, p: float, seed: Tensor) -> Tensor:
    return grad.new_empty(grad.shape)


def _ledger(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Ledger:
    n, full, mask = x.numel(), imagine(x, *x.shape), imagine(x, *x.shape, dtype=torch.bool)
    steps = (
        entry("item", (seed,), (), 0),  # then the mask is made: integer work, of which nothing is counted
        entry("mul", (x, mask), (full,), n),
        entry("add", (residual, full), (full,), 2 * n),
    )
    return entry("dropout_add", (x, residual, seed), (full,), 3 * n, steps)


def _ledger_backward(grad: Tensor, p: float, seed: Tensor) -> Ledger:
    n, full, mask = grad.numel(), imagine(grad, *grad.shape), imagine(grad, *grad.shape, dtype=torch.bool)
    steps = (
        entry("item", (seed,), (), 0),
        entry("mul", (grad, mask), (full,), n),
        entry("mul", (full,), (full,), n),
    )
    return entry("dropout_add_backward", (grad, seed), (full,), 2 * n, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, _, ctx.p, seed = inputs
    ctx.save_for_backward(seed)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    (seed,) = ctx.saved_tensors
    need_x, need_residual, *_ = ctx.needs_input_grad
    grad_x = dropout_add_backward_operation(grad, ctx.p, seed) if need_x else None
    return grad_x, grad if need_residual else None, None, None


dropout_add_operation = Operation(
    schema="dropout_add(Tensor x, Tensor residual, float p, Tensor seed) -> Tensor",
    launcher=dropped,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(PROMISE,),
)

dropout_add_backward_operation = Operation(
    schema="dropout_add_backward(Tensor grad, float p, Tensor seed) -> Tensor",
    launcher=lambda grad, p, seed: dropped(grad, None, p, seed),
    fake=_fake_backward,
    reference=reference_backward,
    ledger=_ledger_backward,
    promises=(PROMISE,),
)


def dropout_add(x: Tensor, residual: Tensor, p: float, seed: int | Tensor, training: bool = True) -> Tensor:
    """residual + dropout(x, p), read and written once, the mask neither stored nor read.

    x, residual: (..., width) alike in shape, dtype and device; the result too. Each element of x is dropped with
    probability p, from 0 to 1, the others are divided by 1 − p. The mask depends on seed and on the element's index
    alone: take another seed in every call. seed: an int of 64 bits, or an integer tensor with one element on x's
    device, which is read there. Without `training` this is x + residual. Gradients flow to x and residual.

    Raises TypeError for a dtype and ValueError for a shape, device, p or seed that does not fit.
    Source: JMLR 15, 2014, pages 1929-1958; the random words: SC11 (Philox).
    """
    if has_torch_function((x, residual, seed)):
        return handle_torch_function(dropout_add, (x, residual, seed), x, residual, p, seed, training)
    check_input("x", x)
    check_input("residual", residual)
    x, residual, _ = follow_autocast((x, residual), None)
    check_alike("residual", residual, x)
    if isinstance(p, bool) or not isinstance(p, (int, float)):
        raise TypeError(f"p must be a number, got {type(p).__name__}")
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
    _check_seed(seed, x)
    if p == 0 or not training:
        return x + residual
    if isinstance(seed, int):  # filled in where x is: a copy from the CPU would make it wait for the GPU
        seed = torch.full((1,), seed, dtype=torch.int64, device=x.device)
    return dropout_add_operation(x, residual, float(p), seed)


def _check_seed(seed: int | Tensor, x: Tensor) -> None:
    if isinstance(seed, Tensor):
        if seed.dtype not in INTEGERS:
            raise TypeError(f"seed must be an int or an integer tensor, got {seed.dtype}")
        if seed.numel() != 1:
            raise ValueError(f"seed must have one element, got shape {tuple(seed.shape)}")
        if seed.device != x.device:
            raise ValueError(f"seed must be on {x.device} like x, got {seed.device}")
    elif isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int or an integer tensor, got {type(seed).__name__}")
    elif not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must be from -2**63 to 2**63 - 1, got {seed}")
