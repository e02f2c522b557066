"""Whether two results are the same, and if not, the first thing a reader should look at: type, shape, dtype, value.

Floating-point numbers are the same within a tolerance, because the order of a sum changes its last digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

ADDRESS = re.compile(r"( at)? 0x[0-9a-fA-F]+")  # of an object in memory: another one in every run
SHOWN = 6  # numbers of an array
SHARE = 40  # characters that each part of a tuple may have, however many there are

Found = tuple[str, ...]  # the way to a difference, and last what it is


def difference(expected: Any, got: Any, tolerance: float = 1e-6) -> str | None:
    """Says in a few words where and how `got` differs from `expected`; None when it does not.

    `tolerance` is relative for large numbers and absolute for small ones; NaN equals NaN. A plain number may come
    as int, float or NumPy scalar, a sequence as tuple or list, one of plain numbers as an array too; arrays and
    tensors must agree in type, shape, dtype. A subclass of Tensor, such as Parameter, is a Tensor.
    """
    found = _find(expected, got, tolerance)
    if found is None:
        return None
    *way, said = found
    return f"{', '.join(way)}: {said}" if way else said


def kind(value: Any) -> str:
    """What a value is, in the words of a message: "float32 Tensor of shape (2, 3)", "str", "nothing (None)"."""
    if value is None:
        return "nothing (None)"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype} {type(value).__name__} of shape {tuple(value.shape)}"
    return type(value).__name__


def brief(value: Any, limit: int = 120) -> str:
    """A value in one line of at most `limit` characters, the same in every run; parts of a tuple share them evenly."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and math.prod(value.shape) != 1:
        text = _numbers_in(value, limit)
    elif isinstance(value, list):
        text = f"[{_listed([('', part) for part in value], limit - 2)}]"
    elif isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""  # without it, ('sum') would be a string
        text = f"({_listed([('', part) for part in value], limit - 3)}{comma})"
    elif isinstance(value, Mapping):
        text = f"{{{_listed([(f'{key!r}: ', part) for key, part in value.items()], limit - 2)}}}"
    elif _is_number(value) or (hasattr(value, "item") and hasattr(value, "shape")):
        text = _rounded(value)
    elif callable(value) and hasattr(
        value, "__name__"
    ):  # a module can be called too, and says best itself what it is
        text = f"the function {value.__name__}"
    else:
        text = repr(value) if type(value).__repr__ is not object.__repr__ else type(value).__name__
        text = ADDRESS.sub("", " ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _numbers_in(array: Any, limit: int) -> str:
    """What an array is, and as many of its first numbers as there is room for."""
    numbers = [_rounded(number) for number in array.reshape(-1)[:SHOWN].tolist()]
    for count in range(len(numbers), -1, -1):
        dots = ["…"] * (math.prod(array.shape) > count)
        text = f"{kind(array)}: [{', '.join(numbers[:count] + dots)}]"
        if len(text) <= limit:
            break
    return text


def _listed(named: list[tuple[str, Any]], limit: int) -> str:
    """Parts in a row, each after its name; where they do not all fit, each is shortened."""
    text = ""
    for room in (limit, max(limit // max(len(named), 1) - 2, SHARE)):
        text = ", ".join(name + brief(part, room - len(name)) for name, part in named)
        if len(text) <= limit:
            break
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, np.bool_))


def _rounded(number: Any, digits: int = 6) -> str:
    number = number.item() if hasattr(number, "item") else number
    return f"{number:.{digits}g}" if isinstance(number, (float, complex)) else str(number)


def _apart(expected: Any, got: Any) -> str:
    """Two numbers that differ, with as many digits as it takes to see it."""
    for digits in range(6, 18):
        left, right = _rounded(expected, digits)[:SHARE], _rounded(got, digits)[:SHARE]
        if left != right:
            return f"expected {left}, got {right}"
    return "the values differ"


def _find(expected: Any, got: Any, tolerance: float) -> Found | None:
    if _is_number(expected):
        return _in_numbers(expected, got, tolerance)
    if hasattr(expected, "shape") and hasattr(expected, "dtype"):
        return _in_arrays(expected, got, tolerance)
    if isinstance(expected, (tuple, list)):
        return _in_sequences(expected, got, tolerance)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or set(got) != set(expected):
            return (f"expected a dictionary with {', '.join(map(repr, expected))}, got {kind(got)}",)
        pairs = ((key, _find(expected[key], got[key], tolerance)) for key in expected)
        return next(((repr(key), *found) for key, found in pairs if found), None)
    if type(got) is not type(expected):
        return (f"expected {kind(expected)}, got {kind(got)}",)
    if hasattr(expected, "state_dict"):
        return _find(dict(expected.state_dict()), dict(got.state_dict()), tolerance)
    if type(expected).__eq__ is object.__eq__ and not callable(expected):
        return None  # such objects only know who they are, not what they hold
    return None if got == expected else ("the values differ",)


def _in_sequences(expected: Any, got: Any, tolerance: float) -> Found | None:
    if all(map(_is_number, expected)) and getattr(got, "ndim", 0) == 1 and hasattr(got, "tolist"):
        got = got.tolist()  # an array of numbers is a sequence of them
    if not isinstance(got, (tuple, list)):
        return (f"expected {len(expected)} values, got {kind(got)}",)
    if len(got) != len(expected):
        return (f"expected {len(expected)} values, got {len(got)}",)
    pairs = ((i, _find(e, g, tolerance)) for i, (e, g) in enumerate(zip(expected, got, strict=True)))
    return next(((f"value {i}", *found) for i, found in pairs if found), None)


def _in_numbers(expected: Any, got: Any, tolerance: float) -> Found | None:
    if hasattr(got, "item") and math.prod(getattr(got, "shape", (2,))) == 1:
        got = got.item()  # a tensor or array that holds one number is that number
    is_bool = isinstance(expected, (bool, np.bool_))
    if not _is_number(got) or is_bool != isinstance(got, (bool, np.bool_)):
        return (f"expected {'True or False' if is_bool else 'a number'}, got {kind(got)}",)
    if expected == got or (expected != expected and got != got):
        return None
    exact = isinstance(expected, (int, np.integer)) and isinstance(got, (int, np.integer))  # counts
    try:
        close = math.isclose(float(expected), float(got), rel_tol=tolerance, abs_tol=tolerance * 1e-3)
    except OverflowError:  # an int too large for a float
        close = False
    return None if close and not exact else (_apart(expected, got),)


def _in_arrays(expected: Any, got: Any, tolerance: float) -> Found | None:
    same_form = (
        isinstance(got, type(expected))
        and tuple(got.shape) == tuple(expected.shape)
        and got.dtype == expected.dtype
    )
    if not same_form:
        return (f"expected a {kind(expected)}, got {kind(got)}",)
    left, right = _as_numpy(expected), _as_numpy(got)
    if left.dtype.kind in "fc":
        scale = float(np.max(np.abs(left[np.isfinite(left)]), initial=0.0))
        same = np.isclose(right, left, rtol=tolerance, atol=tolerance * max(scale, 1e-3), equal_nan=True)
    else:
        same = left == right
    if bool(np.all(same)):
        return None
    place = tuple(map(int, np.argwhere(~same)[0]))
    said = _apart(left[place], right[place])
    if same.size == 1:
        return (said,)
    return f"at {list(place)}", f"{said} ({int((~same).sum())} of {same.size} values differ)"


def _as_numpy(array: Any) -> np.ndarray[Any, Any]:
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        # half types are widened exactly; bfloat16 has no NumPy form at all
        array = (array.double() if array.is_floating_point() else array).numpy()
    return np.asarray(array)
