"""What attention, transformer, embedding and position blocks promise alike: contracts, meta tensors, export, saving."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from workbench.blocks.attention import AdditiveAttention, DotProductAttention
from workbench.blocks.embedding import Embedding
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.blocks.position import LearnedPosition, SinusoidalPosition
from workbench.blocks.rotary import Rotary
from workbench.blocks.transformer import Decoder, DecoderLayer, Encoder, EncoderLayer
from workbench.fabric.contract import Contract


class Case(NamedTuple):
    make: Callable[[], nn.Module]
    inputs: Callable[[int, int, int], tuple[Tensor | None, ...]]  # of batch, steps, time


def numbers(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return (torch.randint(7, (batch, time)),)


def x(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, time, 8),)


def heads(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, time, 3, 8),)


def masked(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return *x(batch, steps, time), mask_of(batch, time)


def pair(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return torch.randn(batch, steps, 8), torch.randn(batch, time, 8), mask_of(batch, time)


def unequal(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    return torch.randn(batch, steps, 8), torch.randn(batch, time, 5), mask_of(batch, time)


def unmasked(batch: int, steps: int, time: int) -> tuple[Tensor | None, ...]:
    return *pair(batch, steps, time)[:2], None


def both_masks(batch: int, steps: int, time: int) -> tuple[Tensor, ...]:
    query, memory, mask = pair(batch, steps, time)
    return query, memory, mask_of(batch, steps), mask


def mask_of(batch: int, time: int) -> Tensor:
    return torch.arange(time) < torch.arange(batch).unsqueeze(
        1
    )  # (batch, time); the first row is all padding


CASES = {
    "dot product": Case(DotProductAttention, pair),
    "additive": Case(lambda: AdditiveAttention(8, 5, 6), unequal),
    "multi-head": Case(lambda: MultiHeadAttention(8, 2), pair),
    "multi-head, unmasked": Case(lambda: MultiHeadAttention(8, 2), unmasked),
    "multi-head, cross": Case(lambda: MultiHeadAttention(8, 2, memory_width=5), unequal),
    "multi-head, causal": Case(lambda: MultiHeadAttention(8, 4, causal=True, rotary=Rotary(2)), pair),
    "encoder layer": Case(lambda: EncoderLayer(8, 2, 9), masked),
    "encoder": Case(lambda: Encoder(2, 8, 2, 9, "post"), masked),
    "decoder layer": Case(lambda: DecoderLayer(8, 2, 9), both_masks),
    "decoder": Case(lambda: Decoder(2, 8, 2, 9), both_masks),
    "embedding": Case(lambda: Embedding(7, 8, padding=0), numbers),
    "learned position": Case(lambda: LearnedPosition(20, 8), x),
    "sinusoidal position": Case(lambda: SinusoidalPosition(8, longest=20), x),
    "rotary": Case(lambda: Rotary(8), heads),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each
@pytest.mark.parametrize("sizes", [(3, 4, 5), (1, 1, 1)])
def test_its_contract_says_what_it_does(case, sizes):
    block, inputs = case.make(), case.inputs(*sizes)
    contract = Contract(block.contract)
    found = contract.check(inputs, block(*inputs))
    assert str(Contract(str(contract))) == str(contract)
    assert {"batch": sizes[0]}.items() <= found.items() or "..." in block.contract


@each
def test_masks_may_be_left_out(case):
    block, inputs = case.make(), case.inputs(2, 3, 4)
    optional = [port.optional for port in Contract(block.contract).inputs]
    for kept in range(optional.count(False), len(inputs)):
        assert optional[kept]
        assert block(*inputs[:kept]).isfinite().all()


@each
def test_it_runs_on_the_meta_device(case):
    block, inputs = case.make(), case.inputs(3, 4, 5)
    real = block(*inputs)
    meta = block.to("meta")(*(None if tensor is None else tensor.to("meta") for tensor in inputs))
    assert (meta.shape, meta.dtype, meta.device.type) == (real.shape, real.dtype, "meta")


@each
def test_it_exports_for_any_batch_and_length(case):
    block, inputs = case.make().eval(), case.inputs(3, 4, 5)
    names = {3: "batch", 4: "steps", 5: "time"}
    dims = {name: torch.export.Dim(name, min=1, max=20) for name in names.values()}
    sizes = [
        tensor if tensor is None else {i: dims[names[size]] for i, size in enumerate(tensor.shape[:2])}
        for tensor in inputs
    ]
    program = torch.export.export(block, inputs, dynamic_shapes=tuple(sizes), strict=False).module()
    for other in (inputs, case.inputs(2, 7, 6)):
        torch.testing.assert_close(program(*other), block(*other))


@each
def test_it_learns_nothing_from_itself_and_keeps_its_inputs(case):
    """Twice the same: no hidden state; and what came in is as it was."""
    block, inputs = case.make().eval(), case.inputs(3, 4, 5)
    copies = [None if tensor is None else tensor.clone() for tensor in inputs]
    assert torch.equal(block(*inputs), block(*inputs))
    assert all(a is None or torch.equal(a, b) for a, b in zip(inputs, copies, strict=True))


@each
def test_its_weights_go_into_another(case):
    first, second = case.make().eval(), case.make().eval()
    second.load_state_dict(first.state_dict())
    inputs = case.inputs(3, 4, 5)
    assert torch.equal(first(*inputs), second(*inputs))
