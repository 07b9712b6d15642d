"""What a live cycle costs, against the three sandbox processes. As a script: `python test_cost.py BINARY [CYCLES]`."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from parts.cost import measure
from parts.sandbox import Sandbox


def keep(name: str, text: str):
    """Shows a table, and leaves it where tests/run.sh prints it at the end."""
    print(text)
    if directory := os.environ.get("SENTINEL_TEST_LOGS"):
        Path(directory, f"{name}.table").write_text(text + "\n")


def test_a_cycle_is_cheap(binary, tmp_path):
    """Generous bounds, for machines that are busy; memory is a promise."""
    cost = measure(binary, tmp_path, 60)
    assert cost.peak_mib <= 12
    assert cost.own_ms < 5
    assert cost.cpu_ms < 5
    assert cost.start_ms < 200


@pytest.mark.full
def test_a_cycle_costs_what_the_readme_says(binary, tmp_path):
    cost = measure(binary, tmp_path, 1000)
    keep("cost", cost.table())
    assert cost.own_ms <= 0.5
    assert cost.cpu_ms <= 0.6
    assert cost.peak_mib <= 12
    assert cost.start_ms <= 20


@pytest.mark.full
def test_a_flood_of_scrapes_does_not_stop_the_cycles(binary, tmp_path):
    sandbox = Sandbox(binary, tmp_path)
    try:
        daemon = sandbox.trade(1_000_000).wait_serving()
        before = daemon.after_cycles(50)("trading_cycles_total")
        time.sleep(5)
        quiet = daemon.metrics()("trading_cycles_total") - before
        url = f"http://127.0.0.1:{daemon.port}/metrics"
        flood = subprocess.run(["wrk", "-t1", "-c8", "-d5s", url], capture_output=True, text=True, check=True)
        flooded = daemon.metrics()("trading_cycles_total") - before - quiet
        rate = next(line.split()[1] for line in flood.stdout.splitlines() if line.startswith("Requests/sec"))
        keep("flood", f"scrapes: {rate}/s; cycles in 5 s: {quiet:.0f} without the flood, {flooded:.0f} with it")
        assert "Non-2xx" not in flood.stdout
        assert flooded > 0.1 * quiet, "on two cores the flood takes its share, but the cycles go on"
    finally:
        sandbox.close()


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        print(measure(Path(sys.argv[1]).resolve(), Path(scratch), count).table())
