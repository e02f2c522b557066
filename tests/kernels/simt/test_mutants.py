"""Take any one barrier or fence out of a correct kernel of the corpus: that must be reported.

The wrong kernels in `wrong` are those that somebody thought of. These are the ones that nobody did: every line of the
corpus that only synchronizes is left out once, and what remains has to be a hazard, in lockstep, on the first launch.
"""

import inspect
import re

import pytest
from corpus.collected import CASES
from wrong.case import rewritten

from kernels import simt

SYNCHRONIZES = re.compile(
    r"\s*((cuda\.)?(syncthreads|syncwarp|threadfence|threadfence_block)|[\w.()]*\.sync)\([^()]*\)\s*(#.*)?$"
)
# A fence on the side that reads: the atomic that comes before it counts as enough (`handover.py`).
# In `radix` the scan that follows begins with a barrier of its own.
NOT_NEEDED = {
    ("locked_by_block", 0),
    ("locked_by_thread", 0),
    ("across_blocks", 2),
    ("between_warps", 2),
    ("chained_scan", 2),
    ("last_block_done", 4),
    ("radix", 0),
}


def mutants():
    """(case, line, which of the synchronizing lines that is) for each kernel, launched with the most blocks."""
    largest = {case.kernel.py_func: case for case in sorted(CASES, key=lambda case: case.grid)}
    for function, case in largest.items():
        lines, first = inspect.getsourcelines(function)
        found = [number for number, text in enumerate(lines, start=first) if SYNCHRONIZES.match(text)]
        for place, line in enumerate(found):
            yield pytest.param(case, line, place, id=f"{function.__name__}-{place}")


@pytest.mark.slow
@pytest.mark.parametrize(("case", "line", "place"), list(mutants()))
def test_a_barrier_left_out_is_reported(case, line, place):
    function = case.kernel.py_func

    def without(number, text):
        return text.replace(text.strip(), "pass") if number == line else text

    kernel = rewritten(function, f"without line {line}", without)
    run = simt.launch(
        kernel, case.grid, case.block, *case.draw(0), shared_bytes=case.shared_bytes, on_hazard="record"
    )
    kinds = {hazard.kind for hazard in run.hazards}
    if (function.__name__, place) in NOT_NEEDED:
        assert kinds == set()
    else:
        assert kinds & {"DataRace", "BarrierDivergence", "UninitialisedShared"}
