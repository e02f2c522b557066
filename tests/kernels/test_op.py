"""What one body over all operations does not show: a model compiled or traced whole, autocast, results used alone."""

import shutil

import pytest
import torch

from kernels import add_rms_norm, bias_gelu, rms_norm


def test_symbolic_tracing_keeps_the_operation_whole():
    symbolic = torch.fx.symbolic_trace(lambda x, b: bias_gelu(x, b, approximate="tanh"))
    assert any(node.target is bias_gelu for node in symbolic.graph.nodes)
    x, b = torch.randn(2, 3), torch.randn(3)
    assert torch.equal(symbolic(x, b), bias_gelu(x, b, "tanh"))


def test_each_result_of_add_rms_norm_can_be_used_alone():
    x, residual, weight = (torch.randn(shape, requires_grad=True) for shape in ((3, 5), (3, 5), (5,)))
    summed = add_rms_norm(x, residual, weight)[1]
    grad_x, grad_residual, grad_weight = torch.autograd.grad(
        summed.sum(), (x, residual, weight), allow_unused=True, materialize_grads=True
    )
    assert torch.equal(grad_x, torch.ones(3, 5))
    assert torch.equal(grad_residual, torch.ones(3, 5))
    assert not grad_weight.any()
    normed = add_rms_norm(x, residual, weight)[0]
    expected = torch.nn.functional.rms_norm(x + residual, (5,), weight, 1e-6)
    found, wanted = (torch.autograd.grad(y.cos().sum(), (x, residual, weight)) for y in (normed, expected))
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a C++ compiler"
)
def test_torch_compile():
    x, w = torch.randn(4, 6, requires_grad=True), torch.randn(6, requires_grad=True)

    def layer(x, w):
        normed, summed = add_rms_norm(bias_gelu(x, w), x * 2, w)
        return (normed + summed).sum()

    (found,), (wanted,) = (
        torch.autograd.grad(f(x, w), (x,)) for f in (torch.compile(layer, fullgraph=True), layer)
    )
    torch.testing.assert_close(found, wanted)
    torch._dynamo.reset()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_is_followed(half):
    x, w = torch.randn(3, 4), torch.randn(4)
    linear = torch.nn.Linear(4, 4)
    with torch.autocast("cpu", half):
        inner = linear(x)  # half, beside float32 parameters and a float32 residual stream
        assert inner.dtype == half
        assert bias_gelu(inner, w).dtype == half
        assert bias_gelu(x, w.to(half)).dtype == torch.float32
        assert rms_norm(inner, w).dtype == torch.nn.functional.rms_norm(inner, (4,), w).dtype
        assert rms_norm(x, w.to(half)).dtype == torch.float32
        normed, summed = add_rms_norm(inner, x, w)
        assert normed.dtype == summed.dtype == (inner + x).dtype
        grad = torch.autograd.grad(summed.sum() + normed.sum(), linear.weight)[0]
    assert grad.dtype == torch.float32
    assert grad.isfinite().all()
