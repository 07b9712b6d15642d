"""Unusual but valid input from brokers, market and model, from the wire to the order."""

import json
import re
import shutil

import pytest

from parts.daemon import wait_until
from parts import http
from parts.harness import variables
from parts.model import predictions
from parts.paths import ROOT

NAMES = ["EURUSD+", "@EU6", "GBPUSD!", "EURUSD.£", "US Tech 100", "日経225", "EUR/USD (m) & co"]


@pytest.mark.parametrize("dialect", ["v43", "envelope", "order_send", "place_order"])
@pytest.mark.parametrize("name", NAMES)
def test_a_brokers_name_is_sent_unchanged(harness, tmp_path, dialect, name):
    config = tmp_path / "config.toml"
    config.write_text(f'[[symbols]]\nname = "EURUSD"\ngateway_name = "{name}"\n')
    gateway = harness.gateway(dialect)
    daemon = harness.start_live(gateway, "--config", str(config), "--cycles", "1", settings={"log.format": "json"})
    metrics = daemon.after_cycles(1)
    assert [gateway.symbol(order) for order in gateway.requests] == [name]
    # The gateway also checks the risk signature, over the name in Python's spelling.
    assert gateway.problems == []
    assert metrics("orders_total", outcome="filled") == 1
    journal = daemon.out.parent / "journal.db"
    orders = harness.command("orders", "--json", "--journal", str(journal))
    assert orders.wait_exit()[0] == 0
    [order] = json.loads(orders.out.read_text())
    # Decisions are written after the cycle.
    wait_until("the decision", lambda: harness.run("explain", "--journal", str(journal)).returncode == 0)
    for args in (["orders"], ["orders", "show", order["id"]], ["explain"]):
        shown = harness.command(*args, "--journal", str(journal))
        assert shown.wait_exit()[0] == 0, shown.output()
    if dialect in ("v43", "envelope"):
        gateway.positions.clear()
        gateway.opened(name, "BUY", 0.1)
        where = ["--gtw-host", "127.0.0.1", "--gtw-port", str(gateway.port), "--config", str(config)]
        verified = harness.command("verify", "gateway", *where, "--dialect", dialect)
        assert verified.wait_exit()[0] == 0, verified.output()
        assert f"BUY 0.1 lots of {name}" in verified.output() and "WARN" not in verified.output()


@pytest.mark.parametrize("name", ['EUR"USD', "EUR\u202eUSD", "EUR\u200bUSD", " EURUSD", "EUR\tUSD", "x" * 65, ""])
def test_an_unreadable_name_is_refused(harness, tmp_path, name):
    config = tmp_path / "config.toml"
    config.write_text(f'[[symbols]]\nname = "EURUSD"\ngateway_name = {json.dumps(name)}\n')
    daemon = harness.command("check", "--config", str(config))
    assert daemon.wait_exit()[0] == 64 and "symbols.EURUSD.gateway_name" in daemon.output()


def test_a_position_with_a_similar_name_is_doubtful(harness):
    gateway = harness.gateway("v43")
    for name, side in (("EURUSD", "BUY"), ("EURUSD.raw", "SELL"), ("Gold", "BUY")):
        gateway.opened(name, side, 0.1)
    verified = harness.command(
        "verify", "gateway", "--gtw-host", "127.0.0.1", "--gtw-port", str(gateway.port), "--dialect", "v43"
    )
    assert verified.wait_exit()[0] == 0, verified.output()
    said = " ".join(verified.output().split())
    assert "3 open ticket 5001: BUY 0.1 lots of EURUSD ticket 5003: BUY 0.1 lots of Gold: not one of your symbols" in said
    assert "WARN position ticket 5002: SELL 0.1 lots of EURUSD.raw: in doubt" in said
    assert 'gateway_name = "EURUSD.raw"' in said and said.endswith("Check what is marked WARN.")


