"""What ledgers count, and how an operation is named; tests/kernels/operations holds each to what really moves."""

import pytest
import torch

import kernels
from kernels import ledger
from kernels.catalog import find
from kernels.ledger import unique_bytes


def test_meta_tensors_and_formulas():
    x, w = torch.empty(10**6, 10**4, device="meta"), torch.empty(10**4, device="meta")  # 40 GB, were it real
    n, width = x.numel(), 10**4
    counted = ledger(kernels.bias_gelu, x, w)
    assert counted.bytes == 4 * (2 * n + width)
    assert counted.unfused.bytes == 4 * (4 * n + width)
    assert ledger(kernels.rms_norm, x).bytes == 8 * n
    assert ledger(kernels.add_rms_norm, x, x.clone(), w).bytes == 4 * (4 * n + width)
    assert ledger("rms_norm", x, w).unfused.bytes == 4 * (7 * n + width + 6 * 10**6)


def test_half_types_are_half_the_bytes():
    x, w = torch.empty(4, 8, dtype=torch.bfloat16), torch.empty(8)
    assert ledger("rms_norm", x, w).bytes == 2 * 2 * 32 + 4 * 8


def test_expanded_inputs_count_once():
    assert unique_bytes(torch.empty(1, 8).expand(100, 8)) == 32
    assert unique_bytes(torch.empty(0, 1).expand(0, 9)) == 0
    assert ledger("bias_gelu", torch.empty(1, 8).expand(100, 8), torch.empty(8)).bytes_read == 64


def test_every_way_to_name_an_operation():
    assert find("rms_norm") is find(kernels.rms_norm) is find(torch.ops.workbench.rms_norm.default)
    for unknown in ("sigmoid", torch.relu, torch.ops.aten.relu.default, 3):
        with pytest.raises(ValueError, match="operation must be one of bias_gelu"):
            ledger(unknown, torch.empty(2, 2))
