"""How torch sees an operation: its operator, gradients, transforms, tracing, and what is refused."""

import importlib.util
import shutil

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import add_rms_norm, bias_gelu, rms_norm
from kernels.backend import SIMULATING, cuda
from kernels.catalog import OPERATIONS


class Record(TorchDispatchMode):
    """Keeps the names and arguments of all operators called under it."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append((str(func), args))
        return func(*args, **(kwargs or {}))

    def arguments(self, name):
        return [args for called, args in self.calls if called == f"workbench.{name}.default"]


def run(case, inputs):
    outputs = case.ours(*inputs)
    return [*outputs, *torch.autograd.grad(outputs, inputs, [output.detach().cos() for output in outputs])]


def test_gradcheck(case):
    inputs = case.inputs((3, 4), torch.float64)
    assert torch.autograd.gradcheck(case.ours, inputs)


def test_gradcheck_catches_a_wrong_gradient():
    """The test above can fail: a gradient that is off by 1% is seen."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * 1.01

    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.gradcheck(lambda x: rms_norm(Off.apply(x)), (x,), raise_exception=False)


def operator_arguments():
    draw = torch.Generator().manual_seed(0)
    x, y, grad = (torch.randn(4, 6, generator=draw, dtype=torch.float64) for _ in range(3))
    w = torch.randn(6, generator=draw, dtype=torch.float64)
    for approximate in ("none", "tanh"):
        yield "bias_gelu", (x.clone().requires_grad_(), w.clone().requires_grad_(), approximate)
        for needs in ((True, True), (True, False), (False, True)):
            yield "bias_gelu_backward", (grad, x, w, approximate, *needs)
    for weight in (None, w):
        learned = None if weight is None else weight.clone().requires_grad_()
        yield "rms_norm", (x.clone().requires_grad_(), learned, 1e-6)
        yield "add_rms_norm", (x.clone().requires_grad_(), y.clone().requires_grad_(), learned, 1e-6)
        for grad_sum in (None, y):
            yield "rms_norm_backward", (grad, x, weight, 1e-6, grad_sum, True, weight is not None)
    yield "rms_norm_backward", (grad, x, w, 1e-6, None, False, True)


@pytest.mark.parametrize(("name", "arguments"), list(operator_arguments()))
def test_opcheck(name, arguments):
    torch.library.opcheck(getattr(torch.ops.workbench, name).default, arguments)


@pytest.mark.parametrize(("name", "arguments"), list(operator_arguments()))
def test_operator_agrees_with_its_reference(name, arguments):
    found, expected = OPERATIONS[name](*arguments), OPERATIONS[name].reference(*arguments)
    found, expected = (value if isinstance(value, tuple) else (value,) for value in (found, expected))
    for mine, theirs in zip(found, expected, strict=True):
        if mine.numel():  # a gradient that is not asked for is empty
            torch.testing.assert_close(mine, theirs)


def test_every_operation_is_checked():
    assert {name for name, _ in operator_arguments()} == set(OPERATIONS)


def test_dispatch_mode_sees_forward_and_backward(case):
    inputs = case.inputs((5, 8))
    unwatched = run(case, inputs)
    with Record() as record:
        watched = run(case, inputs)
    backward = case.operator().removeprefix("add_") + "_backward"
    assert len(record.arguments(case.operator())) == 1
    assert len(record.arguments(backward)) == 1
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))


def test_profiler_sees_the_name(case):
    with torch.profiler.profile() as profile:
        case.ours(*case.inputs((2, 3)))
    assert f"workbench::{case.operator()}" in [event.key for event in profile.key_averages()]


def test_only_the_gradients_asked_for(case):
    inputs = case.inputs((5, 8))
    outputs = case.ours(*inputs)
    weights = [output.detach().cos() for output in outputs]
    everything = torch.autograd.grad(outputs, inputs, weights)
    for chosen in range(1, 2 ** len(inputs)):
        some = [t.detach().requires_grad_(bool(chosen >> i & 1)) for i, t in enumerate(inputs)]
        learned = [t for t in some if t.requires_grad]
        with Record() as record:
            found = torch.autograd.grad(case.ours(*some), learned, weights)
        assert all(
            torch.equal(a, b)
            for a, b in zip(
                found, [g for g, t in zip(everything, some, strict=True) if t.requires_grad], strict=True
            )
        )
        backward = case.operator().removeprefix("add_") + "_backward"
        *_, need_x, need_vector = record.arguments(backward)[0]
        assert need_x == any(t.requires_grad for t in some[: case.full])
        assert need_vector == any(t.requires_grad for t in some[case.full :])


