"""Random small networks: fused equals unfused in float64 to 1e-12, and no operation is added.

A network is drawn as a list of steps over a signal of 4 channels; a step may take the result of any step before, so
that results branch, and may use a layer again, so that layers are shared.
"""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench import blocks
from workbench.fusion.graph.tracing import trace

CHANNELS, LENGTH = 4, 4  # equal, so that a constant along the wrong axis still fits

LAYERS = [
    lambda: nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular"),
    lambda: nn.Conv1d(4, 4, 1, groups=2, bias=False),
    lambda: nn.ConvTranspose1d(4, 4, 3, padding=1, groups=2),
    lambda: blocks.Conv1d(4, 4, 3, padding=1),
    lambda: nn.Linear(4, 4, bias=False),
    lambda: blocks.Linear(4, 4),
]
NORMS = [
    lambda: nn.BatchNorm1d(4),
    lambda: nn.BatchNorm1d(4, affine=False, eps=0.5),
    lambda: nn.BatchNorm1d(4, track_running_stats=False),
    lambda: blocks.BatchNorm(4),
]
OTHERS = [nn.Identity, nn.Dropout, nn.ReLU, lambda: nn.ReLU(inplace=True), nn.Tanh]
CONSTANTS = [(), (1,), (4,), (4, 1), (1, 4, 1), (1, 1, 4)]
COMBINE = [
    lambda x, s: x * s,
    lambda x, s: s + x,
    lambda x, s: x - s,
    lambda x, s: s - x,
    lambda x, s: x / s,
    lambda x, s: x.div(2),
]


class Network(nn.Module):
    def __init__(self, makers, shapes, steps):
        super().__init__()
        self.parts = nn.ModuleList(make() for make in makers)
        self.constants = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in shapes)
        self.steps = steps

    def forward(self, x):
        results = [x]
        for kind, number, back in self.steps:
            source = results[-1 - min(back, len(results) - 1)]
            if kind == "part":
                results.append(self.parts[number % len(self.parts)](source))
            elif kind == "pair":
                first = 2 * (number % (len(self.parts) // 2))  # a layer and, mostly, a norm
                results.append(self.parts[first + 1](self.parts[first](source)))
            elif kind == "constant":
                combine = COMBINE[number % len(COMBINE)]
                results.append(combine(source, self.constants[number % len(self.constants)]))
            elif kind == "number":
                results.append(COMBINE[number % len(COMBINE)](source, 0.5 + number % 3))
            else:
                results.append(results[-1] + source)
        return results[-1], results[len(results) // 2]


def steps():
    kind = st.sampled_from(["part", "part", "pair", "pair", "constant", "number", "sum"])
    back = st.sampled_from([0, 0, 0, 0, 1, 2])
    return st.lists(st.tuples(kind, st.integers(0, 59), back), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(
    layers=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=3),
    norms=st.lists(st.sampled_from(NORMS), min_size=1, max_size=2),
    others=st.lists(st.sampled_from(OTHERS), max_size=2),
    shapes=st.lists(st.sampled_from(CONSTANTS), min_size=1, max_size=3),
    steps=steps(),
    training=st.sampled_from([False, False, False, True]),
    seed=st.integers(0, 2**16),
)
def test_random_networks(lived_in, exact, layers, norms, others, shapes, steps, training, seed):
    # layers and norms alternate, so that one often follows the other
    parts = [part for pair in zip(layers, norms * 3, strict=False) for part in pair] + others
    torch.manual_seed(seed)
    model = lived_in(Network(parts, shapes, steps), seed).double().train(training)
    for constant in model.constants:
        nn.init.uniform_(constant, 0.5, 2)
    x = torch.randn(3, CHANNELS, LENGTH, dtype=torch.float64)
    report = exact(model, x)
    assert not any(
        "would change the result" in refusal.why for refusal in report.refused
    )  # rules know by themselves
    unfused = trace(model, (x,))
    assert operations(report.model) <= operations(unfused)
    assert not report.rewrites or operations(report.model) < operations(unfused)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(range(5)), bias=st.booleans(), seed=st.integers(0, 2**16))
def test_a_chain_becomes_one_layer(lived_in, exact, order, bias, seed):
    """Whatever the order of norms, affines and identities after a convolution, all of it goes into the weights."""

    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3, bias=bias)
            self.first, self.second, self.identity = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Identity()
            self.scale = nn.Parameter(torch.randn(3, 1, 1))
            self.register_buffer("shift", torch.randn(3))

        def forward(self, x):
            does = [
                self.first,
                self.second,
                self.identity,
                lambda y: y * self.scale,
                lambda y: self.shift[None, :, None, None] - y,
            ]
            x = self.conv(x)
            for number in order:
                x = does[number](x)
            return x

    report = exact(lived_in(Chain(), seed), torch.randn(2, 2, 5, 4))
    assert operations(report.model) == 1
    assert len(report.rewrites) == 5


def operations(traced):
    return sum(node.op.startswith("call") for node in traced.graph.nodes)
