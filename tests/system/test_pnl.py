"""Profit and loss from what the gateway tells: the figures of `/metrics`, `sentinel pnl` and `sentinel orders`, to the cent, while
the daemon is restarted and killed."""

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon, wait_until
from parts.dialects import V43
from parts.gateway import PRICE, Reply, silent, truthful
from parts.harness import ACCOUNT, EVERY_SECOND, Harness, variables
from parts.model import BUY, HOLD

# A question every second instead of every minute.
POLLED = {"gateway.account_poll_s": "1"}
NO_MONEY = {"gateway.account_poll_s": "0", "paper.enabled": "false"}
DAY_S = 86_400


@pytest.fixture(autouse=True)
def one_day():
    """What is realised belongs to a day (UTC): a test must not run over its end."""
    left = DAY_S - time.time() % DAY_S
    if left < 60:
        time.sleep(left)


def start(harness: Harness, gateway, journal: Path, *args: str, **settings: object) -> Daemon:
    return harness.start_live(gateway, *EVERY_SECOND, "--journal", str(journal), *args, settings=POLLED | settings)


def profit(metrics, family: str, symbol: str = "EURUSD") -> float | None:
    """A sample of a family by symbol, or None."""
    live = {"symbol": symbol, "ledger": "live"}
    found = [value for labels, value in metrics.all(f"profit_{family}").items() if dict(labels) == live]
    return found[0] if found else None


def pnl(harness: Harness, journal: Path) -> dict:
    """The account, as `sentinel pnl --json` prints it; its periods by name."""
    done = harness.run("pnl", "--json", "--journal", str(journal))
    assert done.returncode == 0, done.stderr
    (account,) = json.loads(done.stdout)
    assert account["account"] == ACCOUNT
    return account | {"periods": {period["period"]: period for period in account["periods"]}}


