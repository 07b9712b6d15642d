"""Bars of 15m, 30m, 4h and 1d with the real daemon: what they are made from, when they are complete, and what is requested.

A reference in pandas has the expected bars; the requests to the model show the bars that the daemon made.
"""

import csv
import random
import time
import uuid
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from parts.daemon import wait_until
from parts.harness import ACCOUNT, variables
from parts.market import HOUR, bar
from parts.paths import ROOT

RECORDING = ROOT / "src/sandbox/data/eurusd_h1.csv"
NEW_YORK = ZoneInfo("America/New_York")
FINE = 300
LENGTH = {"15m": 15 * 60, "30m": 30 * 60, "4h": 4 * HOUR, "1d": 24 * HOUR}
PANDAS = {"15m": "15min", "30m": "30min", "4h": "4h", "1d": "1D"}
# The end of the bars: some days after New York sets its clocks forward, and after it sets them back. Wednesdays at 10:55 UTC
# are in the middle of a bar of every interval.
SEASONS = {"spring": datetime(2026, 3, 11, 10, 55, tzinfo=timezone.utc), "autumn": datetime(2026, 11, 4, 10, 55, tzinfo=timezone.utc)}
# The columns of the model's rows that depend only on a bar, or on it and the one before.
RETURN_1, HIGH_LOW, CLOSE_HIGH, CLOSE_LOW, VOLUME_MEAN, HOUR_OF_DAY, DAY_OF_WEEK = 0, 13, 14, 15, 16, 18, 19


def finer(interval: str) -> int:
    """The length of the bars from which the interval is made."""
    return FINE if interval in ("15m", "30m") else HOUR


def is_open(moment: int) -> bool:
    """Whether the time is in the FX week."""
    local = datetime.fromtimestamp(moment, NEW_YORK)
    hours = local.weekday() * 24 + local.hour
    return not 4 * 24 + 17 <= hours < 6 * 24 + 17


def recorded(interval: str, calendar: str, until: datetime) -> list[dict]:
    """The recorded prices, at times before `until` at which the market is open. Some are missing."""
    step, chance = finer(interval), random.Random(f"{interval}{calendar}{until}")
    with RECORDING.open() as file:
        rows = list(csv.DictReader(file))
    moment, times = int(until.timestamp()) // step * step, []
    while len(times) < len(rows):
        moment -= step
        if calendar == "always" or is_open(moment):
            times.append(moment)
    prices = [{name: float(row[name]) for name in ("open", "high", "low", "close", "volume")} for row in rows]
    bars = [{"timestamp": moment} | price for moment, price in zip(reversed(times), prices, strict=True)]
    return [row for at, row in enumerate(bars) if at in (0, len(bars) - 1) or chance.random() > 0.04]


def reference(bars: list[dict], interval: str, calendar: str) -> pd.DataFrame:
    """The complete bars of the interval, by closing time in UTC."""
    frame = pd.DataFrame(bars)
    at = pd.to_datetime(frame["timestamp"], unit="s", utc=True)
    by_new_york = calendar == "fx" and interval in ("4h", "1d")
    # New York's local time, shifted so that 17:00 is midnight. The market is closed when the clocks change.
    wall = at.dt.tz_convert(NEW_YORK).dt.tz_localize(None) + timedelta(hours=7) if by_new_york else at.dt.tz_localize(None)
    groups = frame.set_index(wall).resample(PANDAS[interval])
    made = groups.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}).dropna()
    opens = made.index - timedelta(hours=7) if by_new_york else made.index
    made["opened"] = opens.tz_localize(NEW_YORK if by_new_york else "UTC").tz_convert("UTC")
    made["closed"] = made["opened"] + timedelta(seconds=LENGTH[interval])
    return made[made["closed"] <= at.iloc[-1] + timedelta(seconds=finer(interval))]


