"""One step of a recurrent network: from what it has read so far (the state) and the next input to the new state.

A **GRU** (Cho et al., arXiv 1406.1078, §2.3) keeps, feature by feature, a mix of its old state and a candidate:

    reset     r = σ(W_r x + U_r h)
    update    z = σ(W_z x + U_z h)
    candidate n = tanh(W_n x + r ⊙ (U_n h))
    state     h' = (1 − z) ⊙ n + z ⊙ h

The paper applies the reset gate *before* the matrix, U_n (r ⊙ h). PyTorch and cuDNN apply it *after*, as here: then
one matrix multiplication by U = [U_r U_z U_n] serves all three. The two are different functions of the same weights.

An **LSTM** (Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; forget gate by Gers et al., 2000) keeps two
vectors: the cell c, which is only ever scaled and added to, so that gradients survive many steps, and the state h:

    input i = σ(W_i x + U_i h)    forget f = σ(W_f x + U_f h)    output o = σ(W_o x + U_o h)
    candidate g = tanh(W_g x + U_g h)
    cell  c' = f ⊙ c + i ⊙ g      state h' = o ⊙ tanh(c')

Both have a bias beside each matrix. Weights are stacked, and named, as in `torch.nn.GRUCell` and `nn.LSTMCell`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.arguments import at_least, check_shape


class Cell(nn.Module):
    """Base of the two: the stacked weights, and the half of the work that needs no state."""

    gates: int  # vectors of `hidden` numbers computed a step
    states: tuple[str, ...]  # names of what is kept between steps; the first is also the output

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        at_least(1, inputs=inputs, hidden=hidden)
        self.inputs, self.hidden = inputs, hidden
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden, inputs))  # W, from the input
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden, hidden))  # U, from the state
        self.bias_ih = nn.Parameter(torch.empty(self.gates * hidden))
        self.bias_hh = nn.Parameter(torch.empty(self.gates * hidden))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))

    def project(self, x: Tensor) -> Tensor:
        """W x + b for all gates: (..., inputs) -> (..., gates × hidden). It takes any number of steps at once."""
        return x @ self.weight_ih.T + self.bias_ih

    def step(self, projected: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """The new states, from a projected input (batch, gates × hidden) and the old ones, (batch, hidden) each."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.hidden}"

    def _start(self, x: Tensor, *states: Tensor | None) -> list[Tensor]:
        check_shape("x", x, "batch", self.inputs)
        return zeros_if_none(x, (x.shape[0], self.hidden), dict(zip(self.states, states, strict=True)))


def zeros_if_none(x: Tensor, shape: tuple[int, ...], states: Mapping[str, Tensor | None]) -> list[Tensor]:
    """The given states, and zeros like x for those left out; raises ValueError naming one of another shape."""
    for name, state in states.items():
        if state is not None:
            check_shape(name, state, *shape)
    return [x.new_zeros(shape) if state is None else state for state in states.values()]


class GRUCell(Cell):
    """One step of a GRU, equal to `torch.nn.GRUCell`: x (batch, inputs), state (batch, hidden) -> state.

    The first state may be left out: zeros. Raises ValueError naming `x` or `state` when its shape does not fit.
    """

    gates = 3
    states = ("state",)

    @property
    def contract(self) -> str:
        return f"x = batch {self.inputs}, state? = batch {self.hidden} -> state = batch {self.hidden}"

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        states = self._start(x, state)
        (new,) = self.step(self.project(x), *states)
        return new  # (batch, hidden)

    def step(self, projected: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        (state,) = states
        from_state = functional.linear(state, self.weight_hh, self.bias_hh)  # (batch, 3 × hidden)
        reset_x, update_x, candidate_x = projected.chunk(3, -1)  # (batch, hidden) each
        reset_h, update_h, candidate_h = from_state.chunk(3, -1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        candidate = torch.tanh(candidate_x + reset * candidate_h)
        return (candidate + update * (state - candidate),)  # (1 − z) ⊙ n + z ⊙ h, one product less


class LSTMCell(Cell):
    """One step of an LSTM, equal to `torch.nn.LSTMCell`: x (batch, inputs) -> state and cell, (batch, hidden) each.

    `state` and `cell` of the step before may be left out: zeros. Raises ValueError naming what does not fit.
    """

    gates = 4
    states = ("state", "cell")

    @property
    def contract(self) -> str:
        kept = f"batch {self.hidden}"
        return f"x = batch {self.inputs}, state? = {kept}, cell? = {kept} -> state = {kept}, cell = {kept}"

    def forward(
        self, x: Tensor, state: Tensor | None = None, cell: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        states = self._start(x, state, cell)
        new_state, new_cell = self.step(self.project(x), *states)
        return new_state, new_cell  # (batch, hidden) each

    def step(self, projected: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        state, cell = states
        gates = projected + functional.linear(state, self.weight_hh, self.bias_hh)  # (batch, 4 × hidden)
        write, forget, candidate, output = gates.chunk(4, -1)  # (batch, hidden) each
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(output) * torch.tanh(cell), cell
