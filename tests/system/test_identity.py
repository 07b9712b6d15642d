"""An order is of its moment, of its instrument and of its dialect, with the real binary: pauses, renamed symbols, foreign
spellings, lists that cannot be read, dialects that are changed, journals that are new."""

import json
import signal
import sqlite3
import time

import pytest

from parts.daemon import wait_until
from parts.gateway import Reply, filled, garbage, says, silent, truthful
from test_limits import EVERY_SECOND, sentinel, suppressed

HEDGING = {"gateway.account_mode": "hedging"}


def orders(rig, journal) -> list[dict]:
    return json.loads(sentinel(rig, "orders", "--json", "--journal", str(journal)).stdout)


def positions(rig, gateway, change):
    """Answers GET_POSITIONS with what `change` makes of the truthful list, and all else truthfully."""

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
def test_a_limit_holds_under_whatever_name_the_gateway_lists_our_position(rig, dialect, name):
    gateway = rig.gateway(dialect)
    positions(rig, gateway, lambda entry: entry | {"symbol": name})
    journal = rig.directory / "journal.db"
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    # Another model asks for the same bar again.
    again = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings={"model.name": "second"})
    metrics = again.after_cycles(1)
    assert suppressed(metrics) == {"position_limit": 1}
    is_doubt = name != "eurusd"
    assert metrics("positions_doubtful") == is_doubt
    checks = {check["name"]: check for check in json.loads(again.get("/health")[2])["checks"]}
    assert checks["positions"]["status"] == ("degraded" if is_doubt else "ok")
    assert not is_doubt or name in checks["positions"]["detail"]
    warned = [line for line in again.logs() if line.get("fields", line).get("error") == "doubtful_position"]
    assert len(warned) == is_doubt
    assert len(gateway.requests) == 1


def test_a_position_of_another_instrument_holds_nothing(rig):
    gateway = rig.gateway("v43")
    gateway.opened("XAUUSD", "BUY", 0.1)
    metrics = rig.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics("orders_total", outcome="filled") == 1


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
@pytest.mark.parametrize("opposite", ["skip", "close_then_open"])
def test_an_opposite_position_of_a_foreign_name_is_neither_ignored_nor_closed(rig, dialect, opposite):
    gateway = rig.gateway(dialect)
    gateway.opened("EURUSD.raw", "SELL", 0.1)
    metrics = rig.start_live(gateway, "--cycles", "1", settings={"guards.opposite": opposite}).after_cycles(1)
    assert suppressed(metrics) == {"opposite": 1}
    assert gateway.requests == []


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
@pytest.mark.parametrize("fault", ["refused", "odd type", "no list", "garbage"])
def test_a_list_that_cannot_be_read_turns_no_limit_off(rig, dialect, fault):
    gateway = rig.gateway(dialect)
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
    daemon = rig.start_live(gateway, "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert suppressed(metrics) == {"positions": 1}
    assert gateway.requests == []
    assert "cannot be read" in daemon.get("/health")[2]


def test_a_daemon_that_is_frozen_before_the_send_sends_nothing_when_it_thaws(rig):
    """Between the positions and the send: the write of the intent waits for somebody else's transaction meanwhile."""
    gateway = rig.gateway("v43")
    journal = rig.directory / "journal.db"
    held = []

    def answer(gateway, request):
        if request["action"] == "GET_POSITIONS":
            connection = sqlite3.connect(journal, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN IMMEDIATE")
            held.append(connection)
        return truthful()(gateway, request)

    gateway.question_behaviour = answer
    daemon = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    wait_until("the question", lambda: held)
    time.sleep(0.2)
    daemon.process.send_signal(signal.SIGSTOP)
    held[0].execute("ROLLBACK")
    # The gateway's deadline is 400 ms, the model's twice 1 s, and 10 s come on top.
    time.sleep(13)
    daemon.process.send_signal(signal.SIGCONT)
    metrics = daemon.after_cycles(1)
    time.sleep(0.5)
    assert gateway.requests == []
    assert suppressed(metrics).keys() <= {"stale_decision", "journal"} and suppressed(metrics)
    assert all(order["state"] in ("not_sent", "expired") for order in orders(rig, journal))


def test_a_renamed_symbol_is_the_same_instrument(rig):
    gateway = rig.gateway("order_send")
    journal = rig.directory / "journal.db"
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="filled") == 1
    first.stop()
    config = rig.directory / "renamed.toml"
    config.write_text('[[symbols]]\nname = "EURUSD.a"\nticker = "EURUSD.FOREX"\ngateway_name = "eurusd"\n')
    again = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), "--config", str(config))
    assert suppressed(again.after_cycles(1)) == {"already_ordered": 1}
    assert len(gateway.requests) == 1


