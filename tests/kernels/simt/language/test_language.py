"""What a kernel may be given and may say, and how the rest is refused: with the line, and with a way out."""

import collections
import inspect

import numpy as np
import pytest
from numba import float32

from kernels import simt
from kernels.backend import cuda

Pair = collections.namedtuple("Pair", "low high")


@cuda.jit
def between(x, bounds, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = min(max(x[i], bounds[0]), bounds[1])


@pytest.mark.parametrize("bounds", [(-0.5, 0.25), (np.float32(-0.5), np.float32(0.25)), Pair(-0.5, 0.25)])
def test_a_tuple_of_numbers(bounds):
    x = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    out = np.zeros_like(x)
    simt.launch(between, 2, 32, x, bounds, out)
    np.testing.assert_array_equal(out, np.clip(x, -0.5, 0.25))


def make_scale(factor):
    def scale(x):  # no decorator, and a number from outside
        i = cuda.grid(1)
        if i < x.size:
            x[i] *= factor

    return scale


@pytest.mark.parametrize("factor", [2, -3])
def test_a_python_function_with_a_closure(factor):
    x = np.arange(40.0)
    simt.launch(make_scale(factor), 2, 32, x)
    np.testing.assert_array_equal(x, np.arange(40.0) * factor)


@cuda.jit
def added(parts, out):
    i = cuda.grid(1)
    out[i] = parts[0][i] + parts[1][i]


def test_a_tuple_of_arrays():
    parts = np.arange(64.0), np.ones(64)
    out = np.zeros(64)
    run = simt.launch(added, 2, 32, parts, out)
    np.testing.assert_array_equal(out, np.arange(64.0) + 1)
    assert run.counters.global_bytes_unique == 3 * 64 * 8
    with pytest.raises(simt.OutOfBounds, match=r"line .*: thread 31 of block 1 reads parts"):
        simt.launch(added, 2, 32, (np.arange(63.0), np.ones(64)), out)


@cuda.jit
def with_or_without(x, weight):
    i = cuda.grid(1)
    if weight is not None:
        x[i] *= weight[i]
    else:
        x[i] += 1


@pytest.mark.parametrize("weight", [None, np.full(32, 3.0)])
def test_none_as_an_argument(weight):
    x = np.arange(32.0)
    simt.launch(with_or_without, 1, 32, x, weight)
    np.testing.assert_array_equal(x, np.arange(32.0) + 1 if weight is None else np.arange(32.0) * 3)


@cuda.jit
def rows_and_members(x, out):
    i = cuda.grid(1)
    if i in (1, 3):
        out[i, :] = x[i]
    elif i < x.shape[0]:
        out[i, 1:] = 5


def test_a_slice_takes_an_array_or_a_number_and_a_tuple_has_members():
    x, out = np.random.default_rng(0).random((5, 4)), np.zeros((5, 4))
    simt.launch(rows_and_members, 1, 32, x, out)
    expected = np.zeros((5, 4))
    expected[:, 1:] = 5
    expected[[1, 3]] = x[[1, 3]]
    np.testing.assert_array_equal(out, expected)


@cuda.jit
def reads_a_field(x, records):
    x[0] = records[0].a  # <-


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_records_are_refused(names):
    records = np.zeros(4, dtype=[(name, np.float32) for name in names])
    with pytest.raises(
        simt.UnsupportedError, match=r"line .*'a' of a record is not simulated; use an array for each"
    ):
        simt.launch(reads_a_field, 1, 1, np.zeros(4), records)


@cuda.jit
def one_or_the_other(x, y, out):
    i = cuda.grid(1)
    mine = x if i % 2 == 0 else y
    if i < out.size:
        out[i] = mine[i % mine.shape[0]]


def test_threads_may_hold_different_arrays_under_one_name():
    x, y, out = np.arange(3.0), 10 + np.arange(5.0), np.zeros(40)
    simt.launch(one_or_the_other, 2, 32, x, y, out)
    i = np.arange(40)
    np.testing.assert_array_equal(out, np.where(i % 2 == 0, x[i % 3], y[i % 5]))


@cuda.jit
def rows_of_one_or_the_other(x, y):
    mine = x if cuda.threadIdx.x % 2 == 0 else y
    mine[0][0] = 1


def test_parts_of_different_arrays_are_refused():
    with pytest.raises(simt.UnsupportedError, match="a part of x or y, whichever a thread holds"):
        simt.launch(rows_of_one_or_the_other, 1, 32, np.zeros((2, 2)), np.zeros((2, 2)))


@cuda.jit
def bytes_of_words(x):
    i = cuda.grid(1)
    x.view(np.uint8)[i] = i


def test_neighboring_bytes_of_a_word_are_different_places():
    x = np.zeros(8, np.float32)
    run = simt.launch(bytes_of_words, 1, 32, x)
    np.testing.assert_array_equal(x.view(np.uint8), np.arange(32))
    assert run.counters.global_bytes_unique == 32


@cuda.jit
def raises_below_zero(x):
    i = cuda.grid(1)
    if x[i] < 0:
        raise ValueError("negative")
    x[i] = 7


def test_a_thread_that_raises_just_ends():
    x = np.arange(-8.0, 24.0)
    simt.launch(raises_below_zero, 1, 32, x)
    np.testing.assert_array_equal(x, np.where(np.arange(-8, 24) < 0, np.arange(-8.0, 24.0), 7))


@cuda.jit
def with_a_list(x):
    parts = [x[0], x[1]]  # <-
    x[0] = parts[1]


@cuda.jit
def with_a_comprehension(x):
    parts = [i * 2.0 for i in range(3)]  # <-
    x[0] = parts[0]


@cuda.jit
def with_a_dict(x):
    names = {1: 2.0}  # <-
    x[0] = names[1]


@cuda.jit(device=True)
def factorial(n):
    if n < 2:
        return 1
    return n * factorial(n - 1)


@cuda.jit
def calls_itself(x):  # <-
    x[0] = factorial(3)


@cuda.jit
def enumerates(x):
    for i, value in enumerate(x):  # <-
        x[i] = value


@cuda.jit
def flat_subscript(x):
    x[0] = x.flat[1]  # <-


@cuda.jit
def length_of_text(x):
    x[0] = len("abc")  # <-


@pytest.mark.parametrize(
    ("kernel", "error", "instead"),
    [
        (with_a_list, simt.KernelTypeError, "cuda.local.array"),
        (with_a_comprehension, simt.KernelTypeError, "a loop that fills a cuda.local.array"),
        (with_a_dict, simt.KernelTypeError, "an array, indexed by number"),
        (calls_itself, simt.KernelTypeError, "factorial calls itself, so it cannot be inlined; write a loop"),
        (enumerates, simt.UnsupportedError, "`for i in range(len(x))`"),
        (flat_subscript, simt.UnsupportedError, "use one of an array"),
        (length_of_text, simt.UnsupportedError, "use that of an array"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_refused(kernel, error, instead):
    source, first = inspect.getsourcelines(kernel.py_func)
    line = next(first + place for place, text in enumerate(source) if "# <-" in text)
    x = np.arange(4, dtype=np.float32)
    with pytest.raises(error) as caught:
        simt.launch(kernel, 1, 1, x)
    message = str(caught.value)
    assert message.startswith(kernel.py_func.__name__)
    assert instead in message
    assert f"line {line}:" in message or kernel is calls_itself
    np.testing.assert_array_equal(x, np.arange(4))  # nothing has run


@cuda.jit
def too_much(x):
    first = cuda.shared.array(8000, float32)
    second = cuda.shared.array(8000, float32)  # <-
    first[0] = second[0] = x[0]


def test_too_much_shared_memory_is_told_where_it_is_declared():
    source, first = inspect.getsourcelines(too_much.py_func)
    with pytest.raises(simt.LaunchLimit, match="64000 bytes") as caught:
        simt.launch(too_much, 1, 1, np.zeros(1, np.float32))
    assert "# <-" in source[caught.value.line - first]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((0, 32), {}, ValueError, "grid: expected 1 to 3 positive integers, got 0"),
        ((1, (4, 4, 4, 4)), {}, ValueError, "block: expected 1 to 3 positive integers"),
        ((1, 2.5), {}, ValueError, "block: expected 1 to 3 positive integers, got 2.5"),
        ((1, 32), {"order": "random"}, ValueError, "order: expected 'lockstep' or 'shuffled', got 'random'"),
        ((1, 32), {"on_hazard": "ignore"}, ValueError, "on_hazard: expected 'raise' or 'record'"),
        ((1, 32), {"shared_bytes": -4}, ValueError, "shared_bytes: expected an integer, 0 or more, got -4"),
    ],
)
def test_bad_launches_say_what_was_expected(arguments, options, error, says):
    x = np.zeros(32)
    with pytest.raises(error, match=says):
        simt.launch(raises_below_zero, *arguments, x, **options)


def test_bad_arguments_say_what_was_expected():
    with pytest.raises(TypeError, match=r"arguments: raises_below_zero takes 1 \(x\), got 2"):
        simt.launch(raises_below_zero, 1, 32, np.zeros(32), 1)
    with pytest.raises(
        TypeError, match="x: expected an array, a tensor, a number or a tuple of these, got str"
    ):
        simt.launch(raises_below_zero, 1, 32, "abc")
    with pytest.raises(TypeError, match="kernel: expected a function"):
        simt.launch(5, 1, 32)
