"""A fresh task after `merge_pieces`: count, mean and spread of two pieces become those of both.

    n = na + nb,    d = mb − ma
    m = ma + d·nb/n
    S = Sa + Sb + d²·na·nb/n        with S = Σ (x − m)², each piece's about its own mean

The last term is what the two moves cost: the first piece's squares grow by na·(ma − m)², the second's by nb·(mb − m)².
It is the idea of the streaming softmax again. There the exponentials are relative to a maximum, here the squares are
relative to a mean, and whoever merges two pieces corrects for the new center first. Going back to Σx² is exact on paper
and loses all digits where the mean is large beside the spread. In this way one pass over the data, cut among many
blocks, is enough for the statistics of a normalization.

Source: T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances,
Stanford University, STAN-CS-79-773, 1979.
"""

from __future__ import annotations

import numpy as np

from workbench.exercises.exercise import Exercise

LESSON = "3_fusion/3_hard"

Moments = tuple[int, float, float]


def merge_moments(first: Moments, second: Moments) -> Moments:
    """The means meet where the counts balance them; the squares grow by what the move from each center costs."""
    (count_a, mean_a, squares_a), (count_b, mean_b, squares_b) = first, second
    count, distance = count_a + count_b, mean_b - mean_a
    if count == 0:
        return first
    mean = mean_a + distance * count_b / count
    return count, mean, squares_a + squares_b + distance**2 * count_a * count_b / count


def _mean(first: Moments, second: Moments) -> float:
    return (first[0] * first[1] + second[0] * second[1]) / (first[0] + second[0])


# As a first attempt would, these divide by the count even if it is 0. A reader who does not is recognized all the same:
# that answer is right where both are empty, and only where an answer fails is it compared.


def _adds_squares(first: Moments, second: Moments) -> Moments:
    """Each piece measured from its own mean. From the common one its squares are larger, by its count times (move)²."""
    return first[0] + second[0], _mean(first, second), first[2] + second[2]


def _averages_means(first: Moments, second: Moments) -> Moments:
    """Halfway is right for equal counts only. A piece of many numbers pulls the common mean closer to its own."""
    between = (second[1] - first[1]) ** 2 * first[0] * second[0] / (first[0] + second[0])
    return first[0] + second[0], (first[1] + second[1]) / 2, first[2] + second[2] + between


def _from_the_other_mean(first: Moments, second: Moments) -> Moments:
    """A piece moves to the common mean, which lies between the two, and not all the way to the other piece's mean."""
    count, distance = first[0] + second[0], second[1] - first[1]
    return count, _mean(first, second), first[2] + second[2] + count * distance**2


def _unweighted_move(first: Moments, second: Moments) -> Moments:
    """Every number of a piece moves, not one for all: the correction of a piece is its count times (move)²."""
    mean = _mean(first, second)
    moved = (first[1] - mean) ** 2 + (second[1] - mean) ** 2
    return first[0] + second[0], mean, first[2] + second[2] + moved


def _by_raw_squares(first: Moments, second: Moments) -> Moments:
    """Σx² − n·mean² is right on paper. With a large mean it is the difference of two huge numbers: no digit is left."""
    count, mean = first[0] + second[0], _mean(first, second)
    raw = first[2] + first[0] * first[1] ** 2 + second[2] + second[0] * second[1] ** 2
    return count, mean, raw - count * mean**2


def _divides_by_zero(first: Moments, second: Moments) -> Moments:
    """Two empty pieces make an empty one. Their count is 0, and nothing can be divided by it: ask before."""
    between = (second[1] - first[1]) ** 2 * first[0] * second[0] / (first[0] + second[0])
    return first[0] + second[0], _mean(first, second), first[2] + second[2] + between


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Moments, Moments]]:
    def draw(count: int, center: float) -> Moments:
        numbers = rng.normal(center, 1, count)
        mean = float(numbers.mean()) if count else 0.0
        return count, mean, float(((numbers - mean) ** 2).sum())

    few, many = int(rng.integers(2, 5)), int(rng.integers(6, 10))
    return {
        "one number each": (draw(1, -1), draw(1, 1)),
        "equal counts": (draw(few, 2), draw(few, 4)),
        "ragged": (draw(many, 1), draw(few, -2)),
        "empty": (draw(0, 0), draw(few, 3)),
        "second empty": (draw(few, 3), draw(0, 0)),
        "both empty": (draw(0, 0), draw(0, 0)),
        "extreme": (draw(few, 1e8), draw(many, 1e8 + 2)),
    }


MERGE_MOMENTS = Exercise(
    name="fusion.merge_moments",
    lesson=LESSON,
    title="Two pieces, one mean and one spread",
    statement=(
        "The numbers of a row are read in two pieces. Of each piece these are kept, as plain numbers in a tuple "
        "(count, mean, squares): how many numbers there are, their mean, and the sum of (number - mean)², with the "
        "piece's own mean. Return the same three for the numbers of both pieces together. An empty piece is "
        "(0, 0.0, 0.0); either or both may be empty, and two empty ones make an empty one. The mean may be as large "
        "as 1e8 where the numbers differ by about 1: squares is to be right to six digits even then."
    ),
    signature="merge_moments(first, second)",
    solution=merge_moments,
    wrong={
        "adds the squares without a correction": _adds_squares,
        "averages the two means": _averages_means,
        "measures from the other piece's mean": _from_the_other_mean,
        "corrects for one number of each piece": _unweighted_move,
        "subtracts two huge numbers": _by_raw_squares,
        "divides by a count of zero": _divides_by_zero,
    },
    inputs=_inputs,
    hints=(
        "Each piece has measured from a center of its own. Where is the center of all, and how far has each to move?",
        "From a center that lies d beside its mean, a piece of n numbers has n·d² more than from the mean itself. "
        "Correct both pieces for the move to the common mean, then add. The common mean weighs with the counts.",
        "1, 3 is (2, 2.0, 2.0), and 8 is (1, 8.0, 0.0). The means lie d = 6 apart, the common one is 2 + 6·1/3 = 4. "
        "The moves cost 2·(2 - 4)² + 1·(8 - 4)² = 24, the same as d²·2·1/3. Result: (3, 4.0, 26.0). "
        "Before you divide by the count, ask whether it is 0.",
    ),
    points=2,
)
