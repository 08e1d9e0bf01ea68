"""Differences on the same people, from the samples that cells keep: of two networks, over their seeds."""

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from bench.errors import NOTHING, Problem
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS, Protocol, Value
from protocols.errors import DataError
from protocols.statistics.bootstrap import paired_difference
from protocols.statistics.scores import Scores

SHORTEST = 6  # characters of a cell's key


def difference(rules: Protocol, ours: Sequence[Scores], theirs: Sequence[Scores]) -> tuple[Value, ...]:
    """Ours minus theirs on the same people or images, with the interval of the difference; one element a seed.

    Raises DataError where the people differ, or where a protocol cannot compare so many seeds, or anything.
    """
    module = importlib.import_module(rules.module)
    if hasattr(module, "tally"):
        return paired_difference(*([module.tally(scores.samples) for scores in side] for side in (ours, theirs)))
    if not hasattr(module, "difference"):
        raise DataError(f"{rules.name} keeps nothing of single people that two cells could be compared by.")
    if max(len(ours), len(theirs)) > 1:
        raise DataError(f"{rules.name} compares one seed with one.", next_step="name each cell by the start of its key")
    return module.difference(ours[0], theirs[0])


def paired(store: Store) -> Callable[[str, str], list[dict[str, Any]]]:
    """(key, other key) -> metric, part, value, low, high of the first minus the second; see reports.snapshot.

    Empty where a cell keeps no samples, or where the two were not scored on the same people.
    """

    @cache
    def rows(ours: str, theirs: str) -> list[dict[str, Any]]:
        kept = [_samples(store, key) for key in (ours, theirs)]
        if None in kept:
            return []
        rules = PROTOCOLS[store.read(CELLS, ours, "cell.json")["protocol"]]
        try:
            return [dataclasses.asdict(value) for value in difference(rules, *([scores] for scores in kept))]
        except DataError:
            return []

    return rows


def finished(
    store: Store, name: str, rules: Protocol, where: tuple[str, str], options: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[Scores]]:
    """The cells of a network (a name, a glob, or the start of a key) that differ in nothing but their seed.

    Documents and samples; of cells that differ in a version or the text of a recipe alone, the newest counts, as on
    the pages. Raises Problem where there are none, or cells of more than one kind.
    """
    documents = [store.read(CELLS, key, "cell.json") for key in sorted(store.keys(CELLS))]
    here = [d for d in documents if d["protocol"] == rules.name and (d["dataset"], d["split"]) == where]
    here = [
        d for d in here if d["inputs"]["version"] == rules.version and options.items() <= d["inputs"]["options"].items()
    ]
    called = sorted((d for d in here if _called(d, name)), key=lambda document: document["provenance"]["date"])
    found = list({tuple(d["identity"]) or d["cell"]: d for d in called}.values())
    kinds = {_kind(document): document for document in found}
    if len(kinds) != 1:
        place = f"{rules.name} on {'/'.join(where)}"
        raise Problem(
            f"{name}: {len(kinds) or 'no'} kinds of finished cells of {place} are called so in {store.root}.",
            expected="a prediction file, or cells that differ in their seed alone; "
            f"there: {', '.join(sorted(map(_told, kinds.values() or here))) or 'none'}",
            next_step="name one by the start of its key, or bench run it first",
            code=NOTHING,
        )
    found.sort(key=lambda document: document["seed"])
    kept = [_samples(store, document["cell"]) for document in found]
    if None in kept:
        raise Problem(f"{name}: its cells keep nothing of single people to compare by.", code=NOTHING)
    return found, kept


def _called(document: dict[str, Any], name: str) -> bool:
    by_key = len(name) >= SHORTEST and document["cell"].startswith(name)
    return by_key or fnmatchcase(document["architecture"], name)


def _kind(document: dict[str, Any]) -> tuple:
    """Everything that decides a cell's place in the tables but the seed; a prediction file has no other place."""
    place = tuple(document["identity"])
    return (*place[:3], *place[4:]) if place else (document["cell"],)


def _told(document: dict[str, Any]) -> str:
    return f"{document['architecture']} ({document['budget']}, {document['cell'][: SHORTEST + 2]})"


def _samples(store: Store, key: str) -> Scores | None:
    samples = store.read_arrays(CELLS, key, "samples.npz")
    return Scores(values=(), samples=samples) if samples else None
