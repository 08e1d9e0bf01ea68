"""How long a report takes, and what it needs, for stores of three sizes: `python tests/report_scale.py`."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from snapshots import COMPLEXITY, PCKH, cell, keep, pckh, row

from bench.results.snapshot import Snapshot
from protocols import PROTOCOLS
from reports import site

SIZES = (500, 1000, 2000)  # cells, 50 rows each


def many(number: int, kept: str = "") -> Snapshot:
    """`number` cells with 50 rows each: six tenths scores on eight datasets, the rest of networks alone.

    kept: folder with the files that every scored cell keeps.
    """
    cells, rows = [], []
    for index in range(number):
        kind = index % 10
        if kind < 6:
            made = cell(f"net-{index // 80}-{kind}", "mpii-pckh", f"set-{index // 10 % 8}", "val", folder=kept)
            rows += pckh(made, 50 + index % 40) * 5
        elif kind < 8:
            made = cell(f"net-{index}", "complexity")
            rows += [row(made, metric, part, 1e6 + index, unit=unit, n=1)
                     for metric, unit in (("parameters", "parameters"), ("macs", "MACs"))
                     for part in ("all", *(f"stacks.{stack}" for stack in range(24)))]  # fmt: skip
        else:
            made = cell(f"net-{index - 2}", "init-variance")
            parts = (*(f"unit.{index}" for index in range(24)), "max")
            rows += [row(made, f"variance {name}", part, 1.0 + index, unit="1", n=5)
                     for name in ("msr", "branch-aware") for part in parts]  # fmt: skip
        cells.append(made)
    return Snapshot(rows, cells, [], [PCKH, COMPLEXITY, PROTOCOLS["init-variance"]])


def measure(number: int) -> str:
    """One line: rows, cells, seconds, memory, and the largest files."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = many(number, str(keep(Path(folder) / "kept", 60)))
        start, busy = time.perf_counter(), time.process_time()
        out = site.build(snapshot, Path(folder) / "site").parent
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        index = (out / "index.html").stat().st_size
        page = max(file.stat().st_size for file in out.rglob("*.html"))
    size = f"{len(snapshot.measurements):,} rows, {number:,} cells"
    pages = f"index {index / 1000:.0f} kB, largest page {page / 1000:.0f} kB"
    return f"{size}: {seconds:.1f} s ({busy:.1f} s of a core), {memory:.0f} MiB, {pages}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(int(sys.argv[1])))
    else:  # a process each: memory that was used stays in the peak
        for size in SIZES:
            subprocess.run([sys.executable, __file__, str(size)], check=True)
