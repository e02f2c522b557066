"""Steps that attention's kernels share: tiles of 64 queries beside 64 keys, in a block of 256 threads.

A tile of scores is a product of rows with rows, kept in registers, and its softmax the left factor of a second product
(kernels/products/row_tiles.py).

A block adds up 64 columns of a result. Results of a wider head are cut into slices of 64 columns, a block each, and
each of them computes the scores anew: any width works, in the same 22 KB of shared memory (44 KB in float64), at the
price of 1.5 times the products for width 128. Sums for 128 columns in one block were tried: the backward kernels then
need so many registers that half as many warps are live.
"""

import math

from kernels.backend import blocks, device_function
from kernels.loads import load4
from kernels.products.tiles import SIDE


def slices(width: int) -> int:
    """Into how many slices of columns a result of this width is cut; one without columns still has its logsumexp."""
    return max(1, blocks(width, SIDE))


@device_function
def take_four(numbers, vector, first):
    """numbers[:4] = vector[first : first + 4], 0 beyond its end."""
    numbers[0], numbers[1], numbers[2], numbers[3] = load4(vector, first, type(numbers[0])(0))


@device_function
def finite_or_zero(peak):
    """What to subtract before exp: −inf, where all scores of a row are, would give nan for the 0 that is wanted."""
    return peak if peak > type(peak)(-math.inf) else type(peak)(0)
