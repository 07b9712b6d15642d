"""Every dialect with every behaviour of a gateway: what is sent, what is counted, and that nothing is sent twice."""

import time
import uuid

import pytest

from parts.daemon import wait_until
from parts.dialects import DIALECTS
from parts.gateway import filled, garbage, huge, late, rejected, says, silent, wrong_id
from parts.harness import ACCOUNT, STOP_LOSS, TAKE_PROFIT
from parts.market import HOUR
from parts.model import BUY, HOLD, SELL

OUTCOMES = [
    pytest.param(filled, "filled", id="filled"),
    pytest.param(rejected, "rejected", id="rejected"),
    pytest.param(silent, "unknown", id="silent"),
    pytest.param(late(2.0), "unknown", id="late"),
    pytest.param(garbage, "unknown", id="garbage"),
    pytest.param(huge, "unknown", id="huge"),
]
# Every order has to be sent, on a busy machine too.
PATIENT = {"model.deadline_ms": 10_000, "gateway.deadline_ms": 1_000}
EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS)


def assert_counted(metrics, outcome: str):
    """Expects one BUY with this outcome, and nothing else."""
    readable = outcome in ("filled", "rejected")
    assert metrics.nonzero("orders_total", "outcome") == {outcome: 1}
    assert metrics.nonzero("trading_signals_executed_total", "action") == ({"BUY": 1} if outcome == "filled" else {})
    assert metrics("zmq_send_failures_total") == (0 if readable else 1)
    assert metrics("zmq_send_latency_seconds_count") == (1 if readable else 0)
    assert metrics.nonzero("trading_signals_total", "action") == {"BUY": 1}


@EACH_DIALECT
@pytest.mark.parametrize(("behaviour", "outcome"), OUTCOMES)
def test_only_a_valid_reply_to_the_order_gives_an_outcome(harness, dialect, behaviour, outcome):
    gateway = harness.gateway(dialect, behaviour)
    metrics = harness.start_live(gateway, "--cycles", "1", settings=PATIENT).after_cycles(1)
    assert_counted(metrics, outcome)
    assert metrics("trading_cycles_failed_total") == (1 if outcome == "unknown" else 0)
    assert len(gateway.requests) == 1
    assert gateway.problems == []


@pytest.mark.parametrize("dialect", [name for name, gateway in DIALECTS.items() if gateway.echoes_id])
def test_a_reply_to_another_order_proves_nothing(harness, dialect):
    gateway = harness.gateway(dialect, wrong_id)
    assert_counted(harness.start_live(gateway, "--cycles", "1").after_cycles(1), "unknown")


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        ("MT5_NOT_CONNECTED", "no terminal", "rejected"),
        ("MT5_ORDER_FAILED", "Cannot get tick", "rejected"),
        ("MT5_ORDER_FAILED", "retcode 10012", "unknown"),
        ("MT5_EXCEPTION", "boom", "unknown"),
        ("SERVER_ERROR", "boom", "unknown"),
    ],
)
def test_an_ambiguous_v43_error_is_unknown(harness, code, message, outcome):
    gateway = harness.gateway("v43", says(lambda gateway, request: gateway.error(request, code, message)))
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics.nonzero("orders_total", "outcome") == {outcome: 1}


def test_a_v43_fill_with_ticket_0_is_unknown(harness):
    gateway = harness.gateway("v43", says(lambda gateway, request: gateway.filled(request) | {"ticket": 0}))
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics.nonzero("orders_total", "outcome") == {"unknown": 1}


@pytest.mark.parametrize(
    ("dialect", "reply", "outcome"),
    [
        ("envelope", {"data": {"status": "ERROR", "error": "Order send failed"}}, "unknown"),
        ("envelope", {"data": {"status": "ERROR", "retcode": 10012}}, "unknown"),
        ("envelope", {"status": "PENDING"}, "unknown"),
        ("envelope", {"status": "ERROR", "data": None, "error": "Invalid request structure"}, "rejected"),
        ("envelope", {"status": "ERROR", "data": None}, "unknown"),
        ("order_send", {"error": True}, "unknown"),
        ("order_send", {"error": True, "ticket": 0, "retcode": -1}, "unknown"),
        ("order_send", {"error": True, "ticket": 0, "retcode": -4}, "unknown"),
        ("order_send", {"retcode": 10008}, "unknown"),
        ("order_send", {"error": True, "ticket": 0, "retcode": 10012}, "unknown"),
        ("order_send", {"error": True, "ticket": 0, "retcode": -3}, "rejected"),
        ("order_send", {"retcode": 10010}, "filled"),
    ],
)
def test_special_replies_of_each_dialect_have_their_outcome(harness, dialect, reply, outcome):
    gateway = harness.gateway(dialect, says(lambda gateway, request: gateway.filled(request) | reply))
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert metrics.nonzero("orders_total", "outcome") == {outcome: 1}


@EACH_DIALECT
def test_a_gateway_that_appears_later_gets_no_old_order(harness, dialect):
    harness.model.probabilities = [HOLD]
    gateway = harness.gateway(dialect)
    daemon = harness.start_live(gateway, "--schedule", "* * * * * *")
    daemon.after_cycles(1)
    gateway.close()
    harness.model.probabilities = [BUY]
    metrics = daemon.wait_metrics("an order", lambda metrics: metrics.sum("orders_total") == 1)
    assert metrics.nonzero("orders_total", "outcome") == {"not_sent": 1}
    gateway.bind()
    time.sleep(3.5)
    assert gateway.requests == []
    metrics = daemon.metrics()
    assert metrics.nonzero("orders_total", "outcome") == {"not_sent": 1}
    assert metrics("signals_suppressed_total", reason="already_ordered") >= 2


