"""The site of a store, as `bench report` and `bench check` write it."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.cells.plan import Task
from bench.errors import NOTHING, Problem
from bench.results.collect import snapshot
from bench.store.store import Store
from protocols.datasets.mannequin.people import contact_sheet
from reports.data.ablations import committed
from reports.data.authors import with_authors
from reports.site import build, differences


def write_site(tasks: Iterable[Task], store: Store, out: Path) -> Path:
    """Write the site of a store; returns its index page."""
    found = with_authors(replace(snapshot(tasks, store), ablations=committed()))
    return build(found, out, contact_sheet())


def outdated(tasks: Iterable[Task], store: Store, out: Path) -> list[str]:
    """List the files of a site that writing it now would change. Raises Problem if there is no site."""
    if not (out / "index.html").is_file():
        raise Problem(f"There is no site in {out} to compare with.", next_step="bench report", code=NOTHING)
    with tempfile.TemporaryDirectory() as folder:
        return differences(write_site(tasks, store, Path(folder) / "site").parent, out)
