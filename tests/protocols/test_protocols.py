"""The table of protocols: what it promises is what the modules take."""

import importlib
import inspect

import pytest

from bench.cells.cell import check_options
from bench.errors import Problem
from protocols import PROTOCOLS
from protocols.coco import official as coco_official
from protocols.coco.top_down import HRNET
from protocols.joints import lsp_pck
from protocols.network import effective_field
from protocols.origins import CHANGES, CONSTANTS
from protocols.pose.skeletons import SKELETONS

OWN = {"predictions", "people", "network", "input_size"}  # what bench passes itself, not an option
READ = {"detections", "people"}  # options that decide which people are read, and no rule of a protocol
FROM_BENCH = {"convention", "initialize", "device", "images", "joints", "labels"}


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "occluded-limb"])
def test_options_are_those_of_the_module_with_its_defaults(name):
    rules = PROTOCOLS[name]
    module = importlib.import_module(rules.module)
    function = module.measure if rules.needs == "network" else getattr(module, "score_people", module.score)
    parameters = inspect.signature(function).parameters
    offered = {key: parameter.default for key, parameter in parameters.items() if key not in OWN | FROM_BENCH}
    assert set(offered) == set(rules.options) - READ
    for key, parameter in offered.items():
        actual = getattr(parameter, "name", parameter)  # a preset goes by its name
        assert (list(actual) if isinstance(actual, tuple) else actual) == rules.options[key]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_version_says_what_it_changed(name):
    assert list(CHANGES[name]) == list(range(1, PROTOCOLS[name].version + 1))
    assert all(text.endswith(".") for text in CHANGES[name].values())
    assert all(len(known) == 2 and all(known) for known in CONSTANTS[name].values())


def test_constants_that_the_code_holds_are_those_of_the_page():
    sigmas = SKELETONS["coco"].sigmas
    assert CONSTANTS["coco-ap"]["sigma of a joint"][0] == f"{min(sigmas):.3f} to {max(sigmas):.3f}"
    assert CONSTANTS["coco-ap"]["OKS-NMS"][0] == f"{HRNET.nms_threshold}"
    assert CONSTANTS["coco-ap"]["rescoring"][0].endswith(f"{HRNET.keypoint_threshold}")
    assert CONSTANTS["receptive-field"]["blur"][0] == f"sigma {effective_field.BLUR:.0f} pixels"
    assert CONSTANTS["init-variance"]["seeds"][0] == str(len(PROTOCOLS["init-variance"].options["seeds"]))


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
    assert PROTOCOLS["coco-ap"].choices["backend"] == ("own", *coco_official.TOOLS)


def test_no_resamples_and_whole_numbers_for_others_are_values():
    check_options(PROTOCOLS["mpii-pckh"], {"resamples": 0, "seed": 0})
    check_options(PROTOCOLS["speed"], {"seconds": 1})
