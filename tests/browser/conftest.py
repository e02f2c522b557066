"""One JupyterLab and one Chromium for all browser tests, apart from the reader's own settings.

The server gets a home, settings, workspaces and data of its own in a temporary folder, and works on copies: a test
never opens a notebook of the repository in place. Where no Chromium is installed the tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SETTINGS: dict[str, dict[str, object]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # every cell stays in the page, so that a test finds it without scrolling
    "notebook-extension/tracker": {"windowingMode": "none"},
}
TOKEN = "browser-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip("no Chromium: install one, or set CHROMIUM to its path")
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Where the server finds notebooks."""
    folder = tmp_path_factory.mktemp("jupyter") / "notebooks"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def address(folder: Path, chromium_path: str) -> Iterator[str]:
    """The address of a running JupyterLab."""
    home = folder.parent
    for name, settings in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    port = free_port()
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "WORKBENCH_DATA": str(home / "progress"),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]  # fmt: skip
    log = (home / "server.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=home)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, server, home / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def wait_for(url: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    """Until the server answers; its log is the message when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def browser(chromium_path: str):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=chromium_path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, request):
    """A fresh page, whose last look is kept in artifacts/ when the test fails."""
    options = getattr(request, "param", {})
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, **options)
    context.set_default_timeout(30_000)
    page = context.new_page()
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        save(page, f"failed-{request.node.name}")
    context.close()


@pytest.fixture
def lab(page, address: str, folder: Path):
    """JupyterLab in a browser, driven as a reader would."""
    return Lab(page, address, folder)


@pytest.fixture(scope="session")
def save_picture():
    """Keeps a screenshot of a page or an element in artifacts/: `save_picture(what, name)`."""
    return save


def save(what, name: str) -> Path:
    """Keeps a screenshot of a page or an element in artifacts/ (ignored by git)."""
    place = ROOT / "artifacts"
    place.mkdir(exist_ok=True)
    file = place / f"{''.join(c if c.isalnum() or c in '-_' else '-' for c in name)}.png"
    what.screenshot(path=str(file))
    return file


# How many cells the notebook has, and their sources, straight from JupyterLab's model.
CELLS = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  return Array.from({ length: cells.length }, (_, i) => cells.get(i).sharedModel.getSource());
}"""
IDLE = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  const kernel = context?.sessionContext?.session?.kernel;
  return Boolean(context?.isReady && kernel && kernel.connectionStatus === "connected" && kernel.status === "idle");
}"""
# An error ends a run of all cells, so it counts as done; `errors` then tells which.
ALL_RUN = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  let done = true;
  for (let i = 0; i < cells.length; i++) {
    const cell = cells.get(i);
    if (cell.type !== "code" || !cell.sharedModel.getSource().trim()) continue;
    if (cell.sharedModel.getOutputs().some((output) => output.output_type === "error")) return true;
    done &&= cell.executionCount !== null;
  }
  return done;
}"""
ERRORS = """() => {
  const found = [];
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  for (let i = 0; i < cells.length; i++) {
    const cell = cells.get(i);
    if (cell.type !== "code") continue;
    for (const output of cell.sharedModel.getOutputs())
      if (output.output_type === "error") found.push(`cell ${i}: ${output.ename}: ${output.evalue}`);
  }
  return found;
}"""


# What a cell has given, as plain text, whatever else it gave it as.
SAID = """i => {
  const outputs = window.jupyterapp.shell.currentWidget.content.model.cells.get(i).sharedModel.getOutputs();
  const plain = (output) => output.text ?? output.data?.["text/plain"] ?? output.evalue ?? "";
  return outputs.map((output) => [plain(output)].flat().join("")).join("\\n");
}"""
WRITE = """([i, source]) => {
  window.jupyterapp.shell.currentWidget.content.model.cells.get(i).sharedModel.setSource(source);
}"""
APPEND = """source => {
  const notebook = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
  notebook.insertCell(notebook.cells.length, { cell_type: "code", source });
}"""


class Lab:
    """A JupyterLab page with one notebook open."""

    def __init__(self, page, address: str, folder: Path) -> None:
        self.page, self.address, self.folder = page, address, folder

    def open(self, notebook: str) -> None:
        """Opens a notebook of the server's folder and waits until its kernel is idle."""
        self.page.goto(f"{self.address}/lab/workspaces/{time.monotonic_ns()}/tree/{notebook}?token={TOKEN}")
        self.page.wait_for_function("() => window.jupyterapp?.restored !== undefined", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.idle()

    def idle(self, seconds: float = 120) -> None:
        self.page.wait_for_function(IDLE, timeout=1000 * seconds)

    def run_all(self, seconds: float = 300) -> None:
        """Runs every cell, as the menu does, and waits for the last; outputs stored in the file go first."""
        self.command("notebook:clear-all-cell-outputs")
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(ALL_RUN, timeout=1000 * seconds)
        self.idle(seconds)

    def run_cell(self, holding: str) -> None:
        """Runs the first cell whose source holds a text, once more."""
        self.page.evaluate(
            "i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", self.place(holding)
        )
        self.command("notebook:run-cell")
        self.idle()

    def place(self, holding: str) -> int:
        """The number of the first cell whose source holds a text."""
        return next(i for i, source in enumerate(self.cells()) if holding in source)

    def write(self, holding: str, source: str) -> None:
        """Puts another source into the first cell that holds a text, and runs it."""
        self.page.evaluate(WRITE, [self.place(holding), source])
        self.run_cell(source)

    def append(self, source: str) -> None:
        """A new cell at the end."""
        self.page.evaluate(APPEND, source)

    def said(self, holding: str) -> str:
        """What the first cell whose source holds a text has given."""
        return self.page.evaluate(SAID, self.place(holding))

    def command(self, name: str, **arguments) -> None:
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments]
        )

    def cells(self) -> list[str]:
        return self.page.evaluate(CELLS)

    def errors(self) -> list[str]:
        """What the notebook's error outputs say."""
        return self.page.evaluate(ERRORS)

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        light = str(name == "JupyterLab Light").lower()
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        # JupyterLab covers the page while it changes
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def close(self) -> None:
        """Shuts the notebook's kernel down, so that kernels do not pile up over a session of tests."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
