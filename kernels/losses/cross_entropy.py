"""Cross-entropy in one pass over the logits: −log of the probability that softmax gives the right class.

For a row of logits z over K classes with target t, and m = max z:

    loss = log Σ exp(z − m) − (z_t − m),

and with label smoothing ε, where the right class has 1 − ε of the target's weight and all classes share the rest,

    loss = log Σ exp(z − m) − (1 − ε)(z_t − m) − ε mean(z − m).

Neither exponentials nor probabilities are written. What the backward pass cannot cheaply have again is kept: m and
Σ exp(z − m) for each row (see logsumexp.py), and the number of rows in the mean.

Ledger for n logits of s bytes in r rows: fused reads logits and targets once and writes 8 bytes a row beside the loss,
ns + 16r; unfused, with the row's maximum, difference, exponentials and sum passing through memory, (6n + …)s.

Source: C. Szegedy et al., Rethinking the Inception Architecture, arXiv 1512.00567, section 7 (label smoothing);
M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867.
"""

import math
from typing import Any

import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_real, as_rows, check_input, rounded, sums_dtype, widened
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.fastmath import exp
from kernels.lanes import MAX_THREADS, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load, load4, real_of
from kernels.losses.cross_entropy_backward import cross_entropy_backward_operation
from kernels.losses.logsumexp import absorb4, block_merged
from kernels.losses.reduction import REDUCING, counted_rows, reduced, reducing_steps
from kernels.losses.targets import check_options, check_target, loss_dtype
from kernels.op import Gradient, Operation
from kernels.promises import Promise, sums
from kernels.row_max import row_max
from kernels.twin import twin
