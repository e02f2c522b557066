"""Linear layers with one input become one, exactly; those that must not are left alone, with a reason."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from workbench import blocks
from workbench.fusion import fuse
from workbench.fusion.rules.merge_parallel import find

RULES = (find,)


class Parallel(nn.Module):
    """Layers that read one input, and what is made of their results."""

    def __init__(self, *layers, then=lambda model, *results: results):
        super().__init__()
        self.first, self.second = layers[:2]
        self.others = nn.ModuleList(layers[2:])
        self.then = then

    def forward(self, x):
        return self.then(self, self.first(x), self.second(x), *(layer(x) for layer in self.others))


def error(found, expected) -> float:
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        if other.numel():
            worst = max(worst, ((one - other).abs().max() / other.abs().max().clamp_min(1e-300)).item())
    return worst


@settings(deadline=None, max_examples=30)
@given(
    inputs=st.integers(1, 9),
    layers=st.lists(st.tuples(st.integers(1, 7), st.booleans(), st.booleans()), min_size=2, max_size=4),
    batch=st.sampled_from([(1,), (3, 2), (0,), ()]),
    seed=st.integers(0, 2**16),
)
def test_any_layers_are_merged_exactly(inputs, layers, batch, seed):
    torch.manual_seed(seed)
    made = [
        (blocks.Linear if ours else nn.Linear)(inputs, width, bias=bias).double()
        for width, bias, ours in layers
    ]
    model = Parallel(*made).eval()

    report = fuse(model, torch.randn(4, inputs).double(), RULES)

    assert len(report.rewrites) == 1
    assert not report.refused
    assert sum(isinstance(part, nn.Linear | blocks.Linear) for part in report.model.modules()) == 1
    x = torch.randn(*batch, inputs, dtype=torch.float64)  # other shapes than those it was traced with
    assert error(report.model(x), model(x)) < 1e-12
    assert report.max_error_float64 < 1e-12


def test_names_survive():
    report = fuse(Parallel(nn.Linear(3, 4), nn.Linear(3, 5)), torch.randn(2, 3), RULES)
    (rewrite,) = report.rewrites
    assert rewrite.where == "first + second"
    assert dict(report.model.named_parameters())["first_second.weight"].shape == (9, 3)


def test_a_name_that_is_taken_is_kept():
    model = Parallel(nn.Linear(3, 4), nn.Linear(3, 5), then=lambda model, a, b: (a + model.first_second, b))
    model.first_second = nn.Parameter(torch.randn(4))
    x = torch.randn(2, 3)
    report = fuse(model, x, RULES)
    assert error(report.model(x), model(x)) < 1e-6


def test_groups_are_kept_apart():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = (
                Parallel(nn.Linear(3, 3), nn.Linear(3, 3)),
                Parallel(nn.Linear(3, 2), nn.Linear(3, 2)),
            )

        def forward(self, x):
            one, other = self.a(x)
            return self.b(torch.relu(one) + other)

    report = fuse(Two(), torch.randn(2, 3), RULES)
    assert [rewrite.where for rewrite in report.rewrites] == ["a.first + a.second", "b.first + b.second"]


def test_weights_get_the_gradients_they_got():
    torch.manual_seed(0)
    model, x = Parallel(nn.Linear(5, 4), nn.Linear(5, 3)).double(), torch.randn(6, 5, dtype=torch.float64)
    fused = fuse(model, x, RULES).model
    for each in (model, fused):
        a, b = each(x)
        (a.square().sum() + b.exp().sum()).backward()
    merged = fused.first_second
    assert torch.allclose(merged.weight.grad, torch.cat([model.first.weight.grad, model.second.weight.grad]))
    assert torch.allclose(merged.bias.grad, torch.cat([model.first.bias.grad, model.second.bias.grad]))


def test_attention_of_our_blocks():
    model = blocks.MultiHeadAttention(12, 3).eval()
    report = fuse(model, torch.randn(2, 5, 12), RULES)
    assert [rewrite.where for rewrite in report.rewrites] == ["query + key + value"]
    assert report.max_error_float64 < 1e-12


def hooked(layer):
    layer.register_forward_hook(lambda module, args, output: 2 * output)
    return layer


def frozen(layer):
    return layer.requires_grad_(False)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (hooked(nn.Linear(3, 4)), "hooks"),
        (parametrizations.weight_norm(nn.Linear(3, 4)), "parametrized"),
        (frozen(nn.Linear(3, 4)), "frozen"),
    ],
)
def test_an_odd_one_is_left_alone_and_the_others_merge(odd, reason):
    model, x = Parallel(nn.Linear(3, 4), nn.Linear(3, 5), odd).eval(), torch.randn(2, 3)
    report = fuse(model, x, RULES)
    assert [rewrite.where for rewrite in report.rewrites] == ["first + second"]
    assert any(refusal.where == "others.0" and reason in refusal.why for refusal in report.refused)
    assert error(report.model(x), model(x)) < 1e-6


def test_layers_that_share_a_weight_are_left_alone():
    model = Parallel(nn.Linear(3, 4), nn.Linear(3, 4)).eval()
    model.second.weight = model.first.weight
    report = fuse(model, torch.randn(2, 3), RULES)
    assert not report.rewrites
    assert {refusal.where for refusal in report.refused} == {"first", "second"}


def test_a_layer_called_twice_is_left_alone():
    model = Parallel(nn.Linear(3, 3), nn.Linear(3, 3), then=lambda model, a, b: (model.first(a), b))
    report = fuse(model.eval(), torch.randn(2, 3), RULES)
    assert not report.rewrites
    assert "2 times" in report.refused[0].why


def test_zeros_for_a_bias_must_not_learn():
    model, x = Parallel(nn.Linear(3, 4), nn.Linear(3, 4, bias=False)), torch.randn(2, 3)
    assert len(fuse(copy.deepcopy(model).eval(), x, RULES).rewrites) == 1
    report = fuse(model.train(), x, RULES)
    assert not report.rewrites
    assert "would learn" in report.refused[0].why


def test_a_view_over_gaps_is_refused_and_a_view_within_rows_is_not():
    over = Parallel(nn.Linear(4, 6), nn.Linear(4, 6), then=lambda model, a, b: (a.view(-1), b))
    report = fuse(over.eval(), torch.randn(3, 4), RULES)
    assert not report.rewrites
    assert ".reshape" in report.refused[0].why
    within = Parallel(nn.Linear(4, 6), nn.Linear(4, 6), then=lambda model, a, b: (a.view(3, 5, 2, 3), b))
    assert len(fuse(within.eval(), torch.randn(3, 5, 4), RULES).rewrites) == 1


def test_a_view_further_down_is_found_by_verification():
    late = Parallel(nn.Linear(4, 6), nn.Linear(4, 6), then=lambda model, a, b: (a.unsqueeze(0).view(-1), b))
    report = fuse(late.eval(), torch.randn(3, 4), RULES)
    assert not report.rewrites
    assert any("view" in refusal.why for refusal in report.refused)


def test_an_input_that_is_overwritten_between_is_found():
    class Overwrites(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            y = torch.sin(x)
            a = self.a(y)
            y.add_(1)
            return a + self.b(y)

    model, x = Overwrites().eval(), torch.randn(2, 3)
    report = fuse(model, x, RULES)
    assert not report.rewrites
    assert torch.allclose(report.model(x), model(x))


def test_what_a_kernel_reads_is_left_alone():
    report = fuse(blocks.SwiGLU(4, 6, 3).eval(), torch.randn(2, 4))
    assert [rewrite.what for rewrite in report.rewrites] == ["kernels.swiglu"]
    assert {refusal.where for refusal in report.refused} == {"gate", "up"}
    assert len(fuse(blocks.SwiGLU(4, 6, 3).eval(), torch.randn(2, 4), RULES).rewrites) == 1


def test_what_a_kernel_reads_in_another_shape_is_left_alone():
    def function(model, q, k):
        return torch.softmax(q @ k.transpose(-2, -1), -1) @ k

    model = Parallel(nn.Linear(4, 6), nn.Linear(4, 6), then=function).eval()
    report = fuse(model, torch.randn(2, 5, 4))
    assert [rewrite.what for rewrite in report.rewrites] == [
        "kernels.attention"
    ]  # one head: read row after row
    assert "gaps" in report.refused[0].why


def test_random_numbers_stay_as_they_were():
    model = Parallel(nn.Linear(3, 4), nn.Linear(3, 5))
    before = torch.get_rng_state()
    assert fuse(model, torch.ones(2, 3), RULES).rewrites
    assert torch.equal(torch.get_rng_state(), before)
