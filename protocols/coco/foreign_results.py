"""COCO results as other programs write them: ids as text, floats or file names, a list inside an object.

What can be understood in one way only is translated and said; the rest is refused with a cause that fits it.
"""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from protocols.errors import DataError
from protocols.pose.people import GroundTruth
from protocols.pose.skeletons import COCO

WRAPPERS = ("results", "predictions", "annotations", "data", "detections")  # keys under which a list may stand
ID_KEYS = ("image_id", "file_name", "filename", "image_name", "image")  # of the image, the first that is there


def translated(content: object, truth: GroundTruth, source: str) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return entries in COCO's own form, and sentences on what was translated.

    content: decoded JSON. Raises DataError for everything that is no list of results, or is on no image of `truth`.
    """
    entries, notes = _list(content, source)
    by_name = _names(truth)
    known = set(truth.image_ids.tolist())
    read: Counter[str] = Counter()
    categories = 0
    found = []
    for number, entry in enumerate(entries):
        where = f"{source}: entry {number} (the first is 0)"
        if not isinstance(entry, Mapping):
            raise DataError(f"{where} is {_short(entry)}.", expected="an object with image_id, keypoints and score")
        key = next((name for name in ID_KEYS if name in entry), "")
        if not key:
            raise DataError(
                f"{where} names no image: it has {', '.join(map(str, entry)) or 'nothing'}.",
                expected="image_id: that of the annotation",
            )
        image, how = _image(entry[key], known, by_name, where, truth)
        read[how] += 1
        _check_nulls(entry.get("keypoints"), where)
        category = _whole(entry.get("category_id"), where)
        categories += category is not entry.get("category_id")
        found.append({**entry, "image_id": image, "category_id": category})
    told = [f"{count:,} of {len(entries):,} results name their image by {how}: translated." for how, count in
            read.items() if how]  # fmt: skip
    if categories:
        told.append(
            f"{categories:,} of {len(entries):,} results have a category_id that is no whole number: translated."
        )
    return found, (*notes, *told)


def _list(content: object, source: str) -> tuple[list[object], list[str]]:
    """Return the list of results, also if it stands inside an object."""
    if isinstance(content, list):
        return content, []
    if isinstance(content, Mapping) and "images" in content and "annotations" in content:
        raise DataError(
            f"{source} is an annotation file: it has images and annotations.",
            expected="a list of results: [{image_id, category_id, keypoints, score}, ...]",
            next_step="give the file that your network's code wrote",
        )
    if isinstance(content, Mapping):
        lists = [key for key in WRAPPERS if isinstance(content.get(key), list)]
        if len(lists) == 1:
            return list(content[lists[0]]), [f"The results stand under {lists[0]!r} of an object: read from there."]
    shape = f"an object with {', '.join(map(str, content))}" if isinstance(content, Mapping) else _short(content)
    raise DataError(
        f"{source} is {shape[:200]}.",
        expected="a list of results: [{image_id, category_id, keypoints, score}, ...]",
        next_step="write the list alone",
    )


def _names(truth: GroundTruth) -> dict[str, int]:
    """Return file name, and file name without its ending -> id, where that is one to one."""
    names = [
        (PurePosixPath(name).name, int(image)) for name, image in zip(truth.image_names, truth.image_ids, strict=True)
    ]
    stems = [(PurePosixPath(name).stem, image) for name, image in names]
    often = Counter(name for name, _ in {*names, *stems})
    return {name: image for name, image in (*names, *stems) if often[name] == 1}


def _image(
    given: object, known: set[int], by_name: Mapping[str, int], where: str, truth: GroundTruth
) -> tuple[int, str]:
    """Return the id of an image, and how it was named ("": by its id)."""
    if isinstance(given, int) and not isinstance(given, bool):
        return given, ""
    if isinstance(given, float) and math.isfinite(given) and given == int(given):
        return int(given), "a float"
    if isinstance(given, str):
        text = given.strip()
        if text.isdecimal() and int(text) in known:
            return int(text), "a number as text"
        name = PurePosixPath(text.replace("\\", "/")).name
        for key in (name, PurePosixPath(name).stem):
            if key in by_name:
                return by_name[key], "its file name"
        raise DataError(
            f"{where} is on the image {_short(given)}, a file name that is not in {truth.source or 'the annotation'}.",
            expected=f"one of its {len(truth.image_ids):,} images, such as {truth.image_names[0]}",
            cause="results of another split or year, or renamed images",
        )
    raise DataError(f"{where} has {_short(given)} as its image.", expected="image_id: that of the annotation")


def _whole(given: object, where: str) -> object:
    """Return a category written as a float or as text as a whole number; others as they are."""
    if isinstance(given, float) and math.isfinite(given) and given == int(given):
        return int(given)
    if isinstance(given, str) and given.strip().isdecimal():
        return int(given)
    if given is None:
        raise DataError(f"{where} has no category_id.", expected="1 (person)", next_step="write category_id: 1")
    return given


def _check_nulls(keypoints: object, where: str) -> None:
    """Raise DataError for a joint that is null."""
    if not isinstance(keypoints, list) or None not in keypoints:
        return
    at = keypoints.index(None)
    joint = COCO.joints[at // 3] if at < 3 * len(COCO) else f"number {at}"
    raise DataError(
        f"{where} has null as {('x', 'y', 'score')[at % 3]} of its {joint}.",
        expected="finite numbers for every joint",
        cause="a joint without a detection",
        next_step="predict every joint; a position far away counts as a miss",
    )


def _short(value: object) -> str:
    return repr(value)[:60]
