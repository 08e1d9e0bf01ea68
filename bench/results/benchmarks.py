"""Results of `python -m benchmarks`: what the suite itself costs, beside another way to the same result."""

from pathlib import Path

import msgspec

FILE = "benchmarks.jsonl"  # in the folder of a store


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison with a peer, or with a limit if `peer` is None."""

    benchmark: str
    what: str
    ours: float  # median seconds
    rounds: int
    against: str = ""
    peer: float | None = None  # median seconds
    reach: float | None = None  # the ratio peer / ours to reach, or the seconds not to exceed; None: no target
    note: str = ""
    ratio: float | None = None
    reached: bool | None = None
    machine: str
    versions: dict[str, str] = {}
    date: str


def read(path: Path) -> tuple[Benchmark, ...]:
    """Read the rows of a file; none if benchmarks were never run."""
    return tuple(msgspec.json.Decoder(Benchmark).decode_lines(path.read_bytes())) if path.is_file() else ()
