"""`python -m kernels.bench`: every operation beside torch eager and torch.compile, on this machine.

Fair means: rivals take turns round by round, each allocates its own result in every call, all get the same inputs, made
once. GB/s counts the same bytes for all, the operation's ledger (the fewest that must move), so that a rival which
moves more shows as slower. A copy of the same size takes its turns too, into a new tensor: "% of copy" says how near a
rival comes to the speed at which this machine makes a new tensor out of an old one. For a large tensor most of that
can be the system handing out fresh memory, page by page (seen on Linux: 3.6 GB/s with fresh pages, 25 without); a
small one stays in the cache, as its rivals do. `THP_MEM_ALLOC_ENABLE=1`, a variable of torch's own, lets all rivals
alike have their memory in pages of 2 MB: what is left then is more of the operation and less of the system.

On a GPU the time is read off CUDA events, and the level-2 cache is emptied before every call.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import kernels

# a program stands on top of the packages: this is the one place where kernels looks up
from workbench.profiling.clock import thread_count
from workbench.profiling.timing import Timing, compare

EPS = 1e-6
OURS, EAGER, COMPILED, COPY = "ours", "torch eager", "torch.compile", "copy"
Call = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """An operation, what one would write in torch, its inputs for a size, and the bytes of its backward pass."""

    ours: Call
    torch: Call
    inputs: Callable[[int], tuple[Tensor, ...]]
    backward_bytes: Callable[..., int]


def _norm_in_torch(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], weight, EPS)


def _add_norm_in_torch(x: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    summed = x + residual
    return F.rms_norm(summed, x.shape[-1:], weight, EPS), summed


CASES = {
    "bias_gelu": Case(
        kernels.bias_gelu,
        lambda x, bias: F.gelu(x + bias),
        lambda n: (torch.randn(n, n), torch.randn(n)),
        lambda x, bias: kernels.ledger("bias_gelu_backward", x, x, bias, "none", True, True).bytes,
    ),
    "rms_norm": Case(
        lambda x, weight: kernels.rms_norm(x, weight, EPS),
        _norm_in_torch,
        lambda n: (torch.randn(n, n), torch.randn(n)),
        lambda x, weight: kernels.ledger("rms_norm_backward", x, x, weight, EPS, None, True, True).bytes,
    ),
    "add_rms_norm": Case(
        lambda x, residual, weight: kernels.add_rms_norm(x, residual, weight, EPS),
        _add_norm_in_torch,
        lambda n: (torch.randn(n, n), torch.randn(n, n), torch.randn(n)),
        lambda x, residual, weight: (
            kernels.ledger("rms_norm_backward", x, x, weight, EPS, x, True, True).bytes
        ),
    ),
}


@dataclass(frozen=True)
class Result:
    """The rivals of one operation at one size, forward or with the backward pass."""

    operation: str
    size: int
    passes: str
    bytes: int  # by the ledger
    copied: int  # bytes that the copy reads and writes
    timing: Timing

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for each rival, as the CSV file holds them."""
        timing = self.timing
        copy = self.copied / timing.median(COPY)
        return [
            {
                "operation": self.operation,
                "size": self.size,
                "passes": self.passes,
                "rival": rival,
                "seconds": timing.median(rival),
                "spread": timing.spread(rival),
                "bytes": self.bytes,
                "gigabytes_per_second": self.bytes / timing.median(rival) / 1e9,
                "share_of_copy": self.bytes / timing.median(rival) / copy,
                "times_slower_than_ours": timing.ratio(rival, OURS),
                "ratio_spread": timing.ratio_spread(rival, OURS),
                "device": timing.device,
                "cores": timing.cores,
                "threads": timing.threads,
                "cpu_share": timing.cpu_share,
                "trusted": timing.trusted,
            }
            for rival in timing.samples
            if rival != COPY
        ]

    def __str__(self) -> str:
        copy = self.copied / self.timing.median(COPY) / 1e9
        head = f"{self.operation} {self.size}×{self.size} float32, {self.passes}: {self.bytes / 1e6:.3g} MB; "
        lines = [head + f"a copy moves {copy:.3g} GB/s"]
        for row in self.rows():
            line = (
                f"  {row['rival']:14}{row['seconds'] * 1e3:10.4g} ms ±{row['spread'] / 2:.0%}"
                f"{row['gigabytes_per_second']:8.3g} GB/s {row['share_of_copy']:5.0%} of copy"
            )
            if row["rival"] != OURS:
                line += (
                    f"   ours is {row['times_slower_than_ours']:.2f}× as fast ±{row['ratio_spread'] / 2:.0%}"
                )
            lines.append(line)
        return "\n".join([*lines, f"  {self.timing.state}", ""])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; prints a block for each case, writes a CSV file if asked."""
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--op", choices=list(CASES), help="only this operation")
    parser.add_argument(
        "--sizes", type=_sizes, default=(128, 1024, 4096), help="sides of square inputs (128,1024,4096)"
    )
    parser.add_argument("--csv", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        help="threads of every rival; 1 is steadiest on a busy machine",
    )
    parser.add_argument("--repeats", type=int, default=20, help="rounds (20)")
    options = parser.parse_args(argv)
    if options.threads < 1:
        parser.error(f"--threads: expected at least 1, got {options.threads}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for name in [options.op] if options.op else CASES:
        for size in options.sizes:
            for backward in (False, True):
                result = run(name, size, backward, device, options.threads, options.repeats)
                print(result, flush=True)
                rows += result.rows()
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


def run(name: str, size: int, backward: bool, device: str, threads: int, repeats: int) -> Result:
    """Time one operation at one size against its rivals and a copy."""
    case = CASES[name]
    torch.manual_seed(0)
    inputs = tuple(tensor.to(device).requires_grad_(backward) for tensor in case.inputs(size))
    gradient = torch.randn_like(inputs[0]) if backward else None
    functions = {OURS: case.ours, EAGER: case.torch}
    calls = {rival: _call(function, inputs, gradient) for rival, function in functions.items()}
    torch.compiler.reset()
    compiled = _call(torch.compile(case.torch, dynamic=False), inputs, gradient)
    try:
        with thread_count(threads):
            compiled()
        calls[COMPILED] = compiled
    except Exception as error:  # no C++ compiler, no Triton, or a bug of theirs: none of it is ours to raise
        print(f"{COMPILED} is left out: {type(error).__name__}: {str(error).strip().splitlines()[0][:150]}")
    source = inputs[0].detach()
    calls[COPY] = lambda: torch.empty_like(source).copy_(source)
    moved = kernels.ledger(name, *inputs).bytes + (case.backward_bytes(*inputs) if backward else 0)
    timing = compare(calls, repeats=repeats, threads=threads, device=device, prepare=_flush(device))
    passes = "forward and backward" if backward else "forward"
    return Result(name, size, passes, moved, 2 * source.nbytes, timing)


def _call(function: Call, inputs: tuple[Tensor, ...], gradient: Tensor | None) -> Callable[[], object]:
    """One call of a rival: forward, and back with this gradient of every result if there is one."""
    if gradient is None:
        return partial(function, *inputs)

    def forward_and_backward() -> object:
        outputs = function(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return torch.autograd.grad(outputs, inputs, [gradient] * len(outputs))

    return forward_and_backward


def _flush(device: str) -> Callable[[], object] | None:
    """What empties a GPU's level-2 cache; a CPU needs none, its large inputs outgrow the cache by themselves."""
    if device == "cpu":
        return None
    other = torch.empty(
        2 * torch.cuda.get_device_properties(device).L2_cache_size, dtype=torch.int8, device=device
    )
    return other.zero_


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes of at least 1 such as 128,1024, got {text!r}")
    return sizes


if __name__ == "__main__":
    raise SystemExit(main())
