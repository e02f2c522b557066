"""Results made up for the tests of tables and pictures, and a machine without a compiler."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from kernels.bench.cases import CASES
from kernels.bench.result import COPY, Result
from kernels.bench.rivals import EAGER, OURS
from kernels.bench.work import Work
from workbench.profiling.timing import Timing


@pytest.fixture
def no_compiler(monkeypatch):
    """torch.compile as it is where there is no C++ compiler."""

    def compile(function, **options):
        def fails(*inputs):
            raise RuntimeError("No working C++ compiler found")

        return fails

    monkeypatch.setattr(torch, "compile", compile)


@pytest.fixture
def made_up() -> Callable[..., Result]:
    """Makes a result; by default ours takes 2 s, torch eager 6 and a copy 1, for 12 GB."""

    def make(
        name: str = "bias_gelu",
        size: int = 4096,
        backward: bool = False,
        seconds: Mapping[str, float] | None = None,
        flops: int = 10**9,
        device: str = "cpu",
        peaks: Mapping[str, int] | None = None,
        **options: Any,
    ) -> Result:
        seconds = seconds or {OURS: 2.0, EAGER: 6.0}
        samples = {rival: (value,) * 3 for rival, value in {**seconds, COPY: 1.0}.items()}
        timing = Timing(samples, "thread CPU time", cores=2, threads=1, cpu_share=1.0, device=device)
        return Result(
            CASES[name],
            size,
            backward,
            options.pop("dtype", torch.float32),
            Work(bytes=int(12e9), flops=flops, unfused_bytes=int(24e9)),
            timing,
            dict(peaks or dict.fromkeys(seconds, 10)),
            **options,
        )

    return make
