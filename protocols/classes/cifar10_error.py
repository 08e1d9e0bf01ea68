"""CIFAR-10 top-1 error: the share of images whose highest score belongs to another class (Yang 2017, table 3)."""

import numpy as np

from protocols import Value
from protocols.datasets.cifar10 import CLASSES
from protocols.errors import DataError
from protocols.statistics.intervals import wilson
from protocols.statistics.scores import Scores


def score(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """Compute the error in per cent, over all images (part "all") and by true class, with 95 % Wilson intervals.

    `predictions` are scores (N x 10, any scale; the first of equal ones counts) or class numbers (N), `labels` the
    true class numbers (N). `samples["error"]` is 0 or 100 for each image, for paired differences.
    """
    predicted = _classes(np.asarray(predictions), len(labels))
    wrong = predicted != labels
    parts = {"all": np.ones(len(labels), bool)} | {name: labels == i for i, name in enumerate(CLASSES)}
    values = tuple(_error(part, wrong[members]) for part, members in parts.items() if members.any())
    warnings = ()
    if len(labels) > 1 and (predicted == predicted[0]).all():
        warnings = (f"Every image is predicted as {CLASSES[predicted[0]]}: the network may be untrained.",)
    return Scores(values, samples={"error": 100.0 * wrong}, warnings=warnings)


def _classes(predictions: np.ndarray, count: int) -> np.ndarray:
    """Return N class numbers from scores or from class numbers."""
    if predictions.shape not in ((count,), (count, len(CLASSES))) or count == 0:
        raise DataError(
            f"The predictions have the shape {'x'.join(map(str, predictions.shape))}.",
            f"{count} x {len(CLASSES)} scores, or {count} class numbers, in the order of the images",
            "another split, or a part of it",
            "predict every image of the split",
        )
    if not np.isfinite(predictions).all():
        bad = int((~np.isfinite(predictions).reshape(count, -1).all(1)).sum())
        raise DataError(
            f"The predictions of {bad} images are not finite.",
            "numbers",
            "training diverged, or a division by zero",
            "lower the learning rate, or look at the weights",
        )
    if predictions.ndim == 2:
        return predictions.argmax(1)
    classes = predictions.astype(np.int64)
    if (classes != predictions).any() or classes.min() < 0 or classes.max() >= len(CLASSES):
        raise DataError(
            f"The predicted classes run from {predictions.min():g} to {predictions.max():g}.",
            f"whole numbers from 0 to {len(CLASSES) - 1}",
            "classes counted from 1, or scores of one class only",
            "count classes from 0",
        )
    return classes


def _error(part: str, wrong: np.ndarray) -> Value:
    low, high = wilson(int(wrong.sum()), len(wrong))
    return Value("error", part, 100 * float(wrong.mean()), "%", len(wrong), 100 * low, 100 * high)
