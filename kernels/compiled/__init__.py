"""What NVIDIA's compiler makes of a kernel, on any machine: no GPU is needed to read machine code.

Two compilers stand between a Python kernel and a GPU. Numba with *NVVM* writes **PTX**, an assembly language with
any number of registers (`nvvm.py`); *ptxas* turns it into the code of one architecture and says what that takes
(`ptxas.py`): registers a thread (too many, and fewer warps live on a multiprocessor), bytes *spilled* to memory because
registers ran out, and shared memory a block. The width of the loads is in the PTX, and so is the line of the source
that each instruction comes from (`ptx.py`): 16 bytes a lane (`ld.global.v4.f32`) keep memory busier than 4.

    found = inspect(kernel, (x, y, n))            # or types, or "void(float32[::1], float32[::1], int64)"
    found.registers, found.loads, found.lines[12]
    found.occupancy(256), found.occupancy(256, gpu="T4"), found.occupancies(256)

Both compilers come as Python wheels, 600 MB: the extra `compiler`. Without them `inspect` raises `CompilerMissing`.
"""

from kernels.compiled.inspection import Compiled, Occupancies, inspect
from kernels.compiled.missing import CompilerMissing

__all__ = ["Compiled", "CompilerMissing", "Occupancies", "inspect"]
