"""A captured list of operations, written as a Python function without a detour.

    def run(x):
        # encoder.mix
        linear = linear_(x, w0["weight"], w0["bias"])

Every call goes straight to torch's own function, by the shortest way there is (`direct.py`). Weights are looked up in
the modules that own them, by name and at every call: that takes 30 ns, and whatever replaces a weight is seen.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import Any, NamedTuple

import torch
from torch import SymInt
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec
from torch.fx import Graph, Node

from workbench.fabric.flat.capture import FlattenError, Shape, shapes
from workbench.fabric.flat.direct import direct
from workbench.fabric.port import Port

INDENT = "    "
PLAIN = (int, bool, str, type(None))
# says again what a weight's type is
DROPPED = {torch.ops.aten._assert_tensor_metadata.default}
REFUSE = "refuse_"  # called with the inputs when they are not like those of the capture


class Source(NamedTuple):
    """The text of a function `run`, and what the names in it stand for."""

    text: str
    takes: str  # the inputs it takes, "any" for a size that is free
    names: dict[str, Any]
    owners: dict[str, tuple[str, str]]  # name -> path of the module, "_parameters" or "_buffers"


def write(program: ExportedProgram, inputs: Sequence[Port]) -> Source:
    """The function that does what `program` does, its arguments called as the ports are.

    Raises FlattenError for what is no plain operation, such as a sub-graph with control flow.
    """
    return _Writer(program, inputs).source()


class _Writer:
    def __init__(self, program: ExportedProgram, inputs: Sequence[Port]) -> None:
        self.program = program
        self.ports = {f"{port.name}_" if iskeyword(port.name) else port.name: port for port in inputs}
        self.takes: list[str] = []
        self.names: dict[str, Any] = {REFUSE: None}  # of the function's globals
        self.owners: dict[str, tuple[str, str]] = {}
        self.written: dict[Node, str] = {}  # how the function's text speaks of a node's value

    def source(self) -> Source:
        graph = self.program.graph
        body = [*self._read_inputs(), *self._operations(graph)]
        body.append(f"return {', '.join(map(self._text, graph.output_node().args[0]))}")
        arguments = ", ".join(f"{name}{'=None' * port.optional}" for name, port in self.ports.items())
        text = "\n".join([f"def run({arguments}):", *(INDENT + line for line in body)])
        return Source(text + "\n", ", ".join(self.takes), self.names, self.owners)

    def _read_inputs(self) -> Iterator[str]:
        """Gives every placeholder its words, and refuses inputs that the operations were not captured for."""
        nodes = {node.name: node for node in self.program.graph.nodes}
        arguments, expected = iter(self.ports), iter(shapes(self.program))
        tests: list[str] = []
        sizes: dict[str, str] = {}
        for spec in self.program.graph_signature.input_specs:
            node = nodes[spec.arg.name]
            if spec.kind == InputKind.USER_INPUT:
                self.written[node] = name = next(arguments)
                tests.append(self._test(name, node.meta.get("val"), next(expected), sizes))
            else:
                self.written[node] = self._weight(spec)
        tests += [f"{name} is None" for name in arguments]
        yield "if not ("
        for number, test in enumerate(tests):
            yield f"{INDENT}{'and ' * (number > 0)}{test}"
        yield "):"
        yield f"{INDENT}{REFUSE}({', '.join(self.ports)})"

    def _test(self, name: str, value: Any, shape: Shape | None, sizes: dict[str, str]) -> str:
        """What must hold of one input, as Python; `sizes` are the free sizes met so far."""
        port = self.ports[name]
        if shape is None:
            self.takes.append(f"{port.name} {value}")
            return f"{name} is {value!r}"
        tests = [f"{name} is not None"] * port.optional
        tests += [f"{name}.dtype is {self._text(value.dtype)}", f"{name}.dim() == {len(shape)}"]
        for axis, size in enumerate(shape):
            here = f"{name}.shape[{axis}]"
            if not (isinstance(size, SymInt) and size.node.expr.is_symbol):
                tests.append(f"{here} == {size}")
            elif (first := sizes.setdefault(str(size), here)) != here:
                tests.append(f"{here} == {first}")
        words = ["any" if isinstance(size, SymInt) else str(size) for size in shape]
        self.takes.append(f"{port.name} ({', '.join(words)}) {str(value.dtype).removeprefix('torch.')}")
        return " and ".join(tests)

    def _weight(self, spec: InputSpec) -> str:
        target = str(spec.target)
        if target in self.program.constants and spec.kind == InputKind.CONSTANT_TENSOR:
            return self._named("constant", self.program.constants[target])
        if spec.kind not in (InputKind.PARAMETER, InputKind.BUFFER):
            raise FlattenError(
                f"cannot flatten {target}: expected a parameter or buffer, got {spec.kind.name}"
            )
        path, _, key = target.rpartition(".")
        owner = (path, "_parameters" if spec.kind == InputKind.PARAMETER else "_buffers")
        known = {found: name for name, found in self.owners.items()}
        name = known.get(owner) or self._unused(f"w{len(self.owners)}")
        self.owners[name] = owner
        return f'{name}["{key}"]'

    def _operations(self, graph: Graph) -> Iterator[str]:
        here = ""
        last = {node: user for user in graph.nodes for node in user.all_input_nodes}
        ends: dict[Node, list[Node]] = defaultdict(list)  # the values that nobody reads after this node
        for node, user in last.items():
            ends[user] += [node] if node.op == "call_function" else []
        for node in graph.nodes:
            if node.op in ("placeholder", "get_attr", "output") or node.target in DROPPED:
                continue
            if _place(node) != here:
                here = _place(node)
                yield f"# {here}"
            if node.target is torch.ops.higher_order.wrap_with_set_grad_enabled:
                yield from self._without_gradients(node)
                continue
            call = self._call(node)
            line = f"{self._result(node)} = {call}" if node.users else call
            # or every activation would live to the end
            freed = [self.written[ended] for ended in ends[node]]
            yield "; ".join([line, f"{' = '.join(freed)} = None"]) if freed else line

    def _without_gradients(self, node: Node) -> Iterator[str]:
        """A part run under `torch.no_grad()` (or with gradients inside one) is captured as a graph of its own."""
        enabled, inner, *values = node.args
        assert isinstance(inner, Node)
        graph = self.program.graph_module.get_submodule(str(inner.target)).graph
        placeholders = graph.find_nodes(op="placeholder")
        self.written |= {own: self._text(value) for own, value in zip(placeholders, values, strict=True)}
        yield f"with {self._named('set_grad_enabled', torch.set_grad_enabled)}({enabled}):"
        yield from (INDENT + line for line in self._operations(graph))
        yield f"{INDENT}{self._result(node)} = {self._text(graph.output_node().args[0])}"

    def _call(self, node: Node) -> str:
        if node.op != "call_function" or isinstance(node.target, torch._ops.HigherOrderOperator):
            raise FlattenError(
                f"cannot flatten {_place(node) or 'the fabric'}: {node.target} is a graph of its own"
            )
        arguments = [self._text(value) for value in node.args]
        if node.target is operator.getitem:
            return f"{arguments[0]}[{arguments[1]}]"
        arguments += [f"{key}={self._text(value)}" for key, value in node.kwargs.items()]
        function: Any = direct(node) if isinstance(node.target, torch._ops.OpOverload) else node.target
        name = self._named(getattr(function, "__name__", "call").partition(".")[0], function)
        return f"{name}({', '.join(arguments)})"

    def _result(self, node: Node) -> str:
        self.written[node] = self._unused(node.name)
        return self.written[node]

    def _text(self, value: Any) -> str:
        """An argument as the function's text writes it."""
        if isinstance(value, Node):
            return self.written[value]
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self._text, value))}]"
        if isinstance(value, PLAIN) or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        return self._named(str(value).rpartition(".")[2], value)

    def _named(self, wish: str, value: Any) -> str:
        """The name of a value among the function's globals."""
        for name, found in self.names.items():
            if found is value or (type(found) is type(value) is torch.device and found == value):
                return name
        name = self._unused("".join(letter if letter.isalnum() else "_" for letter in wish) + "_")
        self.names[name] = value
        return name

    def _unused(self, name: str) -> str:
        taken = {*self.names, *self.owners, *self.ports}
        return next(wish for wish in (name, *(f"{name}{n}" for n in range(2, 1000))) if wish not in taken)


def _place(node: Node) -> str:
    """The path of the module that a node comes from."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()), ("",))[0] if stack else ""
    return str(path).removesuffix(".module")
