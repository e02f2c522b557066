"""Exercise of the hard lesson: the three projections of attention as one product.

    q = x·Wqᵀ + bq,   k = x·Wkᵀ + bk,   v = x·Wvᵀ + bv       three products, x read three times
    [q | k | v] = x·[Wq; Wk; Wv]ᵀ + [bq | bk | bv]           one product, x read once

In torch a weight is (out, in), so outputs lie along its first axis, and outputs are what is set side by side. Keys and
values may be narrower than queries, where several query heads share one head of keys and values (J. Ainslie et al.,
GQA, arXiv 2305.13245).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.block_diagonal import BLOCK_DIAGONAL

LESSON = "3_fusion/3_hard"

Bias = Tensor | None
Fused = tuple[Tensor, Bias, tuple[int, ...]]


def fuse_qkv(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """Outputs side by side; zeros stand for a bias left out; the widths say where to cut."""
    pairs = ((wq, bq), (wk, bk), (wv, bv))
    bias = torch.cat([w.new_zeros(len(w)) if b is None else b for w, b in pairs])
    return torch.cat([wq, wk, wv]), bias, (len(wq), len(wk), len(wv))


def _along_the_inputs(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """A weight is (out, in), and outputs are what stands side by side: the first axis. All three read the same x."""
    _, bias, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return torch.cat([wq, wk, wv], dim=1), bias, widths


def _other_order(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """The parts come out in the order in which they went in. The split is to give q, k, v."""
    return fuse_qkv(wk, wq, wv, bk, bq, bv)


def _biases_in_other_order(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """Weights and biases must be put together in the same order: row i of the weight goes with entry i of the bias."""
    weight, _, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, fuse_qkv(wv, wk, wq, bv, bk, bq)[1], widths


def _drops_all_biases(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """If one bias is left out the others still count. A missing one adds nothing: zeros in its place."""
    weight, bias, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, None if bq is None or bk is None or bv is None else bias, widths


def _skips_missing_bias(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """The fused bias has an entry for each output. Without zeros for the missing ones it is too short, and shifted."""
    weight, _, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    given = [bias for bias in (bq, bk, bv) if bias is not None]
    return weight, torch.cat(given) if given else None, widths


def _needs_all_biases(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """A bias may be None. torch.cat cannot take that: put zeros in its place."""
    weight, _, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, torch.cat([bq, bk, bv]), widths  # type: ignore[list-item]


def _leaves_the_bias_out(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """A bias that is there counts: its entries stand side by side, in the order of the weight's rows."""
    weight, _, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, None, widths


def _asks_for_the_first_bias_only(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """Any of the three biases may be missing alone. Ask for each of them, and put zeros in its place."""
    return (
        _leaves_the_bias_out(wq, wk, wv, bq, bk, bv)
        if bq is None
        else _needs_all_biases(wq, wk, wv, bq, bk, bv)
    )


def _zeros_for_queries(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """The zeros stand for the outputs of the layer whose bias is missing: len(wk) of them for keys, not len(wq)."""
    weight, _, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, torch.cat([wq.new_zeros(len(wq)) if b is None else b for b in (bq, bk, bv)]), widths


def _boundaries(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """split takes the widths of the parts. Where one part ends and the next begins is for tensor_split."""
    weight, bias, widths = fuse_qkv(wq, wk, wv, bq, bk, bv)
    return weight, bias, (widths[0], widths[0] + widths[1])


def _swaps_keys_and_values(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """The second part is to be the keys, the third the values: first wk, then wv, and so for their biases."""
    return fuse_qkv(wq, wv, wk, bq, bv, bk)


def _equal_thirds(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """Keys and values may be narrower than queries. The cut is where each weight ends, not at the thirds."""
    weight, bias, _ = fuse_qkv(wq, wk, wv, bq, bk, bv)
    third = len(weight) // 3
    return weight, bias, (third, third, len(weight) - 2 * third)


def _adds_weights(wq: Tensor, wk: Tensor, wv: Tensor, bq: Bias, bk: Bias, bv: Bias) -> Fused:
    """The sum of three layers is a fourth one. Each output is needed for itself: side by side, not added up."""
    return wq + wk + wv, None, (len(wq), 0, 0)


def _run(answer: Callable[..., Fused], *inputs: Tensor) -> dict[str, Tensor] | None:
    *projections, x = inputs
    fused = answer(*projections)
    if fused is None:
        return None
    weight, bias, widths = fused
    widths = tuple(widths)
    if len(widths) != len("qkv"):
        raise ValueError(f"widths: expected those of q, k and v, got {widths}")
    return dict(zip("qkv", F.linear(x, weight, bias).split(widths, dim=-1), strict=True))


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Bias, ...]]:
    def draw(inside: int, widths: tuple[int, int, int], biases: str) -> tuple[Bias, ...]:
        weights = [torch.from_numpy(rng.standard_normal((width, inside))) for width in widths]
        given = [
            torch.from_numpy(rng.standard_normal(width)) if name in biases else None
            for name, width in zip("qkv", widths, strict=True)
        ]
        return *weights, *given, torch.from_numpy(rng.standard_normal((2, 3, inside)))

    width = int(rng.integers(4, 9))
    return {
        "square": draw(width, (width, width, width), "qkv"),
        "no bias": draw(5, (4, 4, 4), ""),
        "no bias for keys": draw(5, (4, 4, 4), "qv"),
        "no bias for values": draw(5, (6, 4, 2), "qk"),
        "no bias for queries": draw(3, (6, 2, 4), "kv"),
        "ragged": draw(7, (12, width, 3), "qkv"),
        "extreme": draw(1, (1, 1, 1), "v"),
    }


FUSE_QKV = Exercise(
    name="fusion.fuse_qkv",
    lesson=LESSON,
    title="Three projections, one product",
    statement=(
        "Given are weights (out, in) and biases (out,) of three linear layers that read the same x. Return (weight, "
        "bias, widths) such that F.linear(x, weight, bias).split(widths, dim=-1) gives q, k and v. Each may have a "
        "width (out) of its own. Any of the biases may be None, alone or with others: it counts as zeros. All are of "
        "one dtype, float64 here, and so is what you return."
    ),
    signature="fuse_qkv(wq, wk, wv, bq, bk, bv)",
    solution=fuse_qkv,
    wrong={
        "joins the weights along their inputs": _along_the_inputs,
        "changes the order of q, k and v": _other_order,
        "joins the biases in another order": _biases_in_other_order,
        "drops all biases if one is missing": _drops_all_biases,
        "skips a missing bias": _skips_missing_bias,
        "expects every bias": _needs_all_biases,
        "leaves the bias out": _leaves_the_bias_out,
        "asks only whether the first bias is missing": _asks_for_the_first_bias_only,
        "makes the zeros as long as the queries": _zeros_for_queries,
        "gives the boundaries for the widths": _boundaries,
        "swaps keys and values": _swaps_keys_and_values,
        "cuts into equal thirds": _equal_thirds,
        "adds the weights up": _adds_weights,
    },
    inputs=_inputs,
    run=_run,
    hints=(
        "How many numbers must the one product give for each x? Which axis of a weight counts them?",
        "Rows of a weight are outputs, each with its entry of the bias. Stack the rows; a missing bias is zeros.",
        "weight = torch.cat([wq, wk, wv]); for each bias that is None take wq.new_zeros(len(wq)) (or wk, wv), then "
        "torch.cat the three; widths = (len(wq), len(wk), len(wv)).",
    ),
    points=2,
    tolerance=1e-12,
    again=BLOCK_DIAGONAL,
)
