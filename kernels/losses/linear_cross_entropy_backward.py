"""The gradients of linear_cross_entropy, with the slopes of cross-entropy for the logits z = hidden weightᵀ + bias:

    ∂z = g (softmax(z) − ε/K − (1 − ε)[j = t]),  (rows, classes),
    ∂hidden = ∂z weight,     ∂weight = ∂zᵀ hidden,     ∂bias = Σ_rows ∂z.

z is computed again, and ∂z, which is as large, is not written either: a tile or a chunk of it becomes its share of the
gradients and is gone (gradient_tiles.py, chunks.py).

Ledger for r rows, K classes and width w in numbers of s bytes: fused reads hidden, weight, bias and targets and writes
the gradients, 2(r + K)ws bytes and a little for each row and class. In plain torch, a dozen tensors of rK numbers are
written and read.

Source: E. Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models, arXiv 2411.09009, section 4.3.
"""

from collections.abc import Sequence

from torch import Tensor

from kernels.arguments import as_rows, rounded, sums_dtype, widened
from kernels.backend import runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.losses.chunks import Three, gradients_by_chunks
from kernels.losses.cross_entropy_backward import reference as slopes_in_torch
from kernels.losses.gradient_tiles import PROMISES, gradients_by_tiles
from kernels.losses.steps import logits_steps, product_steps, sloping_steps
from kernels.losses.targets import flat
from kernels.op import Operation


def reference(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
    needs: Sequence[bool],
) -> Three:
    """The same in plain torch; a gradient that is not needed comes back empty."""
    logits = logits_in_torch(hidden, weight, target, bias)
    arguments = target, normalizers, count, ignore_index, label_smoothing
    slopes = slopes_in_torch(grad, logits, *arguments)
    return gradients_in_torch(slopes, hidden, weight, bias, needs)


def logits_in_torch(hidden: Tensor, weight: Tensor, target: Tensor, bias: Tensor | None) -> Tensor:
    """The logits in plain torch, with the axes of target and one for the classes."""
    logits = as_rows(widened(hidden)).mm(widened(weight).t())
    return (logits if bias is None else logits + widened(bias)).view(*target.shape, weight.shape[0])


def gradients_in_torch(
    slopes: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None, needs: Sequence[bool]
) -> Three:
    """From the gradient of the logits to those of hidden, weight and bias."""
    slopes, nothing = as_rows(slopes), hidden.new_empty(0)
    need_hidden, need_weight, need_bias = needs
    gradients = (
        slopes.mm(widened(weight)) if need_hidden else nothing,
        slopes.t().mm(as_rows(widened(hidden))) if need_weight else nothing,
        slopes.sum(0) if need_bias else nothing,
    )
    return finished(gradients, hidden, weight, bias, needs)


def finished(
    gradients: Three, hidden: Tensor, weight: Tensor, bias: Tensor | None, needs: Sequence[bool]
) -> Three:
    """The gradients in the shapes and dtypes of hidden, weight and bias; empty where not needed."""
    likes = hidden, weight, weight if bias is None else bias
    first, second, third = (
        rounded(gradient, like.dtype).view(like.shape) if needed else like.new_empty(0)
        for gradient, like, needed in zip(gradients, likes, needs, strict=True)
    )
    return first, second, third


def room_for_gradients(rows: Tensor, weight: Tensor, needs: Sequence[bool]) -> Three:
    """Zeros in the dtype of sums for the gradients of hidden, (rows, width), weight and bias; empty if not needed."""
    need_hidden, need_weight, need_bias = needs
    (count, width), classes = rows.shape, weight.shape[0]
    like = rows.new_empty(0, dtype=sums_dtype(rows.dtype))
    return (
        like.new_zeros((count * need_hidden, width)),
        like.new_zeros((classes * need_weight, width)),
        like.new_zeros(classes * need_bias),
    )


def _launch(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
    needs: Sequence[bool],
) -> Three:
    rows, weight = as_rows(hidden.contiguous()), weight.contiguous()
    gradients = room_for_gradients(rows, weight, needs)
    compute = gradients_by_tiles if runs_on_gpu(hidden) else gradients_by_chunks
    vectors = flat(target), flat(grad), normalizers, flat(count)
    compute(gradients, rows, weight, bias, *vectors, ignore_index, label_smoothing)
    return finished(gradients, hidden, weight, bias, needs)


def _fake(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
    needs: Sequence[bool],
) -> Three:
    return imagined_gradients(hidden, weight, bias, needs)


def imagined_gradients(hidden: Tensor, weight: Tensor, bias: Tensor | None, needs: Sequence[bool]) -> Three:
    """Room for the gradients as they come out."""
    likes = hidden, weight, weight if bias is None else bias
    first, second, third = (
        like.new_empty(like.shape if needed else 0) for like, needed in zip(likes, needs, strict=True)
    )
    return first, second, third


def _ledger(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    needs: Sequence[bool] = (True, True, True),
) -> Ledger:
    logits = imagine(hidden, *target.shape, weight.shape[0], dtype=sums_dtype(hidden.dtype))
    steps = (
        *logits_steps(hidden, weight, target, bias),
        *sloping_steps(grad, logits, target, count, label_smoothing),
        *product_steps(logits, hidden, weight, bias, needs),
    )
    reads = grad, hidden, weight, target, bias, normalizers, count
    likes = hidden, weight, weight if bias is None else bias
    writes = [imagine(like, *like.shape) for like, needed in zip(likes, needs, strict=True) if needed]
    return entry("linear_cross_entropy_backward", reads, writes, sum(step.flops for step in steps), steps)


linear_cross_entropy_backward_operation = Operation(
    schema="linear_cross_entropy_backward(Tensor grad, Tensor hidden, Tensor weight, Tensor target, Tensor? bias,"
    " Tensor normalizers, Tensor count, int ignore_index, float label_smoothing, bool[] needs)"
    " -> (Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=PROMISES,
)
