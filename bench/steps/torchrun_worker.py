"""The torchrun worker: one of the processes that train a network, started by bench.steps.torchrun."""

import sys
from pathlib import Path

import msgspec

from bench.cells.cell import Cell
from bench.context import RunContext
from bench.errors import EXPECTED, exit_code, explain
from bench.steps.pipeline import train_cell
from bench.store import provenance
from bench.store.store import Store


def main() -> int:
    """Train the cell in the file named on the command line; returns the exit code."""
    order, store, data, device, command = sys.argv[1:]
    provenance.set_command(command)
    try:
        cell = Cell(**msgspec.json.decode(Path(order).read_bytes()))
        train_cell(cell, RunContext(Store(Path(store)), Path(data), device))
    except EXPECTED as error:
        print(explain(error), file=sys.stderr)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
