"""`python -m workbench.fusion`: a line for each network, also where a package is missing."""

import re

import pytest

from workbench.fusion import __main__ as program
from workbench.fusion.__main__ import NETWORKS, Known, row


@pytest.mark.parametrize("name", ["three projections, 1 row", "linear 256 to 1,024 to 256, 64 rows"])
def test_a_line_says_what_is_saved_how_exactly_and_how_fast(name):
    line = row(name, NETWORKS[name])
    found = re.fullmatch(
        rf"{re.escape(name)} +(\d+) -> +(\d+) +([-+]\d+)% +(\S+)  [\d.,]+× ±\d+%( \(untrusted\))?", line
    )
    assert found, line
    before, after, moved, error = found.groups()[:4]
    assert int(after) < int(before)
    assert int(moved) <= 0
    assert float(error) <= 1e-12


def test_a_network_that_is_not_installed_is_left_out_and_said_to_be():
    def missing():
        raise ModuleNotFoundError("pip install it")

    assert "left out: pip install it" in row("some network", Known(missing, tuple))


def test_every_line_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(program, "row", lambda name, known: name)
    assert program.main() == 0
    assert capsys.readouterr().out.splitlines()[1:] == list(NETWORKS)
