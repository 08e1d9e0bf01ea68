"""The steps of a cell: train, predict, score or measure; each is published as soon as it is finished."""

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import architectures
from architectures import weights as weight_files
from bench import progress, provenance, score
from bench import recipe as recipes
from bench.cell import CLEAN, COVERED, Cell, weights_inputs
from bench.gallery import gallery
from bench.listing import place
from bench.plan import Task
from bench.predict import archive, predict
from bench.prepare import Source, prepare
from bench.publish import publish_cell
from bench.store import PREDICTIONS, WEIGHTS, Store, content_key
from bench.train import History, Training, fit, history_csv
from protocols import occluded_limb
from protocols.datasets import DATASETS, fingerprint, open_people
from protocols.keypoints import SKELETONS
from protocols.occlusion import occlude
from protocols.people import People, Predictions
from protocols.scores import Scores


@dataclass(frozen=True)
class Bench:
    """Where a run takes place."""

    store: Store
    data: Path
    device: str
    debug: bool = False  # let unexpected errors through, with their traceback


def finish(task: Task, bench: Bench) -> None:
    """All the steps that a cell still needs."""
    cell = task.cell
    seconds: dict[str, float] = {}
    if cell.rules.needs == "network":
        scores, pictures = _measure(cell, bench, seconds), b""
    else:
        people = open_people(cell.dataset, cell.split, bench.data, cell.skeleton, cell.limit)
        predictions = _predictions(cell, task.inputs[CLEAN], people, bench, seconds)
        if COVERED in task.inputs:
            scores, pictures = _score_covered(task, people, predictions, bench, seconds)
        else:
            with _timed(seconds, "score"):
                scores = score.score_predictions(cell.protocol, predictions, people, cell.options)
            pictures = gallery(people, predictions)
    publish_cell(task, bench.store, bench.device, scores, seconds, pictures)


def _measure(cell: Cell, bench: Bench, seconds: dict[str, float]) -> Scores:
    """A protocol that looks at a network alone."""
    with _timed(seconds, "measure"), progress.step(cell.label), warnings.catch_warnings(record=True) as caught:
        torch.manual_seed(cell.seed)
        with torch.device("meta" if cell.protocol == "complexity" else "cpu"):
            network = architectures.create(cell.row)
        values = score.measure_network(cell, network, bench.device)
    return Scores(tuple(values), warnings=tuple(str(warning.message) for warning in caught))


def _score_covered(
    task: Task, people: People, clean: Predictions, bench: Bench, seconds: dict[str, float]
) -> tuple[Scores, bytes]:
    """The occluded-limb protocol: the same people once more, a calf of each covered, and both compared."""
    options = dict(task.cell.options)
    covered, occlusion = occlude(people, options.pop("cover", 0))
    predictions = _predictions(task.cell, task.inputs[COVERED], covered, bench, seconds)
    with _timed(seconds, "score"):
        scores = occluded_limb.score(clean, predictions, people, occlusion, **options)
    return scores, gallery(covered, predictions)


def train_only(
    bench: Bench, name: str, overrides: dict[str, Any], dataset: str, recipe: str, budget: str, seed: int
) -> dict[str, str]:
    """Train without predicting; returns the architecture's name and the path of the weights."""
    dataset = place(dataset)[0]
    cell = Cell(name, "", dataset, "", overrides, recipe, budget, seed)
    inputs = weights_inputs(cell, fingerprint(dataset, DATASETS[dataset].train, bench.data, cell.skeleton))
    _network(cell, inputs, bench, {})
    return {"architecture": cell.row.name, "weights": str(bench.store.folder(WEIGHTS, content_key(inputs)))}


def _network(cell: Cell, inputs: dict[str, Any], bench: Bench, seconds: dict[str, float]) -> nn.Module:
    """The network with its weights: read from a released file, taken from the store, or trained now."""
    torch.manual_seed(cell.seed)
    network = architectures.create(cell.row)
    if cell.weights:
        weight_files.load(network, Path(cell.weights), architectures.renaming(cell.row))
        return network
    key = content_key(inputs)
    folder = bench.store.ensure(WEIGHTS, key, lambda: _train(cell, inputs, network, bench, seconds))
    weight_files.load(network, folder / "weights.safetensors")
    seconds.setdefault("train", bench.store.read(WEIGHTS, key, "training.json")["seconds"]["train"])
    return network


def _train(cell: Cell, inputs: dict[str, Any], network: nn.Module, bench: Bench, seconds: dict[str, float]) -> None:
    """Train and publish the weights."""
    store, row, key, recipe = bench.store, cell.row, content_key(inputs), recipes.load(cell.recipe_name)
    limit = recipe.budgeted(cell.budget).people
    source = Source(cell.dataset, DATASETS[cell.dataset].train, bench.data, cell.skeleton, limit)
    history: History = []
    with _timed(seconds, "prepare"), progress.step(f"{source.dataset}/{source.split}: crops") as update:
        crops = prepare(store, source, row.input, update)
    with _timed(seconds, "train"), progress.step(f"{row.name} on {source.dataset}, seed {cell.seed}") as update:
        if hasattr(network, "fit"):  # a baseline without gradients
            network.fit(torch.from_numpy(crops.fractions()), torch.from_numpy(crops.annotated))
        else:
            task = Training(recipe, cell.budget, row.input, SKELETONS[cell.skeleton], cell.seed, bench.device)
            history = fit(network, crops, task, store.work(WEIGHTS, key), update)
    if history:
        seconds["train"] = history[-1][1]  # earlier tries included
    with store.publish(WEIGHTS, key) as folder:
        weight_files.save(network, folder / "weights.safetensors")
        (folder / "history.csv").write_text(history_csv(history))
        document = {"architecture": row.name, "inputs": inputs}
        (folder / "training.json").write_text(json.dumps(document | provenance.record(bench.device, seconds)))


def _predictions(
    cell: Cell, inputs: dict[str, Any], people: People, bench: Bench, seconds: dict[str, float]
) -> Predictions:
    """Predictions from the store, or made now."""
    key = content_key(inputs)
    folder = bench.store.ensure(PREDICTIONS, key, lambda: _predict(cell, inputs, people, bench, seconds))
    earlier = bench.store.read(PREDICTIONS, key, "prediction.json")["seconds"]
    for name, value in earlier.items():
        seconds.setdefault(name, value)
    with np.load(folder / "predictions.npz", allow_pickle=False) as file:
        return Predictions(file["keypoints"], file["scores"], source=cell.row.name)


def _predict(cell: Cell, inputs: dict[str, Any], people: People, bench: Bench, seconds: dict[str, float]) -> None:
    """Predict and publish."""
    store, key, recipe = bench.store, content_key(inputs), recipes.load(cell.recipe_name)
    network = _network(cell, inputs["weights"], bench, seconds)
    with _timed(seconds, "predict"), progress.step(f"{cell.row.name} predicts {cell.dataset}/{cell.split}") as update:
        work = store.work(PREDICTIONS, key)
        predictions = predict(network, people, recipe, cell.row.input, work, bench.device, update)
    with store.publish(PREDICTIONS, key) as folder:
        content = archive(keypoints=predictions.keypoints, scores=predictions.scores)
        (folder / "predictions.npz").write_bytes(content)
        document = {"architecture": cell.row.name, "inputs": inputs}
        (folder / "prediction.json").write_text(json.dumps(document | provenance.record(bench.device, seconds)))


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started