def test_no_graph_without_gradients(case):
    inputs = case.inputs((2, 3))
    with torch.no_grad():
        assert not any(output.requires_grad for output in case.ours(*inputs))
    assert not any(output.requires_grad for output in case.ours(*(tensor.detach() for tensor in inputs)))


def test_each_result_of_add_rms_norm_can_be_used_alone():
    x, residual, weight = (torch.randn(shape, requires_grad=True) for shape in ((3, 5), (3, 5), (5,)))
    summed = add_rms_norm(x, residual, weight)[1]
    grad_x, grad_residual, grad_weight = torch.autograd.grad(
        summed.sum(), (x, residual, weight), allow_unused=True, materialize_grads=True
    )
    assert torch.equal(grad_x, torch.ones(3, 5))
    assert torch.equal(grad_residual, torch.ones(3, 5))
    assert not grad_weight.any()
    normed = add_rms_norm(x, residual, weight)[0]
    expected = torch.nn.functional.rms_norm(x + residual, (5,), weight, 1e-6)
    found, wanted = (torch.autograd.grad(y.cos().sum(), (x, residual, weight)) for y in (normed, expected))
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("watched", [False, True])
def test_double_backward_is_refused(case, watched):
    inputs = case.inputs((2, 3))
    first = torch.autograd.grad(case.ours(*inputs)[0].sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"), Record() if watched else torch.enable_grad():
        first[0].sum().backward()


@pytest.mark.parametrize("make", ["meta", "fake"])
def test_tensors_without_data(case, make):
    real = run(case, case.inputs((3, 2, 5), torch.bfloat16))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        inputs = case.inputs((3, 2, 5), torch.bfloat16, device="cpu")
        inputs = [mode.from_tensor(tensor) for tensor in inputs]
        fake = run(case, inputs)
    if make == "meta":
        fake = run(
            case, [t.detach().to("meta").requires_grad_() for t in case.inputs((3, 2, 5), torch.bfloat16)]
        )
    for a, b in zip(real, fake, strict=True):
        assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())


def test_transforms(case):
    inputs = tuple(tensor.detach() for tensor in case.inputs((3, 4), torch.float64))
    both = [lambda *a, f=f: sum(output.sin().sum() for output in f(*a)) for f in (case.ours, case.torchs)]
    argnums = tuple(range(len(inputs)))
    for transform in (
        lambda f: torch.func.grad(f, argnums)(*inputs),
        lambda f: torch.func.hessian(f)(*inputs),
        lambda f: torch.func.jvp(f, inputs, inputs),
        lambda f: torch.func.vmap(f)(*(t.expand(2, *t.shape) for t in inputs)),
    ):
        torch.testing.assert_close(transform(both[0]), transform(both[1]))


def test_forward_mode(case):
    inputs = tuple(tensor.detach() for tensor in case.inputs((3, 4), torch.float64))
    with torch.autograd.forward_ad.dual_level():
        duals = [torch.autograd.forward_ad.make_dual(t, t.cos()) for t in inputs]
        tangents = [
            [torch.autograd.forward_ad.unpack_dual(output).tangent for output in f(*duals)]
            for f in (case.ours, case.torchs)
        ]
    torch.testing.assert_close(*tangents)


def test_traces(case):
    inputs = tuple(tensor.detach() for tensor in case.inputs((3, 4)))
    graph = torch.fx.experimental.proxy_tensor.make_fx(lambda *tensors: case.ours(*tensors))(*inputs).graph
    assert any(str(node.target) == f"workbench.{case.operator()}.default" for node in graph.nodes)
    symbolic = torch.fx.symbolic_trace(lambda x, b: bias_gelu(x, b, approximate="tanh"))
    assert any(node.target is bias_gelu for node in symbolic.graph.nodes)
    x, b = torch.randn(2, 3), torch.randn(3)
    assert torch.equal(symbolic(x, b), bias_gelu(x, b, "tanh"))


