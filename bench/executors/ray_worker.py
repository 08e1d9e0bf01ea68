"""What a node of a Ray cluster does with an order for one cell: finish it, and hand back the folders as bytes.

A node needs no checkout and no disk that others see. What it works on lies below its temporary folder, where
interrupted work is found again by the next order for the same cell from the same code.
"""

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.cells.cell import Cell
from bench.cells.keys import CLEAN, COVERED, differences, weights_in
from bench.cells.plan import BLOCKED, Task, plan
from bench.context import RunContext
from bench.errors import DATA, Problem
from bench.store import provenance
from bench.store.digests import content_key
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store

Step = tuple[str, str]  # kind and key of a finished folder
Folders = dict[Step, dict[str, bytes]]  # with the content of their files
USE = "use"  # before the kind of a step: the lock that all cells share which need its folder on this node


@dataclass(frozen=True)
class Order:
    """All that a node must know to finish a cell."""

    task: Task
    data: Path
    device: str
    files: dict[str, bytes]  # networks, recipes and weights from outside the repository, by relative path
    folders: Folders  # steps that are finished at home
    code: str  # digest of the code that the order comes with
    command: str  # the command line at home
    processes: int = 1  # that train a network together


def finish_order(order: Order) -> tuple[str, Folders]:
    """Finish one cell here; returns why it failed, or "" and the folders that are not at home yet.

    Raises Problem when this node has other data or code than home, or lacks data.
    """
    from bench.executors.run import run

    scratch = _scratch(order.code)
    store = Store(scratch / "runs")
    provenance.work_for(order.command)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, ExitStack() as uses:
        for name, content in order.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        steps = [*shared_steps(order.task), (CELLS, order.task.key)]
        for kind, key in steps:
            uses.enter_context(store.lock(f"{USE}-{kind}", key, wait=True, shared=True))
        for step, files in order.folders.items():
            with store.lock(*step, wait=True):
                unpack(store, step, files)
        os.chdir(folder)
        try:
            data = Path(os.environ.get("REPOSE_DATA", order.data))
            task = _same(order.task, plan([order.task.cell], store, data, order.device)[0])
            _, failed = run([task], RunContext(store, data, order.device, processes=order.processes))
        finally:
            os.chdir(scratch)
        made = [step for step in steps if step not in order.folders and store.has(*step)]
        folders = {step: pack(store, step) for step in made}
    if failed:
        return failed[0][1], {}
    _remove(store, steps)
    return "", folders


def shared_steps(task: Task) -> list[Step]:
    """The trainings and predictions that a cell needs and other cells may need as well, in their order."""
    predictions = [(PREDICTIONS, content_key(task.inputs[name])) for name in (CLEAN, COVERED) if name in task.inputs]
    weights = None if task.cell.weights else weights_in(task.inputs)
    return [(WEIGHTS, content_key(weights)), *predictions] if weights else predictions


def outside_files(cell: Cell) -> list[str]:
    """Files that a cell names: they travel with it. Raises Problem for one that is not below the working directory."""
    recipe = cell.recipe if cell.recipe.endswith(".toml") else ""
    named = (cell.architecture.rpartition(":")[0], recipe, cell.weights, cell.options.get("detections", ""))
    names = [name for name in named if name]
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Problem(
                f"{name}: a file that goes to other machines must lie below the working directory.",
                next_step="copy it here and give its relative path, or use --executor local",
            )
    return names


def pack(store: Store, step: Step) -> dict[str, bytes]:
    """The files of a finished folder."""
    return {path.name: path.read_bytes() for path in store.folder(*step).iterdir()}


def unpack(store: Store, step: Step, files: dict[str, bytes]) -> None:
    """Publish a folder that comes from elsewhere, unless it is here already; call with its lock held."""
    if not store.has(*step):
        store.sweep(*step)
        with store.publish(*step) as folder:
            for name, content in files.items():
                (folder / Path(name).name).write_bytes(content)
    store.discard_work(*step)


def _remove(store: Store, steps: list[Step]) -> None:
    """Take steps out of this node's store, which home has now; the last of the cells that use a step does it."""
    for kind, key in steps:
        with store.lock(f"{USE}-{kind}", key, wait=False) as alone:
            if alone:
                store.remove(kind, key)


def _same(home: Task, here: Task) -> Task:
    """The task as this node sees it, if that is what home sees."""
    if here.state == BLOCKED:
        raise here.problem
    if here.key != home.key:
        changed = "; ".join(differences(home.inputs, here.inputs))
        raise Problem(
            f"{home.cell.label}: this node would measure something else: {changed}.",
            cause="other data on this node than at home, or another kind of device",
            next_step="put the same datasets on every node, or set REPOSE_DATA there",
            code=DATA,
        )
    return here


def _scratch(code: str) -> Path:
    """The folder of this user and code below the temporary folder."""
    path = Path(tempfile.gettempdir()) / f"repose-{os.getuid()}-{code}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise Problem(f"{path} belongs to somebody else.", next_step="set TMPDIR on this node to another folder")
    return path
