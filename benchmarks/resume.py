"""Time of `bench run` and `bench status` for a matrix of finished cells."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.cells import matrix
from bench.cells.plan import plan
from bench.cells.record import record
from bench.store.store import CELLS, Store
from benchmarks.rounds import Line, in_turn, main

SIZES = (100, 1000, 10_000)  # cells


def finished(folder: Path, cells: int) -> list[str]:
    """Write a store in which all cells of a matrix are finished; return the options that name it."""
    path, store = folder / "matrix.toml", Store(folder / "runs")
    path.write_text(
        '[[cells]]\narchitectures = ["mean-pose", "hourglass-1"]\nprotocols = ["mpii-pckh"]\nbudget = "quick"\n'
        f"seeds = {list(range(cells // 2))}\n"
    )
    for task in plan(matrix.load(path), store, folder):
        with store.publish(CELLS, task.key) as cell:
            (cell / "cell.json").write_bytes(msgspec.json.encode(record(task.cell, task.key, task.inputs, "measured")))
            (cell / "measurements.jsonl").write_text("")
    return ["--matrix", str(path), "--store", str(store.root)]


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    rounds = 1 if tiny else 3
    for cells in (4,) if tiny else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            options = finished(Path(folder), cells)
            command = [sys.executable, "-m", "bench"]
            run, status = in_turn(
                lambda words=(*command, "run", *options): subprocess.run(words, check=True, capture_output=True),
                lambda words=(*command, "status", *options): subprocess.run(words, check=True, capture_output=True),
                rounds=rounds,
            )
        reach = 2.0 if cells == SIZES[-1] else None
        yield Line(f"bench run over {cells:,} finished cells", run, rounds, reach=reach)
        yield Line(f"bench status of {cells:,} finished cells", status, rounds, reach=reach)


if __name__ == "__main__":
    main("resume", lines)
