"""Text output of `bench score`."""

import sys
from typing import Any

from bench.results.text import print_measurements, quantity
from protocols import PROTOCOLS


def print_outcome(outcome: dict[str, Any]) -> None:
    """Print the outcome of scoring as text."""
    for file, notes in outcome.get("read", {}).items():
        text = ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in notes.items()
        )
        print(f"{file}: {text}", file=sys.stderr)
    protocol = PROTOCOLS[outcome["cells"][0].protocol]
    for row in outcome["measurements"] if len(outcome["cells"]) == 1 else []:
        if row.metric == protocol.headline[0]:
            print(f"  {row.metric:<12} {row.part:<10} {quantity(row)}, n={row.n:,}")
    print_measurements(outcome["measurements"])
    if "against" in outcome:
        print(f"minus {'; '.join(outcome['against'])}", file=sys.stderr)
    for row in outcome.get("difference", []):
        print(f"  difference {row.metric:<12} {row.part:<10} {quantity(row)}")
    for row in outcome.get("variants", []):
        print("  " + "  ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    for warning in outcome["warnings"]:
        print(f"! {warning}")
