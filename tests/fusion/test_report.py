"""A report says what was done and what was not, counts what it saved, and measures speed only when asked."""

import re

import pytest
import torch
from torch import nn

from workbench.fusion import fuse
from workbench.fusion.report import FusionReport
from workbench.fusion.rewrite import Refusal, Rewrite
from workbench.profiling import Timing, meter


class Net(nn.Module):
    """One fold that works, one that does not as the convolution's result is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.side, self.other = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)

    def forward(self, x):
        y = self.side(torch.relu(self.norm(self.stem(x))))
        return self.other(y) + y


@pytest.fixture(scope="module", name="report")
def _report(lived_in) -> FusionReport:
    return fuse(lived_in(Net()), torch.randn(2, 3, 9, 7))


def test_the_table_says_what_where_and_why(report):
    table = report.table(speed=False)
    first, second = table.split("refused")
    assert "fold BatchNorm" in first
    assert "stem + norm" in first
    assert "one read and one write less" in " ".join(first.split())
    assert "side + other" in second
    assert "used elsewhere" in second
    assert re.search(r"operations +6 -> +5  -17%", table)
    assert re.search(r"bytes moved +\S+ .?B -> +\S+ .?B  -\d+%", table)
    assert re.search(r"error +\S+ of the largest number, \S+ in float64$", table)


def test_counts_are_the_meters(report):
    x = report.inputs[0]
    for model, ops, moved in (
        (report.original, report.ops_before, report.bytes_before),
        (report.model, report.ops_after, report.bytes_after),
    ):
        count = meter(model, x)
        assert (ops, moved) == (count.calls, count.bytes)


def test_views_are_no_operations():
    count = meter(lambda x: (x.view(6).flip(0).unsqueeze(0).t() * 2).relu(), torch.randn(2, 3))
    assert count.calls == 3  # flip, times, relu


def test_text_is_the_same_each_time(report, lived_in):
    again = fuse(lived_in(Net()), report.inputs[0])
    assert again.table(speed=False) == report.table(speed=False)


def test_speed_is_measured_once_and_with_its_spread(report):
    assert "speedup" not in vars(report)
    first = report.speedup
    assert report.speedup is first
    assert first == first.timing.ratio("original", "fused")
    assert first.spread == first.timing.ratio_spread("original", "fused")
    assert f"speed-up     {first!r}" in report.table()
    assert re.fullmatch(r"\d+\.\d\d× ±\d+%( \(untrusted\))?", repr(first))


def test_a_speed_up_is_a_number():
    samples = {"original": (2.0, 2.0, 4.0), "fused": (1.0, 1.0, 2.0)}
    fast = Timing(samples, "thread CPU time", cores=2, threads=1, cpu_share=1.0).speedup(
        "fused", over="original"
    )
    assert fast == 2
    assert f"{fast:.1f}" == "2.0"
    assert repr(fast) == "2.00× ±0% (untrusted)"  # as the rounds themselves differ
    steady = {"original": (3.0, 3.0, 3.0), "fused": (2.0, 2.0, 2.0)}
    fast = Timing(steady, "thread CPU time", cores=2, threads=1, cpu_share=1.0).speedup(
        "fused", over="original"
    )
    assert repr(fast) == "1.50× ±0%"


def test_measuring_changes_nothing():
    """A model in training mode moves its statistics, and this one writes into its input: not the reader's, though."""
    model, x = nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm1d(4), nn.Dropout()), torch.randn(5, 4)
    before, given, random = (
        x.clone(),
        {k: v.clone() for k, v in model.state_dict().items()},
        torch.get_rng_state(),
    )
    report = fuse(model, x)
    report.table()
    report.picture()
    assert torch.equal(x, before)
    assert all(torch.equal(value, given[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_many_places_are_cut_short_and_reasons_are_said_once():
    model = nn.Identity()
    traced = torch.fx.symbolic_trace(model)
    rewrites = tuple(Rewrite("fold", f"layer{number}", "it pays") for number in range(9))
    refused = (Refusal("merge", "a", "one reason"), Refusal("merge", "b", "another"))
    report = FusionReport(model, traced, (torch.ones(2),), rewrites, refused, 0.0, 0.0)
    lines = report.table(speed=False).splitlines()
    assert lines[:7] == [
        "rewritten",
        "  fold ×9: it pays",
        *(f"    layer{number}" for number in range(4)),
        "    … and 5 more",
    ]
    assert lines[8:12] == ["refused", "  merge ×2", "    a: one reason", "    b: another"]


def test_long_lines_go_on_further_in_and_no_word_is_broken():
    path, reason = "blocks.1." * 12 + "conv", " ".join(["a reason-in-words"] * 8)
    refused = (Refusal("merge", path, reason), Refusal("merge", "b", "another"))
    traced = torch.fx.symbolic_trace(nn.Identity())
    report = FusionReport(nn.Identity(), traced, (torch.ones(2),), (), refused, 0.0, 0.0)
    lines = report.table(speed=False).splitlines()
    begin = lines.index("  merge ×2") + 1
    assert lines[begin] == f"    {path}:"  # one word, longer than a line
    assert [len(line) - len(line.lstrip()) for line in lines[begin + 1 : begin + 4]] == [8, 8, 4]
    assert all(len(line) <= 88 for line in lines if path not in line)
    assert " ".join(lines[begin + 1 : begin + 3]).split() == reason.split()


def test_nothing_to_do_is_said(lived_in):
    report = fuse(nn.Sequential(nn.ReLU()), torch.randn(2))
    table = report.table(speed=False)
    assert "rewritten: nothing" in table
    assert "refused: nothing" in table


def test_html_has_the_table_and_the_picture_and_escapes():
    class Sum(nn.Module):
        def forward(self, x):
            return x + 1

    model = Sum()
    rewrites = (Rewrite("<b>", "add", "1 < 2 & 3"),)
    traced = torch.fx.symbolic_trace(model)
    html = FusionReport(model, traced, (torch.ones(2),), rewrites, (), 0.0, 0.0)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;: 1 &lt; 2 &amp; 3" in html
    assert '<img src="data:image/png;base64,' in html
    assert 'alt="A model&#x27;s graph before: 1 steps' in html
