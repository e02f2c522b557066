"""A fresh task of the same shape: where it is told of, and the cell that is opened for it."""

import pytest

from workbench.exercises import Exercise, all, find
from workbench.learn import again, check, hint, session

NAME = "fusion.gate"
TASK = find(NAME)
FOLLOWED = [task for task in all() if isinstance(task, Exercise) and task.again]


@pytest.fixture
def opened(monkeypatch):
    """The texts of the cells that were opened."""
    texts = []
    monkeypatch.setattr(session, "next_cell", texts.append)
    return texts


@pytest.mark.parametrize("task", FOLLOWED, ids=lambda task: task.name)
def test_the_cell_is_an_attempt_that_has_not_been_made(task, opened, shown):
    again(task.name)
    assert task.again.title in repr(shown[0])
    assert task.again.statement in repr(shown[0])
    name = task.again.name.partition(".")[2]
    namespace = {"check": check, "gpu_kernel": lambda kernel: kernel}
    exec(opened[0], namespace)
    assert callable(namespace[name])
    assert "not attempted" in repr(shown[1])


def test_who_has_seen_every_hint_is_told_of_it(shown):
    hint(NAME, step=2)
    hint(NAME, step=3)
    assert [f'again("{NAME}")' in repr(panel) for panel in shown] == [False, True]


def test_who_was_right_is_told_of_it_and_the_lessons_own_solution_is_not(shown):
    check(TASK.solution, NAME)
    check(TASK.solution, NAME, reference=True)
    check(TASK.again.solution, TASK.again)
    assert [f'again("{NAME}")' in repr(panel) for panel in shown] == [True, False, False]


@pytest.mark.parametrize("name", ["fusion.gate_of_three", "start.which_limit", "fusion.row_sum"])
def test_a_task_that_none_follows_is_refused(name, opened, shown):
    with pytest.raises(ValueError, match=r"^exercise: no fresh task follows"):
        again(name)
    assert not opened
    assert not shown


def test_without_a_notebook_the_cell_is_printed(capsys):
    session.next_cell("x = 1")
    assert capsys.readouterr().out == "x = 1\n"
