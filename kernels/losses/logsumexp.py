"""The logarithm of a sum of exponentials in one pass, on a GPU: log Σ exp z without overflow.

exp z overflows float32 from z = 89 on, so the largest z is taken out: m + log Σ exp(z − m). Knowing m takes a pass over
all z before the one that adds up. The *online* form carries both along: when a larger z comes, the sum so far is
multiplied by exp(m − m′). Two such pairs, from two threads, merge in the same way.

The pair (m, Σ exp(z − m)) is kept as it is, for in m + log Σ the logarithm would lose its digits beside a large m:
at logits near 10⁴ the softmax exp(z − m) / Σ would be off by a thousandth.

Source: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867, section 3.
"""

import math

from kernels.backend import device_function
from kernels.lanes import block_max, block_sum


@device_function
def finite(largest):
    """What to take out: the largest, or 0 where all are −inf, whose differences would be NaN."""
    return largest if largest > -type(largest)(math.inf) else type(largest)(0)


@device_function
def absorb4(largest, total, a, b, c, d):
    """The pair (largest, Σ exp(z − largest)) with four numbers more."""
    larger = max(largest, max(max(a, b), max(c, d)))
    shift = finite(larger)
    total *= math.exp(largest - shift)
    total += math.exp(a - shift) + math.exp(b - shift) + math.exp(c - shift) + math.exp(d - shift)
    return larger, total


@device_function
def merged(largest, total, other_largest, other_total):
    """Two pairs as one."""
    larger = max(largest, other_largest)
    shift = finite(larger)
    return larger, total * math.exp(largest - shift) + other_total * math.exp(other_largest - shift)


@device_function
def block_merged(largest, total):
    """The pairs of all threads of a block as one, in every thread of it."""
    larger = block_max(largest)
    return larger, block_sum(total * math.exp(largest - finite(larger)))
