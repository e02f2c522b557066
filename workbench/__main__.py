"""`python -m workbench COMMAND`: what `make COMMAND` does, also where there is no make.

A command's module is imported when the command is called: opening the lab does not wait for torch.
"""

from __future__ import annotations

import importlib
import sys

# command -> (module, function taking the rest of the command line and returning the exit status, what it does)
COMMANDS = {
    "setup": ("workbench.lab.install", "main", "make .venv and install everything into it"),
    "lab": ("workbench.lab.server", "main", "open JupyterLab on your own copy of the lessons"),
    "test": ("workbench.lab.checks", "run_tests", "run every test, or one notebook"),
    "lint": ("workbench.lab.checks", "run_linters", "check style and types"),
    "doctor": ("workbench.doctor", "main", "say what this machine has and what to mend"),
    "reset": ("workbench.lab.lessons", "main", "start a lesson, or your progress, afresh; keeps a backup"),
    "bench": ("kernels.bench", "main", "time every kernel beside torch"),
    "lessons": ("workbench.lab.publish", "main", "build, run and clean the notebooks from their text"),
    "classroom": ("workbench.lab.classroom", "main", "write a copy to hand out and grade with nbgrader"),
}


def main(argv: list[str] | None = None) -> int:
    """Calls a command with the rest of the command line; returns its exit status."""
    command, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command not in COMMANDS:
        listed = "\n".join(f"  {name:10} {does}" for name, (_, _, does) in COMMANDS.items())
        usage = f"python -m workbench COMMAND [--help]\n\n{listed}"
        if command in ("-h", "--help", "help"):
            print(usage)
            return 0
        print(f"There is no command {command}.\n\n{usage}", file=sys.stderr)
        return 2
    module, function, _ = COMMANDS[command]
    try:
        status: int | None = getattr(importlib.import_module(module), function)(rest)
    except KeyboardInterrupt:
        return 130
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
