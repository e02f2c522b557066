"""The README's map shows the lessons there are, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LEVELS = ("1_easy", "2_moderate", "3_hard")


def rows():
    for line in README.splitlines():
        if match := re.match(r"\| (\d) (\w+)[\w ]* \|(.*)\|$", line):
            yield f"{match[1]}_", [cell.strip() for cell in match[3].split("|")]


def test_the_map_has_eight_tracks_and_shows_what_is_there_today():
    tracks = dict(rows())
    assert list(tracks) == [f"{number}_" for number in range(1, 9)]
    shown = {
        (track, level): cell
        for track, cells in tracks.items()
        for level, cell in zip(LEVELS, cells, strict=True)
    }
    there = {(path.parent.name[:2], path.stem): path for path in (ROOT / "lessons").glob("[1-8]_*/*.ipynb")}
    for place, cell in shown.items():
        if place in there:
            assert f"({there[place].relative_to(ROOT).as_posix()})" in cell
        else:
            assert cell == "planned"
    assert set(there) <= set(shown)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "lessons/glossary.md"])
def test_links_and_named_files_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), link


def test_every_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)(?:[A-Z]+=\w+ )?make ([a-z]+)\b", README, re.MULTILINE))
    assert {"lab", "test", "help", "doctor", "classroom"} <= named <= targets
