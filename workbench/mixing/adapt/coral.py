"""CORAL: make the two domains agree in mean and covariance ("correlation alignment").

After training, in closed form: take the correlations out of the source's features, put the target's in,

    aligned = (source − μ_s) · C_s^(−1/2) · C_t^(1/2) + μ_t

and train the classifier again, on the aligned features, with the source's labels. It then knows features that are
spread like the target's. (Sun, Feng, Saenko, "Return of Frustratingly Easy Domain Adaptation", arXiv 1511.05547,
Algorithm 1, where both domains have mean zero; here the means are moved as well.)

During training, as a penalty on the encoder, with d features:

    ‖C_s − C_t‖² / (4·d²)

(Sun, Saenko, "Deep CORAL", arXiv 1607.01719, equation 1.) The mean is left to the batch normalization.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def covariance(features: Tensor) -> Tensor:
    """(examples, width) -> (width, width), over n − 1. Raises ValueError for fewer than two examples."""
    if features.dim() != 2 or len(features) < 2:
        got = tuple(features.shape)
        raise ValueError(f"features: expected (examples, width) with two or more examples, got {got}")
    centered = features - features.mean(dim=0)
    return centered.T @ centered / (len(features) - 1)


def coral(source: Tensor, target: Tensor, ridge: float = 1e-3) -> Tensor:
    """The source's features with the target's mean and covariance: (source examples, width).

    `ridge`·I is added to both covariances, so that features which never vary can be divided by; with it the
    covariances agree nearly, not exactly. Raises ValueError for shapes that do not fit, or no positive `ridge`.
    """
    if source.dim() != 2 or target.dim() != 2 or source.shape[1] != target.shape[1]:
        shapes = f"{tuple(source.shape)} and {tuple(target.shape)}"
        raise ValueError(f"source, target: expected (examples, width) with equal widths, got {shapes}")
    if not ridge > 0:
        raise ValueError(f"ridge: expected a number above 0, got {ridge}")
    small = ridge * torch.eye(source.shape[1], dtype=source.dtype, device=source.device)
    whiten = symmetric_power(covariance(source) + small, -0.5)  # (width, width)
    color = symmetric_power(covariance(target) + small, 0.5)  # (width, width)
    return (source - source.mean(dim=0)) @ whiten @ color + target.mean(dim=0)


def symmetric_power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric positive matrix to a real power: its eigenvalues to that power, its eigenvectors as they are."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


class DeepCoral(nn.Module):
    """The penalty of Deep CORAL: two batches of features (batch, width) -> `weight`·‖C_s − C_t‖²/(4·d²)."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, source: Tensor, target: Tensor, progress: float = 1.0) -> Tensor:
        difference = covariance(source) - covariance(target)  # (width, width)
        return self.weight * difference.square().sum() / (4 * source.shape[1] ** 2)
