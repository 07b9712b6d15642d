"""SIGKILL at any moment: no order twice, none that the journal does not know, and ready again soon."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon
from parts.outside import READY_S_MAX, Outside
from parts.seed import new_seed
from parts.tables import keep, percentile

# One kill in four comes before the daemon could be ready.
EARLY = 0.25
EARLY_S_MAX, LATER_S_MAX = 0.08, 0.4
# Long enough that most daemons meet the bar that the one before was killed over.
BAR_MS = 400
# Ready means that a whole cycle has succeeded, all of its orders included.
SYMBOLS = 12


def killed(daemon: Daemon):
    """The end of it, which it has no chance to notice."""
    daemon.send(signal.SIGKILL)
    assert daemon.process.wait(5) == -signal.SIGKILL, daemon.output()[-3000:]
    shutil.rmtree(daemon.out.parent)


def kill_often(binary: Path, directory: Path, kills: int, name: str):
    """Starts and kills daemons on one journal, then compares it with what the gateway has."""
    seed = new_seed()
    chance = random.Random(seed)
    outside = Outside(binary, directory, seed, symbols=SYMBOLS, bar_ms=BAR_MS)
    ready_s, mid_flight, early = [], 0, 0
    daemon = None
    try:
        for _ in range(kills):
            daemon = outside.start()
            if chance.random() < EARLY:
                early += 1
                time.sleep(chance.uniform(0, EARLY_S_MAX))
            else:
                ready_s.append(outside.wait_ready(daemon))
                mid_flight += outside.settle() > 0
                time.sleep(chance.uniform(0, LATER_S_MAX))
            killed(daemon)
        daemon = outside.start()
        ready_s.append(outside.wait_ready(daemon))
        mid_flight += outside.settle() > 0
        assert daemon.stop()[0] == 0
        found = outside.judge()
    finally:
        if daemon:
            daemon.close()
        problems = outside.close()
    assert problems == []
    keep(
        name,
        f"{kills} kills, {early} of them at the start, {mid_flight} with an order on its way (seed {seed})\n"
        f"{found['received']} orders received, 0 twice, 0 missing from the journal: {dict(found)}\n"
        f"ready again: median {percentile(ready_s, 0.5):.3f} s, longest {max(ready_s):.3f} s",
    )
    assert found["received"] > 2 * kills, "the orders are too few to be hit"
    assert mid_flight + found["expired"] >= max(1, kills // 20), "no kill met an order on its way"
    assert max(ready_s) <= READY_S_MAX


def test_forty_kills_cost_no_order_and_send_none_twice(binary, tmp_path):
    kill_often(binary, tmp_path, 40, "kills")


@pytest.mark.full
def test_a_thousand_kills_cost_no_order_and_send_none_twice(binary, tmp_path):
    kill_often(binary, tmp_path, 1_000, "kills-full")
