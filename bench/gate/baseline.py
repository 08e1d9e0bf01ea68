"""The committed baseline: every number as last accepted, with the reason.

`baseline.jsonl` has one row per line, sorted, so that a change reads well in a diff. `baseline.npz` beside it holds
the per-person samples that paired differences need; without it only intervals are compared.
"""

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import msgspec
import numpy as np
from msgspec.structs import replace

from bench.cells.cell import Cell
from bench.cells.conditions import difference, of_file, without_recipe
from bench.errors import NOTHING, Problem
from bench.gate.compare import metric_of
from bench.gate.rows import BaselineRow, Key, Measured
from bench.results.rows import Measurement
from bench.store.digests import content_key
from bench.store.store import write_atomically
from protocols import PROTOCOLS

IN_WORDS = ("options", "resampling", "people", "recipe", "budget", "weights")  # conditions that `_setting` words itself


def cell_key(cell: Cell, source: str = "measured") -> Key:
    """Identity of a cell in the baseline, which a new version, recipe text or code does not change."""
    name = cell.row.name if source == "measured" else cell.architecture
    return (cell.protocol, name, cell.dataset, cell.split, _setting(cell, source), cell.seed)


def _setting(cell: Cell, source: str) -> str:
    """Conditions of a cell without a field in BaselineRow, in words; "" if they are the defaults."""
    find = without_recipe if source == "measured" else of_file
    usual = Cell(cell.architecture, cell.protocol, cell.dataset, cell.split, cell.overrides)
    made, as_usual = find(cell), find(usual)
    words = [f"{name}={value}" for name, value in sorted((made.options | made.resampling).items())]
    words += [f"{made.people} people"] if made.people != "all" else []
    words += [f"weights {made.weights}"] if made.weights else []
    words += [f"{made.recipe} {made.budget}"] if made.recipe else []
    other = difference(made, as_usual, IN_WORDS)
    return ", ".join(words + [clause.partition(" / ")[0] for clause in other])


def measured(key: Key, measurements: Iterable[Measurement], samples: dict[str, np.ndarray]) -> Measured:
    """Convert the measurements of a cell to rows of a baseline: the parts that the records of the metrics keep."""
    rows = [_row(key, row) for row in measurements if any(fnmatchcase(row.part, part) for part in metric_of(row).kept)]
    paired = any(metric_of(row).gate == "statistical" for row in rows)
    return Measured(key, rows, samples if paired else {})


def _row(key: Key, row: Measurement) -> BaselineRow:
    protocol, name, dataset, split, setting, seed = key
    return BaselineRow(
        protocol=protocol,
        architecture=name,
        dataset=dataset,
        split=split,
        setting=setting,
        seed=seed,
        metric=row.metric,
        part=row.part,
        value=row.value,
        unit=row.unit,
        low=row.low,
        high=row.high,
        n=row.n,
        version=row.protocol_version,
        source=row.source,
    )


def read(path: Path) -> dict[Key, Measured]:
    """Read a baseline, by cell. Raises Problem if it is missing or has an invalid line."""
    if not path.is_file():
        raise Problem(
            f"{path}: there is no baseline, so nothing can be compared.",
            next_step='write one with bench check --accept --reason "the first baseline"',
            code=NOTHING,
        )
    cells: dict[Key, Measured] = {}
    samples = _read_samples(path.with_suffix(".npz"))
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = msgspec.json.decode(line, type=BaselineRow)
            if row.source != "fixed":
                PROTOCOLS[row.protocol]  # KeyError if there is no such protocol
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise Problem(
                f"{path}:{number}: this line is not a row of a baseline: {error}.",
                next_step="restore the file from git, or write a new one with bench check --accept --reason TEXT",
            ) from error
        cells.setdefault(row.key, Measured(row.key, [], samples.get(_name(row.key), {}))).rows.append(row)
    return cells


def write(path: Path, cells: Iterable[Measured], earlier: dict[Key, Measured], reason: str) -> int:
    """Write a baseline; rows that equal `earlier` ones keep their reason. Returns how many were changed or removed."""
    before = {(cell.key, row.name): row for cell in earlier.values() for row in cell.rows}
    lines, arrays, changed = [], {}, 0
    for cell in sorted(cells, key=lambda cell: tuple(map(str, cell.key))):
        for row in sorted(cell.rows, key=lambda row: row.name):
            old = before.pop((cell.key, row.name), None)
            same = old is not None and replace(row, reason=old.reason) == old
            changed += not same
            lines.append(_line(old if old and same else replace(row, reason=reason)))
        arrays |= {f"{_name(cell.key)}/{name}": _small(array) for name, array in cell.samples.items()}
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".npz"), buffer.getvalue())
    write_atomically(path, "".join(lines))
    return changed + len(before)


def _line(row: BaselineRow) -> str:
    return json.dumps(msgspec.to_builtins(row), ensure_ascii=False) + "\n"


def _small(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _name(key: Key) -> str:
    """Name of a cell in the file of samples."""
    return content_key({"cell": list(key)})


def _read_samples(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Read samples by name of the cell; none if the file is missing."""
    if not path.is_file():
        return {}
    found: dict[str, dict[str, np.ndarray]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                cell, _, array = name.partition("/")
                found.setdefault(cell, {})[array] = file[name]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise Problem(
            f"{path}: the samples of the baseline cannot be read: {error}.",
            next_step="restore the file from git, or delete it: then only intervals are compared",
        ) from error
    return found
