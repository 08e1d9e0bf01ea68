"""Pictures of predictions: the same people for every network, and the best, median and worst ones."""

import csv
import io

import cv2
import numpy as np

from protocols.errors import DataError
from protocols.pose.crops import crop, to_crop, windows
from protocols.pose.people import People, Predictions
from protocols.pose.skeletons import Skeleton

COUNT, COLUMNS, TILE = 24, 8, 160
# Right and left of the person, and the middle: colours that colour-blind readers can distinguish (Okabe and Ito).
COLOURS = {"right": (213, 94, 0), "left": (0, 158, 215), "": (240, 228, 66)}
TRUTH = (255, 255, 255)
GROUPS = ("best", "median", "worst")  # the rows of `extremes`


def pictures(people: People, predictions: Predictions) -> dict[str, bytes]:
    """Draw the pictures of a cell, by file name; none if the images are missing.

    gallery.webp: people evenly spaced over the split. The choice depends only on their number, so that the galleries
    of several networks can be compared. extremes.webp: a row each of the best, the median and the worst
    people by `errors`, the annotation in white; extremes.csv names them.
    """
    evenly = np.linspace(0, len(people) - 1, min(COUNT, len(people))).astype(int)
    found = errors(people, predictions)
    rows = extremes(found)
    try:
        files = {"gallery.webp": _grid(people, predictions, evenly, truth=False)}
        if rows is not None:
            files["extremes.webp"] = _grid(people, predictions, rows.ravel(), truth=True)
            files["extremes.csv"] = _extremes_csv(people, found, rows)
    except (DataError, OSError, cv2.error):  # scoring needs no images, pictures do
        return {}
    return files


def errors(people: People, predictions: Predictions) -> np.ndarray:
    """Mean distance of the annotated joints from their truth, in heights of the person's window: N, NaN without any."""
    distance = np.linalg.norm(predictions.keypoints - people.keypoints, axis=-1)  # N x J
    valid = people.annotated & np.isfinite(distance)
    total = np.where(valid, distance, 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return total / valid.sum(axis=1) / windows(people)[1]


def extremes(errors: np.ndarray) -> np.ndarray | None:
    """Rows of the best, the median and the worst people, 3 x COLUMNS, each from better to worse.

    None if there are too few people for three disjoint groups. Of equal errors the first counts as better.
    """
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]
    if len(order) < 3 * COLUMNS:
        return None
    middle = (len(order) - COLUMNS) // 2
    return np.stack([order[:COLUMNS], order[middle : middle + COLUMNS], order[-COLUMNS:]])


def draw(image: np.ndarray, joints: np.ndarray, skeleton: Skeleton, colour: tuple | None = None) -> np.ndarray:
    """Draw limbs between joints (J x 2 pixels) on an image (H x W x 3 uint8); joints at NaN are left out.

    colour: of all limbs; None for the colours of the sides.
    """
    canvas = image.copy()
    limit = 4 * max(image.shape)
    for first, second in skeleton.limbs:
        ends = joints[[skeleton.index(first), skeleton.index(second)]]
        if not np.isfinite(ends).all():
            continue
        side = next((word for word in ("right", "left") if first.startswith(word) or second.startswith(word)), "")
        one, two = ((8 * np.clip(ends, -limit, limit)).astype(int)).tolist()
        cv2.line(canvas, one, two, colour or COLOURS[side], thickness=2, lineType=cv2.LINE_AA, shift=3)
    return canvas


def webp(picture: np.ndarray) -> bytes:
    """Encode H x W x 3 uint8 RGB as WebP."""
    return cv2.imencode(".webp", picture[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()


def _grid(people: People, predictions: Predictions, rows: np.ndarray, truth: bool) -> bytes:
    """Draw crops of people, COLUMNS per row, with predicted skeletons; with `truth` also the annotated ones, below."""
    centre, height = windows(people)

    def in_crops(keypoints: np.ndarray) -> np.ndarray:
        return to_crop(keypoints[rows] - people.origin, centre[rows], height[rows], (TILE, TILE))

    annotated = in_crops(np.where(people.annotated[..., None], people.keypoints, np.nan))
    tiles = []
    for row, joints, true in zip(rows, in_crops(predictions.keypoints), annotated, strict=True):
        tile = crop(people.read_image(row), centre[row], float(height[row]), (TILE, TILE))
        if truth:
            tile = draw(tile, true, people.skeleton, TRUTH)
        tiles.append(draw(tile, joints, people.skeleton))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    lines = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
    return webp(np.concatenate(lines))


def _extremes_csv(people: People, errors: np.ndarray, rows: np.ndarray) -> bytes:
    """Format the people of `rows` with their errors as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "person", "image", "error"))
    for group, members in zip(GROUPS, rows, strict=True):
        writer.writerows((group, row, people.images[row], f"{errors[row]:.4f}") for row in members)
    return text.getvalue().encode()