@pytest.mark.parametrize("season", SEASONS)
@pytest.mark.parametrize("calendar", ["fx", "always"])
@pytest.mark.parametrize("interval", LENGTH)
def test_the_model_gets_the_bars_that_pandas_makes(harness, interval, calendar, season):
    harness.market.bars = recorded(interval, calendar, SEASONS[season])
    expected = reference(harness.market.bars, interval, calendar)
    daemon = harness.start("--clock", "bars", "--cycles", "1", "--interval", interval, settings={"market.calendar": calendar})
    metrics = daemon.after_cycles(1)
    assert metrics("trading_cycles_failed_total") == 0, daemon.output()
    assert metrics("last_bar_timestamp_seconds", symbol="EURUSD") == expected["closed"].iloc[-1].timestamp()
    [request] = harness.model.requests
    shown = np.array(request.json()["dataframe_split"]["data"][0][1])
    seen = expected.iloc[-60:]
    close = expected["close"]
    for column, values in {
        RETURN_1: (close / close.shift(1) - 1).iloc[-60:],
        HIGH_LOW: seen["high"] / seen["low"],
        CLOSE_HIGH: seen["close"] / seen["high"],
        CLOSE_LOW: seen["close"] / seen["low"],
        VOLUME_MEAN: expected["volume"].rolling(20).mean().iloc[-60:],
        HOUR_OF_DAY: seen["opened"].dt.hour,
        DAY_OF_WEEK: seen["opened"].dt.day_of_week,
    }.items():
        np.testing.assert_allclose(shown[:, column], values.to_numpy(), rtol=1e-5, atol=1e-6, err_msg=f"column {column}")


