"""Speed: latency of one image, throughput at the best batch size, and peak memory on this machine.

Times depend on the machine, its load and its clocks: they are reported, never compared with a baseline.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from protocols import Value
from protocols.errors import DataError
from protocols.statistics.intervals import student

LARGEST_BATCH = 256
MIN_GAIN = 1.05  # factor by which a doubled batch must raise the throughput


def measure(
    network: nn.Module,
    input_size: tuple[int, int],
    *,
    device: str = "cpu",
    precisions: Sequence[str] = ("float32", "bfloat16"),
    modes: Sequence[str] = ("eager", "compiled"),
    rounds: int = 5,
    seconds: float = 0.5,
) -> Iterator[Value]:
    """Yield times of inference in evaluation mode, one part for each variant ("float32 eager", ...).

    `latency` (ms, batch 1), `throughput` (images/s) at `best_batch`, and `peak_memory` (bytes) at that batch: of
    torch's allocator on a GPU, of the whole process on Linux, else absent. After a warm-up each of `rounds` rounds
    lasts at least `seconds` and yields its median call; values and intervals are over rounds. bfloat16 is autocast.
    The best batch is found in eager mode by doubling until the gain falls below 5 %. `threads` and `clock` (MHz) are
    those of the machine. A variant that cannot run is left out with a warning.
    """
    for words, table in ((precisions, AUTOCAST), (modes, MODES)):
        if unknown := [word for word in words if word not in table]:
            raise DataError(f"speed: there is no {unknown[0]!r}.", expected=f"words of {', '.join(table)}")
    network = copy.deepcopy(network).to(device).eval()
    for precision in precisions:
        best = None
        for mode in modes:
            run = _runner(MODES[mode](network), input_size, device, precision)
            try:
                best = best or _best_batch(run, device, seconds)
                yield from _variant(f"{precision} {mode}", run, best, device, rounds, seconds)
            except RuntimeError as error:  # out of memory, no compiler, an operator without this precision
                warnings.warn(f"speed: {precision} {mode} cannot run: {str(error)[:200]}", stacklevel=2)
    yield Value("threads", "all", float(torch.get_num_threads()), "threads", 1)
    for part, clock in _clocks(device).items():
        yield Value("clock", part, clock, "MHz", 1)


AUTOCAST = {"float32": False, "bfloat16": True}
MODES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "eager": lambda network: network,
    "compiled": lambda network: cast(nn.Module, torch.compile(network, dynamic=False)),
}


def _runner(
    called: nn.Module, input_size: tuple[int, int], device: str, precision: str
) -> Callable[[int], Callable[[], None]]:
    """Return a function from a batch size to a call that runs such a batch and waits for the result."""
    kind = torch.device(device).type

    def prepare(batch: int) -> Callable[[], None]:
        images = torch.randn(batch, 3, *input_size, device=device)

        def run() -> None:
            with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=AUTOCAST[precision]):
                called(images)
            if kind == "cuda":
                torch.cuda.synchronize(device)

        return run

    return prepare


def _variant(
    part: str, runner: Callable[[int], Callable[[], None]], best: int, device: str, rounds: int, seconds: float
) -> Iterator[Value]:
    run = runner(1)
    _round(run, seconds)
    latencies = [1e3 * _round(run, seconds) for _ in range(rounds)]
    run = runner(best)
    _round(run, seconds)
    reset = _reset_peak(device)
    throughputs = [best / _round(run, seconds) for _ in range(rounds)]
    yield _over_rounds("latency", part, latencies, "ms")
    yield _over_rounds("throughput", part, throughputs, "images/s")
    yield Value("best_batch", part, float(best), "images", 1)
    if reset:
        yield Value("peak_memory", part, float(_peak(device)), "bytes", 1)


def _over_rounds(metric: str, part: str, numbers: Sequence[float], unit: str) -> Value:
    """Return the geometric mean, and Student t on logarithms: times are positive, and skewed by other load."""
    logarithms = np.log(numbers)
    ends = student(logarithms)
    bounds = ends if ends[0] is None else (float(np.exp(ends[0])), float(np.exp(ends[1])))
    return Value(metric, part, float(np.exp(logarithms.mean())), unit, len(numbers), *bounds)


def _best_batch(runner: Callable[[int], Callable[[], None]], device: str, seconds: float) -> int:
    """Double the batch size until throughput no longer rises or memory runs out."""
    best, throughput, batch = 1, 0.0, 1
    while batch <= LARGEST_BATCH:
        try:
            run = runner(batch)
            run()
            reached = batch / _round(run, seconds)
        except torch.OutOfMemoryError:
            break
        if reached < MIN_GAIN * throughput:
            break
        best, throughput, batch = batch, reached, 2 * batch
    return best


def _round(run: Callable[[], None], seconds: float) -> float:
    """Return the median duration in seconds of calls that take at least `seconds` together."""
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _reset_peak(device: str) -> bool:
    """Reset the peak of memory use; False if the system cannot."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _clocks(device: str) -> dict[str, float]:
    """Return current clock rates in MHz, as far as the system reports them."""
    clocks = {}
    if clock := _cpuinfo("cpu MHz"):
        clocks["cpu"] = float(clock)
    if torch.device(device).type == "cuda":
        with suppress(ImportError, RuntimeError):  # needs nvidia-ml-py, an extra
            clocks["gpu"] = float(torch.cuda.clock_rate(device))
    return clocks


def _cpuinfo(key: str) -> str:
    """Return the first entry of that name in /proc/cpuinfo, or ""."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return ""
