"""The figures of leaderboards: every line has a name of its own, so that none hides another."""

from snapshots import cell

from reports.figures.leaderboard_plots import labels

PLACE = ("mpii-pckh", "mannequin", "val")


def test_a_network_alone_is_its_name():
    assert labels([cell("a", *PLACE), cell("b", *PLACE)]) == ["a", "b"]


def test_several_cells_of_a_network_say_what_differs():
    cells = [cell("a", *PLACE), cell("a", *PLACE, seed=1), cell("a", *PLACE, seed=1, tags=("fast",)), cell("b", *PLACE)]
    assert labels(cells) == ["a, seed 0", "a, seed 1", "a, seed 1, fast", "b"]


def test_what_no_word_tells_apart_has_its_key():
    """Two files of detected boxes, say: with one name for both, the second curve would take the place of the first."""
    cells = [cell("a", *PLACE), cell("a", *PLACE, cell="0123456789")]
    found = labels(cells)
    assert len(set(found)) == 2 and found[1] == "a, seed 0, 012345"
