"""The contracts of modules that do not carry one: what torch's documentation says of their shapes, as text.

Our own blocks say it themselves, in a property `contract`. For torch's common modules it follows from their sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from torch import nn

from workbench.fabric.axis import ELLIPSIS
from workbench.fabric.contract import Contract

SIDES = {1: ("length",), 2: ("height", "width")}
ELEMENTWISE = (
    nn.Identity, nn.Dropout, nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.Softplus,
    nn.Hardswish, nn.Softmax, nn.LogSoftmax,
)  # fmt: skip


def contract_of(module: nn.Module) -> Contract:
    """The module's own contract, or the one known for its class. Raises ValueError when there is neither."""
    own = getattr(module, "contract", None)
    if isinstance(own, Contract):
        return own
    return Contract(own if isinstance(own, str) else _known(module))


@singledispatch
def _known(module: nn.Module) -> str:
    if isinstance(module, ELEMENTWISE):
        return "... -> ..."
    raise ValueError(
        f"contract: {type(module).__name__} has none and none is known for it; "
        'give one, such as Block(module, "batch time 64 -> batch 10")'
    )


@_known.register
def _(module: nn.Linear) -> str:
    return f"... {module.in_features} -> ... {module.out_features}"


@_known.register
def _(module: nn.Embedding) -> str:
    return f"...: int -> ... {module.embedding_dim}"


@_known.register(nn.LayerNorm)
@_known.register(nn.RMSNorm)
def _(module: nn.LayerNorm | nn.RMSNorm) -> str:
    last = " ".join(map(str, module.normalized_shape))
    return f"... {last} -> ... {last}"


@_known.register
def _(module: nn.BatchNorm1d) -> str:
    return f"batch {module.num_features} length? -> batch {module.num_features} length?"


@_known.register
def _(module: nn.BatchNorm2d) -> str:
    return f"batch {module.num_features} height width -> batch {module.num_features} height width"


@_known.register(nn.Conv1d)
@_known.register(nn.Conv2d)
def _(module: nn.Conv1d | nn.Conv2d) -> str:
    sides = SIDES[len(module.kernel_size)]
    padding = module.padding
    after = [
        side if padding == "same" else convolved(side, *sizes)
        for side, *sizes in zip(
            sides,
            module.kernel_size,
            module.stride,
            (0,) * len(sides) if isinstance(padding, str) else padding,
            module.dilation,
            strict=True,
        )
    ]
    before = " ".join(sides)
    return f"batch {module.in_channels} {before} -> batch {module.out_channels} {' '.join(after)}"


@_known.register
def _(module: nn.Sequential) -> str:
    """Known when every part keeps the leading axes and changes only those behind: "... 64 -> ... 10"."""
    contracts = [contract_of(part) for part in module]
    if not contracts or not all(_keeps_leading(contract) for contract in contracts):
        return str(_known.dispatch(nn.Module)(module))
    first = next((c for c in contracts if len(c.inputs[0].axes) > 1), contracts[0])
    last = next((c for c in reversed(contracts) if len(c.outputs[0].axes) > 1), contracts[-1])
    dtype = first.inputs[0].dtype
    return f"{first.inputs[0]}{'' if dtype == 'float' else f': {dtype}'} -> {last.outputs[0]}"


def convolved(side: str, size: int, stride: int, padding: int, dilation: int) -> str:
    """The length of a side behind a convolution or pooling: (n + 2p - d(k - 1) - 1) // s + 1."""
    lost = dilation * (size - 1) - 2 * padding
    if stride == 1:
        return side if lost == 0 else f"{side}{-lost:+d}"
    return f"({side}{-lost - 1:+d})//{stride}+1"


def _keeps_leading(contract: Contract) -> bool:
    sides: Sequence = (*contract.inputs, *contract.outputs)
    return len(sides) == 2 and all(port.axes and port.axes[0].text == ELLIPSIS for port in sides)
