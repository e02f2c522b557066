"""JupyterLab opens on the learner's copy, says where, stays off the network, and runs this Python's kernel."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.lab import lessons, server

# `python -m workbench lab` on other folders than the project's own
COMMAND = """
import sys
from pathlib import Path
from workbench.__main__ import main
from workbench.lab import lessons
lessons.SOURCE, lessons.COPY = map(Path, sys.argv[1:3])
sys.exit(main(["lab", *sys.argv[3:]]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "lessons").mkdir()
    (folder / "lessons" / "0_start.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    return folder


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[str]:
    """What a running lab has printed; on a machine without a display, with a kernel in the home that leads astray."""
    kernel = folder / "data" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(
        json.dumps({"argv": ["/nonexistent/python"], "display_name": "astray", "language": "python"})
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    environment |= {"JUPYTER_DATA_DIR": str(folder / "data"), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    environment.pop("JUPYTER_PREFER_ENV_PATH", None)
    command = [sys.executable, "-c", COMMAND, str(folder / "lessons"), str(folder / "my_lessons")]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        yield printed
    finally:
        process.terminate()
        process.communicate(timeout=30)


def address(printed: str) -> str:
    (found,) = re.findall(
        r"^ +(http://127\.0\.0\.1:\d+/lab/tree/0_start\.ipynb\?token=\w{32,})$", printed, re.MULTILINE
    )
    return found


def ask(printed: str, path: str, token: bool = True) -> str:
    base, secret = re.split(r"/lab/tree/.*\?token=", address(printed))
    request = urllib.request.Request(
        base + path, headers={"Authorization": f"token {secret}"} if token else {}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def test_says_where_it_is_and_opens_the_first_lesson(lab: str, folder: Path) -> None:
    assert "Open this address in a browser:" in lab
    assert "1 added" in lab
    contents = json.loads(ask(lab, "/api/contents"))["content"]
    assert [item["name"] for item in contents] == ["0_start.ipynb"]
    assert json.loads(ask(lab, "/api/contents/0_start.ipynb?content=0"))["writable"]
    assert 'id="jupyter-config-data"' in ask(lab, "/lab/tree/0_start.ipynb")


def test_asks_for_its_token(lab: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask(lab, "/api/contents", token=False)


def test_stays_off_the_network(lab: str) -> None:
    page = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', ask(lab, "/lab"), re.DOTALL)
    assert page is not None
    config = json.loads(page.group(1))
    assert config["news"] == {"disabled": True}
    # nor does it ask a newcomer, over the page, whether it may
    assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
    assert json.loads(ask(lab, "/lab/api/update")) == {"notification": None}


def test_kernels_are_this_python(lab: str) -> None:
    kernel = json.loads(ask(lab, "/api/kernelspecs"))["kernelspecs"]["python3"]
    assert kernel["spec"]["display_name"] != "astray"
    assert kernel["spec"]["argv"][0] in (
        "python",
        sys.executable,
    )  # "python": jupyter_client takes the server's own


def test_the_next_port_is_taken_and_named(lab: str, folder: Path) -> None:
    """The first lab holds 8888, or whatever it found; so one more must say where it went instead."""
    port = int(re.search(r":(\d+)/", address(lab)).group(1))  # type: ignore[union-attr]
    assert not server.is_free(port)
    announced = server.announcement(
        type("Server", (), {"port": 8890, "display_url": "URL"}), None, opened=False
    )
    assert announced.startswith("Port 8888 is busy (another JupyterLab, perhaps), so this is on port 8890.")
    plain = server.announcement(type("Server", (), {"port": 8888, "display_url": "URL"}), None, opened=False)
    assert "busy" not in plain
    chosen = server.announcement(type("Server", (), {"port": 9999, "display_url": "URL"}), 9999, opened=False)
    assert "busy" not in chosen


def test_a_busy_port_that_was_asked_for_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "serve", lambda *arguments: pytest.fail("started all the same"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server.main(["--port", str(port)]) == 1
    assert f"Port {port} is busy" in capsys.readouterr().err
    assert server.is_free(port)
    with pytest.raises(SystemExit):
        server.main(["--port", "70000"])
    assert "expected 1 to 65535, got 70000" in capsys.readouterr().err


def test_missing_lessons_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "serve", lambda *arguments: pytest.fail("started all the same"))
    monkeypatch.setattr(lessons, "SOURCE", tmp_path / "nowhere")
    monkeypatch.setattr(lessons, "COPY", tmp_path / "copy")
    assert server.main([]) == 1
    assert "The lessons could not be copied: source: expected the project's folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platform", "environment", "opens"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a b c d"}, False),
        ("linux", {"BROWSER": "firefox"}, True),
        ("darwin", {}, True),
        ("darwin", {"SSH_TTY": "/dev/ttys001"}, False),
        ("win32", {}, True),
    ],
)
def test_a_browser_opens_only_where_it_can_be_seen(
    platform: str, environment: dict[str, str], opens: bool
) -> None:
    assert server.has_display(platform, environment) is opens


def test_no_browser_without_a_display(tmp_path: Path) -> None:
    assert "--ServerApp.open_browser=False" in server.arguments(tmp_path, None, browser=False)
    assert not [given for given in server.arguments(tmp_path, None, browser=True) if "open_browser" in given]
    assert "--ServerApp.port_retries=0" in server.arguments(tmp_path, 9000, browser=True)


def test_the_command_starts_without_torch() -> None:
    code = "import sys, workbench.__main__, workbench.lab.server; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "workbench.lab.server" in loaded
    assert not {"torch", "numba", "numpy", "IPython", "jupyterlab"} & set(loaded)
