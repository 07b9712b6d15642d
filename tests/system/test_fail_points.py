"""SIGKILL at every named step: a build that kills itself there, then a daemon that goes on from what it left."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from parts.daemon import Daemon, environment
from parts.outside import READY_S_MAX, Outside
from parts.seed import new_seed
from parts.tables import keep

# The bar of the order that was under way must still be the newest when the next daemon starts.
BAR_MS = 1_500
# Each point kills where it is passed first, and where it has been passed up to so often.
PASSES_MAX = 9
PATIENCE_S = 30.0
# Far away, so that the account is asked for and nothing else comes of it.
SETTINGS = {"guards.loss_pct_per_day_max": 99}


def names(binary: Path) -> list[str]:
    """The points that the build has."""
    listed = subprocess.run([binary, "fail-points"], env=environment(), capture_output=True, text=True, check=True)
    return listed.stdout.split()


def die(outside: Outside, daemon: Daemon):
    """Waits until the daemon ends by its own SIGKILL."""
    began = time.monotonic()
    while daemon.process.poll() is None:
        assert time.monotonic() - began < PATIENCE_S, "it does not come to that point"
        if daemon.serves():
            outside.settle()
        time.sleep(0.05)
    assert daemon.process.returncode == -signal.SIGKILL, daemon.output()[-3000:]


def go_on(outside: Outside) -> float:
    """A daemon that is left alone, over the same bar: seconds until it was ready."""
    daemon = outside.start(SETTINGS)
    try:
        ready_s = outside.wait_ready(daemon)
        cycles = daemon.metrics()("trading_cycles_total")
        daemon.after_cycles(int(cycles) + 3)
        outside.settle()
        assert daemon.stop()[0] == 0
    finally:
        daemon.close()
    shutil.rmtree(daemon.out.parent)
    return ready_s


def test_a_kill_at_any_step_costs_no_order_and_sends_none_twice(failpoints_binary, tmp_path):
    seed = new_seed()
    chance = random.Random(seed)
    outside = Outside(failpoints_binary, tmp_path, seed, symbols=12, bar_ms=BAR_MS)
    lines, ready_s = [], []
    try:
        points = names(failpoints_binary)
        assert points
        for point in points:
            for action in ("return", f"{chance.randint(1, PASSES_MAX)}*off->return"):
                daemon = outside.start(SETTINGS, FAILPOINTS=f"{point}={action}")
                try:
                    die(outside, daemon)
                finally:
                    daemon.close()
                ready_s.append(go_on(outside))
                found = outside.judge()
                lines.append(f"{point:20} {action:16} {found['received']:5} orders received, 0 twice, 0 missing")
    finally:
        problems = outside.close()
    assert problems == []
    keep("fail-points", "\n".join([*lines, f"ready again after {max(ready_s):.3f} s at most (seed {seed})"]))
    assert max(ready_s) <= READY_S_MAX
