"""A trained fabric as one flat program, without the classes that built it: `torch.export`.

The program is a graph of torch's operations with the weights beside it. Blocks, contracts and loops are gone: the
contract has been fixed into its shapes, and loops over letters and sounds are unrolled, so both lengths are those of
the examples; only the batch stays open.

`torch.export.save` writes a program to a file. `torch.export.load` unpickles parts of it, so load none but your own:
what comes from elsewhere comes as `safetensors`, with the code to build the model (`experiment.load_model`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from workbench.fabric import Fabric


def export(model: Fabric, letters: Tensor, mask: Tensor, said: Tensor) -> ExportedProgram:
    """The model in evaluation mode as a program for any batch, and for as many letters and steps as given.

    `program.module()` runs it. Raises ValueError for fewer than two examples: torch would take 1 as a fixed size.
    """
    if len(letters) < 2:
        raise ValueError(f"letters: expected at least 2 examples, got {len(letters)}")
    batch = {0: Dim("batch", min=1)}
    was_training = model.training
    try:
        return torch.export.export(model.eval(), (letters, mask, said), dynamic_shapes=((batch,) * 3,))
    finally:
        model.train(was_training)
