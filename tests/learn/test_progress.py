"""The map: what is there, what is done, what is planned."""

import re

import pytest

from workbench.exercises import for_lesson
from workbench.learn import progress, store

TOTAL = len(for_lesson("3_fusion/1_easy"))


def row(text, name):
    return re.split(r"\s{2,}", next(line for line in text.splitlines() if line.startswith(name)))


def test_at_first_nothing_is_done_and_most_is_planned(shown, tmp_path):
    progress(tmp_path)
    text = repr(shown[0])
    assert row(text, "0 start") == ["0 start", f"0 of {len(for_lesson('0_start'))} done"]
    totals = [len(for_lesson(f"3_fusion/{level}")) for level in ("1_easy", "2_moderate", "3_hard")]
    assert row(text, "3 fusion") == ["3 fusion", *(f"0 of {total} done" for total in totals)]
    assert row(text, "8 profiling") == ["8 profiling", "planned", "planned", "planned"]
    assert len(text.splitlines()) == 10


def test_what_is_done_and_guessed_is_counted_per_lesson(shown, tmp_path):
    store.mark_done("fusion.tower")
    store.mark_done("fusion.no_longer_there")
    store.lock_guess("3_fusion/1_easy", "ratio", 2.0)
    store.lock_guess("3_fusion/1_easy-Copy1", "ratio", 2.0)
    progress(tmp_path)
    assert row(repr(shown[0]), "3 fusion")[1] == f"1 of {TOTAL} done, 1 guess"


def test_a_notebook_in_the_folder_is_there_and_linked(shown, tmp_path, monkeypatch):
    (tmp_path / "4_sparsity").mkdir()
    (tmp_path / "4_sparsity" / "3_hard.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    progress()
    assert row(repr(shown[0]), "4 sparsity") == ["4 sparsity", "planned", "planned", "no tasks"]
    assert '<a href="4_sparsity/3_hard.ipynb">no tasks</a>' in shown[0]._repr_html_()


def test_the_table_is_accessible(shown, tmp_path):
    progress(tmp_path)
    html = shown[0]._repr_html_()
    assert "<caption" in html
    assert html.count('scope="row"') == 9
    assert html.count('scope="col"') == 4
    assert str(tmp_path) not in html


@pytest.mark.parametrize("content", ["{", '{"version": 1, "guesses": {"3_fusion/1_easy": 3}}'])
def test_a_damaged_file_shows_an_empty_map(content, data, shown, tmp_path):
    data.mkdir()
    store.path().write_text(content)
    progress(tmp_path)
    assert row(repr(shown[0]), "3 fusion")[1] == f"0 of {TOTAL} done"
