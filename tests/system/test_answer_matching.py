"""An answer is used only for its own request, whatever the peer sends before or after it; and problems of one request do not
affect others. With a market and a model on raw sockets that misbehave."""

import json
import time

import pytest

from parts import http
from parts.daemon import wait_until
from parts.raw_http import FAULTS, RawMarket, RawModel


@pytest.fixture
def raw():
    """Creates raw servers, which end with the test."""
    made = []

    def make(server):
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


def symbols(count: int) -> list[str]:
    """AAAAAA, AAAAAB, and so on."""
    return ["AAAA" + chr(65 + n // 26) + chr(65 + n % 26) for n in range(count)]


def run(harness, names, market, model, *args, **settings):
    """A live daemon without limits on orders, and its gateway."""
    gateway = harness.gateway("v43")
    settings = {
        "data.base_url": market.url,
        "model.port": model.port,
        "guards.positions_max": 0,
        "gateway.deadline_ms": 2000,
    } | settings
    args = args or ("--cycles", "1")
    return harness.start_live(gateway, "--symbol", ",".join(names), *args, settings=settings), gateway


def sides(gateway) -> dict[str, str]:
    """The side of each symbol's order. Fails if a symbol was ordered twice."""
    ordered = [(order["symbol"], order["type"]) for order in gateway.requests]
    assert len(dict(ordered)) == len(ordered)
    return dict(ordered)


def wanted(names, without=()) -> dict[str, str]:
    """The model's answer to each symbol's own bars."""
    return {name: "SELL" if n % 2 else "BUY" for n, name in enumerate(names) if n not in without}


CASES = [(1, {}), (100, {}), (100, {"data.concurrency": 1})]


@pytest.mark.long
@pytest.mark.parametrize(("count", "settings"), CASES, ids=["1", "100", "100, one at a time"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_symbol_is_decided_on_its_own_bars(harness, raw, fault, count, settings):
    names = symbols(count)
    market, model = raw(RawMarket(names, FAULTS[fault])), raw(RawModel())
    daemon, gateway = run(harness, names, market, model, **settings)
    metrics = daemon.after_cycles(1, timeout_s=40)
    assert [place for request in model.asked for place in request] == list(range(count)), "whose bars these are"
    assert sides(gateway) == wanted(names)
    assert metrics("trading_cycles_failed_total") == metrics.sum("api_errors_total") == 0
    assert market.connections == [1] * count, "a connection for each request"


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_symbol_is_decided_on_its_own_odds(harness, raw, fault, count):
    names = symbols(count)
    market, model = raw(RawMarket(names)), raw(RawModel(FAULTS[fault]))
    daemon, gateway = run(harness, names, market, model)
    metrics = daemon.after_cycles(1, timeout_s=40)
    assert sides(gateway) == wanted(names)
    assert metrics("trading_cycles_failed_total") == metrics.sum("api_errors_total") == 0
    assert model.connections == [1] * ((count + 49) // 50), "a connection for each request"


def test_a_row_that_the_model_refuses_costs_only_its_symbol(harness, raw):
    names = symbols(100)
    market, model = raw(RawMarket(names)), raw(RawModel(raises_for={37}))
    daemon, gateway = run(harness, names, market, model, "--cycles", "2", "--back-to-back")
    metrics = daemon.after_cycles(2, timeout_s=40)
    assert sides(gateway) == wanted(names, without={37})
    assert model.asked[-1] == [37], "on its own, after the others"
    assert [len(places) for places in model.asked[-3:]] == [50, 49, 1]
    assert metrics("breaker_state", endpoint="hub", state="closed") == 1
    assert "It failed. (ValueError: row of 37)" in daemon.output()


def test_a_refused_row_does_not_prolong_an_outage(harness, raw):
    names = symbols(10)
    market, model = raw(RawMarket(names)), raw(RawModel(raises_for={0}))
    model.is_down = True
    schedule = ("--schedule", "* * * * * *")
    daemon, gateway = run(harness, names, market, model, *schedule, **{"breaker.failures": 3, "breaker.pause_s": 1})
    daemon.wait_metrics("an open breaker", lambda m: m("breaker_state", endpoint="hub", state="closed") == 0)
    model.is_down = False
    wait_until("orders for all others", lambda: len(gateway.requests) == 9)
    assert sides(gateway) == wanted(names, without={0})
    daemon.wait_metrics("a closed breaker", lambda m: m("breaker_state", endpoint="hub", state="closed") == 1)


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 10, 49])
def test_a_dead_first_symbol_does_not_prolong_an_outage(harness, count):
    names = ["XX0USD", *symbols(count - 1)]
    down = http.status(401)

    def market(handler, request):
        if "XX0USD" in request.path:
            handler.answer(json.dumps({"message": "no such symbol"}), 404)
        else:
            harness.market.serve(handler, request)

    harness.market.always = down
    schedule = ("--schedule", "* * * * * *")
    settings = {"breaker.failures": 5, "breaker.pause_s": 2}
    daemon, gateway = run(harness, names, harness.market, harness.model, *schedule, **settings)
    daemon.wait_metrics("an open breaker", lambda m: m("breaker_state", endpoint="eodhd", state="closed") == 0)
    began = time.monotonic()
    harness.market.always = market
    wait_until("orders for all others", lambda: len(gateway.requests) == count - 1)
    assert time.monotonic() - began < 8, "in the first cycle after the pause"
    assert set(sides(gateway)) == set(names[1:])
    metrics = daemon.wait_metrics("a closed breaker", lambda m: m("breaker_state", endpoint="eodhd", state="closed") == 1)
    assert metrics("api_errors_total", endpoint="eodhd", error_code="404") >= 1
    # However often it fails later.
    failures = metrics("api_errors_total", endpoint="eodhd", error_code="404") + 6
    daemon.wait_metrics("more of its failures", lambda m: m("api_errors_total", endpoint="eodhd", error_code="404") > failures)
    assert daemon.metrics()("breaker_state", endpoint="eodhd", state="closed") == 1
