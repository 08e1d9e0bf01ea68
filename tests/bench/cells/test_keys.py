"""Keys: they change with each thing that decides the numbers, and with nothing else."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

import architectures
from architectures.signature import signature
from bench.cells import keys, recipe
from bench.cells.cell import Cell
from bench.cells.keys import architecture_inputs, cell_inputs, differences
from bench.store.digests import content_key
from protocols import PROTOCOLS

RECIPE = """
paper = "nobody2020"  # a comment
[training]
optimizer = "adam"
learning_rate = 1e-3
batch = 4
steps = 100
[targets]
sigma = 1.0
[quick]
steps = 10
"""
TRAIN, VAL = {"annotation": "train"}, {"annotation": "val"}  # fingerprints


@pytest.fixture
def written(tmp_path):
    """Writes the recipe of `cell` anew, with changes."""

    def write(*changes: tuple[str, str]) -> str:
        text = RECIPE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        recipe.read.cache_clear()
        return str(path)

    return write


@pytest.fixture
def cell(written) -> Cell:
    return Cell("hourglass-1", "mpii-pckh", "mannequin", "val", {"width": 0.25, "input": 64}, written())


def key(cell: Cell, train: str = "train", people: str = "val") -> str:
    """The key of an equal cell that knows nothing yet."""
    return content_key(cell_inputs(replace(cell), {"annotation": train}, {"annotation": people}))


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "hourglass-2"},
        {"overrides": {"width": 0.5, "input": 64}},
        {"overrides": {"width": 0.25, "input": 128}},
        {"overrides": {"width": 0.25, "input": [64, 128]}},
        {"protocol": "lsp-pck"},
        {"seed": 1},
        {"budget": "quick"},
        {"limit": 8},
        {"options": {"resamples": 10}},
        {"recipe": "newell2016"},
    ],
    ids=str,
)
def test_what_decides_the_numbers_changes_the_key(cell, change):
    assert key(replace(cell, **change)) != key(cell)


@pytest.mark.parametrize(
    ("old", "new"),
    [("steps = 100", "steps = 101"), ("1e-3", "2e-3"), ("sigma = 1.0", "sigma = 2.0"), ('"adam"', '"sgd"'),
     ("[targets]", "[augmentation]\nflip = 0.5\n[targets]"), ("[targets]", "[testing]\nflip = false\n[targets]"),
     ("[targets]", "[pixels]\nmean = [0.5, 0.5, 0.5]\n[targets]"), ("steps = 100", "steps = 100\npeople = 64")],
)  # fmt: skip
def test_the_content_of_the_recipe_changes_the_key(cell, written, old, new):
    before = key(cell)
    written((old, new))
    assert key(cell) != before


@pytest.mark.parametrize(
    "change", [("nobody2020", "somebody2021"), ("# a comment", ""), ("steps = 10\n", "steps = 9\n")]
)
def test_what_the_recipe_only_says_does_not(cell, written, change):
    before = key(cell)
    written(change)
    assert key(cell) == before  # the [quick] table decides nothing under the full budget


def test_people_change_the_key(cell):
    assert len({key(cell), key(cell, train="other"), key(cell, people="other")}) == 3


def test_the_version_of_the_protocol_changes_the_key(cell, monkeypatch):
    before = key(cell)
    rules = PROTOCOLS["mpii-pckh"]
    monkeypatch.setitem(PROTOCOLS, "mpii-pckh", structs.replace(rules, changes=(*rules.changes, "Something.")))
    assert key(cell) != before
    monkeypatch.setitem(PROTOCOLS, "mpii-pckh", structs.replace(rules, summary="other words", conventions={}))
    assert key(cell) == before


@pytest.mark.parametrize("name", ["TRAINING_VERSION", "PREDICTION_VERSION"])
def test_the_version_of_our_own_code_changes_the_key(cell, monkeypatch, name):
    before, counted = key(cell), key(Cell("hourglass-1", "complexity"))
    monkeypatch.setattr(keys, name, 2)
    assert key(cell) != before
    assert key(Cell("hourglass-1", "complexity")) == counted


def test_words_about_an_architecture_do_not_change_the_key(cell, monkeypatch):
    before = key(cell)
    row = architectures.catalogue()["hourglass-1"]
    named = replace(row, summary="other words", kind="control", paper="nobody2020", recipe="yang2017")
    monkeypatch.setitem(architectures.catalogue(), "hourglass-1", named)
    assert key(cell) == before
    monkeypatch.setitem(architectures.catalogue(), "hourglass-1", replace(row, options={"stacks": 3}))
    assert key(cell) != before


def test_the_order_of_overrides_does_not_change_the_key(cell):
    assert key(replace(cell, overrides={"input": 64, "width": 0.25})) == key(cell)
    assert key(replace(cell, overrides={"input": [64, 64], "width": 0.25})) == key(cell)


def test_the_place_of_a_recipe_does_not_change_the_key(cell, written, tmp_path):
    copy = tmp_path / "copy.toml"
    copy.write_text(RECIPE)
    assert key(replace(cell, recipe=str(copy))) == key(cell)


def test_released_weights_stand_for_their_content(cell, tmp_path):
    keys = {key(cell)}
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("b.pth", b"2")):
        (tmp_path / name).write_bytes(content)
        keys.add(key(replace(cell, weights=str(tmp_path / name))))
    assert len(keys) == 3
    (tmp_path / "a.pth").write_bytes(b"2")
    released = replace(cell, weights=str(tmp_path / "a.pth"))
    assert key(released, train="") == key(replace(released, budget="quick", seed=0), train="")


def test_a_network_from_a_file_stands_for_its_content_and_not_for_its_place(tmp_path):
    def network(path: str, text: str) -> str:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
        return content_key(architecture_inputs(architectures.describe(f"{tmp_path / path}:tiny")))

    before = network("net.py", "def tiny(*, joints=16): ...")
    assert network("elsewhere/other.py", "def tiny(*, joints=16): ...") == before
    assert network("net.py", "def tiny(*, joints=17): ...") != before


def test_a_builder_may_move_to_another_file(monkeypatch):
    row = architectures.catalogue()["hourglass-2"]
    moved = replace(row, builder=f"families.hourglass:{row.builder.partition(':')[2]}")
    assert architecture_inputs(moved)["builder"] == "stacked_hourglass" == architecture_inputs(row)["builder"]
    builders = {row.builder for row in architectures.catalogue().values()}
    assert len({builder.partition(":")[2] for builder in builders}) == len(builders)  # a name stands for one function


def test_no_key_holds_a_path(cell, tmp_path):
    (tmp_path / "net.py").write_text("def tiny(*, joints=16): ...")
    (tmp_path / "net.pth").write_bytes(b"weights")
    outside = replace(cell, architecture=f"{tmp_path}/net.py:tiny", overrides={})
    for which in (cell, outside, replace(outside, weights=str(tmp_path / "net.pth"))):
        text = json.dumps(cell_inputs(which, TRAIN, VAL))
        assert str(tmp_path) not in text and "/" not in text and ".py" not in text


@pytest.mark.parametrize("width", [1.0, 1])
def test_an_option_at_the_default_of_its_builder_is_left_out(cell, width):
    plain = replace(cell, overrides={"input": 64})
    assert key(replace(cell, overrides={"width": width, "input": 64})) == key(plain)
    assert "width" not in architecture_inputs(plain.row)["options"]
    assert architecture_inputs(cell.row)["options"] == {"stacks": 1, "width": 0.25}


def test_an_option_at_the_default_of_its_protocol_is_left_out(cell, monkeypatch):
    rules = PROTOCOLS["mpii-pckh"]
    assert key(replace(cell, options=rules.options)) == key(cell)
    before = key(cell), key(replace(cell, options={"resamples": 7}))
    monkeypatch.setitem(PROTOCOLS, "mpii-pckh", structs.replace(rules, options=rules.options | {"later": "added"}))
    assert (key(cell), key(replace(cell, options={"resamples": 7}))) == before
    assert key(replace(cell, options={"later": "chosen"})) != key(cell)


BUILDERS = {
    "mean_pose": "joints=16, width=1.0",
    "resnext": "classes=10, width=1.0, cardinality=8, pyramid=0",
    "wide_resnet": "classes=10, width=1.0, widen=10, pyramid=0",
    "convolution_machine": "joints=14, width=1.0, stages=4, first=32, kernel=3, squeeze=32, expand=64, fuse=128, "
    "dilate=64",
    "pilot": "joints=14, width=1.0, squeeze=False, dilate=False, gates=False",
    "cpm": "joints=14, width=1.0, stages=6",
    "cpm_vgg": "joints=14, width=1.0, stages=6",
    "stacked_hourglass": "stacks=8, joints=16, width=1.0, blocks=1, stem='newell'",
    "inception": "joints=14, width=1.0, block='ioi', blocks=3, gate='none', gate_width=None, block_width=None, "
    "centre_map=False, background=False",
    "joint_network": "joints=14, width=1.0, mode='paper', gate='sigmoid', gate_width=None, centre_map=False, "
    "exact=False, shuffle=0",
    "mspn": "joints=17, width=1.0, stages=2, backbone='resnet50', stride_on='1x1', aggregation=True, "
    "multi_scale=True, finest_kernels=None, resize_last=False",
    "mspn_hourglass": "joints=17, width=1.0, stages=4, coarse_to_fine=False, aggregation=False",
    "multi_context": "stacks=8, joints=16, width=1.0, layout='paper', hru=True, maps=2, normalize='crf', "
    "multi_resolution=True, part_stacks=4, last_features=256",
    "pyranet": "stacks=8, joints=16, width=1.0, unit='prm-bstar', variance_control=True, scales=4, base_width=9, "
    "bottleneck=128",
}
RESAMPLED = {"resamples": 1000, "seed": 0}
PROTOCOL_OPTIONS = {
    "mpii-pckh": RESAMPLED,
    "lsp-pck": RESAMPLED | {"torso": "left_shoulder-right_hip"},
    "lsp-pckh": RESAMPLED,
    "lsp-pcp": RESAMPLED,
    "coco-ap": RESAMPLED | {"detections": "", "preset": "hrnet", "backend": "own"},
    "init-variance": {"seeds": [0, 1, 2, 3, 4], "batch": 2},
    "speed": {
        "precisions": ["float32", "bfloat16"],
        "modes": ["eager", "compiled"],
        "rounds": 5,
        "seconds": 0.5,
    },
    "occluded-limb": RESAMPLED | {"cover": 0},
    "receptive-field": {"people": 32, "occlusion": 0, "seed": 0},
}


@pytest.mark.parametrize("function", BUILDERS)
def test_no_default_of_a_builder_changes_without_a_version(function):
    """Keys leave defaults out: for one that changes, raise NETWORK_VERSION in bench/cells/keys.py, then write it here.
    Of a builder that is not listed here, nobody notices."""
    (builder,) = {row.builder for row in architectures.catalogue().values() if row.builder.endswith(f":{function}")}
    assert set(BUILDERS[function].split(", ")) <= set(str(signature(builder)).strip("()*, ").split(", "))


@pytest.mark.parametrize("name", PROTOCOL_OPTIONS)
def test_no_default_of_a_protocol_changes_without_its_version(name):
    """The same for options of protocols: raise the protocol's version, then write the new default here."""
    assert PROTOCOL_OPTIONS[name].items() <= PROTOCOLS[name].options.items()


