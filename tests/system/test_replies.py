"""Replies as gateways really write them: contradictions, parts, spellings; and what `sentinel orders` makes of them."""

import json
import re
import subprocess

import pytest

from parts.dialects import DIALECTS
from parts.gateway import Reply, says

# Where each dialect tells ticket, volume, symbol and price of a fill.
WITHIN = {"place_order": None, "v43": None, "envelope": "data", "order_send": "data"}
ORDERED = 0.1


def told(gateway, request: dict, **fields: object) -> dict:
    """A fill in which these fields are told, too."""
    reply, within = gateway.filled(request), WITHIN[gateway.name]
    if within is None or gateway.name == "order_send" and "ticket" in fields:
        return reply | fields
    return reply | {within: (reply.get(within) or {}) | fields}


def bare(**fields: object):
    """A fill with these fields, in which NaN is written as Python does."""
    return says(lambda gateway, request: told(gateway, request, **fields))


def orders(rig, *args: str) -> str:
    """What `sentinel orders` says of the last daemon's journal."""
    command = [rig.binary, "orders", *args, "--journal", str(rig.daemons[-1].out.parent / "journal.db")]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def settle(rig, dialect: str, behaviour) -> tuple[dict, list[dict]]:
    """One live cycle against such a gateway: its order by `sentinel orders --json`, and the daemon's log lines."""
    gateway = rig.gateway(dialect, behaviour)
    daemon = rig.start_live(gateway, "--cycles", "1", "--volume", str(ORDERED))
    metrics = daemon.after_cycles(1)
    assert gateway.problems == [] and len(gateway.requests) == 1
    daemon.stop()
    (order,) = json.loads(orders(rig, "--json"))
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
def test_a_fill_that_contradicts_itself_or_the_order_is_unknown(rig, dialect, what):
    order, _ = settle(rig, dialect, bare(**CONTRADICTIONS[what]))
    assert (order["state"], order["ticket"], order["filled_volume"]) == ("unknown", None, None)


def test_the_contradiction_that_was_reported_is_unknown(rig):
    reply = {"status": "success", "retcode": 10015, "ticket": 0, "volume": 0.0}
    order, _ = settle(rig, "place_order", says(lambda gateway, request: reply))
    assert order["state"] == "unknown"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_that_is_said_twice_proves_nothing(rig, dialect):
    def twice(gateway, request):
        body = json.dumps(gateway.filled(request))
        key = "retcode" if dialect == "order_send" else "status"
        return Reply(re.sub(rf'"{key}": ("?\w+"?)', rf'"{key}": \1, "{key}": "rejected"', body, count=1).encode())

    assert settle(rig, dialect, twice)[0]["state"] == "unknown"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_partial_fill_is_booked_in_what_was_filled_and_said(rig, dialect):
    order, logs = settle(rig, dialect, bare(volume="0.04"))
    # place_order can name no volume: what is filled is what the gateway says.
    ordered, lots = (None, "0.04") if dialect == "place_order" else (ORDERED, f"0.04 of {ORDERED}")
    assert (order["state"], order["volume"], order["filled_volume"]) == ("filled", ordered, 0.04)
    (line,) = [line for line in logs if line.get("outcome") == "filled"]
    assert (line["level"], line["volume"], line["filled_volume"]) == ("WARN", ordered or 0, 0.04)
    assert lots in orders(rig)
    assert f"filled, {lots} lots" in orders(rig, "show", order["id"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_price_that_is_no_number_costs_the_price_alone(rig, dialect):
    order, _ = settle(rig, dialect, bare(price=float("nan"), profit=float("-inf")))
    assert (order["state"], order["price"]) == ("filled", None)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("ticket", ["10006293775", 10006293775.0], ids=["text", "float"])
def test_a_ticket_has_many_spellings(rig, dialect, ticket):
    order, _ = settle(rig, dialect, bare(ticket=ticket))
    assert (order["state"], order["ticket"]) == ("filled", 10006293775)


def test_an_id_in_capitals_behind_a_byte_order_mark_is_ours(rig):
    def loud(gateway, request):
        reply = gateway.filled(request)
        return Reply(b"\xef\xbb\xbf" + json.dumps(reply | {"uuid": reply["uuid"].upper()}).encode())

    assert settle(rig, "v43", loud)[0]["state"] == "filled"


@pytest.mark.parametrize("code", [10013, 10020, 10021, 10022, 10024, 10026, 10030, 10034, 10040, 10046])
def test_what_mql5_says_ended_before_execution_is_rejected(rig, code):
    reply = {"error": True, "ticket": 0, "msg": "no", "retcode": code}
    order, _ = settle(rig, "order_send", says(lambda gateway, request: reply))
    assert order["state"] == "rejected" and str(code) in order["reason"]
