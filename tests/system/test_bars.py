"""`sentinel bars`: history from a scripted EODHD, in requests that it answers, through every trouble, into a file that is whole."""

import csv
import json
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from parts.daemon import TOKEN, wait_until
from parts.http import hang, status, text, truncated
from parts.market import HOUR, bar
from parts.harness import variables

FROM, TO = "2024-01-01", "2024-03-01"
# 60,000 bytes are 400 rows of EODHD's.
SMALL = {"data.body_bytes_max": 60_000}
HEADER = ["timestamp", "open", "high", "low", "close", "volume"]


def unix(day: str) -> int:
    """Of its midnight, UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=timezone.utc).timestamp())


def history(begin: str = FROM, end: str = TO) -> list[dict]:
    """An hour after the other, in rows as short as EODHD's."""
    rows = [bar(time) for time in range(unix(begin), unix(end), HOUR)]
    return [{name: row[name] for name in HEADER} for row in rows]


@pytest.fixture
def market(harness):
    """EODHD with two months of bars, and a day more on both sides."""
    harness.market.bars = history("2023-12-31", "2024-03-02")
    return harness.market


def begin(harness, *args: str, settings: dict | None = None, **env: str):
    """Starts it; the file is `bars.csv` in the test's folder, unless the arguments say otherwise."""
    usual = {"data.base_url": harness.market.url, "data.deadline_ms": 1500, "market.calendar": "always"} | SMALL
    given = ["--from", FROM, "--to", TO, "--out", str(harness.directory / "bars.csv")]
    return harness.command("bars", *given, *args, **(variables(usual | (settings or {})) | env))


def fetch(harness, *args: str, settings: dict | None = None, **env: str) -> tuple[int, str]:
    """Runs it to its end: exit code and what it said."""
    run = begin(harness, *args, settings=settings, **env)
    code, _ = run.wait_exit(60)
    assert TOKEN not in run.output()
    return code, run.output()


