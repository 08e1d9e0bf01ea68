"""Output of `bench score`."""

import sys
from dataclasses import asdict, astuple

import msgspec

from bench.results.text import print_measurements, quantity
from bench.steps.compare import Outcome
from protocols import PROTOCOLS
from protocols.joints.pck import UNANSWERED


def as_document(outcome: Outcome) -> dict[str, object]:
    """Convert the outcome for --json; it lacks what was not asked for."""
    return {name: found for name, found in msgspec.structs.asdict(outcome).items() if found is not None}


def print_outcome(outcome: Outcome) -> None:
    """Print the outcome as text."""
    for file, notes in asdict(outcome.read).items() if outcome.read else ():
        text = ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in notes.items()
        )
        print(f"{file}: {text}", file=sys.stderr)
    protocol = PROTOCOLS[outcome.cells[0].protocol]
    for row in outcome.measurements if len(outcome.cells) == 1 else ():
        if row.metric in (protocol.headline[0], UNANSWERED):
            print(f"  {row.metric:<12} {row.part:<10} {quantity(row)}, n={row.n:,}")
    print_measurements(outcome.measurements)
    if outcome.against is not None:
        print(f"minus {'; '.join(outcome.against)}", file=sys.stderr)
    for row in outcome.difference or ():
        print(f"  difference {row.metric:<12} {row.part:<10} {quantity(row)}")
    for row in outcome.variants or ():
        print("  " + "  ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in astuple(row)))
    for warning in outcome.warnings:
        print(f"! {warning}")
