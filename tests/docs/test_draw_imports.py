"""Imports go one way, and docs/architecture.svg shows them as they are."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from xml.etree import ElementTree

import draw_imports
import pytest
from draw_imports import FOLDERS, REPOSITORY, boxes, draw, imports, known, part


def circle() -> list[Path]:
    """Find files that import each other, the first one at both ends; empty if there are none."""
    graph: dict[Path, set[Path]] = {}
    for source, _, target in imports():
        graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def forbidden() -> list[str]:
    """List the imports that go upwards, or into a folder that the importing one must not know."""
    placed, found = boxes(), []
    for source, line, target in imports():
        one, other = placed[part(source)], placed[part(target)]
        inside = one == other or one.row < other.row
        if not (inside if one.folder == other.folder else known(part(source), part(target))):
            found.append(f"{source}:{line} imports {target}")
    return found


def test_no_file_is_in_a_circle_of_imports():
    assert circle() == []


def test_imports_go_downwards_and_only_into_known_folders():
    assert forbidden() == []


def test_every_part_of_a_folder_has_a_place_and_every_place_a_part():
    files = [path for name in FOLDERS for path in (REPOSITORY / name).rglob("*.py") if path.stat().st_size]
    parts = {part(path.relative_to(REPOSITORY)) for path in files}
    assert parts == {name for name in boxes() if "/" in name or not FOLDERS[name].rows}


def test_the_picture_is_of_today():
    picture = (REPOSITORY / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert picture == draw(), "python3 docs/draw_imports.py"
    names = [str(element.text) for element in ElementTree.fromstring(picture).iter() if element.get("class") == "part"]
    assert sorted(names) == sorted(name.partition("/")[2] for name in boxes() if "/" in name)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two files that import each other, one of them in a function, from a lower folder."""
    monkeypatch.setattr(draw_imports, "REPOSITORY", tmp_path)
    for name, text in {
        "protocols/pose/crops.py": "import math\n\ndef crop():\n    from bench.cells import cell\n",
        "bench/cells/cell.py": "from protocols.pose import crops\nfrom bench.cells.cell import Cell\n",
        "bench/store/store.py": "import bench.cells.cell\n",
        "reports/site.py": "from bench.results.rows import rows\nfrom bench.store import store\n",
        "bench/results/rows.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("repository")
def test_circles_and_imports_upwards_are_found():
    assert {path.name for path in circle()} == {"crops.py", "cell.py"}
    assert forbidden() == [
        "bench/store/store.py:1 imports bench/cells/cell.py",
        "protocols/pose/crops.py:4 imports bench/cells/cell.py",
        "reports/site.py:2 imports bench/store/store.py",
    ]


def test_relative_imports_are_refused(repository):
    (repository / "bench" / "gate.py").write_text("from . import cells\n")
    with pytest.raises(ValueError, match=r"bench/gate\.py:1: imports name the whole path"):
        list(imports())


def test_arrows_that_follow_from_others_are_left_out(repository):
    for name, text in {
        "bench/gate.py": "import bench.steps, bench.cells",
        "bench/steps.py": "import bench.cells",
    }.items():
        (draw_imports.REPOSITORY / name).write_text(text)
    (draw_imports.REPOSITORY / "bench" / "cells" / "__init__.py").write_text("")
    placed = boxes()
    near, far = draw_imports.arrows(placed)
    assert near == [(placed["bench/gate"], placed["bench/steps"]), (placed["bench/steps"], placed["bench/cells"])]
    assert far == [(placed["bench"], placed["protocols"]), (placed["reports"], placed["bench/results"])]
