"""The floating-point operations (FLOPs) of one torch operation, from the shapes that go in and out.

What counts: every addition, subtraction, multiplication, division, negation, maximum, root, exp, log, tanh or erf is
one FLOP; so a multiply-add is two. A function made of several such steps counts the steps of its usual formula, written
beside its number below. Matrix products count 2·m·n·k, with or without a bias (k products and k−1 additions, and the
bias is the k-th), as torch.utils.flop_counter does, whose formulas are used where they are right.

What does not: moving, selecting, comparing and sorting values, random numbers, and arithmetic on integers.

What nobody gave a formula for is `None`: unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# FLOPs for each element of the result, where the usual formula has more than one step
EACH_OUTPUT = {
    "addcmul": 3,  # a + value·b·c
    "addcdiv": 3,  # a + value·b/c
    "lerp": 3,  # a + w·(b − a)
    "leaky_relu": 2,  # max(x, slope·x)
    "elu": 4,  # max(x, 0) + (exp(min(x, 0)) − 1): two maxima, exp, subtraction; scales are 1
    "sigmoid": 4,  # 1 / (1 + exp(−x))
    "silu": 5,  # x·sigmoid(x)
    "softplus": 3,  # log(1 + exp(x))
    "gelu": 4,  # x·erfc(−x/√2)/2
    "gelu tanh": 9,  # ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x·x·x)))
    "hardtanh": 2,
    "clamp": 2,
    "tanh_backward": 3,  # g·(1 − y·y)
    "sigmoid_backward": 3,  # g·(1 − y)·y
    "silu_backward": 9,  # with s = sigmoid(x): g·s·(1 + x·(1 − s))
    "gelu_backward": 10,  # g·(erfc(−x/√2)/2 + x·exp(−½·x·x)/√(2π))
    "gelu_backward tanh": 17,  # with σ = sigmoid(2u): g·(σ + x·σ·(1 − σ)·2u′), as in kernels/pointwise/gelu.py
    "native_dropout": 2,  # x·mask·scale
    "native_dropout_backward": 2,
}

# FLOPs for each element of the first argument: reductions, and maps that contain one
EACH_INPUT = {
    **dict.fromkeys(["sum", "mean", "amax", "amin", "max", "min", "prod", "cumsum", "cumprod", "nansum"], 1),
    **dict.fromkeys(["var", "std", "var_mean"], 4),  # mean, difference, square, sum
    "aminmax": 2,
    "linalg_vector_norm": 2,  # square, sum
    "norm": 2,
    "logsumexp": 4,  # max, difference, exp, sum
    **dict.fromkeys(["_softmax", "_safe_softmax"], 5),  # max, difference, exp, sum, division
    "_log_softmax": 5,  # max, difference, exp, sum, difference
    "_softmax_backward_data": 4,  # y·(g − Σ g·y)
    "_log_softmax_backward_data": 4,  # g − exp(y)·Σ g
    "binary_cross_entropy_with_logits": 10,  # max(x, 0) − x·t + log(1 + exp(−|x|)), and its mean
    "mse_loss": 3,  # (x − t)², and its mean
    "mse_loss_backward": 3,
    "_adaptive_avg_pool2d": 1,
    "embedding_dense_backward": 1,  # every row of the gradient is added to its place
}

# only moved, selected, compared, drawn at random, or created
_MOVES = """
    alias arange argmax argmin argsort as_strided bernoulli bincount cat clone col2im constant_pad_nd copy
    all any count_nonzero cummax detach diag_embed diagonal_copy embedding exponential eye fill flip gather im2col index
    index_copy index_fill index_put index_select isin isnan kthvalue lift_fresh linspace masked_fill
    masked_scatter masked_select multinomial native_channel_shuffle nonzero normal one_hot permute_copy
    pixel_shuffle pixel_unshuffle random randperm reflection_pad1d reflection_pad2d repeat repeat_interleave
    replication_pad1d replication_pad2d resize roll scalar_tensor scatter searchsorted select_backward
    select_scatter set slice_backward slice_scatter sort split_with_sizes_copy stack take take_along_dim topk
    tril triu unfold_copy uniform unique_dim unsafe_split unsafe_split_with_sizes upsample_nearest1d
    upsample_nearest2d where zero _local_scalar_dense _reshape_alias _to_copy _unique2 _unsafe_index
    _unsafe_view"""
MOVES = frozenset(_MOVES.split())
CREATES = ("empty", "zeros", "ones", "full", "rand", "new_")


def flops(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
    """FLOPs of `operation(*args, **kwargs)`, which gave `result`; None where no formula is known."""
    name = base_name(operation)
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if any(tensor.layout != torch.strided for tensor in tensors):
        return _sparse_product(name, args)
    if (
        name in MOVES
        or name.startswith(CREATES)
        or name.endswith("_like")
        or operation.namespace == "profiler"
    ):
        return 0
    if not any(tensor.is_floating_point() or tensor.is_complex() for tensor in tensors):
        # elementwise arithmetic on integers is no FLOP; a product of integer matrices is work of another kind
        return 0 if name in EACH_INPUT or torch.Tag.pointwise in operation.tags else None
    if name in FORMULAS:
        return FORMULAS[name](args, kwargs, result)
    if operation.overloadpacket in flop_registry:
        return flop_registry[operation.overloadpacket](*args, **kwargs, out_val=result)
    return _by_element(operation, name, args, kwargs, result)


def base_name(operation: Any) -> str:
    """The operation's name without namespace, overload and the underscore that marks working in place."""
    name = operation.overloadpacket.__name__
    return name.removesuffix("_") if not name.endswith("__") else name


