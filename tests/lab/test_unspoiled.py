"""A learner's notebook has every cell and no output; what is no notebook is left alone."""

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.lab import lessons
from workbench.lab.unspoiled import unspoiled


def test_keeps_every_cell_and_drops_what_was_run():
    for path in (
        lessons.SOURCE / name for name in lessons.published(lessons.SOURCE) if name.endswith(".ipynb")
    ):
        ours, theirs = nbformat.read(path, 4), nbformat.reads(unspoiled(path.read_bytes()).decode(), 4)
        nbformat.validate(theirs)
        assert [(c.id, c.source, c.metadata) for c in theirs.cells] == [
            (c.id, c.source, c.metadata) for c in ours.cells
        ]
        code = [cell for cell in theirs.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        assert unspoiled(unspoiled(path.read_bytes())) == unspoiled(path.read_bytes())


@given(
    st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_other_bytes_come_back_as_they_are(content):
    assert unspoiled(content) == content


@pytest.mark.parametrize("content", [b'{"cells": 3}', b'{"cells": [3]}', b'{"cells": [{}]}'])
def test_json_that_is_no_notebook_comes_back_as_it_is(content):
    assert unspoiled(content) == content


def test_the_learners_copy_shows_no_result(tmp_path):
    lessons.refresh(lessons.SOURCE, tmp_path)
    book = nbformat.read(tmp_path / "0_start.ipynb", 4)
    assert not any(cell.get("outputs") for cell in book.cells)
    assert lessons.refresh(lessons.SOURCE, tmp_path).refreshed == []
