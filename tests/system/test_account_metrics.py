"""Mode, kill switch, wall clock, equity and open positions in /metrics: correct from the first scrape, and absent when
outdated."""

import time

import pytest

from parts import http
from parts.daemon import wait_until
from parts.gateway import silent

ACCOUNT = ("account_equity", "positions_open")
LOSS_LIMIT = {"guards.loss_pct_per_day_max": "50"}
# Otherwise it is asked again after the orders.
NO_LOOK = {"gateway.account_poll_s": 0}


def is_told(metrics) -> list[bool]:
    """Which of the account's families have a sample."""
    return [bool(metrics.all(name)) for name in ACCOUNT]


def test_mode_kill_switch_and_clock_exist_before_any_cycle(harness):
    harness.market.always = http.hang
    halt = harness.directory / "halt"
    halt.touch()
    daemon = harness.start("--halt-file", str(halt)).wait_serving()
    metrics = daemon.metrics()
    assert (metrics("live"), metrics("halted"), is_told(metrics)) == (0, 1, [False, False])
    assert abs(metrics("time_seconds") - time.time()) < 2
    halt.unlink()
    daemon.wait_metrics("the end of the halt", lambda metrics: metrics("halted") == 0, 3)
    halt.touch()
    later = daemon.wait_metrics("the next halt", lambda metrics: metrics("halted") == 1, 3)
    assert later("trading_cycles_total") == 0
    daemon.wait_metrics("a later time", lambda now: now("time_seconds") > metrics("time_seconds") + 1, 5)


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_the_account_is_shown_once_the_gateway_reports_it(harness, dialect):
    gateway = harness.gateway(dialect)
    for symbol in ("EURUSD", "XAUUSD"):
        gateway.opened(symbol, "BUY", 0.1)
    metrics = harness.start_live(gateway, "--cycles", "1", settings=LOSS_LIMIT).after_cycles(1)
    assert metrics("live") == 1 and metrics("halted") == 0
    assert metrics("signals_suppressed_total", reason="position_limit") == 1
    assert metrics("positions_open") == 2, "whoever opened them"
    assert metrics("account_equity") == gateway.account()["equity"]


def test_a_fill_makes_the_earlier_list_of_positions_outdated(harness):
    metrics = harness.start_live(harness.gateway("v43"), "--cycles", "1", settings=LOSS_LIMIT | NO_LOOK).after_cycles(1)
    assert metrics("orders_total", outcome="filled") == 1
    assert is_told(metrics) == [True, False], "one is open now, and the list said none"


@pytest.mark.parametrize("dialect", ["order_send", "place_order"])
def test_dialects_without_account_data_show_neither_family(harness, dialect):
    metrics = harness.start_live(harness.gateway(dialect), "--cycles", "1").after_cycles(1)
    assert metrics.sum("orders_total") == 1 and is_told(metrics) == [False, False]


def test_a_lost_gateway_removes_its_account_data(harness):
    gateway = harness.gateway("v43")
    gateway.opened("EURUSD", "BUY", 0.1)
    daemon = harness.start_live(gateway, "--schedule", "* * * * * *", settings=LOSS_LIMIT)
    daemon.wait_metrics("the account", lambda metrics: is_told(metrics) == [True, True])
    gateway.question_behaviour = silent
    wait_until("both gone", lambda: is_told(daemon.metrics()) == [False, False], 10)
