"""Crops around a person: from pixels of the image to pixels of the network's input, and back.

The convention is that of the public top-down code bases: the crop window of a person is centred on
`centre` and covers `height` pixels of the image; x' = k (x - cx) + W / 2 with k = H / height, without
a half-pixel term, so that heatmap pixel i lies at input pixel s * i, s the stride.
"""

import cv2
import numpy as np

from protocols.pose.people import People

WINDOW = 250.0  # pixels of the image a unit of scale: a person is 200 pixels high, a quarter is margin


def windows(people: People) -> tuple[np.ndarray, np.ndarray]:
    """Return centres (N x 2, counted from 0) and heights (N) of the crop windows, in pixels of the image."""
    centre = people.centre - people.origin
    centre = centre + np.stack([np.zeros(len(people)), people.centre_down * people.scale], axis=1)
    return centre, WINDOW * people.scale


def affine(centre: np.ndarray, height: float, size: tuple[int, int]) -> np.ndarray:
    """Return the 2 x 3 matrix from pixels of the image to pixels of a crop of `size` (height, width)."""
    k = size[0] / height
    return np.array([[k, 0.0, size[1] / 2 - k * centre[0]], [0.0, k, size[0] / 2 - k * centre[1]]])


def crop(image: np.ndarray, centre: np.ndarray, height: float, size: tuple[int, int]) -> np.ndarray:
    """Crop and resize a window of an image (H x W x 3 uint8); pixels outside the image are black."""
    matrix = affine(centre, height, size)
    if height > 2 * size[0]:  # a linear kernel skips pixels here: average them first
        image, matrix = _shrink(image, matrix, int(height / size[0]))
    return cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)


def _shrink(image: np.ndarray, matrix: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Average the image over blocks of `factor` pixels; return it and the matrix from its pixels."""
    height, width = (max(1, side // factor) for side in image.shape[:2])
    small = cv2.resize(image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
    # Pixel centres: x = factor * x_small + (factor - 1) / 2.
    matrix = matrix @ np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1.0]])
    return small, matrix


def to_crop(points: np.ndarray, centre: np.ndarray, height: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map points, N x J x 2 pixels of the image (counted from 0), to pixels of the crops."""
    k = size[0] / height[:, None, None]
    return k * (points - centre[:, None]) + np.array([size[1] / 2, size[0] / 2])


def to_image(points: np.ndarray, centre: np.ndarray, height: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map points in pixels of the crops to pixels of the image: the inverse of `to_crop`."""
    k = size[0] / height[:, None, None]
    return (points - np.array([size[1] / 2, size[0] / 2])) / k + centre[:, None]
