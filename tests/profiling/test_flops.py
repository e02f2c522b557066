"""FLOPs of single operations: by hand, and composite functions against the same written out in simple steps."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from workbench.profiling.meter import meter

SIZE = st.integers(1, 7)


@pytest.mark.parametrize(
    ("composite", "steps"),
    [
        (torch.sigmoid, lambda x: torch.ones(()) / (1 + torch.exp(-x))),
        (F.silu, lambda x: x / (1 + torch.exp(-x))),
        (F.gelu, lambda x: x * (torch.erfc(x * -0.7071) * 0.5)),
        (
            lambda x: F.gelu(x, approximate="tanh"),
            lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
        ),
        (lambda x: x.tanh_(), torch.tanh),
        (lambda x: torch.add(x, 2, out=torch.empty_like(x)), lambda x: x + 2),
        (lambda x: torch.addcmul(x, x, x, value=3), lambda x: x + 3 * (x * x)),
        (lambda x: torch._foreach_mul([x, x], 2), lambda x: (x * 2, x * 2)),
    ],
)
def test_a_composite_function_counts_the_steps_of_its_formula(composite, steps):
    x = torch.randn(3, 5)
    composite_count, steps_count = meter(composite, x), meter(steps, x)
    difference = abs(composite_count.flops - steps_count.flops)
    assert difference <= x.numel() * (composite is F.silu)  # x / (…) saves silu's separate product
    assert composite_count.flops >= x.numel()
    assert composite_count.uncounted == steps_count.uncounted == {}


@pytest.mark.parametrize(
    ("call", "flops"),
    [
        (lambda x: x.clone(), 0),
        (lambda x: x > 0, 0),
        (lambda x: x.int() + 1, 0),  # integers are not floating point
        (lambda x: x.int().sum(), 0),
        (lambda x: torch.where(x > 0, x, 0.0), 0),
        (lambda x: x.sort(), 0),
        (lambda x: x.sum(), 15),
        (lambda x: x.mean(1), 15),
        (lambda x: x.softmax(-1), 5 * 15),
        (lambda x: x.max(1), 15),
        (lambda x: x @ torch.ones(5), 2 * 15),
        (lambda x: torch.dot(x[0], x[1]), 2 * 5),
        (lambda x: F.layer_norm(x, (5,)), 5 * 15),
        (lambda x: F.layer_norm(x, (5,), torch.ones(5), torch.ones(5)), 7 * 15),
        (lambda x: F.max_pool1d(x[None], 3, 1), 3 * 9),
        (lambda x: F.avg_pool2d(x[None, None], (2, 3)), 6 * 1),
        (lambda x: x.relu().t().reshape(-1), 15),
    ],
)
def test_flops_by_hand(call, flops):
    count = meter(call, torch.randn(3, 5))
    assert count.flops == flops
    assert count.uncounted == {}


@settings(deadline=None)
@given(m=SIZE, k=SIZE, n=SIZE, bias=st.booleans())
def test_linear_is_two_m_n_k_with_or_without_bias(m, k, n, bias):
    assert meter(torch.nn.Linear(k, n, bias=bias), torch.randn(m, k)).flops == 2 * m * n * k


@settings(deadline=None)
@given(groups=st.integers(1, 3), width=st.integers(1, 2), transposed=st.booleans(), bias=st.booleans())
def test_the_gradients_of_a_convolution_cost_twice_the_convolution(groups, width, transposed, bias):
    kind = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    convolution = kind(groups * width, groups * 2, (3, 2), groups=groups, bias=bias)
    x = torch.randn(2, groups * width, 5, 6, requires_grad=True)
    forward = meter(convolution, x).flops
    positions = 5 * 6 if transposed else 3 * 5  # places of the filter
    assert forward == 2 * 2 * positions * 3 * 2 * (groups * width) * (groups * 2) // groups
    output = convolution(x)
    backward = meter(convolution, x, backward=True).flops - forward
    assert backward == 2 * forward + bias * output.numel()


@pytest.mark.parametrize(("training", "steps"), [(True, 7), (False, 4)])
def test_batch_norm_counts_its_moments_in_training_only(training, steps):
    x = torch.randn(2, 3, 4, 4)
    count = meter(torch.nn.BatchNorm2d(3).train(training), x)
    assert count.flops == steps * x.numel()


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_a_sparse_product_counts_its_stored_values_only():
    dense = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]])
    count = meter(lambda a, b: a @ b, dense.to_sparse_csr(), torch.randn(3, 4))
    assert count.flops == 2 * 3 * 4


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: F.scaled_dot_product_attention(x, x, x), "_scaled_dot_product_flash_attention_for_cpu"),
        (lambda x: torch.nn.LSTM(8, 8)(x[0]), "mkldnn_rnn_layer"),
        (lambda x: torch._int_mm(x[0, 0].to(torch.int8), x[0, 0].to(torch.int8).t()), "_int_mm"),
        (lambda x: x[0, 0].long() @ x[0, 0].long(), "mm"),
        (lambda x: torch.fft.rfft(x), "_fft_r2c"),
    ],
)
def test_the_unknown_is_listed_and_never_zero(call, name):
    count = meter(call, torch.randn(1, 2, 8, 8))
    assert count.uncounted == {name: 1}
    assert count.by_operation[name].bytes > 0
    assert f"{name} ×1" in count.table()
    assert count.table().startswith("at least")


@pytest.mark.parametrize("backward", [False, True])
def test_products_and_convolutions_agree_with_torchs_own_counter(backward):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(5),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(5, 4, 2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 5 * 5, 7),
    )
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with FlopCounterMode(display=False) as torchs:
        output = model(x)
        if backward:
            output.sum().backward()
    count = meter(model, x, backward=backward)
    products = ("convolution", "convolution_backward", "addmm", "mm")
    ours = sum(work.flops for name, work in count.by_operation.items() if name in products)
    biases = (
        2 * 5 * 4 * 4 + 2 * 4 * 5 * 5
    )  # the gradients of both convolutions' biases: torch leaves them out
    assert ours == torchs.get_total_flops() + backward * biases
    assert count.flops > ours