def test_an_unknown_order_blocks_its_instrument_under_any_name(rig):
    gateway = rig.gateway("v43", silent)
    journal = rig.directory / "journal.db"
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    assert first.after_cycles(1)("orders_total", outcome="unknown") == 1
    first.stop()
    config = rig.directory / "renamed.toml"
    config.write_text('[[symbols]]\nname = "Euro"\nticker = "EURUSD.FOREX"\ngateway_name = "EURUSD"\n')
    settings = {"model.name": "second"}
    args = ("--cycles", "1", "--journal", str(journal), "--config", str(config))
    again = rig.start_live(gateway, *args, settings=settings)
    assert suppressed(again.after_cycles(1)) == {"unresolved": 1}
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("name", ["EURUSD.raw", "eurusd"])
def test_a_new_gateway_name_lifts_no_block_and_no_limit(rig, name):
    """What a doubt about a name asks the operator to do."""
    config = rig.directory / "renamed.toml"
    config.write_text(f'[[symbols]]\nname = "EURUSD"\ngateway_name = "{name}"\n')
    journal = rig.directory / "journal.db"
    again = ("--cycles", "1", "--journal", str(journal), "--config", str(config))
    for dialect, behaviour, reason in [("v43", silent, "unresolved"), ("order_send", filled, "position_limit")]:
        journal.unlink(missing_ok=True)
        gateway = rig.gateway(dialect, behaviour)
        first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
        first.after_cycles(1)
        first.stop()
        second = rig.start_live(gateway, *again, settings={"model.name": "second"})
        assert suppressed(second.after_cycles(1)) == {reason: 1}
        second.stop()
        assert len(gateway.requests) == 1


def test_our_ticket_under_another_configured_name_is_a_doubt(rig):
    gateway = rig.gateway("v43")
    positions(rig, gateway, lambda entry: entry | {"symbol": "GBPUSD"})
    journal = rig.directory / "journal.db"
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal))
    first.after_cycles(1)
    first.stop()
    args = ("--symbol", "EURUSD,GBPUSD", "--cycles", "1", "--journal", str(journal))
    again = rig.start_live(gateway, *args, settings={"model.name": "second"})
    metrics = again.after_cycles(1)
    assert suppressed(metrics) == {"position_limit": 2}
    assert len(gateway.requests) == 1


def test_a_daemon_that_is_frozen_while_the_model_answers_orders_nothing_on_old_odds(rig):
    gateway = rig.gateway("v43")
    asked = []

    def slow(handler, request):
        asked.append(request)
        time.sleep(0.5)
        rig.model.serve(handler, request)

    rig.model.script.append(slow)
    daemon = rig.start_live(gateway, "--cycles", "1")
    wait_until("a request to the model", lambda: asked)
    daemon.process.send_signal(signal.SIGSTOP)
    # The answer is there long before it is read; the limit is the deadlines of model (twice) and gateway, and 10 s.
    time.sleep(13.5)
    daemon.process.send_signal(signal.SIGCONT)
    metrics = daemon.after_cycles(1)
    time.sleep(0.5)
    assert gateway.requests == []
    assert metrics("prediction_failures_total") == 1 or "stale_decision" in suppressed(metrics)


def test_health_forgets_a_list_that_could_not_be_read(rig):
    gateway = rig.gateway("envelope")
    truthfully = truthful()
    gateway.question_script = [truthfully, garbage]
    daemon = rig.start_live(gateway, *EVERY_SECOND)
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    checks = {check["name"]: check for check in json.loads(daemon.get("/health")[2])["checks"]}
    assert checks["positions"]["status"] == "ok", checks


def test_an_order_of_another_dialect_is_proven_by_nobody(rig):
    """An envelope order has no signature that dies: it may be executed long after v43's list does not show it."""
    envelope = rig.gateway("envelope", silent)
    journal = rig.directory / "journal.db"
    first = rig.start_live(envelope, "--cycles", "1", "--journal", str(journal), settings=HEDGING)
    assert first.after_cycles(1)("orders_total", outcome="unknown") == 1
    first.stop()
    v43 = rig.gateway("v43")
    second = rig.start_live(v43, *EVERY_SECOND, "--journal", str(journal), settings=HEDGING)
    time.sleep(9)
    assert [order["state"] for order in orders(rig, journal)] == ["unknown"]
    assert second.metrics()("orders_unresolved") == 1


def test_an_order_of_place_order_shows_no_volume_and_no_stop_that_nobody_sent(rig):
    gateway = rig.gateway("place_order")
    journal = rig.directory / "journal.db"
    daemon = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), "--volume", "0.5")
    assert daemon.after_cycles(1)("orders_total", outcome="filled") == 1
    assert gateway.requests[0].keys() == {"action", "symbol", "signal", "confidence", "timestamp"}
    [order] = orders(rig, journal)
    assert not order["volume"] and not order["stop_loss"] and not order["take_profit"]
    shown = sentinel(rig, "orders", "show", order["id"], "--journal", str(journal)).stdout
    assert "0.5" not in shown and "gateway's own" in shown


@pytest.mark.parametrize("new", ["trade", "wait"])
def test_a_journal_that_is_new_says_so_and_waits_if_it_shall(rig, new):
    gateway = rig.gateway("order_send", filled)
    journal = rig.directory / "journal.db"
    settings = {"journal.new": new}
    daemon = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    metrics = daemon.after_cycles(1)
    assert len(gateway.requests) == (new == "trade")
    assert suppressed(metrics) == ({} if new == "trade" else {"already_ordered": 1})
    assert "this journal is new to the account" in daemon.output()
    daemon.stop()
    again = rig.start_live(gateway, "--cycles", "1", "--journal", str(journal), settings=settings)
    assert suppressed(again.after_cycles(1)) == {"already_ordered": 1}
    assert "this journal is new to the account" not in again.output()
