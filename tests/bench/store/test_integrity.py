"""Whatever happens to a file of a finished step, it is noticed, named, and made anew; nothing else is stopped."""

import json
import os
import shutil
from pathlib import Path

import hostile
import pytest
import small_bench
from small_bench import bench

from bench.store.integrity import DIGESTS, SMALL, fault
from bench.store.store import CELLS, KINDS, PREDICTIONS, WEIGHTS, Store

KEY = "0123456789abcdef0123"


@pytest.fixture
def store(tmp_path) -> Store:
    """A store with one step of a file and a large one."""
    store = Store(tmp_path / "runs")
    with store.publish(CELLS, KEY) as folder:
        (folder / "cell.json").write_text('{"number": 12.5}')
        (folder / "large").write_bytes(bytes(SMALL + 1))
    return store


@pytest.mark.parametrize("name", ["cell.json", DIGESTS])
@pytest.mark.parametrize("seed", range(21))
def test_damage_of_any_kind_is_named(store, name, seed):
    path = store.folder(CELLS, KEY) / name
    path.write_bytes(hostile.damaged(before := path.read_bytes(), seed))
    assert path.read_bytes() == before or name in store.fault(CELLS, KEY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "cell.json is missing"),
        (lambda path: path.write_bytes(b""), "cell.json has 0 bytes instead of 16"),
        (lambda path: path.write_text('{"number": 99.9}'), "cell.json has another content than was written"),
        (lambda path: path.write_text('{"number": 12.5}  '), "cell.json has more bytes instead of 16"),
        (lambda path: (path.unlink(), path.mkdir()), "cell.json cannot be read: Is a directory"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "cell.json has 0 bytes instead of 16"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "cell.json cannot be read: Too many levels"),
        (lambda path: (path.parent / DIGESTS).write_text("{}\n"), "digests is damaged"),
        (lambda path: (path.parent / DIGESTS).unlink(), "digests is missing"),
    ],
)
def test_every_fault_is_a_sentence(store, change, said):
    change(store.folder(CELLS, KEY) / "cell.json")
    assert said in store.fault(CELLS, KEY)


def test_large_files_are_read_where_they_are_used(store):
    path = store.folder(CELLS, KEY) / "large"
    with path.open("r+b") as file:
        file.write(b"x")
    assert not store.fault(CELLS, KEY) and "large has another content" in store.fault(CELLS, KEY, whole=True)
    path.write_bytes(b"")
    assert "large has 0 bytes" in store.fault(CELLS, KEY)


def test_strangers_files_are_passed_over(store):
    (store.root / CELLS / "notes.txt").write_text("mine")
    (store.root / CELLS / "notes").mkdir()
    (store.root / CELLS / ("a" * 20)).write_text("a file with the name of a key")
    (store.folder(CELLS, KEY) / "notes.txt").write_text("mine")
    assert store.keys(CELLS) == {KEY} and not store.fault(CELLS, KEY)