def rows(path: Path) -> list[dict]:
    """Of the file, as EODHD's rows."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        found = [{name: float(value) for name, value in row.items()} for row in reader]
    assert reader.fieldnames == HEADER
    return found


def wanted(bars: list[dict]) -> list[dict]:
    """These rows, as a file has them."""
    return [{name: float(bar[name]) for name in HEADER} for bar in bars]


def names(harness) -> list[str]:
    """Of the files that are there, but for those of the daemons."""
    return sorted(path.name for path in harness.directory.iterdir() if not path.name.startswith("daemon-"))


def ranges(market) -> list[tuple[int, int]]:
    """Asked for so far."""
    return [(int(request.query["from"]), int(request.query["to"])) for request in market.requests]


def test_all_bars_come_in_requests_that_fit(harness, market):
    code, said = fetch(harness)
    assert code == 0, said
    assert rows(harness.directory / "bars.csv") == wanted(history())
    assert names(harness) == ["bars.csv"], "nothing else is left"
    assert "1440 1h bars of EURUSD that opened 2024-01-01 00:00 UTC to 2024-02-29 23:00 UTC" in said
    assert len(market.requests) == 4 and "4 requests to EODHD, which take 20 of the day's calls" in said
    for request in market.requests:
        assert request.path == "/api/intraday/EURUSD.FOREX" and request.query["fmt"] == "json"
        assert request.headers["authorization"] == f"Bearer {TOKEN}" and TOKEN not in str(request.query)
    assert follow_each_other(ranges(market))


def follow_each_other(spans: list[tuple[int, int]]) -> bool:
    """From the first bar to the last, and no second between."""
    pairs = zip([(0, unix(FROM) - 1), *spans], [*spans, (unix(TO), 0)])
    return all(one[1] + 1 == other[0] for one, other in pairs)


def test_an_answer_too_long_is_asked_for_in_halves(harness, market):
    market.bars = [row | {"datetime": "2024-01-01 00:00:00", "gmtoffset": 0, "note": 60 * "x"} for row in market.bars]
    code, said = fetch(harness)
    assert code == 0 and rows(harness.directory / "bars.csv") == wanted(history()), said
    answered = [span for span in ranges(market) if span[1] - span[0] < 201 * HOUR]
    assert len(market.requests) == len(answered) + 1 and follow_each_other(answered)


@pytest.mark.parametrize(("interval", "days", "since"), [("1m", 120, "2023-01-01"), ("5m", 600, "2020-01-01"), ("1h", 7200, "1985-01-01")])
def test_no_request_is_longer_than_eodhd_allows(harness, market, interval, days, since):
    def limited(handler, request):
        low, high = int(request.query["from"]), int(request.query["to"])
        if high - low > days * 86_400:
            return handler.answer('{"errors": {"from": ["too long"]}}', 422)
        seconds = {"1m": 60, "5m": 300, "1h": HOUR}[interval]
        first = -(-low // seconds) * seconds
        handler.answer(json.dumps([bar(first)]))

    market.always = limited
    usual = {"data.base_url": market.url, "market.calendar": "always", "data.body_bytes_max": 1 << 28, "data.jump_max": 0}
    args = ["--from", since, "--to", TO, "--out", str(harness.directory / "bars.csv"), "--interval", interval]
    run = harness.command("bars", *args, **variables(usual))
    code, said = run.wait_exit(60)[0], run.output()
    assert code == 0, said
    assert all(request.query["interval"] == interval for request in market.requests)
    lengths = [high + 1 - low for low, high in ranges(market)]
    assert len(lengths) > 1 and set(lengths[:-1]) == {days * 86_400} and lengths[-1] <= days * 86_400


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (401, "the key is not accepted"),
        (402, "the calls of the day are used up"),
        (403, "the key may not have this"),
        (404, "no such ticker"),
        (422, "the arguments are refused"),
        (302, "redirects are not followed"),
    ],
)
def test_a_refusal_is_said_and_not_repeated(harness, market, code, word):
    market.script = [market.always, status(code, f'{{"message": "no {TOKEN}"}}')]
    ended, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert ended == 1 and word in said and f"status {code}" in said, said
    assert "bars.csv.part keeps what came: the same command goes on after it" in said
    assert len(market.requests) == 2 and names(harness) == ["bars.csv.part"]
    code, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert code == 0 and rows(harness.directory / "bars.csv") == wanted(history()), said
    assert market.requests[1].query["from"] == market.requests[2].query["from"], "it goes on where it was refused"


def test_a_pause_that_is_asked_for_is_kept(harness, market):
    market.script = [market.always, status(429, Retry_After="2")]
    code, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert code == 0 and "asking again in 2 s" in said, said
    assert market.requests[2].at - market.requests[1].at > 1.9
    assert rows(harness.directory / "bars.csv") == wanted(history())


def test_trouble_that_passes_costs_nothing(harness, market):
    market.script = [status(500), status(503), market.always, text("[{}]")]
    code, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert code == 1 and "not an array of bars" in said and "no proxy or login page" in said, said
    code, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert code == 0 and rows(harness.directory / "bars.csv") == wanted(history()), said


def test_trouble_that_stays_ends_as_the_breaker_says(harness, market):
    market.always = status(502, f"bad gateway {TOKEN}")
    began = time.monotonic()
    code, said = fetch(harness, settings={"breaker.failures": 2})
    assert code == 1 and "too many requests failed in a row" in said and "status 502" in said, said
    # Two calls with the one retry that each has.
    assert len(market.requests) == 4 and time.monotonic() - began < 20


def test_a_run_that_was_killed_goes_on(harness, market):
    market.script = [market.always, hang]
    run = begin(harness, settings={"data.body_bytes_max": 120_000, "data.deadline_ms": 30_000})
    part = harness.directory / "bars.csv.part"
    wait_until("the second request", lambda: len(market.requests) == 2 and "# done" in part.read_text())
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    first, second = ranges(market)
    kept = part.read_text()
    # As if it had died while it wrote the next ones.
    part.write_text(kept + "1704067200,1.1,1.2\n1704070800,1.1")
    code, said = fetch(harness, settings={"data.body_bytes_max": 120_000})
    assert code == 0 and "bars.csv.part goes on: " in said, said
    assert ranges(market)[2] == second and first not in ranges(market)[1:]
    assert rows(harness.directory / "bars.csv") == wanted(history()) and names(harness) == ["bars.csv"]


def test_a_part_of_another_question_is_refused(harness, market):
    market.script = [market.always, status(401)]
    assert fetch(harness, settings={"data.body_bytes_max": 120_000})[0] == 1
    asked = len(market.requests)
    for more, word in [
        (["--interval", "5m"], "--interval is 1h there and 5m here"),
        (["--symbol", "GBPUSD"], "--symbol is EURUSD (EURUSD.FOREX) there and GBPUSD (GBPUSD.FOREX) here"),
    ]:
        code, said = fetch(harness, *more)
        assert code == 1 and "bars.csv.part" in said and word in said, said
    assert len(market.requests) == asked and names(harness) == ["bars.csv.part"]


def test_wrong_bars_are_left_out_and_named(harness, market):
    by_time = {row["timestamp"]: row for row in market.bars}
    by_time[unix("2024-01-05")]["high"] = 0.5
    by_time[unix("2024-01-06")]["low"] = -1
    by_time[unix("2024-01-07")] |= dict.fromkeys(("open", "high", "low", "close"))
    code, said = fetch(harness)
    assert code == 0, said
    assert "EURUSD: the bar that opens 2024-01-05 00:00 UTC is left out: high_below_low" in said
    assert "EURUSD: the bar that opens 2024-01-06 00:00 UTC is left out: not_positive" in said
    assert "2024-01-07 00:00 UTC is left out" not in said, "an hour without trades is no wrong bar"
    assert "bars are missing in 3 places" in said and "the longest from 2024-01-07 00:00 UTC to 2024-01-07 01:00 UTC (60 minutes)" in said
    left_out = [unix(f"2024-01-0{day}") for day in (5, 6, 7)]
    assert rows(harness.directory / "bars.csv") == wanted([row for row in history() if row["timestamp"] not in left_out])


def test_bars_that_contradict_each_other_are_refused_by_their_time(harness, market):
    other = bar(unix("2024-02-10")) | {"close": 1.1, "open": 1.1, "high": 1.2, "low": 1.0}
    market.bars.append(other)
    code, said = fetch(harness)
    assert code == 1 and "EURUSD: two different bars open at 2024-02-10 00:00:00 UTC" in said, said
    market.bars.pop()
    market.bars[1000]["timestamp"] += 1800
    code, said = fetch(harness)
    assert code == 1 and "cannot follow the one that opens at" in said, said
    market.bars[1000]["timestamp"] -= 1800
    assert fetch(harness)[0] == 0, "the next try finds them corrected"


def test_a_jump_is_refused_until_a_person_confirms_it(harness, market):
    index = next(n for n, row in enumerate(market.bars) if row["timestamp"] == unix("2024-02-10"))
    market.bars[index] |= {name: round(market.bars[index][name] * 1.5, 5) for name in ("open", "high", "low", "close")}
    code, said = fetch(harness)
    assert code == 1 and "EURUSD: a price jumps from" in said and "2024-02-10 00:00:00 UTC" in said, said
    part = harness.directory / "bars.csv.part"
    [line] = [n for n, line in enumerate(part.read_text().splitlines(), 1) if line.startswith(f"{unix('2024-02-10')},")]
    assert "data.jump_max" in said
    assert f"correct or remove line {line} of {part}, which begins with {unix('2024-02-10')}" in said, said
    asked = len(market.requests)
    code, said = fetch(harness, settings={"data.jump_max": 0.6})
    assert code == 0 and len(market.requests) == asked, "all had come"


def test_several_symbols_are_a_folder(harness, market):
    out = harness.directory / "all"
    usual = {"data.base_url": harness.market.url, "market.calendar": "always"}
    args = ["--from", FROM, "--to", TO, "--out", str(out), "--symbol", "EURUSD,GBPUSD"]
    market.script = [market.always, market.always, status(403)]
    for ended in (1, 0):
        run = harness.command("bars", *args, **variables(usual | {"data.body_bytes_max": 120_000}))
        code, _ = run.wait_exit(60)
        assert code == ended, run.output()
        assert out.exists() == (ended == 0)
    assert names(harness) == ["all"] and sorted(path.name for path in out.iterdir()) == ["EURUSD.csv", "GBPUSD.csv"]
    assert rows(out / "GBPUSD.csv") == rows(out / "EURUSD.csv") == wanted(history())


@pytest.mark.parametrize(("interval", "hours"), [("4h", 4), ("1d", 24)])
def test_longer_bars_are_made_of_finer_ones(harness, market, interval, hours):
    code, said = fetch(harness, "--interval", interval, settings={"data.body_bytes_max": 4_194_304})
    assert code == 0, said
    assert {request.query["interval"] for request in market.requests} == {"1h"}
    found, finer = rows(harness.directory / "bars.csv"), history()
    assert len(found) == len(finer) / hours
    for n, made in enumerate(found):
        parts = finer[n * hours : (n + 1) * hours]
        assert (made["timestamp"], made["open"], made["close"]) == (
            parts[0]["timestamp"], parts[0]["open"], parts[-1]["close"],
        )  # fmt: skip
        assert made["high"] == max(part["high"] for part in parts) and made["low"] == min(part["low"] for part in parts)


def test_a_bar_that_still_forms_is_not_there(harness):
    harness.market.bars = [bar(int(time.time()) // HOUR * HOUR - n * HOUR) for n in range(99, -1, -1)]
    out = harness.directory / "bars.csv"
    since = datetime.fromtimestamp(time.time() - 3 * 86_400, timezone.utc).strftime("%Y-%m-%d")
    run = harness.command(
        "bars", "--from", since, "--to", "2099-01-01", "--out", str(out),
        **variables({"data.base_url": harness.market.url, "market.calendar": "always"}),
    )  # fmt: skip
    assert run.wait_exit(60)[0] == 0, run.output()
    assert rows(out)[-1]["timestamp"] + HOUR <= time.time() < rows(out)[-1]["timestamp"] + 2 * HOUR + 60


def test_bars_that_come_late_are_asked_for_again(harness):
    newest = int(time.time()) // HOUR * HOUR - HOUR
    whole = [bar(newest - n * HOUR) for n in range(99, -1, -1)]
    market, out = harness.market, harness.directory / "all"
    since = datetime.fromtimestamp(time.time() - 3 * 86_400, timezone.utc).strftime("%Y-%m-%d")
    args = ["--from", since, "--to", "2099-01-01", "--out", str(out), "--symbol", "EURUSD,GBPUSD"]
    env = variables({"data.base_url": market.url, "market.calendar": "always"})
    # The newest three hours of EURUSD are not there yet, and GBPUSD is refused.
    market.bars = whole[:-3]
    market.script = [market.always, status(404)]
    run = harness.command("bars", *args, **env)
    assert run.wait_exit(60)[0] == 1 and "all.part keeps what came" in run.output(), run.output()
    market.bars = whole
    run = harness.command("bars", *args, **env)
    assert run.wait_exit(60)[0] == 0, run.output()
    assert int(market.requests[2].query["from"]) == newest - 2 * HOUR, "from the close of the newest bar that came"
    for symbol in ("EURUSD", "GBPUSD"):
        assert [row["timestamp"] for row in rows(out / f"{symbol}.csv")][-4:] == [newest - n * HOUR for n in (3, 2, 1, 0)]
    assert rows(out / "EURUSD.csv") == rows(out / "GBPUSD.csv")


def test_what_is_there_is_never_written_over(harness, market):
    (harness.directory / "bars.csv").write_text("mine")
    code, said = fetch(harness)
    assert code == 1 and "bars.csv is already there: name another place, or remove it" in said
    assert market.requests == [] and (harness.directory / "bars.csv").read_text() == "mine" and names(harness) == ["bars.csv"]


def test_without_bars_there_is_no_file(harness, market):
    market.bars = []
    code, said = fetch(harness)
    assert code == 1 and "EURUSD: EODHD has no bars of EURUSD.FOREX in this time" in said
    assert "nothing came, and nothing is left" in said and names(harness) == []


def test_a_symbol_without_bars_is_asked_for_again(harness, market):
    usual = {"data.base_url": market.url, "market.calendar": "always", "data.body_bytes_max": 1 << 22}
    args = ["--from", FROM, "--to", TO, "--out", str(harness.directory / "all"), "--symbol", "EURUSD,GBPUSD"]
    market.script = [market.always, text("[]")]
    run = harness.command("bars", *args, **variables(usual))
    assert run.wait_exit(60)[0] == 1 and "GBPUSD: EODHD has no bars" in run.output(), run.output()
    assert "all.part keeps what came" in run.output()
    run = harness.command("bars", *args, **variables(usual))
    assert run.wait_exit(60)[0] == 0 and len(market.requests) == 3, run.output()
    assert "1 request to EODHD, which takes 5 of the day's calls" in run.output()


def test_a_refusal_before_the_first_bar_keeps_nothing(harness, market):
    market.always = status(401)
    code, said = fetch(harness)
    assert code == 1 and "nothing came, and nothing is left" in said and names(harness) == [], said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("script", "left", "word"), [(1, ["bars.csv.part"], "bars.csv.part keeps what came"), (0, [], "nothing came")])
def test_a_signal_keeps_what_came_and_says_so(harness, market, number, script, left, word):
    market.script, market.always = [market.always] * script, hang
    run = begin(harness, settings={"data.body_bytes_max": 120_000, "data.deadline_ms": 30_000})
    wait_until("the last request", lambda: len(market.requests) == script + 1)
    run.process.send_signal(number)
    assert run.wait_exit(30)[0] == 130, run.output()
    assert f"stopped by {number.name}: " in run.output() and word in run.output() and names(harness) == left


def test_an_answer_that_breaks_off_is_asked_for_again(harness, market):
    market.script = [truncated, truncated, market.always]
    code, said = fetch(harness, settings={"data.body_bytes_max": 1 << 22})
    assert code == 0 and "the connection broke after 38 of 5000 bytes; asking again" in said, said
    assert rows(harness.directory / "bars.csv") == wanted(history())


def test_the_folder_of_the_file_is_made(harness, market):
    out = harness.directory / "no/such/x.csv"
    usual = {"data.base_url": market.url, "market.calendar": "always"}
    run = harness.command("bars", "--from", FROM, "--to", TO, "--out", str(out), **variables(usual))
    assert run.wait_exit(60)[0] == 0 and rows(out) == wanted(history()), run.output()


def test_what_cannot_be_asked_is_64(harness, market):
    code, said = fetch(harness, EODHD_API_TOKEN="")
    assert code == 64 and "EODHD_API_TOKEN" in said
    for args in (["--from", TO, "--to", FROM], ["--from", "2099-01-01", "--to", "2099-02-01"], ["--from", "monday", "--to", TO]):
        run = harness.command("bars", *args, "--out", "x.csv", **variables({"data.base_url": harness.market.url}))
        assert run.wait_exit()[0] == 64, run.output()
    assert market.requests == [] and names(harness) == []
