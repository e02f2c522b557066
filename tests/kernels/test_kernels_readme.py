"""The pages about kernels and the simulated GPU: examples run and print what they say, links lead somewhere."""

import importlib.util
import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "kernels"
PAGES = {
    page: page.read_text(encoding="utf-8") for page in (FOLDER / "README.md", FOLDER / "simt" / "README.md")
}
EXAMPLES = [
    example
    for text in PAGES.values()
    for example in re.findall(r"```python\n(.+?)```\n\n```text\n(.*?)```", text, re.DOTALL)
]


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example_prints_what_the_page_says(code, printed, tmp_path, capsys):
    if "compiled" in code and importlib.util.find_spec("nvidia") is None:
        pytest.skip("needs NVIDIA's compiler wheels")
    script = tmp_path / "example.py"  # a kernel needs a file to be read from, and its lines are the page's
    script.write_text(code, encoding="utf-8")
    runpy.run_path(str(script))
    assert capsys.readouterr().out == printed


def test_every_example_is_among_them():
    assert sum(text.count("```python") for text in PAGES.values()) == len(EXAMPLES) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", PAGES[page]):
        assert (page.parent / target).exists(), target
