"""Made-up rows of a snapshot that change the verdicts of the ledger. None of them was measured."""

from typing import Any

from snapshots import cell, row

from bench.results.snapshot import Snapshot
from reports.data.published import papers
from reports.ledger.claims import CLAIMS
from reports.ledger.evidence import Evidence

PAPERS = papers()
CLAIM = {claim.id: claim for claim in CLAIMS}


def check(claim, rows=(), cells=(), **snapshot):
    """The verdict of a claim where these rows were measured."""
    catalogue, protocols = snapshot.pop("architectures", []), snapshot.pop("protocols", [])
    evidence = Evidence(PAPERS, Snapshot(list(rows), list(cells), catalogue, protocols, **snapshot))
    return CLAIM[claim].verdict(evidence)


def scored(
    name, value, half: float | None = 0.5, metric="PCKh@0.5", part="mean", protocol="mpii-pckh", dataset="mpii",
    split="val", **fields,
):  # fmt: skip
    """(cell, row) of a network under a protocol."""
    made = cell(name, protocol, dataset, split, **fields)
    low, high = (None, None) if half is None else (value - half, value + half)
    return made, row(made, metric, part, value, low, high)


def pair(ours, theirs) -> dict[str, Any]:
    cells, rows = zip(ours, theirs, strict=True)
    return {"rows": rows, "cells": cells}


def counted(name, metric, value, part="all", unit="parameters", protocol="complexity"):
    made = cell(name, protocol, seed=0)
    return made, row(made, metric, part, value, unit=unit, n=1)


def rows_of(*items):
    cells = {made.cell: made for made, _ in items}
    return {"rows": [found for _, found in items], "cells": list(cells.values())}
