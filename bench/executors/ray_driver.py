"""`--executor ray`: cells as tasks of a Ray cluster, each with the processors and memory that it needs.

The driver, the process that was started, holds the store, plans the cells, and publishes the results of the nodes.
It sends its code with the cells.
"""

import contextlib
import hashlib
import logging
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from bench import progress
from bench.cells.plan import BLOCKED, FRESH, Task
from bench.context import RunContext
from bench.errors import CELL_FAILED, EXPECTED, Problem, explain
from bench.executors.ray_worker import Order, Step, finish_order, outside_files, pack, shared_steps, unpack
from bench.executors.run import note_failure, run
from bench.store import provenance
from bench.store.provenance import chosen_device
from bench.store.store import CELLS

PACKAGES = ("architectures", "bench", "protocols", "reports")
ROOT = Path(__file__).resolve().parents[2]
RETRIES = 3  # of a cell whose node died
IN_FLIGHT = 100  # cells submitted at a time: enough for an autoscaler to see the demand
GIB = 2**30
# Of the machine, by next step. Measuring the variances of an eight-stack hourglass took 0.9 GiB, narrow trainings 0.5;
# a full-size training on a processor holds its activations as well.
MEMORY = {"train": 6 * GIB, "predict": 2 * GIB, "score": 2 * GIB, "measure": 2 * GIB}


@dataclass
class _InFlight:
    """A submitted cell, the shared steps that it makes, and the locks on all of them."""

    task: Task
    makes: list[Step]
    locks: ExitStack


def on_ray(tasks: Sequence[Task], ctx: RunContext, address: str = "") -> tuple[list[Task], list[tuple[Task, str]]]:
    """Run tasks on the cluster at `address` ("" for $RAY_ADDRESS, else for one on this machine).

    Returns finished tasks and failed ones with the reason. Finished cells are not sent, and no training is made twice:
    cells that share one wait for the first of them. KeyboardInterrupt cancels submitted cells and passes through;
    collected results stay.
    Raises Problem when Ray is not installed or the cluster cannot be reached.
    """
    local = [task for task in tasks if task.state == FRESH or task.cell.rules.depends_on_machine]
    remote = [task for task in tasks if task.state not in (FRESH, BLOCKED) and not task.cell.rules.depends_on_machine]
    with contextlib.redirect_stdout(sys.stderr), _cluster(address) as ray:  # Ray prints the output of the nodes
        done, failed = _RayDriver(ray, ctx).run(remote)
    ctx = replace(ctx, device=chosen_device(ctx.device)) if local else ctx
    measured, others = run(local, ctx)  # the speed of this machine
    return done + measured, failed + others


