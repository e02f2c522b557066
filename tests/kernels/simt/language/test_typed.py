"""Types are those of Numba's CUDA compiler, not NumPy's: the facts that surprise people, one by one."""

import math

import numpy as np
import pytest
import torch
from numba import types

from kernels.backend import cuda, device_function
from kernels.pointwise.bias_gelu import bias_gelu_kernel
from kernels.simt.language.typed import KernelTypeError, type_of, typed

F32, F64, I32, I64 = types.float32, types.float64, types.int32, types.int64
X = np.zeros(8, dtype=np.float32)


@cuda.jit
def surprising(x, counts, n):
    i = cuda.grid(1)
    doubled = x[i] * 2.0
    rounded = x[i] * np.float32(2.0)
    total = 0.0
    for k in range(n):
        total += x[k]
    wide = counts[0] + counts[1]
    narrow = np.int32(0)
    while narrow < 3:
        narrow = np.int32(narrow + 1)
    grown = np.int32(0)
    grown += np.int32(1)
    lane = cuda.threadIdx.x
    root = math.sqrt(x[i])
    x[i] = doubled + rounded + total + wide + narrow + grown + lane + root


def test_what_surprises_people():
    found = typed(surprising, X, np.zeros(2, dtype=np.int32), 5)
    assert found["doubled"] == F64
    assert found["rounded"] == F32
    assert found["total"] == F64
    assert found["wide"] == I64
    assert found["narrow"] == I32
    assert found["grown"] == (I32, I64)  # the sum is wider than what it started from
    assert found["lane"] == I32
    assert found["root"] == F32
    assert found["n"] == I64
    assert found.arguments == ("x", "counts", "n")


def test_branches_are_unified():
    def kernel(x, n):
        chosen = x[0] if n > 3 else 1
        x[1] = chosen

    assert typed(kernel, X, 5)["chosen"] == F64  # of float32 and int64


def test_arguments_keep_type_and_layout():
    assert type_of("x", torch.zeros(2, 3)) == types.Array(F32, 2, "C")
    assert type_of("x", torch.zeros(2, 3).T) == types.Array(F32, 2, "F")
    assert type_of("x", X[::2]) == types.Array(F32, 1, "A")
    assert type_of("n", 3) == I64
    assert type_of("n", np.int32(3)) == I32
    assert type_of("eps", 1e-5) == F64
    assert type_of("flag", True) == types.boolean
    assert type_of("x", F32[::1]) == types.Array(F32, 1, "C")
    with pytest.raises(
        TypeError, match="words: expected an array, a tensor, a number or a tuple of these, got str"
    ):
        type_of("words", "text")


def test_shared_memory_and_blocks_in_the_order_of_the_source():
    def kernel(x):
        tile = cuda.shared.array(32, np.float32)
        tile[cuda.threadIdx.x] = x[cuda.grid(1)]
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            x[0] = tile[31]

    found = typed(kernel, X)
    assert found["tile"] == types.Array(F32, 1, "C")
    *lines, _ = [block.body[0].loc.line for _, block in sorted(found.blocks.items())]  # the last only returns
    assert len(lines) >= 2
    assert lines == sorted(lines)


def test_device_functions_are_inlined():
    @device_function
    def twice(value):
        return value + value

    def kernel(x):
        x[0] = twice(x[1])

    found = typed(kernel, X)
    steps = " ".join(str(step) for block in found.blocks.values() for step in block.body)
    assert "x" in found.types
    assert " + " in steps


def test_our_own_kernels_have_types():

    rows = np.zeros((4, 8), dtype=np.float32)
    assert typed(bias_gelu_kernel, rows, np.zeros(8, dtype=np.float32), rows, True).blocks


def test_typing_happens_once():
    assert typed(surprising, X, np.zeros(2, np.int32), 5) is typed(
        surprising.py_func, X + 1, np.zeros(9, np.int32), 6
    )


def test_what_has_no_type_is_refused_in_numbas_words():
    def kernel(x):
        x[0] = "text"

    with pytest.raises(KernelTypeError, match=r"kernel\(array\(float32, 1d, C\)\)"):
        typed(kernel, X)
    with pytest.raises(TypeError, match=r"takes 3 \(x, counts, n\), got 1"):
        typed(surprising, X)
    with pytest.raises(KeyError, match="no variable 'y'"):
        typed(surprising, X, np.zeros(2, np.int32), 5)["y"]
