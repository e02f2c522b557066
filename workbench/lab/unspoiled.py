"""A lesson as a learner should first see it: with nothing run, so that no answer stands below its question.

The notebooks of the project keep their outputs, to read well where no kernel runs. In the learner's copy these would
show every result before it can be predicted.
"""

from __future__ import annotations

import json


def unspoiled(content: bytes) -> bytes:
    """A notebook's bytes without outputs and execution counts; bytes that are no notebook come back as they are."""
    try:
        notebook = json.loads(content)
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return content
    if not any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
        return content
    for cell in cells:
        cell["outputs"], cell["execution_count"] = [], None
    return (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode()
