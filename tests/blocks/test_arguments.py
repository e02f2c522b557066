"""A refusal names the argument, what was expected and what it got."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.blocks.arguments import at_least, check_shape


@given(shape=st.lists(st.integers(0, 3), max_size=4), axes=st.lists(st.sampled_from(["n", 2, 3]), max_size=4))
def test_shapes_fit_axis_by_axis(shape, axes):
    fits = len(shape) == len(axes) and all(a in ("n", s) for a, s in zip(axes, shape, strict=True))
    if fits:
        check_shape("x", torch.zeros(shape), *axes)
    else:
        with pytest.raises(ValueError, match="x: expected shape"):
            check_shape("x", torch.zeros(shape), *axes)


@pytest.mark.parametrize(
    ("axes", "fitting", "others"),
    [
        (("...", 3), [(3,), (2, 3), (0, 2, 3)], [(), (2,), (3, 2)]),
        (("batch", 3, "..."), [(2, 3), (2, 3, 4, 5)], [(), (3,), (3, 2)]),
        (("a", "...", "b"), [(1, 2), (1, 2, 3)], [(), (1,)]),
    ],
)
def test_an_ellipsis_is_any_number_of_axes(axes, fitting, others):
    for shape in fitting:
        check_shape("x", torch.zeros(shape), *axes)
    for shape in others:
        with pytest.raises(ValueError, match="x: expected shape"):
            check_shape("x", torch.zeros(shape), *axes)


def test_messages():
    with pytest.raises(ValueError, match=r"^memory: expected shape \(batch, 3, \.\.\.\), got \(2, 4\)$"):
        check_shape("memory", torch.zeros(2, 4), "batch", 3, "...")
    with pytest.raises(ValueError, match=r"^x: expected shape \(3,\), got \(4,\)$"):
        check_shape("x", torch.zeros(4), 3)
    with pytest.raises(ValueError, match=r"^hidden: expected at least 1, got 0$"):
        at_least(1, inputs=2, hidden=0)
    with pytest.raises(TypeError, match=r"^hidden: expected a whole number, got 2\.0$"):
        at_least(1, hidden=2.0)
