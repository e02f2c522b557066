"""A program's kernels as NVIDIA's profiler counts them: Nsight Compute, its command line `ncu`, its CSV.

The profiler runs each kernel several times over, restores memory in between, and prints a line for each kernel and
metric. Source: NVIDIA, Nsight Compute CLI, "Metric Collection", "Console Output" (`--csv`), and its table "nvprof
Metric Comparison" for which metric means what.
"""

import csv
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

GLOBAL = "l1tex__t_{}_pipe_lsu_mem_global_op_{}.sum"
WAVEFRONTS = "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_{}.sum"
CONFLICTS = "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_{}.sum"
THREADS = "smsp__sass_thread_inst_executed_op_{}_pred_on.sum"
OPERATIONS = {"fadd": 1, "fmul": 1, "ffma": 2, "dadd": 1, "dmul": 1, "dfma": 2}  # FLOPs of each

# counter -> the metrics that make it up, each with its factor
METRICS: dict[str, dict[str, float]] = {
    "global_load_requests": {GLOBAL.format("requests", "ld"): 1},
    "global_load_sectors": {GLOBAL.format("sectors", "ld"): 1},
    "global_store_requests": {GLOBAL.format("requests", "st"): 1},
    "global_store_sectors": {GLOBAL.format("sectors", "st"): 1},
    "shared_load_requests": {"smsp__inst_executed_op_shared_ld.sum": 1},
    "shared_store_requests": {"smsp__inst_executed_op_shared_st.sum": 1},
    "shared_load_wavefronts": {WAVEFRONTS.format("ld"): 1},
    "shared_store_wavefronts": {WAVEFRONTS.format("st"): 1},
    "shared_bank_conflicts": {CONFLICTS.format("ld"): 1, CONFLICTS.format("st"): 1},
    "atomics": {
        GLOBAL.format("requests", "atom"): 1,
        GLOBAL.format("requests", "red"): 1,
        "smsp__inst_executed_op_shared_atom.sum": 1,
    },
    "branches": {"smsp__sass_branch_targets.sum": 1},
    "divergent_branches": {"smsp__sass_branch_targets_threads_divergent.sum": 1},
    "warp_efficiency": {"smsp__thread_inst_executed_per_inst_executed.ratio": 1 / 32},
    "statements": {"smsp__inst_executed.sum": 1},
    "flops": {THREADS.format(name): factor for name, factor in OPERATIONS.items()},
    "flops64": {THREADS.format(name): factor for name, factor in OPERATIONS.items() if name.startswith("d")},
}

Counts = dict[
    str, float | None
]  # counter -> what the hardware counted; None where this chip has no such metric


class ProfilerFailed(RuntimeError):
    """The profiler ran and did not count; the message is its own."""


def profile(ncu: str, command: Sequence[str], kernels: Sequence[str]) -> list[Counts]:
    """Run a command that launches these kernels in this order; returns what the profiler counted of each launch.

    Raises ProfilerFailed when it has not counted all: most often it has to be allowed to (ERR_NVGPUCTRPERM).
    """
    metrics = dict.fromkeys(metric for parts in METRICS.values() for metric in parts)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.csv")
        options = [
            "--csv",
            "--print-units",
            "base",
            "--log-file",
            str(report),
            "--metrics",
            ",".join(metrics),
        ]
        done = subprocess.run(
            [ncu, *options, *command],
            env=os.environ | {"LC_ALL": "C"},  # numbers as 1,234.5
            capture_output=True,
            text=True,
            check=False,
        )
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    counts = read(text, kernels)
    if len(counts) < len(kernels):
        raise ProfilerFailed((text + done.stdout + done.stderr).strip())
    return counts


def read(text: str, kernels: Sequence[str]) -> list[Counts]:
    """The profiler's CSV, a launch at a time, of the launches of these kernels in this order.

    What stands before the CSV and launches of other kernels are passed over; names may be mangled or decorated.
    """
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    launches: dict[str, tuple[str, dict[str, float]]] = {}  # number of the launch -> its kernel, its metrics
    for row in csv.DictReader(lines[start:]):
        _, metrics = launches.setdefault(row["ID"], (row["Kernel Name"], {}))
        value = (row["Metric Value"] or "").replace(",", "")
        if value.replace(".", "", 1).isdigit():  # "n/a" for what this chip does not count
            metrics[row["Metric Name"]] = float(value)
    found: list[Counts] = []
    for name, metrics in launches.values():
        if len(found) < len(kernels) and kernels[len(found)] in name:
            found.append({counter: _sum(parts, metrics) for counter, parts in METRICS.items()})
    return found


def _sum(parts: dict[str, float], values: dict[str, float]) -> float | None:
    if any(metric not in values for metric in parts):
        return None
    return sum(factor * values[metric] for metric, factor in parts.items())
