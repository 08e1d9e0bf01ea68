"""Output of `bench list`, `status` and `data`. Imports neither torch nor numpy."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from architectures import catalogue
from bench.cells.splits import parse_split
from protocols import PROTOCOLS, Protocol
from protocols.datasets import DATASETS, datasets_of, missing, open_labelled_images, open_people

if TYPE_CHECKING:
    from bench.cells.plan import Task

MARKS = {"fresh": "●", "stale": "◷", "missing": "–", "failed": "✕", "blocked": "◌", "damaged": "✗"}


def listing(data: Path) -> dict[str, list[dict[str, object]]]:
    """Architectures, protocols and datasets for --json."""
    shown = ("name", "kind", "paper", "summary", "input", "skeleton", "recipe")
    return {
        "architectures": [_fields(row, *shown) for row in catalogue().values()],
        "protocols": [
            _fields(protocol, "name", "version", "needs", "summary")
            | {"datasets": datasets_of(protocol), "missing": _missing(protocol, data)}
            for protocol in PROTOCOLS.values()
        ],
        "datasets": datasets(data),
    }


def datasets(data: Path) -> list[dict[str, object]]:
    """Datasets for --json, with what is missing to use them; an empty `missing` means ready."""
    return [
        {"name": name, "splits": list(dataset.splits), "summary": dataset.summary, "missing": missing(name, data)}
        for name, dataset in DATASETS.items()
    ]


def _fields(record: object, *names: str) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}


def _missing(protocol: Protocol, data: Path) -> dict[str, str]:
    """Datasets of a protocol that cannot be used, and what is missing."""
    return {dataset: lack for dataset in datasets_of(protocol) if (lack := missing(dataset, data))}


def print_listing(data: Path) -> None:
    """Print architectures, protocols and datasets as three tables."""
    print("architectures")
    for row in catalogue().values():
        print(f"  {row.name:<30} {'x'.join(map(str, row.input)):<8} {row.kind:<14} {row.summary}")
    print("protocols")
    for protocol in PROTOCOLS.values():
        lacking = f"   (no {', '.join(absent)})" if (absent := _missing(protocol, data)) else ""
        print(f"  {protocol.name:<18} version {protocol.version}  {protocol.summary}{lacking}")
    print_datasets(data)


def print_datasets(data: Path) -> None:
    """Print the datasets with their state."""
    print("datasets")
    for name, dataset in DATASETS.items():
        state = f"missing: {lack}" if (lack := missing(name, data)) else "ready"
        print(f"  {name:<18} {dataset.summary}; splits {', '.join(dataset.splits)}\n{'':<21}{state}")


def print_status(tasks: list["Task"]) -> None:
    """Print one line per cell, then the counts."""
    for task in tasks:
        step = f"  next: {task.step}" if task.step else ""
        why = f"  {task.why.splitlines()[0]}" if task.why else ""
        print(f"{MARKS[task.state]} {task.state:<8} {task.cell.label}{step}{why}")
    counts = Counter(task.state for task in tasks)
    print(", ".join(f"{count} {state}" for state, count in counts.items()) or "no cell matches")


def describe_split(text: str, data: Path) -> dict[str, object]:
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
