"""Every GPU kernel, compiled by the real compiler for three architectures in every dtype it declares."""

import pytest
import torch

from kernels import compiled
from kernels.catalog import OPERATIONS

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
PROMISES = {
    (promise.kernel, promise.arguments): promise
    for operation in OPERATIONS.values()
    for promise in operation.promises
}
KERNELS = [
    pytest.param(promise, dtype, id=f"{promise.kernel.__name__}-{dtype}")
    for promise in PROMISES.values()
    for dtype in promise.dtypes
]


def test_every_operation_promises_something_of_its_kernels():
    assert all(operation.promises for operation in OPERATIONS.values())


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("promise", "dtype"), KERNELS)
def test_the_compiler_keeps_what_the_kernel_promises(promise, dtype):
    """No spills, no double precision that slipped in; in float32 the width of loads, and how full a GPU gets."""
    first = compiled.inspect(promise.kernel, promise.signature(dtype), ARCHITECTURES[0], lineinfo=False)
    for arch in ARCHITECTURES:
        found = first.on(arch)
        assert f".target {arch}" in found.ptx
        assert found.spill_bytes == found.stack_bytes == 0
        assert found.loads
        assert found.stores
        assert bool(found.float64) == (dtype == torch.float64), found.float64[:3]
        if dtype == torch.float32:
            assert max(found.loads) == promise.load_bytes
            assert float(found.occupancy(promise.threads, promise.shared_bytes)) >= promise.occupancy
