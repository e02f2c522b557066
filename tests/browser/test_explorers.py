"""Every explorer in a real JupyterLab: it draws, it obeys the keyboard, and the notebook around it stays as it was."""

from __future__ import annotations

import nbformat
import pytest

pytestmark = pytest.mark.browser

SOURCES = [
    """
from types import SimpleNamespace
from workbench.widgets import Explorer, Range, Scene, Text, fusion_ladder, machine_roof, where_to_fuse
machine = SimpleNamespace(name="a test's machine", copy_bandwidth=11.2e9, flops=92e9)
""",
    """
def frame(state):
    if state["amount"] == 7:
        raise ZeroDivisionError("seven cannot be drawn")
    return Scene(400, 60, (Text(10, 40, f"amount {state['amount']}"),), f"amount {state['amount']}")
Explorer("Small", "How much?", [Range("amount", "Amount", 0, 10, 1, value=5)], frame)
""",
    """
results = {("largest class", "none", 0.0): (0.226, 0.0)}
for fusion, clean, picture, name in (("early", .645, .35, .36), ("late", .639, .50, .44), ("hybrid", .651, .47, .45)):
    for i in range(5):
        share = i / 4
        results[fusion, "picture", share] = (clean + (picture - clean) * share, 0.015)
        results[fusion, "name", share] = (clean + (name - clean) * share, 0.012)
where_to_fuse(results)
""",
    """
rows = {}
for size in (128, 4096):
    numbers = 4 * size * size
    rows["bias + GELU", size, False] = (4 * numbers, 4 * numbers / 11.2e9, 5 * numbers / 11.2e9, numbers / 40e9)
    rows["bias + GELU", size, True] = (2 * numbers, 2 * numbers / 11.2e9, 3 * numbers / 11.2e9, numbers / 60e9)
fusion_ladder(rows, machine)
""",
    """
machine_roof(machine, [("add two lists", 4e6, 48e6, 6e-3), ("multiply 1024 × 1024", 2.1e9, 12.6e6, 30e-3)])
""",
    """
from workbench.widgets.gradient_flow import gradient_flow
gradient_flow()
""",
    """
from workbench.widgets.block_algebra import block_algebra
block_algebra()
""",
    """
from workbench.widgets import attention_two_ways
from workbench.widgets.attention_two_ways_kit import measure_attention
attention_two_ways(measure_attention((128, 512)))
""",
    """
from workbench.profiling import Timing
from workbench.widgets import price_of_modularity
from workbench.widgets.price_of_modularity_kit import BARE, LAYERS, WIDTHS, WRAPPINGS, Prices, name
timings = {}
for width in WIDTHS:
    bare = LAYERS * (5e-6 + 1e-9 * width**2)
    samples = {name(*way): (bare + LAYERS * 3e-6 * (1 + way[0]) * (1 + way[1]),) * 3 for way in WRAPPINGS}
    timings[width] = Timing({BARE: (bare,) * 3, **samples}, "thread CPU time", 2, 1, 1.0)
price_of_modularity(Prices(timings))
""",
]
TITLES = [
    "Small",
    "Where to fuse",
    "The fusion ladder",
    "The roofs of this machine: a test's machine",
    "Gradient flow",
    "Block algebra",
    "Attention two ways",
    "The price of modularity",
]


@pytest.fixture(scope="module")
def notebook(folder):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in SOURCES])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "explorers.ipynb")
    return "explorers.ipynb"


@pytest.fixture
def opened(lab, notebook):
    lab.open(notebook)
    lab.run_all()
    assert lab.errors() == []
    yield lab
    lab.close()


def explorer(lab, title):
    widget = lab.page.get_by_role("group", name=title, exact=True)
    widget.wait_for()
    return widget


def words(widget) -> str:
    """What the picture shows, from its accessible name."""
    return widget.locator(".picture svg").get_attribute("aria-label")


def wait_until_changed(lab, widget, before: str) -> str:
    lab.page.wait_for_function(
        "([node, before]) => node.querySelector('.picture svg').getAttribute('aria-label') !== before",
        arg=[widget.element_handle(), before],
    )
    return words(widget)


def test_explorers_in_jupyterlab(opened, save_picture):
    lab = opened
    before = lab.cells()
    for title in TITLES:  # the first frame is there without any interaction
        assert words(explorer(lab, title))
        assert explorer(lab, title).locator(".wrong").is_hidden()

    small = explorer(lab, "Small")
    assert words(small) == "amount 5"
    slider = small.get_by_label("Amount", exact=True)
    slider.focus()
    lab.page.keyboard.press("ArrowRight")
    assert wait_until_changed(lab, small, "amount 5") == "amount 6"
    assert small.locator("output").inner_text() == "6"
    assert small.locator("[aria-live]").inner_text() == "amount 6"
    assert slider.evaluate("node => node === document.activeElement")  # the focus stays

    lab.page.keyboard.press("ArrowRight")  # 7: the frame raises
    small.get_by_role("alert").filter(has_text="ZeroDivisionError: seven cannot be drawn").wait_for()
    assert words(small) == "amount 6"
    lab.page.keyboard.press("ArrowRight")
    assert wait_until_changed(lab, small, "amount 6") == "amount 8"
    assert small.get_by_role("alert").is_hidden()

    fuse = explorer(lab, "Where to fuse")
    first = words(fuse)
    fuse.get_by_label("How much", exact=True).focus()
    lab.page.keyboard.press("End")
    noisy = wait_until_changed(lab, fuse, first)
    assert "100 % noise in the picture" in noisy
    fuse.get_by_label("Fuse", exact=True).select_option("late")
    assert wait_until_changed(lab, fuse, noisy).startswith("Late fusion")

    ladder = explorer(lab, "The fusion ladder")
    first = words(ladder)
    ladder.get_by_label("Fuse them", exact=True).focus()
    lab.page.keyboard.press("Space")
    assert "Fused: 2 trips" in wait_until_changed(lab, ladder, first)

    roof = explorer(lab, "The roofs of this machine: a test's machine")
    first = words(roof)
    roof.get_by_label("Operation", exact=True).focus()
    lab.page.keyboard.press("ArrowDown")
    assert "Held back by arithmetic" in wait_until_changed(lab, roof, first)

    assert lab.cells() == before
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        for title in TITLES[1:]:
            save_picture(explorer(lab, title), f"{title}-{theme.split()[-1]}")


