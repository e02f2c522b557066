"""The lessons as a reader meets them: run all, predict, answer, turn a knob; the page's cells stay as they were.

What the cells compute is checked by nbval (tests/lessons); here it is what only a browser shows.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.exercises import Question
from workbench.exercises.registry import all as all_tasks

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
SHOWN = sorted(path.relative_to(LESSONS).as_posix() for path in LESSONS.rglob("*.ipynb"))


@pytest.fixture(params=SHOWN)
def lesson(request, lab):
    """A learner's copy of a lesson, open and run from top to bottom."""
    source = LESSONS / request.param
    copy = lab.folder / "my_lessons" / request.param
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, copy)
    lab.open(f"my_lessons/{request.param}")
    lab.run_all(seconds=300)
    assert lab.errors() == []
    yield lab
    lab.close()


def test_a_reader_can_work_through_it(lesson, save_picture, request):
    before = lesson.cells()
    lock_a_prediction(lesson)
    answer_a_question(lesson)
    explorers = turn_every_explorer(lesson)
    assert lesson.cells() == before
    name = request.node.callspec.params["lesson"].removesuffix(".ipynb")
    save_picture(lesson.page, f"lesson-{name}")
    for number, explorer in enumerate(explorers, start=1):
        save_picture(explorer, f"lesson-{name}-explorer-{number}")


def lock_a_prediction(lab) -> None:
    """A guess typed with the keyboard locks, and stays locked when the cell is run again."""

    button = lab.page.get_by_role("button", name="Lock my guess")
    form = lab.page.locator("form").filter(has=button).first
    entry = form.get_by_role("spinbutton")
    entry.focus()
    for key in ("x", "ArrowUp", "ArrowDown"):
        lab.page.keyboard.press(key)
    entry.fill("37")
    lab.page.keyboard.press("Enter")
    for again in (False, True):
        if again:
            lab.run_cell("predict(")
        form.get_by_role("status").filter(has_text="37").wait_for()
        assert "Locked" in form.get_by_role("status").inner_text()
        assert form.get_by_role("button").is_disabled()
        assert entry.input_value() == "37"


def answer_a_question(lab) -> None:
    """A wrong option is answered by what it would mean, and the right one then by why it is right."""
    form = lab.page.locator("form").filter(has=lab.page.get_by_role("button", name="Check")).first
    asked = form.locator("legend").inner_text()
    task = next(
        task for task in all_tasks() if isinstance(task, Question) and task.prompt.strip() == asked.strip()
    )
    wrong = next(key for key in task.options if key != task.answer)
    for key, word in ((wrong, "Not quite"), (task.answer, "Right")):
        form.locator(f"input[value='{key}']").check()
        form.get_by_role("button", name="Check").click()
        form.get_by_role("status").filter(has_text=word).wait_for()
        assert task.why[key][:40] in form.get_by_role("status").inner_text()
    assert form.get_by_role("button").is_disabled()


def turn_every_explorer(lab) -> list:
    """Each explorer's picture follows the keyboard, and no other key in a control does anything to the page."""
    explorers = lab.page.locator("[role=group].workbench").all()
    assert explorers
    for explorer in explorers:
        control = explorer.locator("input[type=range], select, input[type=checkbox]").first
        picture = explorer.locator(".picture svg")
        before = picture.get_attribute("aria-label")
        control.focus()
        for key in ("x", "Escape", "ArrowLeft"):
            lab.page.keyboard.press(key)
        lab.page.keyboard.press("Home")
        lab.page.keyboard.press("End")
        lab.page.wait_for_function(
            "([node, before]) => node.querySelector('.picture svg').getAttribute('aria-label') !== before",
            arg=[explorer.element_handle(), before],
        )
        assert explorer.locator(".wrong").is_hidden()
    return explorers
