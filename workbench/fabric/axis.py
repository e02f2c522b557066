"""One axis of a tensor, by name.

A shape such as (32, 40, 64) does not say which number is which. Written with names, "batch time width", it does, and
two blocks can be compared before any number flows (the notation follows einops and jaxtyping). An axis is

    time            any size, the same wherever the contract says "time"
    64              this size
    time?           one that may be missing
    ...             any number of axes, the same wherever it stands
    (time+1)//2     in outputs: worked out from the sizes of input axes, with + - * // and parentheses
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ELLIPSIS = "..."
Size = int | tuple[int, ...] | None  # of an axis; of "...": several; of one that is missing: None
Sizes = dict[str, Size]
ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


class ContractError(ValueError):
    """Tensors, or two blocks, do not fit a contract; the message names the port and both shapes."""


@dataclass(frozen=True)
class Axis:
    """One axis as written; `optional` is the "?" behind it. Raises ValueError for what is no axis."""

    text: str
    optional: bool = False

    def __post_init__(self) -> None:
        if self.text != ELLIPSIS:
            _parse(self.text)

    @classmethod
    def of(cls, text: str) -> Axis:
        """The axis a word of a contract stands for."""
        return cls(text.removesuffix("?"), text.endswith("?"))

    @property
    def name(self) -> str | None:
        """The axis's name, or None for a number, an expression and "..."."""
        return self.text if self.text.isidentifier() else None

    @property
    def names(self) -> set[str]:
        """What must be known to work the size out."""
        if self.text == ELLIPSIS:
            return {ELLIPSIS}
        return {node.id for node in ast.walk(_parse(self.text)) if isinstance(node, ast.Name)}

    def size(self, sizes: Mapping[str, Size]) -> Size:
        """The size, or None while a name in it has none."""
        if self.text == ELLIPSIS:
            return sizes.get(ELLIPSIS)
        known = {name: size for name in self.names if isinstance(size := sizes.get(name), int)}
        return _evaluate(_parse(self.text), known) if len(known) == len(self.names) else None

    def pinned(self, sizes: Mapping[str, int]) -> Axis:
        """The same axis with numbers in place of some names, worked out where only numbers are left."""
        if not self.names & sizes.keys():
            return self
        tree = _Pin(sizes).visit(_parse(self.text))
        left = self.names - sizes.keys()
        return Axis(ast.unparse(tree).replace(" ", "") if left else str(_evaluate(tree, {})))

    def __str__(self) -> str:
        return self.text + "?" * self.optional


class _Pin(ast.NodeTransformer):
    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes

    def visit_Name(self, node: ast.Name) -> ast.expr:  # the name ast looks for
        return ast.Constant(self.sizes[node.id]) if node.id in self.sizes else node


def _parse(text: str) -> ast.expr:
    """The expression as a tree of names, whole numbers and the four operators; nothing else gets through."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        tree = ast.Constant(None)
    for node in ast.walk(tree):
        known = isinstance(node, ast.Name | ast.BinOp | ast.operator | ast.expr_context)
        number = isinstance(node, ast.Constant) and type(node.value) is int
        if not (known or number) or (isinstance(node, ast.operator) and type(node) not in ARITHMETIC):
            raise ValueError(f"axis: expected a name, a number or an expression with + - * //, got {text!r}")
    return tree


def _evaluate(tree: ast.expr, sizes: Mapping[str, int]) -> int:
    match tree:
        case ast.BinOp():
            return ARITHMETIC[type(tree.op)](_evaluate(tree.left, sizes), _evaluate(tree.right, sizes))
        case ast.Name():
            return sizes[tree.id]
        case ast.Constant(value=int(value)):
            return value
    raise AssertionError(f"not an axis: {ast.dump(tree)}")  # _parse lets nothing else through
