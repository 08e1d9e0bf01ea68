"""The annotation of a mannequin: where the person stands in the frame and what a human would have marked."""

from dataclasses import dataclass

import cv2
import numpy as np

from protocols.datasets.mannequin.body import FACE, PART, PARTS, POINTS, Projection, project
from protocols.pose.people import ABSENT, OCCLUDED, VISIBLE
from protocols.pose.skeletons import COCO, LSP, MPII

FRAME = 256  # annotations are in pixels of a frame of this side; drawings may have any


@dataclass(frozen=True)
class Mannequin:
    """One annotated person; pixels of the 256-pixel frame, the first pixel's centre at (0, 0)."""

    seed: int
    index: int
    keypoints: np.ndarray  # 16 x 2 float64, MPII order
    visibility: np.ndarray  # 16 uint8
    face: np.ndarray  # 5 x 2 float64: nose, eyes, ears in COCO's order
    face_visibility: np.ndarray  # 5 uint8
    joints: np.ndarray  # 16 x 3 float64, camera axes, body heights
    head_box: np.ndarray  # 4 float64: x1, y1, x2, y2
    centre: np.ndarray  # 2 float64, within 7 % of the height of the middle of the box
    scale: float  # height of the standing person at this distance / 200, within 8 %
    box: np.ndarray  # 4 float64: x, y, width, height of the body inside the image
    area: float  # square pixels of the body inside the image
    body: Projection  # for drawing; already moved to its place
    obstacles: np.ndarray  # M x 6: x, y, radius of the start and of the end, in front of the person

    @property
    def head_size(self) -> float:
        """0.6 x diagonal of the head box, as MPII has it."""
        return 0.6 * float(np.hypot(*(self.head_box[2:] - self.head_box[:2])))

    def skeleton(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (J x 2) and visibility (J) of the skeleton `mpii`, `lsp` or `coco`."""
        if name == "mpii":
            return self.keypoints, self.visibility
        rows = _ROWS[name]
        points = np.concatenate((self.keypoints, self.face))
        return points[rows], np.concatenate((self.visibility, self.face_visibility))[rows]


_KEYPOINTS = (*MPII.joints, *FACE)
_ROWS = {s.name: np.array([_KEYPOINTS.index(joint) for joint in s.joints]) for s in (LSP, COCO)}
_BEHIND = np.array([[0.0 if k in part.joints else 1.0 for part in PARTS] for k in _KEYPOINTS])
_BEHIND[:, [PART["left_eye"], PART["right_eye"]]] = 0.0
_BEHIND[_KEYPOINTS.index("pelvis"), [PART["left_thigh"], PART["right_thigh"]]] = 0.0


def annotate(seed: int, index: int) -> Mannequin:
    """The person of scene (`seed`, `index`); geometry only, well below a millisecond."""
    rng = np.random.Generator(np.random.PCG64((seed, index)))
    body = _place(rng, project(rng, height=FRAME * (0.45 + 0.40 * rng.random())))
    obstacles = _obstacles(rng, body)
    points = body.points[: len(_KEYPOINTS)]
    visible = np.where(_hidden(body) | _covered(points, obstacles), OCCLUDED, VISIBLE)
    outside = ((points < -0.5) | (points > FRAME - 0.5)).any(axis=1)
    visible = np.where(outside, ABSENT, visible).astype(np.uint8)
    box, area = _silhouette(body)
    slip = rng.random(3) - 0.5  # people who mark centre and scale by hand are off by a few per cent
    return Mannequin(
        seed=seed,
        index=index,
        keypoints=points[: len(MPII)],
        visibility=visible[: len(MPII)],
        face=points[len(MPII) :],
        face_visibility=visible[len(MPII) :],
        joints=body.space[: len(MPII)],
        head_box=_head_box(body),
        centre=box[:2] + box[2:] / 2 + 0.14 * body.height * slip[:2],
        scale=body.height / 200.0 * (1.0 + 0.16 * slip[2]),
        box=box,
        area=area,
        body=body,
        obstacles=obstacles,
    )


def _extent(capsules: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper left and lower right corner around capsules."""
    low = np.minimum(capsules[:, 0:2] - capsules[:, 3:4], capsules[:, 4:6] - capsules[:, 7:8])
    high = np.maximum(capsules[:, 0:2] + capsules[:, 3:4], capsules[:, 4:6] + capsules[:, 7:8])
    return low.min(axis=0), high.max(axis=0)


def _place(rng: np.random.Generator, body: Projection, beyond: float = 0.22) -> Projection:
    """Move the body into the frame; one in five may reach beyond the border by the share `beyond` of its extent."""
    low, high = _extent(body.capsules)
    side = high - low
    u = rng.random(3)
    margin = -beyond * side if u[0] < 0.2 else np.minimum(4.0, (FRAME - side) / 2)
    shift = margin - low + u[1:] * np.maximum(FRAME - 2 * margin - side, 0.0)
    return moved(body, shift)


def moved(body: Projection, shift: np.ndarray) -> Projection:
    """The same body elsewhere in the image, as if cut from a larger photograph."""
    capsules = body.capsules.copy()
    capsules[:, 0:2] += shift
    capsules[:, 4:6] += shift
    return Projection(body.space, body.points + shift, body.height, capsules, body.flatness)


def _obstacles(rng: np.random.Generator, body: Projection) -> np.ndarray:
    """One scene in four has something in front of the person: a pole, a plank, a stranger's limb."""
    if rng.random() > 0.25:
        return np.zeros((0, 6))
    u = rng.random(6)
    low, high = _extent(body.capsules)
    start = low + u[:2] * (high - low)
    angle, length = 2 * np.pi * u[2], body.height * (0.2 + 0.6 * u[3])
    end = start + length * np.array((np.cos(angle), np.sin(angle)))
    radius = body.height * (0.022 + 0.04 * u[4])
    return np.array([[*start, radius, *end, radius * (0.6 + 0.4 * u[5])]])


def _across(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position along and distance from each axis: two K x P arrays."""
    axis = end - start  # P x 2
    offset = points[:, None] - start  # K x P x 2
    along = (offset * axis).sum(axis=2) / np.maximum((axis * axis).sum(axis=1), 1e-9)
    along = np.minimum(np.maximum(along, 0.0), 1.0)
    return along, np.hypot(*np.moveaxis(offset - along[..., None] * axis, 2, 0))


def _hidden(body: Projection) -> np.ndarray:
    """K bool: the line of sight to a keypoint crosses another part, nearer by more than half its thickness."""
    capsules, count = body.capsules, len(_KEYPOINTS)
    along, distance = _across(body.points[:count], capsules[:, 0:2], capsules[:, 4:6])
    radius = capsules[:, 3] + along * (capsules[:, 7] - capsules[:, 3])
    depth = capsules[:, 2] + along * (capsules[:, 6] - capsules[:, 2])
    own = body.space[:count, 2:] * body.height
    nearer = own - depth > 0.5 * radius * body.flatness
    return ((distance < radius) & nearer & (_BEHIND > 0)).any(axis=1)


def _covered(points: np.ndarray, obstacles: np.ndarray) -> np.ndarray:
    along, distance = _across(points, obstacles[:, 0:2], obstacles[:, 3:5])
    return (distance < obstacles[:, 2] + along * (obstacles[:, 5] - obstacles[:, 2])).any(axis=1)


_SKULL = [PART["head"], PART["hair"]]
_HEAD_JOINTS = [POINTS.index("upper_neck"), POINTS.index("head_top")]


def _head_box(body: Projection) -> np.ndarray:
    low, high = _extent(body.capsules[_SKULL])
    ends = body.points[_HEAD_JOINTS]
    return np.concatenate((np.minimum(low, ends.min(axis=0)), np.maximum(high, ends.max(axis=0))))


def silhouette(body: Projection) -> np.ndarray:
    """256 x 256 uint8, 1 on the body; obstacles do not cut it."""
    mask = np.zeros((FRAME, FRAME), np.uint8)
    for x0, y0, _, r0, x1, y1, _, r1 in body.capsules.tolist():
        start, end = (round(x0), round(y0)), (round(x1), round(y1))
        cv2.line(mask, start, end, 1, max(1, round(r0 + r1)))
    return mask


def _silhouette(body: Projection) -> tuple[np.ndarray, float]:
    """Box (x, y, width, height) and area of the body inside the image."""
    low, high = _extent(body.capsules)
    low, high = np.maximum(low, 0.0), np.minimum(high, FRAME - 1.0)
    return np.concatenate((low, high - low)), float(cv2.countNonZero(silhouette(body)))
