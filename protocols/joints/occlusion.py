"""Covering one calf of every person with a disc of noise (Liu et al. 2018, table 4 and figure 8).

The paper says: test time only, a disc of random noise whose diameter is 80 % of the calf, the ankle not
hidden, one side. Our choices beyond that: one covered image a person; the disc in the middle of the calf; on the
original image, so that every network sees the same pixels; noise in squares of about a pixel of a 256-pixel crop,
because finer noise averages to grey when large people are scaled down.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from protocols.errors import DataError
from protocols.pose.crops import WINDOW
from protocols.pose.people import People

SIDES = ("left", "right")
MIN_CALF = 0.5  # head sizes; shorter calves point at the camera
RADIUS = 0.4  # of the calf
HEAD_BOXES, NECK_TO_TOP = "0.6 x diagonal of the head box", "upper neck to head top"  # definitions of the head size
JITTER = 0.1  # of the calf, total width: the disc still ends 0.05 calves before both joints


@dataclass(frozen=True)
class Occlusion:
    """Discs that cover calves; row i is person i. Pixels are those of the annotation."""

    side: np.ndarray  # N int: index in SIDES, -1 where no calf is covered
    centre: np.ndarray  # N x 2 float64, NaN where nothing is covered
    radius: np.ndarray  # N float64, NaN where nothing is covered
    other_knee: np.ndarray  # N bool: the disc also hides the knee of the other side
    other_ankle: np.ndarray  # N bool: the disc also hides the ankle of the other side
    eligible: np.ndarray  # N x 2 bool: calves that could be covered
    head_size: np.ndarray  # N float64, pixels
    head_rule: str  # HEAD_BOXES or NECK_TO_TOP


def occlude(people: People, seed: int = 0, *, jitter: bool = False) -> tuple[People, Occlusion]:
    """Cover one calf of each person; return the people with covered images, and the discs.

    A calf is eligible if both joints are annotated and it is at least half a head size long; people without one
    are not covered. Draws depend on the seed, the name of the image file and the index of the person in
    that image, so not on the order of images. Raises DataError for a skeleton without knees and ankles, and for
    people without head sizes.
    """
    sizes, head_rule = head_sizes(people)
    joints = calves(people)
    ends = people.keypoints[:, joints]  # N x 2 sides x (knee, ankle) x 2
    length = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=-1)
    with np.errstate(invalid="ignore"):
        eligible = people.annotated[:, joints].all(axis=-1) & (length >= MIN_CALF * sizes[:, None])
    keys = [(seed, *key) for key in _image_keys(people.images)]
    drawn = [_draw(key, np.flatnonzero(row), jitter) for key, row in zip(keys, eligible, strict=True)]
    side = np.array([drawn_side for drawn_side, _, _ in drawn], int)
    along = np.array([position for _, position, _ in drawn])

    row, covered, other = np.arange(len(people)), side >= 0, (side == 0).astype(int)
    knee, ankle = ends[row, side, 0], ends[row, side, 1]
    centre = np.where(covered[:, None], knee + along[:, None] * (ankle - knee), np.nan)
    radius = np.where(covered, RADIUS * length[row, side], np.nan)
    with np.errstate(invalid="ignore"):
        hidden = np.linalg.norm(ends[row, other] - centre[:, None], axis=-1) <= radius[:, None]
    hidden &= people.annotated[:, joints][row, other]
    occlusion = Occlusion(side, centre, radius, hidden[:, 0], hidden[:, 1], eligible, sizes, head_rule)

    def read_image(row: int) -> np.ndarray:
        image = people.read_image(row)
        if not covered[row]:
            return image
        generator = _draw(keys[row], np.flatnonzero(eligible[row]), jitter)[2]
        return cover(image, centre[row] - people.origin, radius[row], _grain(people, row), generator)

    return replace(people, read_image=read_image, fingerprint=f"{people.fingerprint} covered {seed}"), occlusion


def cover(
    image: np.ndarray,
    centre: np.ndarray | tuple[float, float],
    radius: float,
    grain: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return a copy of the image (H x W x 3 uint8) with noise in a disc of `radius` around `centre`.

    `centre` is (x, y), counted from 0. The noise is uniform, one draw for each square of `grain` pixels and each
    colour, also for squares outside the image.
    """
    corner = np.floor(np.asarray(centre) - radius).astype(int)
    squares = -(-(2 * int(np.ceil(radius)) + 2) // grain)
    noise = generator.integers(0, 256, size=(squares, squares, 3), dtype=np.uint8)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
    rows, columns = np.nonzero(inside)
    covered = image.copy()
    covered[rows, columns] = noise[(rows - corner[1]) // grain, (columns - corner[0]) // grain]
    return covered


def calves(people: People) -> list[list[int]]:
    """Return knee and ankle of each side, as joint indices."""
    try:
        return [[people.skeleton.index(f"{side}_{joint}") for joint in ("knee", "ankle")] for side in SIDES]
    except ValueError as error:
        raise DataError(
            what=f"The skeleton {people.skeleton.name} has no calves to cover.",
            expected="left and right knees and ankles",
            next_step="choose a dataset with legs: mannequin, mpii or lspet",
        ) from error


def head_sizes(people: People) -> tuple[np.ndarray, str]:
    """Return N head sizes in pixels (NaN where not annotated), and their definition.

    Without head boxes, the head size is the distance from the upper neck to the top of the head.
    """
    if people.head_size is not None:
        return people.head_size, HEAD_BOXES
    names = ("upper_neck", "head_top")
    if not set(names) <= set(people.skeleton.joints):
        raise DataError(
            what=f"{people.dataset}/{people.split} has no head sizes.",
            expected="head boxes, or the joints upper_neck and head_top",
            cause=f"the skeleton {people.skeleton.name} has neither",
            next_step="choose a dataset with heads: mannequin, mpii or lspet",
        )
    neck, top = map(people.skeleton.index, names)
    size = np.linalg.norm(people.keypoints[:, top] - people.keypoints[:, neck], axis=-1)
    annotated = people.annotated[:, [neck, top]].all(axis=-1) & (size > 0)
    return np.where(annotated, size, np.nan), NECK_TO_TOP


def _image_keys(images: Sequence[str]) -> list[tuple[int, int]]:
    """Return for each person the CRC32 of the image file's name, and the index of the person in that image."""
    people: Counter[str] = Counter()
    keys = []
    for image in images:
        keys.append((zlib.crc32(PurePosixPath(image).name.encode()), people[image]))
        people[image] += 1
    return keys


def _draw(key: tuple[int, int, int], eligible: np.ndarray, jitter: bool) -> tuple[int, float, np.random.Generator]:
    """Draw the side (-1 for none) and the position of the disc from knee 0 to ankle 1; return the generator, too."""
    generator = np.random.Generator(np.random.PCG64(key))
    side = int(eligible[generator.integers(len(eligible))]) if len(eligible) else -1
    offset = JITTER * (generator.random() - 0.5)
    return side, 0.5 + jitter * offset, generator


def _grain(people: People, row: int) -> int:
    """Return the side of a square of noise in pixels of the image: one pixel of a 256-pixel crop."""
    if not np.isfinite(people.scale[row]):
        raise DataError(
            what=f"{people.dataset}/{people.split}: person {row} has no scale.",
            expected="the scale of the person, which sets the grain of the noise",
            next_step="use an annotation file that has centre and scale",
        )
    return max(1, round(WINDOW * float(people.scale[row]) / 256))
