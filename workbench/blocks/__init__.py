"""Plain `torch.nn.Module`s with the shape of every step in a comment: the parts that everything else wires up.

Each equals PyTorch's own module where there is one, says what it takes and gives in its property `contract`, and
imports nothing but other blocks. A good order to read them in: `linear.py`, `activation.py`, `norm.py`,
`convolution.py`, `cells.py` and `recurrent.py`, `attention.py` and `multi_head.py`, `transformer.py`.
"""

from workbench.blocks.activation import GELU, LeakyReLU, ReLU, SiLU, SwiGLU
from workbench.blocks.attention import AdditiveAttention, DotProductAttention
from workbench.blocks.cells import GRUCell, LSTMCell
from workbench.blocks.classifiers import (
    AttentionClassifier,
    ConvolutionalClassifier,
    MLPClassifier,
    RecurrentClassifier,
)
from workbench.blocks.convert import Cast, Flatten, Rearrange
from workbench.blocks.convolution import Conv1d, Conv2d, Depthwise1d, Depthwise2d, Separable
from workbench.blocks.embedding import Embedding
from workbench.blocks.encoders import NameEncoder, PictureEncoder, hash_grams
from workbench.blocks.linear import MLP, Linear
from workbench.blocks.merge import Add, Concat, Gate, Mean
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.blocks.norm import BatchNorm, LayerNorm, RMSNorm
from workbench.blocks.position import LearnedPosition, SinusoidalPosition
from workbench.blocks.recurrent import GRU, LSTM
from workbench.blocks.rotary import Rotary
from workbench.blocks.transformer import Decoder, DecoderLayer, Encoder, EncoderLayer

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "MLP",
    "Add",
    "AdditiveAttention",
    "AttentionClassifier",
    "BatchNorm",
    "Cast",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvolutionalClassifier",
    "Decoder",
    "DecoderLayer",
    "Depthwise1d",
    "Depthwise2d",
    "DotProductAttention",
    "Embedding",
    "Encoder",
    "EncoderLayer",
    "Flatten",
    "GRUCell",
    "Gate",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPosition",
    "Linear",
    "MLPClassifier",
    "Mean",
    "MultiHeadAttention",
    "NameEncoder",
    "PictureEncoder",
    "RMSNorm",
    "ReLU",
    "Rearrange",
    "RecurrentClassifier",
    "Rotary",
    "Separable",
    "SiLU",
    "SinusoidalPosition",
    "SwiGLU",
    "hash_grams",
]
