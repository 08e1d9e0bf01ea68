"""The site as files: self-contained, escaped, accessible markup, the same bytes, never half a site."""

import cProfile
import csv
import fcntl
import html.parser
import os
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from report_scale import many
from snapshots import HOSTILE, NAMES, PCKH, cell, counts, pckh, small, strangers

from bench.results.snapshot import Snapshot
from reports import formats, site
from reports.ledger.claims import CLAIMS
from reports.pages.page import architecture_path, cell_path

SHEET = np.full((64, 64, 3), 128, np.uint8)
VOID = {"meta", "link", "img", "input", "br", "wbr", "hr"}


class Document(html.parser.HTMLParser):
    """All tags of a page with their attributes; complains about tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return small(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def built(snapshot, tmp_path_factory):
    """The site of the small snapshot."""
    return site.build(snapshot, tmp_path_factory.mktemp("out") / "site", SHEET).parent


@pytest.fixture(scope="module")
def documents(built):
    return {
        path.relative_to(built).as_posix(): Document(path.read_text("utf-8")) for path in sorted(built.rglob("*.html"))
    }


def test_every_page_is_there(built, snapshot, documents):
    expected = {"index", "curves", "training", "predictions", "mannequin", "runs", "claims", "architectures",
                "rankings", "protocols/mpii-pckh", "protocols/complexity"}  # fmt: skip
    expected |= {f"papers/{key}" for key in ("liu2018", "chu2017", "yang2017", "li2019", "nie2019")}
    expected |= {cell_path(made).removesuffix(".html") for made in snapshot.cells}
    networks = {made.architecture for made in snapshot.cells} | set(snapshot.architecture)
    expected |= {architecture_path(name).removesuffix(".html") for name in networks}
    assert {name.removesuffix(".html") for name in documents} == expected
    assert (built / "data" / "measurements.csv").read_text().count("\n") == 1 + len(snapshot.measurements)


def test_every_link_leads_somewhere_inside(built, documents):
    for name, document in documents.items():
        ids = [attributes["id"] for _, attributes in document.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        for tag, attributes in document.tags:
            target = attributes.get("href") or attributes.get("src") or attributes.get("xlink:href")
            if not target or tag == "use":
                continue
            assert not re.match(r"[a-z]+:|//|/", target), (name, target)
            path, _, anchor = target.partition("#")
            if path and anchor and "=" not in anchor:  # fragments with "=" are filters
                there = os.path.normpath(Path(name).parent / path)
                ids_there = {attributes.get("id") for _, attributes in documents[there].tags}
                assert anchor in ids_there, (name, target)
            assert (built / name).parent.joinpath(path).exists() if path else anchor in ids, (name, target)


def test_nothing_is_asked_of_the_network(built):
    for path in built.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text("utf-8")
            assert not re.search(r"https?://|@import|@font-face", text), path.name
            assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", text)), path.name
        if path.suffix == ".html":
            assert "default-src 'none'" in text and "script-src 'self'" in text, path.name


def test_a_hostile_name_is_only_text(documents):
    for name, document in documents.items():
        scripts = [attributes for tag, attributes in document.tags if tag == "script"]
        assert [list(script) for script in scripts] == [["src", "defer"]], name
        assert not any(key.startswith("on") for _, attributes in document.tags for key in attributes), name
    assert HOSTILE in "".join(documents["index.html"].words)


def test_tables_can_be_read_by_everyone(documents):
    for name, document in documents.items():
        tables = [tag for tag, _ in document.tags if tag == "table"]
        captions = [tag for tag, _ in document.tags if tag == "caption"]
        regions = [attributes for _, attributes in document.tags if attributes.get("role") == "region"]
        assert len(tables) == len(captions), name
        assert all(attributes.get("scope") for tag, attributes in document.tags if tag == "th"), name
        assert all(region.get("tabindex") == "0" and region.get("aria-label") for region in regions), name
        assert all(attributes.get("alt") for tag, attributes in document.tags if tag == "img"), name
        assert ("html", {"lang": "en"}) in document.tags, name


def test_states_are_shown_by_shape_and_word(documents):
    words = " ".join(" ".join(documents["index.html"].words).split())
    assert all(text in words for text in ("● fresh", "◷ stale", "– missing", "✕ failed", "◌ blocked"))
    assert "15 cells: 11 fresh, 1 stale, 1 missing, 1 failed, 1 blocked." in words


def test_mannequins_are_called_synthetic(documents):
    for name, document in documents.items():
        words = " ".join(document.words)
        assert not re.search(r"mannequin(?!s| \(synthetic\))", words.removeprefix("Mannequin")), name


def test_the_paper_shows_differences_only_where_they_are_true(documents):
    text = " ".join("".join(documents["papers/yang2017.html"].words).split())
    assert re.search(r"Eight-stack hourglass prm-baseline-8 23.7 23.7 \+0.02 41.2 41.1 −0.07", text)
    assert "Not comparable: split val, in the paper test." in text  # of a quoted row, flip and scales are unknown
    tables = text[: text.index("Quotations")]
    assert tables.count("±") + tables.count("+0.") + tables.count("−0.") == 4


def test_tables_are_laid_out_as_printed(documents):
    text = " ".join(" ".join(documents["papers/li2019.html"].words).split())
    assert "method Res-50 mspn-1 Res-101 mspn-1-res101 Res-152 mspn-1-res152 Res-254 mspn-1-res254 comparison" in text
    assert "AP 71.5 73.1 73.6 74.0" in text and "Flops(G) 4.4 7.5 11.2 18.0" in text
    assert "Mask R-CNN [14] Res-50-FPN – 63.1 87.3 68.7 57.8 71.4 – not printed" in text
    missing = " ".join("".join(documents["papers/nie2019.html"].words).split())
    assert missing.count("The table is an image in the published document") == 6


def test_every_claim_is_in_the_ledger_with_its_verdict(built, documents):
    text = " ".join(" ".join(documents["claims.html"].words).split())
    items = [
        attributes for tag, attributes in documents["claims.html"].tags if tag == "li" and "data-verdict" in attributes
    ]
    assert [item["id"] for item in items] == [claim.id for claim in CLAIMS] and len(items) == 166
    counts = Counter(item["data-verdict"] for item in items)
    assert all(f"{number} {verdict}" in text for verdict, number in counts.items())
    assert "A01 IOI is 1.5 points better overall than the residual baseline. Liu 2018" in text
    lines = (built / "data" / "claims.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + len(CLAIMS) and lines[0] == "id,paper,kind,place,statement,verdict,sentence"
    index = " ".join(" ".join(documents["index.html"].words).split())
    assert all(f"{number} {mark} {verdict}" in index for verdict, number, mark in
               ((name, counts[name], formats.VERDICTS[name][0]) for name in formats.VERDICTS))  # fmt: skip


def test_the_same_rows_give_the_same_bytes(snapshot, built, tmp_path):
    rows = [row for made in snapshot.cells[::-1] for row in snapshot.in_order.get(made.cell, ())]
    shuffled = Snapshot(rows, snapshot.cells[::-1], snapshot.architectures, snapshot.protocols)
    again = site.build(shuffled, tmp_path / "again", SHEET).parent
    files = sorted(path.relative_to(built) for path in built.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [path for path in files if (built / path).read_bytes() != (again / path).read_bytes()] == []


def test_an_empty_snapshot_gives_a_site(tmp_path):
    index = site.build(Snapshot([], [], [], [PCKH]), tmp_path / "site")
    words = " ".join(Document(index.read_text("utf-8")).words)
    assert "0 cells" in words and "None of 812 accuracies was measured." in words


def test_a_new_site_replaces_the_old_one_whole(built, tmp_path):
    out = Path(shutil.copytree(built, tmp_path / "site"))
    (out / "stray.html").write_text("old")
    site.build(Snapshot([], [], [], []), out)
    assert not (out / "stray.html").exists() and not list((out / "cells").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["site"], "nothing is left beside it"


def test_a_failure_leaves_the_old_site(snapshot, built, tmp_path, monkeypatch):
    index = Path(shutil.copytree(built, tmp_path / "site")) / "index.html"
    before = index.read_bytes()
    monkeypatch.setattr(site, "judged", lambda evidence: 1 / 0)  # after some files of the new site are written
    with pytest.raises(ZeroDivisionError):
        site.build(snapshot, tmp_path / "site")
    assert index.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_reports_at_the_same_time_take_turns(tmp_path, monkeypatch):
    """Many writers of one folder: each finds its place free, and the last one's site is there, whole."""
    empty = Snapshot([], [], [], [])
    page = site.build(empty, tmp_path / "other").read_text()
    monkeypatch.setattr(site, "_write", lambda *given: (given[2] / "index.html").write_text(page))
    with ThreadPoolExecutor(8) as writers:
        indices = set(writers.map(lambda _: site.build(empty, tmp_path / "site"), range(200)))
    assert {path.read_text() for path in indices} == {page}
    assert {path.name for path in tmp_path.iterdir()} == {"other", "site"}


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not a site of Repose"):
        site.build(Snapshot([], [], [], []), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.slow
def test_pages_stay_small(tmp_path):
    out = site.build(many(2000), tmp_path / "site").parent
    assert max(path.stat().st_size for path in out.rglob("*.html")) < 2_000_000
    assert (out / "index.html").stat().st_size < 300_000


def test_costs_are_those_of_the_whole_network(tmp_path):
    made, counted = cell("net", "mpii-pckh", "mpii", "val"), cell("net", "complexity")
    snapshot = Snapshot(pckh(made, 60) + counts(counted, 9_000_000, 2e9), [made, counted], [], [PCKH])
    out = site.build(snapshot, tmp_path / "site").parent
    text = (out / "protocols" / "mpii-pckh.html").read_text("utf-8")
    assert "9.00 M" in text and "2.00 G" in text and "1.00 M" not in text


@pytest.mark.slow
def test_cost_grows_no_faster_than_the_store(tmp_path):
    """Calls of functions, which unlike seconds are the same on every machine: those beyond an empty store's."""

    def calls(number: int) -> int:
        found = many(number)
        profile = cProfile.Profile()
        profile.runcall(site.build, found, tmp_path / str(number))
        return sum(entry.callcount for entry in profile.getstats())

    empty, some, four_times = (calls(number) for number in (0, 100, 400))
    assert 0 < four_times - empty < 4.5 * (some - empty)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A site of strangers' names."""
    return site.build(strangers(), tmp_path_factory.mktemp("hostile") / "site").parent


def test_hostile_names_stay_text_in_pages(hostile):
    for path in sorted(hostile.rglob("*.html")):
        document = Document(path.read_text("utf-8"))
        assert [list(attributes) for tag, attributes in document.tags if tag == "script"] == [["src", "defer"]], path
        assert not any(key.startswith("on") for _, attributes in document.tags for key in attributes), path
        for _, attributes in document.tags:
            target = (attributes.get("href") or attributes.get("src") or "").partition("#")[0]
            assert not re.match(r"[a-z]+:|/", target), (path, target)
            assert not target or path.parent.joinpath(target).resolve().is_relative_to(hostile), (path, target)
            assert not target or path.parent.joinpath(target).exists(), (path, target)


def test_hostile_names_stay_inside_the_site(hostile):
    assert [path.name for path in hostile.parent.iterdir()] == ["site"]
    files = [path for path in hostile.rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,90}", path.name) for path in files)
    assert len(list((hostile / "architectures").iterdir())) == len(NAMES), "a page each, none overwrites another"


def test_hostile_names_are_no_formulas(hostile):
    for path in hostile.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.reader(file):
                for entry in line:
                    assert entry[:1] not in ("=", "@", "\t", "\r"), (path.name, entry)
                    assert entry[:1] not in ("+", "-") or float(entry) is not None, (path.name, entry)


def test_a_cell_shows_what_it_kept(tmp_path):
    """Its pictures, who stands in them, and the end of its log; a failed one what was tried."""
    folder = tmp_path / "cell"
    folder.mkdir()
    for name in ("gallery", "extremes", "attention"):
        (folder / f"{name}.webp").write_bytes(name.encode())
    (folder / "extremes.csv").write_text("group,person,image,error\nworst,7,val/7.png,0.5\n")
    made = cell("liu-aioi", "mpii-pckh", "mannequin", "val", folder=str(folder), log="trained\n<b>predicted</b>\n")
    failed = cell("liu-ioi", "mpii-pckh", "mannequin", "val", state="failed", why="no", log="as far as this\n")
    out = site.build(Snapshot(pckh(made, 50), [made, failed], [], [PCKH]), tmp_path / "site").parent
    page = Document((out / cell_path(made)).read_text("utf-8"))
    shown = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert [(out / "cells" / source).read_text() for source in shown] == ["gallery", "extremes", "attention"]
    words = "".join(page.words)
    assert "val/7.png" in words and "<b>predicted</b>" in words and ("b", {}) not in page.tags
    assert "as far as this" in "".join(Document((out / cell_path(failed)).read_text("utf-8")).words)


def test_every_table_comes_as_data(built, documents):
    """Beside every table: files, or the text itself where thousands of pages would make too many files."""
    for name, document in documents.items():
        tables = [attributes for tag, attributes in document.tags if tag == "table"]
        assert all("id" in attributes for attributes in tables), name
        targets = [attributes.get("href") or "" for tag, attributes in document.tags if tag == "a"]
        embedded = sum(tag == "pre" and attributes.get("class") != "log" for tag, attributes in document.tags)
        pictures = [target for target in targets if target.endswith(".png")]
        assert len(pictures) == name.startswith("papers/"), "all tables of a paper as one picture"
        linked = [target for target in targets if "/files/" in f"/{target}" and not target.endswith((".svg", ".png"))]
        expected = len(tables) + (name == "claims.html")  # the ledger is a list, and comes as data all the same
        assert len(linked) + embedded == 4 * expected, name
        assert all(built.joinpath(name).parent.joinpath(target).stat().st_size for target in linked), name


def test_every_figure_comes_as_a_picture(built, documents):
    for name, document in documents.items():
        drawings = [attributes for tag, attributes in document.tags if attributes.get("class") == "drawing"]
        files = [attributes["href"] for tag, attributes in document.tags
                 if tag == "a" and attributes.get("href", "").endswith(".svg")]  # fmt: skip
        assert len(files) == len(drawings), name
        for file in files:
            text = built.joinpath(name).parent.joinpath(file).read_text("utf-8")
            assert "var(" not in text and "currentColor" not in text
            assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"


def test_what_a_killed_report_left_goes_and_what_one_at_work_holds_stays(tmp_path, tmp_path_factory):
    for name in (".site-new-killed", ".site-old-killed", ".site-new-at-work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
    handle = os.open(tmp_path / ".site-new-at-work", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    site.build(small(tmp_path_factory.mktemp("store")), tmp_path / "site")
    os.close(handle)
    assert {path.name for path in tmp_path.iterdir()} == {"site", ".site-new-at-work"}
