"""`sentinel verify market`: its requests with the user's key, its checks, and that the key is never shown."""

import json
import time

import pytest

from parts.daemon import TOKEN, free_port
from parts.harness import variables
from parts.http import drip, hang, status, text, truncated
from parts.market import HOUR, bar

TODAY = time.strftime("%Y-%m-%d", time.gmtime())
USAGE = {"name": "A Person", "email": "a@b.c", "apiRequests": 1500, "apiRequestsDate": TODAY, "dailyRateLimit": 100000}
NEVER_OPEN = """
time_zone = "UTC"
sessions = ["Mon 00:00 - Mon 00:01"]
closed = ["2000-01-01..2100-01-01"]
"""


def verify(harness, *args: str, settings: dict | None = None, **env: str) -> tuple[int, str]:
    """Runs it with the harness's market: exit code and output."""
    usual = {"data.base_url": harness.market.url, "data.deadline_ms": 1500, "market.calendar": "always"}
    said = harness.command("verify", "market", *args, **(variables(usual | (settings or {})) | env))
    code, _ = said.wait_exit()
    return code, said.output()


def marks(said: str) -> dict[str, str]:
    """The report as `{"lag": "ok"}`; the worst of several lines with one name."""
    order = ["ok", "--", "FAILED"]
    found: dict[str, str] = {}
    for line in map(str.split, said.splitlines()):
        if line and line[0] in order:
            found[line[1]] = max(found.get(line[1], "ok"), line[0], key=order.index)
    return found


def aged(hours: float) -> list[dict]:
    """Bars of which the newest closed at least so many hours ago."""
    newest = int(time.time() - hours * HOUR) // HOUR * HOUR - HOUR
    return [bar(newest - n * HOUR) for n in range(299, -1, -1)]


def test_a_good_market_passes_with_the_daemons_requests(harness):
    harness.market.rate, harness.market.usage = (1000, 990), USAGE
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD")
    assert code == 0, said
    assert set(marks(said).values()) == {"ok"}
    assert "2 are configured" in said and "are enough for 13 symbols" in said
    assert "1000 requests per minute allowed, 990" in said and "98500 calls left today" in said
    assert "recommended: 3600 s until the next bar closes" in said and "set to 10800" in said
    assert "A Person" not in said and "a@b.c" not in said
    asked, page = harness.market.requests[:-1], harness.market.requests[-1]
    assert [request.path for request in asked] == [f"/api/intraday/{name}.FOREX" for name in ("EURUSD", "GBPUSD")]
    assert page.path == "/api/user" and "api_token" not in page.query
    for request in harness.market.requests:
        assert request.headers["authorization"] == f"Bearer {TOKEN}" and TOKEN not in str(request.query)
    daemon = harness.start("--cycles", "1", settings={"market.calendar": "always"})
    daemon.after_cycles(1)
    ranges = [int(r.query["to"]) - int(r.query["from"]) for r in (asked[0], harness.market.requests[-1])]
    assert ranges[0] == ranges[1] and asked[0].query["interval"] == "1h"


def test_the_report_is_available_as_json(harness):
    code, said = verify(harness, "--json")
    report = json.loads(said)
    assert code == 0 and report["target"] == "market" and report["is_good"] is True
    assert {check["name"]: check["mark"] for check in report["checks"]} == {
        "bars": "ok",
        "lag": "ok",
        "max_bar_age": "ok",
        "rate": "note",
        "today": "note",
        "quota": "ok",
    }


def test_a_server_without_limits_is_judged_by_the_usual_plan(harness):
    code, said = verify(harness)
    assert code == 0 and marks(said)["rate"] == marks(said)["today"] == "--"
    assert "100000 calls a day (the usual plan) are enough for 13 symbols" in said
    harness.market.usage = {"apiRequests": "many"}
    code, said = verify(harness)
    assert code == 0 and "an unknown format" in said


@pytest.mark.parametrize(
    "fault, words",
    [
        (status(401, "Unauthenticated"), "EODHD_API_TOKEN"),
        (status(402), "used up"),
        (status(403), "plan"),
        (status(404, "Ticker Not Found."), "ticker"),
        (status(422), "data.interval"),
        (status(429, Retry_After="7"), "Retry-After: 7"),
        (status(302, Location="http://127.0.0.1:1/"), "data.base_url"),
        (status(503, "busy"), "try again later"),
        (hang, "data.deadline_ms"),
        (drip, "data.deadline_ms"),
        (truncated, "broke after 38 of 5000 bytes"),
        (text(""), "the answer is empty"),
        (text("<html>login</html>"), "not an array of bars"),
        (text("[]"), "no closed bar among 0 rows"),
    ],
)
def test_every_fault_is_named_with_advice(harness, fault, words):
    harness.market.always = fault
    code, said = verify(harness)
    assert code == 1 and marks(said)["bars"] == "FAILED" and "lag" not in marks(said)
    assert words in said and "->" in said


