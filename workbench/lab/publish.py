"""From a lesson's text to the notebook a learner opens: build, run, clean, write.

Authors edit `lessons/source/**.md` (MyST Markdown, read by jupytext). A notebook with its pictures is derived
from it, never edited: text shows in a review what changed, and a merge cannot break JSON. What is stored must be
the same however often it is made, and must read well where no kernel runs, hence the cleaning:

* cell ids come from the cell's place and text, not from chance;
* live widget views are dropped and the still picture beside them is kept. A view without its kernel shows
  "model not found" in JupyterLab, and stored widget state makes code hosts refuse the file;
* no timing, no kernel version, no execution metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from workbench.atomic import write_atomically

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ROOT = Path(__file__).resolve().parents[2]


def build(source: Path) -> Any:
    """The notebook of one lesson's text, not yet run: the same text gives the same notebook, ids included.

    Raises ValueError naming `source` when it is not a lesson's text.
    """
    import jupytext
    import nbformat

    if source.suffix != ".md" or not source.is_file():
        raise ValueError(f"source: expected a lesson's text (an existing .md file), got {source}")
    notebook = jupytext.read(source, fmt="md:myst")
    for number, cell in enumerate(notebook.cells):
        digest = hashlib.sha256(f"{number}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()
        cell["id"] = digest[:12]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def run(notebook: Any, timeout: int = 600) -> Any:
    """Runs every cell in a fresh kernel and in an empty folder; raises CellExecutionError at the first error.

    The folder is empty, and progress is kept elsewhere, so a lesson that leans on its place or on what the
    author did before shows here and not at the reader's.
    """
    from nbclient import NotebookClient

    environment = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
    with tempfile.TemporaryDirectory() as folder:
        environment["WORKBENCH_DATA"] = str(Path(folder) / "data")
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
            coalesce_streams=True,
        )
        client.execute(env=environment)
    return notebook


def clean(notebook: Any) -> Any:
    """Drops what differs from run to run or breaks without a kernel (see the module's text)."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            data.pop(WIDGET_VIEW, None)
        cell.outputs = [output for output in cell.outputs if output.get("data", True)]
    return notebook


def sources(root: Path = ROOT) -> list[Path]:
    """Every lesson's text, in the order of the tracks."""
    return sorted((root / "lessons" / "source").rglob("*.md"))


def notebook_of(source: Path, root: Path = ROOT) -> Path:
    """Where the notebook of a lesson's text lies: the same path, one folder up, as .ipynb."""
    return root / "lessons" / source.relative_to(root / "lessons" / "source").with_suffix(".ipynb")


def publish(source: Path, target: Path) -> None:
    """Builds, runs, cleans and writes one lesson; on an error the notebook that was there stays."""
    import nbformat

    notebook = clean(run(build(source)))
    nbformat.validate(notebook)
    write_atomically(target, (nbformat.writes(notebook) + "\n").encode())


def main(argv: list[str] | None = None) -> int:
    """`python -m workbench lessons [LESSON …]`: all lessons, or those named (`3_fusion/1_easy`)."""
    parser = argparse.ArgumentParser(prog="python -m workbench lessons", description=main.__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 3_fusion/1_easy; none: all")
    wanted = parser.parse_args(argv).lessons
    known = {str(path.relative_to(ROOT / "lessons" / "source").with_suffix("")): path for path in sources()}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        parser.error(f"no such lesson: {', '.join(unknown)}; there are: {', '.join(known)}")
    for name in wanted or known:
        print(f"{name} …", flush=True)
        publish(known[name], notebook_of(known[name]))
    return 0
