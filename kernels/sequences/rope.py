"""Rotary position embedding in one pass: each pair of numbers of a head is turned by an angle that grows with time.

With the pair (a, b) at time t, of frequency θ, and c = cos tθ, s = sin tθ,

    (a, b) → (a c − b s, b c + a s).

The product of a query at time t and a key at time u then depends on t − u alone. A head's pairs are its two halves
(a in the first, b in the second, as in GPT-NeoX and Llama) or neighbors (*interleaved*, as in the paper and GPT-J). The
backward pass turns the gradient back by the same angle: the same kernel with −s.

Ledger for n elements of s bytes and tables of m angles: fused reads x, cos and sin and writes y, (2n + 2m)s bytes.
Unfused, four products, a difference, a sum and the joining of the halves move (9n + 4m)s.

Source: J. Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, arXiv 2104.09864, section 3.4.2.
"""

import math
from typing import Any

import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import HALF, as_real, check_input, empty_rows, follow_autocast, rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Gradient, Operation
from kernels.promises import Promise
from kernels.twin import twin

THREADS = 256  # of a block, four pairs each
MOST_DEEP = 64  # threads that a block may have along its third axis


def reference(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """The same in plain torch, seven operations; half types are turned in float32."""
    wide, cos, sin = widened(x), cos[:, None], sin[:, None]  # cos and sin are the same for all heads
    a, b = (wide[..., 0::2], wide[..., 1::2]) if interleaved else wide.chunk(2, -1)
    pairs = a * cos - b * sin, b * cos + a * sin
    return rounded(torch.stack(pairs, -1).flatten(-2) if interleaved else torch.cat(pairs, -1), x.dtype)


def reference_backward(grad: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """The gradient of x in plain torch: a turn back."""
    return reference(grad, cos, -sin, interleaved)


@gpu_kernel
def rope_kernel(x, cos, sin, out, sign, interleaved):
    """x, out: (positions, heads, 2, width/2), interleaved (positions, heads, 1, width); cos, sin: (time, width/2).

    A thread keeps the cosines and sines of four pairs and goes over the heads.
    """
    position = cuda.blockIdx.x * cuda.blockDim.z + cuda.threadIdx.z
    if position < x.shape[0]:
        zero, time = real_of(x)(0), position % cos.shape[0]
        for pair in range(4 * cuda.threadIdx.x, cos.shape[1], 4 * cuda.blockDim.x):
            cos_0, cos_1, cos_2, cos_3 = load4(cos[time], pair, zero)
            sin_0, sin_1, sin_2, sin_3 = load4(sin[time], pair, zero)
            sin_0, sin_1, sin_2, sin_3 = sign * sin_0, sign * sin_1, sign * sin_2, sign * sin_3
            for head in range(cuda.threadIdx.y, x.shape[1], cuda.blockDim.y):
                if interleaved:
                    row, left = x[position, head, 0], 2 * pair
                    a_0, b_0, a_1, b_1 = load4(row, left, zero)
                    a_2, b_2, a_3, b_3 = load4(row, left + 4, zero)
                else:
                    a_0, a_1, a_2, a_3 = load4(x[position, head, 0], pair, zero)
                    b_0, b_1, b_2, b_3 = load4(x[position, head, 1], pair, zero)
                a_0, b_0 = a_0 * cos_0 - b_0 * sin_0, b_0 * cos_0 + a_0 * sin_0
                a_1, b_1 = a_1 * cos_1 - b_1 * sin_1, b_1 * cos_1 + a_1 * sin_1
                a_2, b_2 = a_2 * cos_2 - b_2 * sin_2, b_2 * cos_2 + a_2 * sin_2
                a_3, b_3 = a_3 * cos_3 - b_3 * sin_3, b_3 * cos_3 + a_3 * sin_3
                if interleaved:
                    row, left = out[position, head, 0], 2 * pair
                    store4(row, left, a_0, b_0, a_1, b_1)
                    store4(row, left + 4, a_2, b_2, a_3, b_3)
                else:
                    store4(out[position, head, 0], pair, a_0, a_1, a_2, a_3)
                    store4(out[position, head, 1], pair, b_0, b_1, b_2, b_3)


@twin
def rope_twin(x, cos, sin, out, sign, interleaved):
    """Shapes as for the kernel. The halves have a loop each: two results in one would keep it from being vectorized."""
    pairs = cos.shape[1]
    for position in prange(x.shape[0]):
        time = position % cos.shape[0]
        for head in range(x.shape[1]):
            row, turned = x[position, head], out[position, head]
            if interleaved:
                for pair in range(pairs):
                    a, b = row[0, 2 * pair], row[0, 2 * pair + 1]
                    c, s = cos[time, pair], sign * sin[time, pair]
                    turned[0, 2 * pair], turned[0, 2 * pair + 1] = a * c - b * s, b * c + a * s
            else:
                for pair in range(pairs):
                    turned[0, pair] = row[0, pair] * cos[time, pair] - row[1, pair] * (sign * sin[time, pair])
                for pair in range(pairs):
                    turned[1, pair] = row[1, pair] * cos[time, pair] + row[0, pair] * (sign * sin[time, pair])


def _turn(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool, sign: int) -> Tensor:
    *before, heads, width = x.shape
    parts = 1 if interleaved else 2
    shape = math.prod(before), heads, parts, width // parts
    if runs_on_gpu(x):
        out = empty_rows(x)
        grid, block = _launch_shape(shape[0], heads, width // 2)
        tensors = x.contiguous().view(shape), cos.contiguous(), sin.contiguous(), out.view(shape)
        launch(rope_kernel, grid, block, *tensors, as_real(sign, x), interleaved)
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    rope_twin(wide.view(shape), widened(cos), widened(sin), out.view(shape), as_real(sign, wide), interleaved)
    return rounded(out, x.dtype)


def _launch_shape(positions: int, heads: int, pairs: int) -> tuple[tuple[int], tuple[int, int, int]]:
    """Blocks of pairs by heads by positions: as many threads for the first two as there is work, the rest deep."""
    across = min(_power_of_two(blocks(pairs, 4)), THREADS)
    down = min(_power_of_two(heads), THREADS // across)
    deep = min(THREADS // (across * down), MOST_DEEP)
    return (blocks(positions, deep),), (across, down, deep)


def _power_of_two(number: int) -> int:
    """The next one from `number` on."""
    return 1 << max(number - 1, 0).bit_length()


def _fake(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    return x.new_empty(x.shape)


def _steps(x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Ledger, ...]:
    n, full, half = x.numel(), imagine(x, *x.shape), imagine(x, *x.shape[:-1], x.shape[-1] // 2)
    products = [entry("mul", (half, table), (half,), n // 2) for table in (cos, sin, cos, sin)]
    sums = [entry(name, (half, half), (half,), n // 2) for name in ("sub", "add")]
    return (*products, *sums, entry("cat", (half, half), (full,), 0))


def _ledger(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Ledger:
    return entry("rope", (x, cos, sin), (imagine(x, *x.shape),), 3 * x.numel(), _steps(x, cos, sin))


def _ledger_backward(grad: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Ledger:
    steps = entry("neg", (sin,), (imagine(sin, *sin.shape),), sin.numel()), *_steps(grad, cos, sin)
    flops = sum(step.flops for step in steps)
    return entry("rope_backward", (grad, cos, sin), (imagine(grad, *grad.shape),), flops, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, cos, sin, ctx.interleaved = inputs
    ctx.save_for_backward(cos, sin)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
    return rope_backward_operation(grad, *ctx.saved_tensors, ctx.interleaved), None, None, None


# half of the warps are enough: each thread has 32 bytes of x under way, twice what a copy has
PROMISE = Promise(rope_kernel, (4, 2, 2, 4, float, bool), threads=THREADS, load_bytes=16, occupancy=0.5)

rope_operation = Operation(
    schema="rope(Tensor x, Tensor cos, Tensor sin, bool interleaved) -> Tensor",
    launcher=lambda x, cos, sin, interleaved: _turn(x, cos, sin, interleaved, 1),
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(PROMISE,),
)

rope_backward_operation = Operation(
    schema="rope_backward(Tensor grad, Tensor cos, Tensor sin, bool interleaved) -> Tensor",
    launcher=lambda grad, cos, sin, interleaved: _turn(grad, cos, sin, interleaved, -1),
    fake=_fake,
    reference=reference_backward,
    ledger=_ledger_backward,
    promises=(PROMISE,),
)


def rope(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """Turn each pair of numbers in each head by the angle of its time and frequency.

    x: (..., time, heads, width) with an even width; cos, sin: (time, width/2), in x's dtype or, beside half types,
    float32. The result has x's shape and dtype. Pair i is (x[i], x[i + width/2]), interleaved (x[2i], x[2i + 1]).
    Gradients flow to x alone: cos or sin that require one are refused, as they would be left without.

    Raises TypeError for a dtype and ValueError for a shape, device or table that does not fit.
    Source: arXiv 2104.09864, section 3.4.2, equation 34.
    """
    if has_torch_function((x, cos, sin)):
        return handle_torch_function(rope, (x, cos, sin), x, cos, sin, interleaved)
    check_input("x", x)
    check_input("cos", cos)
    check_input("sin", sin)
    x, cos = follow_autocast((x,), cos)
    x, sin = follow_autocast((x,), sin)
    if x.dim() < 3 or x.shape[-1] % 2:
        raise ValueError(f"x must be (..., time, heads, width) with an even width, got {tuple(x.shape)}")
    _check_table("cos", cos, x)
    _check_table("sin", sin, x)
    return rope_operation(x, cos, sin, interleaved)


def _check_table(name: str, table: Tensor, x: Tensor) -> None:
    if table.dtype != x.dtype and not (x.dtype in HALF and table.dtype == torch.float32):
        beside = " or float32" if x.dtype in HALF else ""
        raise TypeError(f"{name} must be {x.dtype}{beside} beside x in {x.dtype}, got {table.dtype}")
    expected = (x.shape[-3], x.shape[-1] // 2)
    if table.shape != expected:
        raise ValueError(f"{name} must be (time, width/2) = {expected}, got {tuple(table.shape)}")
    if table.device != x.device:
        raise ValueError(f"{name} must be on {x.device} like x, got {table.device}")
    if table.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            f"{name} has no gradient here: give {name}.detach(), or use the reference in plain torch"
        )
