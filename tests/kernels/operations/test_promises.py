"""Every GPU kernel, compiled by the real compiler for three architectures in every dtype it declares."""

import pytest
import torch

from kernels import compiled
from kernels.catalog import OPERATIONS

try:
    import nvidia.cuda_nvcc  # noqa: F401
except ImportError:
    pytest.skip("needs NVIDIA's compiler wheels", allow_module_level=True)

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
PROMISES = {
    promise.kernel.__name__: promise for operation in OPERATIONS.values() for promise in operation.promises
}


def test_every_operation_promises_something_of_its_kernels():
    assert all(operation.promises for operation in OPERATIONS.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", PROMISES)
def test_compiles_without_spills(name, dtype):
    promise = PROMISES[name]
    if dtype not in promise.dtypes:
        pytest.skip("not declared")
    for arch in ARCHITECTURES:
        found = compiled.inspect(promise.kernel, promise.signature(dtype), arch)
        assert found.spill_bytes == 0
        assert found.stack_bytes == 0
        if dtype == torch.float64:
            assert found.float64
        else:
            assert not found.float64, f"{found.float64[:3]} in a kernel for {dtype}"


@pytest.mark.parametrize("name", PROMISES)
def test_loads_are_as_wide_and_blocks_as_many_as_promised(name):
    promise = PROMISES[name]
    found = compiled.inspect(promise.kernel, promise.signature(torch.float32))
    assert max(found.loads) == promise.load_bytes
    occupancies = [
        float(found.on(arch).occupancy(promise.threads, promise.shared_bytes)) for arch in ARCHITECTURES
    ]
    assert min(occupancies) >= promise.occupancy
