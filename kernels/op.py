"""Declares an operation once, for every way torch has of calling one.

- *Eager*, on plain tensors: straight to the launcher, inside one `autograd.Function` where a gradient is wanted. A few
  microseconds a call.
- *Watched*: under a dispatch mode (a meter, `FakeTensorMode`), on meta or fake tensors, while `torch.compile` traces or
  a profiler records, the operation must show itself by name. Then the operator `torch.ops.workbench.<name>`,
  registered here with torch.library, is called; it runs the same launcher with the same gradient, for some ten
  microseconds more.
- *Transformed*: forward-mode derivatives and torch.func's transforms (grad, jvp, vmap, hessian) need rules for every
  operation they meet; torch has them for its own, so the plain-torch reference runs.

Backward passes are operations too, with a ledger of their own. They have no gradient: asking for one is an error.
An operation *in place* (its schema marks what it writes with "!") stands outside autograd: it is called without grad
mode, as optimizers are, and may take lists of tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._C import (
    _are_functorch_transforms_active,
    _get_tracing_state,
    _len_torch_dispatch_stack,
)
from torch._C._autograd import _profiler_enabled
from torch.autograd import forward_ad
from torch.compiler import is_compiling

from kernels.ledger import Ledger
from kernels.promises import Promise

NAMESPACE = "workbench"
_library = torch.library.Library(NAMESPACE, "FRAGMENT")
_PLAIN_TYPES = (Tensor, torch.nn.Parameter)


@dataclass(frozen=True)
class Gradient:
    """How to differentiate: both functions follow torch.autograd's protocol for `ctx`."""

    # (ctx, inputs, output): saves what backward needs
    setup_context: Callable[[Any, tuple[Any, ...], Any], None]
    # (ctx, *gradients of the outputs) -> one gradient for each input
    backward: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Operation:
    """An operation: its name and argument types, and everything that is known about it.

    Its functions all take the arguments of `schema`, in that order.
    """

    schema: str  # as torch.library writes it: "name(Tensor x, float eps) -> Tensor"
    launcher: Callable[..., Any]  # computes on real tensors: GPU kernel or CPU twin
    fake: Callable[..., Any]  # empty tensors with the result's shape and dtype
    reference: Callable[..., Any]  # the same result in plain torch
    ledger: Callable[..., Ledger]  # bytes and FLOPs
    gradient: Gradient | None = None
    promises: tuple[Promise, ...] = ()  # its GPU kernels, each with what the compiler makes of it
    _differentiable: Any = field(init=False, repr=False)  # the short way where a gradient is wanted
    _registered: Any = field(init=False, repr=False)  # the operator in torch's dispatcher

    def __post_init__(self) -> None:
        gradient = self.gradient or _refused(self.name)
        object.__setattr__(self, "_differentiable", _autograd_function(self.name, self.launcher, gradient))
        object.__setattr__(self, "_registered", _register(self, gradient))

    @property
    def name(self) -> str:
        return self.schema.partition("(")[0]

    @property
    def in_place(self) -> bool:
        return "!" in self.schema

    def __call__(self, *arguments: Any) -> Any:
        """Compute on arguments that have been checked, given by position as in `schema`."""
        if _undisturbed() and _plain(arguments):
            if torch.is_grad_enabled() and _wants_gradient(arguments):
                return self._differentiable(*arguments)
            return self.launcher(*arguments)
        if _transformed():
            return self.reference(*arguments)
        return self._registered(*arguments)


def _undisturbed() -> bool:
    """Whether nothing observes, traces or transforms eager calls."""
    return not (
        is_compiling()
        or _len_torch_dispatch_stack()
        or _get_tracing_state()
        or _profiler_enabled()
        or _are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def _transformed() -> bool:
    return not is_compiling() and (_are_functorch_transforms_active() or forward_ad._current_level >= 0)


def _wants_gradient(arguments: tuple[Any, ...]) -> bool:
    for argument in arguments:  # noqa: SIM110, any() over a generator takes three times as long
        if isinstance(argument, Tensor) and argument.requires_grad:
            return True
    return False


def _plain(arguments: Sequence[Any]) -> bool:
    """Whether all tensors, those in lists too, are torch's own and hold data."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            # subclasses bring behavior of their own, and meta tensors have no data
            plain = type(argument) in _PLAIN_TYPES and (argument.is_cpu or argument.is_cuda)
            if not plain:
                return False
        elif isinstance(argument, list) and not _plain(argument):
            return False
    return True


def _autograd_function(name: str, launcher: Callable[..., Any], gradient: Gradient) -> Any:
    def forward(ctx: Any, *arguments: Any) -> Any:
        output = launcher(*arguments)
        gradient.setup_context(ctx, arguments, output)
        return output

    members = {"forward": staticmethod(forward), "backward": staticmethod(gradient.backward)}
    function: Any = type(name, (torch.autograd.Function,), members)
    # straight to apply's part in C++: its part in Python serves torch.func's transforms, which do not come this way
    return super(torch.autograd.Function, function).apply


def _register(operation: Operation, gradient: Gradient) -> Any:
    name = f"{NAMESPACE}::{operation.name}"
    _library.define(operation.schema)
    for device in ("CPU", "CUDA"):
        _library.impl(operation.name, operation.launcher, device)
    torch.library.register_fake(name, operation.fake, lib=_library)
    if not operation.in_place:
        torch.library.register_autograd(
            name, gradient.backward, setup_context=gradient.setup_context, lib=_library
        )
    return getattr(getattr(torch.ops, NAMESPACE), operation.name).default


def _refused(name: str) -> Gradient:
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        raise RuntimeError(
            f"{name} has no gradient: it is for inference or itself a gradient, and double backward "
            "(create_graph=True, then backward through the gradient) is not supported by fused operations; use the "
            "operation's plain-torch reference for it"
        )

    return Gradient(lambda ctx, inputs, output: None, backward)
