"""What is special to attention: tiles, masks, heads that share keys, and memory that does not grow with the scores."""

import math
from contextlib import nullcontext

import pytest
import torch
from cases.attention import in_torch, make
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kernels import ledger, simt
from kernels.sequences import attention, attention_cpu


def random_heads(*size, seed=0, dtype=torch.float64):
    """size: (batch, heads, key heads, queries, keys, width, value width)."""
    made = make(size, torch.Generator().manual_seed(seed))
    return tuple(tensor.to(dtype).requires_grad_() for tensor in made)


def assert_same_as_torch(inputs, causal, scale=None, **tolerance):
    ours, theirs = attention(*inputs, causal, scale), in_torch(*inputs, causal, scale)
    torch.testing.assert_close(ours, theirs, **tolerance)
    grad = torch.randn_like(theirs)
    for found, wanted in zip(
        torch.autograd.grad(ours, inputs, grad), torch.autograd.grad(theirs, inputs, grad), strict=True
    ):
        torch.testing.assert_close(found, wanted, **tolerance)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    key_heads=st.integers(1, 3),
    group=st.integers(1, 3),
    queries=st.integers(1, 200),
    keys=st.integers(1, 200),
    width=st.integers(1, 70),
    value_width=st.integers(1, 70),
    causal=st.booleans(),
    scale=st.one_of(st.none(), st.floats(-2, 2)),
)
def test_same_as_torch_everywhere(batch, key_heads, group, queries, keys, width, value_width, causal, scale):
    size = batch, key_heads * group, key_heads, queries, keys, width, value_width
    assert_same_as_torch(random_heads(*size), causal, scale)


def flat(q, k, v):
    """As attention_cpu takes them: (heads, group, time, width), (heads, keys, width)."""
    return q.detach().unsqueeze(1).flatten(0, 1), k.detach().flatten(0, 1), v.detach().flatten(0, 1)


@settings(max_examples=40, deadline=None)
@given(block=st.tuples(st.integers(1, 40), st.integers(1, 50)), causal=st.booleans())
def test_blocks_of_any_size_give_the_same(block, causal):
    """Streaming over blocks is what one block over everything is, but for roundings."""
    q, k, v = flat(*random_heads(1, 3, 3, 33, 41, 5, 4))
    grad = torch.randn(3, 3, 33, 4, dtype=torch.float64)[:, :1]
    q = q.view(3, 1, 33, 5)
    whole = attention_cpu.forward(q, k, v, causal, 0.4)
    streamed = attention_cpu.forward(q, k, v, causal, 0.4, *block)
    torch.testing.assert_close(streamed, whole)
    found = attention_cpu.backward(grad, q, k, v, *whole, causal, 0.4, True, True, *block)
    torch.testing.assert_close(found, attention_cpu.backward(grad, q, k, v, *whole, causal, 0.4))


@pytest.mark.parametrize(
    ("size", "causal"),
    [
        pytest.param((1, 1, 1, 65, 66, 4, 4), True, marks=pytest.mark.slow),
        ((1, 1, 1, 3, 66, 4, 4), False),
        ((1, 2, 1, 3, 2, 66, 67), False),
    ],
    ids=str,
)
def test_several_tiles_on_the_simulated_gpu(size, causal):
    """More than 64 queries or keys, or heads wider than a slice of 64 columns."""
    inputs = random_heads(*size, dtype=torch.float32)
    with simt.simulated() as launches:
        out = attention(*inputs, causal)
        grad = torch.randn_like(out)
        found = torch.autograd.grad(out, inputs, grad)
    assert not any(run.hazards for run in launches)
    torch.testing.assert_close(out, in_torch(*inputs, causal))
    wanted = torch.autograd.grad(in_torch(*inputs, causal), inputs, grad)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_keys_that_no_query_may_see_are_not_read():
    q, k, v = (tensor.detach() for tensor in random_heads(1, 2, 1, 3, 9, 4, 4, dtype=torch.float32))
    with simt.simulated() as launches:
        out = attention(q, k, v, causal=True)
    counted = ledger("attention", q, k, v, True)
    assert launches.bytes_read(q, k, v) == counted.bytes_read == 4 * (24 + 2 * 3 * 4)
    assert launches.bytes_written(out) == counted.bytes_written


def test_ledger_is_the_formula():
    q, k, v = (torch.empty(2, heads, 4096, 64, device="meta") for heads in (16, 4, 4))
    counted, scores = ledger("attention", q, k, v), 2 * 16 * 4096 * 4096
    assert counted.bytes == 4 * (2 * q.numel() + 2 * k.numel())
    assert counted.unfused.bytes == counted.bytes + 4 * 6 * scores
    assert counted.flops == scores * (4 * 64 + 6)
    causal = ledger("attention", q, k, v, True).unfused.bytes
    assert causal == counted.unfused.bytes + 4 * 2 * scores + 4 * 4096 * 4096


def test_known_values():
    v = torch.tensor([[[[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]]]])
    same = torch.zeros(1, 1, 3, 5)
    assert torch.equal(attention(same, same, v)[0, 0], v[0, 0].mean(0).expand(3, 2))
    causal = attention(same, same, v, causal=True)[0, 0]
    torch.testing.assert_close(causal, torch.tensor([[1.0, 0.0], [0.5, 0.5], [5 / 3, 5 / 3]]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(3, 0), (0, 3)])
