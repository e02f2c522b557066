"""attention: causal or not, heads that share keys, keys of another number than queries, values of another width."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from kernels.catalog import OPERATIONS
from kernels.sequences import attention


def in_torch(q: Tensor, k: Tensor, v: Tensor, causal: bool = False, scale: float | None = None) -> Tensor:
    """torch's own, as products and a softmax."""
    with sdpa_kernel(SDPBackend.MATH):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale, enable_gqa=True)


def make(size: Size, draw: torch.Generator) -> Tensors:
    """size: (batch, heads, key heads, queries, keys, width, value width)."""
    batch, heads, key_heads, queries, keys, width, value_width = size
    return (
        normal(draw, batch, heads, queries, width),
        normal(draw, batch, key_heads, keys, width),
        normal(draw, batch, key_heads, keys, value_width),
    )


def _attention(name: str, causal: bool, scale: float | None, tiny: tuple[Size, ...]) -> Case:
    return Case(
        f"attention-{name}",
        lambda q, k, v: (attention(q, k, v, causal, scale),),
        lambda q, k, v: (in_torch(q, k, v, causal, scale),),
        make,
        sizes=(
            (1, 1, 1, 1, 1, 1, 1),
            (2, 4, 2, 67, 131, 16, 24),
            (1, 6, 1, 131, 67, 33, 7),
            (2, 3, 3, 300, 700, 64, 64),
            (1, 2, 2, 1031, 521, 80, 80),
            (3, 2, 1, 5, 3, 200, 1),
        ),
        tiny=tiny,
        empty=(
            (0, 2, 1, 3, 4, 8, 8),
            (2, 0, 0, 3, 4, 8, 8),
            (2, 4, 2, 0, 4, 8, 8),
            (2, 4, 2, 3, 0, 8, 8),
            (1, 2, 2, 3, 4, 8, 0),
            (0, 0, 0, 0, 0, 0, 0),
        ),
        extremes=not causal,  # where torch adds a mask of −inf to a score of inf, nan comes out
    )


CASES = (
    _attention("whole", False, None, ((1, 2, 1, 5, 7, 6, 6), (1, 1, 1, 3, 2, 9, 4))),
    _attention("causal", True, 0.3, ((1, 1, 1, 4, 3, 6, 6), (1, 4, 2, 3, 4, 5, 8))),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas; a causal call needs a query for each key to read it."""
    draw = torch.Generator().manual_seed(0)
    for causal in (False, True):
        for heads, key_heads, value_width in ((2, 2, 8), (4, 2, 12)):
            q = torch.randn(1, heads, 6, 8, generator=draw)
            k, v = (torch.randn(1, key_heads, 5, width, generator=draw) for width in (8, value_width))
            options = causal, 0.4
            yield "attention", (q, k, v, *options, False)
            yield "attention", (q, k, v, *options, True)
            out, logsumexp = OPERATIONS["attention"].launcher(q, k, v, *options, True)
            grad = torch.randn(out.shape, generator=draw)
            for needs in ((True, True), (True, False), (False, True)):
                yield "attention_backward", (grad, q, k, v, out, logsumexp, *options, *needs)


def _heads(*size: int) -> Tensor:
    return torch.randn(size or (1, 2, 3, 4))


REFUSED = {
    "a list": (TypeError, lambda: attention([1.0], _heads(), _heads()), "q must be a tensor, got list"),  # type: ignore[arg-type]
    "integers": (TypeError, lambda: attention(_heads(), _heads().int(), _heads()), "k must be float16"),
    "no batch": (
        ValueError,
        lambda: attention(_heads(2, 3, 4), _heads(), _heads()),
        r"q must have shape \(batch, heads, time, width\), got \(2, 3, 4\)",
    ),
    "mixed dtypes": (
        TypeError,
        lambda: attention(_heads(), _heads(), _heads().double()),
        "v must be torch.float32 like q, got torch.float64",
    ),
    "mixed devices": (
        ValueError,
        lambda: attention(_heads(), _heads().to("meta"), _heads()),
        "k must be on cpu like q, got meta",
    ),
    "another batch": (
        ValueError,
        lambda: attention(_heads(), _heads(2, 2, 3, 4), _heads()),
        "k must have q's batch of 1, got 2",
    ),
    "heads that do not divide": (
        ValueError,
        lambda: attention(_heads(), _heads(1, 3, 3, 4), _heads(1, 3, 3, 4)),
        "k must have a number of heads that divides q's 2, got 3",
    ),
    "no key heads": (
        ValueError,
        lambda: attention(_heads(), _heads(1, 0, 3, 4), _heads(1, 0, 3, 4)),
        "k must have a number of heads that divides q's 2, got 0",
    ),
    "another width": (
        ValueError,
        lambda: attention(_heads(), _heads(1, 2, 3, 5), _heads()),
        "k must have q's width 4, got 5",
    ),
    "fewer values than keys": (
        ValueError,
        lambda: attention(_heads(), _heads(), _heads(1, 2, 2, 4)),
        r"v must have k's heads and keys \(2, 3\), got \(2, 2\)",
    ),
    "a scale in words": (
        TypeError,
        lambda: attention(_heads(), _heads(), _heads(), scale="small"),  # type: ignore[arg-type]
        "scale must be a number or None, got str",
    ),
    "no finite scale": (
        ValueError,
        lambda: attention(_heads(), _heads(), _heads(), scale=float("nan")),
        "scale must be finite, got nan",
    ),
}
