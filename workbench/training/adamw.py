"""AdamW as an optimizer object: torch.optim.AdamW's state and settings, `kernels.adamw_step`'s single pass.

    from workbench.training.adamw import AdamW  # by its full name: it imports Numba, which training alone does not

    fit(model, train, epochs=3, batch=64, learning_rate=1e-3, optimizer=AdamW)

State dicts go both ways between this one and torch's: a run can be begun with the one and resumed with the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import kernels


class AdamW(torch.optim.Optimizer):
    """Loshchilov and Hutter, arXiv 1711.05101, algorithm 2; `kernels.adamw_step` says what is refused."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every parameter that has a gradient; `closure`, if given, computes the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for step, params in self._by_step(group["params"]).items():
                kernels.adamw_step(
                    params,
                    [param.grad for param in params if param.grad is not None],
                    [self.state[param]["exp_avg"] for param in params],
                    [self.state[param]["exp_avg_sq"] for param in params],
                    step,
                    group["lr"],
                    group["betas"],
                    group["eps"],
                    group["weight_decay"],
                )
        return loss

    def _by_step(self, params: list[Tensor]) -> dict[int, list[Tensor]]:
        """Parameters with a gradient by the number of their step: one that sometimes has none is behind the others."""
        found: dict[int, list[Tensor]] = defaultdict(list)
        for param in params:
            if param.grad is None:
                continue
            state = self.state[param]
            if not state:
                state["step"] = torch.tensor(0.0)  # on the CPU, as torch keeps it
                state["exp_avg"] = torch.zeros_like(param, memory_format=torch.preserve_format)
                state["exp_avg_sq"] = torch.zeros_like(param, memory_format=torch.preserve_format)
            state["step"] += 1
            found[int(state["step"])].append(param)
        return found
