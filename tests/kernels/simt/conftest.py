"""The corpus of correct kernels is a folder of plain modules, which import each other as `corpus.case`."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
