"""Root-mean-square normalization, with a sum before it and alone: found in every spelling, with its own ε."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import kernels
from workbench import blocks
from workbench.fusion import fuse
from workbench.fusion.rules.use_kernels import add_rms_norm as use_add_rms_norm
from workbench.fusion.rules.use_kernels import rms_norm as use_rms_norm

BOTH = (use_add_rms_norm.find, use_rms_norm.find)
WIDTH = 6


class Model(nn.Module):
    """A function of some tensors as a module, with every norm that it may call."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.torchs, self.ours = nn.RMSNorm(WIDTH, eps=0.3), blocks.RMSNorm(WIDTH, eps=0.2)
        self.bare, self.own_eps = blocks.RMSNorm(WIDTH, affine=False), nn.RMSNorm(WIDTH)
        self.add = blocks.Add()
        self.weight = nn.Parameter(torch.empty(WIDTH))
        for norm in (self.torchs, self.ours, self.own_eps):
            nn.init.normal_(norm.weight)
        nn.init.normal_(self.weight)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def calls(report):
    names = {kernels.rms_norm: "norm", kernels.add_rms_norm: "add and norm"}
    return [names[node.target] for node in report.model.graph.nodes if node.target in names]


def small(*shape):
    """Numbers so small that ε decides."""
    return 0.1 * torch.randn(*shape)


NORMS = [
    lambda own, x: own.torchs(x),
    lambda own, x: own.ours(x),
    lambda own, x: own.bare(x),
    lambda own, x: own.own_eps(x),
    lambda own, x: functional.rms_norm(x, (WIDTH,), own.weight, eps=0.3),
    lambda own, x: functional.rms_norm(x, (WIDTH,)),
]
WRITTEN_OUT = [
    lambda own, x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 0.3) * own.weight,
    lambda own, x: own.weight * (torch.rsqrt(0.3 + torch.mean(x * x, dim=-1, keepdim=True)) * x),
    lambda own, x: x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + 0.3),
    lambda own, x: own.weight * (x / ((x**2).mean([-1], True) + 0.3).sqrt()),
]


