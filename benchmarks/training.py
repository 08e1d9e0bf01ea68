"""Training step from the prepared cache, compared with the same step on a batch in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.store.store import Store
from bench.training.throughput import BATCH, BLOCKS, measure_throughput
from benchmarks.rounds import Line, main

NETWORK = "hourglass-1"


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    options = {"width": 0.0625, "input": 64} if tiny else {"width": 0.25, "input": 128}
    with tempfile.TemporaryDirectory() as folder:
        found = measure_throughput(Store(Path(folder)), Path(folder), "cpu", NETWORK, options)
    what = f"training step of {found.network}, {BATCH} people, from the prepared cache"
    yield Line(what, BATCH / found.cache, BLOCKS // 2, "a batch in memory", BATCH / found.memory, reach=0.9)


if __name__ == "__main__":
    main("training", lines)
