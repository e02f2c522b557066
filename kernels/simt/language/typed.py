"""What every name and expression of a kernel is, as Numba's CUDA compiler sees it, on a machine without a GPU.

The type rules of CUDA in Numba are not NumPy's: `x[i] * 2.0` with float32 x is float64, `acc = 0.0` is float64
whatever is added to it, int32 + int32 is int64. A simulator with rules of its own would teach the wrong ones, so it
takes them from the compiler: Numba's pipeline runs up to the point where it would generate code, and hands out what
it has by then, the *typed intermediate representation*: basic blocks of single steps, numbered in the order of the
source, with a type for each variable and a signature for each call. Device functions are inlined on the way.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.core.errors import NumbaError
from numba.core.target_extension import target_override

from kernels.backend import cuda
from kernels.driverless import as_if_on
from kernels.simt.language.refusals import recursive, refused

COMPUTE_CAPABILITY = (9, 0)  # types are the same for all


class KernelTypeError(TypeError):
    """Numba cannot give every name of a kernel one type; the message is Numba's own."""


@dataclass(frozen=True, repr=False)
class Typed:
    """A kernel's blocks of steps by number, the type of each of their variables, and the signature of each call."""

    name: str
    arguments: tuple[str, ...]
    blocks: Mapping[int, Any]  # number -> numba's ir.Block
    types: Mapping[str, Any]  # variable of a block -> its type; "acc.2" is a version of the source's "acc"
    signatures: Mapping[Any, Any]  # expression -> the signature that was chosen for it

    def __getitem__(self, name: str) -> Any:
        """The type of a name of the source; one that different branches give different types has that of them all.

        Raises KeyError when the kernel has no such name.
        """
        versions = {kind for variable, kind in self.types.items() if variable.partition(".")[0] == name}
        versions = {kind.literal_type if isinstance(kind, types.Literal) else kind for kind in versions}
        if not versions:
            raise KeyError(f"{self.name} has no variable {name!r}")
        return versions.pop() if len(versions) == 1 else tuple(sorted(versions, key=str))


def typed(kernel: Callable[..., Any], *arguments: Any) -> Typed:
    """Types `kernel`, an `@cuda.jit` function or its Python function, for these arguments or Numba types.

    Raises KernelTypeError when Numba cannot, TypeError naming the argument that has no type on a GPU, and for another
    number of arguments than the kernel takes.
    """
    function = getattr(kernel, "py_func", kernel)
    kinds = tuple(type_of(name, value) for name, value in arguments_of(function, arguments).items())
    return _typed(function, kinds)


def arguments_of(function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Arguments by the names of the function's parameters; TypeError for another number than it takes."""
    names = tuple(inspect.signature(function).parameters)
    if len(arguments) != len(names):
        raise TypeError(
            f"arguments: {function.__name__} takes {len(names)} ({', '.join(names)}), got {len(arguments)}"
        )
    return dict(zip(names, arguments, strict=True))


def type_of(name: str, value: Any) -> Any:
    """The Numba type of an argument: an array of NumPy or torch, a number, None, a tuple of these, or a Numba type."""
    if isinstance(value, types.Type):
        return value
    if value is None:
        return types.none
    if isinstance(value, tuple):
        named = type(value) if hasattr(value, "_fields") else None
        items = [type_of(f"{name}[{place}]", item) for place, item in enumerate(value)]
        return types.BaseTuple.from_types(items, named)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return numba.typeof(value)
    raise TypeError(
        f"{name}: expected an array, a tensor, a number or a tuple of these, got {type(value).__name__}"
    )


@functools.cache
def _typed(function: Callable[..., Any], kinds: tuple[Any, ...]) -> Typed:
    itself = recursive(function)
    if itself is not None:
        raise KernelTypeError(
            f"{function.__name__}: the device function {itself} calls itself, so it cannot be inlined; write a loop"
        )
    compiler, target = _compiler(), cuda.descriptor.cuda_target
    flags = cuda.compiler.CUDAFlags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.compute_capability = COMPUTE_CAPABILITY
    try:
        with as_if_on(COMPUTE_CAPABILITY), target_override("cuda"):
            cuda.compiler.compile_extra(
                target.typing_context, target.target_context, function, kinds, types.void, flags, {},
                pipeline_class=compiler,
            )  # fmt: skip
    except NumbaError as error:
        raise KernelTypeError(refused(function) or f"{function.__name__}{_shown(kinds)}: {error}") from None
    except (RuntimeError, NotImplementedError) as error:
        # more than Numba expects: code that nothing leads to, as after an endless loop; `*arguments`
        raise KernelTypeError(
            refused(function) or f"{function.__name__}: Numba cannot compile it: {error}"
        ) from None
    except _HandedOut as found:
        state = found.state
    names = tuple(inspect.signature(function).parameters)
    return Typed(function.__name__, names, state.func_ir.blocks, state.typemap, state.calltypes)


class _HandedOut(Exception):
    """Ends a compilation where types are known and code is not yet; no error, so none of Numba's."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.state = state


@functools.cache
def _compiler() -> type:
    """Numba's compiler for CUDA with its back end replaced by a pass that hands out what there is."""
    compiler: Any = cuda.compiler
    # the machinery that this compiler itself is built on: numba-cuda's own, or Numba's where there is no wheel
    machinery: Any = importlib.import_module(compiler.PassManager.__module__)

    @machinery.register_pass(mutates_CFG=False, analysis_only=True)
    class HandOut(machinery.FunctionPass):
        _name = "hand_out_types"

        def __init__(self) -> None:
            machinery.FunctionPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            raise _HandedOut(state)

    class TypesOnly(compiler.CUDACompiler):
        def define_pipelines(self) -> Any:
            (pipeline,) = super().define_pipelines()
            for place, (step, text) in enumerate(pipeline.passes):
                if step.__name__ == "InlineInlinables":
                    pipeline.passes.insert(place + 1, (_inline_device_functions(machinery, step), text))
                    break
            pipeline.finalize()
            return [pipeline]

        def define_cuda_lowering_pipeline(self, state: Any) -> Any:
            passes = machinery.PassManager("types only")
            passes.add_pass(compiler.IRLegalization, "make the representation legal")
            passes.add_pass(HandOut, "hand out the types")
            passes.finalize()
            return passes

    return TypesOnly


@functools.cache
def _inline_device_functions(machinery: Any, inline: Any) -> type:
    """A pass like Numba's own `inline`, which takes in every device function, not only those declared inline."""
    tools: Any = importlib.import_module(inline.__module__)

    @machinery.register_pass(mutates_CFG=True, analysis_only=False)
    class InlineDeviceFunctions(inline):
        _name = "inline_device_functions"

        def _do_work(self, state: Any, work: Any, block: Any, place: int, call: Any, worker: Any) -> bool:
            definition = tools.guard(state.func_ir.get_definition, call.func)
            if getattr(definition, "op", None) == "getattr":
                callee = tools.resolve_func_from_module(state.func_ir, definition)
            elif type(definition).__name__ in ("Global", "FreeVar", "Const"):
                callee = definition.value
            else:
                return False
            if not getattr(callee, "targetoptions", {}).get("device"):
                return False
            *_, new_blocks = worker.inline_function(state.func_ir, block, place, callee.py_func)
            work += new_blocks
            return True

    return InlineDeviceFunctions


def _shown(kinds: Iterable[Any]) -> str:
    return f"({', '.join(map(str, kinds))})"
