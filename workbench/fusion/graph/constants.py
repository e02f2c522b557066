"""Which values of a graph are the same at each call: numbers, and the model's own tensors that it only reads."""

from __future__ import annotations

import operator

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from workbench.fusion.graph.effects import written
from workbench.fusion.graph.sites import attribute_of
from workbench.fusion.graph.spellings import Spelling

VIEWS = Spelling((operator.getitem, torch.reshape, torch.unsqueeze), ("view", "reshape", "unsqueeze"))


def constant(traced: GraphModule, value: object) -> Tensor | None:
    """A number or a tensor of the model's own, directly or through views, in float64; None for all else."""
    if isinstance(value, bool | int | float):
        return torch.tensor(float(value), dtype=torch.float64)
    if not isinstance(value, Node):
        return None
    held = attribute_of(traced, value)
    if isinstance(held, Tensor) and not written(traced, held):
        return held.detach().double()
    if VIEWS.fits(value, traced) and len(value.all_input_nodes) == 1:
        viewed = constant(traced, value.args[0])
        if viewed is not None:
            view = getattr(Tensor, value.target) if isinstance(value.target, str) else value.target
            return view(viewed, *value.args[1:], **value.kwargs)
    return None
