"""Correct kernels give correct answers: in Numba's own simulator, in ours in any order, and on a GPU.

Integers are compared exactly. Floats are compared within a tolerance, since none of the three rounds alike: Numba's
simulator computes with NumPy's scalars by NumPy's rules for types, a GPU contracts a product and a sum into one
operation, and transcendental functions differ in their last bits. Where arithmetic is exact in IEEE 754, ours is held
bit for bit to what Numba compiles for the CPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from corpus.case import Case
from corpus.collected import CASES, MODULES

from kernels import simt
from kernels.backend import cuda, gpu_present
from kernels.compiled import CompilerMissing, inspect
from kernels.simt.language.typed import type_of
from kernels.simt.run import Run

PROGRAM = Path(__file__).with_name("corpus") / "run_in_numba.py"
SEED = 0
ORDERS = [("lockstep", SEED), *(("shuffled", seed) for seed in (1, 2, 3))]
ROUNDING = 1e-5  # between two float32 results that were rounded at different places

WAITING = [case for case in CASES if case.name.startswith(("handovers-", "scans-chained_scan"))]
EACH_KERNEL = list({case.kernel: case for case in CASES}.values())

by_name = {"argvalues": CASES, "ids": lambda case: case.name}
in_numba = {"argvalues": [case for case in CASES if not case.not_in_numba], "ids": lambda case: case.name}
with_formula = {"argvalues": [case for case in CASES if case.formula], "ids": lambda case: case.name}


def simulated(case: Case, order: str = "lockstep", seed: int = SEED) -> tuple[dict[int, np.ndarray], Run]:
    """The outputs of a launch on arguments drawn with `seed`, and the run."""
    arguments = case.draw(seed)
    run = simt.launch(
        case.kernel, case.grid, case.block, *arguments, shared_bytes=case.shared_bytes, order=order, seed=seed
    )
    return {place: arguments[place] for place in case.wanted(SEED)}, run


@pytest.fixture(scope="session")
def numbas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What Numba's simulator makes of the corpus, by "name/seed/position"."""
    path = tmp_path_factory.mktemp("numba") / "results.npz"
    subprocess.run(
        [sys.executable, str(PROGRAM), str(path), str(SEED)],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        timeout=500,
        check=True,
    )
    with np.load(path, allow_pickle=False) as results:
        return dict(results)


def test_there_is_a_corpus():
    assert len({case.kernel for case in CASES}) >= 36
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(module.CASES for module in MODULES)


@pytest.mark.parametrize("case", **by_name)
def test_a_kernel_that_does_nothing_would_be_noticed(case):
    untouched = case.draw(SEED)
    with pytest.raises(AssertionError):
        case.check({place: untouched[place] for place in case.wanted(SEED)}, SEED)


@pytest.mark.parametrize("case", EACH_KERNEL, ids=lambda case: case.name)
def test_the_real_compiler_takes_it(case):
    kinds = tuple(type_of("argument", value) for value in case.draw(SEED))
    for arch in ("sm_75", "sm_90"):
        try:
            assert f".target {arch}" in inspect(case.kernel, kinds, arch).ptx
        except CompilerMissing as missing:
            pytest.skip(str(missing))
        except RuntimeError as error:  # PTX is there, and machine code wants one more library
            if not (case.linked and "Unresolved extern function" in str(error)):
                raise


@pytest.mark.slow
@pytest.mark.parametrize("case", **in_numba)
def test_numbas_simulator_agrees_with_numpy(case, numbas):
    assert f"{case.name}/{SEED}/error" not in numbas, numbas[f"{case.name}/{SEED}/error"]
    case.check({place: numbas[f"{case.name}/{SEED}/{place}"] for place in case.wanted(SEED)}, SEED)


@pytest.mark.parametrize(("order", "seed"), ORDERS, ids=lambda value: str(value))
@pytest.mark.parametrize("case", **by_name)
def test_ours_agrees_with_numpy_in_any_order_and_finds_nothing_wrong(case, order, seed):
    got, run = simulated(case, order, seed)
    case.check(got, seed)
    assert run.hazards == []
    assert {note.kind for note in run.notes} == set(case.notes)


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.name)
def test_who_waits_for_another_thread_gets_there_in_any_order(case):
    for seed in range(4, 44):
        got, _ = simulated(case, "shuffled", seed)
        case.check(got, seed)


@pytest.mark.slow
@pytest.mark.parametrize("case", **in_numba)
def test_ours_agrees_with_numbas_simulator(case, numbas):
    for place, ours in simulated(case)[0].items():
        theirs = numbas[f"{case.name}/{SEED}/{place}"]
        if np.issubdtype(ours.dtype, np.inexact) and case.tolerance:
            scale = np.max(np.abs(theirs), initial=0.0)
            np.testing.assert_allclose(
                ours, theirs, rtol=0, atol=max(case.tolerance, ROUNDING) * float(scale)
            )
        else:
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("case", **with_formula)
def test_ours_rounds_as_numba_compiles_bit_for_bit(case):
    (place, ours), *_ = simulated(case)[0].items()
    compiled = numba.vectorize(case.formula.py_func)  # without fastmath LLVM may not contract or reorder
    theirs = compiled(*case.draw(SEED)[:place]).astype(ours.dtype)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", ["naive", "tiled", "double_buffered"])
def test_sums_in_float32_round_at_each_step(name):
    """Three ways through memory, one order of additions: the same bits, with each product rounded on its own."""
    for case in CASES:
        if case.name.startswith(f"matmuls-{name}-"):
            a, b, total = case.draw(SEED)
            for k in range(a.shape[1]):
                total += a[:, k, None] * b[None, k, :]
            np.testing.assert_array_equal(simulated(case)[0][2], total)


@pytest.mark.gpu
@pytest.mark.skipif(not gpu_present(), reason="no GPU")
@pytest.mark.parametrize("case", **by_name)
def test_a_gpu_agrees_with_numpy(case):
    arguments = case.draw(SEED)
    arrays = [value for value in arguments if isinstance(value, np.ndarray)]
    if not all(array.flags.forc for array in arrays):
        pytest.skip("Numba copies only arrays without gaps to a GPU")
    there = [cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in arguments]
    case.kernel[case.grid, case.block, 0, case.shared_bytes](*there)
    case.check({place: there[place].copy_to_host() for place in case.wanted(SEED)}, SEED)
