"""docs/cluster.md: its table of work is what catalogue and recipes say, its commands exist.

`python3 tests/docs/test_cluster_page.py` writes the table anew.
"""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import typer
import yaml

import architectures
from bench.cells import cost, matrix
from bench.cells.cell import Cell
from bench.cli import main as cli
from bench.gate import baseline

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "cluster.md"
PEAKS = {"A100": 156, "H100 SXM, H200": 495, "RTX 4090": 83}  # the makers' figures, without sparsity
SHARES = (0.1, 0.4)


def matrix_of_the_page() -> list[Cell]:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    blocks = msgspec.toml.decode(text, type=matrix.Matrix).cells
    return matrix.unique(cell for block in blocks for cell in matrix.expand(block))


def work() -> dict[str, list[tuple[int, float]]]:
    """By recipe, for every training: images seen, and operations."""
    cells = baseline.read(REPOSITORY / "tests" / "golden" / "baseline.jsonl")
    macs = {key[1]: row.value for key, cell in cells.items() for row in cell.rows if row.metric == "macs" and row.value}
    found: dict[str, list[tuple[int, float]]] = {}
    for cell in matrix_of_the_page():
        seen = cost.images(cell)
        found.setdefault(cell.recipe_name, []).append((seen, cost.OPERATIONS * macs[cell.row.name] * seen))
    return found


def total() -> float:
    return sum(operations for trainings in work().values() for _, operations in trainings)


def table() -> str:
    """One line a recipe: networks, images seen by one training, work of all."""
    lines = [
        "| recipe | networks | million images a training | work of all, 10^18 operations |",
        "|---|---:|---:|---:|",
    ]
    for name, trainings in work().items():
        most = max(seen for seen, _ in trainings) / 1e6
        lines.append(f"| {name} | {len(trainings)} | {most:.1f} | {sum(cost for _, cost in trainings) / 1e18:.1f} |")
    count = sum(map(len, work().values()))
    return "\n".join([*lines, f"| all | {count} | | {total() / 1e18:.1f} |"])


def ranges() -> str:
    """One line an accelerator: hours of the whole matrix on one of them, at both assumed shares of its peak."""
    heads = " | ".join(f"hours at {share:.0%}".replace("%", " %") for share in SHARES)
    lines = [f"| accelerator | TF32 peak, 10^12 operations a second | {heads} |", f"|---|---:{'|---:' * len(SHARES)}|"]
    for name, peak in PEAKS.items():
        hours = " | ".join(f"{float(f'{total() / (share * peak * 1e12) / 3600:.2g}'):,.0f}" for share in SHARES)
        lines.append(f"| {name} | {peak} | {hours} |")
    return "\n".join(lines)


def test_the_matrix_of_the_page_is_the_catalogue():
    names = [cell.architecture for cell in matrix_of_the_page()]
    assert sorted(names) == sorted(row.name for row in architectures.catalogue().values() if row.kind != "baseline")


def test_the_range_is_counted_work_over_stated_shares():
    text = PAGE.read_text(encoding="utf-8")
    assert ranges() in text, "python3 tests/docs/test_cluster_page.py writes it anew"
    assert "an **assumption**" in text and "no accelerator was at hand" in text
    hours = total() / 0.1 / 156e12 / 3600  # written out for the first line
    assert f"{float(f'{hours:.2g}'):,.0f}" in ranges().splitlines()[2]


def test_the_table_is_what_catalogue_and_recipes_say():
    assert table() in PAGE.read_text(encoding="utf-8"), "python3 tests/docs/test_cluster_page.py writes it anew"


def test_every_option_of_the_page_exists():
    bench: Any = typer.main.get_command(cli.app)
    commands = re.findall(r"^(?:.*-- |  entrypoint: |  )?bench ((?:run|doctor) .*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) >= 6
    for line in commands:
        verb, *words = shlex.split(line, comments=True)
        bench.commands[verb].make_context(verb, words)  # raises what the command line would say


def test_links_to_the_page():
    assert "cluster.md" in (REPOSITORY / "docs" / "run.md").read_text()


def test_the_files_for_clusters_and_for_ci_parse():
    """The manifest is YAML of the kind that KubeRay reads; every session that a CI file names exists."""
    (text,) = re.findall(r"^```\n(apiVersion.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # the type that KubeRay wants
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == volumes
    sessions = set(re.findall(r"^def (\w+)\(session", (REPOSITORY / "noxfile.py").read_text(), re.MULTILINE))
    github = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "check.yml").read_text())["jobs"]["check"]
    gitlab = yaml.safe_load((REPOSITORY / ".gitlab-ci.yml").read_text())["check"]
    assert set(github["strategy"]["matrix"]["session"]) <= sessions
    assert set(gitlab["parallel"]["matrix"][0]["SESSION"]) <= sessions


def test_the_slurm_script_is_one(tmp_path):
    (text,) = re.findall(r"^```\n(#!/bin/bash.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", text, re.MULTILINE))
    assert asked["ntasks-per-node"] == "1"  # one Ray node a machine
    assert f"--num-gpus {asked['gpus-per-task']} " in text


if __name__ == "__main__":
    for begin, text in (("recipe", table()), ("accelerator", ranges())):
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(rf"^\| {begin} \|.*?(?=^$)", f"{text}\n", page, flags=re.MULTILINE | re.DOTALL), "utf-8")
