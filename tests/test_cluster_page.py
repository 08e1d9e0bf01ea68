"""docs/cluster.md: its table of work is what catalogue and recipes say, its commands exist.

`python3 tests/test_cluster_page.py` writes the table anew.
"""

import re
import shlex
from pathlib import Path

import typer

import architectures
from bench import cli
from bench.gate import baseline
from bench.training import recipe

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "cluster.md"
IMAGES = {"mpii": 22_246, "lsp": 22_246, "coco": 149_813, "cifar10": 50_000}  # of the training splits


def table() -> str:
    """One line a recipe: networks, images seen by one training, work of all."""
    cells = baseline.read(REPOSITORY / "tests" / "golden" / "baseline.jsonl")
    macs = {key[1]: row["value"] for key, cell in cells.items() for row in cell.rows if row["metric"] == "macs"}
    work: dict[str, list[tuple[int, float]]] = {}
    for row in architectures.catalogue().values():
        if row.kind != "baseline":
            plan = recipe.load(row.recipe).training
            seen = plan.total_steps(IMAGES[row.skeleton]) * plan.batch
            work.setdefault(row.recipe, []).append((seen, 6 * macs[row.name] * seen))
    lines = [
        "| recipe | networks | million images a training | work of all, 10^18 operations |",
        "|---|---:|---:|---:|",
    ]
    for name, trainings in work.items():
        most = max(seen for seen, _ in trainings) / 1e6
        lines.append(f"| {name} | {len(trainings)} | {most:.1f} | {sum(cost for _, cost in trainings) / 1e18:.1f} |")
    total = sum(cost for trainings in work.values() for _, cost in trainings) / 1e18
    return "\n".join([*lines, f"| all | {sum(map(len, work.values()))} | | {total:.1f} |"])


def test_the_table_is_what_catalogue_and_recipes_say():
    assert table() in PAGE.read_text(encoding="utf-8"), "python3 tests/test_cluster_page.py writes it anew"


def test_every_option_of_the_page_exists():
    bench = typer.main.get_command(cli.app)
    commands = re.findall(r"^(?:.*-- |  entrypoint: |  )?bench ((?:run|doctor) .*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) >= 6
    for line in commands:
        verb, *words = shlex.split(line, comments=True)
        bench.commands[verb].make_context(verb, words)  # raises what the command line would say


def test_links_to_the_page():
    assert "cluster.md" in (REPOSITORY / "docs" / "run.md").read_text()


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(r"^\| recipe \|.*?^\| all [^\n]*$", table(), text, flags=re.MULTILINE | re.DOTALL), "utf-8")
