"""Whether two results are the same, and if not, the first thing a reader should look at: type, shape, dtype, value.

Floating-point numbers are the same within a tolerance, because the order of a sum changes its last digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np


def difference(expected: Any, got: Any, tolerance: float = 1e-6) -> str | None:
    """Says in a few words how `got` differs from `expected`; None when it does not.

    `tolerance` is relative for large numbers and absolute for small ones; NaN equals NaN. A plain number may come
    as int, float or NumPy scalar, a sequence as tuple or list; arrays and tensors must agree in type, shape, dtype.
    """
    if _is_number(expected):
        return _numbers(expected, got, tolerance)
    if hasattr(expected, "shape") and hasattr(expected, "dtype"):
        return _arrays(expected, got, tolerance)
    if isinstance(expected, (tuple, list)):
        if not isinstance(got, (tuple, list)):
            return f"expected {len(expected)} values, got {kind(got)}"
        if len(got) != len(expected):
            return f"expected {len(expected)} values, got {len(got)}"
        pairs = enumerate(zip(expected, got, strict=True))
        return next(
            (f"value {i}: {said}" for i, (e, g) in pairs if (said := difference(e, g, tolerance))), None
        )
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or set(got) != set(expected):
            names = ", ".join(map(repr, expected))
            return f"expected a dictionary with {names}, got {kind(got)}"
        pairs_by_name = ((key, difference(expected[key], got[key], tolerance)) for key in expected)
        return next((f"{key!r}: {said}" for key, said in pairs_by_name if said), None)
    if type(got) is not type(expected):
        return f"expected {kind(expected)}, got {kind(got)}"
    if hasattr(expected, "state_dict"):
        return difference(dict(expected.state_dict()), dict(got.state_dict()), tolerance)
    if type(expected).__eq__ is object.__eq__ and not callable(expected):
        return None  # such objects only know who they are, not what they hold
    return None if got == expected else "the values differ"


def kind(value: Any) -> str:
    """What a value is, in the words of a message: "float32 Tensor of shape (2, 3)", "str", "nothing (None)"."""
    if value is None:
        return "nothing (None)"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype} {type(value).__name__} of shape {tuple(value.shape)}"
    return type(value).__name__


def brief(value: Any, limit: int = 120) -> str:
    """A value in one line of at most `limit` characters, the same in every run."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and math.prod(value.shape) != 1:
        flat = [_rounded(number) for number in value.reshape(-1)[:6].tolist()]
        dots = ", …" if math.prod(value.shape) > 6 else ""
        text = f"{kind(value)}: [{', '.join(flat)}{dots}]"
    elif isinstance(value, (tuple, list)):
        inner = ", ".join(brief(part, limit) for part in value)
        text = f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    elif _is_number(value) or (hasattr(value, "item") and hasattr(value, "shape")):
        text = _rounded(value.item() if hasattr(value, "item") else value)
    elif callable(value) and hasattr(
        value, "__name__"
    ):  # a module can be called too, and says best itself what it is
        text = f"the function {value.__name__}"
    else:
        text = repr(value) if type(value).__repr__ is not object.__repr__ else type(value).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, np.bool_))


def _rounded(number: Any) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _numbers(expected: Any, got: Any, tolerance: float) -> str | None:
    if hasattr(got, "item") and math.prod(getattr(got, "shape", (2,))) == 1:
        got = got.item()  # a tensor or array that holds one number is that number
    if not _is_number(got) or isinstance(expected, (bool, np.bool_)) != isinstance(got, (bool, np.bool_)):
        return f"expected {'True or False' if isinstance(expected, (bool, np.bool_)) else 'a number'}, got {kind(got)}"
    if expected == got or (expected != expected and got != got):
        return None
    if isinstance(expected, (int, np.integer)) and isinstance(got, (int, np.integer)):
        return "the values differ"  # counts are exact
    try:
        close = math.isclose(float(expected), float(got), rel_tol=tolerance, abs_tol=tolerance * 1e-3)
    except OverflowError:  # an int too large for a float
        close = False
    return None if close else "the values differ"


def _arrays(expected: Any, got: Any, tolerance: float) -> str | None:
    same_form = (
        type(got) is type(expected)
        and tuple(got.shape) == tuple(expected.shape)
        and got.dtype == expected.dtype
    )
    if not same_form:
        return f"expected a {kind(expected)}, got {kind(got)}"
    left, right = _as_numpy(expected), _as_numpy(got)
    if left.dtype.kind not in "fc":
        return None if np.array_equal(left, right) else "the values differ"
    scale = float(np.max(np.abs(left[np.isfinite(left)]), initial=0.0))
    close = np.isclose(right, left, rtol=tolerance, atol=tolerance * max(scale, 1e-3), equal_nan=True)
    return None if bool(close.all()) else f"{int((~close).sum())} of {close.size} values differ"


def _as_numpy(array: Any) -> np.ndarray[Any, Any]:
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        # half types are widened exactly; bfloat16 has no NumPy form at all
        array = (array.double() if array.is_floating_point() else array).numpy()
    return np.asarray(array)