def test_a_missing_market_is_reported(harness):
    code, said = verify(harness, settings={"data.base_url": f"http://127.0.0.1:{free_port()}"})
    assert code == 1 and "cannot connect" in said and "data.base_url" in said


def test_a_refused_key_is_tried_once_and_shown_nowhere(harness):
    harness.market.always = status(401, f"bad key {TOKEN}", Retry_After=TOKEN)
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD,USDJPY")
    assert code == 1 and len(harness.market.requests) == 1
    assert "2 more symbols were not requested" in said
    assert TOKEN not in said and "[redacted]" in said


def test_one_unknown_ticker_is_its_own_failure(harness):
    harness.market.script = [status(404, "Ticker Not Found.")]
    code, said = verify(harness, "--symbol", "XXXYYY,EURUSD")
    assert code == 1 and "XXXYYY: status 404" in said and "EURUSD: 299 closed bars" in said


def test_refused_bars_and_gaps_are_counted(harness):
    del harness.market.bars[-10:-8]
    harness.market.bars[-20] |= {"close": None}
    harness.market.bars[-21] |= {"high": 0.1}
    code, said = verify(harness)
    assert code == 0 and marks(said)["refused"] == marks(said)["gaps"] == "--"
    assert "1 null, 1 high_below_low" in said and "2 among 200 bars" in said
    code, said = verify(harness, settings={"data.on_gap": "stop"})
    assert code == 1 and marks(said)["gaps"] == "FAILED"


def test_unusable_bars_are_a_failure(harness):
    harness.market.newest_closed["close"] = None
    code, said = verify(harness)
    assert code == 1 and "the newest closed bar" in said and "invalid" in said
    harness.market.bars = aged(0)[-119:]
    code, said = verify(harness)
    assert code == 1 and "the features need 120" in said


def test_a_stop_that_does_not_fit_is_a_failure(harness):
    code, said = verify(harness, "--stop-loss", "0.00002")
    assert code == 1 and marks(said)["stops"] == "FAILED", said
    assert "distance of 0.00002 from a close of 1." in said and "[[symbols]]" in said
    assert verify(harness, "--stop-loss", "0.002")[0] == 0


def test_a_feed_too_late_for_every_order_is_a_failure(harness):
    harness.market.bars = aged(4)
    code, said = verify(harness)
    assert code == 1 and marks(said)["lag"] == "FAILED", said
    assert "more than data.max_bar_age_s = 10800" in said and "recommended" in said
    code, said = verify(harness, settings={"data.max_bar_age_s": 5 * HOUR + 600})
    assert code == 0 and (marks(said)["lag"], marks(said)["max_bar_age"]) == ("ok", "--") and "tight" in said
    code, said = verify(harness, settings={"data.max_bar_age_s": 8 * HOUR})
    assert code == 0 and (marks(said)["lag"], marks(said)["max_bar_age"]) == ("ok", "ok")


def test_a_closed_market_has_no_lag(harness, tmp_path):
    calendar = tmp_path / "calendar.toml"
    calendar.write_text(NEVER_OPEN)
    harness.market.bars = aged(40)
    code, said = verify(harness, settings={"market.calendar": str(calendar)})
    assert code == 0 and marks(said)["lag"] == "--", said
    assert "market is closed" in said and "run this while it is open" in said
    assert TODAY in said and "max_bar_age" not in marks(said)


@pytest.mark.parametrize(
    "poll, symbols, carried, is_enough",
    [("cycle", 13, 13, True), ("cycle", 14, 13, False), ("bar", 14, 64, True), ("auto", 14, 64, True)],
)
def test_the_quota_limits_the_number_of_symbols(harness, poll, symbols, carried, is_enough):
    harness.market.usage = USAGE
    names = ",".join(f"SYM{n:03}" for n in range(symbols))
    code, said = verify(harness, "--symbol", names, settings={"data.poll": poll})
    assert f"are enough for {carried} symbols, {symbols} are configured" in said
    assert (code, marks(said)["quota"]) == ((0, "ok") if is_enough else (1, "FAILED"))


def test_a_smaller_plan_allows_fewer_symbols(harness):
    harness.market.usage = USAGE | {"dailyRateLimit": 5000}
    code, said = verify(harness)
    assert code == 1 and "5000 calls a day are enough for 0 symbols" in said and "data.poll" in said
    harness.market.usage = USAGE | {"apiRequests": 99999}
    code, said = verify(harness)
    assert code == 1 and marks(said)["today"] == "FAILED" and "midnight GMT" in said
    harness.market.usage, harness.market.rate = USAGE, (1, 0)
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD")
    assert code == 1 and marks(said)["rate"] == "FAILED"


def test_without_a_key_nothing_is_asked(harness):
    code, said = verify(harness, EODHD_API_TOKEN="")
    assert code == 64 and "EODHD_API_TOKEN" in said
    assert harness.market.requests == []
