"""The account on paper: equal to the study, invisible to live orders, and whole after kills, restarts and long pauses."""

import csv
import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from parts.daemon import Daemon, environment, free_port, wait_until
from parts.harness import variables
from parts.market import HOUR, bar
from parts.model import BUY, HOLD
from parts.own_model import BARS
from parts.random_seed import new_seed
from parts.sandbox import Sandbox
from parts.tables import keep

COSTS = {
    "study.spread_points": 8,
    "study.slippage_points": 0.5,
    "study.commission_per_lot_side": 3.5,
    "trading.contract_size": 100_000,
    "study.swap_long_points": -4,
    "study.swap_short_points": 1.5,
}
STOPS = {"trading.stop_loss": 0.0020, "trading.take_profit": 0.0030}
MONEY = {"trading.contract_size": 100_000, "trading.profit_rate": "1"}
ALONE = {"guards.positions_max": 1, "guards.opposite": "open", "gateway.account_mode": "hedging"}


def rows(journal: Path, sql: str) -> list[tuple]:
    """What SQLite answers."""
    with sqlite3.connect(journal) as connection:
        return connection.execute(sql).fetchall()


def listed(binary: Path, journal: Path, *args: str) -> list[dict]:
    """`sentinel orders --json`."""
    command = [binary, "orders", "--json", "--journal", str(journal), *args]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def dry(sandbox: Sandbox, journal: Path, settings: dict, *args: str) -> Daemon:
    """A dry run with the market and the model of a sandbox, and no gateway."""
    port = free_port()
    usual = {"metrics.bind": "127.0.0.1", "metrics.port": port, "market.calendar": "fx", "trading.threshold": 0.4}
    usual |= {"data.base_url": f"http://127.0.0.1:{sandbox.ports['market']}", "model.host": "127.0.0.1"}
    usual |= {"model.port": sandbox.ports["model"]}
    command = ["run", "--clock", "bars", "--back-to-back", "--journal", str(journal), *args]
    where = sandbox.directory / f"dry-{len(sandbox.daemons)}"
    daemon = Daemon(sandbox.binary, command, environment(**variables(usual | settings)), where, port)
    sandbox.daemons.append(daemon)
    return daemon


def ran(daemon: Daemon, cycles: int):
    """Its metrics after so many cycles; then it is stopped."""
    metrics = daemon.wait_metrics("the cycles", lambda found: found("trading_cycles_total") >= cycles, 240)
    assert daemon.stop()[0] == 0
    return metrics


@pytest.mark.long
def test_a_dry_run_makes_the_trades_of_a_study(binary, sandbox, tmp_path):
    """The same bars and odds, costs, stops and horizon. The study looks at each side alone, as a hedging account does."""
    journal = tmp_path / "journal.db"
    settings = COSTS | STOPS | MONEY | ALONE | {"paper.horizon_bars": 12}
    metrics = ran(dry(sandbox, journal, settings, "--cycles", "600", "--symbol", "EURUSD"), 600)
    assert metrics.nonzero("orders_total", "outcome") == {}, "no order on paper is one of these"
    assert set(metrics.suppressed()) <= {"dry_run", "below_threshold", "market_closed"}, metrics.suppressed()
    decided = rows(journal, "SELECT bar_close_time, p_sell, p_hold, p_buy FROM decisions GROUP BY bar_close_time")
    # Nothing is signalled any more: all that is open comes to its end.
    ran(dry(sandbox, journal, settings | {"trading.threshold": 0.99}, "--cycles", "40", "--symbol", "EURUSD"), 40)

    odds = tmp_path / "odds.csv"
    with odds.open("w") as file:
        writer = csv.writer(file)
        writer.writerow("symbol,bar_close_time,p_sell,p_hold,p_buy".split(","))
        writer.writerows(["EURUSD", *row] for row in decided)
    settings = variables({"market.calendar": "fx"} | COSTS | STOPS | ALONE | {"study.horizon_bars": 12})
    command = [binary, "study", "--bars", BARS, "--odds", odds, "--out", "out"]
    env = environment(HOME=str(tmp_path), **settings)
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    study = json.loads((tmp_path / "out/study.json").read_text())

    trades = listed(binary, journal, "--paper")
    assert {trade["exit_reason"] for trade in trades} == {"stop_loss", "take_profit", "horizon"}, "none is open or lost"
    for side in study["sides"]:
        [at] = [row["trades"] for row in side["thresholds"] if row["threshold"] == 0.4]
        own = [trade for trade in trades if trade["side"] == side["side"]]
        assert at["count"] == len(own) > 20
        assert sum(trade["net_points"] for trade in own) == pytest.approx(at["net_points_total"], abs=1e-3)
        assert sum(trade["net_points"] > 0 for trade in own) == round(at["hit_ratio"] * len(own))
    # 0.01 lots of 100,000 with five places: a cent a point.
    assert all(trade["profit"] == pytest.approx(trade["net_points"] / 100) for trade in trades)
    ((balance, equity),) = rows(journal, "SELECT balance, equity FROM paper_equity ORDER BY rowid DESC LIMIT 1")
    assert balance == equity == pytest.approx(10_000 + sum(trade["profit"] for trade in trades))
    assert listed(binary, journal) == [], "never listed with the others"
    keep("paper", f"{len(trades)} trades of a dry run on paper, equal to the study's at the same threshold")


