"""Digests of images: they follow the content, and a file that has not changed is not read again."""

import os

import pytest

from bench.store import image_digests
from bench.store.image_digests import ABSENT, TABLE, images_digest

NAMES = ("set/images/a.jpg", "set/images/b.jpg")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data/set/images").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "data" / name).write_bytes(name.encode())
    return tmp_path / "data"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Names of the files that are read from now on."""
    found, digest = [], image_digests.file_digest

    def noted(path):
        found.append(path.name)
        return digest(path)

    monkeypatch.setattr(image_digests, "file_digest", noted)
    return found


def test_a_file_is_read_once_until_it_changes(data, tmp_path, read):
    first = images_digest(data, NAMES, tmp_path / "runs")
    assert sorted(read) == ["a.jpg", "b.jpg"]
    assert images_digest(data, NAMES, tmp_path / "runs") == first and len(read) == 2
    (data / NAMES[0]).write_bytes(NAMES[1].encode())  # of the same size
    os.utime(data / NAMES[0], ns=(1, 1))
    assert images_digest(data, NAMES, tmp_path / "runs") != first
    assert read[2:] == ["a.jpg"]
    (data / NAMES[0]).write_bytes(NAMES[0].encode())
    assert images_digest(data, NAMES, tmp_path / "runs") == first  # the content counts, not the time


def test_parts_of_a_dataset_share_the_table(data, tmp_path, read):
    images_digest(data, NAMES[:1], tmp_path)
    images_digest(data, NAMES[1:], tmp_path)
    images_digest(data, NAMES, tmp_path)
    assert read == ["a.jpg", "b.jpg"] and (data / TABLE).is_file() and not (tmp_path / TABLE).exists()


def test_a_folder_that_is_not_to_be_written_keeps_its_table_elsewhere(data, tmp_path, read):
    data.chmod(0o555)  # root could write there all the same
    first = images_digest(data, NAMES, tmp_path / "runs")
    assert images_digest(data, NAMES, tmp_path / "runs") == first and len(read) == 2
    assert not (data / TABLE).exists() and (tmp_path / "runs" / TABLE).is_file()
    (tmp_path / "file").touch()
    assert images_digest(data, NAMES, tmp_path / "file") == first  # nowhere to keep it


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b'{"set/images/a.jpg": 3}'])
def test_a_damaged_table_is_made_anew(data, tmp_path, content):
    first = images_digest(data, NAMES, tmp_path)
    whole = (data / TABLE).read_bytes()
    (data / TABLE).write_bytes(content)
    assert images_digest(data, NAMES, tmp_path) == first and (data / TABLE).read_bytes() == whole


def test_absent_images(data, tmp_path):
    both = images_digest(data, NAMES, tmp_path)
    (data / NAMES[0]).unlink()
    one = images_digest(data, NAMES, tmp_path)
    (data / NAMES[0]).mkdir()  # nor is this a file
    assert images_digest(data, NAMES, tmp_path) == one != both
    (data / NAMES[1]).unlink()
    assert images_digest(data, NAMES, tmp_path) == images_digest(data / "nowhere", NAMES, tmp_path) == ABSENT


def test_the_order_counts_and_the_names_do_not(data, tmp_path):
    first = images_digest(data, NAMES, tmp_path)
    assert images_digest(data, NAMES[::-1], tmp_path) != first
    (data / NAMES[0]).rename(data / "set/images/c.webp")
    assert images_digest(data, ("set/images/c.webp", NAMES[1]), tmp_path) == first
