"""Well-formed but impossible bars: there is no decision for their symbol, but there is for the others, and the reason is logged
and counted. One of two symbols gets the bad bars, so each test shows both. The daemon is live, so orders could be sent."""

import json
import time

import pytest

from parts.harness import variables
from parts.market import HOUR, bar

BAD, GOOD = "EURUSD", "GBPUSD"
HALF = HOUR // 2


def outside(name: str, price: str, index: int):
    """A price slightly outside the high or low of its own bar."""
    beyond = {"high": 1.0001, "low": 0.9999}[price]
    return lambda bars: bars[index].update({name: round(bars[index][price] * beyond, 5)})


def shifted(index: int, by_s: int = HALF):
    """From one bar on, all bars open later. Which of them are still open depends on the minute, so these are removed."""

    def change(bars: list[dict]):
        for row in bars[index:]:
            row["timestamp"] += by_s
        bars[:] = [row for row in bars if row["timestamp"] + HOUR <= time.time()]

    return change


def overlap(bars: list[dict]):
    """8:00, 8:30, 9:00: one bar too many."""
    bars.insert(-20, bars[-20] | {"timestamp": bars[-20]["timestamp"] - HALF})


def eight_eight_thirty_nine_thirty(bars: list[dict]):
    """8:00, 8:30, 9:30: from one bar on half an hour early."""
    shifted(-20, -HALF)(bars)


def times(*names: str, factor: float = 100, index: int = -20):
    """The prices of one bar are 100 times those of its neighbours."""
    return lambda bars: bars[index].update({name: bars[index][name] * factor for name in names})


def ahead(hours: int):
    """The bars of the next hours already exist."""

    def change(bars: list[dict]):
        newest = bars[-1]["timestamp"]
        bars.extend(bar(newest + n * HOUR) for n in range(1, hours + 1))

    return change


# What is wrong, the kind of the failure (None: there is still a decision), what is counted.
# The last bar is still open, so the newest closed one is number -2.
FAULTS = [
    pytest.param(outside("open", "high", -2), "newest_bar_invalid", {"outside_range": 1}, id="new open above"),
    pytest.param(outside("open", "low", -2), "newest_bar_invalid", {"outside_range": 1}, id="new open below"),
    pytest.param(outside("close", "high", -2), "newest_bar_invalid", {"outside_range": 1}, id="new close above"),
    pytest.param(outside("close", "low", -2), "newest_bar_invalid", {"outside_range": 1}, id="new close below"),
    pytest.param(outside("open", "high", -20), None, {"outside_range": 1}, id="old open above"),
    pytest.param(outside("close", "low", -20), None, {"outside_range": 1}, id="old close below"),
    pytest.param(overlap, "not_of_interval", {"not_of_interval": 1}, id="overlap"),
    pytest.param(eight_eight_thirty_nine_thirty, "not_of_interval", {"not_of_interval": 1}, id="8:00 8:30 9:30"),
    pytest.param(shifted(-20), "not_of_interval", {"not_of_interval": 1}, id="shift"),
    pytest.param(shifted(-150), "not_of_interval", {"not_of_interval": 1}, id="old shift"),
    pytest.param(times("open", "high", "low", "close"), "jump", {}, id="100 times"),
    pytest.param(times("open", "high", "low", "close", index=-2), "jump", {}, id="100 times, newest"),
    pytest.param(times("open", "high", "low", "close", index=-150), "jump", {}, id="100 times, old"),
    pytest.param(times("high"), "jump", {}, id="100 times, high only"),
    pytest.param(times("low", factor=0.01), "jump", {}, id="a hundredth, low only"),
    pytest.param(ahead(3), None, {"in_future": 3}, id="ahead of the clock"),
]
WORDS = {
    "newest_bar_invalid": ["the newest closed bar, opened at ", " UTC, is invalid"],
    "not_of_interval": ["the bar that opens at ", "cannot follow the one that opens at ", "3600 s", "market.calendar"],
    "jump": ["a price jumps from ", ", the close of the bar that opened at ", "data.jump_max = 0.2", "raise it"],
}


def script(harness, change):
    """The market serves the bars changed by `change` to one of the symbols; these bars."""
    bars = [dict(row) for row in harness.market.bars]
    change(bars)

    def answer(handler, request):
        if BAD not in request.path:
            return harness.market.serve(handler, request)
        low = int(request.query.get("from", 0))
        return handler.answer(json.dumps([row for row in bars if row["timestamp"] >= low]))

    harness.market.always = answer
    return bars


def run(harness, *args: str, **settings):
    """A live daemon for both symbols, and its gateway."""
    gateway = harness.gateway("v43")
    usual = {"market.calendar": "always", "data.deadline_ms": 5000}
    args = ("--symbol", f"{BAD},{GOOD}", *(args or ("--cycles", "1")))
    return harness.start_live(gateway, *args, settings=usual | settings), gateway


