"""What is printed, written and drawn comes from the ledger and the timing, and says what they say."""

import math

import pytest
import torch
from matplotlib.image import imread
from PIL import Image

from kernels.bench.goals import GOALS, verdicts
from kernels.bench.plot import describe, draw, plot
from kernels.bench.rivals import COMPILED, EAGER, LIGER, OURS
from kernels.bench.summary import geometric_mean, mean_speedup, summary


def test_figures_come_from_the_ledger_and_the_timing(made_up):
    result = made_up(
        peaks={OURS: 3 * 10**6, EAGER: 12 * 10**6}, left_out={COMPILED: "RuntimeError: no compiler"}
    )
    ours, eager = result.rows()
    assert (ours["rival"], eager["rival"]) == (OURS, EAGER)
    assert ours["gigabytes_per_second"] == pytest.approx(6.0)
    assert eager["gigabytes_per_second"] == pytest.approx(2.0)
    assert ours["share_of_copy"] == pytest.approx(0.5)
    assert eager["times_slower_than_ours"] == pytest.approx(3.0)
    assert (ours["peak_bytes"], eager["peak_bytes"]) == (3 * 10**6, 12 * 10**6)
    assert ours["launch_seconds"] == ""
    assert result.memory_ratio() == pytest.approx(0.25)
    text = str(result)
    assert "12,000.00 MB (unfused 24,000.00)" in text
    assert "a copy moves 12 GB/s" in text
    assert "50% of copy" in text
    assert "ours is 3.00× as fast" in text
    assert "torch.compile is left out: RuntimeError: no compiler" in text
    assert result.timing.state in text


def test_what_is_bound_by_arithmetic_shows_its_flops(made_up):
    text = str(made_up("matmul", flops=10**12))
    assert "500 GFLOP/s" in text
    assert "of copy" not in text


def test_launches_are_shown_on_a_gpu(made_up):
    result = made_up(device="cuda:0", launches={OURS: 8e-6, EAGER: 5e-6})
    assert [row["launch_seconds"] for row in result.rows()] == [8e-6, 5e-6]
    assert "8.0 µs to launch" in str(result)


def test_the_geometric_mean():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert geometric_mean([3.0]) == pytest.approx(3.0)
    assert geometric_mean([1e300] * 10) == pytest.approx(1e300)
    assert geometric_mean([]) is None
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="ratios must be positive"):
            geometric_mean([1.0, bad])


def test_means_leave_out_arithmetic_and_other_work(made_up):
    results = [
        made_up("bias_gelu", seconds={OURS: 1.0, EAGER: 2.0}),
        made_up("softmax", seconds={OURS: 1.0, EAGER: 8.0, COMPILED: 3.0}),
        made_up("matmul", seconds={OURS: 1.0, EAGER: 100.0}, flops=10**12),
        made_up("int8_linear", seconds={OURS: 1.0, EAGER: 100.0}),  # reads fewer bytes than its rival
    ]
    assert mean_speedup(results, EAGER) == pytest.approx(4.0)
    assert mean_speedup(results, COMPILED) == pytest.approx(3.0)
    assert mean_speedup(results, LIGER) is None
    table = summary(results)
    means = next(line for line in table.splitlines() if line.startswith("geometric mean"))
    assert means.split()[-2:] == ["4.00×", "3.00×"]
    assert [name for name in ("bias_gelu *", "softmax *", "matmul *", "int8_linear *") if name in table] == [
        "bias_gelu *",
        "softmax *",
    ]


