"""The x-ray of a launch: the source with its heat, and beside it what one warp does at one step.

A profiler says that a kernel is slow; the x-ray shows the access that makes it so. On the left is the reader's own
source. On the right is the step under the slider: lanes and the sectors they touch, lanes and the banks they meet in,
lanes at a test or a barrier. A hazard, picked by its button, shows the threads and the byte on which they met.

A picture is put together in `xray_frame.py`: on the left `xray_source.py`, on the right `xray_memory.py` (global
memory), `xray_banks.py` (shared memory), `xray_lanes.py` (tests, barriers) or `xray_hazard.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from kernels.simt.hazards import Line
from kernels.simt.instruments.traffic import SECTOR, lanes_at_once
from kernels.simt.record import Record, Step
from workbench.widgets.base import HERE, module, styles
from workbench.widgets.controls import Control, Range, Select
from workbench.widgets.explorer import Explorer, State
from workbench.widgets.xray_frame import findings, frame, line_of, names, warps
from workbench.widgets.xray_heat import HEATS
from workbench.widgets.xray_lanes import lanes_of

BUTTONS = 12  # hazards that get one
WASTE = "Which line moves more than it uses, and which lanes are to blame?"
WRONG = "What goes wrong, at which line, and what would mend it?"


class XRay(Explorer):
    """Explorer: scrub through the steps of a run's first block, and see where its memory traffic and hazards come from.

    run: what `kernels.simt.launch` gives back, or the `run` of a hazard it raised.
    ptx: the lines of machine code that each line of source became, as `kernels.compiled.inspect(...).lines` has them.
    """

    _esm = module(HERE / "explorer.js").partition("export default")[0] + (HERE / "xray.js").read_text("utf-8")
    _css = styles(HERE / "xray.css")

    hazards: Any = traitlets.List(read_only=True).tag(sync=True)  # (value in the state, text of the button)
    ptx: Any = traitlets.List(["", ""], read_only=True).tag(sync=True)  # the line, its code

    def __init__(self, run: Record, ptx: Mapping[Line, Sequence[str]] | None = None) -> None:
        self._run, self._ptx = run, ptx or {}
        self._shown: State = {}
        super().__init__(
            title=f"X-ray of {run.kernel}",
            question=WRONG if run.hazards else WASTE,
            controls=knobs(run),
            frame=lambda state: frame(state, run),
        )
        # no knob, but a pointer into the picture: buttons of its own in xray.js
        chosen = Select("hazard", "Hazard", {"": "none", **names(run)}, value="1" if findings(run) else "")
        self._knobs["hazard"] = chosen
        self.set_trait("hazards", [list(name) for name in names(run).items()][:BUTTONS])
        self.state = {**self.state, "hazard": chosen.first}

    @traitlets.validate("state")
    def _accept(self, proposal: Any) -> State:
        """As any explorer; but a turn of the slider, or another warp, leaves the hazard that was shown."""
        accepted = super()._accept(proposal)
        # not `self.state`: what comes from a browser is there already when it is validated
        if any(accepted.get(name) != self._shown.get(name) for name in ("step", "warp") if self._shown):
            accepted["hazard"] = ""
        return accepted

    def _publish(self, state: State) -> None:
        super()._publish(state)
        self._shown = dict(state)
        line = line_of(state, self._run)
        code = self._ptx.get(line) if line is not None else None
        self.set_trait("ptx", [str(line), "\n".join(code)] if code else ["", ""])


def knobs(run: Record) -> list[Control]:
    """Step and warp where there is more than one, and the heat."""
    by_warp = warps(run)
    longest = max((len(steps) for steps in by_warp.values()), default=0)
    warp, place = dearest(by_warp)
    knobs: list[Control] = []
    if longest > 1:
        knobs.append(Range("step", "Step", 1, longest, 1, value=place + 1, unit=f"of {longest}"))
    if len(by_warp) > 1:
        knobs.append(Select("warp", "Warp", tuple(map(str, by_warp)), value=str(warp)))
    heats = {name: heat.label for name, heat in HEATS.items()}
    opening = by_warp[warp][place] if by_warp else None
    conflict = opening is not None and opening.space == "shared" and waste(opening) > 0
    return [*knobs, Select("heat", "Heat", heats, value="conflicts" if conflict else "sectors")]


def dearest(by_warp: dict[int, list[Step]]) -> tuple[int, int]:
    """Warp and place of the first step that wastes most; where the x-ray opens."""
    places = [(warp, place) for warp, steps in by_warp.items() for place in range(len(steps))]
    return max(places, key=lambda at: waste(by_warp[at[0]][at[1]]), default=(0, 0))


def waste(step: Step) -> int:
    """Sectors or wavefronts beyond the fewest possible; -1 for a step that moves nothing."""
    if not step.addresses:
        return -1
    if step.space == "shared":
        return step.cost - len({lane // lanes_at_once(step.size) for lane in lanes_of(step.active)})
    return step.cost - -(-len(set(step.addresses)) * step.size // SECTOR)
