"""Several processes train a cell inside a run: the same key, the same curve, one writer; errors are sentences."""

import signal
import time

import pytest
import small_bench
from small_bench import TINY, bench

from bench.errors import CELL_FAILED, INTERRUPTED, USAGE
from bench.results.step_records import read_training
from bench.store.store import WEIGHTS, Store

RUN = ("run", "hourglass-1", "lsp-pck", "--device", "cpu", *TINY)


def run(folder, store: str, *words) -> small_bench.Outcome:
    """One cell; other words than TINY's come last."""
    return small_bench.ended(
        small_bench.start(*RUN, "--recipe", small_bench.recipe(folder), "--store", folder / store, *words)
    )


def notes(store: Store) -> tuple[str, ...]:
    (key,) = store.keys(WEIGHTS)
    return read_training(store, key).notes


@pytest.mark.slow
def test_two_processes_train_a_cell_of_a_run(tmp_path):
    """Under the key that one process gives it; both say what they did."""
    together, alone = run(tmp_path, "two", "--processes", 2), run(tmp_path, "one", "--jobs", 1)
    assert (together.code, alone.code) == (0, 0), together.err
    two, one = Store(tmp_path / "two"), Store(tmp_path / "one")
    assert two.keys(WEIGHTS) == one.keys(WEIGHTS) and two.keys("cells") == one.keys("cells")
    assert any("2 processes" in note for note in notes(two)) and not notes(one)
    assert not list((tmp_path / "two" / "work").iterdir())


@pytest.mark.slow
def test_a_training_that_fails_is_a_sentence(tmp_path):
    """A batch of four cannot be shared by five."""
    outcome = run(tmp_path, "runs", "--processes", 5)
    assert outcome.code == CELL_FAILED
    assert "cannot be shared by 5 processes" in outcome.err
    assert "The 5 processes that trained hourglass-1@input=64,width=0.0625 together ended with code" in outcome.err


@pytest.mark.slow
def test_ctrl_c_ends_all_of_them(tmp_path):
    recipe = tmp_path / "long.toml"
    recipe.write_text(small_bench.RECIPE.replace("steps = 4", "steps = 100000"))
    words = ("--recipe", recipe, "--store", tmp_path / "runs", "--processes", 2)
    process = small_bench.start(*RUN, *words)
    while not list((tmp_path / "runs").glob("work/weights-*/*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    outcome = small_bench.ended(process)
    assert outcome.code == INTERRUPTED, outcome.err
    with Store(tmp_path / "runs").lock(WEIGHTS, next(iter(work(tmp_path))), wait=True) as free:
        assert free  # nobody holds it: the processes are gone


def work(folder) -> list[str]:
    return [path.name.removeprefix("weights-") for path in (folder / "runs" / "work").iterdir()]


def test_together_is_one_cell_at_a_time(tmp_path):
    outcome = bench(
        *RUN, "--recipe", small_bench.recipe(tmp_path), "--store", tmp_path / "runs", "--processes", 2, "--jobs", 2
    )
    assert outcome.code == USAGE
    assert "--jobs 1" in outcome.err
