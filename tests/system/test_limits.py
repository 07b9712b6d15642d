"""Limits with the real binary: positions by the gateway and by the journal, closes, pace, loss, failures, the halt."""

import json
import subprocess
import time

import pytest

from parts.daemon import ALONE
from parts.gateway import filled, rejected, says, silent
from parts.model import BUY, HOLD, SELL

EVERY_SECOND = ("--schedule", "* * * * * *")


def suppressed(metrics) -> dict:
    """What was suppressed, by reason."""
    return metrics.nonzero("signals_suppressed_total", "reason")


def sentinel(rig, *args: str) -> subprocess.CompletedProcess:
    """A command beside the daemon."""
    command = [rig.binary, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=ALONE)


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_buys_do_not_stack_on_what_the_gateway_has_open(rig, dialect):
    gateway = rig.gateway(dialect)
    gateway.opened("EURUSD", "BUY", 0.1)
    metrics = rig.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert suppressed(metrics) == {"position_limit": 1}
    assert gateway.requests == []


def test_a_position_that_only_the_journal_knows_counts_until_a_person_says_it_is_closed(rig):
    """With place_order nobody else can know; the second daemon's bars are the same, so another model asks again."""
    gateway = rig.gateway("place_order")
    journal = str(rig.directory / "shared.db")
    first = rig.start_live(gateway, "--cycles", "1", "--journal", journal)
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    another = {"model.name": "second"}
    daemon = rig.start_live(gateway, *EVERY_SECOND, "--journal", journal, settings=another)
    daemon.wait_metrics("the limit", lambda metrics: suppressed(metrics).get("position_limit", 0) >= 1)
    assert len(gateway.requests) == 1
    listed = json.loads(sentinel(rig, "orders", "--json", "--journal", journal).stdout)
    closed = sentinel(rig, "orders", "closed", listed[0]["id"], "--note", "by hand", "--journal", journal)
    assert closed.returncode == 0, closed.stderr
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_an_opposite_signal_closes_first_and_opens_then(rig, dialect):
    gateway = rig.gateway(dialect)
    ticket = gateway.opened("EURUSD", "SELL", 0.1)
    close_then_open = {"guards.opposite": "close_then_open"}
    metrics = rig.start_live(gateway, "--cycles", "1", settings=close_then_open).after_cycles(1)
    assert metrics.nonzero("orders_total", "outcome") == {"filled": 2}
    assert metrics("trading_signals_executed_total", action="BUY") == 1
    close, opening = gateway.requests
    assert close["action"].startswith("CLOSE") and ticket in (close.get("ticket"), close.get("payload", {}).get("ticket"))
    assert opening["action"].startswith("OPEN")
    assert gateway.problems == []


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_nothing_opens_after_a_close_that_nobody_confirmed(rig, dialect):
    gateway = rig.gateway(dialect, silent)
    gateway.opened("EURUSD", "SELL", 0.1)
    close_then_open = {"guards.opposite": "close_then_open"}
    daemon = rig.start_live(gateway, *EVERY_SECOND, settings=close_then_open)
    metrics = daemon.after_cycles(3)
    assert metrics.nonzero("orders_total", "outcome") == {"unknown": 1}
    assert suppressed(metrics).keys() == {"opposite", "unresolved"}
    assert metrics("orders_unresolved") == 1
    assert len(gateway.requests) == 1


def test_an_opposite_position_can_be_left_alone(rig):
    gateway = rig.gateway("v43")
    gateway.opened("EURUSD", "SELL", 0.1)
    metrics = rig.start_live(gateway, "--cycles", "1", settings={"guards.opposite": "skip"}).after_cycles(1)
    assert suppressed(metrics) == {"opposite": 1}
    assert gateway.requests == []


@pytest.mark.parametrize("key", ["guards.orders_per_hour_max", "guards.orders_per_day_max"])
def test_an_hour_and_a_day_have_so_many_orders_and_no_more(rig, key):
    gateway = rig.gateway("v43")
    symbols = [argument for name in ("EURUSD", "GBPUSD", "AUDUSD") for argument in ("--symbol", name)]
    metrics = rig.start_live(gateway, "--cycles", "1", *symbols, settings={key: 2}).after_cycles(1)
    assert metrics("orders_total", outcome="filled") == 2
    assert suppressed(metrics) == {"order_limit": 1}
    assert len(gateway.requests) == 2


def test_failures_in_a_row_stop_orders_until_a_person_resumes(rig):
    gateway = rig.gateway("v43", rejected)
    symbols = [argument for name in ("EURUSD", "GBPUSD", "AUDUSD") for argument in ("--symbol", name)]
    journal = str(rig.directory / "failures.db")
    daemon = rig.start_live(
        gateway, *EVERY_SECOND, *symbols, "--journal", journal, settings={"guards.failures_in_a_row_max": 2}
    )
    metrics = daemon.wait_metrics("the limit", lambda metrics: suppressed(metrics).get("failures", 0) >= 1)
    assert metrics("orders_total", outcome="rejected") == 2
    resumed = sentinel(rig, "resume", "--journal", journal)
    assert resumed.returncode == 0, resumed.stderr
    daemon.wait_metrics("the third", lambda metrics: metrics("orders_total", outcome="rejected") == 3)
    assert len(gateway.requests) == 3


def test_a_loss_since_the_days_first_equity_stops_orders(rig):
    gateway = rig.gateway("v43")
    rig.model.probabilities = [HOLD]
    daemon = rig.start_live(gateway, *EVERY_SECOND, settings={"guards.loss_pct_per_day_max": 5})
    daemon.after_cycles(2)
    equity = gateway.account()["equity"]

    def poorer(gateway, request):
        answer = gateway.alive(request, time.time())
        return answer | {"equity": 0.95 * equity} if "equity" in answer else answer

    gateway.question_behaviour = says(poorer)
    rig.model.probabilities = [BUY]
    metrics = daemon.wait_metrics("the limit", lambda metrics: suppressed(metrics).get("loss_limit", 0) >= 1)
    assert metrics.sum("orders_total") == 0 and gateway.requests == []


def test_a_halt_stops_orders_at_once_and_resume_lets_them_go(rig):
    gateway = rig.gateway("v43", filled)
    halt_file = str(rig.directory / "halt")
    assert sentinel(rig, "halt", "--halt-file", halt_file).returncode == 0
    rig.model.probabilities = [SELL]
    daemon = rig.start_live(gateway, *EVERY_SECOND, "--halt-file", halt_file)
    metrics = daemon.after_cycles(2)
    assert suppressed(metrics).keys() == {"halted"} and gateway.requests == []
    assert sentinel(rig, "resume", "--halt-file", halt_file).returncode == 0
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
