"""`python -m bench` is `bench`."""

import sys

INTERRUPTED = 130  # bench.errors has the codes, but what it imports takes time


def main() -> int:
    """Run the command line; returns the exit code. Ctrl-C during its imports is a sentence, too."""
    try:
        from bench.cli.main import main as run
    except KeyboardInterrupt:
        print("Stopped before anything was begun.", file=sys.stderr)
        return INTERRUPTED
    return run()


if __name__ == "__main__":
    sys.exit(main())
