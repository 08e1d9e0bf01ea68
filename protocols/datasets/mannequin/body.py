"""Articulated people: a random 3-D pose within joint limits, projected by a perspective camera.

Lengths are in body heights. The axes of the body are x to its left, y down, z to its back; those of the camera x
to the right, y down, z away, so that an unrotated body faces the camera. Angles are in degrees.
"""

from dataclasses import dataclass
from math import cos, hypot, radians, sin
from typing import Any

import numpy as np

from protocols.pose.skeletons import COCO, MPII

FACE = COCO.joints[:5]
EXTRA = (
    "belly", "chest", "tie_low", "tie_high", "head_low", "head_high", "hair_low", "hair_high", "nose_root",
    "left_hand", "right_hand", "left_heel", "right_heel", "left_toe", "right_toe",
)  # fmt: skip
POINTS = (*MPII.joints, *FACE, *EXTRA)


@dataclass(frozen=True)
class Part:
    """Body part: a tapered capsule between two points; radii in body heights."""

    name: str
    start: str
    end: str
    radii: tuple[float, float]
    joints: tuple[str, ...] = ()  # inside it, so that it never hides them


def _sides(name: str, start: str, end: str, radii: tuple[float, float], *joints: str) -> tuple[Part, Part]:
    left, right = (
        Part(f"{side}_{name}", f"{side}_{start}", f"{side}_{end}", radii, tuple(f"{side}_{j}" for j in joints))
        for side in ("left", "right")
    )
    return left, right


_SHOULDERS = ("thorax", "upper_neck", "left_shoulder", "right_shoulder")
PARTS = (
    Part("torso", "belly", "chest", (0.070, 0.082), ("pelvis", "thorax", "upper_neck")),
    Part("hips", "left_hip", "right_hip", (0.062, 0.062), ("pelvis", "left_hip", "right_hip")),
    Part("shoulders", "left_shoulder", "right_shoulder", (0.040, 0.040), _SHOULDERS),
    Part("tie", "tie_low", "tie_high", (0.020, 0.014), (*MPII.joints, *FACE)),
    *_sides("thigh", "hip", "knee", (0.056, 0.036), "hip", "knee"),
    *_sides("shin", "knee", "ankle", (0.037, 0.023), "knee", "ankle"),
    *_sides("foot", "heel", "toe", (0.025, 0.020), "ankle"),
    *_sides("upper_arm", "shoulder", "elbow", (0.036, 0.026), "shoulder", "elbow"),
    *_sides("forearm", "elbow", "wrist", (0.027, 0.018), "elbow", "wrist"),
    *_sides("hand", "wrist", "hand", (0.020, 0.021), "wrist"),
    Part("neck", "thorax", "upper_neck", (0.032, 0.030), ("thorax", "upper_neck", "head_top")),
    Part("head", "head_low", "head_high", (0.044, 0.055), ("upper_neck", "head_top")),
    Part("hair", "hair_low", "hair_high", (0.048, 0.056), ("upper_neck", "head_top")),
    Part("nose", "nose_root", "nose", (0.007, 0.011), (*MPII.joints, *FACE)),
    *_sides("eye", "eye", "eye", (0.009, 0.009)),
)  # fmt: skip
PART = {part.name: i for i, part in enumerate(PARTS)}

# Angles of a pose with their joint limits. Left and right are independent.
LIMITS = {
    "pelvis_tilt": (-30, 60), "lean": (-25, 80), "side_bend": (-30, 30), "twist": (-40, 40),
    "nod": (-30, 40), "head_turn": (-60, 60), "head_tilt": (-25, 25),
    "hip_flexion": (-30, 120), "hip_abduction": (-15, 60), "hip_rotation": (-30, 40),
    "knee": (0, 145), "foot": (-40, 20),
    "arm_flexion": (-50, 180), "arm_abduction": (-10, 150), "arm_rotation": (-60, 90), "elbow": (0, 145),
}  # fmt: skip
_LEG = ("hip_flexion", "hip_abduction", "hip_rotation", "knee", "foot")
_ARM = ("arm_flexion", "arm_abduction", "arm_rotation", "elbow")
_TRUNK = ("pelvis_tilt", "lean", "side_bend", "twist", "nod", "head_turn", "head_tilt")

