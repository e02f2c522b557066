"""One test body for every operation and backend: the CPU twin, the simulated GPU, and a GPU if there is one.

The truth is torch in float64. A result may be at most twice as far from it as torch's own in the same dtype, plus a
few roundings.
"""

import pytest
import torch
from cases.checks import assert_agrees, assert_same_bits, everything
from cases.collected import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import simt

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SIZES = [pytest.param(case, size, id=f"{case.name}-{size}") for case in CASES for size in case.sizes]
TINY = [pytest.param(case, size, id=f"{case.name}-{size}") for case in CASES for size in case.tiny]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("case", "size"), SIZES)
def test_agrees_with_float64(case, size, dtype, device):
    assert_agrees(case, case.inputs(size, dtype, device=device), dtype)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31), dtype=st.sampled_from(DTYPES), data=st.data())
def test_agrees_with_float64_for_any_numbers(case, seed, dtype, data):
    size = data.draw(st.sampled_from([*case.tiny, *case.empty]))
    assert_agrees(case, case.inputs(size, dtype, seed), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("case", "size"), TINY)
def test_agrees_on_the_simulated_gpu(case, size, dtype):
    """The GPU kernels' own source, thread by thread; a race or an access outside its array is an error."""
    with simt.simulated() as launches:
        assert_agrees(case, case.inputs(size, dtype), dtype)
    assert launches
    assert not any(run.hazards for run in launches)


def test_any_order_of_warps_gives_the_same_bits(case):
    inputs = case.inputs(case.tiny[0])
    with simt.simulated():
        in_lockstep = everything(case, inputs)
    with simt.simulated(order="shuffled", seed=1):
        shuffled = everything(case, inputs)
    assert_same_bits(shuffled, in_lockstep)
