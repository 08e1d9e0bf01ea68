"""Recipes: every file of the repository loads; what a file cannot mean is an error with its place."""

import msgspec
import pytest

from bench import recipe
from bench.errors import USAGE, Problem

FILES = sorted(recipe.FOLDER.glob("*.toml"))

SMALL = """
paper = "nobody2020"
[training]
optimizer = "adam"
learning_rate = 1e-3
batch = 4
steps = 100
[targets]
sigma = 1.0
[quick]
steps = 10
people = 64
"""


def written(tmp_path, text: str) -> str:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("budget", ["full", "quick"])
def test_every_recipe_of_the_repository(path, budget):
    loaded = recipe.load(path.stem)
    plan = loaded.budgeted(budget)
    assert loaded.paper == path.stem
    assert plan.total_steps(22_246) > 0  # people of MPII's training split
    if plan.schedule == "drops":
        shares = [share for share, _ in plan.drops]
        assert shares == sorted(shares) and shares[0] > 0 and shares[-1] < 1


def test_there_are_recipes():
    assert {path.stem for path in FILES} >= {"newell2016", "yang2017"}


def test_newell_as_published():
    """Newell 2016, section 3.1 and 4.1: rmsprop with 2.5e-4, rotation +-30 degrees, scaling .75 to 1.25."""
    loaded = recipe.load("newell2016")
    assert (loaded.training.optimizer, loaded.training.learning_rate) == ("rmsprop", 2.5e-4)
    assert (loaded.augmentation.rotation, loaded.augmentation.scale) == (30.0, (0.75, 1.25))


def test_budgets_share_all_but_what_quick_names(tmp_path):
    loaded = recipe.load(written(tmp_path, SMALL))
    full, quick = (msgspec.to_builtins(loaded.budgeted(budget)) for budget in ("full", "quick"))
    assert {name for name in full if full[name] != quick[name]} == {"steps", "people"}
    assert (quick["steps"], quick["people"]) == (10, 64)


def test_epochs_are_passes_over_the_people(tmp_path):
    loaded = recipe.load(written(tmp_path, SMALL.replace("steps = 100", "epochs = 3").replace("steps = 10", "")))
    assert loaded.training.total_steps(40) == 3 * 40 / 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch = 4", "batch = 4\nbatchsize = 4", "batchsize.*training"),
        ("steps = 10\n", "stepps = 10\n", "stepps"),
        ('paper = "nobody2020"', 'paper = "nobody2020"\ntest = 1', "test"),
        ('"adam"', '"adamw"', "adamw.*training.optimizer"),
        ("batch = 4", 'batch = "four"', "int.*training.batch"),
        ("batch = 4", "batch = 0", "training.batch"),
        ("steps = 100", "", "steps or epochs"),
        ("steps = 100", "steps = -1", "training.steps"),
        ("sigma = 1.0", "sigma = 0.0", "targets.sigma"),
        ("[targets]\nsigma = 1.0", "", "targets"),
        ("[training]", "[training", "recipe.toml"),
        ("people = 64", "people = -64", "people"),
    ],
)
def test_what_a_recipe_cannot_mean(tmp_path, old, new, said):
    assert SMALL.count(old) >= 1
    with pytest.raises(Problem, match=f"(?s){said}") as caught:
        recipe.load(written(tmp_path, SMALL.replace(old, new, 1)))
    assert caught.value.code == USAGE
    assert "recipe.toml" in caught.value.what and "\n" not in caught.value.what


def test_a_recipe_that_is_not_there_names_those_that_are():
    with pytest.raises(Problem, match="no recipe 'newel2016'") as caught:
        recipe.load("newel2016")
    assert "newell2016" in caught.value.expected


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xff\xfe\x00paper")
    with pytest.raises(Problem, match=r"recipe\.toml"):
        recipe.load(str(path))


def test_an_unknown_budget():
    with pytest.raises(Problem, match="no budget 'fast'"):
        recipe.load("newell2016").budgeted("fast")


def test_what_decides_the_weights_is_plain_data(tmp_path):
    inputs = recipe.load(written(tmp_path, SMALL)).train_inputs("quick")
    assert inputs["training"]["steps"] == 10
    assert inputs == msgspec.json.decode(msgspec.json.encode(inputs))
    assert "testing" not in inputs  # how one tests decides predictions, not weights
