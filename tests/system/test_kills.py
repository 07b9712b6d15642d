"""SIGKILL at any moment: no order is sent twice, the journal has all of them, and the next daemon is ready soon."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon
from parts.random_seed import new_seed
from parts.tables import keep, percentile
from parts.trading_processes import READY_S_MAX, TradingProcesses

# One kill in four comes before the daemon is ready.
EARLY = 0.25
EARLY_S_MAX, LATER_S_MAX = 0.08, 0.4
# Long enough that most daemons still get the bar at which the previous one was killed.
BAR_MS = 400
# Ready means that a complete cycle has succeeded, including all of its orders.
SYMBOLS = 12


def killed(daemon: Daemon):
    """Kills the daemon, and waits for its end."""
    daemon.send(signal.SIGKILL)
    assert daemon.process.wait(5) == -signal.SIGKILL, daemon.output()[-3000:]
    shutil.rmtree(daemon.out.parent)


def kill_often(binary: Path, directory: Path, kills: int, name: str):
    """Starts and kills daemons on one journal, then compares the journal with the gateway's record."""
    seed = new_seed()
    chance = random.Random(seed)
    processes = TradingProcesses(binary, directory, seed, symbols=SYMBOLS, bar_ms=BAR_MS)
    ready_s, mid_flight, early = [], 0, 0
    daemon = None
    try:
        for _ in range(kills):
            daemon = processes.start()
            if chance.random() < EARLY:
                early += 1
                time.sleep(chance.uniform(0, EARLY_S_MAX))
            else:
                ready_s.append(processes.wait_ready(daemon))
                mid_flight += processes.settle() > 0
                time.sleep(chance.uniform(0, LATER_S_MAX))
            killed(daemon)
        daemon = processes.start()
        ready_s.append(processes.wait_ready(daemon))
        mid_flight += processes.settle() > 0
        assert daemon.stop()[0] == 0
        found = processes.judge()
    finally:
        if daemon:
            daemon.close()
        problems = processes.close()
    assert problems == []
    keep(
        name,
        f"{kills} kills, {early} of them at the start, {mid_flight} with an order on its way (seed {seed})\n"
        f"{found['received']} orders received, 0 twice, 0 missing from the journal: {dict(found)}\n"
        f"ready again: median {percentile(ready_s, 0.5):.3f} s, longest {max(ready_s):.3f} s",
    )
    assert found["received"] > 2 * kills, "there are too few orders"
    assert mid_flight + found["expired"] >= max(1, kills // 20), "no kill happened while an order was on its way"
    assert max(ready_s) <= READY_S_MAX


def test_forty_kills_neither_lose_nor_repeat_orders(binary, tmp_path):
    kill_often(binary, tmp_path, 40, "kills")


@pytest.mark.full
def test_a_thousand_kills_neither_lose_nor_repeat_orders(binary, tmp_path):
    kill_often(binary, tmp_path, 1_000, "kills-full")
