"""Backgrounds of mannequins: walls, floors, furniture, foliage, poles, loose limbs."""

import cv2
import numpy as np


def colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a random colour, RGB 0..255, float32, from grey to saturated."""
    value, grey = 45.0 + 205.0 * rng.random(), 0.15 + 0.85 * rng.random()
    rgb = rng.random(3)
    rgb = rgb / rgb.max()
    return (value * (grey + (1.0 - grey) * rgb)).astype(np.float32)


def clutter(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a background, 3 x `size` x `size` float32 planes, about 0..255."""
    image = _backdrop(rng, size)
    for index in rng.choice(len(_OBJECTS), size=int(rng.integers(4, 13))):
        _OBJECTS[index](image, rng)
    planes = image.transpose(2, 0, 1).astype(np.float32, order="C")
    for count, amplitude in ((6, 50.0), (64, 22.0)):
        planes += _noise(rng, count, size, amplitude * rng.random())
    return planes


def _noise(rng: np.random.Generator, count: int, size: int, amplitude: float) -> np.ndarray:
    """Draw smooth noise, -amplitude..amplitude, with `count` grains across the image."""
    grains = (rng.random((count, count), np.float32) * 2 - 1) * np.float32(amplitude)
    return cv2.resize(grains, (size, size), interpolation=cv2.INTER_LINEAR)


def _backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a wall with a gradient and a floor below a slanting edge, size x size x 3 uint8."""
    top, base = colour(rng), colour(rng)
    image = np.empty((size, size, 3), np.uint8)
    image[:] = np.linspace(top, 0.6 * top + 0.4 * base, size).astype(np.uint8)[:, None]
    left, right = (size * (0.45 + 0.45 * rng.random(2))).tolist()
    floor = np.array([(0, left), (size, right), (size, size), (0, size)])
    cv2.fillPoly(image, [floor.astype(np.int32)], (0.7 * colour(rng)).tolist())
    return image


def _rectangle(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a rotated rectangle with a dark outline: furniture, a poster."""
    size = len(image)
    centre, side = size * rng.random(2), size * (0.06 + 0.34 * rng.random(2))
    box = ((centre[0], centre[1]), (side[0], side[1]), 16.0 * (rng.random() - 0.5))
    corners = cv2.boxPoints(box).astype(np.int32)
    tint = colour(rng)
    cv2.fillConvexPoly(image, corners, tint.tolist(), cv2.LINE_AA)
    cv2.polylines(image, [corners], True, (0.5 * tint).tolist(), max(1, size // 128), cv2.LINE_AA)


def _pole(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a bar with a lit centre at any angle: a pole, a branch, a limb."""
    size = len(image)
    start, angle = size * rng.random(2), 2 * np.pi * rng.random()
    end = start + size * (0.12 + 0.5 * rng.random()) * np.array((np.cos(angle), np.sin(angle)))
    width, tint = size * (0.015 + 0.045 * rng.random()), colour(rng)
    a, b = (tuple(int(v) for v in p) for p in (start, end))
    for share, light in ((1.0, 0.6), (0.7, 0.85), (0.35, 1.0)):
        cv2.line(image, a, b, (light * tint).tolist(), max(1, int(width * share)), cv2.LINE_AA)


def _blob(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a lit round object: a ball, a lamp, a shrub."""
    size = len(image)
    centre, axes = size * rng.random(2), size * (0.02 + 0.11 * rng.random(2))
    tint, turned = colour(rng), 180.0 * rng.random()
    for share, light in ((1.0, 0.6), (0.75, 0.8), (0.45, 1.0)):
        middle = tuple(int(v) for v in centre - (1 - share) * 0.3 * axes)
        cv2.ellipse(image, middle, tuple(int(share * v) + 1 for v in axes), turned, 0, 360, (light * tint).tolist(), -1)


def _foliage(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw many small discs in shades of one colour around a point."""
    size, tint = len(image), colour(rng)
    centres = (size * rng.random(2) + size * 0.09 * rng.standard_normal((14, 2))).astype(np.int32)
    for (x, y), shade in zip(centres.tolist(), (0.5 + 0.6 * rng.random(14)).tolist(), strict=True):
        cv2.circle(image, (x, y), max(1, size // 40), (shade * tint).tolist(), -1)


def _grid(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw parallel bars: a fence, shelves, a window."""
    size, tint = len(image), colour(rng).tolist()
    x, y = (size * (rng.random(2) - 0.2)).astype(int).tolist()
    width, height = (size * (0.15 + 0.4 * rng.random(2))).astype(int).tolist()
    thickness, bars = max(1, size // int(rng.integers(48, 128))), int(rng.integers(3, 8))
    for i in range(bars):
        at = x + i * width // bars
        cv2.line(image, (at, y), (at, y + height), tint, thickness)
    cv2.line(image, (x, y), (x + width, y), tint, thickness)


_OBJECTS = (_rectangle, _rectangle, _pole, _pole, _blob, _foliage, _grid)
