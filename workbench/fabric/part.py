"""What every part of a fabric is: a module with a contract, checked when it first runs.

Checking costs about a microsecond, a small module little more, so a part checks its first call and then trusts the
wiring ("first"). If a later call fails inside, the contract is asked once more: when it knows the reason, its words
replace torch's. "always" checks every call; shapes seen before are looked up, not matched again. "never" is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.fabric import storage
from workbench.fabric.axis import ContractError
from workbench.fabric.contract import Contract
from workbench.fabric.flow import Edge, Flow, arrive, leave

CHECKS = ("first", "always", "never")


class Part(nn.Module):
    """A module with a `contract`; a subclass says in `run` what it does with its inputs.

    Called with tensors in the order of the contract's inputs; trailing optional ones may be left out. Raises
    ContractError naming the port and both shapes.
    """

    contract: Contract

    def __init__(self, contract: Contract | str, checks: str = "first") -> None:
        super().__init__()
        if checks not in CHECKS:
            raise ValueError(f"checks: expected one of {', '.join(CHECKS)}, got {checks!r}")
        self.contract = contract if isinstance(contract, Contract) else Contract(contract)
        self.checks = checks
        self.checking = checks != "never"
        self._seen: set[Any] = set()

    def run(self, *inputs: Tensor | None) -> Any:
        """The work itself, without a check."""
        raise NotImplementedError

    def trace(self, flows: Sequence[Flow], path: str, edges: list[Edge]) -> list[Flow]:
        """What comes out when only shapes go in (the meta device); every edge passed is added to `edges`.

        Raises EdgeError for the first edge that does not fit.
        """
        sizes, known = arrive(self.contract, flows, path, edges)
        tensors = [flow.tensor for flow in flows]
        try:
            outputs = self.run(*tensors)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            given = ", ".join(str(flow) for flow in flows)
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ContractError(
                f"{path} fits its contract ({self.contract}) but fails on {given}: {reason}"
            ) from error
        return leave(self.contract, outputs, sizes, known, path)

    def forward(self, *inputs: Tensor | None) -> Any:
        # while torch.compile or torch.export look on, shapes are symbols: nothing to compare
        if torch.compiler.is_compiling():
            return self.run(*inputs)
        if self.checking and self._signature(inputs) not in self._seen:
            return self._checked(inputs)
        try:
            return self.run(*inputs)
        except (RuntimeError, TypeError, ValueError, IndexError):
            self.contract.bind(inputs)  # its own words, if it knows the reason
            raise

    def _signature(self, inputs: tuple[Tensor | None, ...]) -> Any:
        return tuple([x if x is None else (x.shape, x.dtype) for x in inputs])

    def _checked(self, inputs: tuple[Tensor | None, ...]) -> Any:
        """One call with every port compared."""
        self.contract.bind(inputs)
        outputs = self.run(*inputs)
        try:
            self.contract.check(inputs, outputs)
        except ContractError as error:
            raise ContractError(
                f"{type(self).__name__} breaks its promise ({self.contract}): {error}"
            ) from None
        if self.checks == "always":
            self._seen.add(self._signature(inputs))
        else:
            self.checking = False
        return outputs

    def save(self, path: str | Path) -> None:
        """Writes weights and contract into one file (safetensors), in one step: all of it or nothing."""
        storage.save(path, self.state_to_save(), self.contract, self.described())

    def state_to_save(self) -> dict[str, Tensor]:
        """The tensors that `save` writes."""
        return self.state_dict()

    def described(self) -> str:
        """What kind of module the weights belong to, for the reader of a file."""
        return type(self).__name__
