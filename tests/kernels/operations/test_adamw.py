"""What is special to adamw_step: it works in place, on lists, step after step."""

import pytest
import torch
from test_ledgers import Meter
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import adamw_step, ledger, simt
from kernels.catalog import OPERATIONS
from kernels.optimizers.adamw import adamw_twin
from kernels.optimizers.many import TILE, gapless

SHAPES = [(3, 5), (7,), (), (0,), (2, 3, 4), (1,), (33,), (5, 1), (64,), (4, 4)]
NUMBERS = (
    2,
    0.01,
    0.9,
    0.99,
    1e-8,
    0.1,
)  # as the operator takes them: step, lr, two betas, eps, weight decay
OPERATION = OPERATIONS["adamw_step"]


def lists_of(shapes, dtype=torch.float32, moments=None, seed=0):
    """Parameters that require gradients, gradients, and moments as they are at the beginning."""
    draw = torch.Generator().manual_seed(seed)
    params, grads = (
        [torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype) for shape in shapes]
        for _ in range(2)
    )
    zeros = [[torch.zeros(shape, dtype=moments or dtype) for shape in shapes] for _ in range(2)]
    return [param.requires_grad_() for param in params], grads, *zeros


def started(shapes):
    """The same, one step on: no moment is zero."""
    params, grads, *moments = lists_of(shapes)
    adamw_step(params, grads, *moments, 1, 0.01)
    return [param.detach() for param in params], grads, *moments


def copied(lists):
    return [[tensor.detach().clone() for tensor in tensors] for tensors in lists]


