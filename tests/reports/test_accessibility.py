"""axe-core finds no serious violation on any kind of page, wide and narrow, light and dark.

axe-core is fetched by npm into build/ (which git ignores) the first time; without npm the test is skipped.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from snapshots import rich, with_own_pages
from test_browser import Watched, browser  # noqa: F401  (a fixture)

from reports import site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = "axe-core@4.14.1"  # always the same rules
FOLDER = Path(__file__).resolve().parents[2] / "build" / AXE
KINDS = (
    "index.html", "claims.html", "architectures.html", "curves.html", "training.html", "predictions.html",
    "mannequin.html", "runs.html", "ablations.html", "benchmarks.html",
    "papers/yang2017.html", "papers/liu2018.html", "papers/li2019.html",
    "protocols/mpii-pckh.html", "protocols/complexity.html", "architectures/prm-baseline-2.html",
    "architectures/liu-ioi.html",
)  # fmt: skip


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core."""
    script = FOLDER / "axe-core" / "axe.min.js"
    if not script.is_file():
        if not shutil.which("npm"):
            pytest.skip("axe-core needs npm, which is not installed (Debian: apt install npm)")
        FOLDER.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=FOLDER.parent) as folder:  # several processes may do this at once
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, AXE]
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
            if done.returncode:
                pytest.skip(f"npm could not fetch axe-core: {done.stderr.strip()[:200]}")
            with suppress(OSError):  # another one was first
                Path(folder, "node_modules").rename(FOLDER)
    return script.read_text("utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("axe")
    snapshot = with_own_pages(rich(folder / "store"))
    return site.build(snapshot, folder / "site", np.full((64, 64, 3), 128, np.uint8)).parent


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1300])
def test_no_serious_violation(browser, built, axe, width, theme):  # noqa: F811
    watched = Watched(browser, built, viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=True)
    cells = [path.relative_to(built).as_posix() for path in sorted((built / "cells").iterdir())[:3]]
    found = {}
    for path in (*KINDS, *cells):
        page = watched.open(path)
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        page.add_script_tag(content=axe)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for item in result["violations"]:
            if item["impact"] in ("serious", "critical"):
                found.setdefault(item["id"], []).append((path, item["nodes"][0]["html"][:150], item["help"]))
    watched.context.close()
    assert found == {}
