"""The library's source in a page: whole, with its place, never an absolute path."""

import functools
import inspect
from pathlib import Path

import pytest
import torch

from workbench import learn
from workbench.exercises import compare, find
from workbench.exercises.exercise import Exercise
from workbench.learn import show_source

ROOT = Path(learn.__file__).parents[2]


def test_a_function_with_its_place_and_lines(shown):
    show_source(compare.difference)
    lines, first = inspect.getsourcelines(compare.difference)
    text = repr(shown[0])
    assert text.startswith(
        f"difference: workbench/exercises/compare.py, lines {first}–{first + len(lines) - 1}\n"
    )
    assert "".join(lines).rstrip() in text


@pytest.mark.parametrize(
    "obj", [compare, Exercise, compare.difference, find("start.bytes_of_add"), torch.nn.Linear]
)
def test_html_is_folded_and_holds_no_absolute_path(obj, shown):
    show_source(obj)
    html = shown[0]._repr_html_()
    assert html.startswith("<details><summary><code>")
    assert str(ROOT) not in html
    assert str(ROOT) not in repr(shown[0])
    assert html == shown[0]._repr_html_()


def test_an_object_shows_its_class_and_a_wrapped_function_the_inner_one(shown):
    show_source(find("start.bytes_of_add"))
    assert repr(shown[0]).startswith("Exercise: workbench/exercises/exercise.py")

    @functools.wraps(compare.brief)
    def wrapper(*arguments):
        return compare.brief(*arguments)

    show_source(wrapper)
    assert "def brief" in repr(shown[1])


def test_a_module_starts_at_line_one(shown):
    show_source(compare)
    assert "workbench/exercises/compare.py, lines 1–" in repr(shown[0])


def test_torch_is_named_by_its_package(shown):
    show_source(torch.nn.Linear)
    assert repr(shown[0]).startswith("Linear: torch/nn/modules/linear.py")


@pytest.mark.parametrize("obj", [len, int, 3, torch.Tensor.add_])
def test_what_has_no_python_source_is_refused(obj, shown):
    with pytest.raises(TypeError, match=r"^obj:"):
        show_source(obj)