def traded(binary: Path, directory: Path, is_enabled: bool) -> tuple[list[dict], dict, Path]:
    """Orders and metrics of 300 live cycles on two symbols under limits, with paper beside them or without."""
    sandbox = Sandbox(binary, directory)
    journal = directory / "journal.db"
    try:
        guards = {"guards.orders_per_day_max": 40, "guards.positions_max": 1, "paper.enabled": str(is_enabled).lower()}
        # Looks at the account are made by the clock: a slow run would have more of them, and know more of its positions.
        guards["gateway.account_poll_s"] = 0
        args = ("--symbol", "EURUSD,GBPUSD", "--journal", str(journal))
        daemon = sandbox.live("--back-to-back", "--cycles", "300", *args, **variables(guards | COSTS))
        metrics = ran(daemon, 300)
    finally:
        sandbox.close()
    counted = {
        "orders": metrics.nonzero("orders_total", "outcome"),
        "suppressed": metrics.suppressed(),
        "executed": metrics.nonzero("trading_signals_executed_total", "action"),
        "dropped": metrics.nonzero("events_dropped_total", "reason"),
    }
    timeless = [{key: value for key, value in order.items() if not key.endswith("_ms")} for order in listed(binary, journal)]
    return timeless, counted, journal


@pytest.mark.long
def test_paper_changes_neither_live_orders_nor_limits(binary, tmp_path):
    with_paper, counted, journal = traded(binary, tmp_path / "with", True)
    without, counted_without, other = traded(binary, tmp_path / "without", False)
    assert with_paper == without and len(without) >= 40
    assert counted == counted_without and counted["suppressed"]["order_limit"] > 0
    decided = "SELECT symbol, bar_close_time, action, suppressed, order_id, close_ids FROM decisions ORDER BY id"
    assert rows(journal, decided) == rows(other, decided)
    trades = listed(binary, journal, "--paper")
    assert len(trades) == 40, "its own orders, under a limit of its own"
    assert not {trade["id"] for trade in trades} & {order["id"] for order in with_paper}
    assert listed(binary, other, "--paper") == []
    assert rows(other, "SELECT count(paper_order_id) + count(paper_suppressed) FROM decisions") == [(0,)]


def test_a_limit_that_paper_reaches_does_not_touch_live(binary, tmp_path):
    """An account on paper that is so small that its first loss is the day's limit."""
    sandbox = Sandbox(binary, tmp_path)
    journal = tmp_path / "journal.db"
    try:
        settings = COSTS | MONEY | {"guards.loss_pct_per_day_max": 5, "paper.balance": 1}
        args = ("--symbol", "EURUSD", "--journal", str(journal))
        ran(sandbox.live("--back-to-back", "--cycles", "200", *args, **variables(settings)), 200)
    finally:
        sandbox.close()
    live, paper = listed(binary, journal), listed(binary, journal, "--paper")
    assert 0 < len(paper) < len([order for order in live if order["kind"] == "open"])
    limited = "paper_suppressed = 'loss_limit'"
    ((both,),) = rows(journal, f"SELECT count(*) FROM decisions WHERE {limited} AND order_id IS NOT NULL")
    assert both > 5, "live went on"
    assert rows(journal, "SELECT count(*) FROM decisions WHERE suppressed = 'loss_limit'") == [(0,)]
    explain = [binary, "explain", "--last", "100", "--journal", str(journal)]
    said = subprocess.run(explain, env=environment(), capture_output=True, text=True, timeout=60).stdout
    assert "paper     not ordered: loss_limit: " in said