class _RayDriver:
    """The loop that submits cells to the cluster and collects their results."""

    def __init__(self, ray: ModuleType, ctx: RunContext):
        resources = ray.cluster_resources()
        self.ray, self.ctx, self.store = ray, ctx, ctx.store
        self.device = ("cuda" if resources.get("GPU") else "cpu") if ctx.device == "auto" else ctx.device
        self.largest = max(node["Resources"].get("memory", 0) for node in ray.nodes() if node["Alive"])
        self.code = _digest()
        self.in_flight: dict[object, _InFlight] = {}  # by reference of Ray
        self.done: list[Task] = []
        self.failed: list[tuple[Task, str]] = []

    def run(self, tasks: Sequence[Task]) -> tuple[list[Task], list[tuple[Task, str]]]:
        """Submit all tasks and collect their results; returns finished tasks and failed ones with the reason."""
        waiting, total = deque(tasks), len(tasks)
        try:
            while waiting or self.in_flight:
                waiting = deque(task for task in waiting if not self._submit(task, wait=False))
                if waiting and not self.in_flight:  # other processes work on all that are left
                    task = waiting.popleft()
                    if not self._submit(task, wait=True):
                        waiting.append(task)
                finished, _ = self.ray.wait(list(self.in_flight), timeout=1.0) if self.in_flight else ([], [])
                for reference in finished:
                    self._collect(reference)
                    progress.say(f"{len(self.done) + len(self.failed)} of {total} cells are back")
        finally:
            for reference, sent in self.in_flight.items():
                self.ray.cancel(reference, force=True)
                sent.locks.close()
        return self.done, self.failed

    def _submit(self, task: Task, wait: bool) -> bool:
        """Submit a task unless at capacity, locked elsewhere, or sharing an unfinished step with one in flight.

        True if it was submitted, is finished already, or failed.
        """
        if len(self.in_flight) >= IN_FLIGHT:
            return False
        makes = [step for step in shared_steps(task) if not self.store.usable(*step)]
        if any(step in sent.makes for sent in self.in_flight.values() for step in makes):
            return False
        with ExitStack() as locks:
            try:
                # The same order as everywhere, from a cell to the steps that it needs: else two processes may deadlock.
                for step in ((CELLS, task.key), *reversed(makes)):
                    if not locks.enter_context(self.store.lock(*step, wait)):
                        return False
                if self.store.usable(CELLS, task.key):  # another process finished it
                    self.done.append(task)
                    return True
                reference = self._send(task)
            except EXPECTED as error:
                self._fail(task, explain(error))
                return True
            self.in_flight[reference] = _InFlight(task, makes, locks.pop_all())
        return True

    def _send(self, task: Task) -> object:
        """Submit a task to the cluster; returns the reference of its result."""
        finished = [step for step in shared_steps(task) if self.store.usable(*step, whole=True)]
        trains = task.step == "train"
        order = Order(
            task=task,
            data=self.ctx.data.resolve(),
            device=self.device,
            files={name: Path(name).read_bytes() for name in outside_files(task.cell)},
            folders={step: pack(self.store, step) for step in finished},
            code=self.code,
            command=provenance.command(),
            processes=self.ctx.processes if trains else 1,
        )
        accelerated = self.device != "cpu" and task.step in ("train", "predict")
        remote = self.ray.remote(finish_order).options(
            name=task.cell.label,
            num_cpus=order.processes,
            num_gpus=order.processes if accelerated else 0,
            memory=min(MEMORY[task.step], self.largest) or None,
            max_retries=RETRIES,
        )
        return remote.remote(order)

    def _collect(self, reference: object) -> None:
        """Publish the results of a finished task, or note why it failed."""
        sent = self.in_flight.pop(reference)
        with sent.locks:
            try:
                why, folders = self.ray.get(reference)
                self.store.forget_failure(sent.task.key)  # before the cell is published: no finished cell has a failure
                for step in [*shared_steps(sent.task), (CELLS, sent.task.key)]:
                    if step in folders:
                        unpack(self.store, step, folders[step])
            except self.ray.exceptions.RayTaskError as error:
                why = explain(error.cause) if isinstance(error.cause, EXPECTED) else str(error.cause)
            except self.ray.exceptions.RayError as error:
                why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            except OSError as error:
                why = explain(error)
            if why:
                self._fail(sent.task, why)
            else:
                self.done.append(sent.task)

    def _fail(self, task: Task, why: str) -> None:
        """Report and record a failure."""
        progress.say(f"✕ {task.cell.label}: {why}")
        self.failed.append((task, why))
        note_failure(task, why, self.ctx)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[ModuleType]:
    """Connect to Ray; disconnect at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = address or os.environ.get("RAY_ADDRESS", "")
    if not address:  # despite its name, this makes a cluster on Linux listen on 127.0.0.1 only
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError as error:
        raise Problem(
            "--executor ray needs Ray, which is not installed.",
            next_step='pip install --constraint constraints.txt "ray[default]", or use --executor local',
        ) from error
    code = {
        "py_modules": [str(ROOT / name) for name in PACKAGES],
        "excludes": ["__pycache__"],
        "env_vars": {"REPOSE_COMMIT": provenance.commit()},
    }
    try:
        ray.init(
            address or "local",
            include_dashboard=None if address else False,
            runtime_env=code,
            log_to_driver=True,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise Problem(
            f"The Ray cluster at {address or 'this machine'} cannot be used: {str(error).splitlines()[0]}",
            cause="no cluster there, or one with another version of Ray or Python",
            next_step="ray status --address ADDRESS shows whether it answers",
            code=CELL_FAILED,
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _digest() -> str:
    """Twelve hexadecimal digits of a hash of the code that is sent."""
    content = hashlib.sha256()
    for name in PACKAGES:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return content.hexdigest()[:12]
