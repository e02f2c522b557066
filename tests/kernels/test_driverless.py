"""Without a GPU, Numba is told of one while it compiles, and only then."""

import pytest
from numba import float32

from kernels.backend import cuda
from kernels.driverless import as_if_on

pytestmark = pytest.mark.skipif(cuda.is_available(), reason="with a GPU there is nothing to stand in for")


def compiled() -> None:
    @cuda.jit(device=True)
    def square(value):
        return value * value

    square.compile_device((float32,))


def test_a_function_apart_is_compiled_inside_alone():
    with as_if_on((9, 0)):
        compiled()
    with pytest.raises(Exception, match=r"CUDA|driver"):
        compiled()


def test_an_error_inside_leaves_nothing_behind():
    with pytest.raises(KeyError), as_if_on((7, 5)):
        raise KeyError
    with pytest.raises(Exception, match=r"CUDA|driver"):
        compiled()
