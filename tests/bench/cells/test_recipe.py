"""Recipes: every file of the repository loads; what a file cannot mean is an error with its place."""

import copy
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import architectures
from bench.cells import recipe
from bench.errors import USAGE, Problem
from bench.store.digests import content_key

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
    kinds = tuple(f"{loaded.paper}-{word}" for word in ("released", "pilot", "lsp"))
    assert path.stem == loaded.paper or path.stem.startswith(kinds)
    assert plan.total_steps(22_246) > 0  # people of MPII's training split
    if plan.schedule == "drops":
        shares = [share for share, _ in plan.drops]
        assert shares == sorted(shares) and shares[0] > 0 and shares[-1] < 1


def test_every_architecture_has_its_recipe():
    assert {row.recipe for row in architectures.catalogue().values()} <= {path.stem for path in FILES}


def test_every_recipe_has_a_quick_form():
    for path in FILES:
        quick = recipe.load(path.stem).budgeted("quick")
        assert 0 < quick.steps * quick.batch <= 256_000 and quick.batch <= 128, path.stem  # examples: minutes


@pytest.mark.parametrize(
    ("name", "plan", "augmentation"),
    [  # sections as in the files
        ("yang2017", {"learning_rate": 7e-4, "batch": 16, "epochs": 200.0}, {}),
        ("chu2017-lsp", {"learning_rate": 2.5e-4, "epochs": 60.0}, {"flip": 0.5}),
        ("chu2017", {"optimizer": "rmsprop", "learning_rate": 2.5e-4, "epochs": 130.0},
         {"rotation": 30.0, "scale": (0.75, 1.25)}),
        ("li2019", {"optimizer": "adam", "batch": 8 * 32, "steps": 90_000, "weight_decay": 1e-5, "schedule": "linear"},
         {"rotation": 45.0, "scale": (0.7, 1.35), "half_body_joints": 8}),
        ("li2019-released", {"steps": 96_000, "warmup": 2400, "learning_rate": 8 * 5e-4}, {"half_body": 0.3}),
        ("li2019-released-mpii", {"steps": 28_800, "checkpointing": True}, {"rotation": 60.0, "half_body": 0.5}),
        ("wei2016", {"learning_rate": 8e-5, "batch": 16, "momentum": 0.9}, {"rotation": 40.0, "scale": (0.7, 1.3)}),
        ("nie2019", {"optimizer": "rmsprop", "learning_rate": 1e-4, "steps": 10**6}, {"scale": (0.7, 1.3)}),
        ("nie2019-pilot", {"optimizer": "rmsprop", "learning_rate": 1e-4, "steps": 10**5}, {"scale": (0.7, 1.3)}),
        ("zagoruyko2016", {"batch": 128, "epochs": 200.0, "nesterov": True, "weight_decay": 5e-4}, {"shift": 4}),
    ],
)  # fmt: skip
def test_numbers_of_the_papers(name, plan, augmentation):
    loaded = recipe.load(name)
    assert {field: getattr(loaded.training, field) for field in plan} == plan
    assert {field: getattr(loaded.augmentation, field) for field in augmentation} == augmentation


def test_drops_at_the_epochs_and_steps_of_the_papers():
    for name, total, places in [
        ("yang2017", 200, (150, 170)), ("zagoruyko2016", 200, (60, 120, 160)), ("xie2017", 300, (150, 225)),
        ("wei2016", 600_000, (136_106, 272_212, 408_318, 544_424)),
    ]:  # fmt: skip
        drops = recipe.load(name).training.drops
        assert [share * total for share, _ in drops] == pytest.approx(places, rel=1e-6)


