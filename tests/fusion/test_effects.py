"""What a graph's edges do not show: random numbers, buffers that change, rules that are wrong about a place."""

from functools import partial

import pytest
import torch
from torch import nn

from workbench.fusion import FusionError, fuse
from workbench.fusion.graph.sites import module_of, replace
from workbench.fusion.rewrite import Rewrite, Site

X = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(1))


def refusals(report):
    return {one.where: one.why for one in report.refused}


def test_random_constants_are_an_error(lived_in, calls):
    for forward in (
        lambda m, x: x + torch.rand(1),
        lambda m, x: x + torch.rand(1) * 0,  # equal results, but somebody draws
        lambda m, x: x * (2 if torch.rand(()) < 1e-9 else 1),
    ):
        with pytest.raises(FusionError, match="random numbers"):
            fuse(calls(forward), X)


def test_numbers_drawn_like_a_tensor_are_part_of_the_graph(lived_in, exact, calls):
    conv, norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
    report = exact(
        lived_in(calls(lambda m, x: m.norm(m.conv(x + torch.randn_like(x))), conv=conv, norm=norm)), X
    )
    assert len(report.rewrites) == 1


class Counter(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.change = change

    def forward(self, x):
        self.change(self)
        return x * self.count


def test_buffers_changed_in_forward_go_on_changing(exact):
    report = exact(
        Counter(lambda model: model.count.add_(1)), X
    )  # a change is not dropped because nobody reads its result
    for calls in (1, 2):
        torch.testing.assert_close(report.model(X), X * calls)


def test_modules_whose_result_nobody_reads_are_called_if_somebody_notices(exact, calls):
    seen = []
    hooked, norm, useless = nn.ReLU(), nn.BatchNorm2d(3), nn.Tanh()
    hooked.register_forward_hook(lambda *given: seen.append(given))
    parts = {"hooked": hooked, "norm": norm, "useless": useless}
    report = exact(calls(lambda m, x: (m.hooked(x), m.norm(x), m.useless(x), x + 1)[-1], **parts).train(), X)
    assert [path for path, _ in report.model.named_children()] == ["hooked", "norm"]
    seen.clear()
    report.model(X)
    assert len(seen) == 1
    assert report.model.norm.num_batches_tracked == 1


def add_one(model):
    model.count += 1  # torch.fx notes this as count + 1


@pytest.mark.parametrize("change", [add_one, lambda model: setattr(model, "count", model.count + 1)])
def test_a_buffer_replaced_in_forward_is_an_error(change):
    with pytest.raises(FusionError, match="changes its buffer count, the graph does not"):
        fuse(Counter(change), X)


def test_verification_refuses_only_what_is_wrong(lived_in, exact):
    """A rule that is wrong about one place of two: only that one is refused, and what would happen is said."""

    def drop_every_relu(traced):
        for node in traced.graph.nodes:
            if isinstance(module_of(traced, node), nn.ReLU):
                rewrite = Rewrite("drop ReLU", str(node.target), "it looks useless")
                yield Site(rewrite, partial(replace, traced, node, node.args[0]))

    model = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Sigmoid(), nn.ReLU())
    report = exact(lived_in(model), X, rules=(drop_every_relu,))
    assert [rewrite.where for rewrite in report.rewrites] == ["0", "5"]  # of two in a row one may go
    assert sorted(refusals(report)) == ["1", "3"]
    assert all(why.startswith("it would change the result: ") for why in refusals(report).values())


def test_a_rewriting_that_cannot_run_is_refused(lived_in, exact, calls):
    def transpose(traced, node):
        with traced.graph.inserting_before(node):
            turned = traced.graph.call_method("transpose", (node.args[0], 0, 1))
        node.replace_input_with(node.args[0], turned)

    def rule(traced):
        for node in traced.graph.find_nodes(op="call_method", target="view"):
            if node.args[0].op == "call_module":
                yield Site(Rewrite("transpose", node.name, ""), partial(transpose, traced, node))

    model = calls(lambda m, x: m.conv(x).view(-1, 5), conv=nn.Conv2d(3, 5, 1))
    report = exact(lived_in(model), X, rules=(rule,))
    assert "RuntimeError: view size" in refusals(report)["view"]
