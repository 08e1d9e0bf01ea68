"""The table of protocols: what it promises is what the modules take."""

import importlib
import inspect

import pytest

import architectures
from bench.cells.cell import check_options
from bench.errors import Problem
from protocols import CATALOGUE, PROTOCOLS, read
from protocols.coco import official as coco_official
from protocols.coco.top_down import HRNET, PRESETS
from protocols.datasets import DATASETS, datasets_of, skeleton_of
from protocols.errors import DataError
from protocols.joints import lsp_pck
from protocols.network import effective_field
from protocols.pose.skeletons import SKELETONS


@pytest.mark.parametrize("name", PROTOCOLS)
def test_options_are_those_of_the_module_with_its_defaults(name):
    rules = PROTOCOLS[name]
    module = importlib.import_module(rules.module)
    parameters = inspect.signature(getattr(module, rules.function)).parameters
    passed = {"images", "joints", *rules.takes}  # by bench
    keywords = {key: parameter for key, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    offered = {key: parameter.default for key, parameter in keywords.items() if key not in passed}
    assert set(offered) == set(rules.options) - set(rules.reading_options)
    for key, parameter in offered.items():
        actual = getattr(parameter, "name", parameter)  # a preset goes by its name
        assert (list(actual) if isinstance(actual, tuple) else actual) == rules.options[key]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_version_says_what_it_changed(name):
    rules = PROTOCOLS[name]
    assert rules.version == len(rules.changes) >= 1
    assert all(text.endswith(".") for text in rules.changes)
    assert rules.constants and all(map(all, rules.constants.values()))


def test_constants_that_the_code_holds_are_those_of_the_page():
    sigmas = SKELETONS["coco"].sigmas
    assert PROTOCOLS["coco-ap"].constants["sigma of a joint"][0] == f"{min(sigmas):.3f} to {max(sigmas):.3f}"
    assert PROTOCOLS["coco-ap"].constants["OKS-NMS"][0] == f"{HRNET.nms_threshold}"
    assert PROTOCOLS["coco-ap"].constants["rescoring"][0].endswith(f"{HRNET.keypoint_threshold}")
    assert PROTOCOLS["receptive-field"].constants["blur"][0] == f"sigma {effective_field.BLUR:.0f} pixels"
    variance = PROTOCOLS["init-variance"]
    assert variance.constants["seeds"][0] == str(len(variance.options["seeds"]))
    assert variance.constants["side of an image"][0] == f"at most {variance.largest_input} pixels"


def test_option_that_no_protocol_has_is_refused_with_those_there_are():
    with pytest.raises(Problem, match="has no option 'foo'") as caught:
        check_options(PROTOCOLS["lsp-pck"], {"foo": 1})
    assert "torso" in caught.value.expected


@pytest.mark.parametrize("value", ["many", 1.5, True, -1])
def test_value_of_another_kind_is_refused(value):
    with pytest.raises(Problem, match="resamples"):
        check_options(PROTOCOLS["mpii-pckh"], {"resamples": value})


@pytest.mark.parametrize(
    ("protocol", "option", "value"),
    [
        ("lsp-pck", "torso", "nose"),
        ("coco-ap", "backend", "matlab"),
        ("speed", "precisions", ["float8"]),
        ("speed", "modes", []),
        ("speed", "rounds", 0),
        ("speed", "seconds", 0.0),
        ("init-variance", "batch", 0),
        ("init-variance", "seeds", [0, -1]),
        ("init-variance", "seeds", ["a"]),
        ("receptive-field", "people", 0),
        ("occluded-limb", "cover", -1),
    ],
)
def test_value_that_cannot_be_is_refused_before_anything_runs(protocol, option, value):
    with pytest.raises(Problem, match="does not work"):
        check_options(PROTOCOLS[protocol], {option: value})


@pytest.mark.parametrize("name", PROTOCOLS)
def test_defaults_fit_and_so_does_every_choice(name):
    rules = PROTOCOLS[name]
    check_options(rules, rules.options)
    for option, words in rules.choices.items():
        check_options(rules, {option: list(words)} if isinstance(rules.options[option], list) else {})
        for word in words:
            check_options(rules, {option: [word] if isinstance(rules.options[option], list) else word})


def test_choices_are_those_of_the_modules():
    assert PROTOCOLS["lsp-pck"].choices["torso"] == tuple(lsp_pck.TORSOS)
    assert PROTOCOLS["coco-ap"].choices["preset"] == tuple(PRESETS)
    assert PROTOCOLS["coco-ap"].choices["backend"] == ("own", *coco_official.TOOLS)


def test_no_resamples_and_whole_numbers_for_others_are_values():
    check_options(PROTOCOLS["mpii-pckh"], {"resamples": 0, "seed": 0})
    check_options(PROTOCOLS["speed"], {"seconds": 1})


PEOPLE = ("mannequin", "mpii", "lsp", "lspet")
SCORED_ON = {
    "mpii-pckh": ("mannequin", "mpii"), "lsp-pck": PEOPLE, "lsp-pckh": PEOPLE, "lsp-pcp": PEOPLE,
    "coco-ap": ("mannequin", "coco"), "complexity": (), "init-variance": (), "cifar10-error": ("cifar10",), "speed": (),
    "occluded-limb": PEOPLE, "receptive-field": ("mannequin", "mpii"),
}  # fmt: skip


def test_datasets_follow_from_what_they_have():
    assert {name: datasets_of(rules) for name, rules in PROTOCOLS.items()} == SCORED_ON
    assert skeleton_of(PROTOCOLS["coco-ap"], "mannequin") == "coco"
    assert skeleton_of(PROTOCOLS["lsp-pck"], "mannequin") == "mpii", "which holds the joints of LSP"
    assert skeleton_of(PROTOCOLS["mpii-pckh"], "lsp") == "", "which has no head sizes"


def test_default_datasets_can_be_scored():
    for rules in PROTOCOLS.values():
        name, _, split = rules.default_dataset.partition("/")
        assert not name or (name in datasets_of(rules) and split in DATASETS[name].splits)


def test_papers_count_by_a_rule_that_there_is():
    assert {paper.counting for paper in architectures.papers().values()} <= {"", *PROTOCOLS["complexity"].variants}
    assert architectures.counting_rule(architectures.describe("pyranet-b-2")) == "opc"
    assert architectures.counting_rule(architectures.describe("hourglass-1")) is None


def test_a_metric_is_found_by_its_name_or_its_family():
    rules = PROTOCOLS["complexity"]
    assert rules.metric("giga_published").has_unit("G (opc)") and not rules.metric("giga").has_unit("G (opc)")
    assert PROTOCOLS["receptive-field"].metric("rf_max").has_unit("cells")
    assert PROTOCOLS["init-variance"].metric("variance msr").kept == ("max",)
    with pytest.raises(ValueError, match="mpii-pckh has no record of the metric 'OKS', only of PCKh@"):
        PROTOCOLS["mpii-pckh"].metric("OKS")


RECORD = CATALOGUE.read_text(encoding="utf-8").partition("[lsp-pck]")[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('needs = "predictions"\n', "", "mpii-pckh: Object missing required field `needs`"),
        ('needs = "predictions"', 'needs = "luck"', r"mpii-pckh: Invalid enum value 'luck' - at `\$.needs`"),
        ("[mpii-pckh.options]", 'colour = "red"\n[mpii-pckh.options]', "metric colour: Expected `object`"),
        ('files = "keypoints"', 'file = "keypoints"', "mpii-pckh: Object contains unknown field `file`"),
        ('AUC = { unit = "%", ', "AUC = { ", "mpii-pckh: metric AUC: Object missing required field `unit`"),
        ("tolerance = 2.0 }", "tolerance = 0.0 }", "metric PCKh@.*: a statistical gate needs a direction"),
        ('headline = ["PCKh@0.5"', 'headline = ["OKS"', "mpii-pckh: mpii-pckh has no record of the metric 'OKS'"),
        ("[mpii-pckh]", "[mpii-pckh", r"catalogue.toml: Expected '\]'"),
    ],
)
def test_a_wrong_record_is_a_sentence_with_its_place(tmp_path, old, new, said):
    assert old in RECORD
    path = tmp_path / "catalogue.toml"
    path.write_text(RECORD.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith("catalogue.toml: ") and caught.value.next_step
