"""The benchmark of the data path: blocks in turn, medians of whole steps, the shares of both kinds."""

from pathlib import Path

import numpy as np

from bench.store.store import Store
from bench.training import throughput as benchmark


def test_seconds_of_each_kind_without_the_ends_of_blocks(monkeypatch):
    """Steps from the cache take 2 s, from memory 1 s; the first two blocks and the ends of blocks take an hour."""
    monkeypatch.setattr(benchmark, "BLOCK", 4)
    starts = [0.0]
    for step in range(16):
        usual = 2.0 if benchmark._kind(step) == "cache" else 1.0
        starts.append(starts[-1] + (3600 if step < 8 or step % 4 in (0, 3) else usual))
    assert benchmark._seconds(starts) == {"cache": [2.0, 2.0], "memory": [1.0, 1.0]}


def test_a_slow_cache_is_seen(tmp_path, monkeypatch):
    """A reader that sleeps for much longer than a step of a tiny network takes here and now."""
    import time

    monkeypatch.setattr(benchmark, "BLOCK", 4)
    monkeypatch.setattr(benchmark, "BLOCKS", 4)
    monkeypatch.setattr(benchmark, "PEOPLE", 16)
    people_examples = benchmark.people_examples

    def slow(*given):
        examples = people_examples(*given)

        def load(rows: np.ndarray) -> np.ndarray:
            time.sleep(pause)
            return examples.load(rows)

        return benchmark.replace(examples, load=load)

    def found() -> benchmark.Throughput:
        options = {"width": 1 / 16, "input": 64}
        return benchmark.measure_throughput(Store(tmp_path), Path("nowhere"), "cpu", "hourglass-1", options)

    usual = found()
    assert usual.cache > 0 and usual.target == 90.0
    cache, memory = usual.cache, usual.memory
    assert 100 * (cache - 0.05) / (memory + 0.05) - 0.05 <= usual.share  # all three are rounded to tenths
    assert usual.share <= 100 * (cache + 0.05) / (memory - 0.05) + 0.05
    pause = max(0.2, 4 * benchmark.BATCH / memory)  # seconds: four times a step, or more
    monkeypatch.setattr(benchmark, "people_examples", slow)
    slowed = found()
    assert slowed.share < 90 and not slowed.reached
