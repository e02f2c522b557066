"""GELU and its slope, each formula written once and compiled for GPU and CPU.

The Gaussian error linear unit weighs z by the probability that a standard normal variable lies below it:

    GELU(z)  = z Φ(z),         Φ(z) = erfc(−z/√2) / 2                            approximate="none"
    GELU(z)  ≈ z σ(2u),        u = √(2/π) (z + 0.044715 z³)                      approximate="tanh"
    GELU′(z) = Φ(z) + z φ(z),  φ(z) = exp(−z²/2) / √(2π)
             ≈ σ + z σ(1 − σ) 2u′

The second is the tanh approximation, since (1 + tanh u)/2 = σ(2u) with the logistic σ.

Source: D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, section 2.
"""

import math
from typing import Any

from kernels.backend import device_function
from kernels.fastmath import exp, normal_cdf
from kernels.twin import jitable

SQRT_HALF = math.sqrt(1 / 2)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
ONE_OVER_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
CUBIC = 0.044715
FAR = 30.0  # beyond, σ(2u) is exactly 0 or 1 in every dtype; z² must not overflow


def formulas(normal_cdf: Any, exp: Any) -> tuple[Any, ...]:
    """GELU, its tanh form, and the slopes of both, over a given Φ and exp.

    `type(z)` keeps constants in z's dtype: a bare 0.5 would make a GPU compute in float64.
    """

    def gelu(z):
        return z * normal_cdf(z)

    def gelu_tanh(z):
        real = type(z)
        u = real(SQRT_2_OVER_PI) * z * (real(1) + real(CUBIC) * z * z)
        return z / (real(1) + exp(real(-2) * u))

    def slope(z):
        real = type(z)
        return normal_cdf(z) + z * exp(real(-0.5) * z * z) * real(ONE_OVER_SQRT_2PI)

    def slope_tanh(z):
        real = type(z)
        near = min(max(z, real(-FAR)), real(FAR))
        cubic = real(CUBIC) * near * near
        sigma = real(1) / (real(1) + exp(real(-2 * SQRT_2_OVER_PI) * near * (real(1) + cubic)))
        return sigma + z * (sigma * (real(1) - sigma)) * (
            real(2 * SQRT_2_OVER_PI) * (real(1) + real(3) * cubic)
        )

    return gelu, gelu_tanh, slope, slope_tanh


@device_function
def gpu_normal_cdf(z):
    real = type(z)
    return math.erfc(-z * real(SQRT_HALF)) * real(0.5)


gpu_gelu, gpu_gelu_tanh, gpu_slope, gpu_slope_tanh = map(device_function, formulas(gpu_normal_cdf, math.exp))
cpu_gelu, cpu_gelu_tanh, cpu_slope, cpu_slope_tanh = map(jitable, formulas(normal_cdf, exp))
