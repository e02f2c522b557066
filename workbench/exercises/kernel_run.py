"""Exercises whose answer is a GPU kernel: how it is run, what it may spend, and how its x-ray is opened.

The reader writes a kernel, and the simulated GPU (`kernels.simt`) runs it as it is:

    @gpu_kernel
    def scale(x, factor, out):            the inputs first, then what is to be written
        i = cuda.grid(1)
        if i < x.shape[0]:
            out[i] = x[i] * factor

A kernel returns nothing, so its value is what stands in its outputs afterwards; they start as NaN, and a place that no
thread has written is seen. Its *result* is taken in shuffled order, where warps that do not wait for each other come
as they like; its *costs* in lockstep. A hazard (a data race, an index out of bounds, a barrier that some threads never
reach) is raised in both and makes the answer wrong, even where the numbers happen to be right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from workbench.exercises.errors import reader_line
from workbench.exercises.exercise import Budget, Exercise
from workbench.exercises.registry import find

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.simt import Counters, Run

SEED = 1  # of the shuffled order
STEP_LIMIT = 5_000  # a reader waits for it; solutions take up to 200, one thread that does all the work 900


class NothingWritten(NotImplementedError):
    """A kernel ran and left all its outputs as they were."""


@dataclass(frozen=True)
class KernelRun:
    """Launches `kernel[grid, block](*inputs, *outputs)`; an exercise with such a `run` asks for a kernel.

    `outputs(*inputs)` gives fresh tensors for what the kernel writes, `grid(*inputs)` the number of blocks, `block` is
    the number of threads in each.
    """

    outputs: Callable[..., tuple[Tensor, ...]]
    grid: Callable[..., int | tuple[int, ...]]
    block: int | tuple[int, ...]

    def __call__(self, kernel: Callable[..., Any], *inputs: Any) -> tuple[Tensor, ...]:
        """What the kernel has written, in shuffled order.

        Raises the kernel's hazard, KernelTypeError where it is no kernel, NothingWritten where it writes nothing.
        """
        run, outputs = self._finished(kernel, *inputs, order="shuffled", seed=SEED)
        if not run.counters.global_store_requests and not run.counters.atomics:
            raise NothingWritten("The kernel writes to none of its outputs yet.")
        return outputs

    def counters(self, kernel: Callable[..., Any], *inputs: Any) -> Counters:
        """What the kernel costs, counted in lockstep."""
        return self._finished(kernel, *inputs)[0].counters

    def budget(self, counter: str, limit: Callable[..., float], unit: str) -> Budget:
        """At most `limit(*inputs)` of a counter of `kernels.simt.Counters`."""
        return Budget(self.counters, limit, unit, attrgetter(counter))

    def launch(
        self, kernel: Callable[..., Any], *inputs: Any, **options: Any
    ) -> tuple[Run, tuple[Tensor, ...]]:
        """The run, and what stands in the outputs after it; `options` are those of `simt.launch`."""
        from kernels import simt

        outputs = tuple(output.fill_(float("nan")) for output in self.outputs(*inputs))
        options = {"step_limit": STEP_LIMIT} | options
        run = simt.launch(kernel, self.grid(*inputs), self.block, *inputs, *outputs, **options)
        return run, outputs

    def _finished(
        self, kernel: Callable[..., Any], *inputs: Any, **options: Any
    ) -> tuple[Run, tuple[Tensor, ...]]:
        """A launch; of its hazards the first is raised only at the end, as all together tell which mistake it is."""
        run, outputs = self.launch(kernel, *inputs, on_hazard="record", **options)
        if run.hazards:
            raise run.hazards[0]
        return run, outputs


def launch(exercise: str | Exercise, kernel: Callable[..., Any], label: str = "ragged") -> Run:
    """The run of a reader's kernel on one of the exercise's inputs, to be looked at; hazards are kept in it.

    label: the kind of input. Raises ValueError for an unknown name or label, and where no kernel is asked for.
    """
    run, inputs, _ = _example(exercise, label)
    return run.launch(kernel, *inputs, on_hazard="record")[0]


def xray(exercise: str | Exercise, kernel: Callable[..., Any], label: str = "ragged") -> Any:
    """The x-ray of a reader's own kernel on one of the exercise's inputs, or the solution's.

    That is shown as long as the kernel writes nothing, and where it cannot be run, with a line that says why. Raises
    ValueError as `launch` does.
    """
    run, inputs, solution = _example(exercise, label)
    try:
        record = run.launch(kernel, *inputs, on_hazard="record")[0]
        written = bool(record.counters.global_store_requests)
    except Exception as error:  # whatever a compiler may say to what a reader may write
        print(f"Your kernel cannot be run, so this is the solution's x-ray. {reader_line(kernel, error)}")
        written = False
    if not written:
        record = run.launch(solution, *inputs, on_hazard="record")[0]
    return record.show()


def _example(exercise: str | Exercise, label: str) -> tuple[KernelRun, tuple[Any, ...], Callable[..., Any]]:
    """How an exercise launches kernels, its smallest input of a kind, and its solution."""
    task = find(exercise) if isinstance(exercise, str) else exercise
    run = getattr(task, "run", None)
    if not isinstance(task, Exercise) or not isinstance(run, KernelRun):
        raise ValueError(f"exercise: expected one that asks for a GPU kernel, got {task.name!r}")
    inputs = {case.label: case.inputs for case in reversed(task.cases())}  # the smallest of each kind
    if label not in inputs:
        raise ValueError(f"label: expected one of {sorted(inputs)}, got {label!r}")
    return run, inputs[label], task.solution
