"""A skeleton drawn as a standing person, seen from the front: the person's left is on the right of the drawing."""

from markupsafe import Markup

from protocols.pose.skeletons import Skeleton

# Where joints stand, in the units of the drawing (200 x 300); right ones are mirrored.
_MIDDLE = {"head_top": (100, 14), "upper_neck": (100, 58), "thorax": (100, 74), "pelvis": (100, 158), "nose": (100, 36)}
_LEFT = {
    "eye": (109, 28), "ear": (119, 34), "shoulder": (132, 74), "elbow": (152, 116), "wrist": (166, 158),
    "hip": (118, 160), "knee": (123, 220), "ankle": (127, 280),
}  # fmt: skip


def drawing(skeleton: Skeleton) -> Markup:
    """SVG of a skeleton; each joint carries its index. Unknown joints are left out."""
    places = {name: place for name in skeleton.joints if (place := _place(name))}
    lines = [
        Markup('<path d="M{} {}L{} {}" stroke="{}"/>').format(*places[one], *places[two], _colour(one, two))
        for one, two in skeleton.limbs
        if one in places and two in places
    ]
    dots = [
        Markup('<circle cx="{0}" cy="{1}" r="8"><title>{2}</title></circle><text x="{0}" y="{3}">{4}</text>').format(
            *place, name.replace("_", " "), place[1] + 3, skeleton.index(name)
        )
        for name, place in places.items()
    ]
    return Markup(
        '<svg class="skeleton" role="img" viewBox="0 0 200 300"><title>Skeleton {0}</title>'
        "<desc>The {1} joints of {0} with their indices and the limbs between them, seen from the front.</desc>"
        '<g stroke-width="3">{2}</g><g class="joints">{3}</g></svg>'
    ).format(skeleton.name, len(skeleton), Markup("").join(lines), Markup("").join(dots))


def _place(joint: str) -> tuple[float, float] | None:
    side, _, name = joint.partition("_")
    if side in ("left", "right") and name in _LEFT:
        x, y = _LEFT[name]
        return (x if side == "left" else 200 - x), y
    return _MIDDLE.get(joint)


def _colour(one: str, two: str) -> str:
    """Of the person's left, right, or middle."""
    for index, side in enumerate(("left_", "right_")):
        if one.startswith(side) and two.startswith(side):
            return f"var(--series-{index}, #0077bb)"
    return "var(--faint, #5f6368)"
