"""Skeletons: joint names, flip pairs, limbs, and the joints of each column of the papers' tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skeleton:
    """Ordered set of joints. Left and right are the person's own."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...]  # (column of the papers' tables, its joints)
    sigmas: tuple[float, ...] = ()  # per-joint constants of OKS, COCO only

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Return the index of a joint; raise ValueError if the skeleton lacks it."""
        return self.joints.index(joint)

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs (left, right) that swap when the image is mirrored."""
        return tuple(
            (i, self.index("right_" + joint.removeprefix("left_")))
            for i, joint in enumerate(self.joints)
            if joint.startswith("left_")
        )

    @property
    def mirror(self) -> tuple[int, ...]:
        """Permutation of the joints under a flip: joint i of the flipped person is joint `mirror[i]`."""
        order = list(range(len(self)))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)


def _both(joint: str) -> tuple[str, str]:
    return ("left_" + joint, "right_" + joint)


_PARTS = tuple((name, _both(name)) for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_ARMS_AND_LEGS = tuple(
    (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("right", "left")
    for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)

# MPII release, annopoints.point.id: the same order in the mat, h5 and JSON files.
MPII = Skeleton(
    name="mpii",
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "pelvis", "thorax", "upper_neck", "head_top",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        ("pelvis", "right_hip"), ("pelvis", "left_hip"), ("pelvis", "thorax"),
        ("thorax", "right_shoulder"), ("thorax", "left_shoulder"),
        ("thorax", "upper_neck"), ("upper_neck", "head_top"),
    ),
    parts=(("head", ("head_top",)), *_PARTS),
)  # fmt: skip

# Leeds Sports Pose, joints.mat, person-centric naming.
LSP = Skeleton(
    name="lsp",
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
        "upper_neck", "head_top",
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"), ("right_hip", "left_hip"),
        ("upper_neck", "right_shoulder"), ("upper_neck", "left_shoulder"), ("upper_neck", "head_top"),
    ),
    parts=(("head", ("upper_neck", "head_top")), *_PARTS),
)  # fmt: skip

# COCO person keypoints; sigmas from pycocotools.cocoeval.Params (there: divided by 10).
COCO = Skeleton(
    name="coco",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    limbs=(
        *_ARMS_AND_LEGS,
        ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
        ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
        ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
    ),
    parts=(("head", ("nose", "left_eye", "right_eye", "left_ear", "right_ear")), *_PARTS),
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
        0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (MPII, LSP, COCO)}

# Short names of MPII's joints in files, in the order of the release.
MPII_COLUMNS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip
SHORT_NAMES = dict(zip(MPII_COLUMNS, MPII.joints, strict=True)) | {"thrx": "thorax"}  # Newell writes thrx
