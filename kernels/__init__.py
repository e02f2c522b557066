"""Fused operations, one per file, each with a reference, a GPU kernel and a CPU twin."""
