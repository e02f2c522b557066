"""What attention's two passes agree on: shapes of heads and keys, and the scores in plain torch.

Each key head serves a group of heads. Their queries, one under the other, are the rows of one matrix, whose product
with the keys is then one product for the whole group, in plain torch as on the CPU.
"""

import math

import torch
from torch import Tensor

from kernels.arguments import sums_dtype, widened
from kernels.ledger import Ledger, entry, imagine


def check_heads(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Refuse what is not (batch, heads, time, width) three times, alike where it must be."""
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.dim() != 4:
            raise ValueError(f"{name} must have shape (batch, heads, time, width), got {tuple(tensor.shape)}")
        if tensor.dtype != q.dtype:
            raise TypeError(f"{name} must be {q.dtype} like q, got {tensor.dtype}")
        if tensor.device != q.device:
            raise ValueError(f"{name} must be on {q.device} like q, got {tensor.device}")
        if tensor.shape[0] != q.shape[0]:
            raise ValueError(f"{name} must have q's batch of {q.shape[0]}, got {tensor.shape[0]}")
    if k.shape[3] != q.shape[3]:
        raise ValueError(f"k must have q's width {q.shape[3]}, got {k.shape[3]}")
    if v.shape[1:3] != k.shape[1:3]:
        raise ValueError(f"v must have k's heads and keys {tuple(k.shape[1:3])}, got {tuple(v.shape[1:3])}")
    heads, key_heads = q.shape[1], k.shape[1]
    if heads != key_heads and (key_heads == 0 or heads == 0 or heads % key_heads):
        raise ValueError(f"k must have a number of heads that divides q's {heads}, got {key_heads}")


def check_scale(scale: float | None, q: Tensor) -> float:
    """scale as a float; None is 1/√width."""
    if scale is None:
        return 1 / math.sqrt(max(q.shape[3], 1))
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise TypeError(f"scale must be a number or None, got {type(scale).__name__}")
    if not math.isfinite(scale):
        raise ValueError(f"scale must be finite, got {scale}")
    return float(scale)


def grouped(heads: Tensor, k: Tensor) -> Tensor:
    """(batch, heads, time, …) without gaps as (batch × key heads, group, time, …)."""
    group = heads.shape[1] // max(k.shape[1], 1)
    return heads.view(k.shape[0] * k.shape[1], group, *heads.shape[2:])


def scores_of(q: Tensor, k: Tensor, causal: bool, scale: float) -> Tensor:
    """scale Q Kᵀ in plain torch, −inf where a key may not be seen: (batch × key heads, group × time, keys)."""
    rows, keys = grouped(widened(q), k), widened(k).flatten(0, 1)
    scores = torch.bmm(rows.flatten(1, 2), keys.mT) * scale
    if not causal:
        return scores
    time = q.shape[2], k.shape[2]
    future = torch.ones(time, dtype=torch.bool, device=q.device).triu(1)
    return scores.view(*rows.shape[:2], *time).masked_fill(future, -math.inf).view(scores.shape)


def score_steps(q: Tensor, k: Tensor, causal: bool) -> tuple[Ledger, ...]:
    """The ledger of that, step by step."""
    full = imagine(q, *q.shape[:-1], k.shape[2], dtype=sums_dtype(q.dtype))
    mask = imagine(q, q.shape[2], k.shape[2], dtype=torch.bool)
    steps = (
        entry("matmul", (q, k), (full,), 2 * full.numel() * q.shape[3]),
        entry("mul", (full,), (full,), full.numel()),
    )
    if not causal:
        return steps
    return (
        *steps,
        entry("ones", (), (mask,), 0),
        entry("triu", (mask,), (mask,), 0),
        entry("masked_fill", (full, mask), (full,), 0),
    )


def kept_keys(keys: Tensor, q: Tensor, causal: bool) -> Tensor:
    """The keys (or values) that any query may see: with `causal`, no more than there are queries."""
    return keys[:, :, : q.shape[2]] if causal else keys
