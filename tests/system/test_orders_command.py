"""`sentinel orders` and `explain` as used at a terminal: narrow, with short ids, and without write permission."""

import shutil
from pathlib import Path

import pytest

from parts.daemon import free_port, wait_until
from parts.gateway import says
from parts.harness import Harness
from parts.model import BUY, SELL

# Runs as root without capabilities: then a read-only file is also read-only for root.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


def positions(harness: Harness, journal: Path) -> list[str]:
    """The column with the position of each order."""
    title, *rows = harness.run("orders", "--journal", str(journal)).stdout.splitlines()
    begin = title.index("POSITION")
    return [row[begin:].split("  ")[0] for row in rows]


@pytest.fixture(scope="module")
def journal(binary, tmp_path_factory) -> Path:
    """The journal of a demo that ended gracefully."""
    directory = tmp_path_factory.mktemp("journal")
    harness = Harness(binary, directory)
    try:
        demo = harness.command("demo", "--cycles", "200", "--metrics-port", str(free_port()), "--journal", str(directory / "journal.db"))
        wait_until("the greeting", lambda: "Ctrl-C stops it." in demo.output(), 30)
        assert demo.stop()[0] == 0
    finally:
        harness.close()
    return directory / "journal.db"


def test_the_table_fits_a_terminal_and_shows_the_price(harness, journal):
    text = harness.run("orders", "--journal", str(journal)).stdout
    orders = harness.orders(journal)
    title, *rows = text.splitlines()
    assert max(map(len, text.splitlines())) <= 100
    # Whether a look at the account fell between two orders is a matter of time.
    profit = ["PROFIT"] if any(order["profit"] is not None for order in orders) else []
    assert title.split() == [*"ID SYMBOL BAR CLOSE (UTC) ORDER STATE PRICE TICKET POSITION".split(), *profit, "REASON"]
    assert len(rows) == len(orders) > 5
    for row, order in zip(rows, orders, strict=True):
        assert order["id"].startswith(row.split()[0]) and f"  {order['price']}  " in row and f" {order['ticket']} " in row


def test_short_ids_work_and_ambiguous_ones_are_refused(harness, journal):
    orders, where = harness.orders(journal), ["--journal", str(journal)]
    whole = harness.run("orders", "show", orders[0]["id"], *where)
    short = harness.run("orders", "show", orders[0]["id"][:8], *where)
    assert whole.returncode == 0 and short.stdout == whole.stdout and f" at {orders[0]['price']}" in short.stdout
    # There are more orders than the sixteen possible first characters.
    first = [order["id"][0] for order in orders]
    common = max(first, key=first.count)
    alike = [order["id"] for order in orders if order["id"][0] == common]
    assert len(alike) > 1
    refused = harness.run("orders", "show", common, *where)
    assert refused.returncode == 1 and "several orders begin with" in refused.stderr
    assert all(id in refused.stderr for id in alike[:5])
    for command in (["show"], ["closed", "--note", "x"], ["resolve", "--note", "x"]):
        # An ambiguous id settles nothing.
        outcome = ["rejected"] if command[0] == "resolve" else []
        refused = harness.run("orders", command[0], common, *outcome, *command[1:], *where)
        assert refused.returncode == 1 and "several orders begin with" in refused.stderr
    absent = harness.run("orders", "show", "0" * 32, *where)
    assert absent.returncode == 1 and "has no order" in absent.stderr
    assert harness.run("orders", "show", "xyz", *where).returncode == 64


def test_reading_works_without_write_permission(harness, journal, tmp_path):
    """The daemon has ended, so SQLite would have to create files beside the journal."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    copy = Path(shutil.copy(journal, folder / "journal.db"))
    copy.chmod(0o400)
    folder.chmod(0o500)
    where = ["--journal", str(copy)]
    first = harness.orders(journal)[0]["id"]
    for args in (["orders"], ["orders", "--json"], ["orders", "--unresolved"], ["orders", "show", first[:9]], ["explain"]):
        read = harness.run(*args, *where, before=POWERLESS)
        assert read.returncode == 0, (args, read.stderr)
        assert read.stdout == harness.run(*args, "--journal", str(journal)).stdout
    refused = harness.run("orders", "closed", first, "--note", "x", *where, before=POWERLESS)
    assert refused.returncode == 1 and "as the daemon's user" in refused.stderr, refused.stderr
    assert [path.name for path in folder.iterdir()] == ["journal.db"]


def test_reading_works_beside_a_running_daemon(harness):
    harness.model.probabilities = [BUY]
    folder = harness.directory / "state"
    folder.mkdir()
    journal = folder / "journal.db"
    harness.start_live(harness.gateway("v43"), "--cycles", "1", "--journal", str(journal)).after_cycles(1)
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    read = harness.run("orders", "--journal", str(journal), before=POWERLESS)
    folder.chmod(0o700)
    assert read.returncode == 0 and "filled" in read.stdout, read.stderr


@pytest.mark.parametrize(("account_mode", "word"), [("hedging", "unknown"), ("netting", "closed")])
def test_an_opposite_fill_closes_only_on_a_netting_account(harness, account_mode, word):
    """place_order does not report positions. Only the terminal shows that both sides of a hedging account are open."""
    gateway = harness.gateway("place_order")
    harness.model.probabilities = [BUY]
    settings = {"guards.opposite": "open", "gateway.account_mode": account_mode}
    journal = harness.directory / "shared.db"
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    assert positions(harness, journal) == ["open"]
    harness.model.probabilities = [SELL]
    settings["model.name"] = "second"
    second = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert second.after_cycles(1)("orders_total", outcome="filled") == 1
    second.stop()
    assert positions(harness, journal) == [word, "open"]
    bought, sold = harness.orders(journal)
    assert (bought["position"], sold["position"]) == (word, "open") and bought["closed_at_ms"]
    shown = harness.run("orders", "show", bought["id"][:8], "--journal", str(journal)).stdout
    assert f"position  {word}" in shown and "has not counted since" in shown
    settled = harness.run("orders", "closed", sold["id"][:8], "--note", "seen", "--journal", str(journal))
    assert settled.returncode == 0, settled.stderr
    assert positions(harness, journal) == [word, "closed"]


def test_a_partial_fill_shows_filled_and_ordered_volume(harness):
    gateway = harness.gateway("v43", says(lambda gateway, request: gateway.filled(request) | {"volume": 0.04}))
    journal = harness.directory / "journal.db"
    harness.start_live(gateway, "--cycles", "1", "--volume", "0.1", "--journal", str(journal)).after_cycles(1)
    assert "  BUY 0.04 of 0.1  " in harness.run("orders", "--journal", str(journal)).stdout
