"""What a reader sees of the grading, and who must not pass."""

import pytest

from workbench.exercises import find
from workbench.learn import NotRight, check, store

NAME = "start.bytes_of_add"


def right(rows, columns, bytes_per_number):
    return 3 * rows * columns * bytes_per_number


def forgets(rows, columns, bytes_per_number):
    return 2 * rows * columns * bytes_per_number


def stub(rows, columns, bytes_per_number): ...


def test_right_is_green_and_moves_progress(shown):
    assert check(right, NAME).right
    assert repr(shown[0]).startswith("✓ Bytes of an addition: right.")
    assert list(store.load()["done"]) == [NAME]


def test_wrong_shows_the_smallest_input_both_results_and_the_misconception(shown):
    assert not check(forgets, NAME).right
    text = repr(shown[0])
    assert text.splitlines()[1:4] == [
        "  Input (one number)  rows=1, columns=1, bytes_per_number=4",
        "  Expected            12",
        "  Got                 8",
    ]
    assert "This looks like: forgets the write." in text
    html = shown[0]._repr_html_()
    assert html.count('<th scope="row"') == 3
    assert "forgets the write" in html
    assert store.load()["done"] == {}


@pytest.mark.parametrize("answer", [stub, None, ...])
def test_a_stub_is_not_attempted(answer, shown):
    assert not check(answer, NAME).right
    assert "not attempted" in repr(shown[0])
    assert store.load()["done"] == {}


@pytest.mark.parametrize("answer", [stub, forgets, None, 12])
def test_a_grader_fails_whatever_is_not_right(answer, grader, shown):
    with pytest.raises(NotRight, match=NAME):
        check(answer, NAME)
    assert len(shown) == 1


def test_the_lessons_own_solution_is_not_the_readers_progress(shown):
    assert check(right, NAME, reference=True).right
    assert store.load()["done"] == {}
    assert "the lesson's solution: right" in repr(shown[0])


def test_a_false_reference_fails_a_test_run_but_not_a_reader(shown, monkeypatch):
    with pytest.raises(NotRight):
        check(forgets, NAME, reference=True)
    monkeypatch.setenv("JPY_SESSION_NAME", "x/0_start.ipynb")
    assert not check(forgets, NAME, reference=True).right


def test_the_verdict_shows_nothing_of_its_own(shown):
    verdict = check(right, NAME)
    assert verdict._ipython_display_() is None
    assert len(shown) == 1


def test_the_same_answer_shows_the_same_text_every_time(shown):
    for _ in range(2):
        check(lambda *_: 1 / 0, NAME)
    assert repr(shown[0]) == repr(shown[1])
    assert shown[0]._repr_html_() == shown[1]._repr_html_()


def test_an_exercise_itself_may_be_given_and_a_question_not(shown):
    assert check(right, find(NAME)).right
    with pytest.raises(TypeError, match="use question"):
        check(right, "start.which_limit")
    with pytest.raises(ValueError, match=r"start\.bytes_of_add"):
        check(right, "start.bytes_off_add")
