"""An order belongs to its time, its instrument and its dialect. With the real binary: pauses, renamed symbols, foreign names,
unreadable lists, changed dialects, new journals."""

import json
import re
import signal
import sqlite3
import time

import pytest

from parts.daemon import wait_until
from parts.gateway import Reply, filled, garbage, says, silent, truthful
from parts.harness import EVERY_SECOND

HEDGING = {"gateway.account_mode": "hedging"}


def positions(harness, gateway, change):
    """Answers GET_POSITIONS with the list changed by `change`, and everything else truthfully."""

    def answer(gateway, request):
        reply = gateway.alive(request, time.time())
        place = reply.get("data") if isinstance(reply.get("data"), (dict, list)) else reply
        if request["action"] == "GET_POSITIONS":
            listed = place if isinstance(place, list) else place["positions"]
            listed[:] = [change(dict(entry)) for entry in listed]
        return reply

    gateway.question_behaviour = says(answer)


@pytest.mark.parametrize("name", ["eurusd", "EURUSD.raw", "EUR/USD", "Euro vs Dollar"])
@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_a_limit_counts_our_position_under_any_name(harness, dialect, name):
    gateway = harness.gateway(dialect)
    positions(harness, gateway, lambda entry: entry | {"symbol": name})
    journal = harness.directory / "journal.db"
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    # Another model name asks for the same bar again.
    again = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings={"model.name": "second"})
    metrics = again.after_cycles(1)
    assert metrics.suppressed() == {"position_limit": 1}
    is_doubt = name != "eurusd"
    assert metrics("positions_doubtful") == is_doubt
    checks = {check["name"]: check for check in json.loads(again.get("/health")[2])["checks"]}
    assert checks["positions"]["status"] == ("degraded" if is_doubt else "ok")
    assert not is_doubt or name in checks["positions"]["detail"]
    warned = [line for line in again.logs() if line.get("fields", line).get("error") == "doubtful_position"]
    assert len(warned) == is_doubt
    assert len(gateway.requests) == 1


def test_a_position_of_another_instrument_does_not_count(harness):
    gateway = harness.gateway("v43")
    gateway.opened("XAUUSD", "BUY", 0.1)
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics("orders_total", outcome="filled") == 1


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
@pytest.mark.parametrize("opposite", ["skip", "close_then_open"])
def test_an_opposite_position_with_a_foreign_name_is_doubtful(harness, dialect, opposite):
    gateway = harness.gateway(dialect)
    gateway.opened("EURUSD.raw", "SELL", 0.1)
    metrics = harness.start_live(gateway, "--cycles", "1", settings={"guards.opposite": opposite}).after_cycles(1)
    assert metrics.suppressed() == {"opposite": 1}
    assert gateway.requests == []


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
@pytest.mark.parametrize("fault", ["refused", "odd type", "no list", "garbage"])
def test_an_unreadable_list_disables_no_limit(harness, dialect, fault):
    gateway = harness.gateway(dialect)
    gateway.opened("EURUSD", "BUY", 0.1)

    def answer(gateway, request):
        if request["action"] != "GET_POSITIONS":
            return truthful()(gateway, request)
        if fault == "garbage":
            return garbage(gateway, request)
        reply = gateway.alive(request, time.time())
        if fault == "odd type":
            positions = reply["positions"] if dialect == "v43" else reply["data"]
            positions = positions if isinstance(positions, list) else positions["positions"]
            positions[0]["type"] = "SIDEWAYS"
        elif dialect == "v43":
            reply = {"uuid": request["uuid"], "status": "error", "error_code": "MT5_NOT_CONNECTED"}
            reply = reply if fault == "refused" else {"uuid": request["uuid"], "status": "ok", "positions": None}
        else:
            reply["data"] = {"status": "ERROR", "error": "no terminal"} if fault == "refused" else {"positions": 7}
        return Reply(json.dumps(reply).encode())

    gateway.question_behaviour = answer
    daemon = harness.start_live(gateway, "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert metrics.suppressed() == {"positions": 1}
    assert gateway.requests == []
    assert "cannot be read" in daemon.get("/health")[2]


def test_a_daemon_frozen_before_the_send_sends_nothing_later(harness):
    """Frozen between the positions and the send: meanwhile the write of the intent waits for another transaction."""
    gateway = harness.gateway("v43")
    journal = harness.directory / "journal.db"
    held = []

    def answer(gateway, request):
        if request["action"] == "GET_POSITIONS":
            connection = sqlite3.connect(journal, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN IMMEDIATE")
            held.append(connection)
        return truthful()(gateway, request)

    gateway.question_behaviour = answer
    daemon = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    wait_until("the question", lambda: held)
    time.sleep(0.2)
    daemon.process.send_signal(signal.SIGSTOP)
    held[0].execute("ROLLBACK")
    # The limit is the gateway's deadline of 400 ms, twice the model's of 1 s, and 10 s.
    time.sleep(13)
    daemon.process.send_signal(signal.SIGCONT)
    metrics = daemon.after_cycles(1)
    time.sleep(0.5)
    assert gateway.requests == []
    assert metrics.suppressed().keys() <= {"stale_decision", "journal"} and metrics.suppressed()
    assert all(order["state"] in ("not_sent", "expired") for order in harness.orders(journal))


def test_a_renamed_symbol_is_the_same_instrument(harness):
    gateway = harness.gateway("order_send")
    journal = harness.directory / "journal.db"
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    config = harness.directory / "renamed.toml"
    config.write_text('[[symbols]]\nname = "EURUSD.a"\nticker = "EURUSD.FOREX"\ngateway_name = "eurusd"\n')
    again = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), "--config", str(config))
    assert again.after_cycles(1).suppressed() == {"already_ordered": 1}
    assert len(gateway.requests) == 1


