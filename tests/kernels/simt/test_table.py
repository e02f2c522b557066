"""A run as text: the counters in their columns, the totals, the hazards; one screen wide, the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import float32

from kernels import simt
from kernels.backend import cuda
from kernels.simt.counters import Counters
from kernels.simt.hazards import Access, DataRace, NegativeIndex
from kernels.simt.record import SourceLine
from kernels.simt.run import Run
from kernels.simt.table import HEADINGS, WIDTH, Row, rows_of, table


@cuda.jit
def reverse(x, out):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    out[t] = tile[63 - t]


def cells(text, code):
    """The figures beside a piece of code, by column."""
    (line,) = [line for line in text.split("\n") if code in line]
    heading = next(line for line in text.split("\n") if line.endswith(HEADINGS[-1]))
    ends = [heading.index(name) + len(name) for name in HEADINGS]
    starts = [heading.index(HEADINGS[0]), *ends[:-1]]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def test_a_real_run_in_figures_worked_out_by_hand():
    """Two warps: each reads 128 bytes in 4 sectors and writes one wavefront; then the other way round."""
    x = np.arange(64, dtype=np.float32)
    text = table(simt.launch(reverse, 1, 64, x, np.empty_like(x), on_hazard="record"))
    assert text.startswith("reverse[1, 64]: 2 warps, 256 bytes of shared memory a block\n")
    assert cells(text, "tile[t] = x[t]") == ["4", "4", "2", "0", "100%"]
    assert cells(text, "out[t] = tile[63 - t]") == ["4", "4", "2", "0", "100%"]
    assert cells(text, "whole launch") == ["8", "4", "4", "0", "100%"]
    assert cells(text, "def reverse") == ["", "", "", "", ""]
    assert "Hazards: 1\n  DataRace, line " in text
    assert "Notes" not in text


def run(lines=None, **more):
    source = (
        SourceLine(10, "    @cuda.jit", "kernel"),
        SourceLine(11, "    def kernel(x):", "kernel"),
        SourceLine(12, "        x[0] = double(x[1])" + "  # and so on" * 9, "kernel"),
        SourceLine("lanes.py:40", "def double(x):", "double"),
        SourceLine("lanes.py:41", "\treturn x + x", "double"),
    )
    return Run("kernel", (2, 3), (32, 2), lines=lines or {}, source=source, warps=1, **more)


def test_a_device_function_stands_under_its_file():
    assert rows_of(run().source) == [
        Row(10, "@cuda.jit"),
        Row(11, "def kernel(x):"),
        Row(12, "    x[0] = double(x[1])" + "  # and so on" * 9),
        Row(None, "double, in lanes.py:"),
        Row("lanes.py:40", "def double(x):"),
        Row("lanes.py:41", "    return x + x"),
    ]
    text = table(run({"lanes.py:41": Counters(statements=4, lanes=32)}))
    assert cells(text, "   41      return x + x") == ["", "", "", "", "25%"]
    assert text.startswith("kernel[(2, 3), (32, 2)]: 1 warp\n")


def test_fractions_thousands_and_atomics():
    line = Counters(
        global_load_requests=3, global_load_sectors=37, atomics=5_000, statements=3, lanes=48,
        shared_store_requests=2, shared_store_wavefronts=2_064, shared_bank_conflicts=2_062,
    )  # fmt: skip
    text = table(run({12: line}, counters=line))
    assert cells(text, "x[0] = double") == ["5,005", "12.3", "2,064", "2,062", "50%"]


def test_hazards_and_notes_are_told_apart():
    race = DataRace("a race " * 40, accesses=(Access("writes", 12, 0, 1), Access("reads", 12, (1, 0), 2)))
    note = NegativeIndex("x[-1] is the last one", accesses=(Access("reads", "lanes.py:41", 0, 0),))
    text = table(run(hazards=[race], notes=[note]))
    assert "Hazards: 1\n  DataRace, line 12, block (1, 0): a race" in text
    assert text.endswith("Notes: 1\n  NegativeIndex, line lanes.py:41, block 0: x[-1] is the last one")
    assert "Hazards: none" in table(run())


count = st.integers(0, 10**9)


@settings(max_examples=60, deadline=None)
@given(st.lists(count, min_size=8, max_size=8), st.text(max_size=200).filter(lambda text: text.isprintable()))
def test_no_line_is_wider_than_the_screen(counts, message):
    names = ("global_load_requests", "global_load_sectors", "shared_load_requests", "shared_load_wavefronts",
             "shared_bank_conflicts", "atomics", "statements", "lanes")  # fmt: skip
    line = Counters(**dict(zip(names, counts, strict=True)))
    race = DataRace(message, accesses=(Access("writes", 12, 0, 1),))
    text = table(run({12: line}, counters=line, hazards=[race]))
    assert text == table(run({12: line}, counters=line, hazards=[race]))
    assert all(len(line) <= WIDTH for line in text.split("\n"))
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_it_shows_itself_without_quotes():
    text = table(run())
    assert isinstance(text, str)
    assert repr(text) == str(text)
    assert "\\n" not in repr(text)


@pytest.mark.parametrize("source", [(), (SourceLine(1, "", "kernel"),)])
def test_a_run_without_source_has_totals(source):
    assert "whole launch" in table(Run("kernel", (1,), (1,), source=source))
