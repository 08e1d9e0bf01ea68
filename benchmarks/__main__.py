"""Run benchmarks, each in a process of its own: `python -m benchmarks [--tiny] [--out FILE] [NAME ...]`."""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__init__", "__main__", "rounds"))

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"names of benchmarks: {', '.join(NAMES)} (default: all)")
parser.add_argument(
    "--tiny", action="store_true", help="the smallest sizes: checks that they run, the times mean nothing"
)
parser.add_argument("--out", default="runs/benchmarks.jsonl", help="file of the rows (default: %(default)s)")
chosen = parser.parse_args()
if unknown := set(chosen.names) - set(NAMES):
    parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
options = ["--tiny"] if chosen.tiny else ["--out", chosen.out]
failed = [
    name
    for name in chosen.names or NAMES
    if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode
]
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
