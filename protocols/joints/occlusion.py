"""Covering one calf of every person with a disc of noise (Liu et al. 2018, table 4 and figure 8).

The paper says: test time only, a disc of random noise whose diameter is 80 % of the calf, the ankle not
hidden, one side. The rest is this suite's choice: one copy of the image a person; the disc in the
middle of the calf; on the original image, so that every network sees the same pixels; noise in cells
that are about a pixel of a 256-pixel crop, because finer noise turns grey when large people are scaled down.
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
SHORTEST = 0.5  # of a head size; shorter calves point at the camera
RADIUS = 0.4  # of the calf
HEAD_BOXES, NECK_TO_TOP = "0.6 x diagonal of the head box", "upper neck to head top"  # where head sizes come from
JITTER = 0.1  # of the calf, total width: the disc then still ends 0.05 calves before both joints


@dataclass(frozen=True)
class Occlusion:
    """What was covered; row i for person i. Pixels are those of the annotation."""

    side: np.ndarray  # N int: index in SIDES, -1 for nobody's calf
    centre: np.ndarray  # N x 2 float64, NaN where nothing is covered
    radius: np.ndarray  # N float64, NaN where nothing is covered
    other_knee: np.ndarray  # N bool: the disc also hides the knee of the other side
    other_ankle: np.ndarray  # N bool: or its ankle
    eligible: np.ndarray  # N x 2 bool: calves that could have been chosen
    head_size: np.ndarray  # N float64, pixels
    head_rule: str  # HEAD_BOXES or NECK_TO_TOP


def occlude(people: People, seed: int = 0, *, jitter: bool = False) -> tuple[People, Occlusion]:
    """The same people with one calf each covered, and what was covered.

    A calf is eligible with both joints annotated and at least half a head size long; people without one
    stay as they are. What is drawn depends on the seed, the name of the image file and the person's place
    among the people of that image, so not on the order of images. Raises DataError for a skeleton
    without knees and ankles, and for people whose heads have no size.
    """
    sizes, head_rule = head_sizes(people)
    joints = calves(people)
    ends = people.keypoints[:, joints]  # N x 2 sides x (knee, ankle) x 2
    length = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=-1)
    with np.errstate(invalid="ignore"):
        eligible = people.annotated[:, joints].all(axis=-1) & (length >= SHORTEST * sizes[:, None])
    keys = [(seed, *key) for key in _places(people.images)]
    drawn = [_draw(key, np.flatnonzero(row), jitter) for key, row in zip(keys, eligible, strict=True)]
    side = np.array([chosen for chosen, _, _ in drawn], int)
    along = np.array([place for _, place, _ in drawn])

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
        return cover(image, centre[row] - people.origin, radius[row], _cell(people, row), generator)

    return replace(people, read_image=read_image, fingerprint=f"{people.fingerprint} covered {seed}"), occlusion


def cover(
    image: np.ndarray, centre: np.ndarray, radius: float, cell: int, generator: np.random.Generator
) -> np.ndarray:
    """A copy of the image (H x W x 3 uint8) with noise wherever the distance to `centre` is at most `radius`.

    `centre` is (x, y) with the first pixel at 0; the noise is uniform, one draw a cell of `cell` pixels
    and colour, and the same whatever of the disc lies outside the image.
    """
    corner = np.floor(np.asarray(centre) - radius).astype(int)
    cells = -(-(2 * int(np.ceil(radius)) + 2) // cell)
    noise = generator.integers(0, 256, size=(cells, cells, 3), dtype=np.uint8)
    y, x = np.indices(image.shape[:2], sparse=True)
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
    rows, columns = np.nonzero(inside)
    covered = image.copy()
    covered[rows, columns] = noise[(rows - corner[1]) // cell, (columns - corner[0]) // cell]
    return covered


def calves(people: People) -> list[list[int]]:
    """The knee and ankle of each side, as joint indices."""
    try:
        return [[people.skeleton.index(f"{side}_{joint}") for joint in ("knee", "ankle")] for side in SIDES]
    except ValueError as error:
        raise DataError(
            what=f"The skeleton {people.skeleton.name} has no calves to cover.",
            expected="left and right knees and ankles",
            next_step="score a dataset with legs: mannequin, mpii or lspet",
        ) from error


def head_sizes(people: People) -> tuple[np.ndarray, str]:
    """N head sizes in pixels (NaN where unknown), and the rule they follow.

    Where the dataset has no head boxes: the distance from the upper neck to the top of the head.
    """
    if people.head_size is not None:
        return people.head_size, HEAD_BOXES
    names = ("upper_neck", "head_top")
    if not set(names) <= set(people.skeleton.joints):
        raise DataError(
            what=f"{people.dataset}/{people.split} has no head sizes.",
            expected="head boxes, or the joints upper_neck and head_top",
            cause=f"the skeleton {people.skeleton.name} has neither",
            next_step="score a dataset with heads: mannequin, mpii or lspet",
        )
    neck, top = map(people.skeleton.index, names)
    size = np.linalg.norm(people.keypoints[:, top] - people.keypoints[:, neck], axis=-1)
    known = people.annotated[:, [neck, top]].all(axis=-1) & (size > 0)
    return np.where(known, size, np.nan), NECK_TO_TOP


def _places(images: Sequence[str]) -> list[tuple[int, int]]:
    """CRC32 of the file's name, and the person's place among the people of that file."""
    seen: Counter[str] = Counter()
    keys = []
    for image in images:
        keys.append((zlib.crc32(PurePosixPath(image).name.encode()), seen[image]))
        seen[image] += 1
    return keys


def _draw(key: tuple[int, int, int], eligible: np.ndarray, jitter: bool) -> tuple[int, float, np.random.Generator]:
    """Side (-1 for none), place of the disc along the calf (0 knee, 1 ankle), and the generator of the noise."""
    generator = np.random.Generator(np.random.PCG64(key))
    side = int(eligible[generator.integers(len(eligible))]) if len(eligible) else -1
    offset = JITTER * (generator.random() - 0.5)
    return side, 0.5 + jitter * offset, generator


def _cell(people: People, row: int) -> int:
    """Side of a noise cell in pixels of the image: one pixel of a 256-pixel crop."""
    if not np.isfinite(people.scale[row]):
        raise DataError(
            what=f"{people.dataset}/{people.split}: person {row} has no scale.",
            expected="the scale of the person, by which the grain of the noise is chosen",
            next_step="use an annotation file that has centre and scale",
        )
    return max(1, round(WINDOW * float(people.scale[row]) / 256))
