"""Patterns that look like races, and the documented answer to each.

| pattern | answer |
|---|---|
| many threads write one value to one word that nobody else reads | noted as benign, no hazard |
| the same, and somebody reads the word without a barrier between | DataRace |
| the same, with different values | DataRace |
| test, then set, of a word that others set too ("the same value anyhow") | DataRace: it reads what others write |
| neighboring bytes of one word, a thread each | nothing: memory is addressed by bytes |
| a thread reads and rewrites its own | nothing |
| all read, nobody writes | nothing |
| atomics beside atomics | nothing |
| threads that have returned miss a barrier | nothing: a barrier counts those that are still there |
| a barrier in a branch that a whole block takes | nothing |
"""

import numpy as np
import pytest
from wrong.collected import PATTERNS

from kernels import simt
from kernels.backend import cuda
from kernels.simt.hazards import DataRace


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_no_hazard_and_the_right_answer(pattern, seed):
    arguments = pattern.arguments(np.random.default_rng(3))
    due = pattern.answer(*(argument.copy() for argument in arguments))
    order = {"order": "lockstep"} if seed is None else {"order": "shuffled", "seed": seed}
    run = simt.launch(pattern.kernel, pattern.grid, pattern.block, *arguments, **order)
    assert run.hazards == []
    np.testing.assert_array_equal(arguments[-1], due)
    assert bool(run.notes) == pattern.noted
    assert all(note.kind == "DataRace" and "benign" in str(note) for note in run.notes)


def all_write_and_one_reads(x, out):
    out[0] = 1
    if cuda.threadIdx.x == 0:
        x[cuda.blockIdx.x] = out[0]


def all_write_what_they_have(x, out):
    out[0] = x[cuda.grid(1)]


def look_then_set(x, out):
    if out[0] == 0:
        out[0] = 1


def one_byte_for_two(x, out):
    i = cuda.grid(1)
    out[i // 2] = x[i]


@pytest.mark.parametrize("kernel", [all_write_and_one_reads, all_write_what_they_have, look_then_set])
def test_what_is_not_benign(kernel):
    with pytest.raises(DataRace, match=r"out\["):
        simt.launch(kernel, 2, 64, np.arange(128), np.zeros(1, np.int32))


def test_two_threads_on_one_byte():
    with pytest.raises(DataRace, match=r"out\[") as caught:
        simt.launch(one_byte_for_two, 2, 64, np.arange(128, dtype=np.int8), np.zeros(64, np.int8))
    one, two = caught.value.accesses
    assert one.block == two.block
    assert one.thread // 2 == two.thread // 2
    assert one.thread != two.thread
