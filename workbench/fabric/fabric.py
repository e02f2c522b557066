"""A fabric: a model written as named blocks and what each of them reads.

    model = Fabric(
        "letters = batch time: int -> batch time 40",
        embed=("letters", nn.Embedding(29, 64)),
        mix=("embed", nn.Linear(64, 64)),
        sum=("embed", "mix", Add()),                  # a branch and a merge: a residual connection
        scores=nn.Linear(64, 40),                     # without sources: reads the block before
    )
    model.check()                                     # every edge, before any data flows
    model.swap("mix", MLP([64, 256, 64]))             # all other weights stay

It is an ordinary `nn.Module`: it moves, trains, nests, compiles and exports as any other. (It takes its inputs as one
tuple, so `torch.export.export` wants `dynamic_shapes` as a tuple in a tuple: `(({0: Dim.AUTO}, …),)`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.fabric import change
from workbench.fabric.change import Change
from workbench.fabric.check import Checked, check, floating, sample
from workbench.fabric.contract import Contract
from workbench.fabric.flat.flatten import Flat, flatten
from workbench.fabric.graph import Graph
from workbench.fabric.price.overhead import Overhead, overhead
from workbench.fabric.view.tree import tree
from workbench.fabric.wiring import Source


class Fabric(Graph):
    """`contract` names the inputs; each keyword is a block: a module, or (sources…, module).

    A source is an input, a block named before, or "block.output" for one of several outputs; None leaves an optional
    input out. `returns` names what is given back, by default the last block. Raises ValueError for a name or source
    that cannot be, TypeError for what is no module; shapes are compared by `check`.
    """

    def __init__(
        self, contract: Contract | str, *, returns: str | Sequence[str] | None = None, **blocks: Any
    ) -> None:
        super().__init__(contract, blocks, returns)

    def check(self, *inputs: Tensor | None, **sizes: int) -> Checked:
        """Compares both ends of every edge, with these inputs' shapes or for these sizes of axes; computes nothing.

        Raises EdgeError naming the first edge that does not fit, with both shapes.
        """
        return check(self, inputs, sizes)

    def swap(self, name: str, module: nn.Module, sources: Sequence[Source] | None = None) -> Change:
        """Puts `module` in the place of a block, such as "decoder.attention"; says what changed.

        It reads what the old block read, or `sources`. All other weights stay. Raises KeyError for a name that leads
        nowhere, ContractError when the new block does not fit; nothing is changed then.
        """
        return change.swap(self, name, module, sources)

    def parallel(self, name: str, module: nn.Module, combine: str | nn.Module = "add") -> Change:
        """Sets `module` beside a block; both read the same, and `combine` joins what they give; says what changed.

        `combine` is "add", "mean", "concat", "gate" or a module with two inputs. The new nodes are `<name>_beside` and
        `<name>_joined`; the names of all weights stay. Raises as `swap` does.
        """
        return change.parallel(self, name, module, combine)

    def tree(self, **sizes: int) -> str:
        """The blocks as text: what each reads, the shape it gives, its parameters; up to the first bad edge."""
        return tree(self, **sizes)

    def overhead(self, *inputs: Tensor | None) -> Overhead:
        """What modularity costs in a call: how much of the time is Python, dispatch and work; which edges convert.

        Takes seconds; measured on a copy. Raises ContractError when the inputs do not fit.
        """
        return overhead(self, *inputs)

    def flatten(self, *inputs: Tensor | None, compile: bool = False) -> Flat:
        """The same computation as one function on the same weights, captured from these inputs, or from zeros.

        `compile` hands it to `torch.compile`. Raises FlattenError naming a block that cannot be captured.
        """
        return flatten(self, *(inputs or self._zeros()), compile=compile)

    def _zeros(self) -> list[Tensor | None]:
        """Inputs of the sizes that `check` tries."""
        device = next((parameter.device for parameter in self.parameters()), torch.device("cpu"))
        planned = sample(self.contract, {}, floating(self))
        return [x if x is None else torch.zeros_like(x, device=device) for x in planned]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from workbench.fabric.view.picture import (
            picture,  # brings matplotlib, half a second: only when needed
        )

        data, metadata = picture(self)._repr_mimebundle_(**kwargs)
        return {**data, "text/plain": self.tree()}, metadata
