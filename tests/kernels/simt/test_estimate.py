"""Estimates worked out by hand, and what they must say about themselves."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import float32

from kernels import simt
from kernels.backend import cuda
from kernels.gpus import GPUS
from kernels.simt.counters import Counters
from kernels.simt.estimate import LAUNCH, estimate
from kernels.simt.hazards import Access, OutOfBounds
from kernels.simt.run import Run

MILLION = 1 << 20


def vector_add(n: int = MILLION, threads: int = 256) -> Run:
    """Counts of `out[i] = a[i] + b[i]` in float32: a warp's three requests take four sectors each."""
    warps = n // 32
    counters = Counters(
        global_load_requests=2 * warps,
        global_load_sectors=8 * warps,
        global_load_lines=2 * warps,
        global_store_requests=warps,
        global_store_sectors=4 * warps,
        global_store_lines=warps,
        global_bytes_useful=12 * n,
        global_bytes_unique=12 * n,
        flops=n,
        statements=3 * warps,
        lanes=3 * n,
    )
    return Run("vector_add", (n // threads,), (threads,), counters, warps=warps)


def test_vector_add_is_bound_by_its_bytes():
    found = estimate(vector_add(), "H200")
    clocks = 132 * 4096 / (132 * 32) * 1.98e9  # 4096 blocks, at most 32 an SM: 128 SMs on average
    expected = {
        "device memory": 12 * MILLION / 4.8e12,  # 2.62 µs
        "L1 cache": 12 * MILLION / 32 / (4 * clocks),  # 0.39 µs
        "shared memory": 0,
        "FP32": MILLION / (2 * 128 * clocks),  # 0.016 µs
        "FP64": 0,
        "special functions": 0,
        "instruction issue": 3 * MILLION / 32 / (4 * clocks),
        "launch": 0.9e-6,
    }
    assert found.terms == pytest.approx(expected)
    assert found.terms["device memory"] == pytest.approx(2.62e-6, rel=1e-2)
    assert found.terms["L1 cache"] == pytest.approx(0.388e-6, rel=1e-2)
    assert found.binding == "device memory"
    assert found.seconds == pytest.approx(0.9e-6 + 2.62e-6, rel=1e-2)
    assert found.waves == 32
    assert found.sm_utilization == pytest.approx(4096 / (132 * 32))


def test_the_same_on_a_t4_takes_fifteen_times_as_long():
    there, here = estimate(vector_add(), "T4"), estimate(vector_add(), "H200")
    assert there.binding == "device memory"
    assert there.terms["device memory"] / here.terms["device memory"] == pytest.approx(15)


def test_bank_conflicts_bind():
    """A tile whose 32 lanes all ask one bank, a hundred times by each of 64 warps an SM: 32 wavefronts a request."""
    requests = 100 * 64 * 108
    counters = Counters(
        global_load_sectors=4 * 64 * 108,
        global_bytes_unique=128 * 64 * 108,
        shared_load_requests=requests,
        shared_load_wavefronts=32 * requests,
        shared_bank_conflicts=31 * requests,
        statements=2 * requests,
        lanes=64 * requests,
    )
    run = Run("columns", (216,), (1024,), counters)
    found = estimate(run, "A100")
    assert found.binding == "shared memory"
    assert found.terms["shared memory"] == pytest.approx(
        100 * 64 * 32 / 1.41e9
    )  # a wavefront a clock and SM: 145 µs
    assert found.seconds == pytest.approx(145.2e-6 + LAUNCH, rel=1e-3)
    padded = replace(counters, shared_load_wavefronts=requests, shared_bank_conflicts=0)
    assert estimate(replace(run, counters=padded), "A100").terms["shared memory"] == pytest.approx(
        4.54e-6, rel=1e-2
    )
    assert estimate(run, "T4").terms["shared memory"] == pytest.approx(
        2 * 32 * requests / 36 / 1.59e9
    )  # 216/6 SMs


@cuda.jit
def add(a, b, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i] + b[i]


@cuda.jit
def rows(out, pitch):
    """Each lane writes a row of a tile and adds it up."""
    tile = cuda.shared.array(33 * 32, float32)
    lane = cuda.threadIdx.x
    total = float32(0)
    for column in range(32):
        tile[lane * pitch + column] = column
    for column in range(32):
        total += tile[lane * pitch + column]
    out[cuda.grid(1)] = total


def test_a_run_of_vector_add_has_these_counts():
    n = 1 << 14
    a, b = (np.random.default_rng(seed).random(n, dtype=np.float32) for seed in (0, 1))
    run = simt.launch(add, (n // 256,), (256,), a, b, np.empty_like(a))
    found, by_hand = estimate(run, "T4"), estimate(vector_add(n), "T4")
    assert found.terms == pytest.approx(by_hand.terms)
    assert found.binding == by_hand.binding == "launch"
    assert found.terms["device memory"] == pytest.approx(12 * n / 320e9)


def test_a_run_with_bank_conflicts_is_bound_by_them_until_its_rows_are_padded():
    blocks = 4 * 108
    times = {}
    for pitch in (32, 33):
        out = np.zeros(32 * blocks, dtype=np.float32)
        found = estimate(simt.launch(rows, (blocks,), (32,), out, pitch), "A100")
        times[pitch] = found.terms["shared memory"]
        assert found.binding == ("shared memory" if pitch == 32 else "launch")
        assert np.all(out == 31 * 32 / 2)
    assert times[33] == pytest.approx(
        4 * 64 / 1.41e9
    )  # 4 blocks an SM, 64 requests each: one wavefront a clock
    assert times[32] == pytest.approx(32 * times[33])


def test_double_precision_is_dear_where_there_are_few_units():
    single = Counters(flops=10**12)
    double = Counters(flops=10**12, flops64=10**12)
    for name, times in (("RTX 4090", 64), ("T4", 32), ("A100", 2), ("H200", 2)):
        fast, slow = (estimate(Run("k", (10**6,), (256,), count), name) for count in (single, double))
        assert (fast.binding, slow.binding) == ("FP32", "FP64")
        assert slow.terms["FP64"] / fast.terms["FP32"] == pytest.approx(times)
        assert slow.terms["FP32"] == 0


@pytest.mark.parametrize(
    ("counted", "binding"),
    [
        ({"transcendentals": 10**9}, "special functions"),
        ({"statements": 10**9}, "instruction issue"),
        ({"shared_store_wavefronts": 10**9}, "shared memory"),
        ({"global_load_sectors": 10**9}, "L1 cache"),
        ({"global_store_sectors": 10**9}, "L1 cache"),
        ({}, "launch"),
    ],
)
def test_each_term_can_bind(counted, binding):
    assert estimate(Run("k", (10**6,), (256,), Counters(**counted)), "H200").binding == binding


def test_level_2_is_priced_where_its_bandwidth_is_published():
    run = vector_add()
    assert "L2 cache" not in estimate(run, "H200").terms
    assert any("no L2 bandwidth of H200" in sentence for sentence in estimate(run, "H200").assumptions)
    assert estimate(run, "A100").terms["L2 cache"] == pytest.approx(12 * MILLION / (5120 * 1.41e9))
    strided = Counters(
        global_load_sectors=10**9, global_bytes_unique=4 * 10**9
    )  # every access a sector of its own
    assert estimate(Run("k", (10**6,), (256,), strided), "A100").binding == "L2 cache"


def test_one_block_too_many_doubles_the_time():
    def seconds(blocks: int) -> float:
        counters = Counters(flops=blocks * 10**9)
        return estimate(Run("k", (blocks,), (256,), counters), "H200").terms["FP32"]

    assert seconds(132) == pytest.approx(seconds(1))
    assert seconds(133) == pytest.approx(2 * seconds(132))
    assert seconds(264) == pytest.approx(seconds(133))
    alone = estimate(Run("k", (1, 1), (8, 8), Counters(flops=1)), "H200")
    assert alone.sm_utilization == pytest.approx(1 / 132)
    assert any("Few SMs" in sentence for sentence in alone.assumptions)


NAMES = [field.name for field in fields(Counters) if field.name != "flops64"]


@given(
    counts=st.fixed_dictionaries({name: st.integers(0, 10**12) for name in NAMES}),
    blocks=st.integers(1, 10**7),
    gpu=st.sampled_from(list(GPUS)),
)
def test_the_longest_term_is_the_time(counts, blocks, gpu):
    found = estimate(Run("k", (blocks,), (64,), Counters(**counts)), gpu)
    rest = [seconds for name, seconds in found.terms.items() if name != "launch"]
    assert found.seconds == pytest.approx(LAUNCH + max(rest))
    assert found.terms[found.binding] == max(found.terms.values())
    assert 0 < found.sm_utilization <= 1
    assert found.waves == math.ceil(blocks / GPUS[gpu].sms)
    twice = estimate(
        Run("k", (blocks,), (64,), Counters(**{n: 2 * count for n, count in counts.items()})), gpu
    )
    for name, seconds in found.terms.items():
        assert twice.terms[name] == pytest.approx(seconds if name == "launch" else 2 * seconds)


def test_it_reads_as_a_table():
    text = str(estimate(vector_add(), "A100"))
    assert text.startswith("vector_add on A100: 8.99 µs (model), bound by device memory")
    assert "12,582,912 bytes, 1.56e+12 a second" in text
    assert "FP64" not in text  # nothing of it
    assert "4,096 blocks on 108 SMs, at most 38 each: 100% of the SMs at work" in text
    assert "A model from published limits" in text
    assert repr(estimate(vector_add(), "A100")) == text


def test_what_is_left_out_is_said():
    counters = Counters(flops=1, transcendentals=1, statements=1, atomics=4096)
    side = Access("writes", 3, 0, 5)
    run = Run("k", (1000,), (32,), counters, hazards=[OutOfBounds("beyond", accesses=(side,))])
    said = " ".join(estimate(run, "T4").assumptions)
    for words in (
        "multiply-add",
        "special function units",
        "statement",
        "4,096 requests of atomics",
        "hazards",
    ):
        assert words in said
    quiet = " ".join(estimate(Run("k", (1000,), (32,)), "T4").assumptions)
    for words in ("multiply-add", "special function units", "statement", "atomics", "hazards", "Few SMs"):
        assert words not in quiet


def test_a_gpu_of_your_own():
    slower = replace(GPUS["T4"], name="mine", memory_bandwidth=32e9)
    assert estimate(vector_add(), slower).terms["device memory"] == pytest.approx(12 * MILLION / 32e9)


def test_what_is_unknown_is_refused():
    with pytest.raises(ValueError, match=r"gpu: expected one of T4, .*H200, got 'T5'"):
        estimate(vector_add(), "T5")
    with pytest.raises(TypeError, match=r"run: expected what simt\.launch returns, got Counters"):
        estimate(Counters())  # type: ignore[arg-type]
