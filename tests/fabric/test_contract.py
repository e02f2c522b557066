"""Contracts: reading them, fitting tensors to them, and refusing those that do not fit, in words."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.fabric import Contract, ContractError

TEXTS = [
    "batch time width -> batch time width",
    "... 64 -> ... 40",
    "batch time? width -> batch time? width",
    "batch time: int64 -> batch time width: float32",
    "query = batch steps 8, memory = batch time 8, mask? = batch time: bool -> context = batch steps 8, batch time",
    "batch channels height width -> batch 2*channels (height+1)//2 (width+1)//2",
    "batch a, batch b -> batch a+b",
    "batch: int -> ()",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_contract_prints_as_it_reads(text):
    contract = Contract(text)
    assert str(contract) == text
    assert Contract(str(contract)) == contract
    assert hash(Contract(str(contract))) == hash(contract)


def test_ports_have_names():
    assert [port.name for port in Contract("a b -> c").inputs] == ["x"]
    assert [port.name for port in Contract("a b, mask = a: bool, a -> c, d").inputs] == ["x1", "mask", "x3"]
    assert [port.name for port in Contract("a b -> c, d").outputs] == ["y1", "y2"]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_sizes_are_bound_by_name(batch, time, width):
    contract = Contract("batch time width, batch time: bool -> batch width")
    inputs = [torch.zeros(batch, time, width), torch.zeros(batch, time, dtype=torch.bool)]
    assert contract.bind(inputs) == {"batch": batch, "time": time, "width": width}
    assert contract.check(inputs, torch.zeros(batch, width))["width"] == width
    with pytest.raises(ContractError, match=f"x2: .* time is {time + 1}, not {time}"):
        contract.bind([inputs[0], torch.zeros(batch, time + 1, dtype=torch.bool)])
    with pytest.raises(ContractError, match=f"y: .* width is {width + 1}, not {width}"):
        contract.check(inputs, torch.zeros(batch, width + 1))


@given(st.lists(st.integers(0, 4), max_size=4))
def test_dots_stand_for_any_axes_the_same_on_both_sides(leading):
    contract = Contract("... 3 -> ... 2")
    contract.check([torch.zeros(*leading, 3)], torch.zeros(*leading, 2))
    with pytest.raises(ContractError, match=r"y: expected .* not"):
        contract.check([torch.zeros(*leading, 3)], torch.zeros(*leading, 1, 2))
    with pytest.raises(ContractError, match="4, not 3"):
        contract.bind([torch.zeros(*leading, 4)])


def test_an_optional_axis_is_there_on_both_sides_or_on_neither():
    contract = Contract("batch time? width -> batch time? 4")
    assert contract.check([torch.zeros(2, 3)], torch.zeros(2, 4)) == {"batch": 2, "width": 3, "time": None}
    assert contract.check([torch.zeros(2, 5, 3)], torch.zeros(2, 5, 4))["time"] == 5
    with pytest.raises(ContractError, match="3 axes, not 2"):
        contract.check([torch.zeros(2, 3)], torch.zeros(2, 5, 4))
    with pytest.raises(ContractError, match="2 axes, not 3"):
        contract.check([torch.zeros(2, 5, 3)], torch.zeros(2, 4))
    with pytest.raises(ContractError, match="axes"):
        contract.bind([torch.zeros(2)])


def test_an_output_may_be_worked_out():
    contract = Contract("batch channels height width -> batch 2*channels (height+1)//2 width")
    x = torch.zeros(2, 3, 7, 5)
    contract.check([x], torch.zeros(2, 6, 4, 5))
    with pytest.raises(ContractError, match=r"\(height\+1\)//2 is 3, not 4"):
        contract.check([x], torch.zeros(2, 6, 3, 5))


FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
INTEGERS = {torch.uint8, torch.int8, torch.int32, torch.int64}
OTHERS = {torch.bool, torch.complex64}
FITTING = {
    "float": FLOATS,
    "int": INTEGERS,
    "any": FLOATS | INTEGERS | OTHERS,
    "float32": {torch.float32},
    "bool": {torch.bool},
}


@pytest.mark.parametrize("dtype", FITTING)
def test_the_type_is_part_of_the_contract(dtype):
    contract = Contract(f"batch: {dtype} -> batch: any")
    for kind in FITTING[dtype]:
        contract.bind([torch.zeros(2, dtype=kind)])
    for kind in FITTING["any"] - FITTING[dtype]:
        with pytest.raises(ContractError, match=f"{str(kind)[6:]}, not {dtype}"):
            contract.bind([torch.zeros(2, dtype=kind)])


def test_no_type_means_floating_point():
    with pytest.raises(ContractError, match="int64, not float"):
        Contract("batch -> batch").bind([torch.zeros(2, dtype=torch.int64)])


def test_an_optional_input_may_be_left_out():
    contract = Contract("batch time, mask? = batch time: bool -> batch")
    contract.bind([torch.zeros(2, 3)])
    contract.bind([torch.zeros(2, 3), None])
    with pytest.raises(
        ContractError, match=r"mask: expected \(batch=2, time=3\) bool, got \(2, 4\) bool: time is 4"
    ):
        contract.bind([torch.zeros(2, 3), torch.zeros(2, 4, dtype=torch.bool)])
    with pytest.raises(ContractError, match=r"x1: expected .* got NoneType"):
        contract.bind([])
    with pytest.raises(ContractError, match=r"expected 2 inputs .* got 3"):
        contract.bind([torch.zeros(2, 3), None, None])


def test_the_number_of_outputs_is_checked():
    contract = Contract("batch -> batch, batch")
    contract.check([torch.zeros(2)], (torch.zeros(2), torch.zeros(2)))
    for outputs in (torch.zeros(2), (torch.zeros(2),), [torch.zeros(2)] * 3):
        with pytest.raises(ContractError, match="expected 2 outputs"):
            contract.check([torch.zeros(2)], outputs)
    with pytest.raises(ContractError, match=r"y: expected .* got str"):
        Contract("batch -> batch").check([torch.zeros(2)], "two")


@given(st.integers(1, 9))
def test_names_are_pinned_everywhere(width):
    contract = Contract("batch width -> batch 2*width", width=width)
    assert contract == Contract(f"batch {width} -> batch {2 * width}")
    assert Contract("batch width -> batch 2*width").pinned(width=width) == contract


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch time", "inputs -> outputs"),
        ("a -> b -> c", "inputs -> outputs"),
        ("-> a", "name = axis axis: dtype"),
        ("a, -> b", "name = axis axis: dtype"),
        ("a: float33 -> a", "dtype: expected"),
        ("a 2*a -> a", "inputs: expected names and numbers"),
        ("x = a, x = b -> a", "names that differ"),
        ("a -> y? = a", "always there"),
        ("... a ... -> a", 'one "..."'),
        ("... a? -> a", 'one "..."'),
        ("a%2 -> a", "axis: expected"),
    ],
)
def test_what_is_no_contract_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Contract(text)


def test_a_pin_must_occur():
    with pytest.raises(ValueError, match=r"sizes: \['height'\] does not occur"):
        Contract("a b -> a", height=2)
