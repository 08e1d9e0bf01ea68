"""Work of a Ray node on an order for one cell: finishes it and returns the folders as bytes to the driver.

A node needs no checkout and no shared disk. It works below its temporary folder, where the next order for the same
cell and code finds interrupted work.
"""

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cells.cell import Cell
from bench.cells.fingerprints import images_in, with_images
from bench.cells.keys import CLEAN, COVERED, differences, weights_in
from bench.cells.plan import Task, plan
from bench.context import RunContext
from bench.errors import DATA, Problem
from bench.store import provenance
from bench.store.digests import content_key
from bench.store.store import CELLS, PREDICTIONS, WEIGHTS, Store

Step = tuple[str, str]  # kind and key of a finished folder
Folders = dict[Step, dict[str, bytes]]  # with the content of their files
USE = "use"  # prefix of the lock of a step that is shared by all cells which need its folder on this node


@dataclass(frozen=True)
class Order:
    """Everything a node needs to finish a cell."""

    task: Task
    data: Path
    device: str
    files: dict[str, bytes]  # networks, recipes and weights from outside the repository, by relative path
    folders: Folders  # steps that the driver has already
    code: str  # digest of the code that the order comes with
    command: str  # command line of the driver
    processes: int = 1  # that train a network together


def finish_order(order: Order) -> tuple[str, Folders]:
    """Finish one cell on this node; returns why it failed, or "" and the folders that the driver lacks.

    Raises Problem when this node has other data than the driver, or lacks data.
    """
    from bench.executors.run import run

    scratch = _scratch(order.code)
    store = Store(scratch / "runs")
    provenance.set_command(order.command)
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
            task = _checked(order.task, plan([order.task.cell], store, data, order.device)[0])
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
    """Relative paths of the files that a cell names. Raises Problem for one outside the working directory."""
    recipe = cell.recipe if cell.recipe.endswith(".toml") else ""
    named = (cell.architecture.rpartition(":")[0], recipe, cell.weights, cell.options.get("detections", ""))
    names = [name for name in named if name]
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Problem(
                f"{name}: a file that is sent to other machines must be below the working directory.",
                next_step="copy it there and give its relative path, or use --executor local",
            )
    return names


def pack(store: Store, step: Step) -> dict[str, bytes]:
    """Read the files of a finished folder. Raises Problem if one is damaged."""
    return store.read_files(*step)


def unpack(store: Store, step: Step, files: dict[str, bytes]) -> None:
    """Publish a folder from another machine, unless this store has it; call with its lock held."""
    if not store.usable(*step, whole=True):
        store.set_aside(*step)
        store.sweep(*step)
        with store.publish(*step) as folder:
            for name, content in files.items():
                (folder / Path(name).name).write_bytes(content)
    store.discard_work(*step)


def _remove(store: Store, steps: list[Step]) -> None:
    """Remove steps that the driver has now from this node's store; the last cell that uses a step does it."""
    for kind, key in steps:
        with store.lock(f"{USE}-{kind}", key, wait=False) as unused:
            if unused:
                store.remove(kind, key)


def _checked(sent: Task, planned: Task) -> Task:
    """Return the task as planned on this node. Raises Problem if the driver planned something else."""
    if planned.problem is not None:
        raise planned.problem
    if planned.key == sent.key:
        return planned
    if planned.key == content_key(with_images(sent.inputs, images_in(planned.inputs))):
        return replace(planned, key=sent.key, inputs=sent.inputs)  # the driver may lack the images, not other data
    changed = "; ".join(differences(sent.inputs, planned.inputs))
    raise Problem(
        f"{sent.cell.label}: this node would measure something else: {changed}.",
        cause="this node has other data than the driver, or another kind of device",
        next_step="put the same datasets on every node, or set REPOSE_DATA there",
        code=DATA,
    )


def _scratch(code: str) -> Path:
    """Scratch folder of this user and code. Raises Problem if it belongs to another user."""
    path = Path(tempfile.gettempdir()) / f"repose-{os.getuid()}-{code}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise Problem(f"{path} belongs to another user.", next_step="set TMPDIR on this node to another folder")
    return path
