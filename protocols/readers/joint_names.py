"""Translation of joint names in files into those of our skeletons: rank, R_Ankle, "Right ankle", rightAnkle."""

import re

from protocols.pose.skeletons import SHORT_NAMES

_SIDES = {"right": "right", "left": "left", "r": "right", "l": "left"}
_PAIRED = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder", "eye", "ear")
_TRUNK = {
    "neck": "upper_neck", "upperneck": "upper_neck", "head": "head_top", "headtop": "head_top", "tophead": "head_top",
    "thorax": "thorax", "pelvis": "pelvis", "nose": "nose",
}  # fmt: skip
_SPELLED = {side + joint: f"{_SIDES[side]}_{joint}" for side in _SIDES for joint in _PAIRED} | _TRUNK


def translate(text: str) -> str:
    """Return our name of a joint, or the text itself if it is none that we know."""
    text = text.strip()
    return SHORT_NAMES.get(text.lower()) or _SPELLED.get(re.sub(r"[^a-z]", "", text.lower()), text)
