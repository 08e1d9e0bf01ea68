"""Complexity from shapes only, compared with counting during a real forward pass."""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

import architectures
from benchmarks.rounds import Line, in_turn, main
from protocols.network import complexity

SAMPLE = 12  # every 12th row is built with weights: all of them take minutes


def by_shape(names: Sequence[str]) -> list[tuple[int, int]]:
    """Count parameters and MACs on the meta device."""
    gc.freeze()  # as `bench run` does
    found = []
    for name in names:
        row = architectures.describe(name)
        with torch.device("meta"):
            network = architectures.create(row)
        values = {value.metric: value.value for value in complexity.measure(network, row.input) if value.part == "all"}
        found.append((int(values["parameters"]), int(values["macs"])))
    return found


@torch.inference_mode()
def for_real(names: Sequence[str]) -> list[tuple[int, int]]:
    """Count them in networks with weights, run on an image, with torch's FlopCounterMode."""
    gc.unfreeze()  # a plain script does not
    found = []
    for name in names:
        row = architectures.describe(name)
        network = architectures.create(row).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, *row.input))
        found.append((sum(weight.numel() for weight in network.parameters()), counter.get_total_flops() // 2))
    return found


def alone(way: Callable[[Sequence[str]], object], names: Sequence[str]) -> tuple[float, float]:
    """Return seconds, and MiB beyond the libraries, of a call in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_needs, way, names).result()


def _needs(way: Callable[[Sequence[str]], object], names: Sequence[str]) -> tuple[float, float]:
    way(names[-1:])  # warm up
    before, start = _peak(), time.perf_counter()
    way(names)
    return time.perf_counter() - start, _peak() - before


def _peak() -> float:
    """Return the peak memory of this process in MiB; NaN if the system does not report it."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


def lines(tiny: bool) -> Iterator[Line]:
    """Yield the comparisons, `tiny` ones to check that they run."""
    every = list(architectures.catalogue())
    names = ["cpm-1"] if tiny else every[::SAMPLE]
    counts = {}
    rounds = 1 if tiny else 2
    ours, peer = in_turn(
        lambda: counts.update(ours=by_shape(names)), lambda: counts.update(peer=for_real(names)), rounds=rounds
    )
    assert counts["ours"] == counts["peer"]
    note = f"{alone(by_shape, names)[1]:.0f} MiB against {alone(for_real, names)[1]:.0f}; the counts are equal"
    what = f"complexity of {len(names)} networks, every {SAMPLE}th row of the catalogue"
    yield Line(what, ours, rounds, "built and run", peer, reach=5, note=note)
    if not tiny:
        seconds, memory = alone(by_shape, every)
        yield Line(f"complexity of the whole catalogue, {len(every)} rows", seconds, 1, note=f"{memory:.0f} MiB")


if __name__ == "__main__":
    main("complexity", lines)
