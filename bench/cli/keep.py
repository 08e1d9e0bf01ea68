"""`bench keep`: writes the finished cells of a matrix as one small file of rows that can be committed."""

import importlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bench.cli.options import DATA_FOLDER, RUNS, DataOption, Debug, Json, StoreOption
from bench.errors import NOTHING, Problem

if TYPE_CHECKING:
    from bench.results.fragment import CellLine, PairLine
    from bench.steps.prediction_lists import Listed
    from bench.store.store import Store
    from protocols.statistics.tally import Tally


def keep(
    matrix: Annotated[Path, typer.Option("--matrix", help="File that lists the cells.")] = Path("matrix.cpu.toml"),
    prediction_list: Annotated[
        Path | None, typer.Option("--list", help="Keep the scored files of a list, in place of a matrix.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File of rows to write.")] = Path("reports/measured/cpu.jsonl"),
    store: StoreOption = RUNS,
    data: DataOption = DATA_FOLDER,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the finished cells of a matrix to a file of rows to commit; the site shows them as ablations.

    bench keep --list predictions.toml --out reports/measured/authors.jsonl keeps what bench score --list has scored.
    """
    from bench.cells import matrix as matrices
    from bench.cells.plan import FRESH, plan
    from bench.cli.damage import say_left_out
    from bench.cli.score_list import find_list
    from bench.results.fragment import Fragment
    from bench.steps.prediction_lists import read_list
    from bench.store.store import Store, write_atomically

    if prediction_list:
        listed = read_list(find_list(prediction_list))
        kept, count = list(files(Store(store), listed)), sum(len(item.protocols) for item in listed)
        source, how = prediction_list, f"bench score --list {prediction_list}"
    else:
        tasks = plan(matrices.load(matrix), Store(store), data)
        keys = [task.key for task in tasks if task.state == FRESH]
        kept, count = list(lines(Store(store), keys)), len(tasks)
        source, how = matrix, f"bench run --matrix {matrix}"
    if not kept:
        raise Problem(f"No cell of {source} is finished in {store}.", next_step=how, code=NOTHING)
    cells = sum(1 for line in kept if getattr(line, "seeds", None) == ())
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, Fragment(out.stem, tuple(kept)).encode().decode())
    document = {"file": str(out), "cells": cells, "of": count, "kilobytes": round(out.stat().st_size / 1e3)}
    words = f"{out}: {cells} of {count} cells, {document['kilobytes']} kB"
    print(json.dumps(document) if as_json else words)
    if code := say_left_out(Store(store)):
        raise typer.Exit(code)


def files(store: "Store", listed: "Sequence[Listed]") -> "Iterator[CellLine]":
    """The cells of the listed prediction files, by file and protocol, the newest of each; with curve and credits."""
    from bench.cells.record import read_all
    from bench.results.headline_tally import of_samples, pack
    from bench.store.store import CELLS
    from protocols import PROTOCOLS

    records = read_all(store, store.keys(CELLS))[0].values()
    made = {
        (record.inputs["predictions"]["file"], record.method, record.protocol): record
        for record in sorted(records, key=lambda record: record.provenance.date)
        if record.method and record.inputs and record.conditions.version == PROTOCOLS[record.protocol].version
    }
    for item in listed:
        for protocol in item.protocols:
            if not (record := made.get((item.sha256, item.method, protocol))):
                continue
            curve = store.folder(CELLS, record.cell) / "curve.csv"
            tally = of_samples(PROTOCOLS[protocol], store.read_arrays(CELLS, record.cell, "samples.npz"))
            yield msgspec.structs.replace(
                _cell(store, record.cell),
                source="predictions",
                method=record.method,
                inputs=record.inputs,
                tally=tally and pack(tally),
                curve=curve.read_text() if curve.is_file() else "",
            )


def lines(store: "Store", keys: Sequence[str]) -> "Iterator[CellLine | PairLine]":
    """The lines of a fragment: the cells, the means over their seeds, the differences that the ablations ask for.

    Raises Problem for a network whose seeds were trained or tested in different ways: it has no mean.
    """
    from bench.store.store import CELLS

    splits: dict[tuple, dict[str, list[CellLine]]] = defaultdict(lambda: defaultdict(list))
    for key in keys:
        cell = _cell(store, key)
        yield cell
        if (store.folder(CELLS, key) / "samples.npz").is_file():
            made = cell.conditions
            splits[made.protocol, made.dataset, made.split][cell.architecture].append(cell)
    for networks in splits.values():
        for seeds in networks.values():
            _check_comparable(seeds)
    for networks in splits.values():
        yield from _compared(store, networks)


def _cell(store: "Store", key: str) -> "CellLine":
    """A finished cell, without its command, which names folders of this machine."""
    from bench.cells import record
    from bench.results.fragment import CellLine, short_values
    from bench.results.rows import measurements

    found = record.read(store, key)
    made = msgspec.structs.replace(found.provenance, command="")
    values = short_values(measurements(store, key))
    return CellLine(key, found.architecture, found.conditions, values, found.seed, (), found.warnings, made)


def _check_comparable(seeds: "Sequence[CellLine]") -> None:
    """Raise Problem for cells of a network on one split that differ in more than their seed."""
    from bench.cells.conditions import difference

    for one, two in pairwise(seeds):
        if unlike := difference(one.conditions, two.conditions):
            raise Problem(
                f"{one.architecture} on {one.conditions.dataset} was run in two ways: {'; '.join(unlike)}.",
                expected="one way for all seeds of a network, since they become one mean",
                next_step="put one of the two into a matrix of its own",
            )


def _compared(store: "Store", networks: "dict[str, list[CellLine]]") -> "Iterator[CellLine | PairLine]":
    """The mean of every network over its seeds, and the differences that the ablations ask for.

    Networks that were trained in different ways are not compared.
    """
    from bench.cells.conditions import TEXT_OF_RECIPE, difference
    from bench.results.fragment import CellLine, PairLine, short_values
    from bench.store.digests import content_key
    from protocols.statistics import bootstrap
    from reports.data.ablations import BASELINE, ablations, network

    tallies, means = {}, {}
    for name, seeds in networks.items():
        keys = tuple(seed.cell for seed in seeds)
        tallies[network(name)] = [_tally(store, seed) for seed in seeds]
        found = short_values(bootstrap.values(tallies[network(name)]))
        mean = CellLine(content_key({"mean": keys}), name, seeds[0].conditions, found, seeds=keys)
        means[network(name)] = mean
        yield mean
    pairs = sorted({(item.ours, item.theirs) for ablation in ablations().values() for item in ablation.comparisons})
    for ours, theirs in (pair for pair in pairs if means.keys() >= {*pair}):
        besides = TEXT_OF_RECIPE if theirs == BASELINE else ()  # it is not trained
        if not difference(means[ours].conditions, means[theirs].conditions, besides):
            found = short_values(bootstrap.paired_difference(tallies[ours], tallies[theirs]))
            yield PairLine(means[ours].cell, means[theirs].cell, found)


def _tally(store: "Store", cell: "CellLine") -> "Tally":
    """Per-person credits of a cell."""
    from bench.store.store import CELLS
    from protocols import PROTOCOLS

    samples = store.read_arrays(CELLS, cell.cell, "samples.npz")
    return importlib.import_module(PROTOCOLS[cell.conditions.protocol].module).tally(samples)