def order(harness: Harness, journal: Path, ticket: int) -> tuple:
    """The columns of an order that are about its position."""
    (found,) = [order for order in harness.orders(journal) if order["ticket"] == ticket]
    return found["position"], found["profit"], found["profit_source"]


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_every_figure_is_right_over_restarts_and_kills(harness, dialect):
    journal = harness.directory / "journal.db"
    gateway = harness.gateway(dialect)
    harness.model.probabilities = [BUY]
    daemon = start(harness, gateway, journal)
    daemon.wait_metrics("the fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    harness.model.probabilities = [HOLD]
    (ticket,) = gateway.positions
    # The day begins with what the first look saw.
    daemon.wait_metrics("the first look", lambda metrics: list(metrics.all("account_equity").values()) == [10_000])
    for moved in (-12.34, 7.77, -3.5):
        gateway.moved(ticket, moved)
        daemon.wait_metrics(f"a profit of {moved}", lambda metrics: profit(metrics, "open") == moved)
    # What the journal makes of an answer of the gateway is shown a moment after the equity in it.
    metrics = daemon.wait_metrics("the day", lambda metrics: metrics("profit_today", day="utc") == -3.5)
    assert (metrics("account_equity"), metrics("profit_today", day="new_york")) == (9_996.5, -3.5)
    assert (metrics("account_balance"), metrics("account_unexplained"), profit(metrics, "realised")) == (10_000, 0, 0)
    assert order(harness, journal, ticket) == ("open", -3.5, "open")

    gateway.balance += 500
    daemon.wait_metrics("the deposit", lambda metrics: metrics("account_unexplained") == 500)
    # Further from the end than a tenth of a percent of the balance, it would be an estimate: a deposit may be in the same step.
    gateway.moved(ticket, -15)
    daemon.wait_metrics("what is told last", lambda metrics: profit(metrics, "open") == -15)
    daemon.send(signal.SIGKILL)
    daemon.process.wait(5)
    # Its stop is reached while no daemon looks.
    gateway.stopped((ticket, -20.07))
    daemon = start(harness, gateway, journal)
    metrics = daemon.wait_metrics("what it brought", lambda metrics: profit(metrics, "realised") == -20.07)
    metrics = daemon.wait_metrics("the end", lambda metrics: metrics("account_balance") == 10_479.93)
    assert (profit(metrics, "open"), metrics("account_unexplained"), metrics("account_equity")) == (0, 500, 10_479.93)
    assert metrics("profit_today", day="utc") == -20.07
    # The highest was 10007.77 before the deposit of 500.
    highest = 10_507.77
    assert metrics("account_drawdown_ratio") == pytest.approx((highest - 10_479.93) / highest, abs=1e-9)
    assert order(harness, journal, ticket) == ("closed", -20.07, "gateway")
    assert daemon.stop()[0] == 0

    known = pnl(harness, journal)
    assert (known["balance"], known["equity"], known["currency"], known["positions"]) == (10_479.93, 10_479.93, "USD", 0)
    month = known["periods"]["month"]
    assert (month["unexplained"], month["growth"]["amount"]) == (500, -20.07)
    assert month["live"] == {"profit": -20.07, "closes": 1, "estimates": 0, "own": {"profit": -20.07, "trades": 1}}
    assert [(row["symbol"], row["live"]["profit"]) for row in month["symbols"]] == [("EURUSD", -20.07)]
    text = harness.run("pnl", "--journal", str(journal)).stdout
    assert "balance 10479.93, equity 10479.93 (USD)" in text and "-20.07" in text and "+500.00" in text
    assert max(map(len, text.splitlines())) <= 100

    # A gateway that says nothing: the next daemon has it all from the journal.
    gateway.question_behaviour = silent
    metrics = start(harness, gateway, journal).wait_serving().metrics()
    assert profit(metrics, "realised") == -20.07
    assert harness.orders(journal)[0]["position"] == "closed"


def test_a_kill_changes_no_gauge_of_money(harness):
    journal = harness.directory / "journal.db"
    gateway = harness.gateway("v43")
    by_hand = gateway.opened("XAUUSD", "SELL", 0.1)
    harness.model.probabilities = [BUY]
    daemon = start(harness, gateway, journal)
    daemon.wait_metrics("the fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    harness.model.probabilities = [HOLD]
    (ours,) = set(gateway.positions) - {by_hand}
    gateway.moved(by_hand, 30.25)
    daemon.wait_metrics("the highest", lambda metrics: list(metrics.all("account_equity").values()) == [10_030.25])
    gateway.stopped((by_hand, -20.07))
    daemon.wait_metrics("a close", lambda metrics: profit(metrics, "realised", "other") == -20.07)
    gateway.moved(ours, 4.5)
    before = daemon.wait_metrics("all of it", lambda metrics: profit(metrics, "open") == 4.5 and metrics("account_equity") == 9_984.43)
    names = (
        *(f"account_{name}" for name in ("balance", "equity", "unexplained", "drawdown_ratio")),
        *(f"profit_{name}" for name in ("today", "realised", "open")),
    )

    def live(metrics) -> dict:
        found = {name: metrics.all(name) for name in names}
        return {name: {labels: value for labels, value in all_.items() if ("ledger", "paper") not in labels} for name, all_ in found.items()}

    kept = live(before)
    assert all(kept.values()) and before("account_drawdown_ratio") == pytest.approx((10_030.25 - 9_984.43) / 10_030.25)
    daemon.send(signal.SIGKILL)
    daemon.process.wait(5)
    daemon = start(harness, gateway, journal)
    after = daemon.wait_metrics("the next look", lambda metrics: all(live(metrics).values()))
    assert live(after) == kept
    # A histogram counts what its own daemon saw, as a counter does: Prometheus adds over restarts. The journal has the fill.
    fills = [metrics("fill_slippage_points_bucket", le="+Inf") for metrics in (before, after)]
    assert fills == [1, 0]
    assert [found["state"] for found in harness.orders(journal)] == ["filled"]


def test_estimates_of_two_closes_add_up_to_the_step(harness):
    journal = harness.directory / "journal.db"
    gateway = harness.gateway("v43")
    harness.model.probabilities = [HOLD]
    first, second = gateway.opened("EURUSD", "BUY", 0.1), gateway.opened("XAUUSD", "SELL", 0.1)
    daemon = start(harness, gateway, journal)
    gateway.moved(first, -10.0)
    gateway.moved(second, 4.0)
    daemon.wait_metrics("both", lambda metrics: (profit(metrics, "open"), profit(metrics, "open", "other")) == (-10, 4))
    gateway.stopped((first, -10.4), (second, 4.6))
    metrics = daemon.wait_metrics("both ends", lambda metrics: profit(metrics, "realised", "other") is not None)
    assert (profit(metrics, "realised"), profit(metrics, "realised", "other")) == (-9.9, 4.1)
    assert metrics("account_unexplained") == 0
    month = pnl(harness, journal)["periods"]["month"]
    assert month["live"] == {"profit": -5.8, "closes": 2, "estimates": 2, "own": {"profit": 0, "trades": 0}}
    assert "~-9.90" in harness.run("pnl", "--journal", str(journal)).stdout


def test_a_gateway_silent_about_its_account_gets_its_orders(harness):
    def no_account(gateway: V43, request: dict) -> Reply:
        return silent(gateway, request) if request["action"] == "GET_ACCOUNT" else truthful()(gateway, request)

    gateway = harness.gateway("v43", questions=no_account)
    harness.model.probabilities = [BUY]
    daemon = start(harness, gateway, harness.directory / "journal.db", "--cycles", "3")
    metrics = daemon.after_cycles(3)
    assert metrics("orders_total", outcome="filled") == 1 and metrics("ready") == 1
    assert metrics("account_poll_failures_total") == 1, "it is left alone for a while"
    assert not metrics.all("account_balance") and profit(metrics, "open") is None
    assert "profit and loss is not up to date" in daemon.output()


def test_money_that_cannot_be_written_costs_no_order(harness):
    journal, gateway = harness.directory / "journal.db", harness.gateway("v43")
    harness.start("--once", "--journal", str(journal)).wait_exit()
    with sqlite3.connect(journal) as connection:
        connection.execute("ALTER TABLE realised RENAME TO gone")
    harness.model.probabilities = [BUY]
    daemon = start(harness, gateway, journal, "--cycles", "4")
    metrics = daemon.after_cycles(4)
    assert metrics("orders_total", outcome="filled") == 1 and metrics("ready") == 1
    assert metrics("journal_write_failures_total") == 0
    assert daemon.output().count("profit and loss cannot be counted") == 1
    with sqlite3.connect(journal) as connection:
        wait_until("all", lambda: connection.execute("SELECT count(*) FROM decisions").fetchone() == (5,))


def test_without_the_poll_only_orders_ask(harness):
    gateway = harness.gateway("v43")
    harness.model.probabilities = [HOLD]
    daemon = harness.start_live(gateway, *EVERY_SECOND, "--cycles", "2", settings=NO_MONEY)
    metrics = daemon.after_cycles(2)
    assert [request["action"] for request in gateway.asked] == ["PING"]
    assert not metrics.all("account_balance") and not metrics.all("profit_realised")


def test_a_fill_is_compared_with_the_close_decided_on(harness):
    gateway = harness.gateway("v43")
    harness.model.probabilities = [BUY]
    daemon = start(harness, gateway, harness.directory / "journal.db", "--cycles", "1")
    metrics = daemon.after_cycles(1)
    close = json.loads(harness.run("explain", "--json", "--journal", str(harness.directory / "journal.db")).stdout)[0]["close"]
    points = round((PRICE - close) * 1e5, 6)
    buckets = {float(dict(labels)["le"]): value for labels, value in metrics.all("fill_slippage_points_bucket").items()}
    assert all(value == (bound >= points) for bound, value in buckets.items()) and len(buckets) > 10, points


def best(journal: Path) -> list[dict]:
    """What each close brought, by its best source."""
    columns = ("symbol", "order", "kind", "profit", "lots", "is_settled", "source")
    with sqlite3.connect(journal) as connection:
        sql = "SELECT symbol, order_id, kind, profit, volume, is_settled, max(source) FROM realised GROUP BY ticket, at_ms"
        return [dict(zip(columns, row, strict=True)) for row in connection.execute(sql)]


def both(journal: Path) -> list[tuple[str, float, float, bool]]:
    """What each signal brought of which all lots have ended on both sides: its symbol, at the gateway, on paper, and whether it is an estimate."""
    rows = {}
    for row in best(journal):
        rows.setdefault(row["order"], []).append(row)
    with sqlite3.connect(journal) as connection:
        sql = "SELECT id, symbol, bar_close_time, coalesce(filled_volume, volume) FROM orders WHERE closes IS NULL AND state = 'filled'"
        live = connection.execute(sql).fetchall()
        sql = "SELECT symbol, bar_close_time, profit, volume FROM paper_orders WHERE closes IS NULL AND net_points IS NOT NULL"
        paper = {(symbol, bar): of for symbol, bar, *of in connection.execute(sql)}
    pairs = []
    for order, symbol, bar, ordered in live:
        brought, (profit, on_paper) = rows.get(order, []), paper.get((symbol, bar), (None, None))
        closed = [row["lots"] for row in brought if row["kind"] != "opening"]
        is_known = all(row["is_settled"] for row in brought) and None not in closed and profit is not None
        if is_known and any(row["kind"] == "close" for row in brought) and sum(closed) == pytest.approx(ordered) == pytest.approx(on_paper):
            is_estimate = any(row["source"] == "estimated" for row in brought)
            pairs.append((symbol, sum(row["profit"] for row in brought), profit, is_estimate))
    return pairs


@pytest.mark.long
def test_live_and_paper_are_what_the_journal_says(binary, sandbox, tmp_path):
    """The sandbox's market, model and gateway; two symbols, a bar and a look at the account a second."""
    journal, cycles = tmp_path / "journal.db", 45
    settings = {"gateway.account_poll_s": 1, "study.spread_points": 2}
    settings |= {"trading.contract_size": 100_000, "trading.profit_rate": "1"}
    args = (*EVERY_SECOND, "--cycles", str(cycles), "--symbol", "EURUSD,GBPUSD", "--journal", str(journal))
    daemon = sandbox.live(*args, **variables(settings))
    metrics = daemon.wait_metrics("the cycles", lambda found: found("trading_cycles_total") >= cycles, 2 * cycles)
    assert daemon.stop()[0] == 0
    done = subprocess.run([binary, "pnl", "--json", "--journal", journal], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (account,) = json.loads(done.stdout)
    (month,) = [period for period in account["periods"] if period["period"] == "month"]
    closes = best(journal)
    with sqlite3.connect(journal) as connection:
        sql = "SELECT symbol, profit FROM paper_orders WHERE closes IS NULL AND exit_at IS NOT NULL"
        trades = connection.execute(sql).fetchall()
        (unexplained,) = connection.execute("SELECT total(amount) FROM unexplained").fetchone()
    assert {symbol for symbol, _ in trades} == {row["symbol"] for row in closes} == {"EURUSD", "GBPUSD"}

    for row in month["symbols"]:
        own = [close for close in closes if close["symbol"] == row["symbol"]]
        paper = [profit for symbol, profit in trades if symbol == row["symbol"]]
        assert row["live"]["profit"] == pytest.approx(sum(close["profit"] for close in own), abs=0.005)
        assert row["live"]["estimates"] == sum(close["source"] == "estimated" for close in own)
        assert (row["paper"]["trades"], row["paper"]["profit"]) == (len(paper), pytest.approx(sum(paper)))
        ended = [close for close in own if close["order"] is not None and close["kind"] == "close"]
        assert row["live"]["own"]["trades"] == len(ended) > 0
        pairs = [(live - paper, is_estimate) for symbol, live, paper, is_estimate in both(journal) if symbol == row["symbol"]]
        assert len(pairs) > 0
        amount, estimates = pytest.approx(sum(apart for apart, _ in pairs), abs=0.006), sum(is_estimate for _, is_estimate in pairs)
        assert row["live_minus_paper"] == {"amount": amount, "signals": len(pairs), "estimates": estimates, "why": None}
    pairs = both(journal)
    assert month["live_minus_paper"]["signals"] == len(pairs)
    assert month["live_minus_paper"]["amount"] == pytest.approx(sum(live - paper for _, live, paper, _ in pairs), abs=0.006)
    live, paper = month["live"]["profit"], month["paper"]["profit"]
    assert paper == pytest.approx(sum(profit for _, profit in trades), abs=0.01) and month["paper"]["points"] is None
    # All of the balance's way is there, and all of the account on paper.
    assert (live + unexplained, month["unexplained"]) == (pytest.approx(account["balance"] - 100_000, abs=0.01), pytest.approx(unexplained))
    assert account["paper"]["balance"] == pytest.approx(account["paper"]["start"] + paper, abs=0.01)
    assert account["paper"]["points"] is None, "points of different symbols cannot be added"
    assert {dict(labels)["ledger"] for labels in metrics.all("profit_realised")} == {"live", "paper"}


def test_a_journal_without_accounts_says_so(harness):
    journal = harness.directory / "journal.db"
    harness.start("--cycles", "1", "--journal", str(journal), settings=NO_MONEY).after_cycles(1)
    harness.daemons[0].stop()
    done = harness.run("pnl", "--journal", str(journal))
    assert (done.returncode, done.stdout) == (0, "nothing is known of any account\n")
    assert json.loads(harness.run("pnl", "--json", "--journal", str(journal)).stdout) == []
    assert harness.run("pnl", "--journal", str(harness.directory / "none.db")).returncode == 1
