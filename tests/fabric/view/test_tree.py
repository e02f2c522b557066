"""A fabric as text."""

import pytest
from torch import nn

from workbench.blocks.merge import Add
from workbench.fabric import Block, Fabric, Loop


def model(**changes):
    blocks = {
        "embed": nn.Embedding(29, 64),
        "mix": nn.Linear(64, 64),
        "sum": ("embed", "mix", Add()),
    } | changes
    return Fabric("letters = batch time: int -> batch time 40", **blocks, scores=nn.Linear(64, 40))


def looped(returns=("scores", "cell"), width=5):
    body = Fabric(
        "letter = batch: int, state = batch 5 -> scores = batch 3, state = batch 5",
        embed=("letter", nn.Embedding(7, 4)),
        cell=("embed", "state", Block(nn.GRUCell(4, 5), f"x = batch 4, state = batch {width} -> batch 5")),
        scores=("cell", nn.Linear(5, 3)),
        returns=returns,
    )
    loop = Loop(body, "letter", {"state": "state"})
    return Fabric("letters = batch steps: int, state = batch 5 -> batch steps 3",
                  decoder=("letters", "state", loop), returns="decoder.scores")  # fmt: skip


def line(text, name):
    return next(line for line in text.splitlines() if f"─ {name} " in line).split("─ ")[1].split()


def test_every_block_has_a_line_with_what_it_reads_gives_and_weighs():
    text = model().tree()
    assert text.splitlines()[0] == "letters = batch time: int -> batch time 40    8,616 parameters"
    assert line(text, "embed") == [
        "embed",
        "Embedding",
        "letters",
        *["batch", "×", "time", "×", "64"],
        "1,856",
    ]
    assert line(text, "sum") == ["sum", "Add", "embed,", "mix", *["batch", "×", "time", "×", "64"], "0"]
    assert line(text, "scores")[-1] == "2,600"
    assert "└─ scores" in text
    assert "├─ embed" in text


def test_what_is_inside_is_set_in():
    inner = Fabric("... 64 -> ... 64", up=nn.Linear(64, 8), down=nn.Linear(8, 64))
    text = model(mix=inner).tree()
    assert "├─ mix" in text
    assert "│  ├─ up" in text
    assert "│  └─ down" in text
    assert line(text, "up")[3:] == [*["batch", "×", "time", "×", "8"], "520"]


def test_a_loops_body_shows_one_step_and_the_loop_all_of_them():
    text = looped().tree()
    assert "Loop over letter" in text
    assert "scores: batch × steps × 3, state: batch × 5" in text
    assert line(text, "scores")[3:6] == ["batch", "×", "3"]


def test_a_size_can_be_given_and_unknown_ones_are_refused():
    fabric = Fabric("batch 3 length -> batch 4 (length-3)//2+1", conv=nn.Conv1d(3, 4, 3, stride=2))
    assert "batch × 4 × 49" in fabric.tree(length=100)
    assert "numbers for batch=11, length=100" in fabric.tree(length=100)
    with pytest.raises(ValueError, match="depth"):
        fabric.tree(depth=3)


def test_a_bad_edge_ends_the_tree_with_its_message():
    text = model(mix=nn.Linear(32, 64)).tree()
    assert line(text, "mix")[:3] == ["mix", "Linear", "embed"]
    assert "─ sum" not in text
    assert "scores" not in text
    assert text.splitlines()[-1].startswith("✗ edge embed -> mix.x:")
    assert "32" in text.splitlines()[-1]
    assert "64" in text.splitlines()[-1]


def test_a_bad_edge_inside_and_at_the_end():
    inner = Fabric("... 64 -> ... 64", up=nn.Linear(64, 8), down=nn.Linear(9, 64), last=nn.ReLU())
    text = model(mix=inner).tree()
    assert "─ down" in text
    assert "─ last" not in text
    assert "─ sum" not in text
    inner = Fabric("... 64 -> ... 64", up=nn.Linear(64, 8), down=nn.Linear(8, 63))
    text = model(mix=inner).tree()
    assert "─ down" in text
    assert "─ sum" not in text
    assert "✗ edge mix.down -> mix.output" in text
    text = Fabric("batch 4 -> batch 5", up=nn.Linear(4, 8), down=nn.Linear(8, 6)).tree()
    assert "─ down" in text
    assert "✗ edge down -> output" in text


def test_a_bad_edge_into_a_loop_and_round_it():
    text = looped(width=6).tree()
    assert "─ cell" in text
    assert "─ scores" not in text
    body = Fabric("x = batch 4, state = batch 4 -> batch 5", sum=("x", "state", Add()), up=nn.Linear(4, 5))
    loop = Loop(body, "x", {"y": "state"})
    text = Fabric("x = batch steps 4, state = batch 4 -> batch 5", b=("x", "state", loop)).tree()
    assert "─ up" in text
    assert "✗ edge b -> b.state" in text


def test_a_block_that_fails_ends_the_tree():
    text = Fabric("batch 4 -> batch 4", a=nn.Linear(4, 4), b=Block(nn.Linear(5, 4), "batch 4 -> batch 4"),
                  c=nn.ReLU()).tree()  # fmt: skip
    assert "─ b" in text
    assert "─ c" not in text
    assert "✗ b fits its contract" in text
