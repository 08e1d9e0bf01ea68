"""The training loop: a recipe's steps over examples, resumable at any moment.

All randomness of a step follows from (seed, step), so that a training that was killed and resumed gives the same
weights as an uninterrupted one.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from architectures import weights as weight_files
from bench import progress
from bench.errors import CELL_FAILED, Problem
from bench.progress import Update
from bench.training import checkpoint, distributed
from bench.training.batches import rows_of_step
from bench.training.checkpoint import BEST, DIVERGED, LAST, History, State
from bench.training.curves import Draw, no_curves
from bench.training.examples import Examples, Training
from bench.training.optimizers import learning_rate, optimizer_of, set_rate
from bench.training.recompute import recomputed_stages

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic = true; CUDA reads it only once
CHECKPOINT_SECONDS = 10.0  # between checkpoints: the most that a kill loses
HISTORY_EVERY = 10  # steps
AUTOCAST = {"float32": False, "bfloat16": True}  # the words of a recipe: see bench.cells.choices
VALIDATIONS = {"full": 100, "quick": 10}  # a training, by budget


@dataclass(frozen=True)
class Learner:
    """A network with its optimizer and the average of its weights."""

    network: nn.Module
    model: nn.Module  # the network as it is called: compiled, or distributed over processes
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None

    @property
    def result(self) -> nn.Module:
        """The network that is validated and saved: the average where the recipe asks for one."""
        return self.network if self.average is None else self.average.module


def fit(
    network: nn.Module,
    examples: Examples,
    training: Training,
    work: Path,
    update: Update,
    draw: Draw = no_curves,
) -> State:
    """Train `network` in place; returns the final state with history and notes.

    `work` holds the last and the best checkpoint; a last one that is there already is continued.
    `update(step, total, text)` and `draw(step, values by name)` are called every few steps. Raises Problem when the
    loss is not finite.
    """
    hyper, total = training.hyper, training.hyper.total_steps(examples.count)
    # With channels last, convolutions run up to twice as fast.
    network.to(training.device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue] - not in the stubs
    recomputed = recomputed_stages(network) if hyper.checkpointing else nullcontext()
    with _deterministic(hyper.deterministic), recomputed, ThreadPoolExecutor(1) as loader:
        learner = _learner(network, training)
        state = State(micro_batch=hyper.micro_batch)
        if (work / LAST).exists():
            state = checkpoint.load(work / LAST, network, learner.optimizer, learner.average)
        distributed.wait()  # no process writes before all have read
        started, saved = time.perf_counter() - state.seconds, time.perf_counter()
        every = HISTORY_EVERY * max(1, total // VALIDATIONS[training.budget] // HISTORY_EVERY)
        losses: list[torch.Tensor] = []  # of the steps since the last entry of the history
        pixels = _load(loader, examples, training, state.step)
        while state.step < total:
            set_rate(learner.optimizer, hyper, state.step, total)
            source, pixels = pixels.result(), _load(loader, examples, training, state.step + 1)
            losses.append(_step_within_memory(learner, examples, training, state, source))
            state.step += 1
            state.seconds = time.perf_counter() - started
            if state.step % HISTORY_EVERY == 0 or state.step == total:
                _check_finite(losses, learner, examples, training, state, work)
                loss = distributed.total(losses[-1]).item() / distributed.size()
                validate = examples.validate if state.step % every == 0 or state.step == total else None
                metric = _validate(learner, validate, state, work) if validate else None
                state.history.append((state.step, round(state.seconds, 2), loss, metric))
                losses.clear()
                update(state.step, total, _progress_text(state.history))
                rate = learning_rate(hyper, state.step - 1, total)
                held_out = {} if metric is None else {"held-out": metric}
                draw(state.step, {"loss": loss, "learning rate": rate} | held_out)
            if time.perf_counter() - saved > CHECKPOINT_SECONDS and distributed.rank() == 0:
                _check_finite(losses, learner, examples, training, state, work)
                checkpoint.save(work / LAST, network, learner.optimizer, learner.average, state)
                saved = time.perf_counter()
    if learner.average is not None:
        network.load_state_dict(learner.average.module.state_dict())
    return state


def _learner(network: nn.Module, training: Training) -> Learner:
    """The network with the optimizer, average, compilation and processes that the recipe and torchrun ask for."""
    hyper, average = training.hyper, None
    if hyper.batch < distributed.size():
        raise Problem(
            f"A batch of {hyper.batch} cannot be shared by {distributed.size()} processes.",
            next_step="start fewer with --nproc-per-node, or raise batch in the recipe",
        )
    if hyper.ema:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(hyper.ema), use_buffers=True)
    model = cast(nn.Module, torch.compile(network)) if hyper.compile else network
    if distributed.size() > 1:  # each process has batch statistics of its own, as in the papers
        model = DistributedDataParallel(model)
    return Learner(network, model, optimizer_of(network, hyper), average)


def _rows(examples: Examples, training: Training, step: int) -> tuple[np.ndarray, slice]:
    """All rows of a step, and this process's share of them."""
    rows = rows_of_step(step, examples.count, training.hyper.batch, training.seed)
    return rows, distributed.share(len(rows))