def test_the_summary_has_a_line_for_each_case_size_and_pass(made_up):
    results = [made_up(size=size, backward=backward) for backward in (False, True) for size in (128, 4096)]
    lines = summary(results).splitlines()
    assert sum(line.startswith("bias_gelu") for line in lines) == 4
    assert sum(line.startswith("geometric mean") for line in lines) == 4
    assert lines.index("forward") < lines.index("forward and backward")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"seconds": {OURS: 1.0, EAGER: 2.5}},
            "met              2.5  ≥ 2     speed over torch eager at 4096, forward:",
        ),
        (
            {"seconds": {OURS: 1.0, EAGER: 1.5}},
            "MISSED           1.5  ≥ 2     speed over torch eager at 4096, forward:",
        ),
        (
            {"seconds": {OURS: 1.0, COMPILED: 1.25}},
            "met             1.25  ≥ 1.2   speed over torch.compile at 4096",
        ),
        ({"size": 128}, "met                3  ≥ 1     speed over torch eager at 128, forward:"),
        ({"seconds": {OURS: 1.0}}, "met                1  ≥ 0.7   share of copy bandwidth"),
        ({"seconds": {OURS: 2.0}}, "MISSED           0.5  ≥ 0.7   share of copy bandwidth"),
        (
            {"name": "linear_cross_entropy", "backward": True, "peaks": {OURS: 1, EAGER: 5}},
            "met              0.2  ≤ 0.25  linear_cross_entropy",
        ),
        (
            {"name": "linear_cross_entropy", "backward": True, "peaks": {OURS: 1, EAGER: 2}},
            "MISSED           0.5  ≤ 0.25  linear_cross_entropy",
        ),
        ({"name": "csr_matmul 10%"}, "met                3  ≥ 1     csr_matmul"),
        ({"name": "int8_linear"}, "met                3  ≥ 2.5   int8_linear"),
        ({"name": "softmax", "device": "cuda:0"}, "MISSED           0.5  ≥ 0.9   share of copy bandwidth"),
        ({"name": "swiglu", "device": "cuda:0"}, "met                3  ≥ 2.5   add_rms_norm and swiglu"),
        (
            {"name": "rms_norm", "device": "cuda:0", "seconds": {OURS: 1.0, COMPILED: 0.9}},
            "MISSED           0.9  ≥ 1     elementwise cases, norms and softmax: speed over torch.compile",
        ),
        (
            {"size": 128, "device": "cuda:0", "launches": {OURS: 12e-6}},
            "MISSED            12  ≤ 10    microseconds",
        ),
        ({"name": "matmul", "device": "cuda:0"}, "met                3  ≥ 0.6   matmul"),
    ],
)
def test_goals_are_met_or_missed(made_up, changes, line):
    result = made_up(**changes)
    told = verdicts([result])
    assert any(one.startswith(line) for one in told), told
    assert len(told) == sum(goal.device == result.timing.device[:4].rstrip(":") for goal in GOALS)


def test_goals_are_for_float32_and_may_go_unmeasured(made_up):
    assert verdicts([]) == []
    assert verdicts([made_up(dtype=torch.bfloat16)]) == []
    assert all(line.startswith("not measured") for line in verdicts([made_up(size=7)]))
    whole, partial = verdicts([made_up()]), verdicts([made_up()], complete=False)
    assert partial == [line for line in whole if "geometric mean" not in line]
    assert len(partial) < len(whole)


def test_the_picture_is_written_with_its_description(made_up, tmp_path):
    results = [
        made_up(name, size, backward, seconds={OURS: 1.0, EAGER: 2.0, COMPILED: 0.5})
        for name in ("bias_gelu", "softmax")
        for size in (128, 4096)
        for backward in (False, True)
    ]
    file = tmp_path / "bench.png"
    plot([*results, made_up("rope", seconds={OURS: 1.0})], file)
    assert imread(file).shape[0] > 300
    assert Image.open(file).text["Description"] == describe(results)
    assert "softmax, size 128, forward: ours 2.00, torch.compile 4.00." in describe(results)


def test_the_picture_has_a_panel_for_each_size_and_pass_on_a_logarithmic_axis(made_up):
    figure = draw([made_up("rope", size) for size in (128, 1024, 4096)] + [made_up("rope", backward=True)])
    assert len(figure.axes) == 6
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["rope"]
    (point,) = (line for line in figure.axes[2].lines if line.get_marker() != "None")
    assert point.get_marker() == "o"
    assert point.get_xdata()[0] == pytest.approx(3.0)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [OURS]


def test_a_picture_needs_torch_eager(made_up, tmp_path):
    with pytest.raises(ValueError, match="torch eager took part in"):
        plot([made_up(seconds={OURS: 1.0})], tmp_path / "bench.png")
