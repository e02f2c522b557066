"""An exercise as a reader meets it: nothing written, a common mistake, the right answer; and progress follows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from workbench import exercises

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSONS = Path(__file__).resolve().parents[2] / "lessons"

GATE = """def gate(first, second, weight, bias):
    scores = torch.cat([first, second], dim=-1) @ weight.T + bias
    shares = scores.unflatten(-1, (2, -1)).softmax(dim={axis})
    return shares[:, 0] * first + shares[:, 1] * second
"""
KERNEL = """@gpu_kernel
def bias_gelu_kernel(x, bias, out):
    column = cuda.grid(1)
    if column < x.shape[1]:
        {shift}
        for row in range(x.shape[0]):
            z = x[row, column] + {what}
            out[row, column] = HALF * z * (ONE + math.erf(ROOT_HALF * z))
"""
# lesson, exercise, cells to run before it, the stub's first line, a wrong answer and its misconception, a right one
ANSWERS = [
    (
        "3_fusion/2_moderate",
        "fusion.gate",
        ["header(", "import torch"],
        "def gate(",
        GATE.format(axis=-1),
        "takes the softmax over the features",
        GATE.format(axis=1),
    ),
    (
        "3_fusion/3_hard",
        "fusion.bias_gelu_kernel",
        ["header(", "def a_thread_a_row("],
        "def bias_gelu_kernel(",
        KERNEL.format(shift="pass", what="bias[column]"),
        "loads the bias again in each row",
        KERNEL.format(shift="shift = bias[column]", what="shift"),
    ),
]


@pytest.mark.parametrize(("lesson", "exercise", "before", "stub", "wrong", "misconception", "right"), ANSWERS)
def test_a_mistake_is_named_and_the_right_answer_counts(
    lab, save_picture, lesson, exercise, before, stub, wrong, misconception, right
):
    copy = lab.folder / "answers" / f"{lesson}.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(LESSONS / f"{lesson}.ipynb", copy)
    lab.open(f"answers/{lesson}.ipynb")
    check, count = (
        f'check({exercise.partition(".")[2]}, "{exercise}")',
        "from workbench.learn import progress",
    )
    lab.append(f"{count}\nprogress()")
    for holding in (*before, stub, check, count):
        lab.run_cell(holding)
    assert "not attempted" in lab.said(check)
    untouched = done(lab.said(count), lesson)

    lab.write(stub, wrong)
    lab.run_cell(check)
    assert misconception in exercises.find(exercise).wrong
    assert misconception in lab.said(check)
    save_picture(lab.page, f"exercise-{exercise}-wrong")
    lab.run_cell(count)
    assert done(lab.said(count), lesson) == untouched

    lab.write(stub, right)
    lab.run_cell(check)
    assert "right" in lab.said(check).lower()
    assert misconception not in lab.said(check)
    lab.run_cell(count)
    assert done(lab.said(count), lesson) == untouched + 1
    lab.close()


def done(progress: str, lesson: str) -> int:
    """How many tasks of a moderate or hard lesson are done, read off the printed map."""
    track, level = lesson.split("/")
    row = next(line for line in progress.splitlines() if line.startswith(track.replace("_", " ")))
    cell = re.split(r"  +", row)[int(level[0])]
    return int(re.match(r"(\d+) of \d+ done", cell).group(1))
