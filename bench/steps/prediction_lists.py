"""Lists of prediction files: which published method made each, and the protocols under which it is scored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.errors import DATA, Problem, explain
from bench.results.rows import Measurement
from bench.steps.score_file import file_cell, ground_truth_key, open_ground_truth, publish_file, score_file
from bench.store.digests import file_digest
from bench.store.store import Store
from protocols import Options
from protocols.errors import DataError


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prediction file of a list."""

    file: str  # path below the folder of the datasets
    sha256: str
    method: str  # key of the published system that made it
    protocols: tuple[str, ...]
    dataset: str  # name/split
    origin: str = ""  # in words: who published it, and where
    options: Options = {}  # of the protocols


class PredictionList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of a list, a TOML file with one table [[predictions]] a file."""

    predictions: tuple[Listed, ...]


class Scored(NamedTuple):
    """Outcome of a file under one protocol ("": none was tried): its rows, or why there are none."""

    listed: Listed
    protocol: str
    rows: list[Measurement]
    warnings: tuple[str, ...] = ()
    skipped: str = ""  # the file is not there
    refused: str = ""  # the file is another one than listed, or cannot be scored


def read_list(path: Path) -> tuple[Listed, ...]:
    """Read a list. Raises Problem if it is absent or malformed, or a path leaves the folder of the datasets."""
    if not path.is_file():
        raise Problem(f"{path}: there is no such list.", next_step="check the path", code=DATA)
    try:
        listed = msgspec.toml.decode(path.read_bytes(), type=PredictionList).predictions
    except msgspec.MsgspecError as error:
        raise Problem(
            f"{path}: {error}.",
            expected="tables [[predictions]] with file, sha256, method, protocols and dataset",
            next_step="compare it with reports/published/predictions.toml",
        ) from error
    for item in listed:
        if Path(item.file).is_absolute() or ".." in Path(item.file).parts:
            raise Problem(f"{path}: {item.file!r} leads out of the folder of the datasets.", expected="a path below it")
    return listed


def score_list(listed: tuple[Listed, ...], data: Path, store: Store) -> Iterator[Scored]:
    """Score every file of a list that is there under its protocols; publish the cells. A ground truth is read once."""
    opened: dict[tuple, Any] = {}
    for item in listed:
        file = data / item.file
        if not file.is_file():
            yield Scored(item, "", [], skipped=f"{file} is not there")
            continue
        if (found := file_digest(file)) != item.sha256.lower():
            why = f"{file} is not the file that the list means: its SHA-256 is {found}, listed is {item.sha256}"
            yield Scored(item, "", [], refused=why)
            continue
        for protocol in item.protocols:
            try:
                cell = file_cell(item.method, protocol, item.dataset, item.options)
                key = ground_truth_key(cell)
                if key not in opened:
                    opened[key] = open_ground_truth(cell, data)
                scored = score_file(file, cell, data, opened[key])
                rows, record = publish_file(scored, store, item.method)
                yield Scored(item, protocol, rows, record.warnings)
            except (Problem, DataError) as error:
                yield Scored(item, protocol, [], refused=explain(error))
