"""Every test of the notebook's face has its own empty progress and a known session."""

import pytest


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The folder of this test's progress; nobody has a notebook open, nobody grades."""
    folder = tmp_path / "data"
    monkeypatch.setenv("WORKBENCH_DATA", str(folder))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return folder


@pytest.fixture
def person(monkeypatch):
    """A person has the first fusion lesson open."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/my_lessons/3_fusion/1_easy.ipynb")


@pytest.fixture
def grader(monkeypatch):
    """Nbgrader runs the notebook."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order, as objects."""
    import IPython.display

    items = []
    monkeypatch.setattr(IPython.display, "display", items.append)
    return items
