"""A journal on a disk of 64 KiB: no orders while it is full, and trading as soon as there is space."""

import os
import subprocess

import pytest

from parts.daemon import wait_until
from parts.requirements import require


def as_root(*command: str):
    """Runs a command that only root may run."""
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    require("root")
    place = tmp_path / "disk"
    place.mkdir()
    as_root("mount", "-t", "tmpfs", "-o", f"size=64k,uid={os.getuid()}", "tmpfs", str(place))
    yield place
    as_root("umount", str(place))


def test_a_full_disk_stops_trading_until_there_is_space(harness, small_disk):
    gateway = harness.gateway("v43")
    daemon = harness.start_live(gateway, "--schedule", "* * * * * *", "--journal", str(small_disk / "journal.db"))
    metrics = daemon.wait_metrics("the reason", lambda m: m("signals_suppressed_total", reason="journal") >= 2)
    assert metrics("journal_write_failures_total") >= 1
    assert metrics.sum("orders_total") == 0 and gateway.requests == []
    status, _, said = daemon.get("/readyz")
    assert status == 503 and "journal" in said
    assert daemon.get("/livez")[0] == 200 and daemon.get("/health")[0] == 503
    as_root("mount", "-o", "remount,size=8m", str(small_disk))
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200, 5)
    assert len(gateway.requests) == 1 and gateway.problems == []
    daemon.close()