# Types of pose: (weight, (centre, half width) of each angle). Trunk, legs and each arm are drawn independently.
TRUNKS = (
    (0.60, ((0, 8), (4, 10), (0, 9), (0, 18), (5, 15), (0, 35), (0, 10))),  # upright
    (0.23, ((12, 12), (25, 18), (0, 15), (0, 22), (0, 20), (0, 35), (0, 12))),  # leaning
    (0.09, ((35, 20), (50, 22), (0, 15), (0, 15), (-5, 20), (0, 30), (0, 12))),  # bending down
    (0.08, ((-10, 12), (-12, 10), (0, 22), (0, 22), (-10, 15), (0, 35), (0, 12))),  # arching, reaching
)
_SITTING = ((82, 18), (10, 12), (5, 15), (80, 30), (0, 10))
_SQUATTING = ((92, 24), (22, 16), (15, 15), (108, 29), (5, 8))
_STANDING = ((2, 8), (4, 6), (5, 12), (4, 6), (0, 6))
_ASTRIDE = ((5, 15), (35, 18), (15, 18), (12, 14), (-10, 20))
LEGS = (
    (0.24, _STANDING, _STANDING),
    (0.22, ((25, 14), (2, 6), (3, 8), (15, 14), (0, 12)), ((-14, 12), (2, 6), (3, 8), (25, 22), (-10, 15))),  # walking
    (0.14, ((60, 25), (3, 6), (3, 8), (75, 35), (-5, 15)), ((-15, 14), (3, 6), (3, 8), (50, 45), (-20, 18))),  # running
    (0.14, _SITTING, _SITTING),
    (0.09, _SQUATTING, _SQUATTING),
    (0.09, _ASTRIDE, _ASTRIDE),
    (0.08, ((85, 30), (15, 20), (5, 20), (25, 25), (-15, 20)), ((-3, 12), (5, 8), (5, 12), (12, 14), (0, 8))),  # kick
)
ARMS = (
    (0.28, ((4, 14), (12, 8), (10, 22), (16, 14))),  # hanging
    (0.15, ((20, 18), (18, 10), (10, 25), (85, 20))),  # swinging
    (0.12, ((-8, 12), (42, 10), (55, 14), (85, 15))),  # hand on hip
    (0.18, ((158, 16), (18, 18), (0, 25), (22, 20))),  # raised
    (0.08, ((80, 16), (14, 14), (10, 25), (22, 20))),  # reaching forwards
    (0.12, ((5, 14), (85, 18), (10, 30), (20, 18))),  # spread
    (0.07, ((60, 20), (40, 20), (20, 25), (120, 14))),  # hand at the head
)


