"""Thousands of live cycles back to back: the number of open files stays constant, and memory nearly."""

import os
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon
from parts.requirements import require
from parts.sandbox import Sandbox
from parts.tables import keep

GROWTH_MIB_MAX = 1.0
# A sample may or may not include the connections of a cycle: the gateway's socket and a scrape.
FILES_SPREAD_MAX = 4
# If cycles take longer than this, the test fails instead of running longer.
CYCLE_S_MAX = 0.1


def resident_mib(pid: int) -> float:
    """Physical memory without file pages that the kernel shares."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def files(pid: int) -> list[str]:
    """The targets of the open file descriptors, sockets without their numbers. The shortest of many samples, because
    connections of cycles and scrapes come and go."""
    looks = []
    for _ in range(30):
        found = []
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(os.readlink(entry).split(":[")[0])
            except FileNotFoundError:
                continue
        looks.append(found)
        time.sleep(0.003)
    return min(looks, key=len)


def soak(binary, directory: Path, cycles: int):
    """Runs this many cycles, and takes samples. The daemon hides its open files from other processes of its user."""
    require("root")
    sandbox = Sandbox(binary, directory)
    try:
        daemon = sandbox.trade(cycles, "--symbol", "EURUSD,GBPUSD")
        samples = sampled(daemon, cycles)
    finally:
        sandbox.close()
    return samples


def sampled(daemon: Daemon, cycles: int) -> list[tuple[float, float, list[str]]]:
    """(cycles done, MiB, open files), at least twenty times."""
    daemon.wait_serving()
    began, samples = time.monotonic(), []
    while True:
        assert daemon.process.poll() is None, daemon.output()[-2000:]
        metrics = daemon.metrics()
        done = metrics("trading_cycles_total")
        if done >= len(samples) * cycles / 20:
            samples.append((done, resident_mib(daemon.pid), files(daemon.pid)))
        if done >= cycles:
            assert metrics("trading_cycles_failed_total") == 0
            return samples
        assert time.monotonic() - began < cycles * CYCLE_S_MAX, f"{done:.0f} of {cycles} cycles"
        time.sleep(0.1)


def judge(name: str, samples: list[tuple[float, float, list[str]]]):
    """Checks that the samples after the first quarter stay within bounds."""
    cycles = samples[-1][0]
    after = [sample for sample in samples if sample[0] >= cycles / 4]
    assert len(after) >= 5, "too few samples to say anything"
    lines = [f"{done:>8.0f} cycles  {mib:6.2f} MiB  {len(opened):3} files" for done, mib, opened in samples]
    growth = after[-1][1] - after[0][1]
    counts = [len(opened) for _, _, opened in after]
    keep(name, "\n".join([*lines, f"growth after the first quarter {growth:+.2f} MiB, open files {set(counts)}"]))
    assert max(counts) - min(counts) <= FILES_SPREAD_MAX, sorted(max((opened for *_, opened in after), key=len))
    # A file that is not closed is in every later sample. All of a sample's looks may include one more scrape.
    assert min(counts[-5:]) <= min(counts[:5]) + 1, "the number of files grows"
    assert growth < GROWTH_MIB_MAX


@pytest.mark.long
def test_four_thousand_cycles_leave_nothing_behind(binary, tmp_path):
    judge("soak", soak(binary, tmp_path, 4_000))


@pytest.mark.full
def test_fifty_thousand_cycles_leave_nothing_behind(binary, tmp_path):
    judge("soak-full", soak(binary, tmp_path, 50_000))