def test_a_store_without_digests_gets_them_by_repair(store, tmp_path):
    (store.root / "format").write_text("2\n")
    (store.folder(CELLS, KEY) / DIGESTS).unlink()
    (tmp_path / "matrix.toml").write_text(small_bench.MATRIX.replace("RECIPE", small_bench.recipe(tmp_path)))
    words = ("status", "--matrix", tmp_path / "matrix.toml", "--store", store.root)
    told = bench(*words)
    assert told.code == 2 and "no digests yet" in told.err and "status --repair" in told.err
    assert "digests of 1 finished steps written" in bench(*words, "--repair").err
    assert store.keys(CELLS) == {KEY} and not fault(str(store.folder(CELLS, KEY)), whole=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a store of two finished cells and what they need, and its matrix."""
    folder = tmp_path_factory.mktemp("whole")
    matrix = small_bench.MATRIX.replace("RECIPE", small_bench.recipe(folder)).replace('"mean-pose", ', "", 1)
    (folder / "matrix.toml").write_text(matrix)
    assert bench("run", "--matrix", folder / "matrix.toml", "--store", folder / "runs", "--jobs", "1").code == 0
    return folder


def commands(folder: Path, whole: Path) -> dict[str, tuple]:
    place = ("--store", folder / "runs", "--matrix", whole / "matrix.toml")
    return {
        "run": ("run", *place, "--jobs", "1"),
        "report": ("report", *place, "--out", folder / "site"),
        "keep": ("keep", *place, "--out", folder / "kept.jsonl"),
        "status": ("status", *place),
    }


def rows(outcome: small_bench.Outcome) -> list[tuple]:
    return sorted((row["cell"], row["metric"], row["part"], row["value"]) for row in outcome.json["measurements"])


FILES = [
    (CELLS, "cell.json"),
    (CELLS, "measurements.jsonl"),
    (CELLS, "samples.npz"),
    (CELLS, "curve.csv"),
    (CELLS, "log.txt"),
    (CELLS, "history.csv"),
    (CELLS, DIGESTS),
]


@pytest.mark.parametrize(("kind", "name"), FILES, ids=lambda value: value)
def test_a_damaged_cell_stops_no_other_and_is_made_anew(whole, tmp_path, kind, name):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    verbs = commands(tmp_path, whole)
    expected = rows(bench(*verbs["run"], "--json"))
    path = next((tmp_path / "runs" / kind).glob(f"*/{name}"))
    path.write_bytes(hostile.damaged(path.read_bytes() or b"x" * 9, 1))
    states = [cell["state"] for cell in bench(*verbs["status"], "--json").json["cells"]]
    assert sorted(states) == ["damaged", "fresh", "fresh"]
    shown = ("report",) if name in ("cell.json", "samples.npz") else ()  # a site takes seconds
    for verb in ("keep", *shown):
        told = bench(*verbs[verb])
        assert told.code == 3 and path.parent.name in told.err and name in told.err, told.err
        assert "delete that folder, or bench status --repair" in told.err
        assert "defect" not in told.err
    again = bench(*verbs["run"], "--json")
    assert again.code == 0 and rows(again) == expected and "moved to" in again.err
    assert bench(*verbs["keep"]).code == 0


@pytest.mark.parametrize("name", ["predictions.npz", "prediction.json", "weights.safetensors", "training.json"])
def test_damaged_steps_behind_a_cell_are_made_anew(whole, tmp_path, name):
    """Three flipped bytes in the weights once gave other numbers, published as measured."""
    shutil.copytree(whole / "runs", tmp_path / "runs")
    verbs, store = commands(tmp_path, whole), Store(tmp_path / "runs")
    expected = rows(bench(*verbs["run"], "--json"))
    shutil.rmtree(store.root / CELLS)
    if "weights" in name or "training" in name:
        shutil.rmtree(store.root / PREDICTIONS)
    path = next(store.root.glob(f"*/*/{name}"))
    content = bytearray(path.read_bytes())
    for at in (len(content) // 2, len(content) // 2 + 1, len(content) - 9):
        content[at] ^= 0x10
    path.write_bytes(content)
    told = bench(*verbs["status"], "--verify")
    assert told.code == 5 and name in told.err
    again = bench(*verbs["run"], "--json")
    assert again.code == 0 and rows(again) == expected and name in again.err
    assert bench(*verbs["status"], "--verify").code == 0


def test_weights_may_go_once_there_are_predictions(whole, tmp_path):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    verbs = commands(tmp_path, whole)
    expected = rows(bench(*verbs["run"], "--json"))
    shutil.rmtree(tmp_path / "runs" / CELLS)
    for key in Store(tmp_path / "runs").keys(WEIGHTS):
        shutil.rmtree(tmp_path / "runs" / WEIGHTS / key)
        (tmp_path / "runs" / WEIGHTS / key).mkdir()  # and an empty folder stands for none
    again = bench(*verbs["run"], "--json")
    assert again.code == 0 and rows(again) == expected
    assert any("weights were removed" in text for text in again.json["warnings"])


def test_repair_moves_damage_aside(whole, tmp_path):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    verbs, store = commands(tmp_path, whole), Store(tmp_path / "runs")
    for kind in KINDS:
        key = min(store.keys(kind))
        (store.folder(kind, key) / DIGESTS).write_text("")
    told = bench(*verbs["status"], "--verify")
    assert told.code == 5 and told.err.count("digests is damaged") == len(KINDS)
    told = bench(*verbs["status"], "--repair", "--json")
    assert told.code == 0 and {cell["state"] for cell in told.json["cells"]} == {"fresh", "missing"}
    assert len(list((store.root / "damaged").iterdir())) == len(KINDS)
    assert bench(*verbs["status"], "--verify").code == 0


def test_a_damaged_record_of_a_failure_is_no_defect(whole, tmp_path):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    verbs, store = commands(tmp_path, whole), Store(tmp_path / "runs")
    key = json.loads(bench(*verbs["status"], "--json").out)["cells"][0]["cell"]
    shutil.rmtree(store.folder(CELLS, key))
    (store.root / "failed").mkdir(exist_ok=True)
    (store.root / "failed" / f"{key}.json").write_text('{"cell"')
    told = bench(*verbs["status"])
    assert told.code == 0 and "the record of why is damaged" in told.out
    assert bench(*verbs["run"]).code == 0


def test_a_scored_file_is_published_again(whole, tmp_path):
    source = next((whole / "runs").glob("predictions/*/predictions.npz"))
    shutil.copyfile(source, tmp_path / "mine.npz")
    words = ("score", tmp_path / "mine.npz", "--protocol", "mpii-pckh", "--dataset", "mannequin", "--limit", "8")
    words += ("--store", tmp_path / "runs")
    first = bench(*words, "--json")
    assert first.code == 0, first.err
    path = next((tmp_path / "runs").glob("cells/*/measurements.jsonl"))
    path.write_text(path.read_text().partition("\n")[0] + "\n")
    again = bench(*words, "--json")
    assert again.code == 0 and rows(again) == rows(first) and "moved to" in again.err
