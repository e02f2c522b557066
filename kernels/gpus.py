"""What NVIDIA publishes about its GPUs: the limits that an estimate of a kernel's time stands on.

A GPU is a number of streaming multiprocessors (SMs) around one level-2 cache and one memory. What an SM can do in a
clock depends on its architecture alone; clock, number of SMs and memory are those of the board:

    peak FP32 = 2 (a fused multiply-add counts two) · lanes an SM · SMs · boost clock

Clocks are *boost* clocks, those that the published peaks assume; under load a GPU may run slower, never much faster.
What NVIDIA does not say is None, never a guess.

Sources of the architectures (in brackets at each number where they differ):
[guide] CUDA C++ Programming Guide, "Arithmetic Instructions", table of throughputs, results per clock and SM: FP32 and
FP64 add, multiply, multiply-add; "reciprocal, rsqrt, log2, exp2, sin, cos" for the special function units. "Compute
Capabilities": 4 warp schedulers an SM, each issues an instruction a clock; shared memory of 32 banks, 4 bytes a clock.
[GA102] NVIDIA Ampere GA102 GPU Architecture, "Larger and Faster Unified Shared Memory and L1 Data Cache": 128 bytes a
clock and SM, twice Turing's 64. Luo et al., arXiv 2402.13499, table V, measured 107 to 124 of 128 on sm_80, 89 and 90.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.occupancy import LIMITS, Limits, limits

SECTOR = 32  # bytes: what a cache or the memory serves at a time
WAVEFRONT = 128  # bytes: 32 banks of 4, one pass over shared memory
MIB = 1 << 20


@dataclass(frozen=True)
class Rates:
    """What one SM of an architecture does in a clock, at most."""

    fp32: int  # results; a fused multiply-add is one
    fp64: int
    special: int  # results of the special function units
    cache_bytes: int  # through the L1 data cache and shared memory, which are one memory with one way out
    schedulers: int = 4  # warp instructions issued


RATES = {
    "sm_75": Rates(fp32=64, fp64=2, special=16, cache_bytes=64),
    "sm_80": Rates(fp32=64, fp64=32, special=16, cache_bytes=128),
    "sm_86": Rates(fp32=128, fp64=2, special=16, cache_bytes=128),
    "sm_89": Rates(fp32=128, fp64=2, special=16, cache_bytes=128),
    "sm_90": Rates(fp32=128, fp64=64, special=16, cache_bytes=128),
}


@dataclass(frozen=True)
class GPU:
    """A board: its architecture, its SMs and its memory."""

    name: str
    arch: str
    sms: int
    boost_hz: float
    memory_bandwidth: float  # bytes/s
    l2_bytes: int | None = None
    l2_bytes_per_clock: int | None = None  # read, of the whole GPU
    source: str = ""

    @property
    def rates(self) -> Rates:
        """What one of its SMs does in a clock."""
        return RATES[self.arch]

    @property
    def limits(self) -> Limits:
        """What one of its SMs can hold."""
        return limits(self.arch)

    @property
    def peak_fp32(self) -> float:
        """FLOP/s in single precision, a fused multiply-add counting two."""
        return 2 * self.rates.fp32 * self.sms * self.boost_hz

    @property
    def peak_fp64(self) -> float:
        """FLOP/s in double precision."""
        return 2 * self.rates.fp64 * self.sms * self.boost_hz

    @property
    def l2_bandwidth(self) -> float | None:
        """Bytes/s that the level-2 cache delivers to all SMs together, where it is published."""
        return None if self.l2_bytes_per_clock is None else self.l2_bytes_per_clock * self.boost_hz


TURING = "NVIDIA Turing GPU Architecture (WP-09183-001), appendix A (2080 Ti, Founders Edition) and B (T4)"
A100 = "NVIDIA A100 Tensor Core GPU Architecture, table 4; L2 read bandwidth: p. 35"
A100_80 = f"{A100}; memory: NVIDIA A100 80GB datasheet, SXM"
H100 = "NVIDIA H100 Tensor Core GPU Architecture v1.04, table of H100 SXM5; memory: H100 datasheet"
H200 = "NVIDIA H200 datasheet (4.8 TB/s, 67 TFLOP/s in FP32, so the clock); 132 SMs: as H100 SXM5"
GA102 = "NVIDIA Ampere GA102 GPU Architecture v2.0, appendix A (GeForce RTX 3090)"
ADA = "NVIDIA Ada GPU Architecture, appendix A (GeForce RTX 4090)"
L4 = "NVIDIA L4 datasheet (300 GB/s, 30.3 TFLOP/s in FP32) and product brief (7424 cores, 2040 MHz)"
L40S = "NVIDIA L40S datasheet (18,176 cores, 864 GB/s, 91.6 TFLOP/s in FP32, so the clock)"
LAPTOP = "nvidia.com, GeForce laptops compared: 3072 cores, boost 1470-2370 MHz by power; 128 bit of 16 Gbit/s GDDR6"

GPUS = {
    gpu.name: gpu
    for gpu in (
        GPU("T4", "sm_75", 40, 1590e6, 320e9, 4096 << 10, source=TURING),
        GPU("RTX 2080 Ti", "sm_75", 68, 1635e6, 616e9, 5632 << 10, source=TURING),
        GPU("A100", "sm_80", 108, 1410e6, 1555e9, 40 * MIB, 5120, source=A100),  # 40 GB
        GPU("A100 80GB", "sm_80", 108, 1410e6, 2039e9, 40 * MIB, 5120, source=A100_80),
        GPU("RTX 3090", "sm_86", 82, 1695e6, 936e9, 6144 << 10, source=GA102),
        GPU("RTX 4090", "sm_89", 128, 2520e6, 1008e9, 72 * MIB, source=ADA),
        GPU("RTX 4060 Laptop", "sm_89", 24, 2370e6, 256e9, source=LAPTOP),
        GPU("L4", "sm_89", 58, 2040e6, 300e9, source=L4),
        GPU("L40S", "sm_89", 142, 2520e6, 864e9, source=L40S),
        GPU("H100", "sm_90", 132, 1980e6, 3.35e12, 50 * MIB, source=H100),  # SXM5, 80 GB
        GPU("H200", "sm_90", 132, 1980e6, 4.8e12, source=H200),
    )
}


def find(gpu: str | GPU) -> GPU:
    """The GPU of that name; a GPU of your own passes as it is. ValueError naming the known ones for any other."""
    if isinstance(gpu, GPU):
        return gpu
    if gpu not in GPUS:
        raise ValueError(f"gpu: expected one of {', '.join(GPUS)}, got {gpu!r}")
    return GPUS[gpu]


def architecture(name: str) -> str:
    """The architecture that is meant: of a GPU by name ("T4": "sm_75"), or itself. ValueError for any other."""
    if name in LIMITS:
        return name
    if name in GPUS:
        return GPUS[name].arch
    raise ValueError(
        f"arch: expected an architecture ({', '.join(LIMITS)}) or a GPU ({', '.join(GPUS)}), got {name!r}"
    )
