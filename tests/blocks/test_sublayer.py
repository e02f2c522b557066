"""The norm stands before or behind, and the order decides how gradients depend on depth."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.blocks.linear import Linear
from workbench.blocks.sublayer import Sublayer
from workbench.blocks.transformer import Encoder


@settings(deadline=None, max_examples=20)
@given(batch=st.integers(0, 3), time=st.integers(0, 4), width=st.integers(1, 6))
def test_both_orders_are_their_formulas(draw, batch, time, width):
    inner, x = Linear(width, width).double(), draw(batch, time, width)
    pre, post = (Sublayer(inner, width, norm, dropout=0.0).double() for norm in ("pre", "post"))
    torch.testing.assert_close(pre(x), x + inner(functional.layer_norm(x, (width,))))
    torch.testing.assert_close(post(x), functional.layer_norm(x + inner(x), (width,)))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_other_inputs_reach_the_inner_part_as_they_are(draw, norm):
    class Difference(nn.Module):
        def forward(self, x, other, absent):
            assert absent is None
            return other - x

    x, other = draw(2, 3, 4), draw(2, 3, 4, seed=1)
    normed = functional.layer_norm(x, (4,))
    expected = x + other - normed if norm == "pre" else functional.layer_norm(other, (4,))
    torch.testing.assert_close(Sublayer(Difference(), 4, norm, 0.0).double()(x, other, None), expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_dropout_forgets_what_is_added_and_never_x(draw, norm):
    x, layer = draw(2, 3, 4), Sublayer(Linear(4, 4), 4, norm, dropout=1.0).double()
    torch.testing.assert_close(layer(x), x if norm == "pre" else functional.layer_norm(x, (4,)))
    assert not torch.allclose(layer.eval()(x), layer.train()(x))


def test_gradients_near_the_output_shrink_with_depth_only_when_norms_come_first(draw):
    """Xiong et al., theorem 1: at the start, with Xavier's weights, as 1/√layers before and not at all behind."""

    def last_gradient(norm: str, layers: int) -> float:
        torch.manual_seed(0)
        encoder = Encoder(layers, 16, 2, 32, norm).double()
        for parameter in encoder.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_normal_(parameter)
        (encoder(draw(16, 6, 16)) * draw(16, 6, 16, seed=1)).sum().backward()
        return encoder.layers[-1].mlp.inner.layers[1].weight.grad.norm().item()

    shrinks = {norm: last_gradient(norm, 32) / last_gradient(norm, 2) for norm in ("pre", "post")}
    assert 0.5 * (2 / 32) ** 0.5 < shrinks["pre"] < 1.5 * (2 / 32) ** 0.5
    assert shrinks["post"] > 0.5


def test_another_order_is_refused():
    with pytest.raises(ValueError, match='norm: expected "pre" or "post", got \'first\''):
        Sublayer(nn.Identity(), 4, "first", 0.0)
