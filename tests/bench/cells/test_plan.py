"""Plans: every cell is fresh, stale with a reason, missing, failed or blocked, and says which step it needs."""

import cProfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import small_bench
from msgspec import structs
from typed import present

from bench.cells import keys, matrix
from bench.cells.cell import Cell
from bench.cells.plan import BLOCKED, FAILED, FRESH, MISSING, STALE, Task, plan
from bench.cells.record import record
from bench.errors import DATA, USAGE, exit_code
from bench.store.digests import content_key
from bench.store.integrity import write_digests
from bench.store.provenance import Provenance
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Failure, Store
from protocols import PROTOCOLS

NOWHERE = Path("nowhere")
CELL = Cell("hourglass-1", "mpii-pckh", "mannequin", "val", {"width": 0.25}, budget="quick")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def located(cell: Cell, store: Store) -> Task:
    (task,) = plan([cell], store, NOWHERE)
    return task


def finish(task: Task, store: Store, date: str = "2026-01-01T00:00:00Z") -> None:
    """Leave behind what a finished cell leaves."""
    with store.publish(CELLS, task.key) as folder:
        document = record(task.cell, task.key, task.inputs, "measured", provenance=Provenance(date=date))
        (folder / "cell.json").write_bytes(msgspec.json.encode(document))


def newer(name: str, monkeypatch) -> None:
    """Raise the version of a protocol."""
    changes = (*PROTOCOLS[name].changes, "Something.")
    monkeypatch.setitem(PROTOCOLS, name, structs.replace(PROTOCOLS[name], changes=changes))


def test_missing_until_finished(store):
    task = located(CELL, store)
    assert (task.state, task.step) == (MISSING, "train")
    finish(task, store)
    task = located(CELL, store)
    assert (task.state, task.step, task.why) == (FRESH, "", "")


def test_the_next_step_follows_what_is_there(store):
    task = located(CELL, store)
    for kind, inputs, step in (
        (WEIGHTS, task.inputs["predictions"]["weights"], "predict"),
        (PREDICTIONS, task.inputs["predictions"], "score"),
    ):
        with store.publish(kind, content_key(inputs)):
            pass
        assert (located(CELL, store).state, located(CELL, store).step) == (MISSING, step)


def test_counting_is_one_step(store):
    task = located(Cell("hourglass-1", "complexity"), store)
    assert (task.state, task.step) == (MISSING, "measure")


def test_a_speed_of_the_processor_is_none_of_the_accelerator(store, monkeypatch):
    monkeypatch.setattr(keys, "chosen_device", lambda device: "cuda" if device == "auto" else device)
    monkeypatch.setattr(keys, "device_name", lambda device: "Fake 9000" if device == "cuda" else "a processor")
    timed = Cell("hourglass-1", "speed")

    def state(*device: str) -> tuple[str, str]:
        (task,) = plan([timed], store, NOWHERE, *device)
        return task.state, task.why

    finish(plan([timed], store, NOWHERE, "cpu")[0], store)
    assert state("cpu") == (FRESH, "")
    assert state("cuda") == state("auto") == (STALE, "machine a processor -> Fake 9000")
    assert state() == (FRESH, "")  # where no run is planned, what this machine measured counts
    finish(plan([timed], store, NOWHERE, "cuda")[0], store)
    assert state("cpu") == state("cuda") == state() == (FRESH, "")


def test_stale_says_what_changed(store, monkeypatch):
    finish(located(CELL, store), store)
    newer("mpii-pckh", monkeypatch)
    task = located(CELL, store)
    assert task.state == STALE
    assert task.why == "version 1 -> 2"


def test_a_changed_training_is_stale_and_needs_all_steps(store, tmp_path):
    from bench.cells import recipe

    path = tmp_path / "recipe.toml"
    text = 'paper = "x"\n[training]\noptimizer = "adam"\nlearning_rate = 1e-3\nbatch = 4\nsteps = 600\n'
    cell = replace(CELL, recipe=str(path))
    path.write_text(text + "[targets]\nsigma = 1.0\n")
    finish(located(cell, store), store)
    path.write_text(text.replace("600", "900") + "[targets]\nsigma = 1.0\n")
    recipe.read.cache_clear()
    task = located(cell, store)
    assert (task.state, task.step) == (STALE, "train")
    assert task.why == "predictions.weights.recipe.training.steps 600 -> 900"


