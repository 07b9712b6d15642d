"""The bar archive beside trading: whatever becomes of its file, orders and journal go on, and it is counted."""

import os
import json
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from parts.daemon import wait_until
from parts.harness import EVERY_SECOND
from parts.requirements import require


def failures(metrics) -> float:
    """Cycles whose bars were not archived."""
    return metrics("bars_archive_failures_total")


def said(daemon) -> list[dict]:
    """What the log says of the archive."""
    return [line for line in daemon.logs() if line.get("stage") == "archive"]


def trades_on(harness, daemon, gateway):
    """Whether the order of the newest bar was filled and is in the journal."""
    metrics = daemon.wait_metrics("a fill", lambda m: m("orders_total", outcome="filled") == 1)
    assert metrics("journal_write_failures_total") == 0
    assert daemon.get("/readyz")[0] == 200
    assert len(gateway.requests) == 1 and gateway.problems == []


@pytest.mark.parametrize("fault", ["damaged", "no folder", "a folder", "locked by another", "not ours"])
def test_a_file_that_cannot_be_used_stops_nothing(harness, tmp_path, fault):
    archive = tmp_path / "bars" / "bars.db"
    holder = None
    if fault != "no folder":
        archive.parent.mkdir()
    if fault == "damaged":
        archive.write_bytes(b"SQLite format 3\0" + random.randbytes(8_000))
    if fault == "not ours":
        with sqlite3.connect(archive) as theirs:
            theirs.execute("CREATE TABLE theirs (x)")
    if fault == "locked by another":
        holder = subprocess.Popen(["flock", f"{archive}.lock", "sleep", "60"])
        wait_until("the lock", lambda: os.path.exists(f"{archive}.lock"))
        time.sleep(0.2)
    settings = {"archive.path": str(archive)}
    if fault == "a folder":
        settings["archive.path"] = str(archive.parent / "made later.db")
        os.mkdir(settings["archive.path"] + ".lock")
    gateway = harness.gateway("v43")
    journal = tmp_path / "journal.db"
    daemon = harness.start_live(gateway, *EVERY_SECOND, "--journal", str(journal), settings=settings)
    try:
        trades_on(harness, daemon, gateway)
        daemon.wait_metrics("the failure", lambda metrics: failures(metrics) >= 1)
        assert [line["level"] for line in said(daemon)] == ["ERROR"], "said once"
        message = said(daemon)[0]["message"]
        assert "trading and the journal continue" in message and "  " not in message
        assert daemon.stop()[0] == 0
    finally:
        if holder:
            holder.kill()
            holder.wait()
    assert len(harness.orders(journal)) == 1


@pytest.mark.long
def test_a_full_disk_of_its_own_stops_nothing_else(harness, tmp_path):
    require("root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        gateway = harness.gateway("v43")
        settings = {"archive.path": str(disk / "bars.db")}
        daemon = harness.start_live(gateway, *EVERY_SECOND, "--journal", str(tmp_path / "journal.db"), settings=settings)
        trades_on(harness, daemon, gateway)
        daemon.wait_metrics("the failure", lambda metrics: failures(metrics) >= 1)
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        wait_until("bars", lambda: any("can be written again" in line["message"] for line in said(daemon)), 20)
        assert daemon.stop()[0] == 0
        with sqlite3.connect(disk / "bars.db") as archive:
            assert archive.execute("SELECT count(*) FROM bars").fetchone()[0] >= 200
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_without_an_archive_it_trades_and_check_says_so(harness, tmp_path):
    gateway = harness.gateway("v43")
    settings = {"archive.enabled": "false"}
    daemon = harness.start_live(gateway, *EVERY_SECOND, "--journal", str(tmp_path / "journal.db"), settings=settings)
    trades_on(harness, daemon, gateway)
    assert daemon.stop()[0] == 0
    assert not (tmp_path / "bars.db").exists()
    checked = harness.command("check", "--journal", str(tmp_path / "journal.db"), EODHD_API_TOKEN="any")
    assert checked.wait_exit()[0] == 0
    said = f"# Bars are archived in {tmp_path}/bars.db, at most about 1.3 MB (17520 bars of 74 bytes)."
    assert said in checked.out.read_text()
    checked = harness.command("check", EODHD_API_TOKEN="any", SENTINEL__ARCHIVE__ENABLED="false")
    assert checked.wait_exit()[0] == 0 and "# No bars are archived" in checked.out.read_text()


def test_random_kills_leave_journal_and_archive_whole(sandbox, binary, tmp_path):
    journal = tmp_path / "journal.db"
    chance = random.Random(7)
    for _ in range(12):
        daemon = sandbox.live("--back-to-back", "--journal", str(journal)).wait_serving()
        time.sleep(chance.uniform(0.05, 0.6))
        daemon.send(signal.SIGKILL)
        daemon.process.wait(5)
    daemon = sandbox.live("--back-to-back", "--cycles", "20", "--journal", str(journal)).wait_serving()
    metrics = daemon.wait_metrics("its cycles", lambda m: m("trading_cycles_total") >= 20)
    assert metrics("journal_write_failures_total") == 0 and failures(metrics) == 0
    assert daemon.stop()[0] == 0
    for file in (journal, tmp_path / "bars.db"):
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    command = [binary, "replay", "--json", "--journal", journal]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    # What a kill takes are the bars of the last moments before it.
    assert report["unequal"] == 0 and report["equal"] >= 0.9 * report["decisions"], report


def test_kills_while_its_disk_is_full_cost_the_journal_nothing(sandbox, binary, tmp_path):
    require("root")
    disk, journal, chance = tmp_path / "disk", tmp_path / "journal.db", random.Random(11)
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    arguments = ("--back-to-back", "--journal", str(journal))
    settings = {"SENTINEL__ARCHIVE__PATH": str(disk / "bars.db")}
    try:
        for _ in range(6):
            daemon = sandbox.live(*arguments, **settings)
            metrics = daemon.wait_metrics("a failure", lambda m: failures(m) >= 1)
            assert metrics("journal_write_failures_total") == 0 and daemon.get("/readyz")[0] == 200
            time.sleep(chance.uniform(0.0, 0.4))
            daemon.send(signal.SIGKILL)
            daemon.process.wait(5)
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        daemon = sandbox.live(*arguments, "--cycles", "20", **settings)
        metrics = daemon.wait_metrics("its cycles", lambda m: m("trading_cycles_total") >= 20)
        assert metrics("journal_write_failures_total") == 0 and failures(metrics) == 0
        assert daemon.stop()[0] == 0
        for file in (journal, disk / "bars.db"):
            with sqlite3.connect(file) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        command = [binary, "replay", "--json", "--journal", journal, "--archive", disk / "bars.db"]
        report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
        # Bars that were never written are lost, and said to be; those of the last run are all there.
        assert report["unequal"] == 0 and report["equal"] >= 20, report
        lost = sum(one["count"] for one in report["not_replayable"])
        assert lost > 0 and report["equal"] + lost == report["decisions"], report
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
