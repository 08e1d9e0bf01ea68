"""Image files that are broken, huge or of unusual kinds: the right pixels, or a sentence that names the file."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hostile import answer, damaged
from PIL import Image

from protocols.datasets import images
from protocols.errors import DataError
from protocols.pose.crops import crop

CASES = 120  # a format


def smooth(height, width):
    """H x W x 3: ramps, which every codec keeps to a few levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * x / width, 255 * y / height, 127 + 0 * x], axis=-1).astype(np.uint8)


PIXELS = smooth(60, 90)
KINDS = {
    "a.jpg": lambda path: Image.fromarray(PIXELS).save(path, quality=95),
    "progressive.jpg": lambda path: Image.fromarray(PIXELS).save(path, quality=95, progressive=True),
    "a.png": lambda path: Image.fromarray(PIXELS).save(path),
    "a.webp": lambda path: Image.fromarray(PIXELS).save(path, lossless=True),
}


def rotated(path):
    exif = Image.Exif()
    exif[274] = 6  # Orientation: turn by 90 degrees to view; annotations know stored pixels only
    Image.fromarray(PIXELS).save(path, quality=95, exif=exif)


UNUSUAL = {
    "cmyk.jpg": lambda path: Image.fromarray(PIXELS).convert("CMYK").save(path, quality=95),
    "rotated.jpg": rotated,
    "16bit.png": lambda path: cv2.imwrite(str(path), PIXELS[:, :, ::-1].astype(np.uint16) * 257),
    "alpha.png": lambda path: Image.fromarray(PIXELS).convert("RGBA").save(path),
}


def read(path):
    return answer(lambda: images.reader(path.parent, (path.name,))(0))


@pytest.mark.parametrize("name", KINDS | UNUSUAL)
def test_unusual_images_have_the_right_pixels(tmp_path, name):
    (KINDS | UNUSUAL)[name](tmp_path / name)
    pixels = read(tmp_path / name)
    assert (pixels.shape, pixels.dtype) == (PIXELS.shape, np.uint8)
    assert np.abs(pixels.astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16"])
def test_grey_images_have_three_equal_channels(tmp_path, mode):
    grey = np.where(np.arange(90) < 45, 0, 255).astype(np.uint8)[None].repeat(60, axis=0)
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), grey[..., None].repeat(3, axis=-1))


@pytest.mark.parametrize("name", KINDS)
def test_damaged_images(tmp_path, name):
    """Never another shape: a crop of what was read is always possible."""
    path = tmp_path / name
    KINDS[name](path)
    whole = path.read_bytes()
    for seed in range(CASES):
        path.write_bytes(damaged(whole, seed))
        pixels = read(path)
        if pixels is not None:
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3
            centre, height = np.array([45.0, 30.0]), 60.0
            assert answer(lambda p=pixels, c=centre, h=height: crop(p, c, h, (32, 32))).shape == (32, 32, 3)


@pytest.mark.parametrize("name", KINDS)
def test_cut_off_images_are_refused(tmp_path, name):
    """A decoder fills what is missing with grey, which a network would be trained on."""
    path = tmp_path / name
    KINDS[name](path)
    whole = path.read_bytes()
    for size in np.linspace(0, len(whole) * 0.9, 30).astype(int):
        path.write_bytes(whole[:size])
        assert read(path) is None


def test_twenty_thousand_pixels_wide(tmp_path):
    wide = smooth(40, 20000)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(read(tmp_path / "wide.png"), wide)


@pytest.mark.parametrize("side", [20000, 60000, 2**31 - 1])
def test_images_that_promise_too_much_are_refused_by_their_header(tmp_path, side):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(300))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(DataError, match=r"bomb\.png: the image is damaged"):
        images.reader(tmp_path, ("bomb.png",))(0)


@pytest.mark.parametrize("name", ["", "../a.jpg", "/etc/passwd", "x" * 300, "a\0.jpg", "folder"])
def test_names_that_are_no_file_of_the_folder(tmp_path, name):
    (tmp_path / "images/folder").mkdir(parents=True)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError):
        images.reader(tmp_path / "images", (name,))(0)


def test_sizes_of_broken_images_are_unknown(tmp_path):
    KINDS["a.jpg"](tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"")
    assert images.sizes(tmp_path, ("a.jpg", "b.jpg", "c.jpg")).tolist()[0] == [90, 60]
    assert np.isnan(images.sizes(tmp_path, ("b.jpg", "c.jpg"))).all()
