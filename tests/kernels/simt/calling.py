"""Calls an operation as the simulator does: types from Numba's CUDA inference, lanes from `arithmetic.find`."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numba import types
from numba.np.numpy_support import from_dtype

from kernels.backend import cuda
from kernels.simt import arithmetic

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")


@functools.cache
def signature_of(function: Any, *kinds: Any) -> Any:
    """The signature that Numba's CUDA target chooses for arguments of these types; None where it has none."""
    context = cuda.descriptor.cuda_target.typing_context
    context.refresh()
    return context.resolve_function_type(function, kinds, {})


def call(function: Any, *values: Any) -> Any:
    """What `function` gives on these lanes, its dtype checked against the signature."""
    signature = signature_of(function, *(from_dtype(value.dtype) for value in values))
    meaning = arithmetic.find(function, signature)
    assert meaning is not None, f"{function} {signature}"
    with np.errstate(all="ignore"):
        lanes = [
            arithmetic.cast(value, from_dtype(value.dtype), kind)
            for value, kind in zip(values, signature.args, strict=True)
        ]
        result = meaning.compute(*lanes)
    check_types(result, signature.return_type, np.shape(np.broadcast(*values)) if values else ())
    return result


def check_types(result: Any, kind: Any, shape: tuple[int, ...]) -> None:
    """Each result has the signature's dtype and the lanes' shape, and a number for all lanes is a NumPy scalar."""
    parts, kinds = (result, kind.types) if isinstance(kind, types.BaseTuple) else ((result,), (kind,))
    for part, own in zip(parts, kinds, strict=True):
        assert part.dtype == arithmetic.dtype_of(own)
        assert part.shape == shape
        assert isinstance(part, np.ndarray if shape else np.generic)


def lanes(dtype: Any, shape: Any = 7) -> st.SearchStrategy[np.ndarray]:
    """Arrays of any numbers of a dtype, its extremes often among them."""
    own = np.dtype(dtype)
    extremes: Iterable[Any]
    if own.kind in "iu":
        limits = np.iinfo(own)
        extremes = {
            limits.min,
            limits.max,
            limits.max - 1,
            0,
            1,
            2,
            31,
            32,
            limits.min + 1,
            max(-1, limits.min),
        }
    else:
        limits = np.finfo(own)
        extremes = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            2.5,
            np.inf,
            -np.inf,
            np.nan,
            limits.max,
            limits.tiny,
            limits.tiny / 8,
        ]
    return arrays.arrays(own, shape, elements=arrays.from_dtype(own) | st.sampled_from(sorted(extremes)))
