"""`bench keep`: the finished cells of a matrix as one small file of rows that can be committed and shown anywhere."""

import importlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from bench.cli.options import DATA_FOLDER, RUNS, DataOption, Debug, Json, StoreOption
from bench.errors import NOTHING, Problem

if TYPE_CHECKING:
    from bench.results.rows import Measurement
    from bench.store.store import Store
    from protocols import Value
    from protocols.statistics.tally import Tally

CELL = ("cell", "architecture", "protocol", "dataset", "split", "seed", "conditions", "warnings")
VALUE = ("metric", "part", "value", "unit", "low", "high", "n")
DIGITS = 3  # behind the point, of points; intervals are some tenths wide
Line = dict[str, Any]
Place = tuple[str, str, str]  # protocol, dataset, split


def keep(
    matrix: Annotated[Path, typer.Option("--matrix", help="File that lists the cells.")] = Path("matrix.cpu.toml"),
    out: Annotated[Path, typer.Option("--out", help="File of rows to write.")] = Path("reports/measured/cpu.jsonl"),
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the finished cells of a matrix as rows that can be committed: the ablations that the site shows."""
    from bench.cells import matrix as matrices
    from bench.cells.plan import FRESH, plan
    from bench.store.store import Store, write_whole

    tasks = plan(matrices.load(matrix), Store(store), data)
    keys = [task.key for task in tasks if task.state == FRESH]
    if not keys:
        raise Problem(
            f"No cell of {matrix} is finished in {store}.", next_step=f"bench run --matrix {matrix}", code=NOTHING
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = list(kept(Store(store), keys))
    write_whole(out, "".join(msgspec.json.encode(line).decode() + "\n" for line in lines))
    document = {"file": str(out), "cells": len(keys), "of": len(tasks), "kilobytes": round(out.stat().st_size / 1e3)}
    words = f"{out}: {len(keys)} of {len(tasks)} cells, {document['kilobytes']} kB"
    print(json.dumps(document) if as_json else words)


def kept(store: "Store", keys: Sequence[str]) -> Iterator[Line]:
    """The lines of reports.ablations: the cells, the means over their seeds, the differences that are asked for.

    Raises Problem where a matrix holds a network twice that was trained or tested in two ways: it has no mean.
    """
    from bench.store.store import CELLS

    places: dict[Place, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for key in keys:
        line = _cell(store, key)
        yield line
        if (store.folder(CELLS, key) / "samples.npz").is_file():
            places[line["protocol"], line["dataset"], line["split"]][line["architecture"]].append(line)
    for place, networks in places.items():
        for seeds in networks.values():
            _check_comparable(seeds)
        where = dict(zip(("protocol", "dataset", "split"), place, strict=True))
        for line in _compared(store, networks):
            yield {**line, **where}


def _cell(store: "Store", key: str) -> Line:
    """A finished cell; its command stays behind, since it names folders."""
    from bench.cells import record
    from bench.results.rows import measurements

    found = record.read(store, key)
    made = {name: value for name, value in found.provenance.items() if name != "command"}
    head = {"kind": "cell", **{name: getattr(found, name) for name in CELL}, "version": found.conditions.version}
    return {**head, "provenance": made, "values": _values(measurements(store, key))}


def _check_comparable(seeds: Sequence[Line]) -> None:
    """Raise Problem for cells of a network in one place that differ in more than their seed."""
    from bench.cells.conditions import difference

    for one, two in pairwise(seeds):
        if unlike := difference(one["conditions"], two["conditions"]):
            raise Problem(
                f"{one['architecture']} on {one['dataset']} was run in two ways: {'; '.join(unlike)}.",
                expected="one way for all seeds of a network, since they become one mean",
                next_step="put one of the two into a matrix of its own",
            )


def _compared(store: "Store", networks: dict[str, list[Line]]) -> Iterator[Line]:
    """Every network over its seeds, and the asked-for differences of two that were trained the same way."""
    from bench.cells.conditions import difference
    from protocols.statistics import bootstrap
    from reports.data.ablations import ablations, network

    tallies = {name: [_tally(store, line) for line in seeds] for name, seeds in networks.items()}
    for name, seeds in tallies.items():
        found = _values(bootstrap.values(seeds))
        yield {"kind": "mean", "architecture": name, "seeds": len(seeds), "values": found}
    full = {network(name): name for name in tallies}
    pairs = sorted({(item.ours, item.theirs) for ablation in ablations() for item in ablation.comparisons})
    for ours, theirs in ((full[one], full[two]) for one, two in pairs if {one, two} <= full.keys()):
        if difference(networks[ours][0]["conditions"], networks[theirs][0]["conditions"]):
            continue
        found = _values(bootstrap.paired_difference(tallies[ours], tallies[theirs]))
        seeds = min(len(tallies[ours]), len(tallies[theirs]))
        yield {"kind": "difference", "ours": ours, "theirs": theirs, "seeds": seeds, "values": found}


def _values(rows: "Iterable[Measurement | Value]") -> list[list[Any]]:
    """Rows as short lists in the order of VALUE."""
    return [[_short(getattr(row, name)) for name in VALUE] for row in rows]


def _short(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value


def _tally(store: "Store", line: Line) -> "Tally":
    """What a cell credits every person with."""
    from bench.store.store import CELLS
    from protocols import PROTOCOLS

    samples = store.read_arrays(CELLS, line["cell"], "samples.npz")
    return importlib.import_module(PROTOCOLS[line["protocol"]].module).tally(samples)
