"""The x-ray of real runs: it opens where the most is wasted, follows slider and buttons, is readable in any state."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import float32

from kernels import compiled, simt
from kernels.backend import cuda
from kernels.simt.counters import Counters
from kernels.simt.hazards import Access, BarrierDivergence, DataRace, LaunchLimit, OutOfBounds
from kernels.simt.record import SourceLine, Step
from kernels.simt.run import Run
from workbench.drawing.shapes import Circle, Rect, Text
from workbench.drawing.style import BLUE, EDGE, ORANGE, VERMILLION
from workbench.widgets.xray import XRay
from workbench.widgets.xray_heat import HEATS, shown
from workbench.widgets.xray_source import BAR, FULL, ROW

ALL = (1 << 32) - 1


@cuda.jit
def reverse(x, out):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    out[t] = tile[63 - t]


@cuda.jit
def transpose(matrix, out):
    tile = cuda.shared.array((32, 32), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    for row in range(y, 32, 8):
        tile[row, x] = matrix[row, x]
    cuda.syncthreads()
    for row in range(y, 32, 8):
        out[row, x] = tile[x, row]


@cuda.jit
def parity(x, out):
    i = cuda.grid(1)
    if i % 2 == 0:
        out[i] = x[i]
    else:
        out[i] = x[2 * i]


def line_of(kernel, text):
    lines, first = inspect.getsourcelines(kernel.py_func)
    return first + next(i for i, line in enumerate(lines) if text in line)


def floats(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.fixture(scope="module")
def racy():
    return simt.launch(reverse, 1, 64, floats(64), floats(64), on_hazard="record")


@pytest.fixture(scope="module")
def tiled():
    return simt.launch(transpose, 1, (32, 8), floats(32, 32), floats(32, 32))


@pytest.fixture(scope="module")
def divergent():
    return simt.launch(parity, 1, 40, floats(80), floats(80))


def highlighted(scene, color=BLUE):
    """The numbers of the lines on tinted ground."""
    grounds = [
        s
        for s in scene.shapes
        if isinstance(s, Rect) and s.fill == color and s.height == ROW and s.opacity < 1
    ]
    numbers = [s for s in scene.shapes if isinstance(s, Text) and s.x == 60 and s.anchor == "end"]
    return [int(n.text) for g in grounds for n in numbers if g.y < n.y < g.y + ROW]


def states(xray):
    """A strategy of all that its knobs can be set to."""
    knobs = {knob["name"]: knob for knob in xray.controls}
    values = {
        "heat": st.sampled_from(list(HEATS)),
        "hazard": st.sampled_from(["", *[k for k, _ in xray.hazards]]),
    }
    if "step" in knobs:
        values["step"] = st.integers(1, int(knobs["step"]["high"]))
    if "warp" in knobs:
        values["warp"] = st.sampled_from([key for key, _ in knobs["warp"]["options"]])
    return st.fixed_dictionaries(values)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", ["racy", "tiled", "divergent"])
def test_every_state_is_readable(request, readable, name, data):
    xray = XRay(request.getfixturevalue(name))
    scene = xray.figure(**data.draw(states(xray)))
    readable(scene)
    assert scene.alt.startswith(f"X-ray of {xray.title.removeprefix('X-ray of ')}. ")


@pytest.mark.parametrize("name", ["racy", "tiled", "divergent"])
def test_the_still_picture_is_readable(request, readable, name):
    readable(XRay(request.getfixturevalue(name)).still())


def test_it_opens_where_the_most_is_wasted(tiled, divergent):
    conflict = XRay(tiled)
    assert "32 wavefronts where 1 would do" in conflict.alt
    assert f"line {line_of(transpose, 'tile[x, row]')}: 32 lanes read" in conflict.alt
    assert conflict.state["heat"] == "conflicts"
    strided = XRay(divergent)
    assert f"line {line_of(parity, 'x[2 * i]')}: 16 lanes read 64 bytes of x. 8 sectors" in strided.alt
    assert strided.state["heat"] == "sectors"


def test_it_opens_at_a_hazard_and_shows_both_sides(racy):
    xray = XRay(racy)
    write, read = line_of(reverse, "tile[t] = x[t]"), line_of(reverse, "63 - t")
    assert xray.hazards == [["1", f"DataRace, line {read}"]]
    assert xray.state["hazard"] == "1"
    scene = xray.figure()
    assert highlighted(scene, VERMILLION) == [write, read]
    discs = [s.fill for s in scene.shapes if isinstance(s, Circle) and s.radius > 4]
    assert discs == [VERMILLION] * 4  # 1 and 2, beside the lines and on the cards
    texts = [s.text for s in scene.shapes if isinstance(s, Text)]
    one, other = racy.hazards[0].threads
    for text in (f"thread {one}", "writes", f"line {write}", f"thread {other}", "reads", f"line {read}"):
        assert text in texts
    assert f"tile, byte {racy.hazards[0].address}" in texts
    assert racy.hazards[0].message[1:] in scene.alt
    assert {one, other} == {racy.hazards[0].address // 4, 63 - racy.hazards[0].address // 4}


def test_the_slider_moves_the_highlighted_line_and_leaves_the_hazard(racy):
    xray = XRay(racy)
    xray.state = {**xray.state, "step": 2}
    assert xray.state["hazard"] == ""
    assert highlighted(xray.figure(step=2, hazard="")) == [line_of(reverse, "tile[t] = x[t]")]
    assert "32 lanes write 128 bytes of tile in shared memory" in xray.alt
    xray.state = {**xray.state, "step": 3}
    assert "32 lanes read 128 bytes of tile in shared memory" in xray.alt
    xray.state = {**xray.state, "hazard": "1"}
    assert "DataRace" in xray.alt
    xray.state = {**xray.state, "heat": "lanes"}
    assert xray.state["hazard"] == "1"  # another heat does not leave it
    xray.state = {**xray.state, "warp": "1"}
    assert xray.state["hazard"] == ""
    assert xray.alt.startswith("X-ray of reverse. Warp 1")
    assert xray.error == ""


def test_a_browser_that_has_not_heard_yet_does_not_bring_the_hazard_back(racy):
    """A slider sends faster than answers come: the hazard it still names is the one that its first turn left."""
    xray = XRay(racy)
    stale = dict(xray.state)
    for step in (2, 3):
        xray.set_state({"state": {**stale, "step": step}})  # as a message from the browser does
        assert xray.state["hazard"] == ""
        assert xray.state["step"] == step
        assert xray.alt.startswith("X-ray of reverse. Warp 0")


def test_what_no_button_sends_is_refused(racy):
    xray = XRay(racy)
    before = xray.svg
    xray.state = {**xray.state, "hazard": "7"}
    assert xray.error == "hazard must be one of , 1, got '7'"
    assert xray.svg == before


def test_steps_are_those_of_the_warp(tiled):
    """Eight warps, each going through the same lines; each step of each is told under its own warp."""
    xray = XRay(tiled)
    knobs = {knob["name"]: knob for knob in xray.controls}
    assert [key for key, _ in knobs["warp"]["options"]] == [str(warp) for warp in range(8)]
    for warp in ("0", "7"):
        mine = [step for step in tiled.steps if step.warp == int(warp)]
        assert knobs["step"]["high"] == len(mine)
        for number, step in enumerate(mine, 1):
            alt = xray.figure(step=number, warp=warp).alt
            assert f"Warp {warp}, line {step.line}: " in alt


def test_the_verdict_of_a_real_step_is_the_simulators_count(tiled, divergent):
    for run in (tiled, divergent):
        xray = XRay(run)
        for number, step in enumerate((s for s in run.steps if s.warp == 1), 1):
            if step.addresses:
                unit = "wavefront" if step.space == "shared" else "sector"
                assert f". {step.cost} {unit}" in xray.figure(step=number, warp="1").alt


@pytest.mark.parametrize("heat", HEATS)
def test_bars_are_as_long_as_their_readings_and_orange_where_something_is_wasted(tiled, divergent, heat):
    for run in (tiled, divergent):
        read = {line: HEATS[heat].read(counters) for line, counters in run.lines.items()}
        full = HEATS[heat].full or max(filter(None, read.values()))
        scene = XRay(run).figure(heat=heat)
        texts = [s for s in scene.shapes if isinstance(s, Text)]
        bars = [s for s in scene.shapes if isinstance(s, Rect) and s.x == BAR and s.fill != EDGE]
        assert len(bars) == sum(value is not None for value in read.values()) + any(read.values())
        for line, value in read.items():
            if value is None:
                continue
            (number,) = [s for s in texts if s.text == str(line) and s.x == 60]
            (bar,) = [s for s in bars if number.y - ROW < s.y < number.y]
            (figure,) = [s.text for s in texts if s.y == number.y and s.anchor == "end" and s is not number]
            assert bar.width == pytest.approx(FULL * value / full)
            assert figure == shown(value)
            assert bar.fill == (ORANGE if HEATS[heat].wasteful(run.lines[line]) else BLUE)


def source(count, kernel="long"):
    lines = [f"def {kernel}(x, out):", *(f"    a{i} = x[{i}] * a{i - 1}  # {i}" for i in range(1, count))]
    return tuple(SourceLine(number, text, kernel) for number, text in enumerate(lines, 100))


def load(line, warp=0):
    return Step(warp, line, "load", ALL, "global", "x", 4, tuple(range(0, 128, 4)), 4)


def test_a_long_kernel_is_shown_around_the_step(readable):
    run = Run("long", (1,), (32,), source=source(44), steps=[load(line) for line in range(101, 144)])
    for step in (1, 20, 43):
        scene = XRay(run).figure(step=step)
        readable(scene)
        assert highlighted(scene) == [100 + step]
        assert any("more lines" in s.text for s in scene.shapes if isinstance(s, Text))


def test_both_sides_of_a_race_are_shown_however_far_apart(readable):
    sides = (Access("writes", 102, 0, (1, 0)), Access("reads", "lanes.py:12", 1, (31, 3)))
    helper = SourceLine("lanes.py:12", "        return value", "helper")
    run = Run("long", (1,), (32,), source=(*source(44), helper), hazards=[DataRace("a race", accesses=sides)])
    scene = XRay(run).figure()
    readable(scene)
    assert highlighted(scene, VERMILLION) == [102, 12]
    assert "helper, in lanes.py:" in [s.text for s in scene.shapes if isinstance(s, Text)]


@pytest.mark.parametrize(
    "hazard",
    [
        OutOfBounds("thread 7 writes out[64], " + "beyond the end " * 30, accesses=(Access("writes", 103, 0, 7),),
                    array="out", address=256),
        BarrierDivergence("threads wait", accesses=(Access("waits", 103, 0, 7), Access("has left", 103, 0, 8))),
        LaunchLimit("2048 threads in a block, at most 1024", accesses=(Access("is launched with", 100, 0, 0),)),
    ],
    ids=lambda hazard: hazard.kind,
)  # fmt: skip
def test_every_kind_of_hazard_is_readable_without_a_step(readable, hazard):
    run = Run("long", (1,), (2048,), source=source(9), notes=[hazard])
    xray = XRay(run)
    readable(xray.still())
    assert xray.hazards == [["1", f"{hazard.kind}, line {hazard.line} (note)"]]
    assert hazard.kind in xray.alt


def test_long_names_fit(readable):
    name = "a_kernel_with_a_name_that_tells_the_whole_story"
    lines = source(3, name)
    step = Step(
        0,
        "a_module_of_device_functions.py:1024",
        "atomic",
        ALL,
        "shared",
        name,
        8,
        tuple(range(0, 256, 8)),
        2,
    )
    notes = [
        OutOfBounds("far out", accesses=(Access("writes", 101, (7, 7), (31, 31)),), array=name, address=2**40)
    ]
    run = Run(name, (65535, 65535), (32, 32), source=lines, steps=[step], notes=notes)
    for hazard in ("", "1"):
        readable(XRay(run).figure(hazard=hazard))


def test_a_run_without_steps_or_source_says_so(readable):
    xray = XRay(Run("nothing", (1,), (1,)))
    readable(xray.still())
    assert "nothing: no step was kept" in xray.alt
    assert [knob["name"] for knob in xray.controls] == ["heat"]


def test_a_single_step_has_no_slider(readable):
    xray = XRay(Run("one", (1,), (32,), Counters(), source=source(3), steps=[load(101)]))
    readable(xray.still())
    assert [knob["name"] for knob in xray.controls] == ["heat"]
    assert "Warp 0, line 101: 32 lanes read" in xray.alt


def test_machine_code_follows_the_highlighted_line(racy):
    write, read = line_of(reverse, "tile[t] = x[t]"), line_of(reverse, "63 - t")
    xray = XRay(racy, ptx={write: ["ld.global.f32", "st.shared.f32"]})
    assert xray.ptx == ["", ""]  # the hazard's line has none
    xray.state = {**xray.state, "step": 2}
    assert xray.ptx == [str(write), "ld.global.f32\nst.shared.f32"]
    xray.state = {**xray.state, "step": 4}
    assert read != write
    assert xray.ptx == ["", ""]
    assert XRay(racy).ptx == ["", ""]


def test_the_compilers_own_lines_stand_beside_the_source(racy):
    try:
        lines = compiled.inspect(reverse, (floats(64), floats(64))).lines
    except compiled.CompilerMissing:
        pytest.skip("needs the extra [compiler]")
    xray = XRay(racy, ptx=lines)
    line, code = xray.ptx  # the hazard's: it reads shared memory and writes global memory
    assert line == str(line_of(reverse, "63 - t"))
    assert "ld.shared.f32" in code
    assert "st.global.f32" in code
    xray.state = {**xray.state, "step": 2}
    assert "ld.global.f32" in xray.ptx[1]


def test_a_run_shows_itself(racy):
    xray = racy.show()
    assert isinstance(xray, XRay)
    assert xray.svg == XRay(racy).svg


def test_the_module_is_one_module():
    assert XRay._esm.count("export default") == 1
    assert "renderXRay" in XRay._esm


def test_the_same_run_gives_the_same_picture(tiled):
    assert XRay(tiled).svg == XRay(tiled).svg
    assert repr(XRay(tiled)) == "XRay('X-ray of transpose')"


def test_a_run_says_in_a_line_what_it_is(racy):
    assert repr(racy) == "reverse[1, 64]: DataRace; see .table() and .show()"
