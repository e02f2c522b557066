"""What modularity costs: of one fabric (`overhead.py`), and of each of its forms by size (`python -m`, here)."""
