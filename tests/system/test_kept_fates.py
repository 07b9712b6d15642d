"""A fill that is known and cannot be written, because another process holds the journal: it is kept beside the journal and
read back, or the exit says that it is lost."""

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from parts.daemon import Daemon, wait_until
from parts.gateway import late


@pytest.fixture
def holder():
    """Holds a journal's write lock, as a person's open transaction does."""
    held = []

    def hold(journal: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(journal, isolation_level=None, timeout=5)
        connection.execute("BEGIN IMMEDIATE")
        held.append(connection)
        return connection

    yield hold
    for connection in held:
        connection.close()


def orders(rig, journal: Path) -> list[dict]:
    """`sentinel orders --json`."""
    said = rig.command("orders", "--json", "--journal", str(journal))
    code, _ = said.wait_exit()
    assert code == 0, said.output()
    return json.loads(said.output())


def ordering(rig, place: Path, **settings: object) -> tuple[Daemon, Path]:
    """A daemon whose order is on its way to a gateway that fills it in a moment; and its journal."""
    journal = place / "journal.db"
    gateway = rig.gateway("v43", late(0.7))
    usual = {"gateway.deadline_ms": 5000, "journal.path": journal}
    daemon = rig.start_live(gateway, settings=usual | settings)
    wait_until("an order", lambda: gateway.requests)
    return daemon, journal


def next_start(rig, journal: Path) -> dict:
    """A daemon that starts, takes stock and ends: its one order."""
    daemon = rig.start("--cycles", "1", settings={"journal.path": journal})
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    assert not Path(f"{journal}.unwritten").exists()
    [order] = orders(rig, journal)
    return order


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_fill_that_cannot_be_written_at_the_end_is_there_at_the_next_start(rig, holder, tmp_path, number):
    daemon, journal = ordering(rig, tmp_path)
    held = holder(journal)
    code, took = daemon.stop(number)
    kept = Path(f"{journal}.unwritten")
    assert code == 0 and took < 7
    assert kept.stat().st_mode & 0o777 == 0o600
    held.execute("ROLLBACK")
    assert orders(rig, journal)[0]["state"] == "sending"
    order = next_start(rig, journal)
    assert (order["state"], order["ticket"] > 0, order["price"] > 0) == ("filled", True, True)


def test_a_kill_after_it_was_kept_costs_nothing(rig, holder, tmp_path):
    daemon, journal = ordering(rig, tmp_path)
    held = holder(journal)
    kept = Path(f"{journal}.unwritten")
    wait_until("what is kept", lambda: kept.exists() and kept.read_text().endswith("\n"))
    daemon.stop(signal.SIGKILL)
    held.execute("ROLLBACK")
    assert next_start(rig, journal)["state"] == "filled"


def test_the_daemon_itself_writes_it_once_it_can_and_the_file_is_gone(rig, holder, tmp_path):
    daemon, journal = ordering(rig, tmp_path, **{"schedule.cron": "* * * * * *"})
    held = holder(journal)
    kept = Path(f"{journal}.unwritten")
    wait_until("what is kept", kept.exists)
    held.execute("ROLLBACK")
    wait_until("its end", lambda: not kept.exists())
    assert daemon.wait_metrics("the fill", lambda m: m("orders_unresolved") == 0)
    assert daemon.stop()[0] == 0
    assert [order["state"] for order in orders(rig, journal)] == ["filled"]


def test_a_fill_that_can_be_kept_nowhere_is_an_exit_of_1_that_names_it(rig, holder, tmp_path):
    daemon, journal = ordering(rig, tmp_path)
    holder(journal)
    # Whoever runs this may write into any folder, but not into a folder as if it were a file.
    os.mkdir(f"{journal}.unwritten")
    code, took = daemon.stop(signal.SIGTERM)
    assert code == 1 and took < 7
    [named] = [line for line in daemon.logs() if "the next start will take it for unknown" in line["message"]]
    assert (named["level"], named["symbol"], named["outcome"]) == ("ERROR", "EURUSD", "filled")
    assert f"sentinel orders resolve {named['client_order_id']} filled --ticket {named['ticket']}" in named["message"]


def test_a_lock_that_ends_in_time_costs_nothing(rig, holder, tmp_path):
    daemon, journal = ordering(rig, tmp_path)
    held = holder(journal)
    daemon.send(signal.SIGTERM)
    wait_until("what is kept", Path(f"{journal}.unwritten").exists)
    held.execute("ROLLBACK")
    assert daemon.wait_exit()[0] == 0
    assert [order["state"] for order in orders(rig, journal)] == ["filled"]
    assert next_start(rig, journal)["state"] == "filled"
