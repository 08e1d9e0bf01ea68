"""Fields that an annotation in COCO's format lacks or contradicts: filled in where they follow, said in any case."""

import numpy as np

NEAR = 1.05  # times the box: a segment cannot be larger, but for rounding
SMALL = 0.02  # times the box: no person's segment is as small
FRACTIONS = 1.5  # coordinates of a whole file that end here are no pixels


def fill(
    points: np.ndarray, boxes: np.ndarray, labelled: np.ndarray, sizes: np.ndarray, image: np.ndarray
) -> tuple[str, ...]:
    """Fill in what the keypoints say, in place, and return a sentence a field.

    points: M x 17 x 3; boxes: M x 4, NaN where missing; labelled: M, -1 where missing; sizes: I x 2, 0 where missing;
    image: M, the rows of `sizes`.
    """
    seen: np.ndarray = np.greater(points[..., 2], 0)
    words = []
    if (gone := labelled < 0).any():
        labelled[gone] = np.count_nonzero(seen, axis=1)[gone]
        words.append(f"num_keypoints is missing for {_of(gone)} people: counted from the flags of their joints.")
    if (gone := np.isnan(boxes[:, 0])).any():
        low = np.where(seen[..., None], points[..., :2], np.inf).min(axis=1)
        high = np.where(seen[..., None], points[..., :2], -np.inf).max(axis=1)
        around = np.concatenate([low, high - low], axis=1)
        empty = np.count_nonzero(seen, axis=1) == 0
        around[empty] = 0.0
        boxes[gone] = around[gone]
        nobody = int((gone & empty).sum())
        words.append(
            f"bbox is missing for {_of(gone)} people: the box around their joints is taken"
            + (f"; {nobody:,} without joints get an empty one, so that no result is ignored there." if nobody else ".")
        )
    if (gone := (sizes == 0).any(axis=1)).any():
        for row in np.flatnonzero(gone):
            mine = image == row
            reach = [*points[mine, :, :2].reshape(-1, 2), *(boxes[mine, :2] + boxes[mine, 2:]), np.zeros(2)]
            sizes[row] = np.ceil(np.max(reach, axis=0)).astype(np.int64) + 1
        words.append(f"width or height is missing for {_of(gone)} images: no score needs them.")
    return tuple(words)


def contradictions(
    points: np.ndarray, areas: np.ndarray, boxes: np.ndarray, labelled: np.ndarray, sizes: np.ndarray
) -> tuple[str, ...]:
    """Return a sentence for each way in which an annotation contradicts itself, with the people and the effect.

    sizes: M x 2, of the image of each person.
    """
    if not len(points):
        return ()
    seen = (points[..., 2] > 0).sum(axis=1)
    counted, of_box = labelled > 0, boxes[:, 2] * boxes[:, 3]
    words = []
    if not counted.any():
        words.append("num_keypoints is 0 for all people: OKS ignores them, and every AP is undefined.")
    elif (wrong := counted & (seen == 0)).any():
        words.append(f"{_of(wrong)} people have num_keypoints above 0 and no joint: each counts as missed.")
    if (wrong := ~counted & (seen > 0)).any() and counted.any():
        words.append(f"{_of(wrong)} people have joints, but num_keypoints 0: OKS ignores them.")
    if (wrong := counted & (seen > 0) & (labelled != seen)).any():
        words.append(
            f"num_keypoints is not the number of labelled joints for {_of(wrong)} people: no score depends on it."
        )
    if (wrong := counted & (areas <= 0)).any():
        words.append(f"area is 0 or less for {_of(wrong)} people: only an exact joint counts there, AP falls.")
    elif (wrong := counted & (areas < 1)).any():
        words.append(f"area is below one pixel for {_of(wrong)} people: fractions of the image? Hardly a joint counts.")
    else:
        known = counted & (of_box > 0)
        if (wrong := known & (areas > NEAR * of_box)).any():
            words.append(f"area is larger than the box for {_of(wrong)} people: OKS is too kind there, AP rises.")
        if (wrong := known & (areas < SMALL * of_box)).any():
            words.append(f"area is under a fiftieth of the box for {_of(wrong)} people: OKS is too strict, AP falls.")
    labelled_points = points[points[..., 2] > 0][:, :2]
    if len(labelled_points) and labelled_points.max() <= FRACTIONS and sizes.max() > FRACTIONS:
        words.append(
            "All keypoints lie within 0 and 1: fractions of the image and no pixels; no result in pixels fits."
        )
    return tuple(words)


def _of(which: np.ndarray) -> str:
    return f"{int(which.sum()):,} of {len(which):,}"
