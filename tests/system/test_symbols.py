"""Many symbols: a dead symbol fails without failing the cycle and is named in all outputs, and stops that fit another
instrument cause no order."""

import json
import os
import subprocess

import pytest

from parts.daemon import environment, wait_until
from parts.gateway import Reply
from parts.harness import variables
from parts.http import status

DEAD = "XX0USD"


def letters(number: int) -> str:
    """A pair's name for each number, without currencies that have another scale."""
    return f"{chr(65 + number // 26)}{chr(65 + number % 26)}XUSD"


def names(count: int) -> list[str]:
    """This many symbols, the dead one first."""
    return [DEAD, *(letters(number) for number in range(count - 1))]


@pytest.fixture
def dead_symbol(harness):
    """A market that does not know one of the symbols."""

    def serve(handler, request):
        if DEAD in request.path:
            handler.answer(json.dumps({"message": "no such symbol"}), 404)
        else:
            harness.market.serve(handler, request)

    harness.market.always = serve
    return harness


def check(health: dict, name: str) -> dict:
    """One check of /health."""
    [found] = [check for check in health["checks"] if check["name"] == name]
    return found


def the_last_line(daemon) -> dict:
    """The last log line."""
    return daemon.logs()[-1]


@pytest.mark.parametrize("count", [10, 50])
def test_one_dead_symbol_of_many_only_degrades(dead_symbol, count):
    daemon = dead_symbol.start("--symbol", ",".join(names(count)), "--cycles", "3", "--back-to-back")
    metrics = daemon.after_cycles(3)
    assert metrics("trading_cycles_failed_total") == 0
    assert metrics("symbol_failures_total", symbol=DEAD, stage="fetch") == 3
    assert metrics.sum("symbol_failures_total") == 3, "nobody else"
    started = metrics.values["process_start_time_seconds", frozenset()]
    last = metrics.all("symbol_last_success_timestamp_seconds")
    by_age = sorted(last, key=last.get)
    assert dict(by_age[0])["symbol"] == DEAD and last[by_age[0]] <= started + 5, "process start until a first success"
    assert last[by_age[0]] < last[by_age[1]], "the others did get through"
    # One dead symbol does not fail the step.
    for step in ("fetch", "features", "predict"):
        assert metrics("step_last_success_timestamp_seconds", step=step) > last[by_age[0]]
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200)
    assert daemon.metrics()("ready") == 1
    health = json.loads(daemon.get("/health")[2])
    assert health["status"] == health["last_cycle"]["outcome"] == "degraded"
    assert health["last_cycle"]["failed"] is False
    assert f"1 of {count} symbols failed: {DEAD} (fetch: 404)" in check(health, "last_cycle")["detail"]
    cycle = [line for line in daemon.logs() if line["message"] == "cycle"][-1]
    assert (cycle["failed"], cycle["outcome"], cycle["failed_symbols"]) == (False, "degraded", DEAD)


@pytest.mark.parametrize("count", [10, 50])
def test_once_with_one_dead_symbol_exits_0_as_degraded(dead_symbol, count):
    daemon = dead_symbol.start("--once", "--symbol", ",".join(names(count)))
    assert daemon.wait_exit(30)[0] == 0
    assert the_last_line(daemon)["message"].startswith("stopped: the cycle was degraded")


@pytest.mark.parametrize("count", [1, 10])
def test_a_cycle_without_any_successful_symbol_has_failed(harness, count):
    harness.market.always = status(404)
    symbols = names(count)
    daemon = harness.start("--symbol", ",".join(symbols), "--cycles", "2", "--back-to-back")
    metrics = daemon.after_cycles(2)
    assert metrics("trading_cycles_failed_total") == 2
    assert metrics.sum("symbol_failures_total") == 2 * count
    wait_until("all actors' answers", lambda: "no cycle has succeeded" in daemon.get("/readyz")[2])
    health = json.loads(daemon.get("/health")[2])
    assert health["last_cycle"]["outcome"] == "failed"
    detail = check(health, "last_cycle")["detail"]
    assert "failed; fetch: " in detail and f"{count} of {count} symbols failed" in detail
    once = harness.start("--once", "--symbol", ",".join(symbols))
    assert once.wait_exit(30)[0] == 1 and the_last_line(once)["message"] == "stopped: the cycle failed"


@pytest.mark.parametrize(("share", "failed"), [("0.5", 0), ("0.4", 1)])
def test_the_share_is_a_setting(dead_symbol, share, failed):
    daemon = dead_symbol.start(
        "--symbol", ",".join(names(2)), "--cycles", "1", settings={"health.failed_share_max": share}
    )
    assert daemon.after_cycles(1)("trading_cycles_failed_total") == failed


