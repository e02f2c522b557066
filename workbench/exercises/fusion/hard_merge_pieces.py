"""Exercise of the hard lesson: two pieces of a streaming softmax become one.

    m = max(m₁, m₂)
    ℓ = e^(m₁−m)·ℓ₁ + e^(m₂−m)·ℓ₂        m: maximum, ℓ: total, w: weighted
    w = e^(m₁−m)·w₁ + e^(m₂−m)·w₂        with an index: of one piece; without: of both

It is all that streaming attention needs: its running sums are one piece, the next tile is the other. The operation is
associative and commutative, so the pieces may come in any order and from any number of blocks, and an empty piece
(−∞, 0, 0) changes nothing. No exponent is ever above 0, so nothing overflows.

Sources: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867, section 3, for maximum
and total; T. Dao et al., FlashAttention, arXiv 2205.14135, section 3.1, with the values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.merge_moments import MERGE_MOMENTS

LESSON = "3_fusion/3_hard"

Piece = tuple[Tensor, Tensor, Tensor]  # maximum (rows,), total (rows,), weighted (rows, width)


def merge_pieces(first: Piece, second: Piece) -> Piece:
    """Both are brought to the larger maximum; where neither has one, 0 stands for it and both factors become 0."""
    maximum = torch.maximum(first[0], second[0])
    base = maximum.masked_fill(maximum == -torch.inf, 0)  # as −∞ − (−∞) is nan
    one, other = torch.exp(first[0] - base), torch.exp(second[0] - base)
    total = one * first[1] + other * second[1]
    return maximum, total, one[:, None] * first[2] + other[:, None] * second[2]


# Most mistakes below give nan where both are empty, as a first attempt would. A reader who has thought of that is
# recognized all the same: an answer is compared only where it fails, and the inputs with such rows are then right.


def _factors(first: Piece, second: Piece) -> tuple[Tensor, Tensor, Tensor]:
    maximum = torch.maximum(first[0], second[0])
    return maximum, torch.exp(first[0] - maximum), torch.exp(second[0] - maximum)


def _sums(first: Piece, second: Piece, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    weighted = one[:, None] * first[2] + other[:, None] * second[2]
    return one * first[1] + other * second[1], weighted


def _without_rescaling(first: Piece, second: Piece) -> Piece:
    """Each piece counts from its own maximum. Before sums can be added both must count from the same one."""
    return torch.maximum(first[0], second[0]), first[1] + second[1], first[2] + second[2]


def _weighted_unscaled(first: Piece, second: Piece) -> Piece:
    """The same exponentials are in both sums. What a larger maximum does to total it does to weighted too."""
    maximum, one, other = _factors(first, second)
    return maximum, one * first[1] + other * second[1], first[2] + second[2]


def _second_only(first: Piece, second: Piece) -> Piece:
    """Either piece can have the smaller maximum. If it is the first, its sums are too large: correct those as well."""
    maximum, _, other = _factors(first, second)
    return maximum, *_sums(first, second, torch.ones_like(other), other)


def _other_way_round(first: Piece, second: Piece) -> Piece:
    """exp(s - new) = exp(s - old)·exp(old - new): a larger maximum makes sums smaller, and no factor is above 1."""
    maximum = torch.maximum(first[0], second[0])
    return maximum, *_sums(first, second, torch.exp(maximum - first[0]), torch.exp(maximum - second[0]))


def _without_maximum(first: Piece, second: Piece) -> Piece:
    """Right on paper, but exp(1000) is inf and exp(-1000) is 0. Subtract the maxima first, then take exp of that."""
    maximum = torch.maximum(first[0], second[0])
    total, weighted = _sums(first, second, first[0].exp(), second[0].exp())
    return maximum, total / maximum.exp(), weighted / maximum.exp()[:, None]


def _averages_outputs(first: Piece, second: Piece) -> Piece:
    """Halfway is right for equal totals only, both at one maximum. Otherwise one output weighs more: add the sums."""
    maximum, one, other = _factors(first, second)
    total = _sums(first, second, one, other)[0]
    output = (first[2] / first[1][:, None] + second[2] / second[1][:, None]) / 2
    return maximum, total, output * total[:, None]


def _divides_already(first: Piece, second: Piece) -> Piece:
    """More pieces may follow, and they need the sum itself. One division at the very end is enough."""
    maximum, one, other = _factors(first, second)
    total, weighted = _sums(first, second, one, other)
    return maximum, total, weighted / total[:, None]


def _along_the_width(first: Piece, second: Piece) -> Piece:
    """A factor belongs to a row. (rows,) beside (rows, width) is lined up with the width: factor[:, None] turns it."""
    maximum, one, other = _factors(first, second)
    return maximum, one * first[1] + other * second[1], one * first[2] + other * second[2]


def _nan_of_nothing(first: Piece, second: Piece) -> Piece:
    """Where both are empty the maximum is -inf, and -inf - (-inf) is nan. Subtract something finite there, say 0."""
    maximum, one, other = _factors(first, second)
    return maximum, *_sums(first, second, one, other)


def _whole_pieces(first: Piece, second: Piece) -> Piece:
    """A piece can be empty in one row and not in the next, and a row empty in both still gives nan. Ask row by row."""
    if bool((first[0] == -torch.inf).all()):
        return second
    return first if bool((second[0] == -torch.inf).all()) else _nan_of_nothing(first, second)


def _in_place(first: Piece, second: Piece) -> Piece:
    """The result is right, but the caller's piece is changed. `total * factor` makes a new tensor, `*=` does not."""
    for old, new in zip(first, merge_pieces(first, second), strict=True):
        old.copy_(new)
    return first


