# ruff: noqa: E402 - the folder must be on the path before what stands in it is imported
"""The cases are a folder of plain modules, which import each other as `cases.case`; fixtures that go over them."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)

import pytest
from cases.case import Case
from cases.collected import CASES

from kernels.backend import gpu_present

GPU = [pytest.param("cuda", marks=pytest.mark.gpu)] if gpu_present() else []


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Every operation, with each of its options."""
    return request.param


@pytest.fixture(scope="session", params=["cpu", *GPU])
def device(request: pytest.FixtureRequest) -> str:
    """Where to compute: the CPU, and a GPU if there is one."""
    return request.param
