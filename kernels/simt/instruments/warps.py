"""What the lanes of a warp know of each other: a row of times for each, joined where `syncwarp` brings them together.

Row t holds in column j the time up to which everything that lane j of t's warp did happens before what t does next.
Lanes that meet tell each other all they know: each of their rows becomes the largest of them in every column, and
their own columns become the present.

Source: F. Mattern, Virtual Time and Global States of Distributed Systems, 1989 (vector clocks), one warp at a time.
"""

from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.instrument import instrument


def strangers(lanes: int, columns: int = WARP) -> np.ndarray:
    """Rows of lanes that know nothing yet, int32 (lanes, columns): time 0 is before the first access."""
    return np.zeros((lanes, columns), dtype=np.int32)


@instrument
def meet(known: Any, lanes: Any, masks: Any, now: Any) -> None:
    """Join the rows of lanes that execute one `syncwarp`.

    known: int32 (lanes of the chunk, 32 or more); lanes, masks: int64 (active,), ascending. Those of a warp meet that
    name the same mask and are in it. now: the present, or 0 where they only pass on what they know.
    """
    met = np.zeros(lanes.size, np.bool_)
    for first in range(lanes.size):
        if met[first]:
            continue
        end = first + 1
        while end < lanes.size and lanes[end] // WARP == lanes[first] // WARP:
            end += 1
        joined = np.zeros(known.shape[1], known.dtype)
        for at in range(first, end):
            if together(lanes[first], masks[first], lanes[at], masks[at]):
                met[at] = True
                row = known[lanes[at]]
                for column in range(row.size):
                    joined[column] = max(joined[column], row[column])
                if now:
                    joined[lanes[at] % WARP] = now
        for at in range(first, end):
            if together(lanes[first], masks[first], lanes[at], masks[at]):
                row = known[lanes[at]]
                for column in range(row.size):
                    row[column] = joined[column]


@instrument
def together(one: Any, mask: Any, other: Any, mask_of_other: Any) -> bool:
    """Whether two lanes of a warp meet: both are in the one mask that both name."""
    return mask == mask_of_other and (mask >> one % WARP) & (mask >> other % WARP) & 1 != 0
