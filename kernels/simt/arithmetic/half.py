"""float16: the functions of `cuda.fp16`.

Half-precision units compute as if exactly and round once. NumPy gets the same through float32, which has more than
twice as many bits and so never spoils the second rounding; a fused multiply-add goes through float64.

Endings: `_sat` clamps to [0, 1], nan to 0; `_relu` clamps below at 0, nan stays; `_rn` only forbids fusion; a `u` after
a comparison makes it true where a nan takes part. hmin and hmax ignore a nan, with `_nan` they keep it.

Source: NVIDIA, CUDA Math API, "Half Precision Intrinsics"; S. A. Figueroa, When is double rounding innocuous?, ACM
SIGNUM Newsletter 30(3), 1995.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.backend import cuda
from kernels.simt.arithmetic.conversions import conversion
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning
from kernels.simt.lanes import Number

ARITHMETIC: dict[str, tuple[Callable[..., Number], int]] = {
    "hadd": (np.add, 1), "hsub": (np.subtract, 1), "hmul": (np.multiply, 1), "hdiv": (np.true_divide, 1),
    "hfma": (lambda a, b, c: (a.astype(np.float64) * b + c).astype(np.float16), 2), "habs": (np.absolute, 0),
    "hneg": (np.negative, 0), "hmax": (np.fmax, 0), "hmin": (np.fmin, 0), "hmax_nan": (np.maximum, 0),
    "hmin_nan": (np.minimum, 0), "hceil": (np.ceil, 0), "hfloor": (np.floor, 0), "htrunc": (np.trunc, 0),
    "hrint": (np.rint, 0), "hrcp": (np.reciprocal, 1), "hisnan": (np.isnan, 0),
    # 1 for inf, −1 for −inf
    "hisinf": (lambda x: np.where(np.isinf(x), np.sign(np.nan_to_num(x)), 0), 0),
}  # fmt: skip
TRANSCENDENTAL: dict[str, Callable[..., Number]] = {
    "hcos": np.cos, "hexp": np.exp, "hexp10": lambda x: np.power(np.float32(10), x), "hexp2": np.exp2, "hlog": np.log,
    "hlog10": np.log10, "hlog2": np.log2, "hrsqrt": lambda x: 1 / np.sqrt(x.astype(np.float32)), "hsin": np.sin,
    "hsqrt": np.sqrt, "htanh": np.tanh, "htanh_approx": np.tanh,
}  # fmt: skip
COMPARISONS = {
    "heq": np.equal, "hne": np.not_equal, "hlt": np.less, "hle": np.less_equal, "hgt": np.greater,
    "hge": np.greater_equal,
}  # fmt: skip
ENDINGS: dict[str, Callable[[Number], Number]] = {
    "_rn": lambda x: x,
    "_sat": lambda x: np.fmin(np.fmax(x, np.float16(0)), np.float16(1)),
    "_relu": lambda x: np.maximum(x, np.float16(0)),
}


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of a function of `cuda.fp16` on numbers; None for anything else."""
    name = getattr(function, "__name__", "")
    if getattr(cuda.fp16, name, None) is not function or dtypes(signature) is None:
        return None
    return _named(name.lstrip("_"), signature)


def _named(name: str, signature: Any) -> Meaning | None:
    base, ending = re.fullmatch(r"(\w+?)(_rn|_sat|_relu)?", name).groups()  # type: ignore[union-attr]
    if base in TRANSCENDENTAL:
        return Meaning(returning(TRANSCENDENTAL[base], signature), transcendentals=1)
    if base in ARITHMETIC:
        compute, flops = ARITHMETIC[base]
        if ending is None:
            return Meaning(returning(compute, signature), flops)
        finish = ENDINGS[ending]
        return Meaning(returning(lambda *lanes: finish(compute(*lanes)), signature), flops)
    if base in COMPARISONS:
        return Meaning(returning(COMPARISONS[base], signature))
    if base[:-1] in COMPARISONS and base.endswith("u"):
        ordered = COMPARISONS[base[:-1]]
        return Meaning(returning(lambda a, b: ordered(a, b) | np.isnan(a) | np.isnan(b), signature))
    found = conversion(name, signature)
    return Meaning(found) if found is not None else None
