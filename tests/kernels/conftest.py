"""Tests that compile are skipped where NVIDIA's compiler wheels are not installed."""

from importlib import metadata

import pytest


@pytest.fixture(scope="session")
def compiler() -> None:
    """Skips what needs the extra [compiler]."""
    for wheel in ("nvidia-nvvm", "nvidia-cuda-nvcc"):
        try:
            metadata.version(wheel)
        except metadata.PackageNotFoundError:
            pytest.skip("needs the extra [compiler]")