def _load(loader: ThreadPoolExecutor, examples: Examples, training: Training, step: int) -> Future:
    """Start reading the pixels of a step while the network works on another."""
    rows, share = _rows(examples, training, step)
    return loader.submit(examples.load, rows[share])


def _step_within_memory(
    learner: Learner, examples: Examples, training: Training, state: State, pixels: np.ndarray
) -> torch.Tensor:
    """Take a step; when memory runs out for the first time, repeat it with half the micro-batch."""
    while True:
        try:
            return _step(learner, examples, training, state, pixels)
        except torch.OutOfMemoryError as error:
            held = state.micro_batch or len(pixels)
            if held == 1 or state.notes or distributed.size() > 1:
                raise Problem(
                    f"Out of memory at step {state.step + 1}, with {held} images at once.",
                    next_step="set micro_batch or checkpointing = true in the recipe, or free the device",
                    code=CELL_FAILED,
                ) from error
            state.micro_batch = held // 2
        state.notes.append(
            f"out of memory at step {state.step + 1}: micro-batches of {state.micro_batch} from there on"
        )
        progress.say(state.notes[-1])
        torch.cuda.empty_cache()


def _step(learner: Learner, examples: Examples, training: Training, state: State, pixels: np.ndarray) -> torch.Tensor:
    """Update the weights once; returns this process's loss, whose mean over the processes is the loss of the batch."""
    seed = (training.seed * 1_000_003 + state.step) % 2**63
    torch.manual_seed(seed + distributed.rank())  # for dropout and fractional pooling
    rows, share = _rows(examples, training, state.step)
    learner.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=training.device)
    size = state.micro_batch or len(pixels)
    for start in range(share.start, share.stop, size):
        part = slice(start, min(start + size, share.stop))
        generator = torch.Generator().manual_seed(
            seed
        )  # all parts and processes draw the same random numbers for the batch
        source = pixels[part.start - share.start : part.stop - share.start]
        images, truth = examples.batch(rows, part, source, generator)
        last = part.stop == share.stop
        with (
            learner.model.no_sync()
            if not last and isinstance(learner.model, DistributedDataParallel)
            else nullcontext()
        ):
            with torch.autocast(images.device.type, torch.bfloat16, enabled=AUTOCAST[training.hyper.precision]):
                outputs = learner.model(images.contiguous(memory_format=torch.channels_last))
            loss = examples.loss(outputs, truth) * ((part.stop - part.start) / len(rows) * distributed.size())
            loss.backward()
        total += loss.detach()
    learner.optimizer.step()
    if learner.average is not None:
        learner.average.update_parameters(learner.network)
    return total


def _validate(learner: Learner, validate: Callable[[nn.Module], float], state: State, work: Path) -> float:
    """Compute the held-out score; save the weights if it is the best so far."""
    distributed.sync_statistics(learner.result)
    metric = validate(learner.result.eval())
    learner.network.train()
    if metric > state.best and distributed.rank() == 0:
        weight_files.save(learner.result, work / BEST)
    return metric


def _progress_text(history: History) -> str:
    """The last loss and the last held-out score; only some steps are validated."""
    metric = next((metric for *_, metric in reversed(history) if metric is not None), None)
    return f"loss {history[-1][2]:.5f}" + ("" if metric is None else f", held-out {metric:.1f} %")


def _check_finite(
    losses: list[torch.Tensor], learner: Learner, examples: Examples, training: Training, state: State, work: Path
) -> None:
    """Raise Problem if one of the last losses is not finite, with the step and its people; the state is saved first."""
    finite = torch.stack(losses).isfinite().tolist() if losses else []
    if all(finite):
        return
    bad = finite.index(False)
    step = state.step - len(losses) + bad  # counted from 0
    rows, share = _rows(examples, training, step)
    path = work / DIVERGED
    checkpoint.save(path, learner.network, learner.optimizer, learner.average, state)
    names = ", ".join(examples.name(int(row)) for row in rows[share])
    raise Problem(
        f"The loss became {losses[bad].item()} at step {step + 1}, on {names}.",
        cause="the learning rate is too high for this network and batch, or one of these examples is broken",
        next_step=f"lower learning_rate or raise warmup in the recipe; the state after step {state.step} is in {path}",
        code=CELL_FAILED,
    )


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Allow only algorithms that repeat to the last bit. Raises Problem for an operation that has none."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted or before)
    try:
        yield
    except RuntimeError as error:
        if "does not have a deterministic implementation" not in str(error):
            raise
        raise Problem(
            f"deterministic = true: {str(error).partition(',')[0]}.",
            cause="torch has no deterministic algorithm for this operation on this device",
            next_step="set deterministic = false in the recipe, or train on another device",
            code=CELL_FAILED,
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)


def history_csv(history: History) -> str:
    """The history of a training as CSV: step, seconds, loss, held-out score (empty where it was not measured)."""
    lines = [
        f"{step},{seconds},{loss:.6g},{'' if metric is None else f'{metric:.4f}'}"
        for step, seconds, loss, metric in history
    ]
    return "\n".join(["step,seconds,loss,metric", *lines]) + "\n"
