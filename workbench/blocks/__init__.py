"""Plain `torch.nn.Module`s with the shape of every step in a comment: the parts that everything else wires up."""

from workbench.blocks.encoders import NameEncoder, PictureEncoder, hash_grams

__all__ = ["NameEncoder", "PictureEncoder", "hash_grams"]
