"""A trained fabric as a program of torch's own operations, run again with equal outputs."""

import pytest
import torch

from workbench.blocks.attention import DotProductAttention
from workbench.pronounce import build, make, speak, spell
from workbench.pronounce.experiment import load_model
from workbench.pronounce.export import export


def inputs(*words: str, letters: int = 3, steps: int = 3) -> tuple[torch.Tensor, ...]:
    spelled = [values[:, :letters] for values in spell(list(words))]
    return *spelled, speak([("K", "AE")] * len(words))[0][:, :steps]


def test_an_exported_model_says_the_same_to_any_batch(tmp_path):
    model = load_model()
    program = export(model, *inputs("cat", "at"))
    path = tmp_path / "pronounce.pt2"
    torch.export.save(program, path)
    again = torch.export.load(path)  # unpickles, and may: the file is our own
    for words in (["cat", "at"], ["a"], ["dog", "to", "cat", "bee", "x"]):
        expected = model(*inputs(*words))
        for run in (program.module(), again.module()):
            torch.testing.assert_close(run(*inputs(*words)), expected)


def test_the_program_knows_no_fabric():
    model = build().train()
    program = export(model, *inputs("cat", "at"))
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert calls
    assert all("aten" in str(call) or "getitem" in str(call) for call in calls)
    assert model.training  # its mode is restored


def test_a_swapped_model_exports_and_so_does_a_loop():
    model = make("step by step")
    model.swap("decoder.attention", DotProductAttention())
    program = export(model, *inputs("cat", "at", letters=2, steps=2))
    later = inputs("do", "an", "of", letters=2, steps=2)
    torch.testing.assert_close(program.module()(*later), model(*later))


def test_one_example_is_too_few():
    with pytest.raises(ValueError, match="letters: expected at least 2 examples, got 1"):
        export(build(), *inputs("cat"))
