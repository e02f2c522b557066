"""The price of modularity: all forms compute the same, and the figures are put together rightly."""

import json

import pytest
import torch

from workbench.fabric.price import __main__ as program
from workbench.fabric.price.__main__ import ALWAYS, BARE, BLOCKS, NEVER, Price, forms, price
from workbench.profiling import Timing


def test_all_forms_are_one_computation():
    x = torch.randn(3, 8)
    with torch.no_grad():
        results = {name: call(x) for name, call in forms(x).items()}
    assert len(results) == 9
    for result in results.values():
        torch.testing.assert_close(result, results[BARE])


def timing(**seconds):
    return Timing({name: (value,) * 3 for name, value in seconds.items()}, "thread CPU time", 2, 1, 1.0)


@pytest.fixture
def made_up():
    names = dict.fromkeys((program.FIRST, NEVER, ALWAYS), 1.0)
    return Price({
        (1, 8): timing(**{BARE: 12e-6, "modules": 24e-6, **names}),
        (2, 8): timing(**{BARE: 1.0, "modules": 1.04, **names}),
        (4, 8): timing(**{BARE: 1.0, "modules": 1.2, **names}),
        (8, 8): timing(**{BARE: 1.0, "modules": 1.01, **names}),
    })  # fmt: skip


def test_the_figures_are_of_one_block(made_up):
    assert made_up.microseconds("modules", (1, 8)) == pytest.approx(24 / BLOCKS)


def test_a_price_has_vanished_when_it_does_not_come_back(made_up):
    assert made_up.vanishes("modules") == (8, 8)
    assert made_up.vanishes(BARE) == (1, 8)
    slow = Price({(1, 8): timing(**{BARE: 1.0, "modules": 1.05})})
    assert slow.vanishes("modules") is None


def test_a_check_is_the_difference_to_never():
    found = Price({(1, 8): timing(**{BARE: 1e-6, NEVER: 10e-6, ALWAYS: 22e-6})})
    assert found.check(ALWAYS) == pytest.approx(12 / BLOCKS)


def test_a_real_table_and_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(program, "price", lambda **options: price([(1, 8)], repeats=3))
    assert program.main(["--json", str(tmp_path / "new" / "price.json")]) == 0
    printed = capsys.readouterr().out
    assert "nested fabrics" in printed
    assert "a warm check of a contract" in printed
    data = json.loads((tmp_path / "new" / "price.json").read_text())
    assert len(data["rows"]) == 9
    assert data["machine"].endswith("-core CPU")
