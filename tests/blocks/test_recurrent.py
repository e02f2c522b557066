"""GRU and LSTM are PyTorch's, cell by cell, padded, in layers and both ways; padding changes nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from workbench.blocks.recurrent import GRU, LSTM, GRUCell, LSTMCell, from_torch
from workbench.fabric import Fabric, Loop

RIVALS = {GRU: nn.GRU, LSTM: nn.LSTM}
KINDS = pytest.mark.parametrize("kind", [GRU, LSTM])
SIZES = st.integers(1, 5)


def run_torchs(rnn: nn.Module, x: Tensor, state: Tensor | None, mask: Tensor | None, *cell: Tensor) -> tuple:
    """torch's network called, and answering, as ours: states with the batch first, padding marked by a mask."""
    states = [
        (kept.unsqueeze(1) if kept.dim() == 2 else kept)
        .transpose(0, 1)
        .contiguous()  # (cells, batch, hidden)
        for kept in (state, *cell)
        if kept is not None
    ]
    first = None if not states else states[0] if isinstance(rnn, nn.GRU) else tuple(states)
    if mask is None:
        outputs, last = rnn(x, first)
    else:
        packed = pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
        outputs, last = rnn(packed, first)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    lasts = last if isinstance(last, tuple) else (last,)
    return outputs, *(kept[0] if len(kept) == 1 else kept.transpose(0, 1) for kept in lasts)


@KINDS
@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    extra=st.integers(0, 2),
    layers=st.integers(1, 3),
    both=st.booleans(),
    inputs=SIZES,
    hidden=SIZES,
)
def test_it_is_torchs_with_packed_sequences(same, draw, kind, lengths, extra, layers, both, inputs, hidden):
    ours = kind(inputs, hidden, layers, both)
    theirs = RIVALS[kind](inputs, hidden, layers, bidirectional=both, batch_first=True)
    batch, time, cells = len(lengths), max(lengths) + extra, len(ours.cells)
    shape = (batch, hidden) if cells == 1 else (batch, cells, hidden)
    state, *cell = [draw(*shape, seed=1 + number) for number in range(1 if kind is GRU else 2)]
    mask = torch.arange(time) < torch.tensor(lengths).unsqueeze(1)
    x = draw(batch, time, inputs)
    same(ours, theirs, x, state, mask, *cell, call=run_torchs, translate=from_torch)


@KINDS
@pytest.mark.parametrize("time", [1, 2, 13])
@pytest.mark.parametrize("both", [False, True])
def test_without_mask_or_state_it_is_torchs_too(same, draw, kind, time, both):
    theirs = RIVALS[kind](3, 5, bidirectional=both, batch_first=True)
    ours, x = kind(3, 5, bidirectional=both), draw(4, time, 3)
    same(ours, theirs, x, None, None, call=run_torchs, translate=from_torch)
    close(ours(x), ours(x, mask=torch.ones(4, time, dtype=torch.bool)))


def close(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("ours", "theirs"), [(GRUCell, nn.GRUCell), (LSTMCell, nn.LSTMCell)])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_a_cell_is_torchs_and_takes_its_weights(same, draw, ours, theirs, batch):
    def as_pair(cell: nn.Module, x: Tensor, *states: Tensor):
        return cell(x, states or None)

    call = as_pair if ours is LSTMCell else None
    kept = [draw(batch, 5, seed=1), draw(batch, 5, seed=2)][: len(ours.states)]
    same(ours(3, 5), theirs(3, 5), draw(batch, 3), *kept, call=call)
    same(ours(3, 5), theirs(3, 5), draw(batch, 3), call=call)


def test_the_reset_gate_comes_after_the_matrix():
    """The paper's order, U (r ⊙ h), is another function of the same weights: nobody should mix them up."""
    torch.manual_seed(0)
    cell, x, state = GRUCell(2, 4), torch.randn(1, 2), torch.randn(1, 4)
    gates = cell.project(x) + state @ cell.weight_hh.T + cell.bias_hh
    reset, update, _ = gates.chunk(3, -1)
    last = cell.weight_hh[8:]
    papers = torch.tanh(cell.project(x)[:, 8:] + cell.bias_hh[8:] + (reset.sigmoid() * state) @ last.T)
    z = update.sigmoid()
    assert not torch.allclose(cell(x, state), (1 - z) * papers + z * state, atol=1e-3)


