"""The built site and a browser to look at it, for the files of tests in this folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items):
    no_browser = pytest.mark.skip(reason="looks at the site in Chromium: apt install chromium")
    for item in items:
        if CHROMIUM is None and "browser" in item.fixturenames:
            item.add_marker(no_browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site. The first worker that asks for it builds it; the others wait for that."""
    pytest.importorskip("sphinx", reason="builds the site: pip install '.[docs]'")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    built = folder / "site"
    with (folder / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.is_dir():
            build(folder / "unfinished-site").rename(built)
    return built


def build(folder):
    flags = ("-W", "--keep-going", "--quiet", "--builder", "html")
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-m", "sphinx", *flags, str(ROOT / "docs"), str(folder)]
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


# Not for the whole session: while Playwright runs, no other test can start an event loop.
@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
