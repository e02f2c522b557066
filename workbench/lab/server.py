"""Opens JupyterLab on the learner's copy of the lessons.

JupyterLab's own application runs in this process, on 127.0.0.1 and with its token. It listens as soon as its event
loop runs; the address is told right after, when it is certain and answers. A kernel runs the Python that runs the
server, so a lesson finds the packages that this command found.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.lab import lessons

FIRST_PORT = 8888
START = "0_start.ipynb"
SETTINGS = Path(__file__).with_name("jupyter")  # what JupyterLab reads of ours, beside the user's own


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser started here would appear before the person who typed the command."""
    if environment.get("BROWSER"):
        return True
    if any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY")):
        return False
    return not platform.startswith("linux") or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        if os.name != "nt":  # as the server does: a port whose last connection is only closing counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def arguments(folder: Path, port: int | None, browser: bool) -> list[str]:
    """JupyterLab's options; without a `port` it takes the first free one from 8888 on."""
    page = f"/lab/tree/{START}" if (folder / START).exists() else "/lab"
    given = [
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port or FIRST_PORT}",
        f"--ServerApp.port_retries={0 if port else 50}",
        f"--LabApp.default_url={page}",
        # tabs left open in another project's JupyterLab are not ours to restore, nor ours theirs
        f"--LabApp.workspaces_dir={folder / '.workspaces'}",
        # no network: neither news nor a look for newer versions
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--Application.log_level=WARN",
        "--ServerApp.answer_yes=True",
    ]
    given += [] if browser else ["--ServerApp.open_browser=False"]
    return given + (
        ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    )  # in a container


def announcement(server: Any, port: int | None, opened: bool) -> str:
    """What to tell once the port is bound: the address and how to stop, and why if it is not what was expected."""
    lines = []
    if not port and server.port != FIRST_PORT:
        lines.append(
            f"Port {FIRST_PORT} is busy (another JupyterLab, perhaps), so this is on port {server.port}."
        )
    lines.append("The workbench is open in your browser, at" if opened else "Open this address in a browser:")
    lines += ["", f"    {server.display_url}", ""]
    if os.environ.get("SSH_CONNECTION"):
        lines.append(
            f"From your own computer, first: ssh -L {server.port}:127.0.0.1:{server.port} this-machine"
        )
    return "\n".join([*lines, "Ctrl-C here stops it; your notebooks are saved in my_lessons/."])


def serve(folder: Path, port: int | None, browser: bool) -> None:
    """Runs JupyterLab on `folder` until it is stopped."""
    # JupyterLab asks a newcomer whether to fetch news; there is no option for that, only a file on its path
    others = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(SETTINGS), *([others] if others else [])])
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # a kernel of the same name in the home folder must not win
    from jupyterlab.labapp import LabApp

    server = LabApp.initialize_server(arguments(folder, port, browser))
    # the loop calls in order, and listening was put there first
    server.io_loop.add_callback(print, announcement(server, port, browser), flush=True)
    server.identity_provider.token_generated = False  # else the log tells the address again, in its own way
    server.start()


def main(argv: list[str] | None = None) -> int:
    """`python -m workbench lab`: brings my_lessons/ up to date and opens JupyterLab on it."""
    parser = argparse.ArgumentParser(prog="python -m workbench lab", description=main.__doc__)
    parser.add_argument(
        "--port", type=int, help=f"the port to listen on (default: the first free from {FIRST_PORT})"
    )
    parser.add_argument("--no-open", action="store_true", help="only print the address, open no browser")
    options = parser.parse_args(argv)
    if options.port is not None and not 0 < options.port < 65536:
        parser.error(f"--port: expected 1 to 65535, got {options.port}")
    if options.port and not is_free(options.port):
        print(
            f"Port {options.port} is busy or not allowed: name another, or none to take a free one.",
            file=sys.stderr,
        )
        return 1
    try:
        report = lessons.refresh(lessons.SOURCE, lessons.COPY)
    except (ValueError, OSError) as error:
        print(f"The lessons could not be copied: {error}", file=sys.stderr)
        return 1
    print(f"{lessons.COPY}: {report}")
    serve(lessons.COPY, options.port, has_display(sys.platform, os.environ) and not options.no_open)
    return 0
