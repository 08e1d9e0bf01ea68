"""The static site: a pure function of a snapshot and of the published values.

The whole site is written beside its place and renamed into it, so that nobody ever sees half of one; the same rows
give the same bytes.
"""

import fcntl
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path

import cv2
import jinja2
import msgspec
import numpy as np

from bench.results.rows import Measurement
from bench.results.snapshot import Snapshot
from reports import formats
from reports.data.cell_files import PICTURES, picture
from reports.data.published import Paper, papers
from reports.figures.svg import standalone
from reports.ledger.claim import KINDS
from reports.ledger.evidence import Evidence
from reports.pages.all import SEVERAL, judged, ledger_sheet, pages, source_path
from reports.pages.page import Page, architecture_path, cell_path, picture_path
from reports.tables import sheet_files
from reports.tables.published_vs_measured import compare, numbers

HERE = Path(__file__).parent
_MARK = '<meta name="generator" content="Repose">'  # how a folder is known to be a site of ours
_ORDER = attrgetter(
    "architecture", "protocol", "protocol_version", "dataset", "split", "metric", "part", "seed", "cell", "value"
)  # fmt: skip
_FILTERS = ("breakable", "counted", "dataset", "duration", "interval", "moment", "place", "shown", "slug")


def build(snapshot: Snapshot, out: Path, contact_sheet: np.ndarray | bytes | None = None) -> Path:
    """Write the site to the folder `out`, replacing an older site; returns its index.html.

    contact_sheet: a picture of mannequins, an encoded WebP or H x W x 3 uint8 RGB.
    Raises FileExistsError if `out` is something else than a site: it is not touched then.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _locked(out.parent):
        _refuse_other_folders(out)
        _remove_leftovers(out)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-new-", dir=out.parent))
        at_work = os.open(fresh, os.O_RDONLY)
        with suppress(OSError):  # held until this process ends, also by a kill: then the next report removes the folder
            fcntl.flock(at_work, fcntl.LOCK_EX)
    gc.freeze()  # or the collector would walk over all rows again and again
    try:
        _write(snapshot, papers(), fresh, contact_sheet)
        fresh.chmod(0o755)  # mkdtemp's folders are private, a site is not
        with _locked(out.parent):
            _swap(fresh, out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        os.close(at_work)
        gc.unfreeze()
    return out / "index.html"


def differences(one: Path, two: Path) -> list[str]:
    """Files that are not the same bytes in both folders, or in one of them only; paths relative to them, sorted."""
    names = {path.relative_to(folder) for folder in (one, two) for path in folder.rglob("*") if path.is_file()}
    return sorted(str(name) for name in names if not _same(one / name, two / name))


def _same(one: Path, two: Path) -> bool:
    return one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes()


def _write(snapshot: Snapshot, published: dict[str, Paper], folder: Path, sheet: np.ndarray | bytes | None) -> None:
    """All files of the site."""
    shutil.copytree(HERE / "assets", folder / "assets")
    for name in ("architectures", "cells", "papers", "protocols", "data", *PICTURES):
        (folder / name).mkdir()
    contact_sheet = ""
    if sheet is not None:
        contact_sheet = "mannequins.webp"
        (folder / contact_sheet).write_bytes(sheet if isinstance(sheet, bytes) else _webp(sheet))
    for cell in snapshot.sorted_cells:
        for name in PICTURES:
            if source := picture(cell, name):
                shutil.copyfile(source, folder / picture_path(cell, name))
    evidence = Evidence(published, snapshot)
    render, ledger = _renderer(snapshot, published), judged(evidence)
    compared = {key: compare(paper.values(), snapshot) for key, paper in published.items()}
    for page in pages(evidence, compared, ledger, contact_sheet):
        (folder / page.path).write_text(render(page), encoding="utf-8")
        _write_files(page, folder / page.files)
    _write_ablations(snapshot, folder / "data")
    rows = sorted(snapshot.measurements, key=lambda row: [*map(str, _ORDER(row))])
    claims = ledger_sheet(ledger)
    printed = numbers(item for group in compared.values() for item in group)
    tables = {
        "measurements": (Measurement.__struct_fields__, map(msgspec.structs.astuple, rows)),
        "published": (printed.columns, printed.values),
        "claims": (claims.columns, claims.rows),
    }
    for name, (columns, lines) in tables.items():
        (folder / "data" / f"{name}.csv").write_text(sheet_files.csv_text(columns, lines), encoding="utf-8")
    (folder / "data" / "published.json").write_text(sheet_files.json_text(printed), encoding="utf-8")


def _write_ablations(snapshot: Snapshot, folder: Path) -> None:
    """The committed rows of the ablations as they are."""
    for committed in snapshot.ablations:
        (folder / f"ablations-{formats.slug(committed.fragment.name)}.jsonl").write_bytes(committed.fragment.encode())


def _write_files(page: Page, folder: Path) -> None:
    """The tables of a page as data, its figures as pictures and as data."""
    if page.figures or page.pictures or (page.sheets and not page.embed):
        folder.mkdir(parents=True)
    for name, content in page.pictures.items():
        (folder / name).write_bytes(content)
    for sheet in () if page.embed else page.all_sheets.values():
        sheet_files.write(sheet, folder)
    for name, figure in page.figures.items():
        (folder / f"{name}.svg").write_text(standalone(figure), encoding="utf-8")


def _webp(sheet: np.ndarray) -> bytes:
    done, data = cv2.imencode(".webp", sheet[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])
    if not done:
        raise ValueError(f"a contact sheet of shape {sheet.shape} and type {sheet.dtype} is not a colour picture")
    return data.tobytes()


def _renderer(snapshot: Snapshot, published: dict[str, Paper]):
    """Page -> HTML. Every value is escaped; a name that a template does not get is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(formats, name) for name in _FILTERS}
    environment.globals |= {
        "STATES": formats.STATES,
        "CLAIM_VERDICTS": formats.VERDICTS,
        "KINDS": KINDS,
        "SEVERAL": SEVERAL,
        "source_path": source_path,
        "FORMATS": sheet_files.FORMATS,
        "architecture_path": architecture_path,
        "cell_path": cell_path,
        "PICTURES": PICTURES,
        "picture_path": picture_path,
        "all_papers": published,
        "benchmarked": bool(snapshot.benchmarks),
        "ablated": bool(snapshot.ablations),
        "all_protocols": sorted(snapshot.protocol),
    }

    def render(page: Page) -> str:
        root = "../" * page.path.count("/")
        shared = {"root": root, "path": page.path, "at": f"{root}{page.files}/", "figures": page.figures}
        shared |= {"sheets": page.all_sheets, "embed": page.embed}
        return environment.get_template(page.template).render(page.context, **shared)

    return render


def _refuse_other_folders(out: Path) -> None:
    """A folder that is not an older site may be somebody's work: it is never replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    index = out / "index.html"
    if not index.is_file() or _MARK not in index.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise FileExistsError(f"{out.name} exists and is not a site of Repose; choose another folder for the report")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Of all reports that change this folder, one at a time: between two renames there is no site in its place."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network drives cannot lock a folder; then it is as if only one report were made
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _swap(fresh: Path, out: Path) -> None:
    """Put a finished site in the place of the old one."""
    if not out.exists():
        fresh.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    out.rename(old / out.name)
    fresh.rename(out)
    shutil.rmtree(old)


def _remove_leftovers(out: Path) -> None:
    """Remove what killed builds left beside the site; a build at work holds the lock of its folder."""
    for folder in (path for path in out.parent.glob(f".{out.name}-*-*") if path.is_dir()):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # at work, or a drive without locks
            continue
        finally:
            os.close(handle)
