"""Transformer layers and stacks are torch's in both orders of norm, with every mask, and in every gradient."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.activation import GELU, ReLU
from workbench.blocks.transformer import Decoder, DecoderLayer, Encoder, EncoderLayer, from_torch

OPTIONS = {
    "sizes": st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4)),  # batch, time, steps
    "heads": st.tuples(st.integers(1, 3), st.integers(1, 3)),  # heads, width of one
    "hidden": st.integers(1, 7),
    "norm": st.sampled_from(["pre", "post"]),
    "activation": st.sampled_from([("relu", ReLU), ("gelu", GELU)]),
    "masked": st.booleans(),
}


def some_real(batch: int, time: int) -> torch.Tensor:
    """Any pattern of real tokens, the first being real: torch gives nan where a place may read nothing."""
    mask = torch.rand(batch, time, generator=torch.Generator().manual_seed(batch + time)) < 0.5
    mask[:, 0] = True
    return mask


def reverse(mask):
    return None if mask is None else ~mask  # torch: True is padding


def later(time: int) -> torch.Tensor:
    """True where torch must not look."""
    return torch.ones(time, time, dtype=torch.bool).triu(1)


def encode_torch(theirs, x, mask, causal=False):
    return theirs(x, later(x.shape[1]) if causal else None, src_key_padding_mask=reverse(mask))


def decode_torch(theirs, x, memory, mask, memory_mask):
    masks = {"tgt_key_padding_mask": reverse(mask), "memory_key_padding_mask": reverse(memory_mask)}
    return theirs(x, memory, later(x.shape[1]), **masks)


def torch_layer(kind, width, heads, hidden, norm, activation="relu", dropout=0.0):
    options = {"activation": activation, "norm_first": norm == "pre", "batch_first": True}
    layer = kind(width, heads, hidden, dropout, **options)
    for parameter in layer.parameters():  # torch starts biases at 0 and norms at 1, which would hide mistakes
        nn.init.normal_(parameter)
    return layer


def torch_stack(kind, layer, layers, norm, **options):
    """As `nn.TransformerEncoder`, whose copies of one layer would all have the same weights."""
    width = layer.norm1.normalized_shape[0]
    stack = kind(copy.deepcopy(layer), layers, nn.LayerNorm(width) if norm == "pre" else None, **options)
    for parameter in stack.parameters():
        nn.init.normal_(parameter)
    return stack


@settings(deadline=None, max_examples=40)
@given(**OPTIONS, causal=st.booleans())
def test_an_encoder_layer_is_torchs(same, draw, sizes, heads, hidden, norm, activation, masked, causal):
    (batch, time, _), (count, each), (name, kind) = sizes, heads, activation
    theirs = torch_layer(nn.TransformerEncoderLayer, count * each, count, hidden, norm, name)
    ours = EncoderLayer(count * each, count, hidden, norm, kind, causal=causal)
    mask = some_real(batch, time) if masked else None
    call = lambda theirs, *inputs: encode_torch(theirs, *inputs, causal=causal)  # noqa: E731
    same(ours, theirs, draw(batch, time, count * each), mask, call=call, translate=from_torch)


@settings(deadline=None, max_examples=40)
@given(**OPTIONS)
def test_a_decoder_layer_is_torchs(same, draw, sizes, heads, hidden, norm, activation, masked):
    (batch, time, steps), (count, each), (name, kind) = sizes, heads, activation
    theirs = torch_layer(nn.TransformerDecoderLayer, count * each, count, hidden, norm, name)
    ours = DecoderLayer(count * each, count, hidden, norm, kind)
    masks = (some_real(batch, steps), some_real(batch, time)) if masked else (None, None)
    x, memory = draw(batch, steps, count * each), draw(batch, time, count * each, seed=1)
    same(ours, theirs, x, memory, *masks, call=decode_torch, translate=from_torch)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("layers", [1, 3])
def test_stacks_are_torchs(same, draw, norm, layers):
    encoder_layer = torch_layer(nn.TransformerEncoderLayer, 6, 2, 5, norm)
    decoder_layer = torch_layer(nn.TransformerDecoderLayer, 6, 2, 5, norm)
    encoder = torch_stack(nn.TransformerEncoder, encoder_layer, layers, norm, enable_nested_tensor=False)
    decoder = torch_stack(nn.TransformerDecoder, decoder_layer, layers, norm)
    x, memory = draw(2, 4, 6), draw(2, 5, 6, seed=1)
    mask, memory_mask = some_real(2, 4), some_real(2, 5)
    same(Encoder(layers, 6, 2, 5, norm), encoder, x, mask, call=encode_torch, translate=from_torch)
    inputs = x, memory, mask, memory_mask
    same(Decoder(layers, 6, 2, 5, norm), decoder, *inputs, call=decode_torch, translate=from_torch)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_dropout_stands_where_torchs_stands(same, draw, norm):
    """The same random state forgets the same numbers; of a batch of one, as torch lays larger ones out time first."""
    theirs = torch_layer(nn.TransformerEncoderLayer, 6, 2, 5, norm, dropout=0.3).train()
    ours, x = EncoderLayer(6, 2, 5, norm, dropout=0.3), draw(1, 4, 6)
    same(ours, theirs, x, some_real(1, 4), call=encode_torch, translate=from_torch)
    assert not torch.equal(ours(x), ours(x))
    theirs = torch_layer(nn.TransformerDecoderLayer, 6, 2, 5, norm, dropout=0.3).train()
    ours, inputs = DecoderLayer(6, 2, 5, norm, dropout=0.3), (x, draw(1, 3, 6, seed=1), None, None)
    same(ours, theirs, *inputs, call=decode_torch, translate=from_torch)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_does_not_count_for_real_places(draw, norm):
    encoder, x = Encoder(2, 6, 2, 5, norm).double(), draw(2, 5, 6)
    alone = encoder(x[:, :3])
    x[:, 3:] = torch.nan
    mask = torch.tensor([[True, True, True, False, False]]).expand(2, 5)
    torch.testing.assert_close(encoder(x, mask)[:, :3], alone)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_memory_of_padding_changes_nothing_and_gives_no_nan(draw, norm):
    """The cross-attention then adds exactly 0, so that only the other two sublayers speak."""
    layer, x, memory = DecoderLayer(6, 2, 5, norm).double(), draw(1, 4, 6), draw(1, 3, 6, seed=1)
    memory.requires_grad_()
    y = layer(x, memory, None, torch.zeros(1, 3, dtype=torch.bool))
    middle = layer.attention(x, None, None)
    torch.testing.assert_close(y, layer.mlp(middle if norm == "pre" else layer.cross.norm(middle)))
    gradients = torch.autograd.grad(y.sum(), [memory, *layer.parameters()], materialize_grads=True)
    assert (gradients[0] == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_decoder_does_not_know_the_future(draw):
    decoder, memory = Decoder(2, 6, 2, 5).double(), draw(2, 3, 6)
    x, other = draw(2, 5, 6, seed=1), draw(2, 5, 6, seed=2)
    mixed = torch.cat([x[:, :3], other[:, 3:]], dim=1)
    torch.testing.assert_close(decoder(x, memory)[:, :3], decoder(mixed, memory)[:, :3])
    assert not torch.isclose(decoder(x, memory)[:, 3:], decoder(mixed, memory)[:, 3:]).any()


def test_a_memory_of_another_width(draw):
    decoder = Decoder(2, 6, 2, 5, memory_width=4).double()
    assert decoder(draw(2, 3, 6), draw(2, 7, 4)).shape == (2, 3, 6)
    with pytest.raises(ValueError, match=r"memory: expected shape \(2, time, 4\), got \(2, 7, 6\)"):
        decoder(draw(2, 3, 6), draw(2, 7, 6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Encoder(0, 6, 2, 5), "layers: expected at least 1, got 0"),
        (lambda: Decoder(0, 6, 2, 5), "layers: expected at least 1, got 0"),
        (lambda: EncoderLayer(6, 2, 5, norm="first"), 'norm: expected "pre" or "post", got \'first\''),
        (lambda: DecoderLayer(6, 4, 5), "num_heads: expected a divisor of width 6, got 4"),
        (lambda: EncoderLayer(6, 2, 0), "hidden: expected at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