def test_torch_compile_traces_whole(case):
    """Through dynamo and autograd without a C++ compiler; one graph, forward and backward."""
    inputs = case.inputs((3, 5))
    compiled = torch.compile(case.ours, backend="aot_eager", fullgraph=True)
    outputs = compiled(*inputs)
    found = torch.autograd.grad(outputs, inputs, [output.detach().cos() for output in outputs])
    assert all(torch.equal(a, b) for a, b in zip([*outputs, *found], run(case, inputs), strict=True))
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a C++ compiler"
)
def test_torch_compile():
    x, w = torch.randn(4, 6, requires_grad=True), torch.randn(6, requires_grad=True)

    def layer(x, w):
        normed, summed = add_rms_norm(bias_gelu(x, w), x * 2, w)
        return (normed + summed).sum()

    (found,), (wanted,) = (
        torch.autograd.grad(f(x, w), (x,)) for f in (torch.compile(layer, fullgraph=True), layer)
    )
    torch.testing.assert_close(found, wanted)
    torch._dynamo.reset()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_is_followed(half):
    x, w = torch.randn(3, 4), torch.randn(4)
    linear = torch.nn.Linear(4, 4)
    with torch.autocast("cpu", half):
        inner = linear(x)  # half, beside float32 parameters and a float32 residual stream
        assert inner.dtype == half
        assert bias_gelu(inner, w).dtype == half
        assert bias_gelu(x, w.to(half)).dtype == torch.float32
        assert rms_norm(inner, w).dtype == torch.nn.functional.rms_norm(inner, (4,), w).dtype
        assert rms_norm(x, w.to(half)).dtype == torch.float32
        normed, summed = add_rms_norm(inner, x, w)
        assert normed.dtype == summed.dtype == (inner + x).dtype
        grad = torch.autograd.grad(summed.sum() + normed.sum(), linear.weight)[0]
    assert grad.dtype == torch.float32
    assert grad.isfinite().all()


REFUSED = {
    "a list": (TypeError, lambda x, w: bias_gelu([1.0], w), "x must be a tensor, got list"),
    "integers": (
        TypeError,
        lambda x, w: rms_norm(x.long()),
        "x must be float16, bfloat16, float32 or float64",
    ),
    "complex": (TypeError, lambda x, w: rms_norm(x + 0j), "x must be .* got torch.complex64"),
    "scalar": (ValueError, lambda x, w: rms_norm(x[0, 0]), "x must have at least one axis"),
    "no bias": (TypeError, lambda x, w: bias_gelu(x, None), "bias must be a tensor, got NoneType"),
    "long bias": (
        ValueError,
        lambda x, w: bias_gelu(x, torch.ones(5)),
        r"bias must have shape \(4,\).* got \(5,\)",
    ),
    "flat bias": (
        ValueError,
        lambda x, w: bias_gelu(x, w[None]),
        r"bias must have shape \(4,\).* got \(1, 4\)",
    ),
    "half bias": (TypeError, lambda x, w: bias_gelu(x, w.half()), "bias must be torch.float32"),
    "wide weight": (TypeError, lambda x, w: rms_norm(x, w.double()), "weight must be torch.float32"),
    "wide for half": (
        TypeError,
        lambda x, w: rms_norm(x.half(), w.double()),
        "weight must be torch.float16 or float32",
    ),
    "other half": (
        TypeError,
        lambda x, w: rms_norm(x.half(), w.bfloat16()),
        "weight must be torch.float16 or float32",
    ),
    "other device": (
        ValueError,
        lambda x, w: rms_norm(x, w.to("meta")),
        "weight must be on cpu like x, got meta",
    ),
    "approximate": (
        ValueError,
        lambda x, w: bias_gelu(x, w, "erf"),
        'approximate must be "none" or "tanh", got \'erf\'',
    ),
    "eps as text": (TypeError, lambda x, w: rms_norm(x, w, "1"), "eps must be a number or None, got str"),
    "negative eps": (ValueError, lambda x, w: rms_norm(x, w, -1e-6), "eps must not be negative, got -1e-06"),
    "nan eps": (ValueError, lambda x, w: rms_norm(x, w, float("nan")), "eps must not be negative, got nan"),
    "residual": (
        ValueError,
        lambda x, w: add_rms_norm(x, x[:1]),
        r"residual must have x's shape \(3, 4\), got \(1, 4\)",
    ),
    "half residual": (
        TypeError,
        lambda x, w: add_rms_norm(x, x.half()),
        "residual must be torch.float32 like x",
    ),
    "no residual": (TypeError, lambda x, w: add_rms_norm(x, 1.0), "residual must be a tensor, got float"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_by_name(reason):
    error, call, message = REFUSED[reason]
    with pytest.raises(error, match=message):
        call(torch.randn(3, 4), torch.randn(4))


@pytest.mark.skipif(
    SIMULATING or importlib.util.find_spec("nvidia") is None, reason="needs NVIDIA's compiler wheels"
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_float32_kernels_never_compute_in_float64(name):
    for kernel, signature in OPERATIONS[name].kernels:
        ptx, _ = cuda.compile_ptx(kernel.py_func, signature, cc=(9, 0))
        assert (".f64" in ptx) == ("float64" in str(signature))
