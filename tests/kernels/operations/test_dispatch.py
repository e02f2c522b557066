"""How torch sees an operation: its operator, gradients, transforms, tracing."""

import pytest
import torch
from cases.checks import everything, gradients, learned
from cases.collected import NAMES, call
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from kernels.catalog import OPERATIONS


class Record(TorchDispatchMode):
    """Keeps the names of all operators called under it."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


def test_gradcheck(case):
    inputs = case.inputs(case.tiny[0], torch.float64)
    if not learned(inputs):
        pytest.skip("has no gradient")
    assert torch.autograd.gradcheck(case.ours, inputs)


def test_gradcheck_catches_a_wrong_gradient(case):
    """The test above can fail: a gradient that is off by 1% is seen."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * 1.01

    inputs = case.inputs(case.tiny[0], torch.float64)
    if not learned(inputs):
        pytest.skip("has no gradient")

    def off(*tensors):
        return case.ours(*(Off.apply(tensor) if tensor.requires_grad else tensor for tensor in tensors))

    assert not torch.autograd.gradcheck(off, inputs, raise_exception=False)


@pytest.mark.parametrize("name", NAMES)
def test_opcheck(name):
    operator, arguments = call(name)
    arguments = [
        argument.clone().requires_grad_()
        if isinstance(argument, torch.Tensor)
        and argument.is_floating_point()
        and OPERATIONS[operator].gradient
        else argument
        for argument in arguments
    ]
    torch.library.opcheck(getattr(torch.ops.workbench, operator).default, arguments)


@pytest.mark.parametrize("name", NAMES)
def test_operator_agrees_with_its_reference(name):
    operator, arguments = call(name)
    found, expected = OPERATIONS[operator](*arguments), OPERATIONS[operator].reference(*arguments)
    found, expected = (value if isinstance(value, tuple) else (value,) for value in (found, expected))
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_every_operation_is_called():
    given_back = {name for name, operation in OPERATIONS.items() if not operation.in_place}
    assert {name.partition("-")[2] for name in NAMES} == given_back


def test_dispatch_mode_sees_forward_and_backward(case):
    inputs = case.inputs(case.tiny[0])
    unwatched = everything(case, inputs)
    with Record() as record:
        watched = everything(case, inputs)
    assert record.calls.count(f"workbench.{case.operator}.default") == 1
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))


def test_profiler_sees_the_name(case):
    with torch.profiler.profile() as profile:
        case.ours(*case.inputs(case.tiny[0]))
    assert f"workbench::{case.operator}" in [event.key for event in profile.key_averages()]


def test_only_the_gradients_asked_for(case):
    inputs = case.inputs(case.tiny[0])
    places = [place for place, tensor in enumerate(inputs) if tensor.requires_grad]
    wanted = dict(zip(places, gradients(case.ours(*inputs), inputs), strict=True))
    for chosen in range(1, 2 ** len(places)):
        some = [tensor.detach() for tensor in inputs]
        for bit, place in enumerate(places):
            some[place].requires_grad_(bool(chosen >> bit & 1))
        found = gradients(case.ours(*some), tuple(some))
        expected = [wanted[place] for place in places if some[place].requires_grad]
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_no_graph_without_gradients(case):
    inputs = case.inputs(case.tiny[0])
    with torch.no_grad():
        assert not any(output.requires_grad for output in case.ours(*inputs))
    assert not any(output.requires_grad for output in case.ours(*(tensor.detach() for tensor in inputs)))


@pytest.mark.parametrize("watched", [False, True])
def test_double_backward_is_refused(case, watched):
    inputs = case.inputs(case.tiny[0])
    if not learned(inputs):
        pytest.skip("has no gradient")
    # through a sine, so that gradients of linear operations have something to be differentiated by
    first = torch.autograd.grad(case.ours(*inputs)[0].sin().sum(), learned(inputs), create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"), Record() if watched else torch.enable_grad():
        sum(gradient.sum() for gradient in first).backward()


@pytest.mark.parametrize("make", ["meta", "fake"])
def test_tensors_without_data(case, make):
    inputs = case.inputs(case.tiny[-1], torch.bfloat16)
    real = everything(case, inputs)
    if make == "fake":
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            imagined = everything(case, tuple(mode.from_tensor(tensor) for tensor in inputs))
    else:
        on_meta = (t.detach().to("meta").requires_grad_(t.requires_grad) for t in inputs)
        imagined = everything(case, tuple(on_meta))
    for a, b in zip(real, imagined, strict=True):
        assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())


def test_transforms(case):
    if not case.transforms:
        pytest.skip("its reference is not made of differentiable parts")
    inputs = tuple(tensor.detach() for tensor in case.inputs(case.tiny[0], torch.float64))
    argnums = tuple(
        place for place, t in enumerate(inputs) if t.is_floating_point() and place not in case.kept
    )
    learnable = tuple(inputs[place] for place in argnums)

    def total(f):
        def of(*chosen):
            given = list(inputs)
            for place, tensor in zip(argnums, chosen, strict=True):
                given[place] = tensor
            return sum(output.sin().sum() for output in f(*given))

        return of

    ours, torchs = total(case.ours), total(case.torchs)
    for transform in (
        lambda f: torch.func.grad(f, tuple(range(len(learnable))))(*learnable),
        lambda f: torch.func.jvp(f, learnable, learnable),
        lambda f: torch.func.vmap(f)(*(t.expand(2, *t.shape) for t in learnable)),
    ):
        torch.testing.assert_close(transform(ours), transform(torchs))


def test_traces(case):
    inputs = tuple(tensor.detach() for tensor in case.inputs(case.tiny[0]))
    graph = torch.fx.experimental.proxy_tensor.make_fx(lambda *tensors: case.ours(*tensors))(*inputs).graph
    assert any(str(node.target) == f"workbench.{case.operator}.default" for node in graph.nodes)


def test_torch_compile_traces_whole(case):
    """Through dynamo and autograd without a C++ compiler; one graph, forward and backward."""
    inputs = case.inputs(case.tiny[0])
    compiled = torch.compile(case.ours, backend="aot_eager", fullgraph=True)
    outputs = compiled(*inputs)
    found = [*outputs, *gradients(outputs, inputs)]
    assert all(torch.equal(a, b) for a, b in zip(found, everything(case, inputs), strict=True))
    torch._dynamo.reset()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_gives_the_dtypes_that_torch_gives(case, dtype):
    inputs = case.inputs(case.tiny[0], dtype)
    with torch.autocast("cpu", torch.bfloat16):
        ours, torchs = case.ours(*inputs), case.torchs(*inputs)
    assert [output.dtype for output in ours] == [output.dtype for output in torchs]
    if learned(inputs):
        found = gradients(ours, inputs)
        assert [gradient.dtype for gradient in found] == [tensor.dtype for tensor in learned(inputs)]


def test_function_modes_see_the_public_function(case):
    """So do torch.fx, which records it whole, and tensor subclasses."""

    class Seen(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    seen = []
    inputs = case.inputs(case.tiny[0])
    with Seen():
        case.ours(*inputs)
    assert seen.count(case.operator) == 1
