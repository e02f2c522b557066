"""A fresh task after `fuse_qkv`: two linear layers of two different inputs as one product.

    [ya | yb] = [xa | xb]·⎡Wa  0 ⎤ᵀ + [ba | bb]
                          ⎣0   Wb⎦

Q, K and V read the same x, so their weights share its columns and merging them costs nothing. Layers of different
inputs share neither rows nor columns. What merging buys is a call: one where there were two. What it costs is the two
corners, numbers that are stored, read and multiplied although they are zero by construction: for equal shapes half of
the weight, for n equal layers 1 − 1/n of it. It pays where the products are so small that the call is most of the time.

One thing more: 0·∞ is nan, so an input that has overflowed spoils the other layer's results as well.

Source: G. Golub, C. Van Loan, Matrix Computations, 4th edition, section 1.3, on block matrices; `torch.block_diag`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.exercises.exercise import Exercise

LESSON = "3_fusion/3_hard"

Bias = Tensor | None
Merged = tuple[Tensor, Bias, float]


def block_diagonal(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """Each weight has rows and columns of its own; the two corners that are left are zero."""
    out_a, in_a, out_b, in_b = *wa.shape, *wb.shape
    weight = wa.new_zeros(out_a + out_b, in_a + in_b)
    weight[:out_a, :in_a], weight[out_a:, in_a:] = wa, wb
    bias = torch.cat([w.new_zeros(len(w)) if b is None else b for w, b in ((wa, ba), (wb, bb))])
    return weight, bias, (out_a * in_b + out_b * in_a) / weight.numel()


def _stacks_the_rows(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """Weights can be stacked where the layers read the same x. Here each reads its own, so columns are apart too."""
    _, bias, share = block_diagonal(wa, wb, ba, bb)
    return torch.cat([wa, wb]), bias, share


def _other_order(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """The input is [xa | xb], so the columns of wa come first; the results are to come as a, b, so its rows do too."""
    weight, bias, share = block_diagonal(wb, wa, bb, ba)
    return weight, bias, share


def _skips_missing_bias(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """Each of the outputs has an entry in the bias. A missing bias is zeros, as many as its layer has outputs."""
    weight, _, share = block_diagonal(wa, wb, ba, bb)
    given = [bias for bias in (ba, bb) if bias is not None]
    return weight, torch.cat(given) if given else None, share


def _drops_both_biases(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """One layer without a bias does not make the other's go away. Zeros stand for the missing one."""
    weight, bias, share = block_diagonal(wa, wb, ba, bb)
    return weight, None if ba is None or bb is None else bias, share


def _counts_all_zeros(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """A layer may hold zeros of its own, multiplied before merging too. What merging adds follows from shapes alone."""
    weight, bias, _ = block_diagonal(wa, wb, ba, bb)
    return weight, bias, int((weight == 0).sum()) / weight.numel()


def _takes_half(wa: Tensor, wb: Tensor, ba: Bias, bb: Bias) -> Merged:
    """Half is right for equal shapes. In general the zero corners hold outA·inB and outB·inA numbers."""
    weight, bias, _ = block_diagonal(wa, wb, ba, bb)
    return weight, bias, 0.5


def _run(answer: Callable[..., Merged], *inputs: Tensor) -> tuple[Tensor, float] | None:
    *layers, xa, xb = inputs
    merged = answer(*layers)
    if merged is None:
        return None
    weight, bias, share = merged
    return F.linear(torch.cat([xa, xb], -1), weight, bias), share


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Bias, ...]]:
    def draw(a: tuple[int, int], b: tuple[int, int], biases: str) -> tuple[Bias, ...]:
        shapes = a, b, (2, 3, a[1]), (2, 3, b[1])
        wa, wb, xa, xb = (torch.from_numpy(rng.standard_normal(shape)) for shape in shapes)
        ba, bb = (
            torch.from_numpy(rng.standard_normal(len(w))) if name in biases else None
            for name, w in (("a", wa), ("b", wb))
        )
        return wa, wb, ba, bb, xa, xb

    side = int(rng.integers(3, 6))
    sparse = draw((4, side), (2, 3), "ab")
    sparse[0][1:3] = 0  # type: ignore[index]
    return {
        "extreme": draw((1, 1), (1, 1), "ab"),
        "equal shapes": draw((side, 4), (side, 4), "ab"),
        "no bias": draw((3, 2), (2, 3), ""),
        "no bias for a": draw((2, side), (3, 1), "b"),
        "ragged": draw((5, 2), (3, side + 3), "a"),
        "zeros in a weight": sparse,
    }


BLOCK_DIAGONAL = Exercise(
    name="fusion.block_diagonal",
    lesson=LESSON,
    title="Two layers of two inputs, one product",
    statement=(
        "Two linear layers read two different inputs, xa and xb. Their weights are wa (outA, inA) and wb (outB, inB), "
        "their biases ba (outA,) and bb (outB,); either bias or both may be None. Return (weight, bias, share). weight "
        "is (outA + outB, inA + inB), and F.linear(torch.cat([xa, xb], -1), weight, bias) is to be both results side "
        "by side, a's first. share is a number from 0 to 1: the part of the weight's numbers that are zero whatever wa "
        "and wb hold. These multiplications by zero are the price of one call instead of two."
    ),
    signature="block_diagonal(wa, wb, ba, bb)",
    solution=block_diagonal,
    wrong={
        "stacks the rows as if both read the same input": _stacks_the_rows,
        "puts b before a": _other_order,
        "skips a missing bias": _skips_missing_bias,
        "drops both biases if one is missing": _drops_both_biases,
        "counts the zeros that the layers hold themselves": _counts_all_zeros,
        "takes one half for the share": _takes_half,
    },
    inputs=_inputs,
    run=_run,
    hints=(
        "Result a must not depend on xb, nor result b on xa. Which numbers of the one weight say how much it does?",
        "Rows of a weight are outputs, columns are inputs: wa in the upper left corner, wb in the lower right one, "
        "zeros in the other two. Their numbers are stored and multiplied like all others. A missing bias is zeros too.",
        "weight = wa.new_zeros(outA + outB, inA + inB); weight[:outA, :inA] = wa; weight[outA:, inA:] = wb. The bias "
        "is torch.cat of both, w.new_zeros(len(w)) for None. share = (outA * inB + outB * inA) / weight.numel().",
    ),
    points=2,
    tolerance=1e-12,
)
