"""`sentinel orders` and `explain` as a person at a terminal uses them: narrow, by short ids, and without the right to write."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from parts.daemon import ALONE, free_port, wait_until
from parts.gateway import says
from parts.model import BUY, SELL
from parts.rig import Rig

# Root without any capability: a file of its own that it may only read is read-only for it, too.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


def run(rig: Rig, *args: str, before: list[str] = []) -> subprocess.CompletedProcess:
    """The binary with these arguments, to its end."""
    command = [*before, str(rig.binary), *args]
    return subprocess.run(command, cwd=rig.directory, env=ALONE, capture_output=True, text=True, timeout=30)


def listed(rig: Rig, journal: Path) -> list[dict]:
    """Every order."""
    return json.loads(run(rig, "orders", "--json", "--journal", str(journal)).stdout)


def positions(rig: Rig, journal: Path) -> list[str]:
    """What the table says of the position that each order made."""
    title, *rows = run(rig, "orders", "--journal", str(journal)).stdout.splitlines()
    begin = title.index("POSITION")
    return [row[begin:].split("  ")[0] for row in rows]


@pytest.fixture(scope="module")
def journal(binary, tmp_path_factory) -> Path:
    """A demo's, whose daemon ended in order."""
    directory = tmp_path_factory.mktemp("journal")
    rig = Rig(binary, directory)
    try:
        demo = rig.command("demo", "--cycles", "200", "--metrics-port", str(free_port()), "--journal", str(directory / "journal.db"))
        wait_until("the greeting", lambda: "Ctrl-C stops it." in demo.output(), 30)
        assert demo.stop()[0] == 0
    finally:
        rig.close()
    return directory / "journal.db"


def test_the_table_fits_a_terminal_and_shows_the_price(rig, journal):
    text = run(rig, "orders", "--journal", str(journal)).stdout
    orders = listed(rig, journal)
    title, *rows = text.splitlines()
    assert max(map(len, text.splitlines())) <= 100
    assert title.split() == "ID SYMBOL BAR CLOSE (UTC) ORDER STATE PRICE TICKET POSITION REASON".split()
    assert len(rows) == len(orders) > 5
    for row, order in zip(rows, orders, strict=True):
        assert order["id"].startswith(row.split()[0]) and f"  {order['price']}  " in row and f" {order['ticket']} " in row


def test_the_first_characters_of_an_id_are_enough_and_too_few_are_named(rig, journal):
    orders, where = listed(rig, journal), ["--journal", str(journal)]
    whole = run(rig, "orders", "show", orders[0]["id"], *where)
    short = run(rig, "orders", "show", orders[0]["id"][:8], *where)
    assert whole.returncode == 0 and short.stdout == whole.stdout and f" at {orders[0]['price']}" in short.stdout
    # Sixteen first characters for more orders than that.
    first = [order["id"][0] for order in orders]
    common = max(first, key=first.count)
    alike = [order["id"] for order in orders if order["id"][0] == common]
    assert len(alike) > 1
    refused = run(rig, "orders", "show", common, *where)
    assert refused.returncode == 1 and "beginning of several orders" in refused.stderr
    assert all(id in refused.stderr for id in alike[:5])
    for command in (["show"], ["closed", "--note", "x"], ["resolve", "--note", "x"]):
        # Nothing is settled by a guess.
        fate = ["rejected"] if command[0] == "resolve" else []
        refused = run(rig, "orders", command[0], common, *fate, *command[1:], *where)
        assert refused.returncode == 1 and "beginning of several orders" in refused.stderr
    absent = run(rig, "orders", "show", "0" * 32, *where)
    assert absent.returncode == 1 and "has no order" in absent.stderr
    assert run(rig, "orders", "show", "xyz", *where).returncode == 64


def test_who_may_only_read_reads(rig, journal, tmp_path):
    """The daemon has ended: SQLite would have to make files beside the journal."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    copy = Path(shutil.copy(journal, folder / "journal.db"))
    copy.chmod(0o400)
    folder.chmod(0o500)
    where = ["--journal", str(copy)]
    first = listed(rig, journal)[0]["id"]
    for args in (["orders"], ["orders", "--json"], ["orders", "--unresolved"], ["orders", "show", first[:9]], ["explain"]):
        read = run(rig, *args, *where, before=POWERLESS)
        assert read.returncode == 0, (args, read.stderr)
        assert read.stdout == run(rig, *args, "--journal", str(journal)).stdout
    refused = run(rig, "orders", "closed", first, "--note", "x", *where, before=POWERLESS)
    assert refused.returncode == 1 and "as the user that the daemon runs as" in refused.stderr, refused.stderr
    assert [path.name for path in folder.iterdir()] == ["journal.db"]


def test_who_may_only_read_reads_beside_a_running_daemon(rig):
    rig.model.probabilities = [BUY]
    folder = rig.directory / "state"
    folder.mkdir()
    journal = folder / "journal.db"
    rig.start_live(rig.gateway("v43"), "--cycles", "1", "--journal", str(journal)).after_cycles(1)
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    read = run(rig, "orders", "--journal", str(journal), before=POWERLESS)
    folder.chmod(0o700)
    assert read.returncode == 0 and "filled" in read.stdout, read.stderr


@pytest.mark.parametrize(("account_mode", "word"), [("hedging", "unknown"), ("netting", "closed")])
def test_an_opposite_fill_closes_a_position_only_where_an_account_has_one_per_symbol(rig, account_mode, word):
    """place_order tells no positions: that both sides of a hedging account are open is what only the terminal shows."""
    gateway = rig.gateway("place_order")
    rig.model.probabilities = [BUY]
    settings = {"guards.opposite": "open", "gateway.account_mode": account_mode}
    journal = rig.directory / "shared.db"
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    assert positions(rig, journal) == ["open"]
    rig.model.probabilities = [SELL]
    settings["model.name"] = "second"
    second = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert second.after_cycles(1)("orders_total", outcome="filled") == 1
    second.stop()
    assert positions(rig, journal) == [word, "open"]
    bought, sold = listed(rig, journal)
    assert (bought["position"], sold["position"]) == (word, "open") and bought["closed_at_ms"]
    shown = run(rig, "orders", "show", bought["id"][:8], "--journal", str(journal)).stdout
    assert f"position  {word}" in shown and "counts no more since" in shown
    settled = run(rig, "orders", "closed", sold["id"][:8], "--note", "seen", "--journal", str(journal))
    assert settled.returncode == 0, settled.stderr
    assert positions(rig, journal) == [word, "closed"]


def test_a_partial_fill_is_shown_as_part_of_what_was_ordered(rig):
    gateway = rig.gateway("v43", says(lambda gateway, request: gateway.filled(request) | {"volume": 0.04}))
    journal = rig.directory / "journal.db"
    rig.start_live(gateway, "--cycles", "1", "--volume", "0.1", "--journal", str(journal)).after_cycles(1)
    assert "  BUY 0.04 of 0.1  " in run(rig, "orders", "--journal", str(journal)).stdout
