"""Losses and gradients from hidden and weight on a CPU, the logits computed a chunk of rows at a time.

The logits of a language model, (tokens, vocabulary), are often its largest tensor, though a row of them is needed only
for a moment. A chunk of rows is large enough for torch's matrix product to run at full speed and small enough to stay
far below the whole: 16 MB in float32, in a buffer that every chunk uses again. The twin of cross_entropy takes the
losses from it; that of its backward pass turns the logits into their own slopes, in place; and these, multiplied with
weight and hidden, are the chunk's share of the gradients.

Where gradients will be wanted of a loss that is one number, they are computed at once for a gradient of 1 of that loss,
and the backward pass only scales them: three products for each chunk, as in torch, rather than four.

Source: P.-L. Hsu et al., Liger Kernel: Efficient Triton Kernels for LLM Training, arXiv 2410.10989, section 3.2.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from kernels.arguments import as_real, widened
from kernels.losses.cross_entropy import cross_entropy_twin
from kernels.losses.cross_entropy_backward import cross_entropy_backward_twin

ELEMENTS = 1 << 22  # of a chunk
FEWEST = 64  # rows: a product of fewer would spend its time reading the weight

Three = tuple[Tensor, Tensor, Tensor]


def losses_by_chunks(
    gradients: Three,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    losses: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """Write the losses of rows, (rows,), and their maxima and sums of exponentials, (rows, 2).

    Adds to the gradients of hidden, weight and bias, zeros so far and without rows where not needed, for a gradient of
    1 of the losses' sum or, where `count` is not empty, of their mean.
    """
    hidden, weight = widened(hidden), widened(weight)
    smoothing, one = as_real(label_smoothing, hidden), losses.new_ones(1)
    for chunk, logits in _logits_by_chunks(hidden, weight, bias):
        outputs = losses[chunk], normalizers[chunk]
        cross_entropy_twin(logits, target[chunk], *outputs, ignore_index, smoothing)
        if any(gradient.numel() for gradient in gradients):
            vectors = target[chunk], normalizers[chunk], count
            cross_entropy_backward_twin(logits, one, *vectors, logits, ignore_index, smoothing)
            _add_products(gradients, chunk, logits, hidden, weight)


def gradients_by_chunks(
    gradients: Three,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    grad: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """Add to the gradients of hidden, weight and bias, zeros so far; grad: (rows,), or (1,) for the loss of all."""
    hidden, weight = widened(hidden), widened(weight)
    smoothing = as_real(label_smoothing, hidden)
    for chunk, logits in _logits_by_chunks(hidden, weight, bias):
        vectors = grad[chunk] if grad.shape[0] > 1 else grad, target[chunk], normalizers[chunk], count
        cross_entropy_backward_twin(logits, *vectors, logits, ignore_index, smoothing)
        _add_products(gradients, chunk, logits, hidden, weight)


def _logits_by_chunks(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the rows, each with its hidden @ weight.T + bias, which the next one overwrites."""
    rows, classes = hidden.shape[0], weight.shape[0]
    most = max(1, min(rows, max(FEWEST, ELEMENTS // max(classes, 1))))
    buffer = hidden.new_empty(most, classes)
    for first in range(0, rows, most):
        chunk = slice(first, min(first + most, rows))
        logits = buffer[: chunk.stop - first]
        if bias is None:
            torch.mm(hidden[chunk], weight.t(), out=logits)
        else:
            torch.addmm(widened(bias), hidden[chunk], weight.t(), out=logits)
        yield chunk, logits


def _add_products(gradients: Three, chunk: slice, slopes: Tensor, hidden: Tensor, weight: Tensor) -> None:
    grad_hidden, grad_weight, grad_bias = gradients
    if grad_hidden.numel():
        torch.mm(slopes, weight, out=grad_hidden[chunk])
    if grad_weight.numel():
        grad_weight.addmm_(slopes.t(), hidden[chunk])
    if grad_bias.numel():
        grad_bias += slopes.sum(0)
