"""The steps of a cell: train, predict, score or measure; each is published when it is finished."""

import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import architectures
from architectures import weights as weight_files
from bench import progress
from bench.cells import recipe as recipes
from bench.cells.cell import Cell, box_options
from bench.cells.fingerprints import of_training_set
from bench.cells.keys import CLEAN, COVERED, weights_in, weights_inputs
from bench.cells.plan import Task
from bench.cells.splits import parts_of
from bench.context import RunContext
from bench.errors import DATA, Problem
from bench.plain_text import to_json
from bench.progress import timed
from bench.results.gallery import pictures
from bench.results.publish import ATTENTION, publish_cell
from bench.results.step_records import (
    PREDICTION,
    TRAINING,
    PredictionRecord,
    TrainingRecord,
    read_prediction,
    read_training,
)
from bench.steps import score
from bench.steps.attention_maps import attention
from bench.steps.contract import CONTRACT, contract_fault
from bench.steps.measure import measure_network
from bench.steps.predict import predict
from bench.steps.torchrun import TORCHRUN, train_with_torchrun
from bench.store import provenance
from bench.store.digests import Inputs, content_key
from bench.store.store import PREDICTIONS, WEIGHTS, archive
from bench.training import distributed
from bench.training.batches import normalised
from bench.training.checkpoint import BEST
from bench.training.learn import learn
from bench.training.pictures import classify
from bench.training.train import history_csv
from protocols.datasets import DATASETS, open_labelled_images, open_people
from protocols.datasets.cifar10 import LabelledImages
from protocols.joints.occlusion import occlude
from protocols.network import effective_field
from protocols.pose.people import People, Predictions
from protocols.statistics.scores import Scores


def finish(task: Task, ctx: RunContext) -> None:
    """Run the steps that a cell still needs, and publish it."""
    progress.clear_log()
    cell = task.cell
    seconds: dict[str, float] = {}
    if cell.rules.needs == "network":
        measured = _measure_trained(task, ctx, seconds) if cell.dataset else _measure(cell, ctx, seconds)
        scores, files = measured, {}
    elif "classes" in cell.rules.ground_truth:
        scores, files = _score_labelled(cell, task.inputs[CLEAN], ctx, seconds), {}
    else:
        people = open_people(cell.dataset, cell.split, ctx.data, cell.skeleton, cell.limit, **box_options(cell))
        predictions = _predictions(cell, task.inputs[CLEAN], people, ctx, seconds)
        if COVERED in task.inputs:
            scores, files = _score_covered(task, people, predictions, ctx, seconds)
        else:
            with timed(seconds, "score"):
                scores = score.score_predictions(cell.rules, predictions, people, cell.options)
            files = pictures(people, predictions)
    publish_cell(task, ctx.store, ctx.device, scores, seconds, files)


def _measure(cell: Cell, ctx: RunContext, seconds: dict[str, float]) -> Scores:
    """Run a network protocol on the untrained network."""
    with timed(seconds, "measure"), progress.step(cell.label), warnings.catch_warnings(record=True) as caught:
        torch.manual_seed(cell.seed)
        with torch.device("meta" if cell.rules.shapes_only else "cpu"):
            network = architectures.create(cell.row)
        values = measure_network(cell, network, ctx.device)
    notes = [str(warning.message) for warning in caught]
    if fault := contract_fault(network, cell.row):
        notes.append(f"{cell.row.name} is no network for poses: {fault}; expected {CONTRACT['expected']}")
    return Scores(tuple(values), warnings=tuple(notes))


def _measure_trained(task: Task, ctx: RunContext, seconds: dict[str, float]) -> Scores:
    """Run a network protocol (receptive-field) on trained weights, with crops of a few people."""
    cell, weights = task.cell, weights_in(task.inputs)
    assert weights is not None  # of every cell with a dataset
    network = _network(cell, weights, ctx, seconds).cpu()
    count = cell.options.get("people", cell.rules.options["people"])
    people = open_people(cell.dataset, cell.split, ctx.data, cell.skeleton, count)
    with timed(seconds, "measure"), progress.step(cell.label):
        taken = effective_field.crop_people(people, range(len(people)), cell.row.input)
        taken = replace(taken, images=normalised(taken.images, recipes.load(cell.recipe_name).pixels))
        options = score.scoring_options(cell.rules, cell.options) | {"joints": people.skeleton.joints, "images": taken}
        return Scores(tuple(score.function_of(cell.rules)(network, cell.row.input, **options)))


def _score_covered(
    task: Task, people: People, clean: Predictions, ctx: RunContext, seconds: dict[str, float]
) -> tuple[Scores, dict[str, bytes]]:
    """Run a protocol that covers a limb: predict the same people again with a calf covered, and compare."""
    rules, options = task.cell.rules, task.cell.options
    covered, occlusion = occlude(people, options.get("cover", rules.options["cover"]))
    predictions = _predictions(task.cell, task.inputs[COVERED], covered, ctx, seconds)
    with timed(seconds, "score"):
        options = score.scoring_options(rules, options)
        scores = score.function_of(rules)(clean, predictions, people, occlusion, **options)
    return scores, pictures(covered, predictions)


def _score_labelled(cell: Cell, inputs: Inputs, ctx: RunContext, seconds: dict[str, float]) -> Scores:
    """Score a classifier on labelled images."""
    pictures = open_labelled_images(cell.dataset, cell.split, ctx.data, cell.limit)
    predictions = _predictions(cell, inputs, pictures, ctx, seconds)
    with timed(seconds, "score"):
        return score.function_of(cell.rules)(predictions.scores, pictures.labels, **cell.options)


