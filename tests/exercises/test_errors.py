"""An error in one line of the reader's own, and when two errors come of one mistake."""

import numpy as np
import pytest
import torch

from kernels import simt
from kernels.backend import cuda, device_function, gpu_kernel
from workbench.exercises.errors import endless, gist, hazards, reader_line, telling


def raised(function, *arguments):
    """What a call raises."""
    try:
        function(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing is raised")


def launched(kernel, threads=64):
    """The first hazard of a run, or what the compiler says."""
    out = torch.zeros(64)

    def run():
        found = simt.launch(kernel, 1, threads, out, on_hazard="record", step_limit=1000).hazards
        if found:
            raise found[0]

    return raised(run)


@gpu_kernel
def unknown_name(out):
    i = cuda.grid(1)
    out[i] = HALFF  # noqa: F821


@gpu_kernel
def unknown_attribute(out):
    i = cuda.grid(1)
    if i < out.shpae[0]:
        out[i] = 1


@gpu_kernel
def gives_a_value(out):
    return out[0]


def calls_torch(out):
    return torch.relu(out)


@gpu_kernel
def has_a_list(out):
    places = [0]
    out[places[0]] = 1


@gpu_kernel
def wrong_size(out):
    size = out.shape[0]
    shared = cuda.shared.array(size, np.float32)
    out[0] = shared[0]


@gpu_kernel
def slices(out):
    out[:] = out[:] + out[:]


@pytest.mark.parametrize(
    ("kernel", "said", "line"),
    [
        (unknown_name, "NameError: name 'HALFF' is not defined", "out[i] = HALFF"),
        (
            unknown_attribute,
            "Unknown attribute 'shpae' of type array(float32, 1d, C)",
            "if i < out.shpae[0]:",
        ),
        (gives_a_value, "No conversion from float32 to none for 'return_value'", "return out[0]"),
        (calls_torch, "Unknown attribute 'relu' of type Module(torch)", "return torch.relu(out)"),
        (has_a_list, "KernelTypeError: a list is not for a GPU", "places = [0]"),
        (wrong_size, "No implementation of function shared.array found for signature: array(int64", ""),
        (slices, "is not simulated", "out[:] = out[:] + out[:]"),
    ],
)
def test_a_compilers_error_is_one_line_of_what_happened_and_the_readers_own(kernel, said, line):
    text = reader_line(kernel, _without_frames(launched(kernel)))
    assert said in text
    assert line in text
    for noise in ("\n", "File", "During", "Failed in", "/", " 0x"):
        assert noise not in text


def _without_frames(error):
    """Readers launch from another file than that of their kernel; here a frame would be found for its line."""
    return error.with_traceback(None)


@device_function
def _shared_in_a_device_function(value):
    mine = cuda.shared.array(4, np.float32)
    mine[cuda.threadIdx.x] = value
    return mine[0]


@gpu_kernel
def calls_device_function(out):
    out[0] = _shared_in_a_device_function(out[0])


@gpu_kernel
def array_in_a_tuple(out):
    shared, thread = cuda.shared.array(64, np.float32), cuda.threadIdx.x
    out[thread] = shared[thread]


def test_an_array_of_a_device_function_has_its_own_name():
    assert "writes mine[4], outside its shape" in telling(launched(calls_device_function))


def test_an_array_that_only_the_compiler_has_named_is_an_array():
    assert "reads array[0], which no thread" in telling(launched(array_in_a_tuple))


@gpu_kernel
def endless_loop(out):
    while out[0] < 1:
        out[1] = out[1] + 1


@gpu_kernel
def races_twice(out):
    shared = cuda.shared.array(64, np.float32)
    shared[cuda.threadIdx.x] = 1
    out[cuda.threadIdx.x] = shared[63 - cuda.threadIdx.x]


def test_what_kinds_of_hazards_a_run_has_had():
    assert hazards(launched(races_twice)) == {"DataRace"}  # and so read what nobody had written yet
    assert hazards(launched(calls_device_function, threads=8)) == {"OutOfBounds", "DataRace"}
    assert hazards(ValueError()) == hazards(None) == frozenset()
    assert "StepLimit" in hazards(launched(endless_loop))
    assert endless(launched(endless_loop))
    assert not endless(launched(races_twice))
    assert "raise step_limit" not in telling(launched(endless_loop))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: None * 2, lambda: 2 - None),
        (lambda: None * 2, lambda: None.shape),
        (lambda: torch.cat([None]), lambda: -None),
        (lambda: 1 // 0, lambda: 1.5 / 0),
        (lambda: "a" * "b", lambda: "a" * "c"),
        (lambda: {} - (), lambda: {} / ()),
        (lambda: [0][1], lambda: [0, 1][7]),
    ],
)
def test_errors_of_one_mistake(one, other):
    assert gist(raised(one)) == gist(raised(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: {} - (), lambda: {} - ""),
        (lambda: None - 2, lambda: 2 - ""),
        (lambda: {}["a"], lambda: [0][1]),
        (lambda: torch.zeros(2) @ torch.zeros(3), lambda: torch.zeros(2).reshape(3)),
    ],
)
def test_errors_of_two_mistakes(one, other):
    assert gist(raised(one)) != gist(raised(other))


def test_a_path_is_shown_by_its_name_alone_and_an_operator_is_no_path():
    assert telling(FileNotFoundError("no file '/home/me/data/x.csv'")) == "no file 'x.csv'"
    assert telling(ValueError("a/b, rows / columns and 3 // 2")) == "a/b, rows / columns and 3 // 2"
    assert telling(TypeError("got <object object at 0x7f00aa>")) == "got <object object>"
    assert telling(ValueError("File x is missing\nand y too")) == "File x is missing"
    assert telling(ValueError()) == ""


def test_an_error_without_words_or_source_is_its_type():
    assert reader_line(len, ValueError()) == "ValueError"
    assert reader_line(eval("lambda: 1 / 0"), KeyError("a")) == "KeyError: 'a'"