@pytest.mark.parametrize(("change", "kind", "counted"), FAULTS)
def test_it_costs_only_its_symbol_the_decision(harness, change, kind, counted):
    script(harness, change)
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    decided = [GOOD] if kind else [BAD, GOOD]
    assert sorted(request["symbol"] for request in gateway.requests) == decided
    assert metrics.sum("trading_signals_total") == len(decided)
    assert metrics.nonzero("bars_rejected_total", "reason") == counted
    failures = [line for line in daemon.logs() if kind and line.get("error") == kind]
    assert [line["symbols"] for line in failures] == ([BAD] if kind else []), daemon.output()
    for words in WORDS.get(kind, []):
        assert words in json.dumps(failures), words
    warnings = [line for line in daemon.logs() if line["level"] in ("WARN", "ERROR")]
    assert not [line for line in warnings if GOOD in (line.get("symbol"), line.get("symbols"))]


def test_a_jump_is_logged_with_prices_and_times(harness):
    bars = script(harness, times("open", "high", "low", "close", index=-2))
    daemon, _ = run(harness)
    daemon.after_cycles(1)
    (line,) = [json.dumps(line) for line in daemon.logs() if line.get("error") == "jump"]
    stamp = [time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(row["timestamp"])) for row in bars[-3:-1]]
    assert all(moment in line for moment in stamp), line
    assert f"from {bars[-3]['close']}," in line and f"to {bars[-2]['high']}" in line, line


def test_a_real_jump_is_traded_with_a_higher_limit(harness):
    script(harness, times("open", "high", "low", "close", index=-150))
    for limit, decided in [(200, [BAD, GOOD]), (0, [BAD, GOOD])]:
        daemon, gateway = run(harness, **{"data.jump_max": limit})
        daemon.after_cycles(1)
        assert sorted(request["symbol"] for request in gateway.requests) == decided
        daemon.stop()
        gateway.close()


def test_a_shift_against_known_bars_is_refused_and_recovers(harness):
    bars = [dict(row) for row in harness.market.bars]
    moved = [bars[-2] | {"timestamp": bars[-3]["timestamp"] + HALF}]
    asked = []

    def answer(handler, request):
        if BAD not in request.path:
            return harness.market.serve(handler, request)
        asked.append(int(request.query["to"]) - int(request.query["from"]))
        # The first answer lacks the newest closed bar, the second has it half an hour early, then the answers are right.
        rows = {1: bars[:-2], 2: moved}.get(len(asked), bars)
        return handler.answer(json.dumps(rows))

    harness.market.always = answer
    daemon, gateway = run(harness, "--back-to-back", "--cycles", "3")
    metrics = daemon.after_cycles(3)
    assert metrics("bars_rejected_total", reason="not_of_interval") == 1
    assert metrics.sum("trading_signals_total") == 5, "all but one of two symbols in three cycles"
    assert asked[2] > 200 * HOUR, "everything is asked for again"
    assert sorted(request["symbol"] for request in gateway.requests) == [BAD, GOOD], "one order per symbol at a time"


def test_future_bars_are_logged_once_and_never_used(harness):
    bars = script(harness, ahead(3))
    daemon, _ = run(harness)
    metrics = daemon.after_cycles(1)
    (line,) = [line for line in daemon.logs() if line.get("error") == "in_future"]
    assert line["level"] == "WARN" and line["symbol"] == BAD and line["symbols_affected"] == 1
    assert line["open_time"] == bars[-1]["timestamp"] and abs(line["now"] - time.time()) < 60
    assert metrics("last_bar_timestamp_seconds", symbol=BAD) == harness.market.newest_closed["timestamp"] + HOUR


def test_bars_with_an_exchanges_offset_are_accepted(harness):
    script(harness, shifted(0, -15 * 60))
    daemon, gateway = run(harness)
    metrics = daemon.after_cycles(1)
    assert metrics.sum("bars_rejected_total") == 0
    assert sorted(request["symbol"] for request in gateway.requests) == [BAD, GOOD]


@pytest.mark.parametrize(("change", "kind", "counted"), FAULTS)
def test_verify_market_reports_the_same_reasons(harness, change, kind, counted):
    script(harness, change)
    settings = {"data.base_url": harness.market.url, "data.deadline_ms": 1500, "market.calendar": "always"}
    said = harness.command("verify", "market", "--symbol", f"{BAD},{GOOD}", **variables(settings))
    code, _ = said.wait_exit()
    text = said.output()
    assert code == (1 if kind else 0), text
    assert f"{GOOD}: 299 closed bars" in text
    joined = " ".join(text.split())
    assert all(words.strip() in joined for words in WORDS.get(kind, [])), text
    assert all(f"{count} {reason}" in joined for reason, count in counted.items()), text
    assert ("bars are ahead of the clock" in joined) == ("in_future" in counted)
