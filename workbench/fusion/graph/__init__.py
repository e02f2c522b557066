"""A model as a graph of operations: how it is got (tracing.py), and what may be asked of it (sites.py and others)."""
