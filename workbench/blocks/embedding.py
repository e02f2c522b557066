"""An embedding turns a number that is only a name, such as that of a letter, into a vector that can be learned.

    y = W[i]        row i of a table W (rows, width)

It is a linear layer whose input is one-hot, e_i W, without multiplying by all the zeros; so the gradient reaches just
the rows that were looked up: ∂L/∂W[i] is the sum of ∂L/∂y over all places that hold i. (Bengio et al., A Neural
Probabilistic Language Model, JMLR 3, 2003, §2, where the table is called C.)

Sequences of one batch differ in length and are filled up with a `padding` number. Its row starts at zero, and no
gradient reaches it, so that it stays what it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least


class Embedding(nn.Module):
    """A table of `rows` vectors: integers of any shape (...) give (..., width); equal to `nn.Embedding`.

    `padding` is the row, if any, that stays out of learning. Raises ValueError or TypeError naming what does not fit,
    and IndexError for a number outside 0 … rows − 1: it is not looked at before, which would make a GPU wait.
    """

    def __init__(self, rows: int, width: int, padding: int | None = None) -> None:
        super().__init__()
        at_least(1, rows=rows, width=width)
        if padding is not None and not 0 <= padding < rows:
            raise ValueError(f"padding: expected a row from 0 to {rows - 1}, got {padding}")
        self.rows, self.width, self.padding = rows, width, padding
        self.weight = nn.Parameter(torch.randn(rows, width))
        if padding is not None:
            nn.init.zeros_(self.weight[padding])

    @property
    def contract(self) -> str:
        return f"...: int -> ... {self.width}"

    def forward(self, numbers: Tensor) -> Tensor:
        if numbers.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"numbers: expected int64 or int32, got {numbers.dtype}")
        # not self.weight[numbers]: there -1 would be the last row
        vectors = self.weight.index_select(0, numbers.flatten())  # (all places, width)
        vectors = vectors.reshape(*numbers.shape, self.width)  # (..., width)
        if self.padding is not None:
            here = (numbers == self.padding).unsqueeze(-1)  # (..., 1)
            vectors = torch.where(here, self.weight[self.padding].detach(), vectors)
        return vectors

    def extra_repr(self) -> str:
        return f"{self.rows}, {self.width}" + (
            f", padding={self.padding}" if self.padding is not None else ""
        )