def test_kills_neither_lose_nor_repeat_a_trade_on_paper(binary, sandbox, tmp_path):
    """SIGKILL at any moment of a dry run on one journal."""
    chance, journal, kills = random.Random(new_seed()), tmp_path / "journal.db", 25
    settings = COSTS | STOPS | MONEY | {"guards.opposite": "close_then_open"}
    symbols = ("--symbol", "EURUSD,GBPUSD,AUDUSD,NZDUSD")
    for _ in range(kills):
        daemon = dry(sandbox, journal, settings, *symbols)
        if chance.random() < 0.75:
            daemon.after_cycles(1)
        time.sleep(chance.uniform(0, 0.3))
        daemon.send(signal.SIGKILL)
        assert daemon.process.wait(5) == -signal.SIGKILL, daemon.output()[-3000:]
    ran(dry(sandbox, journal, settings, "--cycles", "20", *symbols), 20)

    trades = listed(binary, journal, "--paper")
    assert len(trades) > 2 * kills, "there are too few trades"
    assert max(Counter((trade["symbol"], trade["bar"]) for trade in trades).values()) == 1, "ordered twice"
    assert [trade["ticket"] for trade in trades] == list(range(1, len(trades) + 1)), "none is missing"
    decided = rows(journal, "SELECT paper_order_id FROM decisions WHERE paper_order_id IS NOT NULL ORDER BY id")
    assert [order for (order,) in decided] == [trade["id"] for trade in trades], "each with its decision"
    silent = "SELECT count(*) FROM decisions WHERE action <> 'HOLD' AND paper_order_id IS NULL AND paper_suppressed IS NULL"
    assert rows(journal, silent) == [(0,)], "each signal has an answer"
    # Equity goes on: each row is what had ended until then.
    ended = [trade for trade in trades if trade["exit_at"] is not None]
    ((balance, points),) = rows(journal, "SELECT balance, points FROM paper_equity ORDER BY rowid DESC LIMIT 1")
    assert len(ended) > kills and all(trade["exit_reason"] != "lost" for trade in ended)
    assert balance == pytest.approx(10_000 + sum(trade["profit"] for trade in ended))
    assert points == pytest.approx(sum(trade["net_points"] for trade in ended))
    keep("paper-kills", f"{kills} kills of a dry run: {len(trades)} trades on paper, none twice, none missing")


@pytest.mark.parametrize(
    ("opposite", "mode"),
    [("open", "hedging"), ("open", "netting"), ("close_then_open", "netting"), ("skip", "netting")],
)
def test_opposite_signals_do_what_the_setting_says(binary, sandbox, tmp_path, opposite, mode):
    journal = tmp_path / "journal.db"
    settings = COSTS | {"guards.opposite": opposite, "gateway.account_mode": mode, "guards.positions_max": 1}
    ran(dry(sandbox, journal, settings, "--cycles", "120", "--symbol", "EURUSD"), 120)
    orders = listed(binary, journal, "--paper")
    trades = [order for order in orders if order["closes"] is None]
    ends = {trade["exit_reason"] for trade in trades} - {None}
    is_open = [trade["side"] for trade in trades if trade["is_open"]]
    skipped = rows(journal, "SELECT count(*) FROM decisions WHERE paper_suppressed = 'opposite'")[0][0]
    # Without stops and a horizon only the other side ends a position.
    if opposite == "open" and mode == "hedging":
        assert (ends, sorted(is_open), skipped) == (set(), ["BUY", "SELL"], 0)
    elif opposite == "open":
        closes = [order for order in orders if order["closes"] is not None]
        assert ends == {"opposite"} and len(is_open) <= 1 and skipped == 0
        ended = {trade["ticket"] for trade in trades if not trade["is_open"]}
        # The last one may still wait for the next bar.
        assert ended <= {order["closes"] for order in closes} and len(closes) - len(ended) <= 1
    elif opposite == "close_then_open":
        assert ends == {"opposite"} and 1 <= len(is_open) <= 2 and skipped == 0 and len(trades) == len(orders)
    else:
        assert (ends, len(is_open), len(trades)) == (set(), 1, 1) and skipped > 5


def test_a_long_downtime_ends_a_position_without_a_figure(harness, binary, tmp_path):
    journal = tmp_path / "journal.db"
    begin = harness.market.bars[0]["timestamp"] - 5_000 * HOUR
    settings = {"schedule.clock": "bars"} | COSTS | MONEY
    args = ("--back-to-back", "--cycles", "2", "--journal", str(journal))

    def run(first: int, odds: list[float], **more: str):
        """A daemon that sees 300 bars from this one on."""
        harness.market.bars = [bar(begin + place * HOUR) for place in range(first, first + 300)]
        harness.model.probabilities = [odds]
        daemon = harness.start(*args, settings=settings | more)
        daemon.after_cycles(2)
        assert daemon.stop()[0] == 0

    run(0, BUY)
    [trade] = listed(binary, journal, "--paper")
    assert trade["is_open"] and trade["entry_price"] is None, "its first bar is still to come"
    run(100, HOLD)
    [trade] = listed(binary, journal, "--paper")
    assert trade["is_open"] and trade["bars"] == 100, "what the window still has is followed"
    run(150, HOLD, **{"paper.enabled": "false"})
    [trade] = listed(binary, journal, "--paper")
    assert (trade["is_open"], trade["is_left"], trade["open_points"], trade["bars"]) == (None, True, None, 100)
    shown = harness.run("orders", "--paper", "--journal", str(journal))
    assert "EURUSD, ticket 1: not followed since" in shown.stdout, shown.stdout
    run(160, HOLD)
    [trade] = listed(binary, journal, "--paper")
    assert (trade["is_open"], trade["is_left"], trade["bars"]) == (True, False, 160), "it is followed again"
    run(1_000, HOLD)
    [trade] = listed(binary, journal, "--paper")
    assert (trade["exit_reason"], trade["exit_price"], trade["net_points"], trade["profit"]) == ("lost", None, None, None)
    ((balance, unpriced),) = rows(journal, "SELECT balance, unpriced FROM paper_equity ORDER BY rowid DESC LIMIT 1")
    assert (balance, unpriced) == (10_000, 1)
    shown = harness.run("orders", "--paper", "--journal", str(journal))
    assert "lost" in shown.stdout and "1 trade with unknown profit is not counted" in shown.stdout, shown.stderr


