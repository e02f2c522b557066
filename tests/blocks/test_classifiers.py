"""The four classifiers keep their contract, cost what they say, and have the blind spots they are known for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.blocks.classifiers import (
    AttentionClassifier,
    ConvolutionalClassifier,
    MLPClassifier,
    RecurrentClassifier,
    pieces_of,
)
from workbench.fabric import Contract

MAKERS = {
    "mlp": lambda shape, classes=10: MLPClassifier(shape, 6, classes),
    "convolutional": lambda shape, classes=10: ConvolutionalClassifier(shape, 5, classes),
    "recurrent": lambda shape, classes=10: RecurrentClassifier(shape, 7, classes=classes),
    "attention": lambda shape, classes=10: AttentionClassifier(shape, 6, classes=classes),
}
SHAPES = {"signal": (40,), "picture": (28, 28), "ragged picture": (9, 5)}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_gives_logits_of_the_contract_and_a_gradient_for_every_parameter(make, shape, batch):
    torch.manual_seed(0)
    model, x = make(shape), torch.randn(batch, *shape)
    logits = model(x)
    assert logits.shape == (batch, 10)
    Contract(model.contract).check((x,), (logits,))
    if batch == 3:
        logits.square().sum().backward()
        assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 6), piece=st.integers(1, 5), batch=st.integers(1, 3), classes=st.integers(1, 4))
def test_any_signal_that_can_be_cut_is_read(count, piece, batch, classes):
    x = torch.randn(batch, count * piece)
    assert RecurrentClassifier((count * piece,), 3, piece, classes)(x).shape == (batch, classes)
    assert AttentionClassifier((count * piece,), 4, 2, piece, classes)(x).shape == (batch, classes)


@pytest.mark.parametrize("shape", [(), (0,), (4, 4, 4), (8, 0)])
def test_refuses_a_shape_that_is_neither_signal_nor_picture(make, shape):
    with pytest.raises(ValueError, match="shape"):
        make(shape)


@pytest.mark.parametrize("wrong", [(3, 41), (40,), (3, 40, 1), (3, 28, 28)])
def test_refuses_an_input_of_another_shape(make, wrong):
    with pytest.raises(ValueError, match="x"):
        make((40,))(torch.zeros(wrong))


def test_refuses_what_cannot_be_cut_and_no_classes(make):
    with pytest.raises(ValueError, match="piece"):
        RecurrentClassifier((40,), 3, piece=7)
    with pytest.raises(ValueError, match="classes"):
        make((40,), 0)


def test_a_signal_is_cut_into_pieces_and_a_picture_into_rows():
    assert pieces_of((40,), 4) == (10, 4)
    assert pieces_of((9, 5), 4) == (9, 5)


def parameters(model):
    return sum(weights.numel() for weights in model.parameters())


def test_only_the_convolution_costs_the_same_for_a_longer_signal():
    for make in (
        MAKERS["convolutional"],
        MAKERS["recurrent"],
    ):  # the recurrent one has one cell for all steps
        assert parameters(make((40,))) == parameters(make((80,)))
    for make in (MAKERS["mlp"], MAKERS["attention"]):  # weights for each point; a vector for each place
        assert parameters(make((40,))) < parameters(make((80,)))


def test_to_an_mlp_the_order_of_its_inputs_is_only_a_name():
    torch.manual_seed(1)
    model, x, order = MLPClassifier((40,), 6), torch.randn(3, 40), torch.randperm(40)
    before = model(x)
    with torch.no_grad():
        first = model.layers.layers[0].weight
        first.copy_(first[:, order])
    assert torch.allclose(model(x[:, order]), before, atol=1e-6)


def test_a_convolution_finds_a_pattern_wherever_it_stands():
    """Moved by the product of the strides, away from the borders, the pattern gets the very same logits."""
    torch.manual_seed(2)
    model, pattern = ConvolutionalClassifier((80,), 5), torch.randn(8)
    here, there = torch.zeros(1, 80), torch.zeros(1, 80)
    here[0, 24:32], there[0, 40:48] = pattern, pattern
    assert torch.allclose(model(here), model(there), atol=1e-6)
    assert not torch.allclose(MLPClassifier((80,), 6)(here), MLPClassifier((80,), 6)(there))


def test_attention_knows_the_order_of_its_pieces_by_their_places_alone():
    torch.manual_seed(3)
    model, x = AttentionClassifier((40,), 6), torch.randn(3, 40)
    moved = x.unflatten(1, (10, 4))[:, torch.randperm(10)].flatten(1)
    torch.nn.init.normal_(model.place.weight)
    assert not torch.allclose(model(x), model(moved), atol=1e-3)
    torch.nn.init.zeros_(model.place.weight)
    assert torch.allclose(model(x), model(moved), atol=1e-5)
    reader = RecurrentClassifier((40,), 7)
    assert not torch.allclose(reader(x), reader(moved), atol=1e-3)