def _table(*angles: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = zip(*(LIMITS[angle] for angle in angles), strict=True)
    return np.array(low, float), np.array(high, float)


_LIMIT_ROWS = {angles: _table(*angles) for angles in (_TRUNK, _LEG, _ARM)}


def _pick(types: tuple[Any, ...], u: float) -> tuple[Any, ...]:  # rows of TRUNKS, LEGS or ARMS
    """Return the type at the quantile `u` of the weights."""
    for one in types:
        u -= one[0]
        if u < 0:
            return one
    return types[-1]


def sample_pose(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw angles in degrees: "trunk" (7), "left_leg", "right_leg" (5), "left_arm", "right_arm" (4)."""
    choice = rng.random(6)
    legs = _pick(LEGS, choice[1])[1:]
    first, second = legs if choice[2] < 0.5 else legs[::-1]
    left_arm = _pick(ARMS, choice[3])[1]
    right_arm = left_arm if choice[5] < 0.45 else _pick(ARMS, choice[4])[1]
    kinds = {
        "trunk": (_TRUNK, _pick(TRUNKS, choice[0])[1]),
        "left_leg": (_LEG, first),
        "right_leg": (_LEG, second),
        "left_arm": (_ARM, left_arm),
        "right_arm": (_ARM, right_arm),
    }
    pose = {}
    for name, (angles, kind) in kinds.items():
        centre, half_width = np.array(kind, float).T
        # A triangle about the centre: three of four draws lie within the half width, all within twice of it.
        spread = half_width * (rng.random(len(angles)) + rng.random(len(angles)) - 1.0) * 2.0
        low, high = _LIMIT_ROWS[angles]
        pose[name] = np.minimum(np.maximum(centre + spread, low), high)
    return pose


def turn(axis: str, degrees: float) -> np.ndarray:
    """Return the 3 x 3 rotation by the right-hand rule about x, y or z."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    if axis == "x":
        return np.array(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
    if axis == "y":
        return np.array(((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)))
    return np.array(((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)))


def skeleton(pose: dict[str, np.ndarray], build: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return POINTS in space (K x 3, the pelvis at the origin) and the axes of the chest (3 x 3).

    `build` (5) scales legs, arms, hips, shoulders and head relative to the lengths of Drillis and Contini (1966);
    `facing` (3 x 3) rotates the body.
    """
    legs, arms, hips, shoulders, head = build
    tilt, lean, bend, twist, nod, head_turn, head_tilt = pose["trunk"]
    pelvis = facing @ turn("x", tilt)
    chest = pelvis @ turn("x", lean) @ turn("z", bend) @ turn("y", twist)
    skull = chest @ turn("y", head_turn) @ turn("x", nod) @ turn("z", head_tilt)
    at = {"pelvis": np.zeros(3)}
    waist = pelvis @ (0, -0.07, 0)
    at["belly"] = pelvis @ (0, -0.055, 0)
    at["thorax"] = waist + chest @ (0, -0.215, 0)
    at["chest"] = waist + chest @ (0, -0.140, 0)
    at["tie_low"] = waist + chest @ (0, -0.060, -0.068)
    at["tie_high"] = waist + chest @ (0, -0.185, -0.066)
    at["upper_neck"] = at["thorax"] + (chest + skull) @ (0, -0.028, -0.004)
    for name, offset in _HEAD.items():
        at[name] = at["upper_neck"] + skull @ (head * offset)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        flexion, abduction, rotation, knee, foot = pose[side + "_leg"]
        thigh = pelvis @ turn("x", -flexion) @ turn("z", -sign * abduction) @ turn("y", -sign * rotation)
        shin = thigh @ turn("x", knee)
        sole = shin @ turn("x", -foot)
        at[side + "_hip"] = pelvis @ (sign * 0.058 * hips, 0, 0)
        at[side + "_knee"] = at[side + "_hip"] + thigh @ (0, 0.245 * legs, 0)
        at[side + "_ankle"] = at[side + "_knee"] + shin @ (0, 0.246 * legs, 0)
        at[side + "_heel"] = at[side + "_ankle"] + sole @ (0, 0.014, 0.020)
        at[side + "_toe"] = at[side + "_ankle"] + sole @ (0, 0.020, -0.095)
        flexion, abduction, rotation, elbow = pose[side + "_arm"]
        upper = chest @ turn("x", -flexion) @ turn("z", -sign * abduction) @ turn("y", sign * rotation)
        fore = upper @ turn("x", -elbow)
        at[side + "_shoulder"] = at["thorax"] + chest @ (sign * 0.112 * shoulders, 0.012, 0)
        at[side + "_elbow"] = at[side + "_shoulder"] + upper @ (0, 0.172 * arms, 0)
        at[side + "_wrist"] = at[side + "_elbow"] + fore @ (0, 0.150 * arms, 0)
        at[side + "_hand"] = at[side + "_wrist"] + fore @ (0, 0.048 * arms, 0)
    return np.array([at[name] for name in POINTS]), chest


# Points of the head from the upper neck, in the axes of the skull.
_HEAD = {
    name: np.array(offset)
    for name, offset in {
        "head_top": (0, -0.135, 0), "head_low": (0, -0.035, -0.012), "head_high": (0, -0.080, 0),
        "hair_low": (0, -0.058, 0.017), "hair_high": (0, -0.084, 0.008),
        "nose_root": (0, -0.062, -0.056), "nose": (0, -0.048, -0.066),
        "left_eye": (0.021, -0.072, -0.048), "right_eye": (-0.021, -0.072, -0.048),
        "left_ear": (0.052, -0.060, 0.0), "right_ear": (-0.052, -0.060, 0.0),
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Projection:
    """Body on the image plane, in pixels of the 256 x 256 image, relative to the optical axis."""

    space: np.ndarray  # K x 3, camera axes, body heights
    points: np.ndarray  # K x 2, pixels
    height: float  # of the standing person at this distance, pixels
    capsules: np.ndarray  # P x 8: x, y, depth, radius of the start and of the end, all in pixels
    flatness: np.ndarray  # P: thickness of a part along the line of sight / across it


_ENDS = np.array([[POINTS.index(part.start), POINTS.index(part.end)] for part in PARTS])
_RADII = np.array([part.radii for part in PARTS])
_THICKNESS = 0.066  # of the torso, front to back, half


def project(rng: np.random.Generator, height: float, upright: bool = False) -> Projection:
    """Draw a person whose standing height is `height` pixels; `upright` excludes somersaults."""
    pose = sample_pose(rng)
    build = 1.0 + np.array((0.06, 0.06, 0.15, 0.12, 0.08)) * (2.0 * rng.random(5) - 1.0)
    stout = 0.9 + 0.35 * rng.random()
    u = rng.random(5)
    roll = 360.0 * u[1] if u[0] < 0.06 and not upright else 30.0 * (u[1] - 0.5)
    aside = 2.0 * u[3] - 1.0
    yaw = 180.0 * aside * abs(aside) ** 1.6  # as in photographs: most face the camera, one in seven faces away
    facing = turn("x", 32.0 * u[2] - 8.0) @ turn("z", roll) @ turn("y", yaw)
    space, chest = skeleton(pose, build, facing)
    focal = 256.0 * (1.7 + 1.7 * u[4])
    space[:, 2] += focal / height
    points = space[:, :2] * (focal / space[:, 2:])
    radii = _RADII * stout
    flatness = np.ones(len(PARTS))
    radii[0], flatness[0] = _torso(points, chest, radii[0], stout)
    ends, depth = points[_ENDS], space[_ENDS, 2]  # P x 2 x 2, P x 2
    capsules = np.dstack((ends, depth * height, radii * focal / depth)).reshape(-1, 8)
    return Projection(space, points, height, capsules, flatness)


def _torso(points: np.ndarray, chest: np.ndarray, radii: np.ndarray, stout: float) -> tuple[np.ndarray, float]:
    """Return radii and flatness of the torso, an elliptic cylinder: wide from the front, narrow from the side."""
    x, y = points[POINTS.index("chest")] - points[POINTS.index("belly")]
    across = np.array((-y, x)) / max(hypot(x, y), 1e-6)
    wide, thick = across @ chest[:2, 0], across @ chest[:2, 2]
    seen = np.hypot(1.25 * radii * wide, _THICKNESS * stout * thick)
    seen = np.maximum(seen, _THICKNESS * stout)
    return seen, float(_THICKNESS * stout / seen.max())
