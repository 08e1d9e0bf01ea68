"""Annotation of a mannequin: position in the image, keypoints, visibility and boxes, as a human would mark them."""

from dataclasses import dataclass

import cv2
import numpy as np

from protocols.datasets.mannequin.body import FACE, PART, PARTS, POINTS, Projection, project
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE
from protocols.pose.skeletons import COCO, LSP, MPII

FRAME = 256  # side of the image in pixels of the annotation; it may be drawn at any size


@dataclass(frozen=True)
class Mannequin:
    """One annotated person, in pixels of the 256 x 256 image, counted from 0."""

    seed: int
    index: int
    keypoints: np.ndarray  # 16 x 2 float64, MPII order
    visibility: np.ndarray  # 16 uint8
    face: np.ndarray  # 5 x 2 float64: nose, eyes, ears in COCO's order
    face_visibility: np.ndarray  # 5 uint8
    joints: np.ndarray  # 16 x 3 float64, camera axes, body heights
    head_box: np.ndarray  # 4 float64: x1, y1, x2, y2
    centre: np.ndarray  # 2 float64: centre of the box, with an error up to 7 % of the height
    scale: float  # height of the standing person at this distance / 200, with an error up to 8 %
    box: np.ndarray  # 4 float64: x, y, width, height of the body inside the image
    area: float  # square pixels of the body inside the image
    body: Projection  # at its position in the image
    obstacles: np.ndarray  # M x 6: x, y, radius of the start and of the end, in front of the person

    @property
    def head_size(self) -> float:
        """Head size as on MPII: 0.6 x diagonal of the head box."""
        return 0.6 * float(np.hypot(*(self.head_box[2:] - self.head_box[:2])))

    def skeleton(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (J x 2) and visibility (J) of the skeleton `mpii`, `lsp` or `coco`."""
        if name == "mpii":
            return self.keypoints, self.visibility
        rows = _ROWS[name]
        points = np.concatenate((self.keypoints, self.face))
        return points[rows], np.concatenate((self.visibility, self.face_visibility))[rows]


_KEYPOINTS = (*MPII.joints, *FACE)
_ROWS = {s.name: np.array([_KEYPOINTS.index(joint) for joint in s.joints]) for s in (LSP, COCO)}
# Keypoint x part: whether the part can hide the keypoint.
_HIDES = np.array([[0.0 if k in part.joints else 1.0 for part in PARTS] for k in _KEYPOINTS])
_HIDES[:, [PART["left_eye"], PART["right_eye"]]] = 0.0
_HIDES[_KEYPOINTS.index("pelvis"), [PART["left_thigh"], PART["right_thigh"]]] = 0.0


def annotate(seed: int, index: int) -> Mannequin:
    """Return the person of scene (`seed`, `index`); geometry only, well below a millisecond."""
    rng = np.random.Generator(np.random.PCG64((seed, index)))
    body = _place(rng, project(rng, height=FRAME * (0.45 + 0.40 * rng.random())))
    obstacles = _obstacles(rng, body)
    points = body.points[: len(_KEYPOINTS)]
    visible = np.where(_hidden(body) | _covered(points, obstacles), OCCLUDED, VISIBLE)
    outside = ((points < -0.5) | (points > FRAME - 0.5)).any(axis=1)
    visible = np.where(outside, ABSENT, visible).astype(np.uint8)
    box, area = _silhouette(body)
    error = rng.random(3) - 0.5  # centre and scale marked by hand are off by a few per cent
    return Mannequin(
        seed=seed,
        index=index,
        keypoints=points[: len(MPII)],
        visibility=visible[: len(MPII)],
        face=points[len(MPII) :],
        face_visibility=visible[len(MPII) :],
        joints=body.space[: len(MPII)],
        head_box=_head_box(body),
        centre=box[:2] + box[2:] / 2 + 0.14 * body.height * error[:2],
        scale=body.height / 200.0 * (1.0 + 0.16 * error[2]),
        box=box,
        area=area,
        body=body,
        obstacles=obstacles,
    )


def _extent(capsules: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return upper left and lower right corner around capsules."""
    low = np.minimum(capsules[:, 0:2] - capsules[:, 3:4], capsules[:, 4:6] - capsules[:, 7:8])
    high = np.maximum(capsules[:, 0:2] + capsules[:, 3:4], capsules[:, 4:6] + capsules[:, 7:8])
    return low.min(axis=0), high.max(axis=0)


def _place(rng: np.random.Generator, body: Projection, beyond: float = 0.22) -> Projection:
    """Move the body into the image; one in five may cross the border by the share `beyond` of its extent."""
    low, high = _extent(body.capsules)
    side = high - low
    u = rng.random(3)
    margin = -beyond * side if u[0] < 0.2 else np.minimum(4.0, (FRAME - side) / 2)
    shift = margin - low + u[1:] * np.maximum(FRAME - 2 * margin - side, 0.0)
    return moved(body, shift)


def moved(body: Projection, shift: np.ndarray) -> Projection:
    """Return the body shifted in the image plane, as in another crop of the same photograph."""
    capsules = body.capsules.copy()
    capsules[:, 0:2] += shift
    capsules[:, 4:6] += shift
    return Projection(body.space, body.points + shift, body.height, capsules, body.flatness)


def _obstacles(rng: np.random.Generator, body: Projection) -> np.ndarray:
    """Draw the obstacles in front of the person, one in one scene of four: a pole, a plank, another limb."""
    if rng.random() > 0.25:
        return np.zeros((0, 6))
    u = rng.random(6)
    low, high = _extent(body.capsules)
    start = low + u[:2] * (high - low)
    angle, length = 2 * np.pi * u[2], body.height * (0.2 + 0.6 * u[3])
    end = start + length * np.array((np.cos(angle), np.sin(angle)))
    radius = body.height * (0.022 + 0.04 * u[4])
    return np.array([[*start, radius, *end, radius * (0.6 + 0.4 * u[5])]])


def _to_axes(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return position along and distance from each axis, two K x P arrays."""
    axis = end - start  # P x 2
    offset = points[:, None] - start  # K x P x 2
    along = (offset * axis).sum(axis=2) / np.maximum((axis * axis).sum(axis=1), 1e-9)
    along = np.minimum(np.maximum(along, 0.0), 1.0)
    return along, np.hypot(*np.moveaxis(offset - along[..., None] * axis, 2, 0))


def _hidden(body: Projection) -> np.ndarray:
    """Return K bool: the line of sight to a keypoint crosses another part, nearer by more than half its thickness."""
    capsules, count = body.capsules, len(_KEYPOINTS)
    along, distance = _to_axes(body.points[:count], capsules[:, 0:2], capsules[:, 4:6])
    radius = capsules[:, 3] + along * (capsules[:, 7] - capsules[:, 3])
    depth = capsules[:, 2] + along * (capsules[:, 6] - capsules[:, 2])
    own = body.space[:count, 2:] * body.height
    nearer = own - depth > 0.5 * radius * body.flatness
    return np.any((distance < radius) & nearer & (_HIDES > 0), axis=1)


def _covered(points: np.ndarray, obstacles: np.ndarray) -> np.ndarray:
    """Return K bool: an obstacle covers the point."""
    along, distance = _to_axes(points, obstacles[:, 0:2], obstacles[:, 3:5])
    return np.any(distance < obstacles[:, 2] + along * (obstacles[:, 5] - obstacles[:, 2]), axis=1)


_SKULL = [PART["head"], PART["hair"]]
_HEAD_JOINTS = [POINTS.index("upper_neck"), POINTS.index("head_top")]


def _head_box(body: Projection) -> np.ndarray:
    low, high = _extent(body.capsules[_SKULL])
    ends = body.points[_HEAD_JOINTS]
    return np.concatenate((np.minimum(low, ends.min(axis=0)), np.maximum(high, ends.max(axis=0))))


def silhouette(body: Projection) -> np.ndarray:
    """Return 256 x 256 uint8, 1 on the body, also behind obstacles."""
    mask = np.zeros((FRAME, FRAME), np.uint8)
    for x0, y0, _, r0, x1, y1, _, r1 in body.capsules.tolist():
        start, end = (round(x0), round(y0)), (round(x1), round(y1))
        cv2.line(mask, start, end, 1, max(1, round(r0 + r1)))
    return mask


def _silhouette(body: Projection) -> tuple[np.ndarray, float]:
    """Return box (x, y, width, height) and area of the body inside the image."""
    low, high = _extent(body.capsules)
    low, high = np.maximum(low, 0.0), np.minimum(high, FRAME - 1.0)
    return np.concatenate((low, high - low)), float(cv2.countNonZero(silhouette(body)))
