"""Time of `bench list` and `bench --help`; neither imports torch."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.rounds import Line, in_turn, main

COMMANDS = (("list",), ("--help",))
IMPORTS = (
    "import sys; from bench.cli.main import main; sys.argv = ['bench', *{!r}]; main(); sys.exit('torch' in sys.modules)"
)


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    rounds = 1 if tiny else 7
    for words in COMMANDS:
        check = subprocess.run([sys.executable, "-c", IMPORTS.format(words)], capture_output=True, check=False)
        assert check.returncode == 0, "torch was imported, or the command failed"
        (found,) = in_turn(
            lambda words=words: subprocess.run(
                [sys.executable, "-m", "bench", *words], check=True, stdout=subprocess.DEVNULL
            ),
            rounds=rounds,
        )
        yield Line(f"bench {' '.join(words)}", found, rounds, reach=0.25, note="torch is not imported")


if __name__ == "__main__":
    main("cli", lines)
