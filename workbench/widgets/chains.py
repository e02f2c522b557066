"""Chains of operations and the trips their tensors make between processor and memory.

Run one by one, each operation reads its tensors from memory and writes its result there, only for the next to read it
again. Fused into one, a result in between is passed on inside the processor: it is not read back, and it is written
only when someone wants it later. (The running sum of a residual connection is such a one: the next block adds to it.)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One operation: the large tensors it reads and those it writes; vectors as small as a bias are left out."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Chain:
    """Operations in order, and which results in between are `kept`: wanted afterwards, so written even when fused."""

    steps: tuple[Step, ...]
    kept: tuple[str, ...] = ()

    @property
    def handed_on(self) -> set[str]:
        """Tensors that one step writes and another reads."""
        return {t for step in self.steps for t in step.writes} & {
            t for step in self.steps for t in step.reads
        }


@dataclass(frozen=True)
class Trip:
    """A tensor read by a step, or written by it; `saved` when fusing makes the trip needless."""

    step: int
    tensor: str
    read: bool
    saved: bool


# As PyTorch 2.13 runs them on a CPU, where RMSNorm alone is three passes; a test holds the trips to the bytes counted.
CHAINS = {
    "bias + GELU": Chain((Step("add bias", ("x",), ("x + b",)), Step("GELU", ("x + b",), ("y",)))),
    "add + RMSNorm": Chain(
        (
            Step("add", ("x", "r"), ("s",)),
            Step("square", ("s",), ("s²",)),
            Step("mean", ("s²",), ()),
            Step("scale", ("s",), ("y",)),
        ),
        kept=("s",),
    ),
}


def chain_named(name: str) -> Chain:
    """The chain of that name; one not in `CHAINS`, "a + b + c", hands a single tensor from each step to the next."""
    if name in CHAINS:
        return CHAINS[name]
    steps = [part.strip() for part in name.split(" + ")]
    if not all(steps):
        raise ValueError(f'a chain is named as its operations joined by " + ", got {name!r}')
    tensors = ["x", *(f"t{i}" for i in range(1, len(steps))), "y"]
    return Chain(tuple(Step(step, (tensors[i],), (tensors[i + 1],)) for i, step in enumerate(steps)))


def trips(chain: Chain, fused: bool) -> list[Trip]:
    """Every trip in order, the saved ones too."""
    found = []
    for i, step in enumerate(chain.steps):
        for tensor in step.reads:
            found.append(Trip(i, tensor, True, fused and tensor in chain.handed_on))
        for tensor in step.writes:
            found.append(Trip(i, tensor, False, fused and tensor in chain.handed_on - set(chain.kept)))
    return found