def order_id(closed: int) -> str:
    """The id of the order for the bar that closed at this time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sentinel:{ACCOUNT}|EURUSD|baseline|{closed}"))


@pytest.mark.parametrize("interval", ["15m", "4h"])
def test_only_complete_bars_are_traded(harness, interval):
    step, length = finer(interval), LENGTH[interval]
    edge = int(time.time()) // length * length
    harness.market.bars = [bar(edge - n * step, length_s=step) for n in range(220 * length // step, 1, -1)]
    gateway = harness.gateway("v43")
    settings = {"guards.positions_max": 0}
    daemon = harness.start_live(gateway, "--interval", interval, "--schedule", "* * * * * *", settings=settings)

    def newest(metrics) -> float:
        return metrics("last_bar_timestamp_seconds", symbol="EURUSD")

    metrics = daemon.wait_metrics("an order", lambda m: m("orders_total", outcome="filled") == 1)
    assert newest(metrics) == edge - length, "the last part of the newest bar may still arrive"
    cycles = metrics("trading_cycles_total")
    daemon.after_cycles(cycles + 2)
    assert [request["uuid"] for request in gateway.requests] == [order_id(edge - length)]

    harness.market.bars.append(bar(edge - step, length_s=step))
    metrics = daemon.wait_metrics("the next one", lambda m: m("orders_total", outcome="filled") == 2)
    assert newest(metrics) == edge
    # All parts of the incomplete bar except the last one.
    harness.market.bars += [bar(edge + n * step, length_s=step) for n in range(length // step - 1)]
    metrics = daemon.after_cycles(metrics("trading_cycles_total") + 3)
    assert newest(metrics) == edge
    assert [request["uuid"] for request in gateway.requests] == [order_id(edge - length), order_id(edge)]
    assert metrics("trading_cycles_failed_total") == 0 and metrics.sum("bar_gaps_total") == 0
    assert metrics("bar_age_max_seconds") == 3 * length
    asked = [request.query for request in harness.market.requests]
    assert {query["interval"] for query in asked} == {"5m" if step == FINE else "1h"}
    assert int(asked[0]["from"]) % length == 0
    assert int(asked[-1]["from"]) == edge, "from the end of the last bar"


def test_a_missing_hour_is_a_gap(harness):
    edge = int(time.time()) // (4 * HOUR) * (4 * HOUR)
    harness.market.bars = [bar(edge - n * HOUR) for n in range(880, 0, -1)]
    missing = harness.market.bars.pop(-6)["timestamp"]
    for on_gap, failed in [("continue", 0), ("stop", 1)]:
        daemon = harness.start("--interval", "4h", "--cycles", "1", settings={"data.on_gap": on_gap})
        metrics = daemon.after_cycles(1)
        assert metrics("bar_gaps_total", symbol="EURUSD") == 1
        assert metrics("trading_cycles_failed_total") == failed
        assert metrics("last_bar_timestamp_seconds", symbol="EURUSD") == edge
        [line] = [line for line in daemon.logs() if line.get("error") == "gap" and "gaps" in line]
        assert (line["from"], line["to"]) == (missing, missing + HOUR)
        daemon.stop()


def test_a_wrong_hour_is_refused_like_any_bar(harness):
    edge = int(time.time()) // (4 * HOUR) * (4 * HOUR)
    harness.market.bars = [bar(edge - n * HOUR) for n in range(880, 0, -1)]
    harness.market.bars[-20] |= {"high": 0.5}
    harness.market.bars[-1] |= {"close": None}
    daemon = harness.start("--interval", "4h", "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("bars_rejected_total", "reason") == {"null": 1, "high_below_low": 1}
    assert metrics("trading_cycles_failed_total") == 1 and metrics.sum("trading_signals_total") == 0


def output_of(harness, *args: str, **settings: object) -> tuple[int, str]:
    """Exit code and output of a command with these settings."""
    command = harness.command(*args, **variables(settings))
    return command.wait_exit()[0], command.output()


def test_check_shows_source_and_number_of_bars(harness):
    code, text = output_of(harness, "check", "--interval", "4h")
    assert code == 0
    assert "# Bars of 4h are made of EODHD's 1h bars and close at 17:00 America/New_York and every 4 hours after it." in text
    assert "The first request asks for 53 days of 1h bars, at most 1272 bars or 190 kB, for 200 bars of 4h." in text
    assert "close at 00:00 UTC." in output_of(harness, "check", "--interval", "1d", **{"market.calendar": "always"})[1]
    assert "made of EODHD's 5m bars and close at every quarter of an hour." in output_of(harness, "check", "--interval", "15m")[1]
    assert "# Bars of 1h are EODHD's own." in output_of(harness, "check")[1]


def test_an_impossible_lookback_is_refused_with_advice(harness):
    code, text = output_of(harness, "run", "--interval", "1d", "--lookback-bars", "5000")
    assert code == 64 and "data.lookback_bars" in text and "EODHD sends 7200 days at once: set it to at most 4895" in text
    code, text = output_of(harness, "run", "--interval", "1d", "--lookback-bars", "1000")
    assert code == 64 and "data.body_bytes_max is 4194304: set that to 5306400, or this to at most 789" in text


@pytest.mark.parametrize("interval", ["4h", "1d"])
def test_verify_market_shows_the_source_of_bars(harness, interval):
    now = int(time.time())
    last = now // HOUR * HOUR - HOUR
    harness.market.bars = [bar(last - n * HOUR) for n in range(220 * LENGTH[interval] // HOUR, -1, -1)]
    settings = {"data.base_url": harness.market.url, "market.calendar": "always"}
    code, text = output_of(harness, "verify", "market", "--interval", interval, **settings)
    assert code == 0, text
    edges = "00:00 UTC and every 4 hours after it" if interval == "4h" else "00:00 UTC"
    assert f"{interval} bars are made of EODHD's 1h bars and close at {edges}" in " ".join(text.split())
    closed = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime((last + HOUR) // LENGTH[interval] * LENGTH[interval]))
    assert f"closed bars of {interval}, made of" in text and f"the last closed {closed}" in text
    assert "newest 1h bar closed" in text and f"its newest {interval} bar" in text
    assert f"recommended: {LENGTH[interval]} s until the next bar closes" in text
    code, text = output_of(harness, "verify", "market", "--interval", interval, "--clock", "bars", **settings)
    assert code == 0 and "lag" in text, text


def test_bars_across_an_edge_are_refused_with_advice(harness):
    edge = int(time.time()) // (4 * HOUR) * (4 * HOUR)
    harness.market.bars = [bar(edge - n * HOUR - HOUR // 2) for n in range(880, 0, -1)]
    daemon = harness.start("--interval", "4h", "--cycles", "1")
    assert daemon.after_cycles(1)("bars_rejected_total", reason="not_of_interval") == 1
    assert "bars of 4h cannot be made of it" in daemon.output()
    settings = {"data.base_url": harness.market.url, "market.calendar": "always"}
    code, text = output_of(harness, "verify", "market", "--interval", "4h", **settings)
    assert code == 1 and 'data.interval = "1h" uses these bars as they are' in " ".join(text.split())


@pytest.mark.parametrize("interval", ["4h", "1d"])
def test_the_sandbox_works_with_longer_bars(sandbox, interval):
    daemon = sandbox.trade(60, "--interval", interval)
    metrics = daemon.after_cycles(60)
    assert metrics("trading_cycles_failed_total") == metrics.sum("api_errors_total") == 0
    assert metrics.sum("trading_signals_total") == 60
    # Each cycle has one new hour, and each bar one order.
    decided = 60 - metrics("trading_signals_total", action="HOLD")
    again = metrics("signals_suppressed_total", reason="already_ordered")
    assert metrics.nonzero("orders_total", "outcome").keys() == {"filled"} and decided > again > decided / 2
    assert daemon.stop()[0] == 0


def test_the_sandbox_reports_that_it_has_only_hours(sandbox):
    daemon = sandbox.trade(1, "--interval", "15m")
    metrics = daemon.after_cycles(1)
    assert metrics.errors("eodhd") == {"422": 1}
    wait_until("the reason", lambda: "only 1h bars" in daemon.output())
