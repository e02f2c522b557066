"""The transformer: layers that let every place of a sequence read from every other, then think about what it read.

An encoder layer has two sublayers, attention among the places and a small MLP at each place; a decoder layer has a
third between them, attention to the encoder's output (Vaswani et al., arXiv 1706.03762, §3.1). `sublayer.py` says what
stands around each. Attention is the only sublayer where places meet, and it forgets their order: add
`SinusoidalPosition` or `LearnedPosition` before the first layer.

Masks are True at real tokens; PyTorch's `src_key_padding_mask` is the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from workbench.blocks import multi_head
from workbench.blocks.arguments import at_least
from workbench.blocks.linear import MLP
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.blocks.norm import LayerNorm
from workbench.blocks.sublayer import Order, Sublayer

Activation = Callable[[], nn.Module]


class EncoderLayer(nn.Module):
    """Self-attention, then an MLP with `hidden` units: x (batch, time, width), mask (batch, time) -> as x.

    Equal to `nn.TransformerEncoderLayer`; `norm="pre"` is its `norm_first=True`. With `causal=True` no place reads
    from later ones: the layer of a GPT. Raises ValueError or TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden: int,
        norm: Order = "pre",
        activation: Activation = nn.ReLU,
        dropout: float = 0.0,
        causal: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.width = width
        attention = MultiHeadAttention(width, num_heads, causal=causal, dropout=dropout)
        self.attention = Sublayer(attention, width, norm, dropout)
        self.mlp = Sublayer(MLP([width, hidden, width], activation, dropout), width, norm, dropout)

    @property
    def contract(self) -> str:
        return f"x = batch time {self.width}, mask? = batch time: bool -> batch time {self.width}"

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.attention(x, None, mask)  # (batch, time, width): no memory, so x reads from itself
        return self.mlp(x)  # (batch, time, width)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to a memory, an MLP: equal to `nn.TransformerDecoderLayer`.

    Takes x (batch, steps, width), memory (batch, time, memory_width or width), and the masks of both. Gives
    (batch, steps, width). Raises ValueError or TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden: int,
        norm: Order = "pre",
        activation: Activation = nn.ReLU,
        dropout: float = 0.0,
        memory_width: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.width, self.memory_width = width, width if memory_width is None else memory_width
        attention = MultiHeadAttention(width, num_heads, causal=True, dropout=dropout)
        cross = MultiHeadAttention(width, num_heads, memory_width, dropout=dropout)
        self.attention = Sublayer(attention, width, norm, dropout)
        self.cross = Sublayer(cross, width, norm, dropout)
        self.mlp = Sublayer(MLP([width, hidden, width], activation, dropout), width, norm, dropout)

    @property
    def contract(self) -> str:
        ports = f"x = batch steps {self.width}, memory = batch time {self.memory_width}"
        masks = "mask? = batch steps: bool, memory_mask? = batch time: bool"
        return f"{ports}, {masks} -> batch steps {self.width}"

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        x = self.attention(x, None, mask)  # (batch, steps, width)
        x = self.cross(x, memory, memory_mask)  # (batch, steps, width)
        return self.mlp(x)  # (batch, steps, width)


class Stack(nn.Module):
    """Base of both stacks: layer after layer, and a last norm where the norm comes first."""

    def __init__(self, layers: Iterable[nn.Module], width: int, norm: Order) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = LayerNorm(width) if norm == "pre" else nn.Identity()

    @property
    def contract(self) -> str:
        return self.layers[0].contract  # type: ignore[return-value]

    def run(self, x: Tensor, *others: Tensor | None) -> Tensor:
        for layer in self.layers:
            x = layer(x, *others)  # (batch, time, width)
        return self.norm(x)  # (batch, time, width)


class Encoder(Stack):
    """`layers` times EncoderLayer, which names the options and what goes in; equal to `nn.TransformerEncoder`."""

    def __init__(
        self, layers: int, width: int, num_heads: int, hidden: int, norm: Order = "pre", **options: Any
    ) -> None:
        at_least(1, layers=layers)
        made = (EncoderLayer(width, num_heads, hidden, norm, **options) for _ in range(layers))
        super().__init__(made, width, norm)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.run(x, mask)


class Decoder(Stack):
    """`layers` times DecoderLayer, all reading one memory, with its options; equal to `nn.TransformerDecoder`."""

    def __init__(
        self, layers: int, width: int, num_heads: int, hidden: int, norm: Order = "pre", **options: Any
    ) -> None:
        at_least(1, layers=layers)
        made = (DecoderLayer(width, num_heads, hidden, norm, **options) for _ in range(layers))
        super().__init__(made, width, norm)

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        return self.run(x, memory, mask, memory_mask)


def from_torch(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of an encoder or decoder (layer) of `torch.nn` under our names.

    `ours.load_state_dict(from_torch(theirs.state_dict()))` gives ours the weights of theirs.
    """
    decodes = any("multihead_attn." in name for name in weights)
    ours = {"self_attn": "attention.inner", "multihead_attn": "cross.inner"}
    ours |= {"linear1": "mlp.inner.layers.0", "linear2": "mlp.inner.layers.1", "norm1": "attention.norm"}
    ours |= {"norm2": "cross.norm", "norm3": "mlp.norm"} if decodes else {"norm2": "mlp.norm"}
    renamed = {
        ".".join(ours.get(part, part) for part in name.split(".")): weight for name, weight in weights.items()
    }
    return multi_head.from_torch(renamed)
