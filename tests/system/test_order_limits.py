"""Limits on orders with the real binary: positions by gateway and by journal, closes, orders per time, loss, failures, kill
switch."""

import time

import pytest

from parts.gateway import filled, rejected, says, silent
from parts.harness import EVERY_SECOND
from parts.model import BUY, HOLD, SELL


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_open_positions_of_the_gateway_limit_orders(harness, dialect):
    gateway = harness.gateway(dialect)
    gateway.opened("EURUSD", "BUY", 0.1)
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics.suppressed() == {"position_limit": 1}
    assert gateway.requests == []


def test_a_position_of_the_journal_counts_until_it_is_closed(harness):
    """With place_order only the journal knows positions. The second daemon has the same bars, so it needs another model
    name."""
    gateway = harness.gateway("place_order")
    journal = str(harness.directory / "shared.db")
    first = harness.start_live(gateway, "--cycles", "1", "--journal", journal)
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    another = {"model.name": "second"}
    daemon = harness.start_live(gateway, *EVERY_SECOND, "--journal", journal, settings=another)
    daemon.wait_metrics("the limit", lambda metrics: metrics.suppressed().get("position_limit", 0) >= 1)
    assert len(gateway.requests) == 1
    listed = harness.orders(journal)
    closed = harness.run("orders", "closed", listed[0]["id"], "--note", "by hand", "--journal", journal)
    assert closed.returncode == 0, closed.stderr
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_an_opposite_signal_closes_then_opens(harness, dialect):
    gateway = harness.gateway(dialect)
    ticket = gateway.opened("EURUSD", "SELL", 0.1)
    close_then_open = {"guards.opposite": "close_then_open"}
    metrics = harness.start_live(gateway, "--cycles", "1", settings=close_then_open).after_cycles(1)
    assert metrics.nonzero("orders_total", "outcome") == {"filled": 2}
    assert metrics("trading_signals_executed_total", action="BUY") == 1
    close, opening = gateway.requests
    assert close["action"].startswith("CLOSE") and ticket in (close.get("ticket"), close.get("payload", {}).get("ticket"))
    assert opening["action"].startswith("OPEN")
    assert gateway.problems == []


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_nothing_opens_after_an_unconfirmed_close(harness, dialect):
    gateway = harness.gateway(dialect, silent)
    gateway.opened("EURUSD", "SELL", 0.1)
    close_then_open = {"guards.opposite": "close_then_open"}
    daemon = harness.start_live(gateway, *EVERY_SECOND, settings=close_then_open)
    metrics = daemon.after_cycles(3)
    assert metrics.nonzero("orders_total", "outcome") == {"unknown": 1}
    assert metrics.suppressed().keys() == {"opposite", "unresolved"}
    assert metrics("orders_unresolved") == 1
    assert len(gateway.requests) == 1


def test_an_opposite_signal_can_be_skipped(harness):
    gateway = harness.gateway("v43")
    gateway.opened("EURUSD", "SELL", 0.1)
    metrics = harness.start_live(gateway, "--cycles", "1", settings={"guards.opposite": "skip"}).after_cycles(1)
    assert metrics.suppressed() == {"opposite": 1}
    assert gateway.requests == []


@pytest.mark.parametrize("key", ["guards.orders_per_hour_max", "guards.orders_per_day_max"])
def test_orders_per_hour_and_day_are_limited(harness, key):
    gateway = harness.gateway("v43")
    symbols = [argument for name in ("EURUSD", "GBPUSD", "AUDUSD") for argument in ("--symbol", name)]
    metrics = harness.start_live(gateway, "--cycles", "1", *symbols, settings={key: 2}).after_cycles(1)
    assert metrics("orders_total", outcome="filled") == 2
    assert metrics.suppressed() == {"order_limit": 1}
    assert len(gateway.requests) == 2


def test_failures_in_a_row_stop_orders_until_a_person_resumes(harness):
    gateway = harness.gateway("v43", rejected)
    symbols = [argument for name in ("EURUSD", "GBPUSD", "AUDUSD") for argument in ("--symbol", name)]
    journal = str(harness.directory / "failures.db")
    daemon = harness.start_live(
        gateway, *EVERY_SECOND, *symbols, "--journal", journal, settings={"guards.failures_in_a_row_max": 2}
    )
    metrics = daemon.wait_metrics("the limit", lambda metrics: metrics.suppressed().get("failures", 0) >= 1)
    assert metrics("orders_total", outcome="rejected") == 2
    resumed = harness.run("resume", "--journal", journal)
    assert resumed.returncode == 0, resumed.stderr
    daemon.wait_metrics("the third", lambda metrics: metrics("orders_total", outcome="rejected") == 3)
    assert len(gateway.requests) == 3


def test_the_daily_loss_limit_stops_orders(harness):
    gateway = harness.gateway("v43")
    harness.model.probabilities = [HOLD]
    daemon = harness.start_live(gateway, *EVERY_SECOND, settings={"guards.loss_pct_per_day_max": 5})
    daemon.after_cycles(2)
    equity = gateway.account()["equity"]

    def poorer(gateway, request):
        answer = gateway.alive(request, time.time())
        return answer | {"equity": 0.95 * equity} if "equity" in answer else answer

    gateway.question_behaviour = says(poorer)
    harness.model.probabilities = [BUY]
    metrics = daemon.wait_metrics("the limit", lambda metrics: metrics.suppressed().get("loss_limit", 0) >= 1)
    assert metrics.sum("orders_total") == 0 and gateway.requests == []


def test_halt_stops_orders_and_resume_allows_them(harness):
    gateway = harness.gateway("v43", filled)
    halt_file = str(harness.directory / "halt")
    assert harness.run("halt", "--halt-file", halt_file).returncode == 0
    harness.model.probabilities = [SELL]
    daemon = harness.start_live(gateway, *EVERY_SECOND, "--halt-file", halt_file)
    metrics = daemon.after_cycles(2)
    assert metrics.suppressed().keys() == {"halted"} and gateway.requests == []
    assert harness.run("resume", "--halt-file", halt_file).returncode == 0
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