def test_stale_compares_with_the_newest(store, monkeypatch):
    rules = PROTOCOLS["mpii-pckh"]
    for version, date in ((3, "2026-03-01"), (2, "2026-02-01")):
        monkeypatch.setitem(PROTOCOLS, "mpii-pckh", structs.replace(rules, changes=("Something.",) * version))
        finish(located(CELL, store), store, f"{date}T00:00:00Z")
    monkeypatch.setitem(PROTOCOLS, "mpii-pckh", structs.replace(rules, changes=("Something.",) * 4))
    assert located(CELL, store).why == "version 3 -> 4"


@pytest.mark.parametrize("change", [{"seed": 1}, {"limit": 4}, {"architecture": "hourglass-2"}, {"budget": "full"}])
def test_another_cell_is_missing_and_not_stale(store, change):
    finish(located(CELL, store), store)
    assert located(replace(CELL, **change), store).state == MISSING


def test_failed_says_why_and_is_tried_again(store):
    task = located(CELL, store)
    store.note_failure(task.key, Failure("net", "The loss became nan."))
    failed = located(CELL, store)
    assert (failed.state, failed.why, failed.step) == (FAILED, "The loss became nan.", "train")
    finish(task, store)
    assert located(CELL, store).state == FRESH


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({"dataset": "mpii"}, "mpii: the annotation was not found", DATA),
        ({"dataset": "coco", "split": "val2017", "protocol": "coco-ap"}, "coco: the annotation was not found", DATA),
        ({"recipe": "nobody2020"}, "no recipe 'nobody2020'", USAGE),
        ({"budget": "fast"}, "no budget 'fast'", USAGE),
        ({"weights": "nowhere.pth"}, "nowhere.pth", DATA),
    ],
)
def test_blocked_says_what_is_missing(store, change, said, code):
    task = located(replace(CELL, **change), store)
    assert task.state == BLOCKED and said in task.why and not task.key
    assert exit_code(present(task.problem)) == code


def test_the_others_are_planned_beside_a_blocked_one(store):
    cells = [CELL, replace(CELL, dataset="mpii"), Cell("hourglass-1", "complexity")]
    tasks = plan(cells, store, NOWHERE)
    assert [task.cell for task in tasks] == cells
    assert Counter(task.state for task in tasks) == {MISSING: 2, BLOCKED: 1}


def test_planning_writes_nothing(store):
    plan([CELL, Cell("hourglass-1", "complexity")], store, NOWHERE)
    assert not store.root.exists()


def calls(*words) -> int:
    """How many functions a command calls; unlike seconds, the same on every machine."""
    profile = cProfile.Profile()
    assert profile.runcall(small_bench.bench, *words).code == 0
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.slow
def test_ten_thousand_finished_cells(tmp_path):
    """Ten times the cells are ten times the work; `python -m benchmarks resume` has the seconds."""
    counts = []
    for cells in (1000, 10_000):
        path, store = tmp_path / f"{cells}.toml", Store(tmp_path / f"runs-{cells}")
        path.write_text(
            '[[cells]]\narchitectures = ["mean-pose", "hourglass-1"]\nprotocols = ["mpii-pckh"]\nbudget = "quick"\n'
            f"seeds = {list(range(cells // 2))}"
        )
        with store.lock(CELLS, "any", wait=True):
            pass  # the store has its format now
        for task in plan(matrix.load(path), store, NOWHERE):
            folder = store.folder(CELLS, task.key)
            folder.mkdir(parents=True)
            document = record(task.cell, task.key, task.inputs, "measured")
            (folder / "cell.json").write_bytes(msgspec.json.encode(document))
            (folder / "measurements.jsonl").write_text("")
            write_digests(folder)
        tasks = plan(matrix.load(path), store, NOWHERE)
        assert Counter(task.state for task in tasks) == {FRESH: cells}
        options = ("--matrix", path, "--store", store.root)
        counts.append((calls("status", *options), calls("run", *options)))
    (status, run), (status_of_many, run_of_many) = counts
    assert status_of_many < 10.5 * status and run_of_many < 10.5 * run
    assert max(status_of_many, run_of_many) < 500 * 10_000  # within 2 s at a tenth of a microsecond each, and a margin
