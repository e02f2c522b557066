"""Who is running this notebook: a person, a test, or a grader? Three environment variables tell.

* `JPY_SESSION_NAME` is set by Jupyter Server for a notebook that somebody has open; it is the notebook's path.
  Tests (nbval, nbclient) start kernels without it.
* `NBGRADER_EXECUTION` is set by nbgrader: "autograde" or "validate". It outranks the first, because a grader
  may be started from within a notebook.
* `WORKBENCH_DATA` names the folder of the reader's progress (see store.py).
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Any

TRACK = re.compile(r"\d+_\w+")


def graded() -> bool:
    """Whether nbgrader runs this notebook: an answer that is not right must then fail its cell."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def by_person() -> bool:
    """Whether a person has this notebook open, and reads what it says."""
    return bool(os.environ.get("JPY_SESSION_NAME")) and not graded()


def lesson() -> str:
    """The lesson this notebook is, such as "3_fusion/1_easy"; "" where that cannot be known.

    A copy is a lesson of its own ("3_fusion/1_easy-Copy1", "3_fusion/1_easy.new"): what is guessed there
    does not change what was guessed here.
    """
    name = os.environ.get("JPY_SESSION_NAME", "")
    if not name:
        return ""
    path = PurePath(name.replace("\\", "/"))
    stem = path.name.removesuffix(".ipynb")
    return f"{path.parent.name}/{stem}" if TRACK.fullmatch(path.parent.name) else stem


def has_buttons() -> bool:
    """Whether code runs in a Jupyter kernel, whose front ends can show a form; a plain prompt cannot."""
    shell = _shell()
    return shell is not None and hasattr(shell, "kernel")


def next_cell(text: str) -> None:
    """Opens a cell with this text below the one that runs; at a plain prompt it is printed."""
    shell = _shell()
    if shell is not None:
        shell.set_next_input(text)
    else:
        print(text)


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()
