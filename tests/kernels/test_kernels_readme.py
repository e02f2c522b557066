"""The page about the simulated GPU: its examples run and print what it says they print, its links lead somewhere."""

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "kernels" / "README.md"
EXAMPLES = re.findall(
    r"```python\n(.+?)```\n\n```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example_prints_what_the_page_says(code, printed, tmp_path, capsys):
    script = tmp_path / "example.py"  # a kernel needs a file to be read from, and its lines are the page's
    script.write_text(code, encoding="utf-8")
    runpy.run_path(str(script))
    assert capsys.readouterr().out == printed


def test_every_example_is_among_them():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```python") == len(EXAMPLES) >= 2


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists(), target