def test_up_to_ten_dead_symbols_are_named(harness):
    symbols = names(30)

    def serve(handler, request):
        if any(name in request.path for name in symbols[:12]):
            handler.answer("{}", 404)
        else:
            harness.market.serve(handler, request)

    harness.market.always = serve
    daemon = harness.start("--symbol", ",".join(symbols), "--cycles", "1", settings={"breaker.failures": 0})
    daemon.after_cycles(1)
    detail = check(json.loads(daemon.get("/health")[2]), "last_cycle")["detail"]
    assert "12 of 30 symbols failed" in detail and detail.endswith("and 2 more"), detail
    assert detail.count("(fetch: 404)") == 10


# At the start


def say(daemon) -> dict:
    """The first log line."""
    wait_until("a line", daemon.logs)
    return daemon.logs()[0]


def test_the_first_line_shows_mode_and_settings(harness):
    gateway = harness.gateway("v43")
    symbols = names(12)[1:]
    live = harness.start_live(gateway, "--symbol", ",".join([*symbols, "EURUSD"]), "--cycles", "1", "--threshold", "0.7")
    line = say(live)
    assert (line["level"], line["message"].split()[0]) == ("INFO", "LIVE:")
    assert line["account"] == "demo-7" and line["interval"] == "1h" and line["threshold"] == "0.7"
    assert line["symbols"] == ", ".join(symbols[:10]) + " and 2 more"
    assert line["journal"] == str(live.out.parent / "journal.db"), "absolute"
    assert line["market"] == harness.market.url and line["hub"] == harness.model.url
    assert (line["gtw"], line["dialect"]) == (f"127.0.0.1:{gateway.port}", "v43")
    dry = harness.start("--once")
    assert dry.wait_exit()[0] == 0
    assert say(dry)["message"].startswith("DRY RUN:") and say(dry)["dialect"] == "-"
    assert "test-token" not in live.output() + dry.output()


def test_the_demo_also_shows_mode_and_settings(harness):
    demo = harness.command("demo", "--cycles", "1", METRICS_PORT="0", SENTINEL__METRICS__ENABLED="false")
    assert say(demo)["message"].startswith("LIVE:")


