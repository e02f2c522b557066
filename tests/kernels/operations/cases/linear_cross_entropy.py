"""linear_cross_entropy."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from cases.cross_entropy import classes, in_torch
from torch import Tensor

from kernels.losses import linear_cross_entropy

SIZES: tuple[Size, ...] = (
    (1, 1),
    (5, 1),
    (3, 7),
    (2, 1, 33),
    (6, 31, 19),
    (257, 64),
    (2, 1001),
    (4001, 3),
    (9,),
)


def _case(name: str, with_bias: bool, ignore_index: int, label_smoothing: float, reduction: str) -> Case:
    """As many classes as make two tiles on a GPU, where hidden is 33 wide."""
    options = ignore_index, label_smoothing, reduction

    def make(size: Size, draw: torch.Generator) -> Tensors:
        width, count = size[-1], 2 * size[-1] + 1
        hidden, weight = normal(draw, *size), normal(draw, count, width) / max(width, 1) ** 0.5
        target = classes(draw, size[:-1], count)
        return (hidden, weight, target, normal(draw, count)) if with_bias else (hidden, weight, target)

    def ours(hidden: Tensor, weight: Tensor, target: Tensor, bias: Tensor | None = None) -> Tensors:
        return (linear_cross_entropy(hidden, weight, target, bias, *options),)

    def torchs(hidden: Tensor, weight: Tensor, target: Tensor, bias: Tensor | None = None) -> Tensors:
        return (in_torch(F.linear(hidden, weight, bias), target, *options),)

    return Case(
        f"linear_cross_entropy-{name}",
        ours,
        torchs,
        make,
        sizes=SIZES,
        tiny=((3, 7), (2, 1, 36)),
        empty=() if reduction == "mean" else ((0, 5), (2, 0, 3)),  # the mean of none is NaN
        same_bits=False,  # torch multiplies
        weights=(1, 3) if with_bias else (1,),
    )


CASES = (
    _case("mean", False, -100, 0.0, "mean"),
    _case("mean-bias-smooth", True, 1, 0.1, "mean"),
    _case("none-bias", True, 1, 0.0, "none"),
    _case("none-smooth", False, -100, 0.3, "none"),
    _case("sum-bias", True, -100, 0.0, "sum"),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """No row is ignored; with and without bias, with gradients at once and later."""
    draw = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(3, 2, 8, generator=draw), torch.randn(10, 8, generator=draw)
    bias, target = torch.randn(10, generator=draw), torch.randint(10, (3, 2), generator=draw)
    normalizers = torch.rand(6, 2, generator=draw) + 5
    inputs = hidden, weight, target
    for reduction in ("mean", "sum", "none"):
        yield "linear_cross_entropy", (*inputs, None, -100, 0.0, reduction, [False, False, False])
        yield "linear_cross_entropy", (*inputs, bias, -100, 0.2, reduction, [False, False, False])
    yield "linear_cross_entropy", (*inputs, bias, -100, 0.2, "mean", [True, True, True])
    yield "linear_cross_entropy", (*inputs, None, -100, 0.0, "sum", [False, True, False])
    of_mean, of_rows = torch.randn((), generator=draw), torch.randn(3, 2, generator=draw)
    for grad, count in ((of_mean, torch.tensor(6.0)), (of_rows, torch.empty(0))):
        saved = normalizers, count
        yield "linear_cross_entropy_backward", (grad, *inputs, None, *saved, -100, 0.0, [True, True, False])
        for needs in ([True, True, True], [True, False, False], [False, True, False], [False, False, True]):
            yield "linear_cross_entropy_backward", (grad, *inputs, bias, *saved, -100, 0.2, needs)


def _hidden() -> Tensor:
    return torch.randn(3, 4)


def _target(*places: int) -> Tensor:
    return torch.tensor(places or (0, 1, 2))


REFUSED = {
    "a list": (
        TypeError,
        lambda: linear_cross_entropy([1.0], torch.ones(5, 4), _target()),  # type: ignore[arg-type]
        "hidden must be a tensor, got list",
    ),
    "no weight": (
        TypeError,
        lambda: linear_cross_entropy(_hidden(), None, _target()),  # type: ignore[arg-type]
        "weight must be a tensor, got NoneType",
    ),
    "a transposed weight": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(4, 5), _target()),
        r"weight must have shape \(classes, 4\), hidden's last axis, got \(4, 5\)",
    ),
    "a flat weight": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(4), _target()),
        r"weight must have shape \(classes, 4\).* got \(4,\)",
    ),
    "half weight": (
        TypeError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4).half(), _target()),
        "weight must be torch.float32 beside hidden in torch.float32, got torch.float16",
    ),
    "another half weight": (
        TypeError,
        lambda: linear_cross_entropy(_hidden().bfloat16(), torch.ones(5, 4).half(), _target()),
        "weight must be torch.bfloat16 or float32 beside hidden in torch.bfloat16, got torch.float16",
    ),
    "weight on another device": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4, device="meta"), _target()),
        "weight must be on cpu like hidden, got meta",
    ),
    "long bias": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(), torch.ones(4)),
        r"bias must have shape \(5,\), one number for each class, got \(4,\)",
    ),
    "double bias": (
        TypeError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(), torch.ones(5).double()),
        "bias must be torch.float32 beside hidden in torch.float32, got torch.float64",
    ),
    "probabilities": (
        TypeError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), torch.rand(3, 5)),
        r"target must hold class indices in int64 or int32, got torch.float32 \(class probabilities are not",
    ),
    "target": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(0, 1)),
        r"target must have shape \(3,\), an index for each row of hidden, got \(2,\)",
    ),
    "too large": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(0, 1, 5)),
        "target must be from 0 to 4, or ignore_index -100; got 5 in row 2",
    ),
    "label_smoothing": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(), label_smoothing=-0.1),
        "label_smoothing must be from 0 to 1, got -0.1",
    ),
    "reduction": (
        ValueError,
        lambda: linear_cross_entropy(_hidden(), torch.ones(5, 4), _target(), reduction="max"),
        'reduction must be "none", "mean" or "sum", got \'max\'',
    ),
}
