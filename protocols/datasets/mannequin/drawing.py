"""Drawing of mannequins: shaded, textured capsules with a depth buffer, in front of a cluttered background."""

from dataclasses import dataclass
from math import ceil, floor, hypot

import cv2
import numpy as np

from protocols.datasets.mannequin.body import PARTS, Projection, project
from protocols.datasets.mannequin.clutter import clutter, colour
from protocols.datasets.mannequin.scene import FRAME, Mannequin, annotate, moved

SKIN = ((241, 205, 180), (226, 178, 145), (198, 144, 108), (160, 108, 76), (117, 76, 52), (82, 54, 40))
HAIR = ((30, 24, 22), (66, 44, 30), (110, 74, 44), (190, 150, 90), (150, 70, 40), (140, 138, 136))
PATTERNS = ("plain", "plain", "plain", "rings", "stripes", "checks")


@dataclass(frozen=True)
class Surface:
    """Clothing of a part: `sleeve` covers it from its start up to the share `until`, `bare` the rest."""

    sleeve: np.ndarray  # 3 float32, RGB 0..255
    bare: np.ndarray
    until: float = 1.0
    pattern: str = "plain"
    period: float = 6.0  # of the pattern, pixels of the 256 x 256 image
    band: float = 2.0  # position of a dark band (watch, trim) as a share of the length; none above 1


@dataclass
class Canvas:
    """Image in progress: RGB 0..255, and the depth of the foremost part at every pixel."""

    image: np.ndarray  # 3 x size x size float32: planes are fastest in numpy
    depth: np.ndarray  # size x size float32
    light: np.ndarray  # 3: towards the lamp, camera axes
    ambient: float


def render(mannequin: Mannequin, size: int = FRAME) -> np.ndarray:
    """Draw the scene as a photograph: `size` x `size` x 3 uint8, RGB; the same scene at any size."""
    rng = np.random.Generator(np.random.PCG64((mannequin.seed, mannequin.index, 1)))
    u = rng.random(4)
    lamp = np.array((1.6 * (u[0] - 0.5), -0.35 - 0.6 * u[1], -0.9))
    far = np.full((size, size), np.inf, np.float32)
    canvas = Canvas(clutter(rng, size), far, lamp / np.sqrt(lamp @ lamp), 0.45 + 0.25 * u[2])
    for _ in range((0, 0, 1, 1, 2)[rng.integers(5)]):
        draw_body(canvas, rng, _passer_by(rng, mannequin.body))
    if u[3] < 0.5:
        for plane in canvas.image:
            cv2.GaussianBlur(plane, (0, 0), 0.9 * size / FRAME, dst=plane)
    canvas.depth[:] = np.inf
    draw_body(canvas, rng, mannequin.body)
    for obstacle in mannequin.obstacles:
        _draw_obstacle(canvas, rng, obstacle)
    return _expose(rng, canvas.image)


def _passer_by(rng: np.random.Generator, body: Projection) -> Projection:
    """Draw another person for the background, smaller, at a random position in the image."""
    other = project(rng, height=body.height * (0.3 + 0.5 * rng.random()), upright=True)
    return moved(other, FRAME * rng.random(2))


def dress(rng: np.random.Generator) -> list[Surface]:
    """Draw clothes for every part. Only face, tie and the watch on the left distinguish left from right."""
    skin = np.array(SKIN[rng.integers(len(SKIN))], np.float32) * np.float32(0.9 + 0.15 * rng.random())
    hair = np.array(HAIR[rng.integers(len(HAIR))], np.float32)
    shirt, trousers, shoes = colour(rng), colour(rng), colour(rng) * np.float32(0.8)
    sleeve = (0.0, 0.5, 0.5, 0.9, 2.0)[rng.integers(5)]  # ends on the upper arm, or at 2 on the wrist
    leg = (0.45, 1.0, 2.0, 2.0)[rng.integers(4)]
    patterns = [PATTERNS[i] for i in rng.integers(0, len(PATTERNS), 2)]
    periods = 4.0 + 6.0 * rng.random(2)
    band = 0.86 if rng.random() < 0.6 else 2.0
    top = Surface(shirt, shirt, 1.0, patterns[0], periods[0])
    bottom = Surface(trousers, trousers, 1.0, patterns[1], periods[1])
    plain = Surface(skin, skin)
    tie = shirt if rng.random() < 0.4 else colour(rng)
    arm = shirt * np.float32(0.85)
    surfaces_of = {
        "torso": top,
        "tie": Surface(tie, tie),
        "shoulders": top,
        "hips": bottom,
        "thigh": Surface(trousers, skin, leg, patterns[1], periods[1]),
        "shin": Surface(trousers, skin, leg - 1.05, patterns[1], periods[1]),
        "foot": Surface(shoes, shoes),
        "upper_arm": Surface(arm, skin, sleeve, patterns[0], periods[0]),
        "forearm": Surface(arm, skin, sleeve - 1.03, patterns[0], periods[0]),
        "hair": Surface(hair, hair, 1.0, "stripes", 3.5),
        "eye": Surface(np.array((35, 30, 30), np.float32), skin),
        "nose": Surface(skin * np.float32(0.93), skin),
    }
    surfaces = [surfaces_of.get(part.name, surfaces_of.get(part.name.split("_", 1)[-1], plain)) for part in PARTS]
    for i, part in enumerate(PARTS):
        if part.name == "left_forearm":
            surfaces[i] = Surface(arm, skin, sleeve - 1.03, patterns[0], periods[0], band)
    return surfaces


