"""Records of trainings and predictions, stored with the weights and the predictions."""

import msgspec

from bench.store.digests import Inputs
from bench.store.provenance import Provenance
from bench.store.store import PREDICTIONS, WEIGHTS, Store

TRAINING, PREDICTION = "training.json", "prediction.json"


class TrainingRecord(msgspec.Struct, frozen=True):
    """Record of a finished training: the content of training.json."""

    architecture: str
    inputs: Inputs
    notes: tuple[str, ...]  # deviations from the recipe
    provenance: Provenance


class PredictionRecord(msgspec.Struct, frozen=True):
    """Record of finished predictions: the content of prediction.json."""

    architecture: str
    inputs: Inputs
    provenance: Provenance


def read_training(store: Store, key: str) -> TrainingRecord:
    """Read the record of a training. Raises Problem if another version wrote it."""
    return store.read(WEIGHTS, key, TRAINING, TrainingRecord)


def read_prediction(store: Store, key: str) -> PredictionRecord:
    """Read the record of predictions. Raises Problem if another version wrote it."""
    return store.read(PREDICTIONS, key, PREDICTION, PredictionRecord)
