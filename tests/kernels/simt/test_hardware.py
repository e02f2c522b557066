"""Simulated beside hardware counters: the profiler's CSV is read right, the table says what differs and why."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kernels import simt
from kernels.backend import gpu_present
from kernels.simt import counters
from kernels.simt.counters import Counters
from kernels.simt.hardware.__main__ import rows
from kernels.simt.hardware.cases import CASES
from kernels.simt.hardware.profile import METRICS, ProfilerFailed, profile, read

HEAD = (
    '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size",'
    '"Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"'
)


def line(launch, kernel, metric, value):
    return (
        f'"{launch}","2583","python3","127.0.0.1","{kernel}","1","7","(256, 1, 1)","(16, 1, 1)","0","9.0",'
        f'"Command line profiler metrics","{metric}","","{value}"'
    )


def report(*launches):
    """What ncu prints, in the form its manual gives: chatter, a head, a line for each launch and metric."""
    lines = [
        line(number, kernel, metric, values.get(metric, 0))
        for number, (kernel, values) in enumerate(launches)
        for parts in METRICS.values()
        for metric in parts
    ]
    return "\n".join(["==PROF== Connected to process 2583 (/usr/bin/python3)", HEAD, *lines])


def test_csv_is_read():
    text = report(
        ("void at::native::vectorized_elementwise_kernel", {}),
        (
            "kernels::simt::hardware::cases::copy[abi:v1](Array&lt;float, 1, C&gt;)",
            {
                "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum": "128",
                "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": "4,096",
                "smsp__thread_inst_executed_per_inst_executed.ratio": "24.00",
                "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum": "1,000",
                "smsp__sass_thread_inst_executed_op_fadd_pred_on.sum": "10",
            },
        ),
        ("copy", {"smsp__inst_executed.sum": "7"}),
        ("_ZN7kernels4simt8hardware5cases12copy_stridedB2v1E", {"smsp__inst_executed.sum": "8"}),
    )
    first, second, third = read(text, ["copy", "copy", "copy_strided"])
    assert first["global_load_requests"] == 128
    assert first["global_load_sectors"] == 4096
    assert first["warp_efficiency"] == 0.75
    assert first["flops"] == 2010  # an FMA is two
    assert first["atomics"] == 0
    assert (second["statements"], third["statements"]) == (7, 8)


def test_a_metric_that_the_chip_lacks_is_not_zero():
    (counts,) = read(report(("copy", {"smsp__sass_branch_targets.sum": "n/a"})), ["copy"])
    assert counts["branches"] is None
    assert counts["divergent_branches"] == 0


def test_what_was_not_counted_is_missing():
    assert read(report(("void at::native::vectorized_elementwise_kernel", {})), ["copy"]) == []
    assert len(read(report(("copy", {}), ("histogram", {})), ["copy", "copy"])) == 1
    assert read("", ["copy"]) == []
    assert read("==ERROR== ERR_NVGPUCTRPERM", ["copy"]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_profiler_that_may_not_count_is_quoted(tmp_path):
    refusing = tmp_path / "ncu"
    refusing.write_text("#!/bin/sh\necho '==ERROR== ERR_NVGPUCTRPERM - permission denied'\n")
    refusing.chmod(0o755)
    with pytest.raises(ProfilerFailed, match="ERR_NVGPUCTRPERM"):
        profile(str(refusing), ["true"], ["copy"])


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_profiler_that_counts(tmp_path):
    """A stand-in writes the CSV where it is told to, as ncu does."""
    sample = tmp_path / "sample.csv"
    sample.write_text(report(("copy", {"smsp__inst_executed.sum": "12"})))
    standin = tmp_path / "ncu"
    standin.write_text(f'#!/bin/sh\nwhile [ "$1" != --log-file ]; do shift; done\ncp {sample} "$2"\n')
    standin.chmod(0o755)
    assert profile(str(standin), ["true"], ["copy"])[0]["statements"] == 12


def test_rows_say_what_differs_and_why():
    case = next(case for case in CASES if case.name == "16 bytes")
    simulated = Counters(global_load_requests=128, global_load_sectors=2048, statements=10, lanes=320)
    hardware = dict.fromkeys(METRICS, 0.0) | {
        "global_load_requests": 256.0,
        "global_load_sectors": 2048.0,
        "warp_efficiency": 1.0,
        "branches": None,
        "statements": 30.0,
    }
    table = list(rows(case, simulated, hardware))
    assert (
        "| 16 bytes | global_load_requests | 128 | 256 | 2.00 | Numba loads and stores a complex number"
        in table[0]
    )
    assert table[1] == "| 16 bytes | global_load_sectors | 2048 | 2048 | 1.00 |  |"
    assert any("branches | 0 | – | – | not counted" in row for row in table)
    assert any(re.search(r"statements \| 10 \| 30 \| 3.00 \| machine instructions", row) for row in table)
    assert not any("atomics" in row for row in table)  # neither has seen one


def test_counters_and_their_documented_metrics_are_these():
    documented = dict(re.findall(r"^\| (\w+) \| (.+) \|$", counters.__doc__, re.M))
    for counter, parts in METRICS.items():
        assert hasattr(Counters(), counter)
        first, *others = parts
        if not counter.startswith("flops"):
            assert first in documented[counter]
        for metric in others:  # a sum of like ones names what tells them apart
            assert re.search(r"op_(\w+?)(_pred_on)?\.sum", metric)[1] in documented[counter]


def test_cases_are_sound():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 10
    for case in CASES:
        assert all(counter in METRICS for counter in case.known)
        found = simt.launch(case.kernel, case.grid, case.block, *case.arguments(np.copy)).counters
        assert found.global_load_requests > 0


@pytest.mark.skipif(gpu_present() and shutil.which("ncu") is not None, reason="this machine can compare")
def test_without_a_gpu_it_says_so():
    done = subprocess.run(
        [sys.executable, "-m", "kernels.simt.hardware"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Nothing to compare with" in done.stdout
