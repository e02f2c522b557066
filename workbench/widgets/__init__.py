"""Pictures and explorers: scenes that draw themselves as SVG and PNG, and thin widgets around pure functions.

Start with `scene.py` (what a picture is), then `explorer.py` (how one moves). Where an explorer and its file share a
name, that name here is the explorer; `from workbench.widgets.gradient_flow import gradient_flow
from workbench.widgets.machine_roof import roof` reaches the rest of the file.
"""

from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Rect, Text
from workbench.widgets.attention_two_ways import attention_two_ways
from workbench.widgets.block_algebra import block_algebra
from workbench.widgets.block_tower import block_tower
from workbench.widgets.controls import Range, Select, Toggle
from workbench.widgets.explorer import Explorer
from workbench.widgets.four_blocks import four_blocks
from workbench.widgets.fusion_ladder import fusion_ladder
from workbench.widgets.gallery import gallery
from workbench.widgets.gradient_flow import gradient_flow
from workbench.widgets.machine_roof import machine_roof
from workbench.widgets.price_of_modularity import price_of_modularity
from workbench.widgets.where_to_fuse import where_to_fuse
from workbench.widgets.whom_to_trust import whom_to_trust

__all__ = [
    "Circle",
    "Explorer",
    "Line",
    "Polyline",
    "Range",
    "Rect",
    "Scene",
    "Select",
    "Text",
    "Toggle",
    "attention_two_ways",
    "block_algebra",
    "block_tower",
    "four_blocks",
    "fusion_ladder",
    "gallery",
    "gradient_flow",
    "machine_roof",
    "price_of_modularity",
    "where_to_fuse",
    "whom_to_trust",
]
