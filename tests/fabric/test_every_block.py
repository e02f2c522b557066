"""What every block of the workbench says of itself is true, in words (its contract) and on the meta device."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from workbench import blocks
from workbench.fabric import Block, Fabric

MASK = torch.tensor([[True] * 5, [True, True, False, False, False], [True] * 5])
LETTERS = torch.randint(0, 7, (3, 5))


def x(*shape: int) -> Tensor:
    return torch.randn(shape)


# a block, and inputs of odd sizes that it takes
EXAMPLES: list[tuple[nn.Module, tuple[Tensor | None, ...]]] = [
    (blocks.Linear(4, 3), (x(3, 5, 4),)),
    (blocks.MLP([4, 7, 3]), (x(4),)),
    (blocks.ReLU(), (x(3, 5),)),
    (blocks.LeakyReLU(), (x(3, 5),)),
    (blocks.GELU(), (x(3, 5),)),
    (blocks.SiLU(), (x(3, 5),)),
    (blocks.SwiGLU(4, 7, 3), (x(3, 4),)),
    (blocks.BatchNorm(4), (x(3, 4),)),
    (blocks.BatchNorm(4), (x(3, 4, 5, 7),)),
    (blocks.LayerNorm(4), (x(3, 5, 4),)),
    (blocks.RMSNorm(4), (x(3, 5, 4),)),
    (blocks.Conv1d(2, 4, 3, stride=2, padding=1), (x(3, 2, 7),)),
    (blocks.Conv2d(2, 4, (3, 2), stride=(2, 3), dilation=(1, 2)), (x(3, 2, 7, 9),)),
    (blocks.Conv2d(2, 4, 3, padding="same", padding_mode="reflect"), (x(3, 2, 7, 9),)),
    (blocks.Depthwise1d(4, 3), (x(3, 4, 7),)),
    (blocks.Depthwise2d(4, 3, padding=2), (x(3, 4, 7, 5),)),
    (blocks.Separable(2, 4, 3, stride=2), (x(3, 2, 7, 9),)),
    (blocks.Separable(2, 4, 3, dimensions=1), (x(3, 2, 7),)),
    (blocks.GRUCell(4, 6), (x(3, 4), x(3, 6))),
    (blocks.LSTMCell(4, 6), (x(3, 4), x(3, 6), x(3, 6))),
    (blocks.GRU(4, 6), (x(3, 5, 4), x(3, 6), MASK)),
    (blocks.GRU(4, 6, layers=2, bidirectional=True), (x(3, 5, 4), None, MASK)),
    (blocks.LSTM(4, 6, bidirectional=True), (x(3, 5, 4),)),
    (blocks.DotProductAttention(), (x(3, 2, 4), x(3, 5, 4), MASK)),
    (blocks.AdditiveAttention(6, 4, 8), (x(3, 2, 6), x(3, 5, 4), MASK)),
    (blocks.MultiHeadAttention(6, 2, memory_width=4), (x(3, 2, 6), x(3, 5, 4), MASK)),
    (blocks.MultiHeadAttention(6, 2, causal=True), (x(3, 5, 6),)),
    (blocks.EncoderLayer(6, 2, 8), (x(3, 5, 6), MASK)),
    (blocks.Encoder(2, 6, 3, 8, norm="post"), (x(3, 5, 6),)),
    (blocks.DecoderLayer(6, 2, 8, memory_width=4), (x(3, 2, 6), x(3, 5, 4), None, MASK)),
    (blocks.Decoder(2, 6, 2, 8), (x(3, 2, 6), x(3, 5, 6))),
    (blocks.Embedding(7, 4), (LETTERS,)),
    (blocks.LearnedPosition(20, 4), (x(3, 5, 4),)),
    (blocks.SinusoidalPosition(4, longest=3), (x(3, 5, 4),)),
    (blocks.Rotary(4), (x(3, 5, 2, 4),)),
    (blocks.Add(3), (x(3, 5), x(3, 5), x(3, 5))),
    (blocks.Mean(), (x(3, 5), x(3, 5))),
    (blocks.Concat(), (x(3, 5, 2), x(3, 5, 4))),
    (blocks.Concat(axis=1), (x(3, 2, 5), x(3, 4, 5))),
    (blocks.Gate(4), (x(3, 5, 4), x(3, 5, 4))),
    (blocks.Cast(torch.float64), (x(3, 5),)),
    (blocks.Rearrange("batch height width channels -> batch channels height width"), (x(3, 5, 7, 2),)),
    (blocks.Flatten(), (x(3, 5, 7),)),
    (blocks.MLPClassifier((8,), 5), (x(3, 8),)),
    (blocks.ConvolutionalClassifier((9, 7), 4), (x(3, 9, 7),)),
    (blocks.RecurrentClassifier((8,), 5), (x(3, 8),)),
    (blocks.AttentionClassifier((8,), 8), (x(3, 8),)),
]
IDS = [f"{type(block).__name__}-{number}" for number, (block, _) in enumerate(EXAMPLES)]
NOT_OF_TENSORS = {"PictureEncoder", "NameEncoder"}  # they take bytes, or names: for workbench.mixing


def test_no_block_is_left_out():
    public = {name for name in blocks.__all__ if inspect.isclass(getattr(blocks, name))}
    assert public - NOT_OF_TENSORS == {type(block).__name__ for block, _ in EXAMPLES}


@pytest.mark.parametrize(("block", "inputs"), EXAMPLES, ids=IDS)
def test_the_contract_is_true(block, inputs):
    part = Block(block)
    part.contract.check(inputs, block(*inputs))
    outputs = part(*inputs)
    assert len(part.contract.outputs) == (1 if isinstance(outputs, Tensor) else len(outputs))


@pytest.mark.parametrize(("block", "inputs"), EXAMPLES, ids=IDS)
def test_shapes_are_found_without_numbers(block, inputs):
    contract = Block(block).contract
    fabric = Fabric(contract, only=(*(port.name for port in contract.inputs), block))
    outputs = fabric(*inputs)
    found = [flow.tensor.shape for flow in fabric.check(*inputs).outputs]
    assert found == [output.shape for output in ([outputs] if isinstance(outputs, Tensor) else outputs)]


def raises(call, *arguments) -> bool:
    try:
        call(*arguments)
    except (ValueError, RuntimeError):
        return True
    return False


@pytest.mark.parametrize(("block", "inputs"), EXAMPLES, ids=IDS)
def test_the_contract_refuses_what_the_block_refuses(block, inputs):
    """An axis too many, a number too many in the last: both agree whether that can be."""
    contract, (first, *others) = Block(block).contract, inputs
    deeper = first.unsqueeze(0).expand(2, *first.shape)
    wider = torch.cat([first, first[..., :1]], dim=-1)
    for odd in (deeper, wider):
        assert raises(contract.bind, [odd, *others]) == raises(block, odd, *others)
