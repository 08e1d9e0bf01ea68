"""A stranger's network: whatever it does, the cell fails with a sentence that names the line, and the others run."""

import pytest
import small_bench
from small_bench import bench

NETWORK = """
import sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, joints):
        super().__init__()
        self.body = nn.Conv2d(3, joints, 4, 4)

    def forward(self, images):
        maps = self.body(images)
        return RETURNED

def net(*, joints=16):
    BEFORE
    return Net(joints)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a network that returns an expression, and does something first, with one of the catalogue beside it."""
    monkeypatch.chdir(tmp_path)
    recipe = small_bench.recipe(tmp_path)

    def run(returned="(maps,)", before="pass", size=32, protocols='"mpii-pckh"'):
        (tmp_path / "net.py").write_text(NETWORK.replace("RETURNED", returned).replace("BEFORE", before))
        (tmp_path / "matrix.toml").write_text(
            f'[[cells]]\narchitectures = ["net.py:net", "mean-pose"]\nprotocols = [{protocols}]\n'
            f'set = {{ input = {size} }}\nrecipe = "{recipe}"\nlimit = 8\n'
        )
        return bench("run", "--jobs", "1", "--json")

    return run


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "it returns NoneType, not a tuple"),
        ("{'maps': maps}", "it returns dict, not a tuple"),
        ("()", "it returns an empty tuple"),
        ("maps", "it returns Tensor, not a tuple"),
        ("(None,)", "output 1 of 1 is NoneType, not a tensor"),
        ("(maps[:, :3],)", "output 1 of 1 has the shape 2x3x8x8 for 2 images, not 2x16xHxW"),
        ("(maps, maps[:, :, :7, :7])", "output 2 of 2 is 7x7 for an input of 32x32, which is no whole stride"),
        ("(maps.detach(),)", "an output is detached"),
        ("(maps * float('nan'),)", "output 1 of 1 holds values that are not finite"),
        ("(maps / missing,)", "net.py, line 13: NameError: name 'missing' is not defined"),
        ("sys.exit(0)", "net.py, line 13: sys.exit(0)"),
    ],
)
def test_every_fault_is_a_failed_cell_with_a_sentence(run, returned, said):
    told = run(returned)
    assert told.code == 3 and said in told.err and "--debug" in told.err, told.err
    assert [cell["architecture"] for cell in told.json["cells"]] == ["mean-pose@input=32"]


def test_a_map_of_the_background_is_allowed(run):
    assert run("(torch.cat([maps, maps[:, :1]], 1),)").code == 0


def test_an_exit_while_building_is_a_failed_cell(run):
    told = run(before="sys.exit()")
    assert told.code == 3 and "net.py, line 16: sys.exit(None)" in told.err
    assert len(told.json["cells"]) == 1


def test_what_a_network_prints_is_no_part_of_the_document(run):
    told = run(before="print('loading')")
    assert told.code == 0 and "loading" in told.err and len(told.json["cells"]) == 2


def test_an_input_that_is_no_multiple_of_the_stride_is_refused(run):
    assert run().code == 0
    told = bench("run", "net.py:net", "mpii-pckh", "--set", "input=70", "--limit", "8", "--jobs", "1")
    assert told.code == 3 and "is 17x17 for an input of 70x70, which is no whole stride" in told.err


def test_complexity_says_when_a_network_is_none_for_poses(run):
    told = run("maps.mean()", protocols='"complexity"')
    assert told.code == 0 and any(
        "is no network for poses: it returns Tensor" in text for text in told.json["warnings"]
    )
    assert not any("for poses" in text for text in run(protocols='"complexity"').json["warnings"])
