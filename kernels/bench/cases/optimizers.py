"""A step of AdamW over size² parameters in 32 tensors, 16 matrices of (size/4, size/4) and 16 vectors of size/4."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from kernels.bench.case import Arguments, Call, Case, Draw

OPTIONS = {"lr": 1e-3, "eps": 1e-8, "weight_decay": 0.01}
BETAS = (0.9, 0.999)


def _state(size: int, draw: Draw) -> Arguments:
    side = max(1, size // 4)
    shapes = ((side, side),) * 16 + ((side,),) * 16
    params, grads, averages, squares = ([draw.normal(*shape) for shape in shapes] for _ in range(4))
    return params, grads, averages, [square**2 for square in squares]


def _with_steps(params: list[Tensor], *state: Any) -> Arguments:
    """torch counts each parameter's steps in a tensor, on the CPU for its foreach way, on the device for the fused."""
    on_cpu = [torch.zeros(()) for _ in params]
    return params, *state, on_cpu, [count.to(params[0].device) for count in on_cpu]


def _foreach(params: Any, grads: Any, averages: Any, squares: Any, on_cpu: Any, on_device: Any) -> None:
    counted_in_graph = torch.compiler.is_compiling()  # as torch.optim has it where an optimizer is compiled
    _adamw(params, grads, averages, squares, [], on_cpu, foreach=True, capturable=counted_in_graph)


def _fused(params: Any, grads: Any, averages: Any, squares: Any, on_cpu: Any, on_device: Any) -> None:
    _adamw(params, grads, averages, squares, [], on_device, fused=True)


_adamw: Call = partial(adamw, amsgrad=False, beta1=BETAS[0], beta2=BETAS[1], maximize=False, **OPTIONS)  # type: ignore[arg-type]

CASES = (
    Case(
        "adamw_step",
        _state,
        _foreach,
        theirs=_with_steps,
        options={"step": 1, "betas": BETAS, **OPTIONS},
        others={"torch fused": _fused},
        kind="elementwise",
        trains=False,
        in_place=True,
    ),
)
