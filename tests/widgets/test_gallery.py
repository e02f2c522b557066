"""The gallery shows one emoji of each category there is, named in its alternative text."""

from importlib import import_module

import pytest
import torch

from workbench.data import EmojiPart

module = import_module("workbench.widgets.gallery")  # the package's own `gallery` is the function


def part(labels):
    pictures = torch.zeros(len(labels), 4, 4, 3, dtype=torch.uint8)
    names = [f"name {i}" for i in range(len(labels))]
    return EmojiPart(pictures, names, torch.tensor(labels, dtype=torch.int64), ["twitter"] * len(labels))


def test_one_of_each_category_in_words(monkeypatch):
    told = []
    monkeypatch.setattr(module.style, "show", lambda figure, alt: told.append((figure, alt)))
    module.gallery(part([2, 0, 2]), ["Flags", "Objects", "Symbols"], columns=1)
    ((figure, alt),) = told
    assert "name 1 (Flags), name 0 (Symbols)" in alt
    assert "Objects" not in alt
    assert len(figure.axes) == 2


@pytest.mark.parametrize(("labels", "columns", "argument"), [([], 4, "part"), ([0], 0, "columns")])
def test_refuses_what_it_cannot_show(labels, columns, argument):
    with pytest.raises(ValueError, match=argument):
        module.gallery(part(labels), ["Flags"], columns)