def train_only(
    ctx: RunContext, name: str, overrides: architectures.Options, dataset: str, seed: int, **settings: Any
) -> dict[str, str]:
    """Train without predicting, also as one of the processes of torchrun; returns name and path of the weights.

    dataset: a name, "name/split", or several of these joined by "+". settings: fields of Cell.
    """
    (first, split), *more = parts_of(dataset)
    trained_on = dataset if more or split != DATASETS[first].train else ""
    cell = Cell(name, "", first, "", overrides, seed=seed, trained_on=trained_on, **settings)
    key = train_cell(cell, ctx)
    return {"architecture": cell.row.name, "weights": str(ctx.store.folder(WEIGHTS, key))}


def train_cell(cell: Cell, ctx: RunContext) -> str:
    """Train the network of a cell, also as one of the processes of torchrun; returns the key of its weights."""
    inputs = weights_inputs(cell, of_training_set(cell.training_data, ctx.data, cell.skeleton, ctx.store))
    key = content_key(inputs)
    ctx = replace(ctx, device=distributed.start(ctx.device))
    finished = ctx.store.usable(WEIGHTS, key, whole=True)
    distributed.wait()
    if distributed.rank() == 0:
        _network(cell, inputs, ctx, {})
    elif not finished:  # train with the first process, which publishes and draws curves
        torch.manual_seed(cell.seed)
        network = architectures.create(cell.row)
        learn(cell, network, replace(ctx, tensorboard=None), ctx.store.work(WEIGHTS, key), {})
    distributed.stop()
    return key


def _network(cell: Cell, inputs: Inputs, ctx: RunContext, seconds: dict[str, float]) -> nn.Module:
    """Return the network with weights from a released file or the store; train it if they are missing."""
    torch.manual_seed(cell.seed)
    network = architectures.create(cell.row)
    if fault := contract_fault(network, cell.row):
        raise Problem(f"{cell.row.name} cannot be used for poses: {fault}.", **CONTRACT)
    if cell.weights:
        try:
            weight_files.load(network, Path(cell.weights), architectures.checkpoint_renamer(cell.row))
        except architectures.ArchitectureError as error:
            raise Problem(str(error), next_step="choose the row that the file was made for", code=DATA) from error
        return network
    key = content_key(inputs)
    if ctx.processes > 1:
        with ctx.store.lock(TORCHRUN, key, wait=True):
            if not ctx.store.usable(WEIGHTS, key, whole=True):
                train_with_torchrun(cell, ctx)
    folder = ctx.store.ensure(WEIGHTS, key, lambda: _train(cell, inputs, network, ctx, seconds))
    weight_files.load(network, folder / "weights.safetensors")
    seconds.setdefault("train", read_training(ctx.store, key).provenance.seconds["train"])
    return network


def _train(cell: Cell, inputs: Inputs, network: nn.Module, ctx: RunContext, seconds: dict[str, float]) -> None:
    """Train a network and publish its weights."""
    store, key = ctx.store, content_key(inputs)
    work = store.work(WEIGHTS, key)
    state = learn(cell, network, ctx, work, seconds)
    with store.publish(WEIGHTS, key) as folder:
        weight_files.save(network, folder / "weights.safetensors")
        if (work / BEST).exists():
            shutil.copyfile(work / BEST, folder / BEST)  # copied, since a kill after a move would lose it
        (folder / "history.csv").write_text(history_csv(state.history))
        made = provenance.record(ctx.device, seconds)
        record = TrainingRecord(cell.row.name, inputs, tuple(state.notes), made)
        (folder / TRAINING).write_bytes(to_json(record))


def _predictions(
    cell: Cell, inputs: Inputs, people: People | LabelledImages, ctx: RunContext, seconds: dict[str, float]
) -> Predictions:
    """Return predictions from the store; make them if they are missing."""
    key = content_key(inputs)
    ctx.store.ensure(PREDICTIONS, key, lambda: _predict(cell, inputs, people, ctx, seconds))
    earlier = read_prediction(ctx.store, key).provenance.seconds
    for name, value in earlier.items():
        seconds.setdefault(name, value)
    arrays = ctx.store.read_arrays(PREDICTIONS, key, "predictions.npz")
    return Predictions(arrays["keypoints"], arrays["scores"], source=cell.row.name)


def _predict(
    cell: Cell, inputs: Inputs, people: People | LabelledImages, ctx: RunContext, seconds: dict[str, float]
) -> None:
    """Predict, and publish the predictions."""
    store, key, recipe = ctx.store, content_key(inputs), recipes.load(cell.recipe_name)
    network = _network(cell, inputs["weights"], ctx, seconds)
    with timed(seconds, "predict"), progress.step(f"{cell.row.name} predicts {cell.dataset}/{cell.split}") as update:
        if isinstance(people, LabelledImages):
            predictions, maps = classify(network, people, recipe, ctx.device), b""
        else:
            work = store.work(PREDICTIONS, key)
            predictions = predict(network, people, recipe, cell.row.input, work, ctx.device, update, cell.fast)
            maps = attention(network, people, recipe, cell.row.input, ctx.device)
    with store.publish(PREDICTIONS, key) as folder:
        assert predictions.scores is not None  # of every network
        content = archive(keypoints=predictions.keypoints, scores=predictions.scores)
        (folder / "predictions.npz").write_bytes(content)
        if maps:
            (folder / ATTENTION).write_bytes(maps)
        record = PredictionRecord(cell.row.name, inputs, provenance.record(ctx.device, seconds))
        (folder / PREDICTION).write_bytes(to_json(record))
