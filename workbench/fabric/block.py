"""A block: any module, and the contract that says what may be wired to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from workbench.fabric import storage
from workbench.fabric.contract import Contract
from workbench.fabric.infer import contract_of
from workbench.fabric.part import Part


class Block(Part):
    """Wraps `module`; without a `contract` it takes the module's own, or the known one of torch's common modules.

    Raises TypeError when `module` is none, ValueError when no contract is given and none is known.
    """

    def __init__(
        self, module: nn.Module, contract: Contract | str | None = None, checks: str = "first"
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        super().__init__(contract_of(module) if contract is None else contract, checks)
        self.module = module

    def run(self, *inputs: Tensor | None) -> Any:
        return self.module(*inputs)

    @classmethod
    def load(cls, path: str | Path, module: nn.Module) -> Part:
        """A block of `module`, filled with the weights saved at `path`, under the contract saved with them.

        A module that is a block or fabric already comes back as itself; its contract must be the one saved. Raises
        ValueError, before any weight is touched, when the file is no block, or weights or contract do not fit.
        """
        if not isinstance(module, Part):
            return cls(module, storage.load(path, module))
        if (saved := storage.read_contract(path)) != module.contract:
            raise ValueError(f"module: {path} was saved under ({saved}), this one has ({module.contract})")
        storage.load(path, module.module if isinstance(module, Block) else module)
        return module

    def state_to_save(self) -> dict[str, Tensor]:
        return self.module.state_dict()

    def described(self) -> str:
        return type(self.module).__name__

    def extra_repr(self) -> str:
        return str(self.contract)


def as_part(module: nn.Module, contract: Contract | None = None) -> Part:
    """The module itself if it has a contract of this package, else a block around it.

    `contract` is for a module that has none and that `contract_of` does not know.
    """
    if isinstance(module, Part):
        return module
    try:
        return Block(module)
    except ValueError:
        if contract is None:
            raise
        return Block(module, contract)
