"""What the project says of itself: dependencies, licence, citation, links between its pages."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from protocols import PROTOCOLS
from reports.data.methods import methods

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
FOLDERS = ("architectures", "protocols", "bench", "reports", "tests", "benchmarks", "docs")
NOT_IMPORTED = {"nvidia-ml-py": "torch reads the clock rate through it"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level names of what a module imports, those of `pytest.importorskip` among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            yield ast.literal_eval(node.args[0]).partition(".")[0]


def normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def dependencies() -> set[str]:
    """Names of all distributions that pyproject.toml declares, those of its extras among them."""
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    return {normalized(re.split(r"[\[<>=!~; ]", text)[0]) for text in (*PROJECT["dependencies"], *extras)}


def third_party() -> dict[str, str]:
    """Map each imported distribution, and each tool that a session runs, to a file that does so."""
    files = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    own = {*FOLDERS, *(path.stem for path in files)}
    distributions = packages_distributions()
    noxfile = REPOSITORY / "noxfile.py"
    tools = re.findall(r'run\(session, "([\w-]+)"', noxfile.read_text(encoding="utf-8"))
    return {normalized(tool): noxfile.name for tool in tools if tool not in own} | {
        normalized(distributions.get(name, [name])[0]): str(path.relative_to(REPOSITORY))
        for path in (*files, noxfile)
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name not in own and name not in sys.stdlib_module_names
    }


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    found = third_party()
    assert {name: path for name, path in found.items() if name not in dependencies()} == {}
    plugins = {name for name in dependencies() if name.startswith("pytest-")}
    assert dependencies() - set(found) - plugins == set(NOT_IMPORTED)


def test_every_dependency_has_a_tested_version():
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normalized(line.partition("==")[0]) for line in lines if "==" in line}
    assert dependencies() - pinned == {"tensorboard"}  # not installed by noxfile.py


def test_licence_and_version_are_the_same_everywhere():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith(f"{PROJECT['license']} License\n\nCopyright (c) 2026 {PROJECT['authors'][0]['name']}\n")
    assert (CITATION["license"], CITATION["version"]) == (PROJECT["license"], PROJECT["version"])
    assert f"\n## [{PROJECT['version']}] - " in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_citation_names_the_five_papers_as_their_tables_do():
    assert CITATION["cff-version"] == "1.2.0"
    files = (REPOSITORY / "reports/published").glob("*.toml")
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in files]
    papers = [table for table in tables if "title" in table]
    assert len(papers) == len(CITATION["references"]) == 5
    for paper in papers:
        (entry,) = [entry for entry in CITATION["references"] if entry["title"] == paper["title"]]
        authors = [f"{author['given-names']} {author['family-names']}" for author in entry["authors"]]
        method = methods()[paper["key"]]
        assert ", ".join(authors) == method.authors
        places = [entry.get("journal"), entry.get("conference", {}).get("name"), str(entry["year"])]
        places += [identifier["value"] for identifier in entry.get("identifiers", ())]
        assert [place for place in places if place and place not in method.venue] == []
        assert "arXiv" not in method.venue or places[-1].startswith("arXiv:")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"])
def test_links_and_named_paths_lead_somewhere(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    links = [(REPOSITORY / page).parent / name for name in re.findall(r"\]\(([^)#]+)", text)]
    named = [REPOSITORY / name for name in re.findall(r"`((?:[\w-]+/)+(?:[\w.-]+\.\w+)?)`", text)]
    assert [path for path in links + named if not path.exists() and path.name not in ("data", "runs")] == []


def test_pre_commit_runs_the_lint_session():
    (repository,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    (hook,) = repository["hooks"]
    assert repository["repo"] == "local"
    expected = {"entry": "python3 noxfile.py -s lint", "language": "system", "pass_filenames": False}
    assert {key: hook[key] for key in expected} == expected


def test_every_protocol_has_a_session_that_runs_its_example():
    done = subprocess.run(
        [sys.executable, "-m", "nox", "--list"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name, rules in PROTOCOLS.items():
        assert re.search(rf"^- {name} -> .*\(default: bench {re.escape(rules.example)}\)", done.stdout, re.MULTILINE)
