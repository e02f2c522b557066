"""Who runs the notebook, and which lesson it is."""

import pytest

from workbench.learn import session


@pytest.mark.parametrize(
    ("path", "lesson"),
    [
        ("/home/ada/my_lessons/3_fusion/1_easy.ipynb", "3_fusion/1_easy"),
        (r"C:\Users\ada\my_lessons\3_fusion\1_easy.ipynb", "3_fusion/1_easy"),
        ("my_lessons/0_start.ipynb", "0_start"),
        ("0_start.ipynb", "0_start"),
        ("x/3_fusion/1_easy-Copy1.ipynb", "3_fusion/1_easy-Copy1"),
        ("x/3_fusion/1_easy.new.ipynb", "3_fusion/1_easy.new"),
        ("", ""),
    ],
)
def test_the_lesson_is_read_from_the_notebooks_path(path, lesson, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", path)
    assert session.lesson() == lesson


def test_without_a_session_there_is_neither_person_nor_lesson():
    assert (session.by_person(), session.graded(), session.lesson()) == (False, False, "")


def test_a_grader_outranks_a_person(person, grader):
    assert session.graded()
    assert not session.by_person()


def test_a_plain_interpreter_has_no_buttons():
    assert not session.has_buttons()
