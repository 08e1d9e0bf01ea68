"""Time and memory of a report of 1,000, 10,000 and 100,000 rows, in a process each."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rounds import Line, main, seconds

TESTS = Path(__file__).resolve().parent.parent / "tests"
CELLS = (20, 200, 2000)  # of 50 rows


def build(cells: int) -> tuple[float, float]:
    """Build a report of random rows; return seconds and MiB."""
    sys.path.insert(0, str(TESTS))
    from report_scale import keep, many

    from reports import site

    with tempfile.TemporaryDirectory() as folder:
        snapshot = many(cells, str(keep(Path(folder) / "kept", 60)))
        passed = seconds(lambda: site.build(snapshot, Path(folder) / "site"))
    return passed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    for cells in CELLS[:1] if tiny else CELLS:
        code = f"from benchmarks.report import build; print(*build({cells}))"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        passed, memory = map(float, done.stdout.split())
        yield Line(f"report of {50 * cells:,} rows", passed, 1, note=f"{memory:.0f} MiB")


if __name__ == "__main__":
    main("report", lines)