def test_nothing_to_see_gives_zeros(queries, keys, causal):
    for backend in (nullcontext, simt.simulated):
        inputs = random_heads(1, 2, 1, queries, keys, 4, 5, dtype=torch.float32)
        with backend():
            out = attention(*inputs, causal)
            found = torch.autograd.grad(out.sum(), inputs)
        assert torch.equal(out, torch.zeros(1, 2, queries, 5))
        assert torch.equal(out, in_torch(*inputs, causal))
        assert all(gradient.count_nonzero() == 0 for gradient in found)


def test_heads_without_width_see_all_keys_alike():
    assert_same_as_torch(random_heads(1, 1, 1, 2, 3, 0, 4), False)


@pytest.mark.parametrize("size", [1e4, 1e18, -1e4])
@pytest.mark.parametrize("keys", [8, 1000])
def test_huge_scores_are_one_hot_and_finite(size, keys):
    """Each query finds one key, or with −size all but one; the rest of a thousand keys are far below."""
    q = torch.eye(8)[None, None].requires_grad_()
    k = torch.full((1, 1, keys, 8), -2.0 * size)
    k[0, 0, -8:] = size * torch.eye(8)
    v = torch.randn(1, 1, keys, 8)
    out = attention(q, k, v, scale=1.0)
    torch.testing.assert_close(out, in_torch(q, k, v, scale=1.0))
    assert torch.autograd.grad(out.sum(), q)[0].isfinite().all()
    if size > 0:
        assert torch.equal(out, v[:, :, -8:])


@pytest.mark.parametrize("extreme", [math.inf, -math.inf, math.nan, 3e38])
def test_what_a_causal_query_may_not_see_cannot_harm_it(extreme):
    """In torch a mask is added to scores, and −inf added to nan, or to inf, is nan; here nobody looks there."""
    q, k, v = (tensor.detach() for tensor in random_heads(1, 1, 1, 6, 6, 4, 4, dtype=torch.float32))
    harmless = attention(q, k, v, causal=True)
    k[..., 3, 1] = extreme
    for backend in (nullcontext, simt.simulated):
        with backend():
            out = attention(q, k, v, causal=True)
        torch.testing.assert_close(out[..., :3, :], harmless[..., :3, :])


def test_a_query_of_minus_infinity_scores_has_zeros():
    q, k, v = (tensor.detach() for tensor in random_heads(1, 1, 1, 2, 3, 4, 4, dtype=torch.float32))
    q[..., 0, :], k = math.inf, -k.abs()
    for out in (attention(q, k, v), torch.nn.functional.scaled_dot_product_attention(q, k, v)):
        assert out[..., 0, :].count_nonzero() == 0
        assert out[..., 1, :].isfinite().all()


def test_gradients_of_shared_keys_are_sums_over_their_heads():
    q, k, v = random_heads(2, 6, 2, 7, 9, 4, 5)
    grad = torch.randn(2, 6, 7, 5, dtype=torch.float64)
    shared = torch.autograd.grad(attention(q, k, v), (k, v), grad)
    own = tuple(tensor.detach().repeat_interleave(3, 1).requires_grad_() for tensor in (k, v))
    apart = torch.autograd.grad(attention(q, *own), own, grad)
    for together, each in zip(shared, apart, strict=True):
        torch.testing.assert_close(together, each.unflatten(1, (2, 3)).sum(2))


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operator inside makes."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sizes = [
            leaf.untyped_storage().nbytes() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)
        ]
        self.bytes = max(self.bytes, *sizes, 0)
        return result


def largest_tensor(call, *arguments):
    with Largest() as largest:
        call(*arguments)
    return largest.bytes


def both_passes(q, k, v, grad, causal):
    out, logsumexp = attention_cpu.forward(q, k, v, causal, 0.3)
    attention_cpu.backward(grad, q, k, v, out, logsumexp, causal, 0.3)


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_with_time_not_with_its_square(causal):
    """From 1024 to 4096 queries and keys the largest tensor grows as q does; torch's scores grow 16 times."""
    ours, scores = [], []
    for time in (1024, 4096):
        q, k, v = (torch.randn(1, 1, time, 8) for _ in range(3))
        ours.append(largest_tensor(both_passes, *flat(q, k, v), torch.randn(1, 1, time, 8), causal))
        scores.append(largest_tensor(in_torch, *(tensor.to("meta") for tensor in (q, k, v))))
    assert ours[1] <= 4 * ours[0]
    assert scores == [4 * 1024**2, 4 * 4096**2]
    assert ours[1] < scores[1] / 64


def test_backward_keeps_one_number_a_query():
    q, k, v = random_heads(1, 2, 2, 300, 300, 4, 4, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
        attention(q, k, v)
    assert sum(kept) == 4 * (4 * q.numel() + 2 * 300)


def test_logsumexp_is_kept_only_for_a_gradient():
    q, k, v = random_heads(1, 2, 2, 3, 3, 4, 4)

    class Outputs(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if func is torch.ops.workbench.attention.default:
                self.logsumexp = result[1]
            return result

    for wanted in (True, False):
        with torch.set_grad_enabled(wanted), Outputs() as outputs:
            attention(q, k, v)
        assert outputs.logsumexp.numel() == (6 if wanted else 0)


def test_operator_without_logsumexp_can_still_be_differentiated():
    inputs = random_heads(1, 2, 1, 5, 4, 3, 3)
    out, logsumexp = torch.ops.workbench.attention(*inputs, True, 0.7, False)
    assert logsumexp.numel() == 0
    wanted = torch.autograd.grad(in_torch(*inputs, True, 0.7).sum(), inputs)
    torch.testing.assert_close(torch.autograd.grad(out.sum(), inputs), wanted)
