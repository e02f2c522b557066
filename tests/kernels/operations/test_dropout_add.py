"""What is special to dropout: its mask."""

import math

import pytest
import torch

import kernels
from kernels import simt
from kernels.pointwise.dropout import kept, threshold


def mask(shape, p, seed, dtype=torch.float32):
    """What the operation itself keeps of ones: 1/(1 - p) or 0."""
    ones = torch.ones(shape, dtype=dtype)
    return kernels.dropout_add(ones, torch.zeros_like(ones), p, seed)


def multiplied(factor, word):
    """The halves of factor·word: int64 wraps around, but keeps all 64 bits of the product."""
    product = word * factor
    return product >> 32 & 0xFFFFFFFF, product & 0xFFFFFFFF


def words_in_torch(count, seed):
    """A second Philox, in int64 tensors."""
    fours = torch.arange(-(-count // 4))
    c0, c1, c2, c3 = fours & 0xFFFFFFFF, fours >> 32, torch.zeros_like(fours), torch.zeros_like(fours)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        (high_0, low_0), (high_2, low_2) = multiplied(0xD2511F53, c0), multiplied(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high_2 ^ c1 ^ k0, low_2, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return torch.stack((c0, c1, c2, c3), 1).reshape(-1)[:count]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("seed", [0, -7, 2**40 + 3])
def test_mask_agrees_with_a_second_implementation(p, seed):
    expected = words_in_torch(7 * 143, seed).view(7, 143) < round((1 - p) * 2**32)
    assert torch.equal(mask((7, 143), p, seed) != 0, expected)
    assert torch.equal(kept(torch.ones(7, 143), p, torch.tensor(seed)), expected)
    with simt.simulated():
        assert torch.equal(mask((7, 143), p, seed) != 0, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_mask_is_the_same_in_every_dtype(dtype):
    assert torch.equal(mask((5, 77), 0.4, 3, dtype) != 0, mask((5, 77), 0.4, 3) != 0)


def test_mask_depends_on_the_index_alone():
    whole = mask((1000, 400), 0.4, 3)  # large enough for the parallel twin
    assert torch.equal(mask((400_000,), 0.4, 3), whole.view(-1))
    assert torch.equal(mask((2, 500, 400), 0.4, 3), whole.view(2, 500, 400))
    assert torch.equal(mask((100, 400), 0.4, 3), whole[:100])  # the serial one
    strided = torch.ones(400, 1000).t()
    assert torch.equal(kernels.dropout_add(strided, torch.zeros_like(strided), 0.4, 3), whole)


def test_bits_on_the_simulated_gpu_are_those_of_the_twin():
    x = torch.randn(3, 45, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros_like(x)
    on_cpu = kernels.dropout_add(x, nothing, 0.25, 9)
    with simt.simulated():
        assert torch.equal(kernels.dropout_add(x, nothing, 0.25, 9), on_cpu)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_keeps_as_many_as_chance_would(p):
    """Over many seeds the number kept is binomial: its mean within 5 sigma, its variance as large as it should be."""
    n, seeds = 4096, 400
    counts = torch.stack([mask((n,), p, seed).count_nonzero() for seed in range(seeds)]).double()
    variance = n * p * (1 - p)
    assert abs(counts.mean() - n * (1 - p)) < 5 * math.sqrt(variance / seeds)
    assert abs(counts.var() / variance - 1) < 5 * math.sqrt(2 / seeds)


def test_seeds_and_neighbors_are_independent():
    n = 1 << 16
    one, other = (mask((n,), 0.5, seed) != 0 for seed in (1, 2))
    for agree in (one == other, one[1:] == one[:-1], one[4:] == one[:-4]):
        assert abs(agree.double().mean() - 0.5) < 5 * 0.5 / math.sqrt(len(agree))


@pytest.mark.parametrize("p", [0.1, 1 / 3, 0.5, 1e-7, 1 - 1e-7])
def test_probability_is_exact_to_24_bits(p):
    assert abs(threshold(p) / 2**32 - (1 - p)) <= 2**-32


def test_the_mean_is_kept():
    x = torch.rand(1 << 18, generator=torch.Generator().manual_seed(0))
    dropped = kernels.dropout_add(x, torch.zeros_like(x), 0.3, 5)
    assert abs(dropped.mean() - x.mean()) < 5 * x.square().mean().sqrt() * math.sqrt(0.3 / 0.7 / x.numel())


def test_backward_has_the_mask_of_forward():
    x, residual, grad = torch.randn(3, 1000, 37, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    y = kernels.dropout_add(x, torch.zeros_like(x), 0.4, 11)
    (found,) = torch.autograd.grad(y, x, grad)
    assert torch.equal(found != 0, y != 0)
    torch.testing.assert_close(found, grad * (y != 0) / 0.6)
    with simt.simulated():
        (simulated,) = torch.autograd.grad(kernels.dropout_add(x[:7], residual[:7], 0.4, 11), x, grad[:7])
    assert torch.equal(simulated[:7], found[:7])


def test_backward_keeps_no_mask_and_no_input():
    x, residual = torch.randn(2, 64, 64, requires_grad=True)
    kept_for_backward = []

    def pack(tensor):
        kept_for_backward.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kernels.dropout_add(x, residual, 0.5, 1)
    assert [tensor.numel() for tensor in kept_for_backward] == [1]  # the seed


@pytest.mark.parametrize("seed", [torch.tensor(6), torch.tensor([6]), torch.tensor([[6]], dtype=torch.int32)])
def test_seed_as_a_tensor(seed):
    assert torch.equal(mask((9, 9), 0.5, seed), mask((9, 9), 0.5, 6))
    with simt.simulated():
        assert torch.equal(mask((9, 9), 0.5, seed), mask((9, 9), 0.5, 6))


def test_edges():
    x, residual = torch.randn(2, 5, 33)
    assert torch.equal(kernels.dropout_add(x, residual, 0, 1), x + residual)
    assert torch.equal(kernels.dropout_add(x, residual, 0.5, 1, training=False), x + residual)
    for p in (1, 1.0):
        assert torch.equal(kernels.dropout_add(x, residual, p, 1), residual)
    x.requires_grad_()
    (found,) = torch.autograd.grad(kernels.dropout_add(x, residual, 1.0, 1).sum(), x)
    assert found.count_nonzero() == 0


def test_one_compiled_graph_for_all_seeds():
    x, residual = torch.randn(2, 8, 16)
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(kernels.dropout_add, backend=backend, fullgraph=True)
    for seed in range(5):
        for given in (torch.tensor(seed), seed):
            expected = kernels.dropout_add(x, residual, 0.5, seed)
            assert torch.equal(compiled(x, residual, 0.5, given), expected)
    # one for tensors; for ints one for the first and one for all others, which torch then takes for a variable
    assert len(graphs) <= 3
    torch._dynamo.reset()
