"""Faults of the market: they cost the cycle its decision, are counted under their own code, and never cause an order."""

import json
import time

import pytest

from parts import http
from parts.market import HOUR, bar, rows


def run(harness, *args, **settings):
    """A live daemon, so that an order could be sent; and its gateway."""
    gateway = harness.gateway("v43")
    named = {"data.deadline_ms": settings.pop("deadline_ms", 5000)} | settings
    return harness.start_live(gateway, *(args or ("--cycles", "1")), settings=named), gateway


FAULTS = [
    pytest.param(http.status(302, Location="http://127.0.0.1:9/"), {"exception"}, id="redirect"),
    pytest.param(http.status(401), {"401"}, id="401"),
    pytest.param(http.status(402), {"402"}, id="402"),
    pytest.param(http.status(404, "<html>no</html>"), {"404"}, id="404"),
    pytest.param(http.status(500), {"500"}, id="500"),
    pytest.param(http.status(418), {"exception"}, id="418"),
    pytest.param(http.text('[{"timestamp": 15'), {"bad_shape"}, id="malformed"),
    pytest.param(http.text("<html>maintenance</html>"), {"bad_shape"}, id="html"),
    pytest.param(http.text('{"code": 200}'), {"bad_shape"}, id="object"),
    pytest.param(http.text("[]"), {"empty_response"}, id="empty"),
    pytest.param(http.truncated, {"exception"}, id="truncated"),
    pytest.param(http.text(b"[" + b" " * 5_000_000 + b"]"), {"exception"}, id="5 MB"),
]


@pytest.mark.parametrize(("fault", "codes"), FAULTS)
def test_a_fault_is_counted_and_nothing_is_ordered(harness, fault, codes):
    harness.market.always = fault
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert set(metrics.errors("eodhd")) == codes
    assert metrics("api_calls_total", endpoint="eodhd") == len(harness.market.requests) <= 2
    assert metrics.sum("api_errors_total") == len(harness.market.requests)
    assert metrics("data_fetch_failed_total") == metrics("trading_cycles_failed_total") == 1
    assert metrics("data_fetch_duration_seconds_count") == 1
    assert metrics("prediction_requests_total") == 0
    assert gateway.requests == []
    assert daemon.get("/livez")[0] == 200


@pytest.mark.parametrize("fault", [http.hang, http.drip], ids=["hang", "drip"])
def test_the_deadline_covers_the_whole_call(harness, fault):
    harness.market.always = fault
    daemon, gateway = run(harness, deadline_ms=500)
    metrics = daemon.after_cycles(1)
    assert set(metrics.errors("eodhd")) == {"timeout"}
    assert 0.4 < metrics("data_fetch_duration_seconds_sum") < 2
    assert gateway.requests == []


def test_a_missing_market_is_a_connect_error(harness):
    harness.market.close()
    daemon, gateway = run(harness)
    assert set(daemon.after_cycles(1).errors("eodhd")) == {"connect"}
    assert daemon.get("/livez")[0] == 200


def test_an_unknown_host_name_is_a_connect_error(harness):
    daemon, gateway = run(harness, **{"data.base_url": "https://market.invalid"})
    assert set(daemon.after_cycles(1).errors("eodhd")) <= {"connect", "timeout"}
    assert gateway.requests == []


def test_a_redirect_is_not_followed(harness):
    elsewhere = harness.model
    harness.market.always = http.status(302, Location=f"{elsewhere.url}/api/intraday/EURUSD.FOREX")
    daemon, _ = run(harness)
    daemon.after_cycles(1)
    assert elsewhere.requests == []


def test_one_failure_is_retried_once(harness):
    harness.market.script = [http.status(500)]
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.errors("eodhd") == {"500": 1}
    assert metrics("api_calls_total", endpoint="eodhd") == 2
    assert metrics("trading_cycles_failed_total") == metrics("data_fetch_failed_total") == 0
    assert len(gateway.requests) == 1


