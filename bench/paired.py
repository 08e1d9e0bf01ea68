"""Differences between two cells on the same people, from the samples that they keep: what claims are judged by."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bench.store import CELLS, Store
from protocols import PROTOCOLS
from protocols.errors import DataError
from protocols.scores import Scores


def paired(store: Store) -> Callable[[str, str], list[dict[str, Any]]]:
    """(key, other key) -> metric, part, value, low, high of the first minus the second; see reports.snapshot.

    Empty where a cell keeps no samples, or where the two were not scored on the same people.
    """

    @cache
    def rows(ours: str, theirs: str) -> list[dict[str, Any]]:
        from bench.external import difference  # that module reads finished cells, as a report does

        kept = [_samples(store, key) for key in (ours, theirs)]
        if None in kept:
            return []
        rules = PROTOCOLS[store.read(CELLS, ours, "cell.json")["protocol"]]
        try:
            return [dataclasses.asdict(value) for value in difference(rules, *kept)]
        except DataError:
            return []

    return rows


def _samples(store: Store, key: str) -> Scores | None:
    path = store.folder(CELLS, key) / "samples.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return Scores(values=(), samples=dict(arrays))
