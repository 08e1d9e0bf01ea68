"""The table of protocols: what it promises is what the modules take."""

import importlib
import inspect

import pytest

from bench.cell import check_options
from bench.errors import Problem
from protocols import PROTOCOLS, effective_field
from protocols.keypoints import SKELETONS
from protocols.origins import CHANGES, CONSTANTS
from protocols.top_down import HRNET

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


@pytest.mark.parametrize("value", ["many", 1.5, True])
def test_value_of_another_kind_is_refused(value):
    with pytest.raises(Problem, match="resamples"):
        check_options(PROTOCOLS["mpii-pckh"], {"resamples": value})
