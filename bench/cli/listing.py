"""Output of `bench list`, `status` and `data`. Imports neither torch nor numpy."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from architectures import catalogue
from bench.cells.splits import parse_split
from protocols import PROTOCOLS
from protocols.datasets import DATASETS, datasets_of, missing, open_labelled_images, open_people

if TYPE_CHECKING:
    from bench.cells.plan import Task

MARKS = {"fresh": "●", "stale": "◷", "missing": "–", "failed": "✕", "blocked": "◌"}


def listing(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Architectures, protocols and datasets as plain data."""
    rows = [
        {
            "name": row.name,
            "kind": row.kind,
            "paper": row.paper,
            "summary": row.summary,
            "input": list(row.input),
            "skeleton": row.skeleton,
            "recipe": row.recipe,
        }
        for row in catalogue().values()
    ]
    protocols = [_protocol(name, data) for name in PROTOCOLS]
    return {"architectures": rows, "protocols": protocols, "datasets": datasets(data)}


def _protocol(name: str, data: Path) -> dict[str, Any]:
    """A protocol as plain data, with what is missing of its datasets."""
    protocol = PROTOCOLS[name]
    lacking = {dataset: lack for dataset in datasets_of(protocol) if (lack := missing(dataset, data))}
    return {
        "name": name,
        "version": protocol.version,
        "needs": protocol.needs,
        "summary": protocol.summary,
        "datasets": list(datasets_of(protocol)),
        "missing": lacking,
    }


def datasets(data: Path) -> list[dict[str, Any]]:
    """Datasets as plain data, with what is missing to use them; an empty `missing` means ready."""
    return [
        {
            "name": dataset.name,
            "splits": list(dataset.splits),
            "summary": dataset.summary,
            "missing": missing(dataset.name, data),
        }
        for dataset in DATASETS.values()
    ]


def print_listing(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print a listing as three tables."""
    print("architectures")
    for row in found["architectures"]:
        print(f"  {row['name']:<30} {'x'.join(map(str, row['input'])):<8} {row['kind']:<14} {row['summary']}")
    print("protocols")
    for row in found["protocols"]:
        lacking = f"   (no {', '.join(row['missing'])})" if row["missing"] else ""
        print(f"  {row['name']:<18} version {row['version']}  {row['summary']}{lacking}")
    print_datasets(found["datasets"])


def print_datasets(found: list[dict[str, Any]]) -> None:
    """Print the datasets with their state."""
    print("datasets")
    for row in found:
        state = f"missing: {row['missing']}" if row["missing"] else "ready"
        print(f"  {row['name']:<18} {row['summary']}; splits {', '.join(row['splits'])}\n{'':<21}{state}")


def print_status(tasks: list["Task"]) -> None:
    """Print one line per cell, then the counts."""
    for task in tasks:
        step = f"  next: {task.step}" if task.step else ""
        why = f"  {task.why.splitlines()[0]}" if task.why else ""
        print(f"{MARKS[task.state]} {task.state:<8} {task.cell.label}{step}{why}")
    counts = Counter(task.state for task in tasks)
    print(", ".join(f"{count} {state}" for state, count in counts.items()) or "no cell matches")


def describe_split(text: str, data: Path) -> dict[str, Any]:
    """Read a split and count what it holds."""
    name, split = parse_split(text)
    if "classes" in DATASETS[name].has:
        pictures = open_labelled_images(name, split, data)
        return {"dataset": name, "split": split, "fingerprint": pictures.fingerprint, **pictures.notes}
    people = open_people(name, split, data)
    return {
        "dataset": people.dataset,
        "split": people.split,
        "people": len(people),
        "joints annotated": int(people.annotated.sum()),
        "joints missing": int((~people.annotated).sum()),
        "fingerprint": people.fingerprint,
        **people.notes,
    }
