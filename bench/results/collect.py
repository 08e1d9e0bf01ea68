"""Collecting a snapshot: the finished cells of a store, and the state of those of a matrix."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import msgspec

import architectures
from bench.cells.plan import FAILED, FRESH, STALE, Task
from bench.errors import CELL_FAILED, Problem
from bench.results.paired import paired
from bench.results.publish import describe
from bench.results.snapshot import Snapshot
from bench.store.store import CELLS, Store
from protocols import PROTOCOLS
from protocols.origins import CHANGES, CONSTANTS
from protocols.pose.skeletons import SKELETONS

FIELDS = ("apart", "architecture", "conventions", "identity", "inputs", "label", "protocol", "provenance", "settings",
          "source")  # fmt: skip


def snapshot(tasks: Iterable[Task], store: Store) -> Snapshot:
    """Everything that the pages show: the cells of the matrix as they stand, and whatever else was measured.

    Of cells outside the matrix that differ only in version or recipe, the newest counts.
    """
    tasks = list(tasks)
    documents = _documents(store)
    planned = {task.cell.identity for task in tasks}
    others = [document for document in _newest(documents) if tuple(document["identity"]) not in planned]
    fresh = [documents[task.key] for task in tasks if task.state == FRESH]
    cells = [_finished(document, store) for document in fresh + others]
    cells += [_unfinished(task, store) for task in tasks if task.state != FRESH]
    ranked = [cell for cell in cells if cell["state"] == FRESH]
    return Snapshot(
        measurements=[row for cell in ranked for row in measurements(store, cell["cell"])],
        cells=cells,
        architectures=[dataclasses.asdict(row) for row in architectures.catalogue().values()],
        protocols=[_protocol(name) for name in PROTOCOLS],
        paired=paired(store),
        skeletons=tuple(dataclasses.asdict(skeleton) for skeleton in SKELETONS.values()),
        benchmarks=_benchmarks(store),
    )


def measurements(store: Store, key: str) -> list[dict[str, Any]]:
    """The measurement rows of a finished cell."""
    return store.read_lines(CELLS, key, "measurements.jsonl")


def _documents(store: Store) -> dict[str, dict[str, Any]]:
    """key -> what a finished cell is; Problem if one is not what `describe` and `publish_cell` write."""
    documents = {key: store.read(CELLS, key, "cell.json") for key in sorted(store.keys(CELLS))}
    absent = {key: [name for name in FIELDS if name not in document] for key, document in documents.items()}
    if odd := [key for key, names in absent.items() if names]:
        more = f", and {len(odd) - 1:,} more of {len(documents):,} cells are like it" if len(odd) > 1 else ""
        raise Problem(
            f"{store.folder(CELLS, odd[0]) / 'cell.json'}: there is no field {', '.join(absent[odd[0]])}{more}.",
            cause="another version of Repose wrote it, or it was edited by hand",
            next_step=f"move {store.root / CELLS if more else 'that folder'} away: the next run measures anew, from "
            "the predictions that it finds; prediction files have to be scored again",
            code=CELL_FAILED,
        )
    return documents


def _newest(documents: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the documents with the same identity, the one measured last; external files all stay."""
    last: dict[Any, str] = {}
    for key, document in sorted(documents.items(), key=lambda item: item[1]["provenance"]["date"]):
        last[tuple(document["identity"]) or key] = key
    return [documents[key] for key in sorted(last.values())]


def _protocol(name: str) -> dict[str, Any]:
    """The fields of a protocol, the sources of its constants and its history, as far as they are written down."""
    known = {"constants": CONSTANTS.get(name, {}), "changes": CHANGES.get(name, {})}
    return dataclasses.asdict(PROTOCOLS[name]) | known


def _benchmarks(store: Store) -> tuple[dict[str, Any], ...]:
    """What `python -m benchmarks` left beside the store; nothing if it was never run."""
    path = store.root / "benchmarks.jsonl"
    return tuple(msgspec.json.Decoder().decode_lines(path.read_bytes())) if path.is_file() else ()


def _finished(document: dict[str, Any], store: Store) -> dict[str, Any]:
    """A cell that is there; stale if its protocol has a newer version."""
    current = PROTOCOLS[document["protocol"]].version
    measured = document["inputs"]["version"]
    why = "" if measured == current else f"protocol version {measured} -> {current}"
    folder = store.folder(CELLS, document["cell"])
    log = folder / "log.txt"
    state = {"state": STALE if why else FRESH, "why": why, "step": "score" if why else ""}
    words = log.read_text() if log.is_file() else ""
    return {**document, **state, "folder": str(folder), "log": words}


def _unfinished(task: Task, store: Store) -> dict[str, Any]:
    """A cell of the matrix that is not there, with the reason, and what was tried."""
    document = describe(task, "measured")
    tried = (store.failure(task.key) if task.state == FAILED else None) or {}
    made = {
        "provenance": {"command": tried["command"]} if "command" in tried else {},
        "log": tried.get("log", ""),
        "folder": "",
    }
    return {**document, "state": task.state, "why": task.why, "step": task.step, **made}