@KINDS
@pytest.mark.parametrize("both", [False, True])
def test_what_stands_in_the_padding_does_not_matter_not_even_nan(kind, both):
    torch.manual_seed(0)
    network = kind(3, 4, layers=2, bidirectional=both)
    x = torch.randn(3, 5, 3)
    mask = torch.arange(5) < torch.tensor([[5], [2], [0]])
    dirty = x.masked_fill(~mask.unsqueeze(-1), torch.nan)
    clean, spoiled = network(x, mask=mask), network(dirty, mask=mask)
    for a, b in zip(clean, spoiled, strict=True):
        assert torch.equal(a, b)
    sum(result.sum() for result in spoiled).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert not clean[0][2].any()  # a row of nothing but padding puts out nothing …
    assert not clean[1][2].any()  # … and ends where it began


@KINDS
def test_a_step_masked_in_the_middle_is_as_if_it_were_not_there(kind):
    torch.manual_seed(0)
    network, x = kind(3, 4, layers=2, bidirectional=True).double(), torch.randn(2, 5, 3, dtype=torch.float64)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[:, 2] = False
    kept = [0, 1, 3, 4]
    whole, without = network(x, mask=mask), network(x[:, kept])
    close((whole[0][:, kept], *whole[1:]), without)


@KINDS
def test_a_sequence_read_in_two_parts_is_the_sequence(kind):
    torch.manual_seed(0)
    network, x = kind(3, 4, layers=2).double(), torch.randn(2, 7, 3, dtype=torch.float64)
    outputs, last, *others = network(x)
    first, state, *cells = network(x[:, :3])
    second, *end = network(x[:, 3:], state, None, *cells)
    close((torch.cat([first, second], dim=1), *end), (outputs, last, *others))


@KINDS
def test_an_empty_batch_and_the_meta_device(kind):
    network = kind(3, 4, layers=2, bidirectional=True)
    outputs, last = network(torch.zeros(0, 5, 3))[:2]
    assert (outputs.shape, last.shape) == ((0, 5, 8), (0, 4, 4))
    outputs, last = network.to("meta")(torch.zeros(2, 5, 3, device="meta"))[:2]
    assert (outputs.shape, last.shape) == ((2, 5, 8), (2, 4, 4))


@KINDS
def test_half_types_and_autocast(kind):
    torch.manual_seed(0)
    network, x = kind(3, 4, layers=2, bidirectional=True), torch.randn(2, 5, 3)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    exact = network(x, mask=mask)[0]
    with torch.autocast("cpu", torch.bfloat16):
        cast = network(x, mask=mask)[0]
    assert 0 < (cast - exact).abs().max() < 0.02
    cast.sum().backward()
    assert network.bfloat16()(x.bfloat16(), mask=mask)[0].dtype == torch.bfloat16


@KINDS
def test_it_exports_unrolled_for_any_batch(kind):
    torch.manual_seed(0)
    network, x = kind(3, 4, bidirectional=True).eval(), torch.randn(2, 5, 3)
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = {"x": {0: batch}, "mask": {0: batch}}
    exported = torch.export.export(
        network, (x,), {"mask": mask}, dynamic_shapes=shapes, strict=False
    ).module()
    x, mask = torch.randn(3, 5, 3), torch.arange(5) < torch.tensor([[1], [5], [3]])
    close(exported(x, mask=mask), network(x, mask=mask))


