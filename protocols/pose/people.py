"""Ground truth and predictions as arrays: what readers return and protocols take."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from protocols.pose.skeletons import Skeleton

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2  # COCO's codes, used for every dataset


@dataclass(frozen=True)
class GroundTruth:
    """M annotated people and crowds of COCO on I images: what keypoint AP is computed against.

    Images are in ascending order of their ids, annotations in the order of the file. Pixels, first one at 0.
    """

    image_ids: np.ndarray  # I int64, ascending
    image_names: tuple[str, ...]  # I
    image_sizes: np.ndarray  # I x 2 int64: width, height
    ids: np.ndarray  # M int64, >= 1
    image: np.ndarray  # M int64: row of the image
    keypoints: np.ndarray  # M x 17 x 2 float64
    visibility: np.ndarray  # M x 17 uint8
    areas: np.ndarray  # M float64: square pixels of the segment
    boxes: np.ndarray  # M x 4 float64: x, y, width, height
    crowd: np.ndarray  # M bool
    labelled: np.ndarray  # M int64: num_keypoints as the file says, 0 means ignored
    source: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def on(self, image_ids: np.ndarray) -> "GroundTruth":
        """The same, of these images only."""
        images = np.flatnonzero(np.isin(self.image_ids, image_ids))
        people = np.flatnonzero(np.isin(self.image, images))
        rows = ("ids", "keypoints", "visibility", "areas", "boxes", "crowd", "labelled")
        return replace(
            self,
            image_ids=self.image_ids[images],
            image_names=tuple(self.image_names[i] for i in images),
            image_sizes=self.image_sizes[images],
            image=np.searchsorted(images, self.image[people]),
            **{name: getattr(self, name)[people] for name in rows},
        )

    @property
    def fingerprint(self) -> str:
        """Changes when, and only when, something changes that a score depends on."""
        digest = hashlib.sha256("\n".join(self.image_names).encode())
        for array in (self.image_ids, self.image_sizes, self.ids, self.image, self.keypoints, self.visibility):
            digest.update(array.tobytes())
        for array in (self.areas, self.boxes, self.crowd, self.labelled):
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class People:
    """The annotated people of one split; row i of every array is one person.

    Coordinates are pixels of the original image in the annotation's own frame: the
    centre of the first pixel is (`origin`, `origin`), 1 on MPII and LSP, 0 elsewhere.
    Predictions are compared in that same frame, so no scorer adds or subtracts anything.
    """

    dataset: str
    split: str
    skeleton: Skeleton
    images: tuple[str, ...]  # N names, the file below the dataset's folder
    keypoints: np.ndarray  # N x J x 2 float64, pixels
    visibility: np.ndarray  # N x J uint8: ABSENT, OCCLUDED or VISIBLE
    centre: np.ndarray  # N x 2 float64, pixels
    scale: np.ndarray  # N float64: person height / 200, the side of a crop is 250 * scale
    head_size: np.ndarray | None  # N float64, pixels: 0.6 x diagonal of the head box
    origin: int
    fingerprint: str  # changes when, and only when, the annotation changes
    read_image: Callable[[int], np.ndarray]  # row -> H x W x 3 uint8, RGB
    boxes: np.ndarray | None = None  # N x 4 float64: x, y, width, height
    areas: np.ndarray | None = None  # N float64, square pixels
    image_ids: np.ndarray | None = None  # N int64, COCO only
    annotation_ids: np.ndarray | None = None  # N int64, COCO's ground-truth boxes only
    box_scores: np.ndarray | None = None  # N float64, detected boxes only
    ground_truth: GroundTruth | None = None  # COCO: every annotation, those that OKS ignores included
    notes: dict[str, int | str] = field(default_factory=dict)  # what the reader counted: people, joints, missing

    def __len__(self) -> int:
        return len(self.keypoints)

    def first(self, count: int) -> "People":
        """The first `count` people."""
        arrays = (
            "images", "keypoints", "visibility", "centre", "scale", "head_size", "boxes", "areas", "image_ids",
            "annotation_ids", "box_scores",
        )  # fmt: skip
        cut = {name: value[:count] for name in arrays if (value := getattr(self, name)) is not None}
        if self.ground_truth is not None:
            cut["ground_truth"] = self.ground_truth.on(self.image_ids[:count])
        return replace(self, **cut, fingerprint=f"{self.fingerprint} first {count}")

    @property
    def annotated(self) -> np.ndarray:
        """N x J bool: joints with a position, occluded ones included."""
        return self.visibility > ABSENT


@dataclass(frozen=True)
class Predictions:
    """Predicted keypoints, row i for person i of the same `People`, in the same frame."""

    keypoints: np.ndarray  # N x J x 2 float64, pixels
    scores: np.ndarray | None = None  # N x J float64, heatmap maxima
    source: str = ""  # file name or cell, for messages
    notes: dict[str, int | str] = field(default_factory=dict)
