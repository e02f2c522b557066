"""What a run shows of the device functions in it: no file is parsed twice, and none is shown as it once was."""

import linecache

import numpy as np

from kernels import simt
from kernels.backend import cuda
from kernels.simt.language import source

FIRST = """
from kernels.backend import device_function


@device_function
def changed(value):
    return value + 1
"""
TEXTS = (FIRST, FIRST.replace("value + 1", "value * 3"), "# moved down\n\n\n" + FIRST)


def shown(text, file):
    """What a run of a kernel shows of the device function that it calls, which has just been read from a file."""
    names = {}
    exec(compile(text, file, "exec"), names)
    changed = names["changed"]

    @cuda.jit
    def kernel(x):
        x[cuda.threadIdx.x] = changed(x[cuda.threadIdx.x])

    run = simt.launch(kernel, 1, 32, np.ones(32, np.float32))
    return [line.text for line in run.source if line.function == "changed"]


def test_a_file_is_shown_as_it_is_now_and_parsed_once(tmp_path):
    file = tmp_path / "file.py"
    for text in TEXTS:
        file.write_text(text)
        assert shown(text, str(file)) == text.splitlines()[-3:]
        parsed = source._functions.cache_info().misses
        assert shown(text, str(file)) == text.splitlines()[-3:]
        assert source._functions.cache_info().misses == parsed


def test_a_cell_run_again_is_shown_as_it_is_now(monkeypatch):
    for text in TEXTS:
        lines = text.splitlines(keepends=True)
        monkeypatch.setitem(linecache.cache, "<cell>", (len(text), None, lines, "<cell>"))  # as IPython does
        assert shown(text, "<cell>") == text.splitlines()[-3:]
