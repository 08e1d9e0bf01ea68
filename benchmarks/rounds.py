"""Timing of benchmarks: calls in turn, medians, a printed line and a stored row for each comparison."""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

MIN_SECONDS = 0.05  # shorter calls are repeated within a round


@dataclass(frozen=True)
class Line:
    """One comparison with a peer, or with a limit if `peer` is None."""

    what: str
    ours: float  # median seconds
    rounds: int
    against: str = ""
    peer: float | None = None  # median seconds
    reach: float | None = None  # the ratio peer / ours to reach, or the seconds not to exceed; None: no target
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Speed-up of ours over the peer."""
        return None if self.peer is None else self.peer / self.ours

    @property
    def reached(self) -> bool | None:
        """True if the target is reached; None without one."""
        if self.reach is None:
            return None
        return self.ours <= self.reach if self.ratio is None else self.ratio >= self.reach


def in_turn(*ways: Callable[[], object], rounds: int) -> list[float]:
    """Return the median seconds of each call over some rounds, in each of which all of them run.

    Other load on the machine then affects all of them equally. A first, unmeasured call fills caches.
    """
    for way in ways:
        way()
    return [median(found) for found in zip(*([seconds(way) for way in ways] for _ in range(rounds)), strict=True)]


def seconds(way: Callable[[], object]) -> float:
    """Return the seconds of a call; the mean of several if it is short."""
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < MIN_SECONDS or not calls:
        way()
        calls += 1
    return passed / calls


def device_to_use() -> str:
    """Return the name of the accelerator, or of the CPU if there is none."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def synchronized(way: Callable[[], object], device: str) -> Callable[[], object]:
    """Return a call that, on an accelerator, also waits for the result."""
    import torch

    return way if device == "cpu" else lambda: (way(), torch.cuda.synchronize())


def main(name: str, lines: Callable[[bool], Iterable[Line]]) -> None:
    """Run a benchmark from the command line: print its lines, and store them in the file of --out."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument(
        "--tiny", action="store_true", help="the smallest sizes: checks that it runs, the times mean nothing"
    )
    parser.add_argument("--out", type=Path, help="JSON Lines file in which the rows of this benchmark are replaced")
    chosen = parser.parse_args()
    found = []
    for line in lines(chosen.tiny):
        print(f"{name}: {text(line)}", flush=True)
        found.append(line)
    if chosen.out:
        _keep(chosen.out, name, found)


def text(line: Line) -> str:
    """Return a line as text."""
    parts = [f"{line.what}: {duration(line.ours)}"]
    if line.peer is not None:
        parts.append(f"{line.against}: {duration(line.peer)}, {line.ratio:.3g}x")
    if line.reach is not None:
        limit = duration(line.reach) if line.peer is None else f"{line.reach:g}x"
        parts.append(f"{'reaches' if line.reached else 'misses'} {limit}")
    return "; ".join([*parts, *filter(None, [line.note])])


def duration(value: float) -> str:
    """Return seconds as text, in s or ms."""
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def _keep(path: Path, name: str, lines: list[Line]) -> None:
    """Write the rows of a benchmark into a file, replacing those of an earlier run."""
    import torch

    from bench.results.benchmarks import Benchmark, read
    from bench.store.provenance import device_name

    made = {
        "machine": f"{device_name('cpu')}, threads: {torch.get_num_threads()}",
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    rows = [row for row in read(path) if row.benchmark != name]
    rows += [
        Benchmark(benchmark=name, **asdict(line), ratio=line.ratio, reached=line.reached, **made) for line in lines
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.Encoder().encode_lines(rows))
