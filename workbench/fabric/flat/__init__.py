"""A fabric with its modularity taken off: captured (`capture.py`), written as one function (`source.py`), run."""