def _piece(scores: Tensor, v: Tensor, taken: Tensor) -> Piece:
    """What is kept of (rows, columns) scores and (columns, width) v; rows not taken are empty."""
    kept = scores.masked_fill(~taken[:, None], -torch.inf)
    maximum = kept.amax(1)
    shares = torch.exp(kept - maximum.masked_fill(~taken, 0)[:, None])
    return maximum, shares.sum(1), shares @ v


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Piece, Piece]]:
    def draw(
        rows: int, width: int, scale: float = 1, no_first: Sequence[int] = (), no_second: Sequence[int] = ()
    ) -> tuple[Piece, Piece]:
        """Two pieces, the rows named left empty in the first or in the second."""
        base = scale * torch.from_numpy(rng.uniform(-1, 1, (rows, 1)))
        steps = np.linspace(-1.5, 1.5, rows + 2)[:, None]  # so that now the one is larger, now the other
        apart = torch.from_numpy(rng.permutation(steps)[:rows])
        pieces = []
        for shift, empty in ((-apart, no_first), (apart, no_second)):
            columns = int(rng.integers(1, 5))
            scores = base + shift + 0.5 * torch.from_numpy(rng.standard_normal((rows, columns)))
            taken = torch.tensor([row not in empty for row in range(rows)])
            pieces.append(_piece(scores, torch.from_numpy(rng.standard_normal((columns, width))), taken))
        return pieces[0], pieces[1]

    rows, width = int(rng.integers(5, 8)), int(rng.integers(2, 5))
    return {
        "one row": draw(1, 2),
        "square": draw(3, 3),
        "ragged": draw(rows, width),
        "empty": draw(3, 2, no_first=range(3)),
        "both empty": draw(2, 3, no_first=range(2), no_second=range(2)),
        "a row empty in both": draw(4, 2, no_first=(0, 2), no_second=(0, 1, 3)),
        "extreme": draw(6, width, scale=5000),
    }


MERGE_PIECES = Exercise(
    name="fusion.merge_pieces",
    lesson=LESSON,
    title="A softmax in two pieces",
    statement=(
        "Attention can take the columns of its scores in pieces. Of each piece three float64 tensors are kept, as a "
        "tuple (maximum, total, weighted). For each row of the scores, over the columns of the piece: maximum (rows,) "
        "is the largest score; total (rows,) is the sum of exp(score - maximum); weighted (rows, width) is the sum of "
        "exp(score - maximum) times v, where each column has a v of width numbers. Given are two such tuples, of the "
        "same rows and of different columns. Return the tuple (maximum, total, weighted) of all these columns "
        "together, and leave the two as they are. Scores may be in the thousands, above and below 0. A piece may have "
        "no columns for some of the rows or for all: there maximum is -inf, total 0 and weighted zeros. If neither "
        "piece has columns for a row, the result too is -inf, 0 and zeros there, and not nan. Do not divide: the "
        "output of attention is weighted / total[:, None], but only after the last piece."
    ),
    signature="merge_pieces(first, second)",
    solution=merge_pieces,
    wrong={
        "adds the sums without rescaling": _without_rescaling,
        "rescales the totals but not the weighted": _weighted_unscaled,
        "rescales the second piece only": _second_only,
        "scales by exp(new - old)": _other_way_round,
        "exponentiates without the maximum": _without_maximum,
        "averages the two outputs": _averages_outputs,
        "divides already": _divides_already,
        "scales along the width": _along_the_width,
        "gives nan where both are empty": _nan_of_nothing,
        "asks for empty pieces, not for empty rows": _whole_pieces,
        "changes the caller's piece": _in_place,
    },
    inputs=_inputs,
    hints=(
        "A total of 1 at maximum 2 and a total of 1 at maximum 5: how much is the first, seen from 5?",
        "exp(score - new) = exp(score - old)·exp(old - new). So one factor for each row and piece, exp(old - new), "
        "brings both its sums to the common maximum; there they can be added. Where both maxima are -inf the "
        "difference is nan. Take a finite number for new there, in the difference only: the sums are 0, any will do.",
        "One row: (2, 1, [10]) and (5, 1, [20]). The maximum is 5, the factors are exp(2 - 5) = 0.0498 and 1, so total "
        "= 1.0498 and weighted = [20.498]. For many rows factor = torch.exp(first[0] - base), and for weighted "
        "factor[:, None], with base = maximum.masked_fill(maximum == -torch.inf, 0).",
    ),
    points=2,
    tolerance=1e-9,
    again=MERGE_MOMENTS,
)