def draw_body(canvas: Canvas, rng: np.random.Generator, body: Projection) -> None:
    """Draw a person with random clothes, and the shadow."""
    _draw_shadow(canvas.image, body)
    for capsule, flatness, surface in zip(body.capsules.tolist(), body.flatness.tolist(), dress(rng), strict=True):
        if max(capsule[3], capsule[7]) * len(canvas.depth) > 0.6 * FRAME:  # smaller parts cannot be seen
            draw_capsule(canvas, capsule, flatness, surface)


def _draw_shadow(image: np.ndarray, body: Projection) -> None:
    """Draw a soft dark patch on the ground below the lowest foot or hand."""
    size = image.shape[1]
    k = size / FRAME
    ends = np.concatenate((body.capsules[:, 0:2], body.capsules[:, 4:6]))
    x, y = k * ends[ends[:, 1].argsort()[-4:], 0].mean(), k * ends[:, 1].max()
    width, height = 0.20 * body.height * k, 0.045 * body.height * k
    left, right = max(0, int(x - width)), min(size, int(x + width) + 1)
    top, bottom = max(0, int(y - height)), min(size, int(y + height) + 1)
    if left < right and top < bottom:
        dx = (np.arange(left, right, dtype=np.float32) - np.float32(x)) / np.float32(width)
        dy = (np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(y)) / np.float32(height)
        image[:, top:bottom, left:right] *= 1.0 - 0.7 * np.maximum(1.0 - dx**2 - dy**2, 0.0)


def _draw_obstacle(canvas: Canvas, rng: np.random.Generator, obstacle: np.ndarray) -> None:
    x0, y0, r0, x1, y1, r1 = obstacle.tolist()
    tint = colour(rng) if rng.random() < 0.6 else np.array(SKIN[rng.integers(len(SKIN))], np.float32)
    surface = Surface(tint, tint, 1.0, PATTERNS[rng.integers(len(PATTERNS))], 8.0)
    canvas.depth[:] = np.inf
    draw_capsule(canvas, [x0, y0, 0.0, r0, x1, y1, 0.0, r1], 1.0, surface)


