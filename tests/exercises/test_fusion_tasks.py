"""The solutions of the fusion track against torch, the library and the meter; and right answers of another form."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from kernels.backend import cuda, gpu_kernel
from kernels.lanes import block_sum
from workbench.exercises import find, grade
from workbench.exercises.fusion import hard_passes
from workbench.fusion import fold_batchnorm
from workbench.mixing import Gate
from workbench.profiling import meter


def cases(name):
    return [case.inputs for case in find(name).cases(seed=5)]


def test_the_gate_is_the_librarys():
    for first, second, weight, bias in cases("fusion.gate"):
        ours = Gate([first.shape[1]] * 2).double()
        with torch.no_grad():
            ours.decide.weight.copy_(weight)
            ours.decide.bias.copy_(bias)
            expected = ours([first, second])
        torch.testing.assert_close(find("fusion.gate").solution(first, second, weight, bias), expected)


def test_the_fold_is_the_librarys():
    for weight, bias, mean, var, gamma, beta, eps in cases("fusion.fold"):
        filters, channels, side, _ = weight.shape
        conv = nn.Conv2d(channels, filters, side, bias=bias is not None, dtype=torch.float64).eval()
        norm = nn.BatchNorm2d(filters, eps=eps, dtype=torch.float64).eval()
        with torch.no_grad():
            conv.weight.copy_(weight)
            if bias is not None:
                conv.bias.copy_(bias)
            for target, source in (
                (norm.running_mean, mean),
                (norm.running_var, var),
                (norm.weight, gamma),
                (norm.bias, beta),
            ):
                target.copy_(source)
        library = fold_batchnorm(conv, norm)
        got = find("fusion.fold").solution(weight, bias, mean, var, gamma, beta, eps)
        torch.testing.assert_close(got, (library.weight.data, library.bias.data), rtol=1e-12, atol=1e-12)


def test_the_bytes_of_a_chain_are_those_that_the_meter_counts():
    dtypes = {2: torch.float16, 4: torch.float32, 8: torch.float64}
    for operations, shapes, bytes_per_number in cases("fusion.bytes_of_chain"):
        if math.prod(max(shapes.values(), default=(0,))) > 10**6:
            continue
        values = {name: torch.ones(shape, dtype=dtypes[bytes_per_number]) for name, shape in shapes.items()}

        def chain(operations=operations, values=values):
            for result, operands in operations:
                given = [values[name] for name in operands]
                values[result] = torch.neg(*given) if len(given) == 1 else torch.add(*given)

        one_by_one, fused = find("fusion.bytes_of_chain").solution(operations, shapes, bytes_per_number)
        assert meter(chain).bytes == one_by_one
        assert fused <= one_by_one


def test_the_kernels_compute_what_torch_does():
    for x, bias in cases("fusion.bias_gelu_kernel"):
        (out,) = find("fusion.bias_gelu_kernel").run(find("fusion.bias_gelu_kernel").solution, x, bias)
        torch.testing.assert_close(out, F.gelu(x + bias), rtol=1e-5, atol=1e-5)
    task = find("fusion.add_rms_norm_kernel")
    for x, residual, weight, eps in cases("fusion.add_rms_norm_kernel"):
        normed, summed = task.run(task.solution, x, residual, weight, eps)
        torch.testing.assert_close(summed, x + residual)
        expected = F.rms_norm(x + residual, weight.shape, weight, float(eps))
        torch.testing.assert_close(normed, expected, rtol=1e-5, atol=1e-5)


@gpu_kernel
def by_shuffles(x, residual, weight, eps, normed, summed):
    row, squares = cuda.blockIdx.x, np.float32(0)
    for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        total = x[row, column] + residual[row, column]
        summed[row, column] = total
        squares += total * total
    root = np.float32(1) / math.sqrt(block_sum(squares) / np.float32(x.shape[1]) + eps)
    for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        normed[row, column] = summed[row, column] * root * weight[column]


def test_a_reduction_by_shuffles_is_right_too():
    assert grade(find("fusion.add_rms_norm_kernel"), by_shuffles).right


def test_a_pass_may_refuse_where_that_is_careful_or_stop_and_go_on():
    def by_exception(traced):
        """Folds a copy, and leaves alone what the library refuses."""
        for node in list(traced.graph.nodes):
            before = node.args[0] if node.args else None
            if not (isinstance(before, fx.Node) and before.op == node.op == "call_module"):
                continue
            conv, norm = (traced.get_submodule(call.target) for call in (before, node))
            users = sum(n.op == "call_module" and n.target == before.target for n in traced.graph.nodes)
            if isinstance(norm, nn.BatchNorm2d) and len(before.users) == 1 and users == 1:
                try:
                    traced.set_submodule(before.target, fold_batchnorm(conv, norm))
                except (TypeError, ValueError):
                    continue
                node.replace_all_uses_with(before)
                traced.graph.erase_node(node)
        return fx.GraphModule(traced, traced.graph)

    assert grade(find("fusion.fold_all"), by_exception).right


@pytest.mark.parametrize("trap", ["called twice", "needed elsewhere", "training", "no running statistics"])
def test_each_trap_is_left_alone_by_the_solution(trap):
    network, x = next(c.inputs for c in find("fusion.fold_all").cases() if c.label == trap)
    traced = hard_passes.fold_all(fx.symbolic_trace(network))
    assert sum(isinstance(hard_passes.module_of(traced, n), nn.BatchNorm2d) for n in traced.graph.nodes) == 1
    torch.testing.assert_close(traced(x), network(x))


def test_three_parts_are_wanted_of_q_k_and_v_and_a_bias_only_where_there_is_one():
    def with_a_gap(wq, wk, wv, bq, bk, bv):
        """Not what was asked, as the cut gives four parts."""
        weight, bias, (q, k, v) = find("fusion.fuse_qkv").solution(wq, wk, wv, bq, bk, bv)
        return torch.cat([weight, weight[:1]]), torch.cat([bias, bias[:1]]), (q, k, v, 1)

    def without_bias_where_there_is_none(wq, wk, wv, bq, bk, bv):
        weight, bias, widths = find("fusion.fuse_qkv").solution(wq, wk, wv, bq, bk, bv)
        return weight, None if bq is bk is bv is None else bias, list(widths)

    assert grade(find("fusion.fuse_qkv"), with_a_gap).status == "wrong"
    assert grade(find("fusion.fuse_qkv"), without_bias_where_there_is_none).right
