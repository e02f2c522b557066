"""Every operation as a case: our function, torch's own, and random inputs, for one test body over all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import kernels
from kernels.backend import gpu_present

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Case:
    """An operation with some of its options; functions take and return tuples of tensors."""

    name: str
    ours: Callable[..., Tensors]
    torchs: Callable[..., Tensors]
    full: int  # how many inputs have x's shape
    vector: bool  # whether a (width,) input follows

    def inputs(
        self, shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0, device: str = "cpu"
    ) -> Tensors:
        """Random leaf tensors that require gradients."""
        draw = torch.Generator().manual_seed(seed)
        shapes = [tuple(shape)] * self.full + [tuple(shape[-1:])] * self.vector
        made = [torch.randn(s, generator=draw, dtype=torch.float64) * 2 for s in shapes]
        return tuple(tensor.to(device, dtype).requires_grad_() for tensor in made)

    def operator(self) -> str:
        """The name of the operator in torch's dispatcher."""
        return self.name.partition("-")[0]


def _rms_norm(x: Tensor, weight: Tensor | None = None) -> Tensors:
    return (F.rms_norm(x, x.shape[-1:], weight, 1e-6),)


def _add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor | None = None) -> Tensors:
    return *_rms_norm(x + residual, weight), x + residual


def _bias_gelu(approximate: str) -> Case:
    return Case(
        f"bias_gelu-{approximate}",
        lambda x, bias: (kernels.bias_gelu(x, bias, approximate),),
        lambda x, bias: (F.gelu(x + bias, approximate=approximate),),
        full=1,
        vector=True,
    )


CASES = (
    _bias_gelu("none"),
    _bias_gelu("tanh"),
    Case("rms_norm-weight", lambda *a: (kernels.rms_norm(*a),), _rms_norm, full=1, vector=True),
    Case("rms_norm", lambda x: (kernels.rms_norm(x),), _rms_norm, full=1, vector=False),
    Case("add_rms_norm-weight", kernels.add_rms_norm, _add_rms_norm, full=2, vector=True),
    Case("add_rms_norm", kernels.add_rms_norm, _add_rms_norm, full=2, vector=False),
)


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


GPU = [pytest.param("cuda", marks=pytest.mark.gpu)] if gpu_present() else []


@pytest.fixture(scope="session", params=["cpu", *GPU])
def device(request: pytest.FixtureRequest) -> str:
    """Where to compute; in a process that simulates a GPU, "cpu" means the simulated kernels."""
    return request.param