def market_with(harness, key: str, value: str) -> bytes:
    """The market's bars, with this value in a field of one old bar."""
    bars = [dict(bar) for bar in harness.market.bars]
    bars[50][key] = "@@"
    return json.dumps(bars).replace('"@@"', value).encode()


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("key", ["gmtoffset", "datetime", "close", "volume", "timestamp"])
def test_an_invalid_number_costs_at_most_its_bar(harness, key, value):
    harness.market.always = http.text(market_with(harness, key, value))
    gateway = harness.gateway()
    # A missing bar among the newest 200 is a gap; the old bar is not among them.
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert len(gateway.requests) == 1 and gateway.problems == []
    dropped = 0 if key in ("gmtoffset", "datetime") else 1
    assert metrics.nonzero("bars_rejected_total", "reason") == ({"not_finite": dropped} if dropped else {})


def test_a_byte_order_mark_is_skipped(harness):
    harness.market.always = http.text(b"\xef\xbb\xbf" + json.dumps(harness.market.bars).encode())
    harness.model.always = http.text(b"\xef\xbb\xbf" + json.dumps({"predictions": [[0.1, 0.2, 0.7]]}).encode())
    gateway = harness.gateway()
    harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("odds", "orders"),
    [
        ([1.0000000000000002, 0, 0], ["SELL"]),
        ([-1e-17, 0, 1], ["BUY"]),
        ([1.0005, 0, -0.0005], ["SELL"]),
        ([1.01, 0, -0.01], []),
        ([1.002, 0, 0], []),
    ],
)
def test_a_probability_just_outside_0_to_1_is_rounding(harness, odds, orders):
    harness.model.always = predictions([odds])
    gateway = harness.gateway()
    metrics = harness.start_live(gateway, "--cycles", "1").after_cycles(1)
    assert [order["type"] for order in gateway.requests] == orders
    assert metrics("prediction_failures_total") == (0 if orders else 1)
    assert not orders or metrics("last_prediction_confidence") == 1.0


def test_a_pause_of_a_year_is_limited_to_an_hour(harness):
    harness.market.always = http.status(429, Retry_After="31536000")
    symbols = ["--symbol", "EURUSD,GBPUSD,AUDUSD"]
    daemon = harness.start(*symbols, settings={"schedule.cron": "* * * * * *", "log.format": "json"})
    daemon.after_cycles(2)
    said = [line for line in daemon.logs() if "more than an hour" in str(line)]
    assert len(said) == 1 and "3600 s" in str(said[0]) and "31536000" in str(said[0])
    left = re.findall(r"asked for a pause, (\d+) s are left", daemon.output())
    assert left and all(3500 < int(seconds) <= 3600 for seconds in left)


def test_production_limits_name_what_a_dialect_cannot_do(harness, tmp_path):
    config = tmp_path / "production.toml"
    shutil.copy(ROOT / "config/production.toml", config)
    text = config.read_text().replace("/etc/sentinel/eodhd_api_token", str(tmp_path / "token"))
    config.write_text(text.replace("/var/lib/sentinel", str(tmp_path)))
    (tmp_path / "token").write_text("t")
    live = ["check", "--config", str(config), "--live", "--account", "a", "--gtw-host", "127.0.0.1", "--stop-loss"]
    good = harness.command(*live, "0.002", "--dialect", "v43", EODHD_API_TOKEN="")
    assert good.wait_exit()[0] == 0, good.output()
    assert "volume_max = 0.1" in good.output() and "loss_pct_per_day_max = 3.0" in good.output()
    by_hand = variables({"gateway.i_checked_it_by_hand": "true"}) | {"EODHD_API_TOKEN": ""}
    loss, volume = "loss_pct_per_day_max", "volume_max"
    for dialect, keys in (("order_send", [loss]), ("place_order", [loss, volume])):
        args = [*live, "none", "--dialect", dialect]
        refused = harness.command(*args, **by_hand)
        assert refused.wait_exit()[0] == 64
        for key in keys:
            [line] = [line for line in refused.output().splitlines() if line.startswith(f"guards.{key}: ")]
            assert "set it to 0" in line
        off = variables({f"guards.{key}": 0 for key in keys})
        assert harness.command(*args, **by_hand, **off).wait_exit()[0] == 0
