"""A known fill cannot be written, because another process holds the journal. It is kept in a file beside the journal and read
back later, or the daemon exits and names it."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from parts.daemon import Daemon, wait_until
from parts.gateway import late


@pytest.fixture
def holder():
    """Holds a journal's write lock, like a person's open transaction."""
    held = []

    def hold(journal: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(journal, isolation_level=None, timeout=5)
        connection.execute("BEGIN IMMEDIATE")
        held.append(connection)
        return connection

    yield hold
    for connection in held:
        connection.close()


def ordering(harness, place: Path, **settings: object) -> tuple[Daemon, Path]:
    """A daemon that has sent an order to a gateway that will fill it soon; and its journal."""
    journal = place / "journal.db"
    gateway = harness.gateway("v43", late(0.7))
    usual = {"gateway.deadline_ms": 5000, "journal.path": journal}
    daemon = harness.start_live(gateway, settings=usual | settings)
    wait_until("an order", lambda: gateway.requests)
    return daemon, journal


def next_start(harness, journal: Path) -> dict:
    """Starts a daemon that reads the journal and ends; its one order."""
    daemon = harness.start("--cycles", "1", settings={"journal.path": journal})
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    assert not Path(f"{journal}.unwritten").exists()
    [order] = harness.orders(journal)
    return order


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_fill_unwritten_at_the_end_is_written_at_start(harness, holder, tmp_path, number):
    daemon, journal = ordering(harness, tmp_path)
    held = holder(journal)
    code, took = daemon.stop(number)
    kept = Path(f"{journal}.unwritten")
    assert code == 0 and took < 7
    assert kept.stat().st_mode & 0o777 == 0o600
    held.execute("ROLLBACK")
    assert harness.orders(journal)[0]["state"] == "sending"
    order = next_start(harness, journal)
    assert (order["state"], order["ticket"] > 0, order["price"] > 0) == ("filled", True, True)


def test_a_kill_after_it_was_kept_loses_nothing(harness, holder, tmp_path):
    daemon, journal = ordering(harness, tmp_path)
    held = holder(journal)
    kept = Path(f"{journal}.unwritten")
    wait_until("the kept outcome", lambda: kept.exists() and kept.read_text().endswith("\n"))
    daemon.stop(signal.SIGKILL)
    held.execute("ROLLBACK")
    assert next_start(harness, journal)["state"] == "filled"


def test_the_daemon_writes_it_as_soon_as_possible(harness, holder, tmp_path):
    daemon, journal = ordering(harness, tmp_path, **{"schedule.cron": "* * * * * *"})
    held = holder(journal)
    kept = Path(f"{journal}.unwritten")
    wait_until("the kept outcome", kept.exists)
    held.execute("ROLLBACK")
    wait_until("its end", lambda: not kept.exists())
    assert daemon.wait_metrics("the fill", lambda m: m("orders_unresolved") == 0)
    assert daemon.stop()[0] == 0
    assert [order["state"] for order in harness.orders(journal)] == ["filled"]


def test_a_fill_that_cannot_be_kept_ends_with_1(harness, holder, tmp_path):
    daemon, journal = ordering(harness, tmp_path)
    holder(journal)
    # Even root cannot open a folder as a file for writing.
    os.mkdir(f"{journal}.unwritten")
    code, took = daemon.stop(signal.SIGTERM)
    assert code == 1 and took < 7
    [named] = [line for line in daemon.logs() if "the next start will treat it as unknown" in line["message"]]
    assert (named["level"], named["symbol"], named["outcome"]) == ("ERROR", "EURUSD", "filled")
    assert f"sentinel orders resolve {named['client_order_id']} filled --ticket {named['ticket']}" in named["message"]


def test_a_short_lock_loses_nothing(harness, holder, tmp_path):
    daemon, journal = ordering(harness, tmp_path)
    held = holder(journal)
    daemon.send(signal.SIGTERM)
    wait_until("the kept outcome", Path(f"{journal}.unwritten").exists)
    held.execute("ROLLBACK")
    assert daemon.wait_exit()[0] == 0
    assert [order["state"] for order in harness.orders(journal)] == ["filled"]
    assert next_start(harness, journal)["state"] == "filled"
