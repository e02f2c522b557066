"""Device functions are folded into the kernel, and their lines keep the file and the place that they come from."""

import math
import sys
from pathlib import Path

import pytest
from numba import float32, int32

from kernels import lanes
from kernels.backend import cuda, device_function
from kernels.compiled import inspect
from kernels.compiled.inlining import APART, Inlined
from kernels.lanes import block_sum

pytestmark = pytest.mark.usefixtures("compiler")
VECTOR = float32[::1]


@device_function
def above(value):
    return math.sqrt(value)


@cuda.jit(device=True)
def apart(value):
    return above(value) + float32(1)


@cuda.jit
def sums(x):
    x[0] = block_sum(apart(x[cuda.threadIdx.x]))
    x[1] = apart(x[2])


def line_of(text: str, module_file: str) -> int:
    """The number of the first line that has this text."""
    lines = Path(module_file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_lines_keep_their_file():
    found = inspect(sums, (VECTOR,)).lines
    root, added = line_of("math.sqrt(value)", __file__), line_of("above(value) + float32(1)", __file__)
    read, put = line_of("totals[warp] = value", lanes.__file__), line_of("x[1] = apart", __file__)
    assert any(text.startswith("sqrt") for text in found[root])
    assert any(text.startswith("add") and ".f32" in text for text in found[added])
    assert any(text.startswith("st.shared") for text in found[f"lanes.py:{read}"])
    assert any(text.startswith("st.global") for text in found[put])
    own = set(range(1, len(Path(__file__).read_text(encoding="utf-8").splitlines()) + 1)) | {0}
    assert {line for line in found if isinstance(line, int)} <= own
    assert {line for line in found if isinstance(line, str)} <= {f"lanes.py:{n}" for n in range(1, 70)}


def test_lines_are_left_out_on_demand():
    without = inspect(sums, (VECTOR,), lineinfo=False)
    assert without.lines == {}
    assert ".loc" not in without.ptx


def test_a_device_function_of_a_closure_is_inlined():
    @cuda.jit(device=True)
    def twice(value):
        return value + value

    def kernel(x):
        x[0] = twice(x[1])

    inlined = Inlined(kernel)
    assert inlined.function is not kernel
    assert inlined.function.__closure__[0].cell_contents.targetoptions["inline"] == "always"
    assert kernel.__closure__[0].cell_contents is twice  # what the learner has is left alone
    assert "call" not in inspect(kernel, (VECTOR,)).ptx


def test_numbers_mean_lines():
    inlined = Inlined(sums.py_func)
    assert inlined.line(17) == 17
    for name, function, where in (("block_sum", block_sum, "lanes.py:{}"), ("apart", apart, "{}")):
        first = inlined.function.__globals__[name].py_func.__code__.co_firstlineno
        assert first > APART
        assert str(inlined.line(first)) == where.format(function.py_func.__code__.co_firstlineno)


def test_recursion_stays_apart():
    @cuda.jit(device=True)
    def factorial(n):
        return n * factorial(n - 1) if n > 1 else 1

    def kernel(x):
        x[0] = factorial(x[1])

    assert "call" in inspect(kernel, (int32[::1],)).ptx


def test_a_device_function_behind_a_module_stays_apart():
    here = sys.modules[__name__]

    def kernel(x):
        x[0] = here.apart(x[0])

    found = inspect(kernel, (VECTOR,))
    assert any(text.startswith("sqrt") for texts in found.lines.values() for text in texts)