def test_counting_needs_no_training():
    counted = Cell("hourglass-1", "complexity")
    assert key(counted) == key(replace(counted, budget="quick", limit=3, recipe="yang2017"), "a", "b")
    assert key(counted) != key(replace(counted, architecture="hourglass-2"))


def test_protocols_share_a_training_and_its_predictions(cell):
    first, second = (cell_inputs(replace(cell, protocol=name), TRAIN, VAL) for name in ("mpii-pckh", "lsp-pck"))
    assert first["predictions"] == second["predictions"]


def test_splits_share_a_training(cell):
    first, second = (cell_inputs(cell, TRAIN, people) for people in (VAL, {"annotation": "test"}))
    assert first["predictions"]["weights"] == second["predictions"]["weights"]
    assert first["predictions"] != second["predictions"]


def test_a_covered_limb_needs_both_predictions(cell):
    covered = cell_inputs(replace(cell, protocol="occluded-limb"), TRAIN, VAL)
    assert covered["predictions"] == cell_inputs(cell, TRAIN, VAL)["predictions"]
    assert covered["predictions with a covered limb"] != covered["predictions"]


def test_fast_is_another_cell_of_the_same_weights(cell):
    inputs, fast = (cell_inputs(which, TRAIN, VAL, "cpu") for which in (cell, replace(cell, fast=True)))
    assert "fast" not in str(inputs)  # so that keys without it stay
    assert differences(inputs, fast) == ["predictions.device nothing -> cpu", "predictions.fast nothing -> True"]
    assert keys.weights_in(inputs) == keys.weights_in(fast)
    timed = Cell("hourglass-1", "speed")
    assert differences(cell_inputs(timed), cell_inputs(replace(timed, fast=True))) == ["fast nothing -> True"]


