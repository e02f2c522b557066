"""How results are compared: with the truth in float64, and torch's own error as the yardstick."""

import torch
from cases.case import Case, Tensors
from torch import Tensor


def learned(inputs: Tensors) -> Tensors:
    """The inputs that have a gradient."""
    return tuple(tensor for tensor in inputs if tensor.requires_grad)


def gradients(outputs: Tensors, inputs: Tensors, seed: int = 1) -> Tensors:
    """The gradients of a random weighted sum of the outputs."""
    draw = torch.Generator().manual_seed(seed)
    weights = [
        torch.randn(output.shape, generator=draw, dtype=torch.float64).to(output.device, output.dtype)
        for output in outputs
    ]
    return torch.autograd.grad(outputs, learned(inputs), weights) if learned(inputs) else ()


def everything(case: Case, inputs: Tensors) -> list[Tensor]:
    """Our results and gradients."""
    outputs = case.ours(*inputs)
    return [*outputs, *gradients(outputs, inputs)]


def in_float64(inputs: Tensors) -> Tensors:
    """Copies with the same numbers in float64."""
    return tuple(
        tensor.detach().double().requires_grad_(tensor.requires_grad)
        if tensor.is_floating_point()
        else tensor
        for tensor in inputs
    )


def assert_as_exact_as_torch(
    ours: Tensors, torchs: Tensors, exact: Tensors, dtype: torch.dtype, slack: float
) -> None:
    """Our error may be twice torch's in the same dtype, plus a few roundings."""
    for mine, theirs, truth in zip(ours, torchs, exact, strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.shape == truth.shape
        if truth.numel():
            error, allowed = (mine.double() - truth).abs().max(), 2 * (theirs.double() - truth).abs().max()
            roundings = slack * (
                1000 if dtype == torch.float64 else 8
            )  # in float64 the truth itself is rounded
            assert error <= allowed + roundings * torch.finfo(dtype).eps * (1 + truth.abs().max())


def assert_agrees(case: Case, inputs: Tensors, dtype: torch.dtype) -> None:
    """Results and gradients agree with torch's in float64."""
    wide = in_float64(inputs)
    ours, torchs, exact = case.ours(*inputs), case.torchs(*inputs), case.torchs(*wide)
    assert_as_exact_as_torch(ours, torchs, exact, dtype, case.slack)
    assert all(output.is_contiguous() for output in ours)
    found = gradients(ours, inputs), gradients(torchs, inputs), gradients(exact, wide)
    assert_as_exact_as_torch(*found, dtype, case.slack)


def assert_same_bits(found: list[Tensor] | Tensors, wanted: list[Tensor] | Tensors) -> None:
    """Equal in every bit but the sign of a nan."""
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        assert torch.equal(one.nan_to_num(nan=12345.0), other.nan_to_num(nan=12345.0))
