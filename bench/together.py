"""A training that several processes share inside a run: torchrun gets the cell, and its processes train it together."""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import msgspec

from bench import provenance
from bench.cell import Cell
from bench.errors import CELL_FAILED, EXPECTED, Problem, exit_code, explain
from bench.processes import started
from bench.store import Store
from bench.workbench import Bench

TOGETHER = "together"  # kind of the lock under which one process starts the others
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1")  # any free port of this machine


def train_together(cell: Cell, bench: Bench) -> None:
    """Train the network of a cell with `bench.processes` processes, one an accelerator; the store has it then.

    Raises Problem where they end otherwise; why, they have said on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="repose-") as folder:
        order = Path(folder, "cell.json")
        order.write_bytes(msgspec.json.encode(asdict(cell)))
        words = [order, bench.store.root, bench.data, bench.device, provenance.command()]
        command = [sys.executable, *LAUNCHER, "--nproc-per-node", bench.processes, "-m", "bench.together", *words]
        code = started([str(word) for word in command])
    if code:
        raise Problem(
            f"The {bench.processes} processes that trained {cell.row.name} together ended with code {code}.",
            cause="one of them failed, and torchrun stopped the others",
            next_step="read what it said above, or train with --processes 1",
            code=CELL_FAILED,
        )


def main() -> int:
    """One of the processes."""
    from bench.steps import train_cell

    order, store, data, device, command = sys.argv[1:]
    provenance.work_for(command)
    try:
        cell = Cell(**msgspec.json.decode(Path(order).read_bytes()))
        train_cell(cell, Bench(Store(Path(store)), Path(data), device))
    except EXPECTED as error:
        print(explain(error), file=sys.stderr)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
