"""Bias and GELU, SwiGLU, and the last layer with its loss become kernels: each pattern, and its near misses."""

import copy
import io
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import kernels
from workbench import blocks
from workbench.fusion import fuse
from workbench.fusion.graph.tracing import trace
from workbench.fusion.outline import outline
from workbench.fusion.rules.use_kernels import bias_gelu as use_bias_gelu
from workbench.fusion.rules.use_kernels import dropout_add as use_dropout_add
from workbench.fusion.rules.use_kernels import linear_cross_entropy as use_linear_cross_entropy
from workbench.fusion.rules.use_kernels import swiglu as use_swiglu
from workbench.training.small_transformer import Size, SmallTransformer

GELU, SWIGLU = (use_bias_gelu.find,), (use_swiglu.find,)
LOSS, DROPOUT = (use_linear_cross_entropy.find,), (use_dropout_add.find,)


class Model(nn.Module):
    """Parts by name, and a forward that uses them."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.run(self, *inputs)


def called(report, function) -> int:
    return sum(node.target is function for node in report.model.graph.nodes)


def equal(report, model, *inputs, tolerance=1e-5) -> bool:
    expected, found = model(*inputs), report.model(*inputs)
    return torch.allclose(
        found, expected, rtol=tolerance, atol=tolerance * float(expected.detach().abs().max())
    )


# bias and GELU


@pytest.mark.parametrize("linear", [nn.Linear, blocks.Linear])
@pytest.mark.parametrize("gelu", [nn.GELU, blocks.GELU])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_bias_and_gelu(linear, gelu, approximate):
    torch.manual_seed(0)
    model = nn.Sequential(linear(7, 33), gelu(approximate), linear(33, 3)).eval()
    x = torch.randn(4, 5, 7)
    report = fuse(model, x, GELU)
    assert [rewrite.where for rewrite in report.rewrites] == ["0 + 1"]
    assert called(report, kernels.bias_gelu) == 1
    assert report.max_error_float64 < 1e-12
    assert equal(report, model, torch.randn(3, 7))  # another number of axes
    assert set(report.model.state_dict()) == set(model.state_dict())  # the weights keep their names


@pytest.mark.parametrize("options", [{}, {"approximate": "tanh"}])
def test_the_function_too(options):
    model = Model(
        lambda own, x: functional.gelu(input=own.layer(input=x), **options), layer=nn.Linear(5, 9)
    ).eval()
    report = fuse(model, torch.randn(2, 5), GELU)
    assert called(report, kernels.bias_gelu) == 1
    # both formulas differ by up to 4.7e-4: the wrong one would show here
    assert report.max_error < 1e-5
    assert report.max_error_float64 < 1e-12


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda own, x: (y := own.layer(x)) + own.gelu(y), "used elsewhere"),
        (lambda own, x: own.gelu(own.bare(x)), "no bias"),
        (lambda own, x: own.gelu(own.hooked(x)), "hooks"),
        (lambda own, x: own.watched(own.layer(x)), "hooks"),
        (lambda own, x: own.gelu(own.normed(x)), "parametrized"),
    ],
)
def test_near_misses_of_bias_and_gelu(forward, reason):
    hooked, watched = nn.Linear(4, 4), nn.GELU()
    hooked.register_forward_hook(lambda module, args, output: output + 1)
    watched.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model = Model(
        forward,
        layer=nn.Linear(4, 4),
        gelu=nn.GELU(),
        bare=nn.Linear(4, 4, bias=False),
        hooked=hooked,
        watched=watched,
        normed=nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)),
    ).eval()
    x = torch.randn(3, 4)
    report = fuse(model, x, GELU)
    assert not report.rewrites
    assert any(reason in refusal.why for refusal in report.refused)
    assert equal(report, model, x)


def test_a_layer_called_twice_and_a_tied_weight_are_no_obstacle():
    model = Model(lambda own, x: own.gelu(own.a(own.gelu(own.a(own.gelu(own.b(x)))))), a=nn.Linear(6, 6))
    model.b, model.gelu = nn.Linear(6, 6), blocks.GELU()
    model.b.weight = model.a.weight
    report = fuse(model.eval(), torch.randn(2, 6), GELU)
    assert called(report, kernels.bias_gelu) == 3
    assert report.max_error_float64 < 1e-12
    assert report.model.a.weight is report.model.b.weight


def test_half_precision():
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU()).bfloat16().eval()
    x = torch.randn(4, 16).bfloat16()
    report = fuse(model, x, GELU)
    assert called(report, kernels.bias_gelu) == 1
    assert report.model(x).dtype == torch.bfloat16
    assert equal(report, model, x, tolerance=2e-2)


def test_gradients_reach_the_weights():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.GELU()).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    fused = fuse(model, x, GELU).model
    for each in (model, fused):
        each(x).square().sum().backward()
    for name, param in model.named_parameters():
        assert torch.allclose(fused.get_parameter(name).grad, param.grad, rtol=1e-10)


def test_the_fused_model_is_copied_and_stored():
    x = torch.randn(2, 5)
    fused = fuse(nn.Sequential(nn.Linear(5, 8), nn.GELU()).eval(), x, GELU).model
    stored = io.BytesIO()
    pickle.dump(fused, stored)
    stored.seek(0)
    for other in (copy.deepcopy(fused), pickle.load(stored)):
        assert torch.equal(other(x), fused(x))


# SwiGLU

SPELLINGS = [
    lambda own, x: functional.silu(own.gate(x)) * own.up(x),
    lambda own, x: own.up(x) * own.silu(own.gate(x)),
    lambda own, x: torch.mul(own.ours(own.gate(x)), own.up(x)),
    lambda own, x: (gate := own.gate(x)) * torch.sigmoid(gate) * own.up(x),
    lambda own, x: own.up(x) * ((gate := own.gate(x)).sigmoid() * gate),
]


@pytest.mark.parametrize("forward", SPELLINGS)
def test_swiglu(forward):
    torch.manual_seed(0)
    parts = {"gate": nn.Linear(5, 7), "up": nn.Linear(5, 7), "silu": nn.SiLU(), "ours": blocks.SiLU()}
    model, x = Model(forward, **parts).eval(), torch.randn(3, 5)
    report = fuse(model, x, SWIGLU)
    assert called(report, kernels.swiglu) == 1
    assert sum(node.op != "get_attr" for node in report.model.graph.nodes) == 5  # x, gate, up, swiglu, output
    assert report.max_error_float64 < 1e-12
    assert equal(report, model, torch.randn(2, 4, 5))
    before, after = outline(trace(model, (x,)), report.model, report.rewrites)
    assert [step.kind for step in after if step.number] == ["swiglu"]
    stayed = [[step.name for step in side if not step.number] for side in (before, after)]
    assert stayed[0] == stayed[1]  # so the picture marks what is replaced, and all of it


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda own, x: (y := functional.silu(x)) * x + y, "used elsewhere"),
        (lambda own, x: functional.silu(x) * x.sum(-1, keepdim=True), "shape"),
        (lambda own, x: functional.silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1], "gaps"),
        (lambda own, x: functional.silu(torch.sin(x), inplace=True) * x, "inplace"),
        (lambda own, x: functional.silu(x) * 2, ""),
        (lambda own, x: x.sigmoid() * torch.sin(x), ""),  # no SiLU: another factor
    ],
)
def test_near_misses_of_swiglu(forward, reason):
    model, x = Model(forward).eval(), torch.randn(3, 4)
    report = fuse(model, x, SWIGLU)
    assert not report.rewrites
    assert len(report.refused) == bool(reason)
    assert all(reason in refusal.why for refusal in report.refused)
    assert equal(report, model, x)


# the last layer and its loss


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("linear", [nn.Linear, blocks.Linear])
@pytest.mark.parametrize(
    "loss",
    [
        functional.cross_entropy,
        nn.CrossEntropyLoss(ignore_index=2, label_smoothing=0.1),
        lambda logits, target: functional.cross_entropy(logits, target, reduction="sum"),
        lambda logits, target: functional.cross_entropy(target=target, input=logits, reduction="none"),
    ],
)
def test_the_loss_of_a_linear_layer(bias, linear, loss):
    torch.manual_seed(0)
    head = linear(6, 11, bias=bias)
    if isinstance(loss, nn.Module):
        model = Model(lambda own, x, y: own.loss(own.head(x), y), head=head, loss=loss)
    else:
        model = Model(lambda own, x, y: loss(own.head(x), y), head=head)
    x, y = torch.randn(9, 6), torch.randint(11, (9,))
    report = fuse(model.eval(), (x, y), LOSS)
    assert called(report, kernels.linear_cross_entropy) == 1
    assert report.max_error_float64 < 1e-12
    assert equal(report, model, torch.randn(4, 6), torch.randint(11, (4,)))


@pytest.mark.parametrize(
    "rows",
    [
        lambda logits: logits.flatten(0, 1),
        lambda logits: logits.view(-1, 11),
        lambda logits: logits.reshape(-1, logits.size(-1)),
        lambda logits: torch.reshape(logits, (-1, logits.shape[2])),
    ],
)
def test_rows_one_under_the_other(rows):
    model = Model(
        lambda own, x, y: functional.cross_entropy(rows(own.head(x)), y.flatten()), head=nn.Linear(6, 11)
    )
    report = fuse(model.eval(), (torch.randn(2, 5, 6), torch.randint(11, (2, 5))), LOSS)
    assert called(report, kernels.linear_cross_entropy) == 1
    assert report.max_error_float64 < 1e-12


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda own, x, y: (functional.cross_entropy(z := own.head(x), y), z), "logits have to be written"),
        (lambda own, x, y: (functional.cross_entropy(z := own.head(x), y), z.size(0)), "logits have to be"),
        (lambda own, x, y: functional.cross_entropy(own.head(x), y, own.weights), "weights"),
        (lambda own, x, y: functional.cross_entropy(own.head(x), y, reduce=False), "old way"),
        (
            lambda own, x, y: functional.cross_entropy(own.head(x), torch.softmax(x @ own.mix, -1)),
            "probabilities",
        ),
        (lambda own, x, y: functional.cross_entropy(own.head(x)[None].mT, y[None]), ""),
        (
            lambda own, x, y: functional.cross_entropy(own.head(x).view(-1, 5, 1), y[:, None]),
            "(rows, classes)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*reduction.*")
def test_near_misses_of_the_loss(forward, reason):
    model = Model(forward, head=nn.Linear(4, 5)).eval()
    model.register_buffer("weights", torch.arange(1.0, 6.0))
    model.register_buffer("mix", torch.randn(4, 5))
    x, y = torch.randn(5, 4), torch.randint(5, (5,))
    expected, report = model(x, y), fuse(model, (x, y), LOSS)
    assert not report.rewrites
    assert all(reason in refusal.why for refusal in report.refused)
    assert len(report.refused) == bool(reason)
    torch.testing.assert_close(report.model(x, y), expected)


# what no rule does, and all rules together


@pytest.mark.parametrize("spelled", ["module", "function"])
def test_dropout_before_a_sum_is_refused_in_training_only(spelled):
    if spelled == "module":
        model = Model(lambda own, x: own.dropout(x) + x, dropout=nn.Dropout(0.5))
    else:
        model = Model(lambda own, x: x + functional.dropout(x, 0.5, own.training))
    x = torch.randn(3, 4)
    (refusal,) = fuse(model.train(), x, DROPOUT).refused
    assert "other numbers" in refusal.why
    assert not fuse(model.eval(), x, DROPOUT).refused


class Layer(nn.Module):
    """A transformer's layer whose parts are spelled as the choices say."""

    def __init__(self, width, heads, norms, gelu, gated, bias):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=each) for each in bias)
        self.out = nn.Linear(width, width)
        kinds = {"torch": nn.RMSNorm, "ours": blocks.RMSNorm, "layer": nn.LayerNorm}
        self.norms = nn.ModuleList(kinds[name](width) for name in norms)
        mlp = nn.Sequential(blocks.Linear(width, 3 * width), gelu, nn.Linear(3 * width, width))
        self.mlp = blocks.SwiGLU(width, 2 * width, width) if gated else mlp
        self.shrink = nn.Sequential(nn.Linear(width, width), nn.Linear(width, 2))

    def forward(self, x):
        y = self.norms[0](x)
        parts = (project(y).unflatten(-1, (self.heads, -1)) for project in (self.query, self.key, self.value))
        q, k, v = (part.transpose(1, 2) for part in parts)
        weights = torch.softmax(q @ k.transpose(-2, -1) / k.size(-1) ** 0.5, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        x = x + self.mlp(self.norms[1](x))
        return self.shrink(x)


@settings(deadline=None, max_examples=15)
@given(
    head=st.integers(1, 5),
    heads=st.integers(1, 3),
    norms=st.tuples(*[st.sampled_from(["torch", "ours", "layer"])] * 2),
    gelu=st.sampled_from([nn.GELU(), blocks.GELU("tanh"), nn.ReLU()]),
    gated=st.booleans(),
    bias=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**16),
)
def test_all_rules_together_are_exact(head, heads, norms, gelu, gated, bias, seed):
    torch.manual_seed(seed)
    model = Layer(head * heads, heads, norms, gelu, gated, bias).double().eval()
    report = fuse(model, torch.randn(2, 5, head * heads, dtype=torch.float64))
    done = [rewrite.what for rewrite in report.rewrites]
    assert done.count("merge parallel linear layers") == 1
    assert done.count("kernels.attention") == 1
    assert done.count("kernels.add_rms_norm") == (norms[1] != "layer")
    assert done.count("kernels.rms_norm") == (norms[0] == "ours")
    assert done.count("kernels.swiglu") == gated
    assert done.count("kernels.bias_gelu") == (not gated and not isinstance(gelu, nn.ReLU))
    x = torch.randn(3, 4, head * heads, dtype=torch.float64)
    expected = model(x)
    assert (report.model(x) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("training", [True, False])
def test_the_small_transformer(training):
    torch.manual_seed(0)
    model = SmallTransformer(Size(vocabulary=13, width=16, layers=2, num_heads=2, hidden=24)).double()
    for param in model.parameters():
        nn.init.normal_(param, std=0.5)
    x, y = torch.randint(13, (3, 7)), torch.randint(13, (3, 7))
    report = fuse(model.train(training), (x, y))
    done = [rewrite.what for rewrite in report.rewrites]
    assert done.count("kernels.add_rms_norm") == 4  # two a layer, the last of them the model's
    assert done.count("kernels.rms_norm") == 1  # the first, before which nothing is added
    assert done.count("kernels.swiglu") == 2
    assert done.count("kernels.linear_cross_entropy") == 1
    assert done.count("merge parallel linear layers") == 2
    masks = [refusal for refusal in report.refused if "mask" in refusal.why]
    assert len(masks) == 2
    losses = [each(x, y) for each in (model, report.model)]
    for loss in losses:
        loss.backward()
    assert torch.allclose(*losses, rtol=1e-12)
    for name, param in report.model.named_parameters():
        if "query" in name:
            continue  # merged: not under its old name
        assert torch.allclose(param.grad, model.get_parameter(name).grad, rtol=1e-9, atol=1e-12)