def test_scales_of_the_papers():
    assert recipe.load("yang2017").testing.scales == (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
    assert recipe.load("chu2017").testing.scales == (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
    assert recipe.load("wei2016").testing.scales == (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)


def test_newell_as_published():
    """Newell 2016, training details: rmsprop with 2.5e-4, rotation +-30 degrees, scaling .75 to 1.25."""
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
        ('"adam"', '"adamw"', "optimizer 'adamw' is none of rmsprop, adam, sgd.*training"),
        ("batch = 4", 'batch = "four"', "int.*training.batch"),
        ("batch = 4", "batch = 0", "training.batch"),
        ("steps = 100", "", "steps or epochs"),
        ("steps = 100", "steps = -1", "training.steps"),
        ("sigma = 1.0", "sigma = 0.0", "targets.sigma"),
        ("[targets]\nsigma = 1.0", "", "targets"),
        ("[training]", "[training", "recipe.toml"),
        ("people = 64", "people = -64", "people.*quick"),
        ("batch = 4", "batch = 4\nnesterov = true", "nesterov needs"),
        ("batch = 4", "batch = 4\ncompile = true\ncheckpointing = true", "exclude each other"),
        ("[quick]", "[testing]\nscales = [0.0]\n[quick]", "testing.scales"),
        ("[quick]", "[testing]\ndecoding = 'magic'\n[quick]", "decoding 'magic' is none of .*testing"),
        ("[quick]", "[pixels]\nchannels = 'gbr'\n[quick]", "channels 'gbr' is none of rgb, bgr.*pixels"),
        ("sigma = 1.0", "sigma = 1.0\nkernel = 4", "targets.kernel"),
        ("batch = 4", "batch = 4\nprecision = 'int8'", "precision 'int8' is none of float32, bfloat16.*training"),
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


def test_the_same_relative_path_in_two_working_directories(tmp_path, monkeypatch):
    for folder, batch in ((tmp_path / "one", 4), (tmp_path / "two", 8)):
        folder.mkdir()
        written(folder, SMALL.replace("batch = 4", f"batch = {batch}"))
        monkeypatch.chdir(folder)
        assert recipe.load("recipe.toml").training.batch == batch


def test_an_unknown_budget():
    with pytest.raises(Problem, match="no budget 'fast'"):
        recipe.load("newell2016").budgeted("fast")


def test_what_decides_the_weights_is_plain_data(tmp_path):
    inputs = recipe.load(written(tmp_path, SMALL)).train_inputs("quick")
    assert inputs["training"]["steps"] == 10
    assert inputs == msgspec.json.decode(msgspec.json.encode(inputs))
    assert "testing" not in inputs  # how one tests decides predictions, not weights


def test_what_decides_predictions_is_plain_data(tmp_path):
    text = (
        SMALL.replace("[quick]", "peak = 2\n[quick]")
        + "[testing]\nscales = [1, 1.2]\nkernel = 5\n[pixels]\nchannels = 'bgr'\n"
    )
    inputs = recipe.load(written(tmp_path, text)).test_inputs()
    assert inputs == {"testing": {"scales": [1.0, 1.2]}, "pixels": {"channels": "bgr"}, "maps": {"peak": 2.0}}
    assert inputs == msgspec.json.decode(msgspec.json.encode(inputs))


def other(value: object) -> object:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return {"part": 2.0}
    return value + {str: "?", tuple: (0.5,)}.get(type(value), 1)


@pytest.mark.parametrize("name", sorted({"training", "targets", "loss", "augmentation", "testing", "pixels"}))
def test_every_field_is_in_a_key_unless_it_is_at_its_default(tmp_path, name):
    """Every table but the paper's name and [quick] is in what decides weights or predictions, whole."""
    loaded = recipe.load(written(tmp_path, SMALL))
    assert {"paper", "quick", name} <= set(loaded.__struct_fields__) and len(loaded.__struct_fields__) == 8

    def keys(changed: recipe.Recipe) -> tuple[str, str]:
        return content_key(changed.train_inputs("full")), content_key(changed.test_inputs())

    table = getattr(loaded, name)
    for field in table.__struct_fields__:
        value = copy.copy(table)  # not structs.replace, which checks what goes together
        msgspec.structs.force_setattr(value, field, other(getattr(table, field)))
        assert keys(msgspec.structs.replace(loaded, **{name: value})) != keys(loaded), field


def test_a_table_that_gains_a_field_keeps_its_keys(tmp_path):
    loaded = recipe.load(written(tmp_path, SMALL))
    before = loaded.train_inputs("full"), loaded.test_inputs()
    for name, usual in (("augmentation", 0.5), ("testing", ""), ("targets", {}), ("pixels", (1.0, 2.0)), ("loss", 7)):
        kind = type(getattr(loaded, name))
        grown = msgspec.defstruct("Grown", [("blur", object, usual)], bases=(kind,), frozen=True)
        table = grown(**msgspec.structs.asdict(getattr(loaded, name)))
        assert msgspec.structs.asdict(table)["blur"] == usual
        gained = msgspec.structs.replace(loaded, **{name: table})
        assert (gained.train_inputs("full"), gained.test_inputs()) == before
        chosen = msgspec.structs.replace(loaded, **{name: msgspec.structs.replace(table, blur="much")})
        assert (chosen.train_inputs("full"), chosen.test_inputs()) != before


def test_a_default_that_is_written_out_changes_no_key(tmp_path):
    plain = recipe.load(written(tmp_path, SMALL)).train_inputs("full")
    for text in (
        "peak = 1.0\n",
        "peak = 1\nkind = 'gaussian'\n",
        "[loss]\nhardest = 0\n",
        "[augmentation]\nbox = [0, 0]\n",
    ):
        path = written(tmp_path, SMALL.replace("[quick]", f"{text}[quick]"))
        recipe.read.cache_clear()
        assert recipe.load(path).train_inputs("full") == plain


DEFAULTS = {
    "Hyperparameters": "steps 0, epochs 0.0, people 0, schedule constant, drops (), warmup 0, weight_decay 0.0, "
    "momentum 0.0, nesterov False, rates {}, bias_rate 1.0, bias_decay True, ema 0.0, precision float32, "
    "micro_batch 0, checkpointing False, compile False, deterministic False",
    "Augmentation": ""
    "rotation 0.0, rotation_probability 1.0, scale (1.0, 1.0), flip 0.0, colour 0.0, shift 0, box (0.0, "
    "0.0), box_margin 1.0, half_body 0.0, half_body_joints 8, half_body_upper 0.5, half_body_hips lower, "
    "half_body_box (0.6, 0.8)",
    "Targets": "kind gaussian, sigma 1.0, kernel 7, peak 1.0, centre 0.0, absent ignore, occluded teach",
    "Loss": "reduction mean, hardest 0, coarse_weight 1.0",
    "Testing": "flip True, flip_shift True, decoding quarter, kernel 5, scales (1.0,)",
    "Pixels": "mean (0.0, 0.0, 0.0), std (1.0, 1.0, 1.0), channels rgb",
}


@pytest.mark.parametrize("table", DEFAULTS)
def test_no_default_changes_without_a_version(table):
    """Keys leave defaults out. For one that changes, raise TRAINING_VERSION (Testing, Pixels: PREDICTION_VERSION) in
    bench/cells/keys.py, then write it here; a new field is only written here."""
    found = recipe.defaults(getattr(recipe, table))
    assert ", ".join(f"{name} {value}" for name, value in found.items()) == DEFAULTS[table]


@settings(max_examples=1000)
@given(st.data())
def test_damaged_recipes_are_sentences(data):
    """Bytes cut out or replaced anywhere in a recipe that works."""
    text = data.draw(st.sampled_from(FILES)).read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    put = data.draw(
        st.one_of(st.binary(max_size=8), st.sampled_from([b"[", b"]]", b'"', b"-1", b"nan", b"inf", b"\n"]))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_bytes(text[:start] + put + text[end:])
        try:
            loaded = recipe.load(str(path))
        except Problem as error:
            assert error.code == USAGE and "recipe.toml" in error.what
        else:
            assert loaded.budgeted("quick").total_steps(100) > 0
            content_key(loaded.train_inputs("full"))