@KINDS
def test_contracts_name_every_port(keeps_contract, kind):
    one, many = kind(3, 4), kind(3, 4, layers=2, bidirectional=True)
    x, mask = torch.zeros(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    keeps_contract(one, x)
    keeps_contract(one, x, torch.zeros(2, 4), mask)
    keeps_contract(many, x, torch.zeros(2, 4, 4), mask, *[torch.zeros(2, 4, 4)] * (kind is LSTM))
    assert "state? = batch 4, mask? = batch time: bool" in one.contract
    assert "-> outputs = batch time 8, last = batch 4 4" in many.contract


@pytest.mark.parametrize("kind", [GRUCell, LSTMCell])
def test_contracts_of_cells(keeps_contract, kind):
    keeps_contract(kind(3, 4), torch.zeros(2, 3))
    keeps_contract(kind(3, 4), torch.zeros(2, 3), *[torch.zeros(2, 4) for _ in kind.states])


def test_in_a_fabric_an_lstm_takes_a_grus_place():
    model = Fabric(
        "words = batch time 3, mask = batch time: bool -> batch 2",
        reader=("words", None, "mask", GRU(3, 4)),
        scores=("reader.last", nn.Linear(4, 2)),
    )
    x, mask = torch.randn(2, 5, 3), torch.arange(5) < torch.tensor([[5], [2]])
    lstm = LSTM(3, 4)
    assert "parameters" in str(model.swap("reader", lstm))
    assert torch.equal(model(x, mask), model.part("scores").module(lstm(x, mask=mask)[1]))


def test_a_loop_over_a_cell_is_the_network():
    network = GRU(3, 4)
    body = Fabric(
        "x = batch 3, state? = batch 4 -> output = batch 4, state = batch 4",
        step=("x", "state", network.cells[0]),
        returns=("step", "step"),
    )
    x = torch.randn(2, 5, 3)
    outputs, last = Loop(body, over="x", carry={"state": "state"})(x)
    torch.testing.assert_close((outputs, last), network(x))


@KINDS
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(2, 5, 4)}, r"x: expected shape \(batch, time, 3\), got \(2, 5, 4\)"),
        ({"x": torch.zeros(5, 3)}, "x: expected"),
        ({"x": torch.zeros(2, 0, 3)}, "x: expected one step or more"),
        ({"state": torch.zeros(1, 2, 4)}, r"state: expected shape \(2, 4\), got \(1, 2, 4\)"),
        ({"mask": torch.ones(2, 5)}, r"mask: expected bool \(2, 5\), got torch.float32"),
        ({"mask": torch.ones(5, 2, dtype=torch.bool)}, "mask: expected bool"),
    ],
)
def test_what_does_not_fit_is_named(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(3, 4)(**{"x": torch.zeros(2, 5, 3), **arguments})


@pytest.mark.parametrize("kind", [GRU, LSTM, GRUCell, LSTMCell])
def test_sizes_below_one_are_refused(kind):
    for sizes, name in [((0, 4), "inputs"), ((3, 0), "hidden")]:
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            kind(*sizes)
    if kind in RIVALS:
        with pytest.raises(ValueError, match="layers: expected at least 1, got 0"):
            kind(3, 4, layers=0)


def test_cells_name_what_does_not_fit():
    with pytest.raises(ValueError, match=r"x: expected shape \(batch, 3\), got \(2, 4\)"):
        GRUCell(3, 4)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"cell: expected shape \(2, 4\), got \(1, 4\)"):
        LSTMCell(3, 4)(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(1, 4))


@KINDS
def test_first_weights_are_drawn_as_torchs(kind):
    torch.manual_seed(0)
    theirs = RIVALS[kind](3, 4, num_layers=2, bidirectional=True)
    torch.manual_seed(0)
    ours = kind(3, 4, layers=2, bidirectional=True)
    for name, weight in from_torch(theirs.state_dict()).items():
        assert torch.equal(ours.state_dict()[name], weight)


def test_weights_find_their_cells_in_any_order():
    """safetensors sorts names: layer 10 then comes before layer 2."""
    theirs = nn.GRU(2, 2, num_layers=11, bidirectional=True)
    ours = GRU(2, 2, layers=11, bidirectional=True)
    ours.load_state_dict(from_torch(dict(sorted(theirs.state_dict().items()))))
    assert torch.equal(ours.cells[5].weight_hh, theirs.weight_hh_l2_reverse)
    assert torch.equal(ours.cells[20].weight_hh, theirs.weight_hh_l10)


def test_weights_of_something_else_are_refused():
    with pytest.raises(
        ValueError, match=r"weights: expected names such as 'weight_ih_l0_reverse', got 'weight'"
    ):
        from_torch(nn.Linear(2, 2).state_dict())
