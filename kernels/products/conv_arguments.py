"""What conv_bn_relu accepts of the two modules that it is given."""

from torch import Tensor, float32, nn

from kernels.arguments import HALF


def check_modules(x: Tensor, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> None:
    """Refuse modules of another kind, in training mode, or that do not fit x and each other."""
    if not isinstance(conv, nn.Conv2d):
        raise TypeError(f"conv must be a torch.nn.Conv2d, got {type(conv).__name__}")
    if not isinstance(bn, nn.BatchNorm2d):
        raise TypeError(f"bn must be a torch.nn.BatchNorm2d, got {type(bn).__name__}")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("bn must have running statistics (track_running_stats=True), got none")
    if bn.training:
        raise ValueError(
            "bn must be in evaluation mode (bn.eval()): in training it normalizes by its batch's statistics"
        )
    if bn.num_features != conv.out_channels:
        raise ValueError(f"bn must have conv's {conv.out_channels} channels, got {bn.num_features}")
    if conv.padding_mode != "zeros":
        raise ValueError(
            f'conv.padding_mode must be "zeros", got {conv.padding_mode!r}; pad x before instead'
        )
    if x.dim() != 4 or x.shape[1] != conv.in_channels:
        raise ValueError(
            f"x must have shape (batch, {conv.in_channels}, height, width) for this conv, got {tuple(x.shape)}"
        )


def plain_padding(conv: nn.Conv2d) -> list[int]:
    """The padding on each side, by axis; "same" where it is not the same on both sides is refused."""
    if not isinstance(conv.padding, str):
        return list(conv.padding)
    if conv.padding == "valid":
        return [0, 0]
    totals = [dilation * (size - 1) for dilation, size in zip(conv.dilation, conv.kernel_size, strict=True)]
    if any(total % 2 for total in totals):
        raise ValueError(
            f'conv.padding "same" must come to as much on both sides, got {totals} in all (height, width); pad x '
            "before instead"
        )
    return [total // 2 for total in totals]


def check_factors(x: Tensor, weight: Tensor, bias: Tensor | None, bn: nn.BatchNorm2d) -> None:
    """Refuse parameters in a dtype or on a device that does not go with x."""
    parameters = {"conv.weight": weight, "conv.bias": bias, "bn.running_mean": bn.running_mean}
    parameters |= {"bn.running_var": bn.running_var, "bn.weight": bn.weight, "bn.bias": bn.bias}
    for name, tensor in parameters.items():
        if tensor is None:
            continue
        if tensor.dtype != x.dtype and not (x.dtype in HALF and tensor.dtype == float32):
            beside = " or float32" if x.dtype in HALF else ""
            raise TypeError(f"{name} must be {x.dtype}{beside} beside x in {x.dtype}, got {tensor.dtype}")
        if tensor.device != x.device:
            raise ValueError(f"{name} must be on {x.device} like x, got {tensor.device}")


def check_room(x: Tensor, conv: nn.Conv2d, padding: list[int]) -> None:
    """Refuse an x that is smaller, with its padding, than the filter."""
    for axis, name in enumerate(("high", "wide")):
        span = conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1
        if x.shape[2 + axis] + 2 * padding[axis] < span:
            raise ValueError(
                f"x must be at least {span - 2 * padding[axis]} {name} for this conv, got {x.shape[2 + axis]}"
            )
