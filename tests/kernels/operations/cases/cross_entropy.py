"""cross_entropy."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.losses import cross_entropy

SIZES: tuple[Size, ...] = (
    (1, 1), (5, 1), (3, 7), (2, 1, 33), (1, 4099), (6, 101, 67), (513, 257), (2, 70001), (4001, 3), (9,)
)  # fmt: skip


def classes(draw: torch.Generator, shape: Size, count: int) -> Tensor:
    """Random targets, the first of them 0, so that a row is left where one class is ignored."""
    target = torch.randint(count, shape, generator=draw)
    target.view(-1)[:1] = 0
    return target


def in_torch(logits: Tensor, target: Tensor, *options: Any) -> Tensor:
    """torch.nn.functional's, with the classes on the last axis."""
    ignore_index, label_smoothing, reduction = options
    loss = F.cross_entropy(
        logits.reshape(target.numel(), logits.shape[-1]),
        target.reshape(-1),
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss.reshape(target.shape) if reduction == "none" else loss


def _case(name: str, ignore_index: int, label_smoothing: float, reduction: str) -> Case:
    options = ignore_index, label_smoothing, reduction

    def make(size: Size, draw: torch.Generator) -> Tensors:
        return normal(draw, *size), classes(draw, size[:-1], size[-1])

    return Case(
        f"cross_entropy-{name}",
        lambda logits, target: (cross_entropy(logits, target, *options),),
        lambda logits, target: (in_torch(logits, target, *options),),
        make,
        sizes=SIZES,
        empty=() if reduction == "mean" else ((0, 5), (2, 0, 3)),  # the mean of none is NaN
    )


CASES = (
    _case("mean", -100, 0.0, "mean"),
    _case("mean-smooth", 1, 0.1, "mean"),
    _case("none", 1, 0.0, "none"),
    _case("none-smooth", -100, 0.3, "none"),
    _case("sum", 1, 1.0, "sum"),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """No row is ignored: the ledger counts all of them, and a kernel does not read the logits of one that is."""
    draw = torch.Generator().manual_seed(0)
    for shape in ((6, 5), ()):
        logits = torch.randn(*shape, 10, generator=draw)
        target = torch.randint(10, shape, generator=draw)
        rows = target.numel()
        normalizers = torch.stack((logits.amax(-1), torch.rand(shape, generator=draw) + 1), -1).view(rows, 2)
        for smoothing in (0.0, 0.2):
            for reduction in ("mean", "sum", "none"):
                yield "cross_entropy", (logits, target, -100, smoothing, reduction)
                grad = torch.randn(shape if reduction == "none" else (), generator=draw)
                count = torch.full(() if reduction == "mean" else (0,), float(rows))
                saved = normalizers, count
                yield "cross_entropy_backward", (grad, logits, target, *saved, -100, smoothing)


def _logits() -> Tensor:
    return torch.randn(3, 4)


def _target(*places: int) -> Tensor:
    return torch.tensor(places or (0, 1, 2))


REFUSED = {
    "a list": (
        TypeError,
        lambda: cross_entropy([1.0], _target()),  # type: ignore[arg-type]
        "logits must be a tensor, got list",
    ),
    "whole logits": (
        TypeError,
        lambda: cross_entropy(_logits().int(), _target()),
        "logits must be float16, bfloat16, float32 or float64, got torch.int32",
    ),
    "a scalar": (
        ValueError,
        lambda: cross_entropy(torch.tensor(1.0), _target()),
        "logits must have at least",
    ),
    "target a list": (
        TypeError,
        lambda: cross_entropy(_logits(), [0, 1, 2]),  # type: ignore[arg-type]
        "target must be a tensor, got list",
    ),
    "probabilities": (
        TypeError,
        lambda: cross_entropy(_logits(), _logits().softmax(-1)),
        r"target must hold class indices in int64 or int32, got torch.float32 \(class probabilities are not",
    ),
    "bytes": (
        TypeError,
        lambda: cross_entropy(_logits(), _target().byte()),
        "target must hold class indices in int64 or int32, got torch.uint8",
    ),
    "long target": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(0, 1, 2, 3)),
        r"target must have shape \(3,\), an index for each row of logits, got \(4,\)",
    ),
    "classes on another axis": (
        ValueError,
        lambda: cross_entropy(torch.randn(2, 4, 3), torch.zeros(2, 3, dtype=torch.int64)),
        r"target must have shape \(2, 4\).* got \(2, 3\)",
    ),
    "another device": (
        ValueError,
        lambda: cross_entropy(_logits(), _target().to("meta")),
        "target must be on cpu like logits, got meta",
    ),
    "too large": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(0, 4, 9)),
        "target must be from 0 to 3, or ignore_index -100; got 4 in row 1",
    ),
    "negative": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(-100, 3, -1)),
        "target must be from 0 to 3, or ignore_index -100; got -1 in row 2",
    ),
    "ignore_index": (
        TypeError,
        lambda: cross_entropy(_logits(), _target(), ignore_index=0.0),  # type: ignore[arg-type]
        "ignore_index must be an int, got float",
    ),
    "label_smoothing": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(), label_smoothing=1.1),
        "label_smoothing must be from 0 to 1, got 1.1",
    ),
    "label_smoothing a nan": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(), label_smoothing=float("nan")),
        "label_smoothing must be from 0 to 1, got nan",
    ),
    "label_smoothing a string": (
        TypeError,
        lambda: cross_entropy(_logits(), _target(), label_smoothing="0.1"),  # type: ignore[arg-type]
        "label_smoothing must be a number, got str",
    ),
    "reduction": (
        ValueError,
        lambda: cross_entropy(_logits(), _target(), reduction="batchmean"),
        'reduction must be "none", "mean" or "sum", got \'batchmean\'',
    ),
}
