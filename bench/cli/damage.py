"""Damage to a store: a sentence for each cell that no longer is what was published, and what `bench status` does."""

import sys
from collections.abc import Iterator

from bench.cells.record import read_all
from bench.errors import CELL_FAILED, DATA, FINE, explain
from bench.store.store import CELLS, KINDS, Store

SHOWN = 5  # sentences; the others are counted


def say_left_out(store: Store) -> int:
    """Print why cells of a store cannot be read, on stderr; returns the exit code: a failed cell, or fine."""
    _, problems = read_all(store, store.keys(CELLS))
    _say([explain(problem) for problem in problems.values()], "cells of this store are left out")
    return CELL_FAILED if problems else FINE


def verify(store: Store, repair: bool) -> int:
    """Read every file of a store and print which ones are damaged; with `repair` move their folders aside.

    A store from before there were digests gets them by `repair`. Returns the exit code: wrong data, or fine.
    """
    if repair and (added := store.add_digests()):
        print(f"{store.root}: digests of {added:,} finished steps written", file=sys.stderr)
    steps = [(kind, key) for kind in KINDS for key in sorted(store.keys(kind))]
    found = dict(_faults(store, steps))
    if repair:
        for kind, key in found:
            with store.lock(kind, key, wait=True):
                store.set_aside(kind, key)
        return FINE
    _say(list(found.values()), "finished steps are damaged")
    print(f"{len(steps) - len(found):,} of {len(steps):,} finished steps are as they were written", file=sys.stderr)
    return DATA if found else FINE


def _faults(store: Store, steps: list[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], str]]:
    for kind, key in steps:
        try:
            if fault := store.fault(kind, key, whole=True):
                yield (kind, key), explain(store.damage(kind, key, fault))
        except OSError as error:
            yield (kind, key), explain(error)


def _say(sentences: list[str], what: str) -> None:
    for sentence in sentences[:SHOWN]:
        print(f"! {sentence}", file=sys.stderr)
    if len(sentences) > SHOWN:
        print(f"! and {len(sentences) - SHOWN:,} more: {len(sentences):,} {what}", file=sys.stderr)
