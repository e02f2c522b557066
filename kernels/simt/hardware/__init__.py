"""The simulator's counters beside those of a real GPU: `python -m kernels.simt.hardware` prints the table.

`cases.py` holds the kernels, one access pattern each; `profile.py` runs them under NVIDIA's profiler and reads what it
says; `__main__.py` puts both counts side by side. Without an NVIDIA GPU or the profiler it says so and stops.
"""
