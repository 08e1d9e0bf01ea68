"""Small COCO data sets for tests, and the official evaluator run on them."""

import contextlib
import copy
import io

import numpy as np
from numpy.typing import ArrayLike
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def image(number, width=640, height=480):
    return {"id": number, "file_name": f"{number:012d}.jpg", "width": width, "height": height}


def annotation(
    number, image_id, keypoints, visibility: ArrayLike = 2, area=5000.0, bbox=(0.0, 0.0, 100.0, 200.0), iscrowd=0
):
    """keypoints: 17 x 2; visibility: a number for all joints, or 17 of them."""
    visibility = np.broadcast_to(visibility, 17)
    points = np.concatenate([keypoints, visibility[:, None]], axis=1)
    return {
        "id": number, "image_id": image_id, "category_id": 1, "keypoints": points.ravel().tolist(),
        "num_keypoints": int((visibility > 0).sum()), "area": float(area), "bbox": [float(x) for x in bbox],
        "iscrowd": iscrowd,
    }  # fmt: skip


def result(image_id, keypoints, score=1.0):
    points = np.concatenate([keypoints, np.ones((17, 1))], axis=1)
    return {"image_id": image_id, "category_id": 1, "keypoints": points.ravel().tolist(), "score": float(score)}


def annotation_file(images, annotations):
    categories = [{"id": 1, "name": "person"}]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def random_case(seed):
    """Crowds, people without joints, areas on the borders of the ranges, far results, ties, more than 20 results."""
    rng = np.random.default_rng(seed)
    crowded, ties, whole = seed % 4 == 0, seed % 3 == 0, seed % 2 == 0  # `whole` pixels make equal OKS likely
    images = [image(int(i) * 3 + 7) for i in rng.permutation(rng.integers(1, 8))]
    annotations, results = [], []
    for place in images:
        people = []
        for _ in range(rng.poisson(rng.choice([0.5, 2, 6]))):
            size, corner = np.exp(rng.uniform(np.log(20), np.log(400))), rng.uniform(0, 500, 2)
            points = corner + rng.uniform(-0.5, 0.5, (17, 2)) * [size / 2, size]
            visibility, kind = rng.integers(0, 3, 17), rng.random()
            if kind < 0.15:
                visibility[:] = 0
            points[visibility == 0] = 0
            points = points.round() if whole else points
            area = 0.3 * size**2 if rng.random() < 0.8 else rng.choice([32.0**2, 96.0**2])
            box = (corner[0] - size / 4, corner[1] - size / 2, size / 2, size)
            people.append((points, visibility, size, corner))
            number = len(annotations) + 1
            annotations.append(annotation(number, place["id"], points, visibility, area, box, int(0.1 < kind < 0.2)))
        for j in range(30 if crowded else rng.poisson(3)):
            if people and rng.random() < 0.8:
                points, visibility, size, corner = people[j % len(people)]
                guess = corner + rng.uniform(-0.3, 0.3, (17, 2)) * size
                points = np.where(visibility[:, None] > 0, points, guess)
                points = points + rng.normal(0, size * rng.choice([0, 0.02, 0.05, 0.1]), (17, 2))
            else:
                points = rng.uniform(0, 600, (17, 2))
            score = rng.random()
            score = round(score, 1) if ties else score
            results.append(result(place["id"], points.round() if whole else points, score))
    rng.shuffle(results)
    return annotation_file(images, annotations), results


def jittered(annotations, seed, share=0.05):
    """Results for real annotations: most people found, some twice, some not at all, strangers in between."""
    rng = np.random.default_rng(seed)
    results = []
    for person in annotations:
        points = np.array(person["keypoints"]).reshape(17, 3)[:, :2]
        size = np.sqrt(person["area"])
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            noise = rng.normal(0, share * size * rng.choice([0.3, 1, 2]), (17, 2))
            results.append(result(person["image_id"], points + noise, rng.random()))
        if rng.random() < 0.2:
            results.append(result(person["image_id"], rng.uniform(0, 500, (17, 2)), rng.random()))
    return results


def official(annotations, results):
    """The ten numbers of pycocotools, NaN for its -1."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(annotations)
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return np.where(np.array(run.stats) == -1, np.nan, run.stats)
