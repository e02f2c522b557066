"""Every test, and every kernel that a test starts, has data, settings and history of its own.

Set while pytest loads this file, which is before torch or numba is imported and read their share of the cores.
"""

import os
import tempfile
from pathlib import Path

from workbench.lab.checks import NOT_FOR_TESTS, surroundings

FOLDER = tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True)

os.environ.update(
    surroundings(Path(FOLDER.name), os.environ, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
)
for name in NOT_FOR_TESTS:
    os.environ.pop(name, None)


def pytest_unconfigure() -> None:
    FOLDER.cleanup()
