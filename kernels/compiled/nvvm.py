"""From a kernel to PTX: Numba's front end, then NVIDIA's NVVM.

Source: NVIDIA, numba-cuda documentation, "Compiling Python Functions for Use With Other Languages" (`cuda.compile`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kernels.backend import cuda
from kernels.compiled.missing import MEND, CompilerMissing
from kernels.driverless import as_if_on

KEPT = (
    "fastmath",
    "launch_bounds",
)  # options of @cuda.jit that change the code; ptxas is told of max_registers
WITHOUT_LIBRARY = ("NvvmSupportError", "DynamicLibNotFoundError")


def to_ptx(
    function: Callable[..., Any],
    signature: Any,
    arch: str,
    options: Mapping[str, Any],
    lineinfo: bool = False,
) -> str:
    """PTX of a plain function compiled as a kernel, with `.loc` directives if `lineinfo`.

    Raises CompilerMissing without NVVM, and Numba's own NumbaError where the kernel uses what CUDA does not have.
    """
    if getattr(cuda, "compile", None) is None:
        raise CompilerMissing(
            "Numba's CUDA simulator is on (NUMBA_ENABLE_CUDASIM) or numba-cuda is missing: no compiler"
        )
    kept = {name: options[name] for name in KEPT if options.get(name)}
    capability = divmod(int(arch.removeprefix("sm_")), 10)
    try:
        with as_if_on(capability):
            ptx, _ = cuda.compile(
                function,
                signature,
                cc=capability,
                device=False,
                abi="numba",
                output="ptx",
                lineinfo=lineinfo,
                **kept,
            )
    except Exception as error:
        if type(error).__name__ not in WITHOUT_LIBRARY:
            raise
        why = str(error).partition("\n")[0]
        raise CompilerMissing(
            f"NVIDIA's compiler libraries are missing ({why}). To mend it: {MEND}"
        ) from error
    return str(ptx)
