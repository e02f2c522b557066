"""The x-ray of a real run in a real JupyterLab: scrub a step, click a hazard, unfold a line's machine code."""

from __future__ import annotations

import nbformat
import pytest

pytestmark = pytest.mark.browser

SOURCE = """
import numpy as np
from numba import float32
from kernels import simt
from kernels.backend import cuda
from workbench.widgets.xray import XRay

@cuda.jit
def reverse(x, out):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    out[t] = tile[63 - t]

x = np.arange(64, dtype=np.float32)
run = simt.launch(reverse, 1, 64, x, np.empty_like(x), on_hazard="record")
first = run.source[0].line
XRay(run, ptx={first + 4: ["ld.global.f32 %f1, [%rd7];", "st.shared.f32 [%r5], %f1;"]})
"""


@pytest.fixture
def opened(lab, folder):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SOURCE.strip())])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "xray.ipynb")
    lab.open("xray.ipynb")
    lab.run_all()
    assert lab.errors() == []
    yield lab
    lab.close()


def words(xray) -> str:
    return xray.locator(".picture svg").get_attribute("aria-label")


def changed(lab, xray, before: str) -> str:
    lab.page.wait_for_function(
        "([node, before]) => node.querySelector('.picture svg').getAttribute('aria-label') !== before",
        arg=[xray.element_handle(), before],
    )
    return words(xray)


def tinted(xray, color: str) -> list[float]:
    """Where the rows on tinted ground stand, from top to bottom."""
    rows = xray.locator(f".picture rect[fill='{color}'][fill-opacity][height='18']")
    return rows.evaluate_all("nodes => nodes.map((node) => Number(node.getAttribute('y')))")


def test_the_keyboard_scrubs_and_a_click_shows_both_accesses(opened, save_picture):
    lab = opened
    before = lab.cells()
    xray = lab.page.get_by_role("group", name="X-ray of reverse", exact=True)
    xray.wait_for()
    opening = words(xray)
    assert "DataRace" in opening  # it opens at the hazard
    button = xray.get_by_role("button", name="DataRace, line")
    assert button.get_attribute("aria-pressed") == "true"
    race = tinted(xray, "#d55e00")
    assert len(race) == 2

    slider = xray.get_by_label("Step", exact=True)
    slider.focus()
    lab.page.keyboard.press("ArrowRight")
    second = changed(lab, xray, opening)
    assert "32 lanes write 128 bytes of tile in shared memory" in second
    assert button.get_attribute("aria-pressed") == "false"
    assert tinted(xray, "#d55e00") == []
    (here,) = tinted(xray, "#0072b2")
    lab.page.keyboard.press("ArrowRight")
    third = changed(lab, xray, second)
    assert "32 lanes read 128 bytes of tile in shared memory" in third
    assert tinted(xray, "#0072b2") == [here + 18]  # the next line
    assert [here, here + 18] == race
    assert slider.evaluate("node => node === document.activeElement")

    button.click()
    changed(lab, xray, third)
    assert button.get_attribute("aria-pressed") == "true"
    assert tinted(xray, "#d55e00") == race
    save_picture(xray, "X-ray hazard")
    button.focus()
    lab.page.keyboard.press("Enter")  # a pressed button lets go
    changed(lab, xray, opening)
    assert words(xray) == third
    assert button.get_attribute("aria-pressed") == "false"

    for key in ("x", "d", "d", "a", "b", "Escape", "ArrowDown"):
        lab.page.keyboard.press(key)
    assert lab.cells() == before
    assert xray.locator(".wrong").is_hidden()


def test_the_machine_code_of_a_line_unfolds(opened, save_picture):
    lab = opened
    xray = lab.page.get_by_role("group", name="X-ray of reverse", exact=True)
    xray.wait_for()
    fold = xray.locator("details")
    assert fold.is_hidden()  # the hazard's line has no code in this test
    opening = words(xray)
    xray.get_by_label("Warp", exact=True).select_option("1")
    moved = changed(lab, xray, opening)
    assert "Warp 1, line" in moved
    fold.locator("summary").click()
    assert "ld.global.f32 %f1, [%rd7];\nst.shared.f32 [%r5], %f1;" in fold.locator("pre").inner_text()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        save_picture(xray, f"X-ray-{theme.split()[-1]}")
