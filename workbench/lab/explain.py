"""Why an installation failed, as one line that says what to do.

Installers print pages, of which a newcomer needs one fact. The known causes are recognized by the words that
pip, uv and the operating systems use for them; an unknown one gives None, and then the installer's own last lines
are the best answer there is.
"""

import re

DISK_FULL = (
    "The disk is full: the set-up needs about {gigabytes} GB in {root} and in the temporary folder "
    "({temporary}). Free some space and run the same command again{or_smaller}."
)
NOT_WRITABLE = (
    "{root} cannot be written: clone the project into a folder of your own and run the command there."
)
NO_VENV = (
    "{python} cannot make virtual environments. On Debian or Ubuntu run `sudo apt install python3-venv`, "
    "then the same command again."
)
NO_NETWORK = (
    "No network: the package index could not be reached. Go online (behind a proxy, set HTTPS_PROXY) and run the "
    "same command again; what was already downloaded is kept."
)
NO_TORCH = (
    "torch has no build for Python {version} on {machine}. It has for Python 3.11 to 3.14 on 64-bit Linux, "
    "Windows and Apple silicon: name such a Python, for example `make lab PYTHON=python3.12`."
)

# The order matters: a full disk also breaks downloads, and without a network every version seems to be missing.
CAUSES = (
    (r"No space left on device|\[Errno 28\]|not enough space on the disk|quota exceeded", DISK_FULL),
    (r"Read-only file system|Permission denied|\[Errno 13\]|\[WinError 5\]", NOT_WRITABLE),
    (r"ensurepip is not\s+available|No module named '?(venv|ensurepip)\b", NO_VENV),
    (
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Network is unreachable"
        r"|ConnectTimeoutError|ReadTimeoutError|ProxyError|dns error|client error \(Connect\)",
        NO_NETWORK,
    ),
    (r"No matching distribution found for torch\b|torch==\S+ has no wheels", NO_TORCH),
)


def explain(output: str, facts: "dict[str, object]") -> "str | None":
    """The line for the first known cause in an installer's output, `facts` filled in; None for an unknown one.

    `facts` holds root, temporary, gigabytes, or_smaller, python, version and machine.
    """
    for words, line in CAUSES:
        if re.search(words, output, re.IGNORECASE):
            return line.format(**facts)
    return None