def test_an_unknown_order_blocks_its_instrument_under_any_name(harness):
    gateway = harness.gateway("v43", silent)
    journal = harness.directory / "journal.db"
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="unknown") == 1
    first.stop()
    config = harness.directory / "renamed.toml"
    config.write_text('[[symbols]]\nname = "Euro"\nticker = "EURUSD.FOREX"\ngateway_name = "EURUSD"\n')
    settings = {"model.name": "second"}
    args = ("--cycles", "1", "--journal", str(journal), "--config", str(config))
    again = harness.start_live(gateway, *args, settings=settings)
    assert again.after_cycles(1).suppressed() == {"unresolved": 1}
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("name", ["EURUSD.raw", "eurusd"])
def test_a_new_gateway_name_keeps_blocks_and_limits(harness, name):
    """The action that a doubtful name requires from the operator."""
    config = harness.directory / "renamed.toml"
    config.write_text(f'[[symbols]]\nname = "EURUSD"\ngateway_name = "{name}"\n')
    journal = harness.directory / "journal.db"
    again = ("--cycles", "1", "--journal", str(journal), "--config", str(config))
    for dialect, behaviour, reason in [("v43", silent, "unresolved"), ("order_send", filled, "position_limit")]:
        journal.unlink(missing_ok=True)
        gateway = harness.gateway(dialect, behaviour)
        first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
        first.after_cycles(1)
        first.stop()
        second = harness.start_live(gateway, *again, settings={"model.name": "second"})
        assert second.after_cycles(1).suppressed() == {reason: 1}
        second.stop()
        assert len(gateway.requests) == 1


def test_our_ticket_under_another_configured_name_is_doubtful(harness):
    gateway = harness.gateway("v43")
    positions(harness, gateway, lambda entry: entry | {"symbol": "GBPUSD"})
    journal = harness.directory / "journal.db"
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    first.after_cycles(1)
    first.stop()
    args = ("--symbol", "EURUSD,GBPUSD", "--cycles", "1", "--journal", str(journal))
    again = harness.start_live(gateway, *args, settings={"model.name": "second"})
    metrics = again.after_cycles(1)
    assert metrics.suppressed() == {"position_limit": 2}
    assert len(gateway.requests) == 1


@pytest.mark.long
def test_a_daemon_frozen_during_the_answer_orders_nothing_later(harness):
    gateway = harness.gateway("v43")
    asked = []

    def slow(handler, request):
        asked.append(request)
        time.sleep(0.5)
        harness.model.serve(handler, request)

    harness.model.script.append(slow)
    daemon = harness.start_live(gateway, "--cycles", "1")
    wait_until("a request to the model", lambda: asked)
    daemon.process.send_signal(signal.SIGSTOP)
    # The answer arrives long before it is read. The limit is the deadlines of model (twice) and gateway, and 10 s.
    time.sleep(13.5)
    daemon.process.send_signal(signal.SIGCONT)
    metrics = daemon.after_cycles(1)
    time.sleep(0.5)
    assert gateway.requests == []
    assert metrics("prediction_failures_total") == 1 or "stale_decision" in metrics.suppressed()


def test_health_forgets_an_unreadable_list(harness):
    gateway = harness.gateway("envelope")
    truthfully = truthful()
    gateway.question_script = [truthfully, garbage]
    daemon = harness.start_live(gateway, *EVERY_SECOND)
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    checks = {check["name"]: check for check in json.loads(daemon.get("/health")[2])["checks"]}
    assert checks["positions"]["status"] == "ok", checks


@pytest.mark.long
def test_an_order_of_another_dialect_is_never_proven(harness):
    """An envelope order has no signature that expires: it may be executed long after v43's list did not show it."""
    envelope = harness.gateway("envelope", silent)
    journal = harness.directory / "journal.db"
    first = harness.start_live(envelope, "--cycles", "1", "--journal", str(journal), settings=HEDGING)
    assert first.after_cycles(1)("orders_total", outcome="unknown") == 1
    first.stop()
    v43 = harness.gateway("v43")
    second = harness.start_live(v43, *EVERY_SECOND, "--journal", str(journal), settings=HEDGING)
    time.sleep(9)
    assert [order["state"] for order in harness.orders(journal)] == ["unknown"]
    assert second.metrics()("orders_unresolved") == 1


def test_a_place_order_shows_no_volume_and_no_stops(harness):
    gateway = harness.gateway("place_order")
    journal = harness.directory / "journal.db"
    daemon = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), "--volume", "0.5")
    assert daemon.after_cycles(1)("orders_total", outcome="filled") == 1
    assert gateway.requests[0].keys() == {"action", "symbol", "signal", "confidence", "timestamp"}
    [order] = harness.orders(journal)
    assert not order["volume"] and not order["stop_loss"] and not order["take_profit"]
    shown = harness.run("orders", "show", order["id"], "--journal", str(journal)).stdout
    # Not 50.521, which is a part of a time.
    assert not re.search(r"(?<![\d.])0\.5(?!\d)", shown) and "gateway's own" in shown


@pytest.mark.parametrize("new", ["trade", "wait"])
def test_a_new_journal_warns_and_waits_if_configured(harness, new):
    gateway = harness.gateway("order_send", filled)
    journal = harness.directory / "journal.db"
    settings = {"journal.new": new}
    daemon = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    metrics = daemon.after_cycles(1)
    assert len(gateway.requests) == (new == "trade")
    assert metrics.suppressed() == ({} if new == "trade" else {"already_ordered": 1})
    assert "the journal has no record of this account" in daemon.output()
    daemon.stop()
    again = harness.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert again.after_cycles(1).suppressed() == {"already_ordered": 1}
    assert "the journal has no record of this account" not in again.output()
