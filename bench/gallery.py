"""Pictures of predictions: the same people for every network, skeletons drawn on their crops."""

import cv2
import numpy as np

from protocols.crops import crop, to_crop, windows
from protocols.keypoints import Skeleton
from protocols.people import People, Predictions

COUNT, COLUMNS, TILE = 24, 8, 160
# Right and left of the person, and the middle: colours that colour-blind readers tell apart (Okabe and Ito).
COLOURS = {"right": (213, 94, 0), "left": (0, 158, 215), "": (240, 228, 66)}


def gallery(people: People, predictions: Predictions) -> bytes:
    """A grid of `COUNT` people, evenly spaced over the split, as WebP; empty where there are no images.

    The choice depends on the number of people alone, so that galleries can be laid side by side.
    """
    chosen = np.linspace(0, len(people) - 1, min(COUNT, len(people))).astype(int)
    centre, height = windows(people)
    points = to_crop(predictions.keypoints[chosen] - people.origin, centre[chosen], height[chosen], (TILE, TILE))
    tiles = []
    for row, joints in zip(chosen, points, strict=True):
        try:
            image = people.read_image(row)
        except Exception:  # scoring needs no images: without them there is nothing to show
            return b""
        tiles.append(draw(crop(image, centre[row], height[row], (TILE, TILE)), joints, people.skeleton))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    grid = np.concatenate([np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)])
    return cv2.imencode(".webp", grid[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()


def draw(image: np.ndarray, joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The image (H x W x 3 uint8) with limbs between the joints (J x 2 pixels)."""
    canvas = image.copy()
    limit = 4 * max(image.shape)
    place = [tuple(int(8 * value) for value in np.clip(joint, -limit, limit)) for joint in joints]
    for first, second in skeleton.limbs:
        side = next((word for word in ("right", "left") if first.startswith(word) or second.startswith(word)), "")
        ends = place[skeleton.index(first)], place[skeleton.index(second)]
        cv2.line(canvas, *ends, COLOURS[side], thickness=2, lineType=cv2.LINE_AA, shift=3)
    return canvas
