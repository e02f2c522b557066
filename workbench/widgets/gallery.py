"""A gallery of emoji: each picture with its name above and its category below, as a learner should see the data first.

Looking at examples before any number is a habit worth having; a wrong label or an unreadable picture shows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import matplotlib.pyplot as plt

from workbench.data import EmojiPart
from workbench.drawing import style


def gallery(part: EmojiPart, categories: Sequence[str], columns: int = 4) -> None:
    """Shows the first emoji of each category in `part`, in rows of `columns`, with alternative text.

    Raises ValueError when `part` has no emoji of any category, or `columns` is below 1.
    """
    if columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    labels = part.labels.tolist()
    firsts = {label: labels.index(label) for label in range(len(categories)) if label in labels}
    if not firsts:
        raise ValueError("part: expected at least one emoji, got none")
    rows = -(-len(firsts) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.2 * columns, 2.7 * rows), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    told = []
    for place, (label, index) in zip(axes.flat, firsts.items(), strict=False):
        place.imshow(part.pictures[index].numpy(), interpolation="nearest")
        place.set_title(fill(f"“{part.names[index]}”", 18), fontsize=10, loc="center", fontweight="normal")
        place.text(0.5, -0.06, categories[label], transform=place.transAxes, ha="center", va="top",
                   fontsize=10, fontweight="bold", color=style.BLUE)  # fmt: skip
        told.append(f"{part.names[index]} ({categories[label]})")
    style.show(figure, alt=f"Emoji, one of each category, with name and category: {', '.join(told)}.")