def _by_element(
    operation: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> int | None:
    many = name.startswith("_foreach_")  # one operation over lists of tensors, as optimizers use
    step = name.removeprefix("_foreach_")
    if many and (step in MOVES):
        return 0
    if kwargs.get("approximate") == "tanh":
        step += " tanh"
    if step in EACH_INPUT:
        return EACH_INPUT[step] * _floating(args[0])
    if step in EACH_OUTPUT or many or torch.Tag.pointwise in operation.tags:
        return EACH_OUTPUT.get(step, 1) * _floating(args[0] if many or result is None else result)
    return None


def _floating(tensors: Any) -> int:
    """Elements of the first floating-point tensor here, or of all of them in a list; integers count nothing."""
    leaves = [leaf for leaf in tree_leaves(tensors) if isinstance(leaf, torch.Tensor)]
    counts = [leaf.numel() for leaf in leaves if leaf.is_floating_point() or leaf.is_complex()]
    return sum(counts if isinstance(tensors, list) else counts[:1])


def _sparse_product(name: str, args: tuple[Any, ...]) -> int | None:
    """A sparse matrix times a dense one: a multiply-add for each stored value and column."""
    product = args[1:3] if name in ("addmm", "_sparse_addmm") else args[:2]
    sparse, dense = (*product, None, None)[:2]
    if name not in ("addmm", "mm", "_sparse_addmm", "_sparse_mm") or dense.layout != torch.strided:
        return None
    return 2 * sparse._nnz() * dense.shape[1]


def _convolution(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    x, weight, transposed = args[0], args[1], args[6]
    positions = (x if transposed else result).shape  # where the filter is laid down
    return 2 * positions[0] * prod(positions[2:]) * prod(weight.shape)


def _convolution_backward(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Each of the two gradients is a convolution of the same cost; torch's formula forgets the groups."""
    gradient, x, weight, transposed, (needs_x, needs_weight, needs_bias) = *args[:3], args[7], args[10]
    forward = _convolution((x, weight, None, None, None, None, transposed), {}, gradient)
    return (needs_x + needs_weight) * forward + needs_bias * gradient.numel()


def _batch_norm(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Difference and scale; then weight and bias; in training also mean, square, sum."""
    training = next((argument for argument in args if isinstance(argument, bool)), True)
    return args[0].numel() * ((5 if training else 2) + _given(args[1:3]))


def _batch_norm_backward(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """With y the normalized x: w·σ⁻¹·(g − mean(g) − y·mean(g·y)) in training, w·σ⁻¹·g else; Σ g·y and Σ g anyway."""
    training = next(argument for argument in args if isinstance(argument, bool))
    return args[0].numel() * (9 if training else 6)


def _layer_norm(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Mean; difference, square, sum; scale; then weight and bias where there are."""
    return args[0].numel() * (5 + _given(args[2:4]))


def _given(parameters: tuple[Any, ...]) -> int:
    return sum(isinstance(parameter, torch.Tensor) for parameter in parameters)


def _pool(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """A step for each value under each position of the window, which is square where one length is given."""
    output = result[0] if isinstance(result, tuple) else result
    return output.numel() * prod(args[1] if len(args[1]) == 2 else args[1] * 2)


def _same_as(position: int, steps: int = 1) -> Callable[..., int]:
    """So many FLOPs for each element of the argument at that position."""
    return lambda args, kwargs, result: steps * args[position].numel()


def _bag(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    return args[1].numel() * args[0].shape[1]  # every row that is looked up is added to its bag


FORMULAS: dict[str, Callable[..., int]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "mv": _same_as(0, 2),
    "addmv": _same_as(1, 2),
    "dot": _same_as(0, 2),
    "native_layer_norm": _layer_norm,
    "native_layer_norm_backward": _same_as(0, 13),  # as batch norm's, with sums over rows and over columns
    "native_group_norm": lambda args, kwargs, result: args[0].numel() * (5 + _given(args[1:3])),
    "native_group_norm_backward": _same_as(0, 13),
    **dict.fromkeys(
        ["native_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update", "cudnn_batch_norm"],
        _batch_norm,
    ),
    "native_batch_norm_backward": _batch_norm_backward,
    "max_pool2d_with_indices": _pool,
    "max_pool2d_with_indices_backward": _same_as(0),
    "avg_pool2d": _pool,
    "avg_pool2d_backward": lambda args, kwargs, result: _pool((None, args[2]), {}, args[0]),
    "nll_loss_forward": _same_as(1),
    "nll_loss_backward": _same_as(2),
    "_embedding_bag": _bag,
    "_embedding_bag_forward_only": _bag,
    "_embedding_bag_backward": _bag,
    "scatter_add": _same_as(2),
    "index_add": _same_as(3),
}
