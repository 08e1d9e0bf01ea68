"""Ground truth and predictions as arrays: readers return them, protocols take them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from protocols.pose.skeletons import Skeleton

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2  # COCO's codes, used for every dataset


@dataclass(frozen=True)
class GroundTruth:
    """Ground truth of keypoint AP: M annotated people and crowds of COCO on I images.

    Images are in ascending order of their ids, annotations in the order of the file. Pixels are counted from 0.
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
    labelled: np.ndarray  # M int64: num_keypoints of the file, 0 means ignored
    source: str = ""
    warnings: tuple[str, ...] = ()  # on what was filled in, and on what contradicts itself

    def __len__(self) -> int:
        return len(self.ids)

    def on_images(self, image_ids: np.ndarray) -> "GroundTruth":
        """Return the part that is on these images."""
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
        """Digest of everything that a score depends on."""
        digest = hashlib.sha256("\n".join(self.image_names).encode())
        for array in (self.image_ids, self.image_sizes, self.ids, self.image, self.keypoints, self.visibility):
            digest.update(array.tobytes())
        for array in (self.areas, self.boxes, self.crowd, self.labelled):
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class People:
    """Annotated people of one split; row i of every array is one person.

    Coordinates are pixels of the original image as the annotation counts them: the centre of the first pixel is
    (`origin`, `origin`), 1 on MPII and LSP, 0 elsewhere. Predictions are counted from the same origin, so that no
    scorer adds or subtracts a pixel.
    """

    dataset: str
    split: str
    skeleton: Skeleton
    images: tuple[str, ...]  # N file names below the dataset's folder
    keypoints: np.ndarray  # N x J x 2 float64, pixels
    visibility: np.ndarray  # N x J uint8: ABSENT, OCCLUDED or VISIBLE
    centre: np.ndarray  # N x 2 float64, pixels
    scale: np.ndarray  # N float64: person height / 200; the side of a crop is 250 * scale pixels
    head_size: np.ndarray | None  # N float64, pixels: 0.6 x diagonal of the head box
    origin: int
    fingerprint: str  # digest of the annotation
    read_image: Callable[[int], np.ndarray]  # row -> H x W x 3 uint8, RGB
    centre_down: float = 0.0  # pixels per unit of scale by which windows lie below the centre
    boxes: np.ndarray | None = None  # N x 4 float64: x, y, width, height
    areas: np.ndarray | None = None  # N float64, square pixels
    image_ids: np.ndarray | None = None  # N int64, COCO only
    annotation_ids: np.ndarray | None = None  # N int64, COCO's ground-truth boxes only
    box_scores: np.ndarray | None = None  # N float64, detected boxes only
    ground_truth: GroundTruth | None = None  # COCO: every annotation, also those that OKS ignores
    notes: dict[str, int | str] = field(default_factory=dict)  # counts of the reader: people, joints, missing

    def __len__(self) -> int:
        return len(self.keypoints)

    def first(self, count: int) -> "People":
        """Return the first `count` people."""
        arrays = (
            "images", "keypoints", "visibility", "centre", "scale", "head_size", "boxes", "areas", "image_ids",
            "annotation_ids", "box_scores",
        )  # fmt: skip
        cut = {name: value[:count] for name in arrays if (value := getattr(self, name)) is not None}
        if self.ground_truth is not None and self.image_ids is not None:
            cut["ground_truth"] = self.ground_truth.on_images(self.image_ids[:count])
        return replace(self, **cut, fingerprint=f"{self.fingerprint} first {count}")

    @property
    def annotated(self) -> np.ndarray:
        """N x J bool: joints with a position, occluded ones included."""
        return self.visibility > ABSENT


@dataclass(frozen=True)
class Predictions:
    """Predicted keypoints; row i is person i of a `People`, in the pixels of its annotation.

    NaN means that there is no answer for a joint; so does the mask of a masked array, which becomes NaN.
    """

    keypoints: np.ndarray  # N x J x 2 float64, pixels
    scores: np.ndarray | None = None  # N x J float64: confidence, such as heatmap maxima
    source: str = ""  # file name or cell, for messages
    notes: dict[str, int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.keypoints, np.ma.MaskedArray):
            object.__setattr__(self, "keypoints", np.ma.filled(self.keypoints.astype(np.float64), np.nan))