def test_unknown_orders_are_named_at_the_next_start(harness):
    gateway = harness.gateway("place_order", lambda *_: Reply(None))
    journal = str(harness.directory / "journal.db")
    first = harness.start_live(gateway, "--cycles", "1", "--journal", journal)
    first.after_cycles(1)
    first.stop()
    second = harness.start_live(gateway, "--cycles", "1", "--journal", journal)
    second.wait_serving()
    [line] = [line for line in second.logs() if "orders of unknown outcome" in line["message"]]
    assert second.logs().index(line) == 1 and (line["level"], line["orders"]) == ("WARN", 1)
    shown = subprocess.run(
        [harness.binary, "orders", "--unresolved", "--json", "--journal", journal],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    [order] = json.loads(shown.stdout)
    assert f"{order['id']} EURUSD BUY since 20" in line["message"]
    assert f"sentinel orders resolve ID filled|rejected --note TEXT --journal {journal}" in line["message"]
    assert "sentinel orders show ID" in line["message"]


# The journal of --once


def test_once_without_a_writable_journal_exits_1(harness):
    folder = harness.directory / "folder"
    folder.mkdir(parents=True)
    journal = folder / "journal.db"
    # A folder in place of SQLite's write-ahead log: not even root can write it.
    (folder / "journal.db-wal").mkdir()
    daemon = harness.start("--once", "--journal", str(journal))
    assert daemon.wait_exit()[0] == 1
    assert "could not be written to the journal" in the_last_line(daemon)["message"]
    assert not [line for line in daemon.logs() if line.get("failed") is True], "the cycle itself went well"


# Stops


def yen(harness):
    """A market with bars at 150 yen."""
    for row in harness.market.bars:
        for price in ("open", "high", "low", "close"):
            row[price] = round(row[price] * 136, 3)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_stop_of_another_scale_is_reported_everywhere(harness, is_live):
    """Only the price shows it; the name does not."""
    yen(harness)
    gateway = harness.gateway("v43")
    journal = str(harness.directory / "journal.db")
    args = ["--symbol", "NOVEL", "--cycles", "1", "--journal", journal]
    daemon = harness.start_live(gateway, *args) if is_live else harness.start(*args, "--stop-loss", "0.002")
    metrics = daemon.after_cycles(1)
    assert metrics.nonzero("signals_suppressed_total", "reason") == {"bad_stop": 1}
    assert gateway.requests == []
    health = json.loads(daemon.get("/health")[2])
    stops = check(health, "stops")
    assert stops["status"] == "degraded" and health["status"] == "degraded"
    assert "NOVEL: the stop-loss at a distance of 0.002 from a close of 1" in stops["detail"]
    assert check(health, "kill_switch")["status"] == "ok"
    # Decisions are written after the cycle.
    wait_until("the decision", lambda: harness.run("explain", "--journal", str(journal)).returncode == 0)
    explained = harness.run("explain", "--journal", str(journal))
    assert "bad_stop" in explained.stdout and "cannot be built" in explained.stdout


def test_a_bad_stop_is_reported_with_the_first_bars(harness):
    yen(harness)
    harness.model.probabilities = [[0.1, 0.8, 0.1]]
    daemon = harness.start("--symbol", "NOVEL", "--stop-loss", "0.002", "--cycles", "1")
    metrics = daemon.after_cycles(1)
    assert metrics.sum("signals_suppressed_total") == 0
    assert check(json.loads(daemon.get("/health")[2]), "stops")["status"] == "degraded"


def test_a_fitting_stop_is_ordered(harness):
    gateway = harness.gateway("v43")
    daemon = harness.start_live(gateway, "--cycles", "1")
    daemon.after_cycles(1)
    assert len(gateway.requests) == 1
    assert check(json.loads(daemon.get("/health")[2]), "stops")["status"] == "ok"


# Settings


def settle(harness, *args: str, **settings: object) -> tuple[int, str]:
    """`sentinel check` with these settings: exit code and output."""
    env = environment(**variables(settings)) | {"HOME": os.environ.get("HOME", "/")}
    done = subprocess.run([harness.binary, "check", *args], env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("symbols", "effective", "why"),
    [
        ("EURUSD", "fx", "every ticker ends in .FOREX"),
        ("EURUSD,GBPUSD.FOREX", "fx", "every ticker ends in .FOREX"),
        ("EURUSD,BTC-USD.CC", "always", "not every ticker ends in .FOREX"),
        ("AAPL.US", "always", "not every ticker ends in .FOREX"),
    ],
)
def test_the_calendar_follows_the_symbols(harness, symbols, effective, why):
    code, said = settle(harness, "--symbol", symbols)
    assert code == 0 and f'calendar = "{effective}"' in said
    assert f"# The market's calendar is {effective}, as auto selects it here: {why}." in said
    for word in ("always", "fx"):
        code, said = settle(harness, "--symbol", symbols, **{"market.calendar": word})
        assert code == 0 and f'calendar = "{word}"' in said
        assert (f"auto would be {effective}" in said) == (word != effective)


def test_a_suffix_is_kept_and_explained(harness):
    code, said = settle(harness, "--symbol", "EURUSD.FOREX,AAPL.US,EURGBP.raw")
    assert code == 0
    for line in (
        "# EURUSD.FOREX: ticker EURUSD.FOREX, at the gateway EURUSD.",
        "# AAPL.US: ticker AAPL.US, at the gateway AAPL.US.",
        "# EURGBP.raw: ticker EURGBP.raw.FOREX, at the gateway EURGBP.raw.",
    ):
        assert line in said
    code, said = settle(harness, "--symbol", "EURUSD,EURUSD.FOREX")
    assert code == 64 and "EURUSD" in said and "also the name of another symbol" in said


def test_market_and_gateway_get_the_derived_names(harness):
    gateway = harness.gateway("v43")
    metrics = harness.start_live(gateway, "--symbol", "EURUSD.FOREX", "--cycles", "1").after_cycles(1)
    assert {request.path for request in harness.market.requests} == {"/api/intraday/EURUSD.FOREX"}
    assert [request["symbol"] for request in gateway.requests] == ["EURUSD"]
    assert metrics("symbol_signals_total", symbol="EURUSD.FOREX", action="BUY") == 1


def test_a_yen_pair_needs_its_own_pips(harness):
    code, said = settle(harness, "--symbol", "EURUSD,USDJPY", "--stop-loss", "0.002")
    assert code == 64
    assert "symbols.USDJPY.stop_loss: 0.002 is less than a pip in JPY, which is 0.01" in said and "[[symbols]]" in said
    assert "symbols.USDJPY.digits: 5 is too many" in said
    path = harness.directory / "own.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[[symbols]]\nname = 'EURUSD'\n[[symbols]]\nname = 'USDJPY'\ndigits = 3\nstop_loss = 0.2\n")
    assert settle(harness, "--config", str(path), "--stop-loss", "0.002")[0] == 0
