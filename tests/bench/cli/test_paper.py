"""`bench run --paper` and `bench status --paper`: from printed numbers to cells, on an empty store and without data."""

import json

import pytest
from small_bench import bench

COUNTS = {"printed", "fillable", "filled", "reproduced"}


def test_status_says_which_cell_fills_each_number(tmp_path):
    words = ("--store", tmp_path / "runs", "--data", tmp_path)
    found = bench("status", "--paper", "liu2018", "--table", "Table 1", "--json", *words)
    document = json.loads(found.out)
    assert found.code == 0 and set(document) == {"paper", "costs", "accuracies", "numbers"}
    assert set(document["costs"]) == COUNTS and set(document["accuracies"]) == COUNTS | {"rebuilt", "from_predictions"}
    assert document["accuracies"] == {
        "printed": 24, "rebuilt": 24, "fillable": 24, "filled": 0, "reproduced": 0, "from_predictions": 0,
    }  # fmt: skip
    number = document["numbers"][-1]
    assert (number["row"], number["column"], number["published"]) == ("IOI", "Mean", 88.8)
    assert number["cell"] == "liu-ioi × mpii-pckh on mpii/val, seed 0" and number["state"] == "blocked"
    assert "the annotation was not found" in number["missing"]


def test_status_in_words(tmp_path):
    found = bench("status", "--paper", "li2019", "--table", "Table 5", "--store", tmp_path / "runs", "--data", tmp_path)
    assert "mspn-4@input=384x288 × coco-ap on coco/test-dev2017, seed 0" in found.out
    assert "Table 5, CMU Pose [5]: 10 without a cell: no network here rebuilds it" in found.out
    assert "accuracies: 101 printed, 10 rebuilt, 10 fillable (10 of them by those who have the annotation" in found.out


def test_run_measures_what_needs_no_data(tmp_path):
    words = ("--store", tmp_path / "runs", "--data", tmp_path, "--jobs", 1)
    assert bench("run", "--paper", "yang2017", "--table", "Complexity", "--seed", 0, "--seed", 1, *words).code == 0
    found = bench("status", "--paper", "yang2017", "--table", "Complexity", "--json", *words[:4])
    # 41.1 operations of the baseline are counted for the printed 41.2; the other three are reproduced
    assert json.loads(found.out)["costs"] == {"printed": 4, "fillable": 4, "filled": 4, "reproduced": 3}


@pytest.mark.parametrize(("words", "code", "said"), [
    (("run", "--paper", "liu"), 2, "There is no paper 'liu'"),
    (("run", "--table", "Table 1"), 2, "There is no paper ''"),
    (("status", "--paper", "liu2018", "--table", "Table 9"), 2, "Liu 2018 has no table 'Table 9'"),
    (("run", "cpm-6", "--paper", "liu2018"), 2, "--paper says which networks are run and how"),
    (("run", "--paper", "liu2018", "--budget", "quick"), 2, "--paper says which networks are run and how"),
    (("status", "cpm-*", "--paper", "liu2018"), 2, "--paper says which networks are looked at"),
    (("run", "--paper", "nie2019", "--table", "Text, LSP"), 4, "No network here fills a number of Nie 2019, Text, LSP"),
    (("run", "--paper", "liu2018", "--table", "Table 1"), 5, "mpii: the annotation was not found"),
])  # fmt: skip
def test_refusals(tmp_path, words, code, said):
    found = bench(*words, "--store", tmp_path / "runs", "--data", tmp_path)
    assert found.code == code and said in found.err
