"""SiLU and its slope, each formula written once and compiled for GPU and CPU.

The sigmoid linear unit, also called swish, weighs z by the logistic function σ(z) = 1/(1 + exp(−z)):

    silu(z)  = z σ(z)
    silu′(z) = σ(z) + silu(z) (1 − σ(z))

Source: S. Elfwing, E. Uchibe, K. Doya, Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
Reinforcement Learning, arXiv 1702.03118.
"""

import math
from typing import Any

from numba.extending import register_jitable

from kernels.backend import device_function
from kernels.fastmath import EXACT_ORDER, exp


def formulas(exp: Any) -> tuple[Any, ...]:
    """SiLU, and SiLU with its slope, over a given exp; `type(z)` keeps constants in z's dtype."""

    def silu(z):
        return z / (type(z)(1) + exp(-z))

    def silu_and_slope(z):
        one = type(z)(1)
        sigma = one / (one + exp(-z))
        value = z * sigma
        return value, sigma + value * (one - sigma)

    return silu, silu_and_slope


gpu_silu, gpu_silu_and_slope = map(device_function, formulas(math.exp))
# in exact order: the slope has the same bits whether or not the value is wanted too
cpu_silu, cpu_silu_and_slope = map(register_jitable(**EXACT_ORDER), formulas(exp))
