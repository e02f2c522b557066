"""What the test bodies need to know of an operation: our function, torch's own, and random inputs of any size."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Size = tuple[int, ...]

ROWS_TINY: tuple[Size, ...] = ((3, 7), (2, 1, 36))  # for the simulated GPU
ROWS: tuple[Size, ...] = (
    (1, 1), (5, 1), (3, 7), (2, 1, 33), (1, 4099), (6, 101, 67), (513, 257), (2, 70001), (40009, 3)
)  # fmt: skip
ROWS_EMPTY: tuple[Size, ...] = ((0,), (0, 5), (4, 0), (0, 0), (2, 0, 3))


@dataclass(frozen=True)
class Case:
    """An operation with some of its options; functions take tensors and return tuples of tensors."""

    name: str  # the operator, then what is special: "bias_gelu-tanh"
    ours: Callable[..., Tensors]
    torchs: Callable[..., Tensors]  # the same in torch; in float64 it is the truth
    make: Callable[
        [Size, torch.Generator], Tensors
    ]  # random inputs of a size, floating-point ones in float64
    sizes: tuple[Size, ...] = ROWS  # one, odd, prime, huge
    tiny: tuple[Size, ...] = ROWS_TINY  # what the simulated GPU takes a second for
    empty: tuple[Size, ...] = ROWS_EMPTY
    kept: tuple[int, ...] = ()  # floating-point inputs that have no gradient
    weights: tuple[int, ...] = ()  # inputs that may stay float32 beside half ones
    extremes: bool = True  # whether inf, nan and huge numbers in the first input come out as torch has them
    transforms: bool = True  # whether torch.func's transforms and forward mode go through its reference
    same_bits: bool = (
        True  # whether other layouts give the same bits: a library has other code for other strides
    )
    slack: float = 1.0  # roundings allowed beyond twice torch's error, as a multiple of the usual 8

    def inputs(
        self, size: Size, dtype: torch.dtype = torch.float32, seed: int = 0, device: str = "cpu"
    ) -> Tensors:
        """Random leaf tensors; the floating-point ones have this dtype and, unless `kept`, require gradients."""
        made = self.make(size, torch.Generator().manual_seed(seed))
        return tuple(
            tensor.to(device, dtype).requires_grad_(place not in self.kept)
            if tensor.is_floating_point()
            else tensor.to(device)
            for place, tensor in enumerate(made)
        )

    @property
    def operator(self) -> str:
        """The name of the operator in torch's dispatcher."""
        return self.name.partition("-")[0]


def normal(draw: torch.Generator, *size: int) -> Tensor:
    """Standard normal numbers, doubled so that tails are tried too, in float64."""
    return torch.randn(size, generator=draw, dtype=torch.float64) * 2
