"""The two speeds of a machine: how fast it moves bytes and how fast it computes.

A call that moves B bytes and does F floating-point operations takes at least max(B / bandwidth, F / peak) seconds: the
roofline (S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52(4), 2009). The two speeds meet at the *ridge*,
peak / bandwidth FLOPs a byte: work below it is bound by memory, work above it by arithmetic.

Both speeds are measured, none is read from a data sheet. Bandwidth is a copy between arrays too large for the last
cache, counting bytes read plus bytes written. Peak is a float32 matrix product. Each is the best of many rounds by
processor time, since a busy machine can only make things slower (wall clock once gave a third of the true FLOP/s).
A program seen above its roof means that the roof is too low, not that the program is better than possible.
"""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from workbench.profiling.clock import cores, thread_count
from workbench.profiling.timing import CPU_SHARE_NEEDED

LARGE_CACHE = 64 << 20  # bytes; taken where the system does not tell
MATRIX_SIZE = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Machine:
    """A processor with its measured speeds."""

    name: str
    device: str
    cores: int  # of the CPU; a GPU's multiprocessors
    threads: int  # used in the measurement
    memory_bytes: int
    copy_bandwidth: float  # bytes/s, read plus written
    flops: float  # float32 FLOP/s of a matrix product
    cpu_share: float  # processor time we got / processor time we asked for
    gpu: Machine | None = None

    @property
    def ridge(self) -> float:
        """FLOPs a byte at which moving and computing take equally long."""
        return self.flops / self.copy_bandwidth

    @property
    def trusted(self) -> bool:
        """Whether we were given the processor while measuring."""
        return self.device != "cpu" or self.cpu_share >= CPU_SHARE_NEEDED

    def bound(self, flops: float, bytes: float) -> tuple[float, str]:
        """The least seconds that so many FLOPs and bytes take here, and whether "memory" or "compute" sets them."""
        if flops < 0 or bytes < 0:
            raise ValueError(f"flops, bytes: expected counts of at least 0, got {flops} and {bytes}")
        moving, computing = bytes / self.copy_bandwidth, flops / self.flops
        return (moving, "memory") if moving >= computing else (computing, "compute")

    def __str__(self) -> str:
        units = (
            f"{self.cores} cores, {self.threads} used"
            if self.device == "cpu"
            else f"{self.cores} multiprocessors"
        )
        share = f", CPU share {self.cpu_share:.2f}" if self.device == "cpu" else ""
        trust = "" if self.trusted else ", UNTRUSTED: another program is running"
        return (
            f"{self.name} ({units}, {self.memory_bytes / 2**30:.0f} GiB): copies {self.copy_bandwidth / 1e9:.3g} GB/s, "
            f"computes {self.flops / 1e9:.3g} GFLOP/s, ridge {self.ridge:.3g} FLOP/byte{share}{trust}"
        )


def measure(seconds: float = 2.0, threads: int | None = None, device: str | torch.device = "cpu") -> Machine:
    """Measure a machine's speeds in about `seconds`, on `threads` threads (torch's setting when None).

    `device="cpu"` measures a CUDA GPU as well where there is one, as `.gpu`. Measure once and keep the result:
    nothing is cached here. Raises ValueError for a time that is not positive or fewer threads than one.
    """
    if not seconds > 0:
        raise ValueError(f"seconds: expected a positive time, got {seconds!r}")
    threads = torch.get_num_threads() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    device = torch.device(device)
    with thread_count(threads):
        copy, product = (
            _best(work, amount, seconds / 2, device, threads)
            for work, amount in (_copy(device), _matrix_product(device))
        )
    name, units, memory = _gpu(device) if device.type == "cuda" else _cpu()
    return Machine(
        name=name,
        device=str(device),
        cores=units,
        threads=threads,
        memory_bytes=memory,
        copy_bandwidth=copy.rate,
        flops=product.rate,
        cpu_share=min(1.0, (copy.cpu + product.cpu) / (copy.wall + product.wall) / threads),
        gpu=measure(seconds, threads, "cuda") if device.type == "cpu" and torch.cuda.is_available() else None,
    )


@dataclass(frozen=True)
class _Rate:
    rate: float  # of the fastest round, a second
    cpu: float  # processor seconds of all rounds
    wall: float


def _best(
    work: Callable[[], object], amount: float, seconds: float, device: torch.device, threads: int
) -> _Rate:
    """The best rate at which rounds of `work` do their `amount`."""
    work()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    best, rounds = float("inf"), 0
    while rounds < 3 or time.perf_counter() - begin < seconds:
        best, rounds = min(best, _round(work, device, threads)), rounds + 1
    return _Rate(amount / best, time.process_time() - begin_cpu, time.perf_counter() - begin)


def _round(work: Callable[[], object], device: torch.device, threads: int) -> float:
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record(torch.cuda.current_stream(device))
        work()
        end.record(torch.cuda.current_stream(device))
        torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1000
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / threads  # the threads share the work evenly


def _copy(device: torch.device) -> tuple[Callable[[], object], float]:
    """A copy, and the bytes it reads and writes."""
    if device.type == "cuda":
        size = 1 << 30  # the largest last-level caches of GPUs hold 128 MB
    else:
        size = min(max(4 * _last_cache_bytes(), 64 << 20), psutil.virtual_memory().available // 8)
    # ones, not zeros: memory that was never written reads as one shared page, which stays in the cache
    source = torch.ones(size // 4, device=device)
    target = torch.ones_like(source)
    return lambda: target.copy_(source), 2 * source.nbytes


def _matrix_product(device: torch.device) -> tuple[Callable[[], object], float]:
    """A float32 matrix product, and its FLOPs."""
    n = MATRIX_SIZE[device.type]
    a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
    product = torch.empty(n, n, device=device)
    return lambda: torch.mm(a, b, out=product), 2.0 * n**3


def _cpu() -> tuple[str, int, int]:
    return _cpu_name(), cores(), psutil.virtual_memory().total


def _gpu(device: torch.device) -> tuple[str, int, int]:
    properties = torch.cuda.get_device_properties(device)
    return properties.name, properties.multi_processor_count, properties.total_memory


def _cpu_name() -> str:
    if platform.system() == "Darwin":
        return _sysctl("machdep.cpu.brand_string") or platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or an ARM core that does not tell
        return platform.processor() or platform.machine()


def _last_cache_bytes() -> int:
    """The largest cache of the first core; a generous guess where the system does not tell."""
    if platform.system() == "Darwin":
        sizes = [
            int(_sysctl(key) or 0)
            for key in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")
        ]
    else:
        files = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
        sizes = [int(file.read_text().strip().removesuffix("K")) * 1024 for file in files]
    return max(sizes, default=0) or LARGE_CACHE


def _sysctl(key: str) -> str:
    answer = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
