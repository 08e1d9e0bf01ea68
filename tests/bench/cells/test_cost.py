"""What a matrix costs: operations and hours written out, at a rate that is given."""

import pytest
import small_bench
from small_bench import bench

import architectures
from bench.cells import cost, matrix
from bench.cells.cell import Cell

NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, joints, kernel):
        super().__init__()
        self.body = nn.Conv2d(3, joints, kernel, stride=4, padding=kernel // 2, bias=False)

    def forward(self, images):
        return (self.body(images),)

def net(*, joints=16, kernel=1):
    return Net(joints, kernel)
"""
MATRIX = """
[[cells]]
architectures = ["net.py:net"]
protocols = ["mpii-pckh", "lsp-pck", "complexity"]
recipe = "tiny.toml"
set = { input = 64, kernel = 3 }
seeds = [0, 1]
[[cells]]
architectures = ["mean-pose"]
protocols = ["mpii-pckh"]
recipe = "tiny.toml"
"""
MACS = 16 * 16 * 16 * 3  # of one image of 64 x 64 with a kernel of 1: places x joints x colours
IMAGES = 4 * 4  # steps x batch of the tiny recipe


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_bench.recipe(tmp_path)
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "matrix.toml").write_text(MATRIX)
    return tmp_path


def test_hours_written_out(here):
    """Two trainings: protocols share them, the mean pose has none. Nine times the MACs are nine times the hours."""
    network = architectures.describe("net.py:net", input=64)
    found = cost.estimate(matrix.load(here / "matrix.toml"), network, rate=2.0)
    assert found.measured.operations == 6 * MACS * 2
    assert (found.all.trainings, found.all.operations) == (2, 2 * 6 * 9 * MACS * IMAGES)
    assert found.all.hours == pytest.approx(2 * 9 * IMAGES / 2.0 / 3600)
    assert found.recipes == {"tiny.toml": found.all}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (Cell("hourglass-8", "mpii-pckh", "mannequin", "val", recipe="tiny.toml", budget="quick"), 3 * 4),
        (Cell("wrn-28-10", "cifar10-error", "cifar10", "test"), 200 * 50_000),  # epochs of its paper
        (Cell("hourglass-1", "lsp-pck", "lsp", "test", recipe="epochs.toml", trained_on="mpii+lsp"), 8 * (23_246 // 8)),
    ],
)
def test_images_of_a_training(here, cell, expected):
    text = (here / "tiny.toml").read_text().replace("steps = 4", "epochs = 1.0").replace("batch = 4", "batch = 8")
    (here / "epochs.toml").write_text(text.replace("people = 16", ""))
    assert cost.images(cell) == pytest.approx(expected, abs=128)  # a whole number of batches


def test_on_the_command_line(here):
    words = ("doctor", "--hours", "matrix.toml", "--architecture", "net.py:net", "--set", "input=64")
    found = bench(*words, "--rate", "2", "--json").json["hours"]
    assert found["all"]["hours"] == pytest.approx(2 * 9 * IMAGES / 2.0 / 3600)
    printed = bench(*words, "--rate", "2").out
    assert "estimate from net.py:net@input=64 at 2 images a second" in printed
    assert "2 trainings" in printed and "0.04 h" in printed
    refused = bench(*words)
    assert refused.code == 2 and "--rate NUMBER" in refused.err
