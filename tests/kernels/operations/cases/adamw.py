"""adamw_step, seen as a function: it steps copies of its inputs and returns them."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import Case, Size, Tensors, normal
from torch import Tensor
from torch.optim.adamw import adamw

import kernels

STEP, LR, BETAS, EPS, DECAY = 3, 0.05, (0.9, 0.99), 1e-6, 0.1
MANY = 11  # tensors: more than a launch takes, and some are left over


def _make(size: Size, draw: torch.Generator) -> Tensors:
    param, grad, exp_avg = (normal(draw, *size) for _ in range(3))
    return param, grad, exp_avg, normal(draw, *size).square()


def _ours(*four: Tensor) -> Tensors:
    param, grad, exp_avg, exp_avg_sq = (tensor.clone() for tensor in four)
    kernels.adamw_step([param], [grad], [exp_avg], [exp_avg_sq], STEP, LR, BETAS, EPS, DECAY)
    return param, exp_avg, exp_avg_sq


def _ours_in_pieces(*four: Tensor) -> Tensors:
    param, grad, exp_avg, exp_avg_sq = (
        tensor.clone(memory_format=torch.contiguous_format) for tensor in four
    )
    pieces = [tensor.view(-1).tensor_split(MANY) for tensor in (param, grad, exp_avg, exp_avg_sq)]
    kernels.adamw_step(*pieces, STEP, LR, BETAS, EPS, DECAY)
    return param, exp_avg, exp_avg_sq


def _torchs(*four: Tensor) -> Tensors:
    param, grad, exp_avg, exp_avg_sq = (tensor.clone() for tensor in four)
    adamw(
        [param], [grad], [exp_avg], [exp_avg_sq], [], [torch.tensor(STEP - 1.0)], foreach=False, amsgrad=False,
        beta1=BETAS[0], beta2=BETAS[1], lr=LR, weight_decay=DECAY, eps=EPS, maximize=False,
    )  # fmt: skip
    return param, exp_avg, exp_avg_sq


CASES = tuple(
    Case(name, ours, _torchs, _make, kept=(0, 1, 2, 3), transforms=False)
    for name, ours in (("adamw_step", _ours), ("adamw_step-pieces", _ours_in_pieces))
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """None: what is done to its arguments is looked at in test_adamw.py."""
    return iter(())


def _refused(expected: type[Exception], message: str, **changed: Any) -> Any:
    def call() -> None:
        lists = {
            name: [torch.ones(3, 4), torch.ones(5)] for name in ("params", "grads", "exp_avgs", "exp_avg_sqs")
        }
        kernels.adamw_step(**lists | {"step": 1, "lr": 1e-3} | changed)

    return expected, call, message


def _two(second: Any) -> list[Any]:
    return [torch.ones(3, 4), second]


_same = torch.ones(3, 4)
REFUSED = {
    "None for a gradient": _refused(TypeError, r"grads\[1\] must be a tensor, got NoneType", grads=_two(None)),
    "a number for a parameter": _refused(TypeError, r"params\[1\] must be a tensor, got float", params=_two(1.0)),
    "one gradient": _refused(ValueError, "grads must be 2 tensors, as params are, got 1", grads=_two(0)[:1]),
    "whole numbers": _refused(
        TypeError, r"params\[1\] must be float16, .* got torch.int64", params=_two(torch.ones(5).long())
    ),
    "one twice": _refused(ValueError, "params must be different tensors", params=[_same, _same]),
    "half gradient": _refused(
        TypeError, r"grads\[1\] must be torch.float32, .* got torch.float16", grads=_two(torch.ones(5).half())
    ),
    "wide moment": _refused(
        TypeError, r"exp_avgs\[1\] must be torch.float32, .* got torch.float64", exp_avgs=_two(torch.ones(5).double())
    ),
    "short moment": _refused(
        ValueError, r"sqs\[1\] must have its parameter's shape \(5,\), got \(4,\)", exp_avg_sqs=_two(torch.ones(4))
    ),
    "other device": _refused(
        ValueError, r"grads\[1\] must be on cpu like its parameter, got meta", grads=_two(torch.ones(5, device="meta"))
    ),
    "expanded": _refused(
        ValueError, r"exp_avgs\[1\] must not be expanded", exp_avgs=_two(torch.ones(1).expand(5))
    ),
    "sparse gradient": _refused(
        TypeError, r"grads\[1\] must be torch.strided, .* got torch.sparse_coo", grads=_two(torch.ones(5).to_sparse())
    ),
    "step zero": _refused(ValueError, "step must be 1 or more, got 0", step=0),
    "step a fraction": _refused(TypeError, "step must be a whole number, got float", step=1.5),
    "many steps": _refused(ValueError, "step must be a tensor of one element, got shape", step=torch.ones(2)),
    "negative lr": _refused(ValueError, "lr must be finite and 0 or more, got -1", lr=-1),
    "nan for lr": _refused(ValueError, "lr must be finite and 0 or more, got nan", lr=float("nan")),
    "text for lr": _refused(TypeError, "lr must be a number, got str", lr="1"),
    "beta of one": _refused(
        ValueError, r"betas\[1\] must be less than 1, got 1.0", betas=(0.9, 1.0)
    ),
    "one beta": _refused(ValueError, "betas must be two numbers", betas=(0.9,)),
    "negative eps": _refused(ValueError, "eps must be finite and 0 or more", eps=-1e-8),
    "endless decay": _refused(ValueError, "weight_decay must be finite and 0 or more", weight_decay=float("inf")),
}  # fmt: skip
