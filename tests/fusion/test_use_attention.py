"""Attention that is written out becomes a kernel, however it is spelled, unless somebody wants to see the shares."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import kernels
from workbench import blocks
from workbench.fusion import fuse
from workbench.fusion.rules.use_kernels.attention import find

RULES = (find,)


class Model(nn.Module):
    """A function of queries, keys and values as a module."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def heads(q=(2, 3, 5, 4), k=(2, 3, 7, 4), v=(2, 3, 7, 6)):
    return tuple(torch.randn(shape) for shape in (q, k, v))


def fused(report) -> int:
    return sum(node.target is kernels.attention for node in report.model.graph.nodes)


SPELLINGS = [
    lambda own, q, k, v: torch.softmax(q @ k.transpose(-2, -1), -1) @ v,
    lambda own, q, k, v: torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(4), dim=-1) @ v,
    lambda own, q, k, v: (q @ k.mT * 0.3).softmax(-1) @ v,
    lambda own, q, k, v: functional.softmax(0.3 * torch.matmul(q, k.transpose(2, 3)), dim=3).matmul(v),
    lambda own, q, k, v: torch.matmul(own.softmax((q * 0.3) @ k.permute(0, 1, 3, 2)), v),
    lambda own, q, k, v: torch.softmax(q @ k.transpose(-2, -1) * (1.0 / math.sqrt(k.size(-1))), -1) @ v,
    lambda own, q, k, v: torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v,
]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_all_spellings(spelled):
    torch.manual_seed(0)
    model, inputs = Model(spelled, softmax=nn.Softmax(-1)).eval(), heads()
    report = fuse(model, inputs, RULES)
    assert fused(report) == 1
    assert report.max_error_float64 < 1e-12
    others = heads((1, 2, 9, 4), (1, 2, 3, 4), (1, 2, 3, 5))
    assert torch.allclose(report.model(*others), model(*others), atol=1e-6)


@pytest.mark.parametrize("spelled", SPELLINGS[:3])
def test_one_head_without_an_axis_for_it(spelled):
    report = fuse(Model(spelled), heads((3, 5, 4), (3, 7, 4), (3, 7, 6)), RULES)
    assert fused(report) == 1
    assert report.max_error_float64 < 1e-12


def test_one_key_head_for_all():
    """Multi-query attention: the product repeats the keys, the kernel knows that they are shared."""
    report = fuse(Model(SPELLINGS[0]), heads(k=(2, 1, 7, 4), v=(2, 1, 7, 6)), RULES)
    assert fused(report) == 1
    assert report.max_error_float64 < 1e-12


def test_multi_head_attention_of_our_blocks():
    model = blocks.MultiHeadAttention(12, 3).eval()
    report = fuse(model, torch.randn(2, 5, 12))
    assert fused(report) == 1
    assert report.max_error_float64 < 1e-12


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda own, q, k, v: functional.scaled_dot_product_attention(q, k, v), "torch has fused it already"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT + own.mask, -1) @ v, "mask"),
        (
            lambda own, q, k, v: torch.softmax((q @ k.mT * 0.5).masked_fill(own.mask > 0, -1e9), -1) @ v,
            "mask",
        ),
        (lambda own, q, k, v: ((w := torch.softmax(q @ k.mT, -1)) @ v, w), "shares are also used elsewhere"),
        (
            lambda own, q, k, v: torch.softmax(s := q @ k.mT, -1) @ v + s.sum(),
            "scores are also used elsewhere",
        ),
        (lambda own, q, k, v: own.dropout(torch.softmax(q @ k.mT, -1)) @ v, "dropout"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT, -2) @ v, "last axis"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT, -1, dtype=torch.float64) @ v.double(), "last axis"),
        (lambda own, q, k, v: v.mT @ torch.softmax(q @ k.mT, -1).mT, ""),
        (
            lambda own, q, k, v: torch.softmax(q[0, 0] @ k[0, 0].mT, -1) @ v[0, 0],
            "(batch, heads, time, width)",
        ),
        (lambda own, q, k, v: torch.softmax(q[0] @ k.mT, -1) @ v, "(batch, heads, time, width)"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT * math.inf, -1) @ v, "finite"),
        (lambda own, q, k, v: torch.softmax(q @ k[:1].mT, -1) @ v, "batch"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT * own.temperature, -1) @ v, ""),
        (lambda own, q, k, v: own.hooked(q @ k.mT) @ v, "hooks"),
        (lambda own, q, k, v: torch.softmax(q @ k.mT, -1), ""),  # shares that weigh nothing
    ],
)
def test_near_misses(function, reason):
    torch.manual_seed(0)
    hooked = nn.Softmax(-1)
    hooked.register_forward_hook(lambda module, args, output: 2 * output)
    model = Model(function, dropout=nn.Dropout(0.5), hooked=hooked)
    model.register_buffer("mask", torch.randn(5, 7))
    model.register_buffer("temperature", torch.tensor(0.5))
    inputs = heads()
    report = fuse(model, inputs, RULES)
    assert not report.rewrites
    assert bool(report.refused) == bool(reason)
    assert all(reason in refusal.why for refusal in report.refused)


def test_large_scores_do_not_overflow():
    q, k, v = (50 * part for part in heads())
    report = fuse(Model(SPELLINGS[0]), (q, k, v), RULES)
    assert fused(report) == 1
    assert report.model(q, k, v).isfinite().all()