def test_what_a_deep_network_hears_follows_the_keyboard(opened):
    lab = opened
    flow = explorer(lab, "Gradient flow")
    plain = words(flow)
    assert plain.startswith("32 layers, plain, initialization torch's default.")
    assert "Out of earshot" in plain
    flow.get_by_label("Layers", exact=True).focus()
    lab.page.keyboard.press("End")
    deeper = wait_until_changed(lab, flow, plain)
    assert deeper.startswith("64 layers")
    flow.get_by_label("Wiring", exact=True).focus()
    lab.page.keyboard.press("End")  # the last way of wiring
    cured = wait_until_changed(lab, flow, deeper)
    assert "64 layers, residual with layer norm" in cured
    assert flow.locator(".picture text").filter(has_text="Within earshot").is_visible()
    assert flow.locator(".wrong").is_hidden()


def test_attention_sweeps_by_the_keyboard(opened, save_picture):
    lab = opened
    two = explorer(lab, "Attention two ways")
    naive = words(two)
    assert naive.startswith("4,096 tokens, all scores at once (naive): 554 MB at most")
    two.get_by_label("Way", exact=True).focus()
    lab.page.keyboard.press("ArrowDown")
    streaming = wait_until_changed(lab, two, naive)
    assert "Tile 129 of 256" in streaming
    two.get_by_label("Done", exact=True).focus()
    lab.page.keyboard.press("End")
    assert "Tile 256 of 256." in wait_until_changed(lab, two, streaming)
    assert two.locator(".picture text").filter(has_text="one tile of scores").is_visible()
    assert lab.page.get_by_text("profiler_start").count() == 0  # what torch's profiler has to say of itself
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        save_picture(two, f"Attention tile by tile-{theme.split()[-1]}")


def test_a_price_that_vanishes_later_with_hooks(opened):
    lab = opened
    price = explorer(lab, "The price of modularity")
    first = words(price)
    assert "A module in 2 containers, without hooks: less than 5% longer" in first
    price.get_by_label("A hook on each module", exact=True).focus()
    lab.page.keyboard.press("Space")
    hooked = wait_until_changed(lab, price, first)
    assert "A module in 2 containers, with hooks" in hooked
    assert price.get_by_text("hook", exact=True).count() == 3  # one on each module
    price.get_by_label("Containers", exact=True).focus()
    lab.page.keyboard.press("Home")
    assert "A module in no container" in wait_until_changed(lab, price, hooked)


def test_a_bad_edge_shows_its_message_until_the_chain_fits(opened, save_picture):
    lab = opened
    algebra = explorer(lab, "Block algebra")
    bad = words(algebra)
    for part in ("edge rows -> attention.query", "rows gives (batch=32, height=28, 28)", "28, not 64"):
        assert part in bad
        assert algebra.locator(".picture text").filter(has_text=part).is_visible()
    second = algebra.get_by_label("Second", exact=True)
    second.focus()
    lab.page.keyboard.press("ArrowUp")  # from attention to the GRU, which takes 28
    fits = wait_until_changed(lab, algebra, bad)
    assert "It fits, for 18,698 parameters" in fits
    assert algebra.locator(".picture text").filter(has_text="It fits, for 18,698 parameters").is_visible()
    assert algebra.locator(".picture text").filter(has_text="edge rows").count() == 0
    assert second.evaluate("node => node === document.activeElement")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        save_picture(algebra, f"Block algebra that fits-{theme.split()[-1]}")


@pytest.mark.parametrize("page", [{"reduced_motion": "reduce"}], indirect=True)
def test_no_key_in_a_control_reaches_the_notebook(opened):
    lab = opened
    before = lab.cells()
    keys = [
        "x",
        "d",
        "d",
        "a",
        "b",
        "z",
        "m",
        "c",
        "v",
        "ArrowDown",
        "ArrowUp",
        "ArrowLeft",
        "ArrowRight",
        "Escape",
    ]
    for title in TITLES:
        widget = explorer(lab, title)
        for control in widget.locator("select, input").all():
            control.focus()
            for key in keys:
                lab.page.keyboard.press(key)
            assert control.evaluate("node => node === document.activeElement"), (
                f"{title}: a key took the focus away"
            )
    assert lab.cells() == before
    # a reader who asks for less motion gets none
    assert explorer(lab, "Where to fuse").locator("select").first.evaluate(
        "node => getComputedStyle(node).transitionDuration"
    ) in ("0s", "")


def test_tab_walks_from_control_to_control(opened):
    lab = opened
    fuse = explorer(lab, "Where to fuse")
    fuse.get_by_label("Fuse", exact=True).focus()
    names = []
    for _ in range(3):
        names.append(lab.page.evaluate("() => document.activeElement.labels?.[0]?.textContent"))
        lab.page.keyboard.press("Tab")
    assert names == ["Fuse", "Noise in the", "How much"]
    outline = fuse.get_by_label("How much", exact=True).evaluate(
        "node => { node.focus(); return getComputedStyle(node).outlineStyle; }"
    )
    assert outline == "solid"
