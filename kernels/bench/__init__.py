"""`python -m kernels.bench`: every operation beside torch eager, torch.compile and, on a GPU, Liger, on this machine.

Start with `case.py` (an operation and its rivals) and `race.py` (what makes a comparison fair), then `result.py`.
"""

from kernels.bench.program import main

__all__ = ["main"]