def draw_capsule(canvas: Canvas, capsule: list[float], flatness: float, surface: Surface) -> None:
    """Draw a tapered, shaded capsule where it is in front of everything drawn before.

    `capsule` is (x, y, depth, radius) of the start and of the end, pixels of the 256 x 256 image.
    """
    size = len(canvas.depth)
    k = size / FRAME
    x0, y0, z0, r0, x1, y1, z1, r1 = (k * value for value in capsule)
    x0, y0, x1, y1 = (value + (k - 1) / 2 for value in (x0, y0, x1, y1))
    reach = max(r0, r1) + 1.0
    left, right = max(0, floor(min(x0, x1) - reach)), min(size, ceil(max(x0, x1) + reach) + 1)
    top, bottom = max(0, floor(min(y0, y1) - reach)), min(size, ceil(max(y0, y1) + reach) + 1)
    if left >= right or top >= bottom:
        return
    xs = np.arange(left - x0, right - x0, dtype=np.float32)[: right - left]
    ys = np.arange(top - y0, bottom - y0, dtype=np.float32)[: bottom - top, None]
    dx, dy = x1 - x0, y1 - y0
    squared = max(dx * dx + dy * dy, 1e-6)
    along = xs * np.float32(dx / squared) + ys * np.float32(dy / squared)
    np.minimum(along, 1.0, out=along)
    np.maximum(along, 0.0, out=along)
    radius = r0 + along * np.float32(r1 - r0)
    nx = (xs - along * np.float32(dx)) / radius  # the surface normal, camera axes
    ny = (ys - along * np.float32(dy)) / radius
    off = nx * nx + ny * ny
    nz = np.sqrt(np.maximum(1.0 - off, 0.0))
    depth = z0 + along * np.float32(z1 - z0) - nz * radius * np.float32(flatness)
    front = canvas.depth[top:bottom, left:right]
    cover = np.minimum(np.maximum((1.0 - np.sqrt(off)) * radius + 0.5, 0.0), 1.0)  # soft at the outline
    cover *= depth < front
    lx, ly, lz = (np.float32(v) for v in canvas.light)
    shade = np.maximum(nx * lx + ny * ly - nz * lz, 0.0) * np.float32(1.0 - canvas.ambient) + np.float32(canvas.ambient)
    shade *= _texture(surface, along, nx, ny, hypot(dx, dy) / k, max(r0, r1) / k, (dx, dy))
    paint = surface.sleeve[:, None, None]
    if surface.until < 1.0:
        paint = np.where(along < surface.until, paint, surface.bare[:, None, None])
    target = canvas.image[:, top:bottom, left:right]
    target += cover * (paint * shade - target)
    np.copyto(front, depth, where=cover > 0.5)


def _texture(
    surface: Surface,
    along: np.ndarray,
    nx: np.ndarray,
    ny: np.ndarray,
    length: float,
    radius: float,
    axis: tuple[float, float],
) -> np.ndarray | float:
    """Return the brightness of the cloth's pattern, around 1: an array like `along`, or a number."""
    texture = 1.0
    if surface.band <= 1.0:
        texture = 1.0 - 0.8 * (np.abs(along - surface.band) < 0.05)
    if surface.pattern == "plain" or surface.until <= 0.0:
        return texture
    dark = along < surface.until if surface.until < 1.0 else np.ones(along.shape, bool)  # skin has no pattern
    if surface.pattern != "stripes":
        lines = (along * np.float32(length / surface.period)) % 1.0 < 0.5
    if surface.pattern != "rings":
        across = (ny * np.float32(axis[0]) - nx * np.float32(axis[1])) / np.float32(hypot(*axis) or 1.0)
        bars = (across * np.float32(radius / surface.period)) % 1.0 < 0.5
        lines = bars if surface.pattern == "stripes" else lines ^ bars
    return texture * (1.0 - 0.28 * (dark & lines))


def _expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Apply exposure, colour cast, fall-off towards one side and sensor noise."""
    size = image.shape[1]
    cast = (0.9 + 0.4 * rng.random()) * (1.0 + 0.16 * (rng.random(3) - 0.5))
    first, last = 1.0 + 0.35 * (rng.random(2) - 0.5)
    slope = np.linspace(first, last, size, dtype=np.float32)
    image *= cast[:, None, None].astype(np.float32) * (slope[:, None] if rng.random() < 0.5 else slope)
    grain = np.frombuffer(rng.bytes(FRAME * FRAME), np.int8).reshape(FRAME, FRAME) * np.float32(1 / 16)
    if size != FRAME:
        grain = cv2.resize(grain, (size, size), interpolation=cv2.INTER_AREA)
    image += grain
    np.minimum(image, 255.0, out=image)
    np.maximum(image, 0.0, out=image)
    return cv2.merge(list(image.astype(np.uint8)))


def contact_sheet(count: int = 64, seed: int = 2, columns: int = 8, tile: int = 128) -> np.ndarray:
    """Draw the first `count` scenes of `seed` side by side: RGB, rows * tile x columns * tile x 3."""
    rows = -(-count // columns)
    sheet = np.zeros((rows * tile, columns * tile, 3), np.uint8)
    for i in range(count):
        y, x = i // columns * tile, i % columns * tile
        picture = render(annotate(seed, i))
        sheet[y : y + tile, x : x + tile] = cv2.resize(picture, (tile, tile), interpolation=cv2.INTER_AREA)
    return sheet
