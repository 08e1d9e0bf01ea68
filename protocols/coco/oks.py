"""Object keypoint similarity (OKS), and non-maximum suppression by it.

Source: pycocotools 2.0.11, COCOeval.computeOks. The operations and their order are the same, so that
the results are equal to the last bit; sums run over the labelled joints only, because numpy adds
in another order when zeros are in between.
"""

import numpy as np

from protocols.pose.skeletons import COCO

# pycocotools divides its list of tenths by ten, and 0.26 / 10 is not the float nearest to 0.026.
SIGMAS = np.round(np.array(COCO.sigmas) * 10, 2) / 10
VARIANCES = (SIGMAS * 2) ** 2
TINY = np.spacing(1)
BLOCK = 32_768  # pairs at a time: 17 joints in float64 stay within a few megabytes


def pair_oks(
    predicted: np.ndarray, truth: np.ndarray, labelled: np.ndarray, areas: np.ndarray, boxes: np.ndarray
) -> np.ndarray:
    """Compute the OKS of P pairs of a prediction and an annotated person.

    predicted, truth: P x 17 x 2, pixels. labelled: P x 17 bool, the joints that count. areas: P, square
    pixels of the annotated segment. boxes: P x 4 (x, y, width, height): a person without labelled joints
    is compared by the distance of all 17 points to this box, enlarged by its width and height on every side.
    """
    oks = np.empty(len(predicted))
    counts = labelled.sum(axis=1)
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        for block in np.split(rows, range(BLOCK, len(rows), BLOCK)):
            if count:
                offset = _labelled_offsets(predicted[block], truth[block], labelled[block], count)
                variances = np.broadcast_to(VARIANCES, (len(block), 17))[labelled[block]].reshape(len(block), count)
            else:
                offset, variances = _box_offsets(predicted[block], boxes[block]), VARIANCES
            oks[block] = _similarity(offset, variances, areas[block])
    return oks


def _labelled_offsets(predicted: np.ndarray, truth: np.ndarray, labelled: np.ndarray, count: int) -> np.ndarray:
    """Return prediction minus truth on the labelled joints, P x count x 2; every row has `count` of them."""
    return predicted[labelled].reshape(-1, count, 2) - truth[labelled].reshape(-1, count, 2)


def _box_offsets(predicted: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the distance of each point outside the enlarged box, P x 17 x 2; 0 inside."""
    low = boxes[:, None, :2] - boxes[:, None, 2:]
    high = boxes[:, None, :2] + boxes[:, None, 2:] * 2
    return np.maximum(0, low - predicted) + np.maximum(0, predicted - high)


def _similarity(offset: np.ndarray, variances: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the mean over K joints of exp(-d^2 / (2 variance area)), from offsets P x K x 2 and areas P."""
    squared = offset[..., 0] ** 2 + offset[..., 1] ** 2
    exponent = squared / variances / (areas[:, None] + TINY) / 2
    return np.sum(np.exp(-exponent), axis=1) / exponent.shape[1]


def oks_to_others(keypoints: np.ndarray, areas: np.ndarray, one: int, others: np.ndarray) -> np.ndarray:
    """Compute the OKS between prediction `one` and the predictions `others`, over all 17 joints.

    keypoints: N x 17 x 2, pixels; areas: N; the area of a pair is the mean of its two (HRNet, lib/nms/nms.py).
    """
    return _similarity(keypoints[others] - keypoints[one], VARIANCES, (areas[one] + areas[others]) / 2)


def nms(keypoints: np.ndarray, areas: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Return the rows of one image that survive, best first: each removes those whose OKS exceeds `threshold`.

    Of equal scores the later row is first, as in HRNet's reversed argsort.
    """
    order = scores.argsort()[::-1]
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[oks_to_others(keypoints, areas, best, order) <= threshold]
    return kept


def soft_nms(
    keypoints: np.ndarray, areas: np.ndarray, scores: np.ndarray, threshold: float, keep: int = 20
) -> list[int]:
    """Return the `keep` best rows of one image, each choice lowering the other scores by exp(-OKS^2 / threshold).

    As in HRNet the lowered scores only order the rows; results keep their original score.
    """
    order = scores.argsort()[::-1]
    scores = scores[order]
    kept = []
    while len(order) and len(kept) < keep:
        best, order = order[0], order[1:]
        kept.append(int(best))
        scores = scores[1:] * np.exp(-(oks_to_others(keypoints, areas, best, order) ** 2) / threshold)
        again = scores.argsort()[::-1]
        order, scores = order[again], scores[again]
    return kept


def rescore(box_scores: np.ndarray, keypoint_scores: np.ndarray, threshold: float | None) -> np.ndarray:
    """Compute instance scores (N) from box scores (N) and keypoint scores (N x 17).

    The score is the box score times the mean of the keypoint scores above `threshold` (strictly; 0 if there is
    none), or of all 17 if `threshold` is None.
    """
    if threshold is None:
        return box_scores * keypoint_scores.mean(axis=1)
    counted = keypoint_scores > threshold
    total = np.where(counted, keypoint_scores, 0.0).sum(axis=1)
    return box_scores * total / np.maximum(counted.sum(axis=1), 1)
