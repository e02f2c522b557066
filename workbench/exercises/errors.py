"""What an error in an answer says: to its reader, in one line, and to `recognize`, which asks whose mistake it is.

A compiler's error is a page long and names files of the compiler, and what an error says besides its cause (numbers,
names, the operator that met a None first) is each reader's own.
"""

from __future__ import annotations

import inspect
import linecache
import re
import traceback
from collections.abc import Callable, Hashable
from pathlib import PurePath
from typing import Any

from workbench.exercises.compare import ADDRESS

ASIDE = ("Failed in ", "File ", "During", "Traceback", "^")  # lines of a compiler about itself
PLACE = re.compile(r"""([^\s"/\\]+)"?,? (?:line |\()(\d+)""")  # 'File "<path>", line 3', 'at <path> (3)'
OWN_PLACE = re.compile(r"^(?:\w+, )?line (\d+): ")
UNKNOWN = re.compile(r"(?:name|Variable) '(\w+)' is not defined")
READABLE = (
    (re.compile(r",? (?:defined at|Raised from) .*"), ""),
    (re.compile(r"; for a long kernel raise step_limit"), ""),  # the exercise sets it, not the reader
    (re.compile(r"<module '([\w.]+)'[^>]*>"), r"\1"),
    (re.compile(r"\w+\(<(?:built-in )?function ([\w.]+)[^>]*>\)"), r"\1"),
    (re.compile(r"'\$?\d*([a-zA-Z_]\w*)\.\d+'"), r"'\1'"),  # the compiler counts versions of a name
    (re.compile(r"\b\w+_v\d+_(\w+)(?=\[)"), r"\1"),  # a device function's name, inlined
    (re.compile(r"\b\d\w*(?=\[)"), "array"),  # an array that the compiler has named itself, such as 86call
    (re.compile(r"(?<!\w)(?:[A-Za-z]:|\.\.)?(?:[\\/][\w.-]+)+[\\/]"), ""),  # the folders of a path
    (ADDRESS, ""),
)
VARYING = re.compile(r"\w+(?=\[)|\d+|(?<=for )\S+(?=:)")  # a name before a bracket, a number, an operator


def gist(error: BaseException) -> Hashable:
    """What two errors have in common if they come of one mistake.

    A run on the simulated GPU has the kinds of hazards that it met. What meets a None says so, each in its own words.
    """
    found = hazards(error)
    if found:
        return found
    if "NoneType" in str(error):
        return "None where a value is needed"
    if isinstance(error, ArithmeticError):
        return type(error).__name__  # "division by zero", "float division by zero", …
    return type(error).__name__, VARYING.sub("…", telling(error))


def hazards(error: BaseException | None) -> frozenset[str]:
    """The kinds of hazards in the simulated GPU's run that an error ended; none where it ended no run."""
    found = {hazard.kind for hazard in getattr(getattr(error, "run", None), "hazards", ())}
    if "DataRace" in found:
        found.discard("UninitialisedShared")  # who reads too early may come even before the first to write
    return frozenset(found)


def endless(error: BaseException | None) -> bool:
    """Whether an error has ended an endless loop on the simulated GPU."""
    return "StepLimit" in hazards(error)


def telling(error: BaseException) -> str:
    """What an error says in one line; of a compiler's error the reason, without paths or addresses."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if type(error).__name__ == "KernelTypeError":
        lines[0] = re.sub(r"^\w+\([^:]*\): ", "", lines[0])  # the kernel and the types of its arguments
        lines = [line for line in lines if not line.startswith(ASIDE)] or lines
    first, *more = lines or [""]
    if first.endswith(":") and more:  # "… found for signature:"
        first = f"{first} {more[0].removeprefix('>>>').strip()}"
    for pattern, instead in READABLE:
        first = pattern.sub(instead, first)
    return first


def reader_line(answer: Any, error: BaseException) -> str:
    """An error in one line, and the reader's own line it came from; no path, which differs in every run."""
    function = getattr(answer, "py_func", answer)
    line = _line(function, error)
    said = telling(error) if line is None else OWN_PLACE.sub("", telling(error))
    short = f"{type(error).__name__}: {said}".removesuffix(": ")
    if line is None:
        return short
    text = linecache.getline(function.__code__.co_filename, line).strip()
    return f"{short} (line {line}: {text})" if text else f"{short} (line {line})"


def _line(function: Callable[..., Any], error: BaseException) -> int | None:
    """The line of the reader's file that an error came from, as far as anything tells."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    if file is None:
        return None
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if frames:
        return frames[-1]
    hazard = getattr(error, "line", None)
    if isinstance(hazard, int):
        return hazard
    own = OWN_PLACE.match(str(error))
    if own:
        return int(own[1])
    places = [int(line) for name, line in PLACE.findall(str(error)) if name == PurePath(file).name]
    return places[0] if places else _line_with(function, UNKNOWN.search(str(error)))


def _line_with(function: Callable[..., Any], unknown: re.Match[str] | None) -> int | None:
    """The first line of a function with a name in it."""
    if unknown is None:
        return None
    try:
        lines, start = inspect.getsourcelines(function)
    except OSError:
        return None
    named = (start + i for i, line in enumerate(lines) if re.search(rf"\b{unknown[1]}\b", line))
    return next(named, None)
