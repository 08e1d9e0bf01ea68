"""Records of trainings and predictions, beside the weights and the predictions in the store."""

from typing import Any

import msgspec

from bench.store.provenance import Provenance
from bench.store.store import PREDICTIONS, WEIGHTS, Store

TRAINING, PREDICTION = "training.json", "prediction.json"


class TrainingRecord(msgspec.Struct, frozen=True):
    """A finished training: all of training.json."""

    architecture: str
    inputs: dict[str, Any]  # the nested data that its key hashes
    notes: tuple[str, ...]  # what it did otherwise than the recipe says
    provenance: Provenance


class PredictionRecord(msgspec.Struct, frozen=True):
    """Finished predictions: all of prediction.json."""

    architecture: str
    inputs: dict[str, Any]  # the nested data that its key hashes
    provenance: Provenance


def read_training(store: Store, key: str) -> TrainingRecord:
    """The record of a finished training. Raises Problem for one that another version wrote."""
    return store.read(WEIGHTS, key, TRAINING, TrainingRecord)


def read_prediction(store: Store, key: str) -> PredictionRecord:
    """The record of finished predictions. Raises Problem for one that another version wrote."""
    return store.read(PREDICTIONS, key, PREDICTION, PredictionRecord)
