"""The torchrun launcher: trains the network of a cell with several processes, one per accelerator."""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import msgspec

from bench.cells.cell import Cell
from bench.context import RunContext
from bench.errors import CELL_FAILED, Problem
from bench.processes import run_child
from bench.store import provenance

TORCHRUN = "torchrun"  # kind of the lock under which one process launches torchrun
WORKER = "bench.steps.torchrun_worker"  # the module that each process runs
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1")  # on a free port


def train_with_torchrun(cell: Cell, ctx: RunContext) -> None:
    """Train the network of a cell with `ctx.processes` processes, which publish its weights in the store.

    Raises Problem if torchrun ends with an exit code other than 0; the processes print the reason on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="repose-") as folder:
        order = Path(folder, "cell.json")
        order.write_bytes(msgspec.json.encode(asdict(cell)))
        arguments = [order, ctx.store.root, ctx.data, ctx.device, provenance.command()]
        command = [sys.executable, *LAUNCHER, "--nproc-per-node", ctx.processes, "-m", WORKER, *arguments]
        code = run_child([str(argument) for argument in command])
    if code:
        raise Problem(
            f"The {ctx.processes} processes that trained {cell.row.name} together ended with code {code}.",
            cause="one of them failed, and torchrun stopped the others",
            next_step="read its message above, or train with --processes 1",
            code=CELL_FAILED,
        )