@pytest.mark.parametrize("dialect", [name for name, gateway in DIALECTS.items() if gateway.QUESTIONS])
def test_a_gateway_that_starts_late_gets_its_order(harness, dialect):
    gateway = harness.gateway(dialect, bind=False)
    daemon = harness.start_live(gateway, "--schedule", "* * * * * *")
    metrics = daemon.after_cycles(2)
    assert metrics.nonzero("signals_suppressed_total", "reason").keys() == {"handshake"}
    assert metrics.sum("orders_total") == 0
    assert daemon.get("/livez")[0] == 200
    status, _, said = daemon.get("/readyz")
    assert status == 503 and "gateway" in said
    gateway.bind()
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200, 5)
    assert len(gateway.requests) == 1 and gateway.problems == []


@EACH_DIALECT
@pytest.mark.parametrize("behaviour", [filled, rejected, silent], ids=["filled", "rejected", "silent"])
def test_the_same_bar_is_never_ordered_again(harness, dialect, behaviour):
    gateway = harness.gateway(dialect, behaviour)
    metrics = harness.start_live(gateway, "--back-to-back", "--cycles", "5").after_cycles(5)
    assert len(gateway.requests) == 1
    assert metrics.sum("orders_total") == 1
    assert metrics("signals_suppressed_total", reason="already_ordered") == 4
    assert metrics("trading_signals_total", action="BUY") == 5


@EACH_DIALECT
def test_an_unknown_order_stops_the_rest_of_its_cycle(harness, dialect):
    gateway = harness.gateway(dialect, silent)
    metrics = harness.start_live(gateway, "--symbol", "EURUSD,GBPUSD", "--cycles", "1").after_cycles(1)
    assert [gateway.symbol(request) for request in gateway.requests] == ["EURUSD"]
    assert metrics.nonzero("orders_total", "outcome") == {"unknown": 1}
    assert metrics.nonzero("signals_suppressed_total", "reason") == {"unresolved": 1}


@EACH_DIALECT
def test_a_rejection_does_not_affect_the_next_symbol(harness, dialect):
    gateway = harness.gateway(dialect)
    gateway.script = [rejected, filled]
    metrics = harness.start_live(gateway, "--symbol", "EURUSD", "--symbol", "GBPUSD", "--cycles", "1").after_cycles(1)
    assert [gateway.symbol(request) for request in gateway.requests] == ["EURUSD", "GBPUSD"]
    assert metrics.nonzero("orders_total", "outcome") == {"rejected": 1, "filled": 1}


@pytest.mark.parametrize("dialect", ["envelope", "order_send"])
@pytest.mark.parametrize("probabilities", [None, SELL], ids=["buy", "sell"])
def test_an_enveloped_order_has_side_volume_and_stops(harness, dialect, probabilities):
    if probabilities:
        harness.model.probabilities = [probabilities]
    gateway = harness.gateway(dialect)
    harness.start_live(gateway, "--volume", "0.3", "--cycles", "1").after_cycles(1)
    [payload] = [request["payload"] for request in gateway.requests]
    side, sign = ("SELL", -1) if probabilities else ("BUY", 1)
    assert payload["type"] == ("OP_" if dialect == "order_send" else "") + side
    assert (payload["volume"], payload["magic"], payload["comment"]) == (0.3, 123456, "sentinel")
    close = harness.market.newest_closed["close"]
    assert payload["sl"] == pytest.approx(close - sign * STOP_LOSS, abs=1e-9)
    assert payload["tp"] == pytest.approx(close + sign * TAKE_PROFIT, abs=1e-9)
    assert gateway.problems == []


@pytest.mark.parametrize(("probabilities", "side", "sign"), [(None, "BUY", 1), (SELL, "SELL", -1)], ids=["buy", "sell"])
def test_a_v43_order_has_identity_volume_and_stops(harness, probabilities, side, sign):
    if probabilities:
        harness.model.probabilities = [probabilities]
    gateway = harness.gateway("v43")
    settings = {"model.name": "baseline-3"}
    harness.start_live(gateway, "--volume", "0.3", "--cycles", "1", settings=settings).after_cycles(1)
    [order] = gateway.requests
    newest = harness.market.newest_closed
    identity = f"sentinel:{ACCOUNT}|EURUSD|baseline-3|{newest['timestamp'] + HOUR}"
    assert order["uuid"] == str(uuid.uuid5(uuid.NAMESPACE_URL, identity))
    assert (order["symbol"], order["type"], order["volume"]) == ("EURUSD", side, 0.3)
    assert order["sl"] == pytest.approx(newest["close"] - sign * STOP_LOSS, abs=1e-9)
    assert order["tp"] == pytest.approx(newest["close"] + sign * TAKE_PROFIT, abs=1e-9)
    assert gateway.problems == []


def test_a_place_order_has_the_models_confidence(harness):
    gateway = harness.gateway("place_order")
    harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    [order] = gateway.requests
    assert (order["symbol"], order["signal"], order["confidence"]) == ("EURUSD", "BUY", 0.7)


def test_a_dry_run_opens_no_socket(harness):
    gateway = harness.gateway("v43")
    daemon = harness.start("--gtw-host", "127.0.0.1", "--gtw-port", str(gateway.port), "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("signals_suppressed_total", "reason") == {"dry_run": 1}
    assert metrics.sum("orders_total") == 0
    assert gateway.requests == []


def test_a_confidence_at_the_threshold_is_a_hold(harness):
    gateway = harness.gateway("v43")
    metrics = harness.start_live(gateway, "--threshold", "0.7", "--cycles", "1").after_cycles(1)
    assert metrics.nonzero("trading_signals_total", "action") == {"HOLD": 1}
    assert metrics.nonzero("signals_suppressed_total", "reason") == {"below_threshold": 1}
    assert gateway.requests == []
