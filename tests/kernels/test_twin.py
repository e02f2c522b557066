"""Serial and parallel twins, threads, forks, and how sums over rows are cut."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import kernels
from kernels.norms.rms_norm import rms_norm_twin
from kernels.twin import PARALLEL_FROM, chunk_bounds, chunks

LARGE = (PARALLEL_FROM // 256 + 3, 256)


@given(st.integers(0, 10**7))
def test_chunks_cover_all_rows_once(rows):
    parts = chunks(rows)
    assert parts * parts >= rows
    assert parts == 0 or (parts - 1) ** 2 < rows
    bounds = (
        [chunk_bounds(chunk, parts, rows) for chunk in {0, parts // 2, max(parts - 1, 0)}] if parts else []
    )
    assert all(0 <= first < end <= rows for first, end in bounds)
    if parts:
        assert chunk_bounds(0, parts, rows)[0] == 0
        assert chunk_bounds(parts - 1, parts, rows)[1] == rows


def test_several_python_threads_at_once():
    """Numba's portable thread pool aborts the process when entered twice."""
    inputs = [torch.randn(LARGE) for _ in range(8)]
    bias = torch.randn(LARGE[1])
    expected = [kernels.bias_gelu(x, bias) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: kernels.bias_gelu(x, bias), inputs * 4))
    assert all(torch.equal(a, b) for a, b in zip(found, expected * 4, strict=True))


def test_numbas_number_of_threads_is_left_alone():
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        kernels.rms_norm(torch.randn(LARGE))
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(before)


FORK = """
import os, numpy, torch, kernels
x = torch.randn(1000, 256)
expected = kernels.rms_norm(x)  # starts the thread pool
child = os.fork()
if child == 0:  # NumPy compares: torch's own threads do not survive the fork either
    os._exit(0 if numpy.allclose(kernels.rms_norm(x).numpy(), expected.numpy()) else 3)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_works_in_a_forked_child():
    """A DataLoader's worker may call an operation whose thread pool runs in the parent."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stdout + done.stderr


THREADS = """
import torch, kernels, numba
torch.set_num_threads(2)
kernels.rms_norm(torch.randn(1000, 256))
print(numba.threading_layer())
"""


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_threading_layers(layer):
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if layer == "omp" and "No threading layer" in done.stderr:
        pytest.skip("no OpenMP here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == layer


def test_serial_and_parallel_agree():
    x, weight = np.random.default_rng(0).normal(size=(2, *LARGE)).astype(np.float32)
    results = [np.empty_like(x), np.empty_like(x)]
    for compiled, out in zip((rms_norm_twin.serial, rms_norm_twin.parallel), results, strict=True):
        compiled(x, weight[0], out, 1e-6)
    np.testing.assert_allclose(*results, rtol=1e-6)
