"""What a call must move and compute, by our ledger: counted, not written down again.

Every operation of ours that a call runs, backward passes too, shows itself to a dispatch mode, and each has a ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from kernels.catalog import ledger
from kernels.ledger import Ledger
from kernels.op import NAMESPACE

# more arithmetic for each byte than this keeps a processor busy while the bytes come: CPUs and GPUs begin to wait
# for memory at some 5 to 15 float32 FLOPs a byte (the ridge of `workbench.profiling.measure`)
MEMORY_BOUND_BELOW = 4.0


@dataclass(frozen=True)
class Work:
    """The bytes and FLOPs of a call, and the bytes of the same in unfused steps."""

    bytes: int
    flops: int
    unfused_bytes: int

    @property
    def memory_bound(self) -> bool:
        """Whether moving the bytes takes longer than computing with them."""
        return self.flops < MEMORY_BOUND_BELOW * self.bytes


class _Ledgers(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Ledger] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == NAMESPACE:
            self.entries.append(ledger(func, *args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def work_of(call: Callable[[], object]) -> Work:
    """Run a call of ours once and add up the ledgers of its operations."""
    with _Ledgers() as seen:
        call()
    return Work(
        bytes=sum(entry.bytes for entry in seen.entries),
        flops=sum(entry.flops for entry in seen.entries),
        unfused_bytes=sum(entry.unfused.bytes for entry in seen.entries),
    )