def test_without_costs_every_figure_says_so(harness, tmp_path):
    journal = tmp_path / "journal.db"
    harness.start("--once", "--journal", str(journal)).wait_exit()
    shown = harness.run("orders", "--paper", "--journal", str(journal))
    assert "* before costs: study.spread_points is not set" in shown.stdout, shown.stdout + shown.stderr
    said = harness.run("explain", "--journal", str(journal)).stdout
    assert "not sent: dry_run" in said and "paper     BUY 0.01 lots on paper, ticket 1, to be entered at" in said


def test_a_position_of_a_symbol_that_is_gone_ends(harness, binary, tmp_path):
    """Of EURCHF no money is known, so an open position of it holds back all orders under a limit on the day's loss."""
    journal = tmp_path / "journal.db"
    settings = {"guards.loss_pct_per_day_max": 5, "guards.opposite": "open", "gateway.account_mode": "hedging"}

    def once(symbol: str):
        daemon = harness.start("--once", "--symbol", symbol, "--journal", str(journal), settings=settings | money)
        daemon.wait_exit()
        return daemon

    money: dict[str, object] = {}
    once("EURCHF")
    money = MONEY
    daemon = once("EURUSD")
    first, second = listed(binary, journal, "--paper")
    assert (first["symbol"], first["exit_reason"], first["profit"]) == ("EURCHF", "lost", None)
    assert (second["symbol"], second["is_open"]) == ("EURUSD", True)
    said = [line for line in daemon.logs() if "no longer configured" in json.dumps(line)]
    assert len(said) == 1 and "EURCHF" in json.dumps(said), daemon.output()
    assert "no longer configured" not in once("EURUSD").output()


def test_check_warns_where_the_loss_limit_would_stop_paper(harness):
    def warnings(settings: dict) -> list[str]:
        checked = harness.command("check", "--symbol", "EURUSD", EODHD_API_TOKEN="any", **variables(settings))
        assert checked.wait_exit()[0] == 0
        return [line for line in checked.out.read_text().splitlines() if "no order is made on paper" in line]

    limit = {"guards.loss_pct_per_day_max": 5}
    (warning,) = warnings(limit)
    assert "the contract_size of EURUSD is not set" in warning
    assert "the profit_rate of EURUSD is not set" in warnings(limit | {"trading.contract_size": 100_000})[0]
    for enough in (MONEY, limit | MONEY, limit | {"paper.enabled": "false"}):
        assert warnings(enough) == []


def test_paper_that_cannot_be_written_costs_live_nothing(harness, binary, tmp_path):
    gateway, journal = harness.gateway(), tmp_path / "journal.db"
    harness.start("--once", "--journal", str(journal)).wait_exit()
    with sqlite3.connect(journal) as connection:
        connection.execute("ALTER TABLE paper_orders RENAME TO gone")
    daemon = harness.start_live(gateway, "--back-to-back", "--cycles", "3", "--journal", str(journal))
    # One of each cycle, and the deletion of old rows, which is tried once a day. They are counted a little after the cycle.
    dropped = "of each cycle one, and the old rows"
    metrics = daemon.wait_metrics(dropped, lambda m: m("events_dropped_total", actor="journal", reason="invalid") == 3 + 1)
    assert (metrics("trading_cycles_total"), metrics("orders_total", outcome="filled")) == (3, 1)
    assert [order["state"] for order in harness.orders(journal)] == ["filled"]
    # What is missing at an opening is a warning of its own.
    said = [line for line in daemon.logs() if line.get("level") == "ERROR" and line.get("fields", line).get("error") == "paper"]
    said = [line.get("fields", line)["message"] for line in said]
    assert len(said) == 2 and ["old rows" in text for text in said].count(True) == 1, daemon.output()
    wait_until("all decisions", lambda: rows(journal, "SELECT count(*) FROM decisions") == [(4,)])
