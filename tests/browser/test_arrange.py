"""Lines put in order as a reader does it: by keyboard, by dragging; a mistake is named, the right order counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.exercises import find

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSON = Path(__file__).resolve().parents[2] / "lessons" / "3_fusion" / "2_moderate.ipynb"
TASK = find("fusion.noisy_step")
CELL = 'arrange("fusion.noisy_step")'


def test_lines_are_moved_by_keyboard_and_by_dragging(lab, save_picture):
    copy = lab.folder / "ordering" / "2_moderate.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(LESSON, copy)
    lab.open("ordering/2_moderate.ipynb")
    lab.command("notebook:clear-all-cell-outputs")
    cells = lab.cells()
    for holding in ("header(", CELL):
        lab.run_cell(holding)
    form = lab.page.locator("form").filter(has=lab.page.locator("ol.lines"))
    form.wait_for()
    assert shown(form) == list(TASK.ordering.shown.values())
    save_picture(form, "arrange-scrambled")

    right = list(TASK.ordering.lines)
    early = [*right[:4], right[5], right[4]]  # steps before it has gradients
    move_by_keyboard(lab.page, form, early)
    assert shown(form) == early
    form.get_by_role("button", name="Check").click()
    form.get_by_role("status").filter(has_text="clears the gradients").wait_for()
    save_picture(form, "arrange-wrong")

    rows = form.locator("ol.lines li")
    rows.nth(5).drag_to(rows.nth(4), target_position={"x": 200, "y": 4})
    assert shown(form) == right
    form.get_by_role("button", name="Check").click()
    form.get_by_role("status").filter(has_text="Right").wait_for()
    save_picture(form, "arrange-right")
    assert form.get_by_role("button", name="Check").is_disabled()
    assert lab.cells() == cells
    lab.close()


def shown(form) -> list[str]:
    return form.locator("ol.lines code").all_text_contents()


def move_by_keyboard(page, form, wanted: list[str]) -> None:
    """Moves each line up to its place with the keys alone; the focus stays on the button that is pressed."""
    for place, line in enumerate(wanted):
        button = form.get_by_role("button", name=f"Move up: {line.strip()}", exact=True)
        button.focus()
        for _ in range(shown(form).index(line) - place):
            page.keyboard.press("Space")
            assert button.evaluate("button => button === document.activeElement")
