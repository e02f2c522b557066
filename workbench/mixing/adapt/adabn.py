"""AdaBN: keep every weight, exchange the statistics.

Batch normalization gives (x − μ)/√(σ² + ε)·γ + β. In evaluation μ and σ² are those of the *training* data. On data from
elsewhere, darker or drawn with thicker lines, they no longer center and scale what they are given, and each layer
passes the error on. AdaBN measures μ and σ² anew on the target's inputs. γ, β and all other weights stay, no label and
no gradient is needed, and one forward pass does it.
(Li et al., "Revisiting Batch Normalization for Practical Domain Adaptation", arXiv 1603.04779, §3.2.)

It can only undo what moves a channel as a whole: a shift and a scale. Features that mean something else at the
target stay wrong, and a target with other shares of the classes moves the statistics although nothing is wrong.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def adabn(model: nn.Module, *inputs: Tensor) -> nn.Module:
    """A copy of `model`, in evaluation mode, whose batch normalizations have the statistics of `inputs`.

    `inputs` are the target's, all in one batch, so that the statistics are those of the whole set: its examples must
    fit into memory together. Everything else, such as dropout, works as in evaluation. The given model stays as it is.
    Raises ValueError when there is no batch normalization with running statistics, or fewer than two examples.
    """
    if not inputs or len(inputs[0]) < 2:
        raise ValueError(f"inputs: expected two or more examples, got {len(inputs[0]) if inputs else 0}")
    adapted = copy.deepcopy(model).eval()
    norms = [m for m in adapted.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        raise ValueError("model: there is no batch normalization with running statistics to adapt")
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0  # the running statistics become this batch's, nothing of the old remains
    with torch.no_grad():
        adapted(*inputs)  # each layer sees what the layers before, already adapted, pass on
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return adapted.eval()