def test_a_short_retry_after_is_waited_for(harness):
    harness.market.script = [http.status(429, Retry_After="1")]
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    first, second = harness.market.requests
    assert 0.95 < second.at - first.at < 2
    assert metrics.errors("eodhd") == {"429": 1}
    assert len(gateway.requests) == 1


def test_a_long_retry_after_holds_into_the_next_cycles(harness):
    harness.market.always = http.status(429, Retry_After="60")
    daemon, gateway = run(harness, "--schedule", "* * * * * *", deadline_ms=2000)
    metrics = daemon.after_cycles(4)
    assert len(harness.market.requests) == 1
    assert metrics.errors("eodhd") == {"429": 1}
    assert metrics("trading_cycles_failed_total") >= 3
    assert gateway.requests == []


def test_a_null_in_the_newest_closed_bar_is_no_decision(harness):
    harness.market.newest_closed["close"] = None
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("bars_rejected_total", "reason") == {"null": 1}
    assert metrics("data_fetch_failed_total") == metrics("trading_cycles_failed_total") == 1
    assert metrics.sum("trading_signals_total") == 0
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("reason", "change"),
    [("not_positive", {"low": 0}), ("high_below_low", {"high": 0.5}), ("null", {"open": None})],
)
def test_a_bad_older_bar_is_dropped_and_counted(harness, reason, change):
    harness.market.bars[-20] |= change
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("bars_rejected_total", "reason") == {reason: 1}
    assert len(gateway.requests) == 1


def test_contradictory_bars_of_one_time_reject_the_answer(harness):
    harness.market.bars.insert(-20, harness.market.bars[-20] | {"close": harness.market.bars[-20]["low"]})
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics("bars_rejected_total", reason="conflict") >= 1
    assert gateway.requests == []


def test_unsorted_repeated_bars_and_numbers_in_strings_are_read(harness):
    bars = [row | {"close": str(row["close"]), "volume": None} for row in harness.market.bars]
    harness.market.always = rows([*reversed(bars), *bars[:50]])
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.sum("bars_rejected_total") == 0
    assert len(gateway.requests) == 1
    newest = harness.market.newest_closed
    assert metrics("last_bar_timestamp_seconds", symbol="EURUSD") == newest["timestamp"] + HOUR


def test_a_stale_bar_is_never_traded(harness):
    forming = int(time.time()) // HOUR * HOUR
    harness.market.bars = [bar(forming - n * HOUR) for n in range(300, 5, -1)]
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("signals_suppressed_total", "reason") == {"stale_bar": 1}
    assert metrics("trading_cycles_failed_total") == 0
    assert metrics("trading_signals_total", action="BUY") == 1
    assert gateway.requests == []


def test_too_few_bars_are_no_decision(harness):
    harness.market.bars = harness.market.bars[-119:]
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics("trading_cycles_failed_total") == 1
    assert metrics("prediction_requests_total") == 0
    assert gateway.requests == []


def test_one_symbols_fault_does_not_affect_other_symbols(harness):
    def only_pounds(handler, request):
        if "EURUSD" in request.path:
            handler.answer(json.dumps({"message": "no such symbol"}), 404)
        else:
            harness.market.serve(handler, request)

    harness.market.always = only_pounds
    daemon, gateway = run(harness, "--symbol", "EURUSD,GBPUSD", "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert [request["symbol"] for request in gateway.requests] == ["GBPUSD"]
    assert metrics("data_fetch_failed_total") == 1 and metrics("trading_cycles_failed_total") == 0
    assert metrics("symbol_failures_total", symbol="EURUSD", stage="fetch") == 1


def test_requests_follow_the_markets_documentation(harness):
    daemon, _ = run(harness, "--back-to-back", "--cycles", "3")
    daemon.after_cycles(3)
    first, *later = harness.market.requests
    assert first.path == "/api/intraday/EURUSD.FOREX"
    assert (first.query["interval"], first.query["fmt"]) == ("1h", "json")
    assert int(first.query["to"]) - int(first.query["from"]) >= 200 * HOUR
    for request in later:
        span = int(request.query["to"]) - int(request.query["from"])
        assert span < 12 * HOUR, "later cycles ask only for what is missing"
