"""Why a model could not be traced, in a sentence that names the line of the model's own code."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

TORCH = str(Path(torch.__file__).parent)
HERE = str(Path(__file__).parent)


class TracingError(ValueError):
    """A model has no graph; the message names the line of its code that has to look at a tensor."""


def where(error: BaseException) -> str:
    """The last line outside torch and this package that was running, and what went wrong there."""
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    if "Proxy" in reason:  # as in "float() argument must be a string or a real number, not 'Proxy'"
        reason += "; while tracing, tensors are stand-ins (Proxy) that have no numbers and no size"
    frames = traceback.extract_tb(error.__traceback__)
    # what torch.fx wrote itself is called <eval_with_key>
    own = [frame for frame in frames if not frame.filename.startswith((TORCH, HERE, "<eval_with_key"))]
    if not own:
        return reason
    frame = own[-1]
    code = f", `{frame.line}`" if frame.line else ""  # Python keeps no text of what came by `python -c`
    return f"{_file(frame.filename)} line {frame.lineno}{code}: {reason}"


def _file(path: str) -> str:
    if "ipykernel" in path or path.startswith("<ipython"):
        return "notebook cell,"
    return path if path.startswith("<") else Path(path).name
