"""What the reader has done so far, as a table of tracks and levels: the map on the start page."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from workbench.exercises import all as all_tasks
from workbench.learn import store
from workbench.learn.panel import show

START = "0_start"
TRACKS = (
    "1_blocks",
    "2_modularity",
    "3_fusion",
    "4_sparsity",
    "5_compression",
    "6_parallelism",
    "7_hardware",
    "8_profiling",
)
LEVELS = ("1_easy", "2_moderate", "3_hard")


@dataclass(frozen=True)
class Standing:
    """One lesson's tasks and guesses: how many there are and are done; `link` leads to its notebook, or is ""."""

    done: int
    total: int
    guesses: int
    link: str = ""

    @property
    def text(self) -> str:
        """Such as "2 of 8 done, 1 guess"."""
        parts = [f"{self.done} of {self.total} done"] if self.total else ["no tasks"]
        parts += [f"{self.guesses} guess{'es' if self.guesses > 1 else ''}"] if self.guesses else []
        return ", ".join(parts)


class Map:
    """The table: a row for the start page and each track, a column for each level; what is not there is "planned"."""

    def __init__(self, standings: dict[str, Standing]) -> None:
        self.standings = standings

    def rows(self) -> list[tuple[str, list[Standing | None]]]:
        """(title of the row, its lessons from easy to hard), the start page's row with one cell."""
        start = [(title(START), [self.standings.get(START)])]
        return start + [(title(t), [self.standings.get(f"{t}/{level}") for level in LEVELS]) for t in TRACKS]

    def __repr__(self) -> str:
        table = [["track", *map(title, LEVELS)]]
        table += [
            [name, *(cell.text if cell else "planned" for cell in cells)] for name, cells in self.rows()
        ]
        widths = [max(len(row[i]) for row in table if i < len(row)) for i in range(len(LEVELS) + 1)]
        return "\n".join(
            "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=False)).rstrip() for row in table
        )

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        head = "".join(
            f'<th scope="col" {left}>{escape(name)}</th>' for name in ("track", *map(title, LEVELS))
        )
        body = ""
        for name, cells in self.rows():
            span = f' colspan="{len(LEVELS)}"' if len(cells) == 1 else ""
            data = "".join(f"<td {left}{span}>{_cell(cell)}</td>" for cell in cells)
            body += f'<tr><th scope="row" {left}>{escape(name)}</th>{data}</tr>'
        caption = "Lessons by track and level: exercises and questions done, guesses locked"
        return f"<table><caption {left}>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def progress(lessons: str | Path | None = None) -> None:
    """Shows what is done and what there is; lessons that do not exist yet read "planned".

    A lesson exists when its notebook lies in the folder `lessons` (by default the notebook's own) or when
    there are tasks for it.
    """
    show(Map(standings(Path(lessons) if lessons is not None else Path.cwd())))


def standings(folder: Path) -> dict[str, Standing]:
    """The standing of every lesson that exists, by name."""
    stored = store.load()
    tasks = all_tasks()
    total = Counter(task.lesson for task in tasks)
    done = Counter(task.lesson for task in tasks if task.name in stored["done"])
    names = [START, *(f"{track}/{level}" for track in TRACKS for level in LEVELS)]
    notebooks = {name: folder / f"{name}.ipynb" for name in names}
    return {
        name: Standing(done[name], total[name], len(stored["guesses"].get(name, {})), _link(notebook))
        for name, notebook in notebooks.items()
        if total[name] or notebook.is_file()
    }


def title(name: str) -> str:
    """ "3_fusion" as people read it: "3 fusion"; levels go without their number."""
    return name.partition("_")[2] if name in LEVELS else name.replace("_", " ")


def _link(notebook: Path) -> str:
    return Path(os.path.relpath(notebook)).as_posix() if notebook.is_file() else ""


def _cell(standing: Standing | None) -> str:
    if standing is None:
        return "planned"
    text = escape(standing.text)
    return f'<a href="{escape(standing.link)}">{text}</a>' if standing.link else text
