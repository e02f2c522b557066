"""A block on disk: its weights, and in the header of the same file its contract.

The format is safetensors, tensors behind a JSON header: reading it runs no code. Weights and contract share a file
because apart they could disagree. What a file cannot bring is the block's code, so `load` is given a module to fill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from workbench.atomic import write_atomically
from workbench.fabric.contract import Contract

KEY = "neuralfabric.block"


def save(path: str | Path, state: Mapping[str, Tensor], contract: Contract, module: str) -> None:
    """Writes tensors, contract and the module's name to `path`, replacing what is there in one step."""
    # apart from each other: safetensors refuses tensors that share memory, and tied weights do
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    header = json.dumps({"contract": str(contract), "module": module}, ensure_ascii=False)
    write_atomically(Path(path), safetensors.torch.save(tensors, {KEY: header}))


def read_contract(path: str | Path) -> Contract:
    """The contract in a saved block's file. Raises ValueError when the file is none."""
    return Contract(_header(path)["contract"])


def load(path: str | Path, module: nn.Module) -> Contract:
    """Fills `module` with the weights saved at `path` and returns their contract.

    Raises ValueError, before any weight is touched, when names or shapes differ.
    """
    header = _header(path)
    saved = safetensors.torch.load_file(path)
    own = module.state_dict()
    problems = [f"{name} is missing" for name in own.keys() - saved.keys()]
    problems += [f"{name} has no place" for name in saved.keys() - own.keys()]
    problems += [
        f"{name} is {tuple(saved[name].shape)}, not {tuple(own[name].shape)}"
        for name in saved.keys() & own.keys()
        if saved[name].shape != own[name].shape
    ]
    if problems:
        raise ValueError(
            f"module: {path} holds the weights of {header['module']}: {'; '.join(sorted(problems))}"
        )
    module.load_state_dict(saved)
    return Contract(header["contract"])


def _header(path: str | Path) -> dict[str, str]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"path: {path} is no saved block ({error})") from None
    if KEY not in metadata:
        raise ValueError(f"path: {path} holds tensors but no contract; expected a file that Block.save wrote")
    header: dict[str, str] = json.loads(metadata[KEY])
    return header
