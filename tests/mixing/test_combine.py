"""The five ways to combine compute what their table says, for any number of vectors, and refuse what does not fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.mixing import Add, Attend, Concat, Gate, Mean

KINDS = [Concat, Add, Mean, Attend, Gate]


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(KINDS), modules=st.integers(1, 4), batch=st.integers(0, 5), width=st.integers(1, 9)
)
def test_shapes_gradients_and_untouched_inputs(kind, modules, batch, width):
    combine = kind([width] * modules)
    vectors = [torch.randn(batch, width, requires_grad=True) for _ in range(modules)]
    copies = [vector.detach().clone() for vector in vectors]
    joined = combine(vectors)
    assert joined.shape == (batch, combine.width)
    joined.square().sum().backward()
    for vector, copy in zip(vectors, copies, strict=True):
        assert torch.equal(vector, copy)
        assert vector.grad is not None
        assert batch == 0 or vector.grad.abs().sum() > 0


def test_concat_takes_unequal_widths_and_keeps_every_number():
    a, b = torch.randn(3, 2), torch.randn(3, 5)
    joined = Concat([2, 5])([a, b])
    assert torch.equal(joined[:, :2], a)
    assert torch.equal(joined[:, 2:], b)


def test_add_and_mean_are_sums_over_modules():
    a, b, c = torch.randn(3, 4, 2)
    torch.testing.assert_close(Add([2, 2, 2])([a, b, c]), a + b + c)
    torch.testing.assert_close(Mean([2, 2, 2])([a, b, c]), (a + b + c) / 3)


@pytest.mark.parametrize("kind", [Attend, Gate])
def test_weights_are_shares_and_give_the_output(kind):
    torch.manual_seed(0)
    combine = kind([6, 6, 6])
    vectors = list(torch.randn(3, 5, 6))
    weights = combine.weights(vectors)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones_like(weights.sum(dim=1)))
    per_feature = weights if kind is Gate else weights.unsqueeze(-1).expand(5, 3, 6)
    expected = sum(per_feature[:, i] * vectors[i] for i in range(3))
    torch.testing.assert_close(combine(vectors), expected)


def test_attend_is_torchs_attention_with_one_query():
    torch.manual_seed(0)
    combine = Attend([8, 8]).double()
    vectors = list(torch.randn(2, 5, 8, dtype=torch.float64))
    values = torch.stack(vectors, dim=1)  # (batch, modules, width)
    query = combine.query.expand(5, 1, 8)
    expected = torch.nn.functional.scaled_dot_product_attention(query, combine.key(values), values)
    torch.testing.assert_close(combine(vectors), expected.squeeze(1))


def test_attend_scores_each_vector_alone_and_gate_looks_at_all():
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 1, 4)
    attend, gate = Attend([4, 4, 4]), Gate([4, 4, 4])

    def ratio(
        combine, third
    ):  # of the first two weights: a softmax's ratio is the difference of their scores
        weights = combine.weights([a, b, third])
        return weights[:, 0] / weights[:, 1]

    torch.testing.assert_close(ratio(attend, c), ratio(attend, -c))
    assert not torch.allclose(ratio(gate, c), ratio(gate, -c))


@pytest.mark.parametrize("kind", [Add, Mean, Attend, Gate])
def test_unequal_widths_are_refused(kind):
    with pytest.raises(ValueError, match=rf"widths: {kind.__name__} needs equal widths, got \[2, 3\]"):
        kind([2, 3])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shapes", [[(2, 4)], [(2, 4)] * 3, [(2, 4), (2, 5)], [(2, 4), (3, 4)], [(2, 4), (4,)], []]
)
def test_vectors_that_do_not_fit_are_refused(kind, shapes):
    with pytest.raises(ValueError, match="vectors: expected shapes"):
        kind([4, 4])([torch.zeros(shape) for shape in shapes])


@pytest.mark.parametrize("widths", [[], [0, 0]])
def test_widths_must_be_there(widths):
    with pytest.raises(ValueError, match="widths: expected one or more positive"):
        Concat(widths)