@pytest.fixture
def accelerator(monkeypatch):
    """A machine with an accelerator called Fake 9000."""
    monkeypatch.setattr(keys, "chosen_device", lambda device: "cuda" if device == "auto" else device)
    monkeypatch.setattr(keys, "device_name", lambda device: "Fake 9000" if device.startswith("cuda") else "a processor")


def test_a_speed_belongs_to_the_device_that_it_was_measured_on(accelerator):
    timed = Cell("hourglass-1", "speed")
    names = [cell_inputs(timed, device=device)["machine"] for device in ("cpu", "cuda", "cuda:1", "auto")]
    assert names == ["a processor", "Fake 9000", "Fake 9000", "Fake 9000"]
    for protocol in ("complexity", "init-variance"):  # do not ask
        assert cell_inputs(Cell("hourglass-1", protocol), device="cuda") == cell_inputs(Cell("hourglass-1", protocol))


def test_the_kind_of_device_decides_predictions_that_are_fast_on_it(cell):
    keys = [
        content_key(cell_inputs(replace(cell, fast=True), TRAIN, VAL, device)) for device in ("cpu", "cuda", "cuda:1")
    ]
    assert keys[0] != keys[1] == keys[2]
    assert cell_inputs(cell, TRAIN, VAL, "cuda") == cell_inputs(cell, TRAIN, VAL, "cpu")


def test_inputs_are_the_same_after_a_journey_through_a_file(cell):
    """Otherwise every cell would look stale."""
    for name in ("newell2016", "yang2017"):
        inputs = cell_inputs(replace(cell, recipe=name), TRAIN, VAL)
        assert differences(json.loads(json.dumps(inputs)), inputs) == []


def test_differences_name_the_place_and_both_values():
    old = {"version": 1, "predictions": {"weights": {"steps": 600, "same": [1]}, "gone": 1}}
    new = {"version": 2, "predictions": {"weights": {"steps": 900, "same": [1]}, "came": "x" * 40}}
    assert differences(old, new) == [
        "predictions.came nothing -> xxxxxxxxxxxx…",
        "predictions.gone 1 -> nothing",
        "predictions.weights.steps 600 -> 900",
        "version 1 -> 2",
    ]
    assert differences(new, new) == []
