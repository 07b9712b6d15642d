"""Replies as real gateways write them: contradictions, partial fills, spellings; and how `sentinel orders` shows them."""

import json
import re
import subprocess

import pytest

from parts.dialects import DIALECTS
from parts.gateway import Reply, says

# The places of ticket, volume, symbol and price in a fill of each dialect.
WITHIN = {"place_order": None, "v43": None, "envelope": "data", "order_send": "data"}
ORDERED = 0.1


def told(gateway, request: dict, **fields: object) -> dict:
    """A fill with these additional fields."""
    reply, within = gateway.filled(request), WITHIN[gateway.name]
    if within is None or gateway.name == "order_send" and "ticket" in fields:
        return reply | fields
    return reply | {within: (reply.get(within) or {}) | fields}


def bare(**fields: object):
    """A fill with these fields, with NaN as Python writes it."""
    return says(lambda gateway, request: told(gateway, request, **fields))


def orders(harness, *args: str) -> str:
    """The output of `sentinel orders` for the last daemon's journal."""
    command = [harness.binary, "orders", *args, "--journal", str(harness.daemons[-1].out.parent / "journal.db")]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def settle(harness, dialect: str, behaviour) -> tuple[dict, list[dict]]:
    """One live cycle with such a gateway: its order from `sentinel orders --json`, and the daemon's log lines."""
    gateway = harness.gateway(dialect, behaviour)
    daemon = harness.start_live(gateway, "--cycles", "1", "--volume", str(ORDERED))
    metrics = daemon.after_cycles(1)
    assert gateway.problems == [] and len(gateway.requests) == 1
    daemon.stop()
    (order,) = json.loads(orders(harness, "--json"))
    assert metrics("orders_total", outcome=order["state"]) == 1
    return order, daemon.logs()


CONTRADICTIONS = {
    "symbol": {"symbol": "GBPUSD"},
    "volume of 0": {"volume": 0.0},
    "negative volume": {"volume": -0.1},
    "NaN volume": {"volume": float("nan")},
    "return code": {"retcode": 10015},
    "placed": {"retcode": 10008},
    "id": {"client_order_id": "00000000-0000-4000-8000-000000000000"},
    "side": {"side": "SELL"},
    "type": {"type": 1},
    "error": {"error_msg": "no money"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_fill_that_contradicts_itself_or_the_order_is_unknown(harness, dialect, what):
    order, _ = settle(harness, dialect, bare(**CONTRADICTIONS[what]))
    assert (order["state"], order["ticket"], order["filled_volume"]) == ("unknown", None, None)


def test_a_reported_contradiction_is_unknown(harness):
    reply = {"status": "success", "retcode": 10015, "ticket": 0, "volume": 0.0}
    order, _ = settle(harness, "place_order", says(lambda gateway, request: reply))
    assert order["state"] == "unknown"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_duplicate_key_proves_nothing(harness, dialect):
    def twice(gateway, request):
        body = json.dumps(gateway.filled(request))
        key = "retcode" if dialect == "order_send" else "status"
        return Reply(re.sub(rf'"{key}": ("?\w+"?)', rf'"{key}": \1, "{key}": "rejected"', body, count=1).encode())

    assert settle(harness, dialect, twice)[0]["state"] == "unknown"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_partial_fill_is_recorded_with_the_filled_volume(harness, dialect):
    order, logs = settle(harness, dialect, bare(volume="0.04"))
    # place_order has no volume, so the filled volume is the gateway's.
    ordered, lots = (None, "0.04") if dialect == "place_order" else (ORDERED, f"0.04 of {ORDERED}")
    assert (order["state"], order["volume"], order["filled_volume"]) == ("filled", ordered, 0.04)
    (line,) = [line for line in logs if line.get("outcome") == "filled"]
    assert (line["level"], line["volume"], line["filled_volume"]) == ("WARN", ordered or 0, 0.04)
    assert lots in orders(harness)
    assert f"filled, {lots} lots" in orders(harness, "show", order["id"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_invalid_price_only_removes_the_price(harness, dialect):
    order, _ = settle(harness, dialect, bare(price=float("nan"), profit=float("-inf")))
    assert (order["state"], order["price"]) == ("filled", None)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("ticket", ["10006293775", 10006293775.0], ids=["text", "float"])
def test_a_ticket_has_many_spellings(harness, dialect, ticket):
    order, _ = settle(harness, dialect, bare(ticket=ticket))
    assert (order["state"], order["ticket"]) == ("filled", 10006293775)


def test_an_id_in_capitals_after_a_byte_order_mark_matches(harness):
    def loud(gateway, request):
        reply = gateway.filled(request)
        return Reply(b"\xef\xbb\xbf" + json.dumps(reply | {"uuid": reply["uuid"].upper()}).encode())

    assert settle(harness, "v43", loud)[0]["state"] == "filled"


@pytest.mark.parametrize("code", [10013, 10020, 10021, 10022, 10024, 10026, 10030, 10034, 10040, 10046])
def test_return_codes_before_execution_are_rejections(harness, code):
    reply = {"error": True, "ticket": 0, "msg": "no", "retcode": code}
    order, _ = settle(harness, "order_send", says(lambda gateway, request: reply))
    assert order["state"] == "rejected" and str(code) in order["reason"]
