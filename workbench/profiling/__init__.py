"""Instruments: time calls fairly, count their work, and measure the machine they run on."""

from workbench.profiling.machine import Machine, measure
from workbench.profiling.meter import Count, meter
from workbench.profiling.timing import Speedup, Timing, compare

__all__ = ["Count", "Machine", "Speedup", "Timing", "compare", "measure", "meter"]
