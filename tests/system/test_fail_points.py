"""SIGKILL at every fail point: a build that kills itself there, then a daemon that continues with what it left."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from parts.daemon import Daemon, environment
from parts.random_seed import new_seed
from parts.tables import keep
from parts.trading_processes import READY_S_MAX, TradingProcesses

# The bar of the interrupted order must still be the newest when the next daemon starts.
BAR_MS = 1_500
# Each point kills when it is passed first, and after it was passed up to so many times.
PASSES_MAX = 9
PATIENCE_S = 30.0
# A limit that is never reached, so that the gateway is only asked for the account.
SETTINGS = {"guards.loss_pct_per_day_max": 99}


def names(binary: Path) -> list[str]:
    """The fail points of the build."""
    listed = subprocess.run([binary, "fail-points"], env=environment(), capture_output=True, text=True, check=True)
    return listed.stdout.split()


def die(processes: TradingProcesses, daemon: Daemon):
    """Waits until the daemon has killed itself."""
    began = time.monotonic()
    while daemon.process.poll() is None:
        assert time.monotonic() - began < PATIENCE_S, "it does not come to that point"
        if daemon.serves():
            processes.settle()
        time.sleep(0.05)
    assert daemon.process.returncode == -signal.SIGKILL, daemon.output()[-3000:]


def go_on(processes: TradingProcesses) -> float:
    """Starts a daemon without fail points at the same bar; seconds until it was ready."""
    daemon = processes.start(SETTINGS)
    try:
        ready_s = processes.wait_ready(daemon)
        cycles = daemon.metrics()("trading_cycles_total")
        daemon.after_cycles(int(cycles) + 3)
        processes.settle()
        assert daemon.stop()[0] == 0
    finally:
        daemon.close()
    shutil.rmtree(daemon.out.parent)
    return ready_s


def test_a_kill_at_any_step_neither_loses_nor_repeats_orders(failpoints_binary, tmp_path):
    seed = new_seed()
    chance = random.Random(seed)
    processes = TradingProcesses(failpoints_binary, tmp_path, seed, symbols=12, bar_ms=BAR_MS)
    lines, ready_s = [], []
    try:
        points = names(failpoints_binary)
        assert points
        for point in points:
            for action in ("return", f"{chance.randint(1, PASSES_MAX)}*off->return"):
                daemon = processes.start(SETTINGS, FAILPOINTS=f"{point}={action}")
                try:
                    die(processes, daemon)
                finally:
                    daemon.close()
                ready_s.append(go_on(processes))
                found = processes.judge()
                lines.append(f"{point:20} {action:16} {found['received']:5} orders received, 0 twice, 0 missing")
    finally:
        problems = processes.close()
    assert problems == []
    keep("fail-points", "\n".join([*lines, f"ready again after {max(ready_s):.3f} s at most (seed {seed})"]))
    assert max(ready_s) <= READY_S_MAX
