"""Speed: latency of one image, throughput at the best batch, peak memory, on the machine at hand.

Times depend on the machine, its load and its clocks: they are reported, never a reason to fail.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import nn

from protocols import Value
from protocols.statistics.intervals import student

LARGEST_BATCH = 256
WORTHWHILE = 1.05  # a doubled batch must raise the throughput by this factor


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
    """Yield times of inference in evaluation mode, one part a variant ("float32 eager", "bfloat16 compiled", ...).

    `latency` (ms, batch 1), `throughput` (images/s) at `best_batch` and `peak_memory` (bytes) there: of torch's
    allocator on a GPU, of the whole process on Linux, else absent. After a warm-up each of `rounds` rounds lasts at
    least `seconds`; its number is the median call; values and intervals are taken over rounds. bfloat16 is autocast.
    The best batch is found in eager mode by doubling until the gain falls below 5 %. `threads` and `clock` (MHz) are
    those of the machine. A variant that cannot run is left out with a warning.
    """
    network = copy.deepcopy(network).to(device).eval()
    for precision in precisions:
        best = None
        for mode in modes:
            run = _runner(network, input_size, device, precision, compiled=mode == "compiled")
            try:
                best = best or _best_batch(run, device, seconds)
                yield from _variant(f"{precision} {mode}", run, best, device, rounds, seconds)
            except RuntimeError as error:  # out of memory, no compiler, an operator without this precision
                warnings.warn(f"speed: {precision} {mode} cannot run: {str(error)[:200]}", stacklevel=2)
    yield Value("threads", "all", float(torch.get_num_threads()), "threads", 1)
    for part, clock in _clocks(device).items():
        yield Value("clock", part, clock, "MHz", 1)


def _runner(
    network: nn.Module, input_size: tuple[int, int], device: str, precision: str, *, compiled: bool
) -> Callable[[int], Callable[[], None]]:
    """Batch size -> a call that runs the network on such a batch and waits for the result."""
    called = torch.compile(network, dynamic=False) if compiled else network
    kind = torch.device(device).type

    def prepare(batch: int) -> Callable[[], None]:
        images = torch.randn(batch, 3, *input_size, device=device)

        def run() -> None:
            with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
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
    """Geometric mean, and Student t on logarithms: times are positive, and skewed by whatever else runs."""
    logarithms = np.log(numbers)
    low, high = student(logarithms)
    bounds = (None, None) if low is None else (float(np.exp(low)), float(np.exp(high)))
    return Value(metric, part, float(np.exp(logarithms.mean())), unit, len(numbers), *bounds)


def _best_batch(runner: Callable[[int], Callable[[], None]], device: str, seconds: float) -> int:
    """Double the batch until throughput no longer rises or memory ends."""
    best, throughput, batch = 1, 0.0, 1
    while batch <= LARGEST_BATCH:
        try:
            run = runner(batch)
            run()
            reached = batch / _round(run, seconds)
        except torch.OutOfMemoryError:
            break
        if reached < WORTHWHILE * throughput:
            break
        best, throughput, batch = batch, reached, 2 * batch
    return best


def _round(run: Callable[[], None], seconds: float) -> float:
    """The median duration of a call, in seconds, of calls that take at least `seconds` together."""
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _reset_peak(device: str) -> bool:
    """Forget the highest use of memory so far; False where the system cannot."""
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
    """Present clock rates in MHz, as far as the system tells them."""
    clocks = {}
    if clock := _cpuinfo("cpu MHz"):
        clocks["cpu"] = float(clock)
    if torch.device(device).type == "cuda":
        with suppress(ImportError, RuntimeError):  # told by nvidia-ml-py, an extra
            clocks["gpu"] = float(torch.cuda.clock_rate(device))
    return clocks


def _cpuinfo(key: str) -> str:
    """The first entry of that name in Linux's description of the processor, or nothing."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return ""
