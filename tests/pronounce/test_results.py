"""The table: means, spreads and fair differences, and that it reads back as it was written."""

from statistics import stdev

import pytest

from workbench.pronounce import Results, Run


def run(variant: str, seed: int, error: float) -> Run:
    return Run(variant, seed, 1234, error, 2 * error, loss=0.5, cpu_seconds=30.0)


RESULTS = Results(
    {"torch": "2"},
    (run("none", 0, 0.3), run("dot", 1, 0.15), run("dot", 0, 0.1), run("none", 1, 0.4), run("dot", 2, 0.2)),
)


def test_mean_and_spread_are_over_seeds():
    mean, spread = RESULTS.spread("dot")
    assert mean == pytest.approx(0.15)
    assert spread == pytest.approx(stdev([0.1, 0.15, 0.2]))
    assert RESULTS.spread("none", "word_error")[0] == pytest.approx(0.7)
    assert Results({}, (run("one", 0, 0.3),)).spread("one") == (0.3, 0.0)


def test_differences_are_taken_seed_by_seed():
    mean, spread = RESULTS.difference("none", "dot")
    assert mean == pytest.approx(0.225)  # 0.2 and 0.25: the third seed has no partner
    assert spread == pytest.approx(stdev([0.2, 0.25]))
    with pytest.raises(ValueError, match="expected at least one"):
        Results({}, (run("a", 0, 0.1), run("b", 1, 0.1))).difference("a", "b")


def test_it_reads_back_as_it_was_written():
    text = RESULTS.to_json()
    assert Results.from_json(text) == RESULTS
    assert Results.from_json(Results({"torch": "2"}).to_json()) == Results({"torch": "2"})
    assert text.count("\n") == len(RESULTS.runs) + 2


def test_it_shows_as_a_table():
    lines = str(RESULTS).splitlines()
    assert len(lines) == 2 + len(RESULTS.variants)
    assert lines[3] == "| dot | 15.0 ± 5.0% | 30.0 ± 10.0% | 1,234 | 30 | 3 |"


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match="variant: expected one of none, dot; got 'telepathy'"):
        RESULTS.of("telepathy")
