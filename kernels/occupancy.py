"""Occupancy: how full a kernel can keep a streaming multiprocessor (SM).

An SM hides the wait for memory by switching among the warps that live on it. How many can live there is bounded by four
things that a block takes as a whole: warp slots, block slots, registers and shared memory. The scarcest decides:

    blocks = min(warp slots / warps a block, block slots, registers / a block's, shared memory / a block's)
    occupancy = blocks · warps a block / warp slots

Registers are handed out by the warp, rounded up to 256, from four equal partitions of the SM; shared memory by the
block, rounded up to 128 bytes (256 on sm_75), after 1 KiB that the driver keeps for itself from sm_80 on.

Sources: NVIDIA, CUDA C++ Programming Guide, "Technical Specifications per Compute Capability" (the limits);
`cuda_occupancy.h` of the CUDA Toolkit (the rounding), to which a test holds this file.
"""

from dataclasses import dataclass

WARP = 32  # threads
REGISTERS = 65536  # of an SM, and the most a block may take
REGISTER_UNIT = 256  # allocated to a warp at a time
PARTITIONS = 4
MAX_BLOCK = 1024  # threads
MAX_REGISTERS = 255  # of a thread


@dataclass(frozen=True)
class Limits:
    """What one SM of an architecture can hold."""

    warps: int
    blocks: int
    shared_bytes: int
    shared_bytes_block: int  # the most one block can ask for
    shared_unit: int = 128
    shared_reserved: int = 1024  # of every block, by the driver


LIMITS = {
    "sm_75": Limits(32, 16, 64 << 10, 64 << 10, shared_unit=256, shared_reserved=0),  # Turing
    "sm_80": Limits(64, 32, 164 << 10, 163 << 10),  # Ampere: A100
    "sm_86": Limits(48, 16, 100 << 10, 99 << 10),  # Ampere: RTX 30
    "sm_89": Limits(48, 24, 100 << 10, 99 << 10),  # Ada
    "sm_90": Limits(64, 32, 228 << 10, 227 << 10),  # Hopper
}


class Occupancy(float):
    """Live warps over warp slots, between 0 (a block does not fit at all) and 1; knows what bounds it."""

    blocks: int  # on one SM
    threads: int  # on one SM
    limit: str  # "warps", "blocks", "registers" or "shared memory"

    def __new__(cls, value: float, blocks: int, threads: int, limit: str) -> "Occupancy":
        self = super().__new__(cls, value)
        self.blocks, self.threads, self.limit = blocks, threads, limit
        return self

    def __repr__(self) -> str:
        return f"{float(self):.0%}: {self.threads} threads in {self.blocks} blocks an SM, limited by {self.limit}"


def occupancy(arch: str, block: int, registers: int, shared_bytes: int) -> Occupancy:
    """Occupancy of blocks of `block` threads with so many registers a thread and bytes of shared memory a block.

    Raises ValueError for an architecture that is not in `LIMITS` or a block of no or more than 1024 threads.
    """
    sm = limits(arch)
    if not isinstance(block, int) or not 1 <= block <= MAX_BLOCK:
        raise ValueError(f"block: expected 1 to {MAX_BLOCK} threads, got {block!r}")
    warps = -(-block // WARP)
    fit = {
        "warps": sm.warps // warps,
        "blocks": sm.blocks,
        "registers": _by_registers(warps, registers),
        "shared memory": _by_shared_memory(sm, shared_bytes),
    }
    limit = min(fit, key=lambda name: fit[name])
    blocks = fit[limit]
    return Occupancy(blocks * warps / sm.warps, blocks, blocks * block, limit)


def limits(arch: str) -> Limits:
    """The limits of an architecture; ValueError naming the known ones for any other."""
    if arch not in LIMITS:
        raise ValueError(f"arch: expected one of {', '.join(LIMITS)}, got {arch!r}")
    return LIMITS[arch]


def _by_registers(warps: int, registers: int) -> int:
    warp = _round_up(max(registers, 1) * WARP, REGISTER_UNIT)
    # a launch is checked as if its warps filled all partitions alike
    if registers > MAX_REGISTERS or warp * _round_up(warps, PARTITIONS) > REGISTERS:
        return 0
    return REGISTERS // PARTITIONS // warp * PARTITIONS // warps


def _by_shared_memory(sm: Limits, shared_bytes: int) -> int:
    block = _round_up(shared_bytes + sm.shared_reserved, sm.shared_unit)
    if block > sm.shared_bytes_block + sm.shared_reserved:
        return 0
    return sm.shared_bytes // block if block else sm.blocks


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