def assert_all_equal(found, wanted):
    for mine, theirs in zip(found, wanted, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 2e-6), (torch.float64, 1e-14)], ids=str)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_trains_as_torch_does(dtype, close, weight_decay):
    """A hundred steps towards the least squares of a line, at a learning rate that falls."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(size, generator=draw, dtype=dtype) for size in ((50, 3), (50, 2)))
    ours, theirs = ([torch.full((2, 3), 0.5, dtype=dtype), torch.zeros(2, dtype=dtype)] for _ in range(2))
    for param in (*ours, *theirs):
        param.requires_grad_()
    moments = [[torch.zeros_like(param) for param in ours] for _ in range(2)]
    optimizer = torch.optim.AdamW(theirs, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=weight_decay)
    for step in range(1, 101):
        lr = optimizer.param_groups[0]["lr"] = 0.1 / step
        for weight, bias in (ours, theirs):
            loss = (torch.nn.functional.linear(x, weight, bias) - y).square().mean()
            weight.grad, bias.grad = torch.autograd.grad(loss, (weight, bias))
        adamw_step(ours, [p.grad for p in ours], *moments, step, lr, (0.8, 0.9), 1e-6, weight_decay)
        optimizer.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=close, atol=close)
    for name, mine in zip(("exp_avg", "exp_avg_sq"), moments, strict=True):
        for moment, param in zip(mine, theirs, strict=True):
            torch.testing.assert_close(moment, optimizer.state[param][name], rtol=10 * close, atol=close)


def test_the_first_step_is_the_learning_rate():
    """m̂ = g and v̂ = g², so that every parameter moves by η, whatever its gradient; the decay comes on top."""
    grads = [torch.tensor([1e-6, -5.0, 3e4])]
    for decay in (0.0, 0.5):
        params, moments = [torch.ones(3)], [[torch.zeros(3)], [torch.zeros(3)]]
        adamw_step(params, grads, *moments, 1, 0.01, (0.9, 0.999), 0.0, decay)
        expected = 1 - 0.01 * decay - torch.tensor([0.01, -0.01, 0.01])
        torch.testing.assert_close(params[0], expected, rtol=1e-6, atol=0)


def test_the_decay_is_decoupled():
    """Without a gradient only the decay acts, and the moments stay at zero."""
    params, grads, moments, squares = (
        [torch.tensor([2.0])],
        [torch.zeros(1)],
        [torch.zeros(1)],
        [torch.zeros(1)],
    )
    adamw_step(params, grads, moments, squares, 1, 0.1, (0.9, 0.999), 1e-8, 0.5)
    assert params[0] == pytest.approx(2 * (1 - 0.1 * 0.5))
    assert moments[0] == squares[0] == 0


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("simulated", [False, True])
def test_float32_moments_beside_half_parameters(half, simulated):
    params, grads, *moments = lists_of(SHAPES, half, torch.float32)
    exact = [[tensor.detach().double() for tensor in tensors] for tensors in (params, grads, *moments)]
    for step in (1, 2):
        adamw_step(*exact, step, 0.01)
        if simulated:
            with simt.simulated():
                adamw_step(params, grads, *moments, step, 0.01)
        else:
            adamw_step(params, grads, *moments, step, 0.01)
    assert {tensor.dtype for tensors in moments for tensor in tensors} == {torch.float32}
    for mine, truth in zip((*moments[0], *moments[1]), (*exact[2], *exact[3]), strict=True):
        torch.testing.assert_close(mine.double(), truth, rtol=1e-6, atol=1e-9)
    for mine, truth in zip(params, exact[0], strict=True):
        torch.testing.assert_close(mine.double(), truth, rtol=2 * torch.finfo(half).eps, atol=1e-3)


def test_one_call_takes_all_dtypes():
    mixed = [
        lists_of([(5,)], dtype) for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.float32)
    ]
    apart = [copied(lists) for lists in mixed]
    adamw_step(*[[tensor for (tensor,) in lists] for lists in zip(*mixed, strict=True)], 1, 0.01)
    for lists, alone in zip(mixed, apart, strict=True):
        adamw_step(*alone, 1, 0.01)
        assert_all_equal(lists, alone)


def test_tiles_meet_without_gaps():
    """Tensors that end just before, at and after the end of a tile, with empty ones between them."""
    shapes = [(TILE - 1,), (0,), (TILE,), (TILE + 1,), (3 * TILE + 5,), (0,), (1,)]
    together, apart = lists_of(shapes), copied(lists_of(shapes))
    adamw_step(*together, 1, 0.01)
    for four in zip(*apart, strict=True):
        adamw_step(*([tensor] for tensor in four), 1, 0.01)
    assert_all_equal(together, apart)


def test_the_number_of_threads_changes_no_bit():
    many, one = lists_of([(700, 131), (9,)] * 3), copied(lists_of([(700, 131), (9,)] * 3))
    adamw_step(*many, 1, 0.01)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        adamw_step(*one, 1, 0.01)
    finally:
        torch.set_num_threads(threads)
    assert_all_equal(many, one)


def test_many_small_tensors_are_shared_out_over_the_cores(monkeypatch):
    ran = []
    for variant in ("serial", "parallel"):
        monkeypatch.setattr(adamw_twin, variant, lambda *arrays, variant=variant: ran.append(variant))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    adamw_step(*lists_of([(1000,)] * 3), 1, 0.01)
    adamw_step(*lists_of([(1000,)] * 100), 1, 0.01)
    assert ran == ["serial", "parallel"]


def test_a_shared_layout_is_not_copied():
    lists = [[torch.randn(2, 3, 4, 5).square().to(memory_format=torch.channels_last)] for _ in range(4)]
    plain = [[tensors[0].contiguous()] for tensors in lists]
    ordered, ready = gapless([tuple(tensor for (tensor,) in lists)], torch.Tensor.contiguous)
    assert all(a is b for a, b in zip(ordered[0], ready[0], strict=True))
    for given in (lists, plain):
        adamw_step(*given, 1, 0.01)
    assert_all_equal(lists, plain)
    assert lists[0][0].is_contiguous(memory_format=torch.channels_last)


def test_views_of_one_tensor_are_written_where_they_lie():
    """Parameters may be parts of a larger tensor, and nothing else of it is touched."""
    whole, untouched = torch.ones(4, 9), torch.ones(4, 9)
    params = [whole[:, 1:3], whole[:2, 4], whole[3:, 6:].t()]
    zeros = [[torch.zeros(param.shape) for param in params] for _ in range(2)]
    adamw_step(params, [torch.ones(param.shape) for param in params], *zeros, 1, 0.5, weight_decay=0.0)
    for part in (untouched[:, 1:3], untouched[:2, 4], untouched[3:, 6:]):
        part -= 0.5
    torch.testing.assert_close(whole, untouched)


def test_step_may_be_a_tensor():
    counted, given = lists_of(SHAPES), copied(lists_of(SHAPES))
    adamw_step(*counted, 7, 0.01)
    adamw_step(*given, torch.tensor(7.0), 0.01)
    assert_all_equal(counted, given)


def test_no_tensors_are_no_work():
    adamw_step([], [], [], [], 1, 0.01)


@pytest.mark.parametrize("bad", ["grads", "exp_avg_sqs"])
def test_a_refusal_comes_before_anything_is_written(bad):
    lists = dict(zip(("params", "grads", "exp_avgs", "exp_avg_sqs"), lists_of(SHAPES), strict=True))
    before = copied(lists.values())
    lists[bad][-1] = lists[bad][-1][:1]
    with pytest.raises(ValueError, match=bad):
        adamw_step(**lists, step=1, lr=0.1)
    for mine, old in zip(lists.values(), before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine[:-1], old[:-1], strict=True))


def test_autograd_notices_that_a_parameter_has_changed():
    params, grads, *moments = lists_of([(4,)])
    loss = params[0].square().sum()  # its backward pass needs the parameter as it was
    adamw_step(params, grads, *moments, 1, 0.01)
    assert params[0].is_leaf
    assert params[0].requires_grad
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Names(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_sees_one_call():
    watched, unwatched = lists_of(SHAPES), copied(lists_of(SHAPES))
    with Names() as names:
        adamw_step(*watched, 1, 0.01)
    adamw_step(*unwatched, 1, 0.01)
    assert names.calls == ["workbench.adamw_step.default"]
    assert_all_equal(watched, unwatched)


@pytest.mark.parametrize("device", ["meta", "fake"])
def test_tensors_without_data(device):
    lists = lists_of(SHAPES)
    if device == "meta":
        adamw_step(*[[tensor.to("meta") for tensor in tensors] for tensors in lists], 1, 0.01)
    else:
        with FakeTensorMode() as mode:
            adamw_step(*[[mode.from_tensor(tensor) for tensor in tensors] for tensors in lists], 1, 0.01)


def test_opcheck():
    lists = started(SHAPES)
    torch.library.opcheck(torch.ops.workbench.adamw_step.default, (*lists, *NUMBERS))


def test_agrees_with_its_reference():
    ours, plain = started(SHAPES), copied(started(SHAPES))
    OPERATION(*ours, *NUMBERS)
    OPERATION.reference(*plain, *NUMBERS)
    for mine, theirs in zip(ours, plain, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_compiles_whole_and_once_for_all_steps():
    compiled_lists, eager = lists_of(SHAPES), copied(lists_of(SHAPES))
    count = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(adamw_step, backend=count, fullgraph=True)
    for step in range(1, 6):
        compiled(*compiled_lists, step, 0.01)
        adamw_step(*eager, step, 0.01)
    assert_all_equal(compiled_lists, eager)
    assert count.frame_count <= 2  # the second makes the step a number that may change
    torch._dynamo.reset()


def test_ledger():
    lists = started(SHAPES)
    n = sum(param.numel() for param in lists[0])
    counted = ledger(adamw_step, *lists, *NUMBERS)
    assert (counted.bytes_read, counted.bytes_written) == (16 * n, 12 * n)
    assert counted.unfused.bytes == 80 * n
    assert counted.flops == counted.unfused.flops == 14 * n
    with Meter() as meter:
        OPERATION.reference(*lists, *NUMBERS)
    assert (counted.unfused.bytes_read, counted.unfused.bytes_written) == (meter.read, meter.written)


def test_the_simulated_gpu_moves_the_bytes_of_the_ledger_in_few_launches():
    shapes = [*SHAPES, (9,)]  # ten that are not empty: eight in a launch, then two
    lists = started(shapes)
    with simt.simulated() as launches:
        adamw_step(*lists, 2, 0.01)
    counted = ledger(adamw_step, *lists)
    params, grads, *moments = lists
    assert len(launches) == 3
    assert launches.bytes_read(*params, *grads, *moments[0], *moments[1]) == counted.bytes_read
    assert launches.bytes_written(*params, *moments[0], *moments[1]) == counted.bytes_written
    assert launches.bytes_written(*grads) == 0
    assert sum(run.counters.global_bytes_unique for run in launches) == counted.bytes
