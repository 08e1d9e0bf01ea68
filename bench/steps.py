"""The steps of a cell: train, predict, score or measure; each is published as soon as it is finished."""

import json
import time
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
from bench.cell import Cell, training_inputs
from bench.gallery import gallery
from bench.plan import MISSING, Task
from bench.predict import archive, predict
from bench.prepare import Source, prepare
from bench.publish import publish_cell
from bench.store import PREDICTIONS, WEIGHTS, Store, content_key
from bench.train import History, fit, history_csv
from protocols.datasets import DATASETS, fingerprint, open_people
from protocols.keypoints import SKELETONS
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
    seconds: dict[str, float] = {}
    if task.cell.rules.needs == "network":
        _measure(task, bench, seconds)
        return
    people = open_people(task.cell.dataset, task.cell.split, bench.data, task.cell.skeleton)
    people = people.first(task.cell.limit) if task.cell.limit else people
    predictions = ensure_predictions(task, bench, people, seconds)
    with _timed(seconds, "score"):
        scores = score.score_predictions(task.cell.protocol, predictions, people, task.cell.options)
        pictures = gallery(people, predictions)
    publish_cell(task, bench.store, bench.device, scores, seconds, pictures)


def _measure(task: Task, bench: Bench, seconds: dict[str, float]) -> None:
    """A protocol that looks at a network alone."""
    cell = task.cell
    with _timed(seconds, "measure"), progress.step(cell.label):
        torch.manual_seed(cell.seed)
        with torch.device("meta" if cell.protocol == "complexity" else bench.device):
            network = architectures.create(cell.row)
        values = score.measure_network(cell, network)
    publish_cell(task, bench.store, bench.device, Scores(tuple(values)), seconds)


def train_only(
    bench: Bench, name: str, overrides: dict[str, Any], dataset: str, recipe: str, budget: str, seed: int
) -> dict[str, str]:
    """Train without predicting; returns the architecture's name and the path of the weights."""
    split = DATASETS[dataset].test if dataset in DATASETS else ""
    cell = Cell(name, "lsp-pck", dataset, split, overrides, recipe, budget, seed)
    inputs = training_inputs(cell, fingerprint(dataset, DATASETS[dataset].train, bench.data, cell.skeleton))
    task = Task(
        cell, MISSING, "", "train", inputs={"predictions": {"weights": inputs}}, weights_key=content_key(inputs)
    )
    ensure_weights(task, bench, {})
    return {"architecture": cell.row.name, "weights": str(bench.store.folder(WEIGHTS, task.weights_key))}


def ensure_weights(task: Task, bench: Bench, seconds: dict[str, float]) -> nn.Module:
    """The network with its weights: trained now, taken from the store, or read from a released file."""
    cell, store = task.cell, bench.store
    torch.manual_seed(cell.seed)
    network = architectures.create(cell.row)
    if cell.weights:
        weight_files.load(network, Path(cell.weights), architectures.renaming(cell.row))
        return network
    if not store.has(WEIGHTS, task.weights_key):
        with store.lock(WEIGHTS, task.weights_key, wait=True):
            if not store.has(WEIGHTS, task.weights_key):
                store.sweep(WEIGHTS, task.weights_key)
                _train(task, bench, network, seconds)
    weight_files.load(network, store.folder(WEIGHTS, task.weights_key) / "weights.safetensors")
    seconds.setdefault("train", store.read(WEIGHTS, task.weights_key, "training.json")["seconds"]["train"])
    return network


def _train(task: Task, bench: Bench, network: nn.Module, seconds: dict[str, float]) -> None:
    """Train and publish the weights."""
    cell, store = task.cell, bench.store
    row, loaded = cell.row, recipes.load(cell.recipe_name)
    source = Source(cell.dataset, DATASETS[cell.dataset].train, bench.data, cell.skeleton)
    history: History = []
    with _timed(seconds, "prepare"), progress.step(f"{source.dataset}/{source.split}: crops") as update:
        crops = prepare(store, source, row.input, update)
    with _timed(seconds, "train"), progress.step(f"{row.name} on {source.dataset}, seed {cell.seed}") as update:
        if hasattr(network, "fit"):
            network.fit(*crops.fractions())
        else:
            work = store.work(WEIGHTS, task.weights_key)
            skeleton = SKELETONS[cell.skeleton]
            history = fit(
                network, crops, loaded, cell.budget, row.input, skeleton, work, cell.seed, bench.device, update
            )
    seconds["train"] = history[-1][1] if history else seconds["train"]  # earlier tries included
    with store.publish(WEIGHTS, task.weights_key) as folder:
        weight_files.save(network, folder / "weights.safetensors")
        (folder / "history.csv").write_text(history_csv(history))
        document = {"architecture": row.name, "inputs": task.inputs["predictions"]["weights"]}
        (folder / "training.json").write_text(json.dumps(document | provenance.record(bench.device, seconds)))


def ensure_predictions(task: Task, bench: Bench, people: People, seconds: dict[str, float]) -> Predictions:
    """Predictions from the store, or made now."""
    cell, store = task.cell, bench.store
    if not store.has(PREDICTIONS, task.predictions_key):
        with store.lock(PREDICTIONS, task.predictions_key, wait=True):
            if not store.has(PREDICTIONS, task.predictions_key):
                store.sweep(PREDICTIONS, task.predictions_key)
                network = ensure_weights(task, bench, seconds)
                _predict(task, bench, network, people, seconds)
    place = store.folder(PREDICTIONS, task.predictions_key)
    earlier = store.read(PREDICTIONS, task.predictions_key, "prediction.json")["seconds"]
    for name, value in earlier.items():
        seconds.setdefault(name, value)
    with np.load(place / "predictions.npz", allow_pickle=False) as file:
        return Predictions(file["keypoints"], file["scores"], source=cell.row.name)


def _predict(task: Task, bench: Bench, network: nn.Module, people: People, seconds: dict[str, float]) -> None:
    """Predict and publish."""
    cell, store = task.cell, bench.store
    with _timed(seconds, "predict"), progress.step(f"{cell.row.name} predicts {cell.dataset}/{cell.split}") as update:
        work = store.work(PREDICTIONS, task.predictions_key)
        loaded = recipes.load(cell.recipe_name)
        predictions = predict(network, people, loaded, cell.row.input, work, bench.device, update)
    with store.publish(PREDICTIONS, task.predictions_key) as folder:
        content = archive(keypoints=predictions.keypoints, scores=predictions.scores)
        (folder / "predictions.npz").write_bytes(content)
        document = {"architecture": cell.row.name, "inputs": task.inputs["predictions"]}
        (folder / "prediction.json").write_text(json.dumps(document | provenance.record(bench.device, seconds)))


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started