@pytest.mark.parametrize("norm", [*NORMS, *WRITTEN_OUT])
def test_a_sum_and_its_norm(norm):
    torch.manual_seed(0)
    model = Model(lambda own, x, y: norm(own, x + y)).eval()
    report = fuse(model, (small(4, WIDTH), small(4, WIDTH)), BOTH)
    assert calls(report) == ["add and norm"]
    assert report.max_error_float64 < 1e-12
    others = small(2, 3, WIDTH), small(2, 3, WIDTH)
    assert torch.allclose(report.model(*others), model(*others), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm", WRITTEN_OUT)
def test_a_norm_written_out(norm):
    torch.manual_seed(0)
    model = Model(norm).eval()
    report = fuse(model, small(4, WIDTH), BOTH)
    assert calls(report) == ["norm"]
    assert sum(node.op in ("call_function", "call_method") for node in report.model.graph.nodes) == 1
    assert report.max_error_float64 < 1e-12


def test_only_our_readable_block_is_replaced_alone():
    for norm, expected in zip(NORMS, ([], ["norm"], ["norm"], [], [], []), strict=True):
        assert calls(fuse(Model(norm).eval(), small(4, WIDTH), BOTH)) == expected


@pytest.mark.parametrize(
    "add",
    [
        lambda own, x, y: y + x,
        lambda own, x, y: torch.add(x, y),
        lambda own, x, y: x.add(y),
        lambda own, x, y: own.add(x, y),
    ],
)
def test_all_sums(add):
    report = fuse(
        Model(lambda own, x, y: own.ours(add(own, x, y))).eval(), (small(3, WIDTH), small(3, WIDTH)), BOTH
    )
    assert calls(report) == ["add and norm"]
    assert report.max_error_float64 < 1e-12


def test_the_sum_stays_available():
    """A transformer's residual: the sum goes on, before its norm and after."""

    def function(own, x, y):
        summed = x + y
        early = torch.sin(summed)
        return own.ours(summed), summed + early, own.torchs(summed)

    model, inputs = Model(function).eval(), (small(3, WIDTH), small(3, WIDTH))
    report = fuse(model, inputs, BOTH)
    assert calls(report) == ["add and norm"]  # one of the two norms; the other reads the sum
    for found, expected in zip(report.model(*inputs), model(*inputs), strict=True):
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert report.max_error_float64 < 1e-12


def test_a_sum_that_is_overwritten_is_found_by_verification():
    def function(own, x, y):
        summed = x + y
        summed.add_(1)
        return own.torchs(summed)

    model, inputs = Model(function).eval(), (small(3, WIDTH), small(3, WIDTH))
    report = fuse(model, inputs, BOTH)
    assert not report.rewrites
    assert any("change the result" in refusal.why for refusal in report.refused)
    assert torch.equal(report.model(*inputs), model(*inputs))


def test_a_norm_called_twice_keeps_its_weight():
    model = Model(lambda own, x, y: own.ours(own.ours(x + y) + x)).eval()
    report = fuse(model, (small(3, WIDTH), small(3, WIDTH)), BOTH)
    assert calls(report) == ["add and norm"] * 2
    assert report.max_error_float64 < 1e-12
    assert "ours.weight" in report.model.state_dict()


def test_its_own_eps_is_that_of_the_type():
    """nn.RMSNorm without one takes the machine epsilon, which is another in float64."""
    model, x = Model(lambda own, x, y: own.own_eps(x + y)).eval(), 1e-4 * torch.randn(3, WIDTH)
    report = fuse(model, (x, x), BOTH)
    assert calls(report) == ["add and norm"]
    assert report.max_error < 1e-5
    assert report.max_error_float64 < 1e-12


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda own, x, y: own.torchs(x + y[:1]), "shape"),  # the sum repeats a row
        (lambda own, x, y: own.torchs(torch.add(x, y, alpha=2)), ""),
        (lambda own, x, y: own.torchs(x + 1), ""),
        (lambda own, x, y: functional.rms_norm(x + y, (3, WIDTH)), ""),  # over two axes
        (
            lambda own, x, y: x * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 0.3),
            "",
        ),  # another's mean square
        (lambda own, x, y: x * torch.rsqrt(x.pow(3).mean(-1, keepdim=True).abs() + 0.3), ""),
        (lambda own, x, y: x * torch.rsqrt(x.pow(4).mean(-1, keepdim=True) + 0.3), ""),
        (lambda own, x, y: x * torch.rsqrt(x.pow(2).mean(0, keepdim=True) + 0.3), ""),  # over the rows
        (lambda own, x, y: x * torch.rsqrt(x.pow(2).mean() + 0.3), ""),  # over everything
        (lambda own, x, y: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + y.abs()), ""),
        (lambda own, x, y: x * torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 0.3), ""),  # the wrong way round
        (lambda own, x, y: torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 0.3) / x, ""),
        (lambda own, x, y: x * (r := torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 0.3)) + r, ""),
        (lambda own, x, y: x * torch.rsqrt((m := x.pow(2).mean(-1, keepdim=True)) + 0.3) + m, ""),
    ],
)
def test_near_misses(function, reason):
    torch.manual_seed(0)
    model, inputs = Model(function).eval(), (1 + small(3, WIDTH), 1 + small(3, WIDTH))
    report = fuse(model, inputs, BOTH)
    assert not report.rewrites
    assert len(report.refused) == bool(reason)
    assert all(reason in refusal.why for refusal in report.refused)
    assert torch.allclose(report.model(*inputs), model(*inputs), equal_nan=True)


def test_a_factor_that_is_no_weight_stays_outside():
    """A product with something else that is as wide: not one number for each column, but another tensor."""
    model = Model(lambda own, x, y: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 0.3) * y).eval()
    report = fuse(model, (small(3, WIDTH), small(3, WIDTH)), BOTH)
    assert calls(report) == ["norm"]
    assert report.max_error_float64 < 1e-12


def test_hooks_are_respected():
    model = Model(lambda own, x, y: own.ours(x + y)).eval()
    model.ours.register_forward_hook(lambda module, args, output: 2 * output)
    report = fuse(model, (small(3, WIDTH), small(3, WIDTH)), BOTH)
    assert not report.rewrites
    assert all("hooks" in refusal.why for refusal in report.refused)
    assert {refusal.where for refusal in report.refused} == {"add + ours", "ours"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    torch.manual_seed(0)
    model = Model(lambda own, x, y: own.torchs(x + y)).to(dtype).eval()
    inputs = torch.randn(3, WIDTH).to(dtype), torch.randn(3, WIDTH).to(dtype)
    report = fuse(model, inputs, BOTH)
    assert calls(report) == ["add and norm"]
    found, expected = report.model(*inputs), model(*inputs)
    assert found.dtype == dtype
    assert torch.allclose(found, expected, rtol=3e-2, atol=3e-2)
