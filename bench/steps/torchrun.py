"""A training that several processes share inside a run: torchrun gets the cell, and its processes train it together."""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import msgspec

from bench.cells.cell import Cell
from bench.context import Bench
from bench.errors import CELL_FAILED, Problem
from bench.processes import started
from bench.store import provenance

TOGETHER = "together"  # kind of the lock under which one process starts the others
PROCESS = "bench.steps.torchrun_worker"  # the module that each of them runs
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1")  # any free port of this machine


def train_together(cell: Cell, bench: Bench) -> None:
    """Train the network of a cell with `bench.processes` processes, one an accelerator; the store has it then.

    Raises Problem where they end otherwise; why, they have said on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="repose-") as folder:
        order = Path(folder, "cell.json")
        order.write_bytes(msgspec.json.encode(asdict(cell)))
        words = [order, bench.store.root, bench.data, bench.device, provenance.command()]
        command = [sys.executable, *LAUNCHER, "--nproc-per-node", bench.processes, "-m", PROCESS, *words]
        code = started([str(word) for word in command])
    if code:
        raise Problem(
            f"The {bench.processes} processes that trained {cell.row.name} together ended with code {code}.",
            cause="one of them failed, and torchrun stopped the others",
            next_step="read what it said above, or train with --processes 1",
            code=CELL_FAILED,
        )
