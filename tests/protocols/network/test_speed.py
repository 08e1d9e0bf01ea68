"""Speed, on a clock that the test turns by hand; then once for real."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from protocols.network import speed


class Clock:
    """Stands in for the time module: calls take what the test says."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    return clock


def test_a_round_is_the_median_of_calls(clock):
    durations = iter([0.2, 0.1, 0.9, 0.1, 0.2, 5.0])

    def run():
        clock.now += next(durations)

    assert speed._round(run, 1.4) == pytest.approx(0.2)  # 0.2 0.1 0.9 0.1 0.2: 1.5 s
    assert next(durations) == 5.0


@pytest.mark.parametrize(
    ("saturates_at", "memory", "best"), [(1, 512, 1), (8, 512, 8), (64, 16, 16), (4096, 4096, 256)]
)
def test_best_batch_is_where_doubling_stops_to_help(clock, saturates_at, memory, best):
    def runner(batch):
        def run():
            if batch > memory:
                raise torch.OutOfMemoryError("full")
            clock.now += max(1.0, batch / saturates_at)

        return run

    assert speed._best_batch(runner, "cpu", 1.0) == best


class Slow(nn.Module):
    """Takes 1 ms a batch and 1 ms an image of a hand-turned clock."""

    def __init__(self, clock):
        super().__init__()
        self.clock = [clock]
        self.modes = []

    def __deepcopy__(self, memo):
        return self

    def forward(self, images):
        self.modes.append((self.training, torch.is_autocast_enabled("cpu"), torch.is_grad_enabled()))
        self.clock[0].now += 1e-3 * (1 + len(images))
        return (images,)


def test_latency_and_throughput(clock):
    network = Slow(clock)
    found = {(v.metric, v.part): v for v in speed.measure(network, (8, 8), modes=("eager",), rounds=3, seconds=0.01)}
    for part in ("float32 eager", "bfloat16 eager"):
        latency, throughput = found["latency", part], found["throughput", part]
        best = found["best_batch", part].value
        assert latency.value == pytest.approx(2.0)
        assert (latency.n, latency.unit, throughput.unit) == (3, "ms", "images/s")
        assert best == 16  # 32 images would be 33/17 of the time: 3 % more a second
        assert throughput.value == pytest.approx(1e3 * 16 / 17)
        assert throughput.low == pytest.approx(throughput.value) == throughput.high
    assert set(network.modes) == {(False, False, False), (False, True, False)}
    assert found["threads", "all"].value == torch.get_num_threads()


def test_intervals_of_times_stay_positive():
    value = speed._over_rounds("latency", "float32 eager", [1.0, 10.0, 100.0], "ms")
    half = 4.302652729911275 / 3**0.5  # in decades: t(0.975, 2), standard deviation 1
    assert (value.value, value.n) == (pytest.approx(10), 3)
    assert (value.low, value.high) == (pytest.approx(10 ** (1 - half)), pytest.approx(10 ** (1 + half)))
    assert speed._over_rounds("latency", "float32 eager", [2.0], "ms").low is None


def test_a_variant_that_cannot_run_is_told_and_left_out():
    class Refuses(nn.Module):
        def forward(self, images):
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("no bfloat16 here")
            return (images,)

    with pytest.warns(UserWarning, match="bfloat16 eager cannot run: no bfloat16 here"):
        found = list(speed.measure(Refuses(), (8, 8), modes=("eager",), rounds=2, seconds=0.001))
    assert {value.part for value in found if value.metric == "latency"} == {"float32 eager"}


PEAKS = """
import sys
import numpy as np
from protocols.network import speed
if not speed._reset_peak("cpu"):
    sys.exit(77)
before = speed._peak("cpu")
np.ones(2**23).sum()  # 64 MiB, gone again
print(speed._peak("cpu") - before)
speed._reset_peak("cpu")
print(speed._peak("cpu") - before)
"""


def test_peak_memory_counts_what_was_touched():
    """In a process of its own: one that has run other tests has memory that the system may take back meanwhile."""
    root = Path(speed.__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", PEAKS], cwd=root, capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("this system does not forget peaks")
    touched, left = map(int, done.stdout.split())
    assert 60 * 2**20 < touched < 80 * 2**20
    assert left < 16 * 2**20


def test_on_this_machine():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = list(speed.measure(network, (32, 32), modes=("eager",), rounds=2, seconds=0.01))
    latency = next(value for value in found if (value.metric, value.part) == ("latency", "float32 eager"))
    assert 0 < latency.value < 1000
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.slow
def test_compiled():
    found = list(speed.measure(nn.Conv2d(3, 8, 3), (16, 16), precisions=("float32",), rounds=2, seconds=0.01))
    parts = {value.part for value in found if value.metric == "throughput"}
    if "float32 compiled" not in parts:
        pytest.skip("no compiler on this machine")
    assert parts == {"float32 eager", "float32 compiled"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    network = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1))
    found = {(v.metric, v.part): v for v in speed.measure(network, (64, 64), device="cuda", rounds=2, seconds=0.05)}
    batch = found["best_batch", "float32 eager"].value
    assert found["peak_memory", "float32 eager"].value > batch * 64 * 64 * 64 * 4
