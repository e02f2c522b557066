"""Every exercise and question of every track proves itself."""

from collections import Counter

import pytest

from workbench.exercises import Exercise, Question, all, find, for_lesson, grade, prove
from workbench.exercises.exercise import call

TASKS = all(again=True)
EXERCISES = [task for task in TASKS if isinstance(task, Exercise)]
QUESTIONS = [task for task in TASKS if isinstance(task, Question)]


def named(task):
    return task.name


def proofs():
    """Each exercise with three seeds; one that runs answers in a way of its own (a kernel, a pass) may take seconds."""
    for exercise in EXERCISES:
        for seed in (0, 1, 2):
            marks = [pytest.mark.slow] if seed and exercise.run is not call else []
            yield pytest.param(exercise, seed, marks=marks, id=f"{exercise.name}-{seed}")


@pytest.mark.parametrize(("exercise", "seed"), list(proofs()))
def test_solution_passes_stub_does_not_and_each_mistake_is_caught_and_named(exercise, seed):
    prove(exercise, seed)


@pytest.mark.parametrize("exercise", EXERCISES, ids=named)
def test_each_case_label_can_be_reached_by_every_draw(exercise):
    labels = Counter(case.label for case in exercise.cases())
    assert set(labels.values()) == {3}


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_exactly_one_option_is_right_and_each_wrong_one_is_explained(question):
    from workbench.learn.question import judge

    tones = {key: judge(question, key).tone for key in question.options}
    assert [key for key, tone in tones.items() if tone == "right"] == [question.answer]
    for key in question.options:
        assert question.why[key].count(".") >= 1 or question.why[key].endswith("!")
        assert len(question.why[key]) > 40
    assert len(set(question.options.values())) == len(question.options)


def test_the_right_option_cannot_be_guessed_from_its_place_or_length():
    places = Counter(question.answer for question in QUESTIONS)
    assert max(places.values()) <= len(QUESTIONS) / 2
    longest = [q for q in QUESTIONS if len(q.options[q.answer]) == max(map(len, q.options.values()))]
    assert len(longest) <= len(QUESTIONS) / 2


def test_names_are_unique_and_belong_to_their_track():
    names = [task.name for task in TASKS]
    assert len(names) == len(set(names))
    assert {"start.bytes_of_add", "start.which_limit", "fusion.tower", "fusion.fused_bytes"} <= set(names)


def test_a_fresh_task_is_found_and_proved_but_not_on_the_lessons_path():
    fresh = [task for task in TASKS if task not in all()]
    assert fresh
    for task in fresh:
        assert find(task.name) is task
        assert task not in for_lesson(task.lesson)


def test_find_and_for_lesson():
    assert find("fusion.tower").lesson == "3_fusion/1_easy"
    assert find("fusion.tower") in for_lesson("3_fusion/1_easy")
    assert for_lesson("9_none/1_easy") == ()
    with pytest.raises(ValueError, match=r"fusion\.tower"):
        find("fusion.towr")
    with pytest.raises(ValueError, match="no exercise or question"):
        find("zzz")


def test_the_stub_of_each_exercise_is_python_and_not_attempted():
    for exercise in EXERCISES:
        namespace = {}
        exec(exercise.stub, namespace)
        assert grade(exercise, namespace[exercise.name.split(".")[1]]).status == "not attempted"
