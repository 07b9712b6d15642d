"""The console's API on a running daemon: its contract, pages, tags, hostile text, a journal that is busy or gone, and its cost."""

import json
import sqlite3
import statistics
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from parts import console_contract as contract
from parts.daemon import free_port, wait_until
from parts.harness import variables
from parts.preload import preload
from parts.secured_daemon import CHEAP, PASSWORD, basic
from parts.tables import keep

HOSTILE = "<img src=x onerror=alert(1)>\"'</script>"
PRESS = {"Content-Type": "application/json", "X-Sentinel": "1", "Sec-Fetch-Site": "same-origin"}


class Console:
    """A client of one console."""

    def __init__(self, port: int):
        self.port = port

    def ask(self, path: str, headers: dict | None = None, body: dict | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()

    def get(self, name: str, **headers: str) -> dict:
        """The answer of an address below /console/api/; asked for again if the journal had no time for it."""
        for _ in range(20):
            status, _, body = self.ask(contract.API + name, headers)
            if status != 503 or json.loads(body)["error"]["code"] != "busy":
                break
        assert status == 200, (name, status, body)
        return json.loads(body)

    def press(self, button: str, body: dict, **headers: str) -> tuple[int, dict]:
        """What a button answers."""
        status, _, answer = self.ask(contract.API + button, PRESS | headers, body)
        return status, json.loads(answer)


def demo(harness, *args: str, **env: str):
    """A demo with a console, and its client."""
    port = free_port()
    env = {"SENTINEL__CONSOLE__ENABLED": "true", "SENTINEL__CONSOLE__PORT": str(port)} | env
    daemon = harness.command("demo", "--metrics-port", str(free_port()), *args, **env)
    console = Console(port)
    wait_until("an answer of the console", lambda: answers(console), 60)
    return daemon, console


def answers(console: Console) -> bool:
    """Whether it serves."""
    try:
        return console.ask("/console/api/now")[0] == 200
    except OSError:
        return False


@pytest.fixture
def running(harness, tmp_path):
    """A demo that has traded, with a journal that is known here: daemon, console, journal."""
    journal = tmp_path / "journal.db"
    args = ["--cycle-seconds", "0.5", "--journal", str(journal)]
    daemon, console = demo(harness, *args, SENTINEL__GUARDS__HALT_FILE=str(tmp_path / "halt"))
    wait_until("200 cycles", lambda: len(console.get("decisions")["rows"]) >= 200, 60)
    return daemon, console, journal


def test_every_answer_is_as_the_contract_has_it(running):
    _, console, _ = running
    examples, may_be_null = contract.examples(), contract.nullable()
    order = console.get("orders?limit=1")["rows"][0]["id"]
    asked = {name: name for name in examples if name not in ("error", "halt", "orders/ID")}
    asked |= {"bars": "bars?symbol=EURUSD", "odds": "odds?symbol=EURUSD", "orders/ID": f"orders/{order}"}
    assert len(asked) >= 12
    for name, path in asked.items():
        assert not contract.differences(examples[name], console.get(path), may_be_null), name
    status, answer = console.press("halt", {"reason": "news"})
    assert status == 200 and not contract.differences(examples["halt"], answer, may_be_null)
    error = json.loads(console.ask("/console/api/none")[2])
    assert not contract.differences(examples["error"], error, may_be_null)


def test_pages_have_every_row_once(running):
    _, console, journal = running
    with sqlite3.connect(journal) as db:
        newest = db.execute("SELECT max(cycle_id) FROM decisions").fetchone()[0]
        known = [row[0] for row in db.execute("SELECT cycle_id FROM decisions WHERE cycle_id <= ? ORDER BY cycle_id DESC", [newest])]
        orders = [row[0] for row in db.execute("SELECT id FROM orders ORDER BY rowid DESC")]
    seen = pages(console, "decisions?limit=37", newest + 1)
    assert [row["cycle_id"] for row in seen] == known
    closes = [row["bar_close_s"] for row in pages(console, "odds?symbol=EURUSD&limit=50")]
    assert closes == sorted(set(closes), reverse=True) and len(closes) >= 200
    bars = [row[0] for row in pages(console, "bars?symbol=EURUSD&limit=90")]
    assert bars == sorted(set(bars), reverse=True) and len(bars) >= 390
    assert set(closes) <= set(bars)
    shown = [row["id"] for row in pages(console, "orders?limit=3")]
    assert shown[-len(orders):] == orders


def pages(console: Console, path: str, before: int | None = None) -> list:
    """All rows, page after page."""
    rows = []
    while True:
        page = console.get(path + (f"&before={before}" if before is not None else ""))
        rows += page["rows"]
        before = page["next_before"]
        if before is None:
            return rows


def test_what_has_not_changed_is_not_sent_again(harness, tmp_path):
    _, console = demo(harness, "--cycles", "30")
    wait_until("the last cycle", lambda: console.get("now")["cycles_ended"], 60)
    for name in ("now", "decisions", "bars?symbol=EURUSD", "odds?symbol=EURUSD", "orders", "positions", "money", "model"):
        tags = set()
        for _ in range(3):
            status, headers, _ = console.ask(contract.API + name)
            assert status == 200 and headers["cache-control"] == "no-store"
            tags.add(headers["etag"])
            time.sleep(0.1)
        assert len(tags) == 1, name
        status, headers, body = console.ask(contract.API + name, {"If-None-Match": tags.pop()})
        assert (status, body) == (304, b""), name


def test_hostile_text_comes_out_as_text(running):
    _, console, journal = running
    with sqlite3.connect(journal, timeout=10) as db:
        db.execute("UPDATE orders SET reason = ?, state = 'unknown' WHERE rowid = (SELECT max(rowid) FROM orders)", [HOSTILE])
        db.execute("UPDATE order_events SET note = ?, who = ?", [HOSTILE, HOSTILE])
        db.execute("UPDATE decisions SET failed_stage = ?, failure = ?, failure_detail = ? WHERE order_id IS NULL", [HOSTILE] * 3)
    order = console.get("orders?limit=1")["rows"][0]
    assert order["reason"] == HOSTILE
    story = console.get(f"orders/{order['id']}")
    assert {event["who"] for event in story["events"]} == {HOSTILE}
    assert console.get("now")["unresolved"][0]["reason"] == HOSTILE
    assert any((row["failure"] or {}).get("detail") == HOSTILE for row in console.get("decisions")["rows"])
    assert console.press("halt", {"reason": HOSTILE})[1]["halt"]["reason"] == HOSTILE
    assert any(HOSTILE in line["text"] for line in console.get("system")["warnings"])
    for path in ("now", "orders", "decisions", "system", f"orders/{urllib.parse.quote(HOSTILE)}"):
        _, headers, _ = console.ask(contract.API + path)
        assert headers["content-type"] == "application/json", path
        assert all(headers[name.lower()] == value for name, value in contract.HEADERS.items()), path


def test_a_halt_stops_orders_until_a_resume(running):
    daemon, console, journal = running
    status, answer = console.press("halt", {"reason": "news at 15:30"})
    assert status == 200 and answer["halt"]["who"] == "console:@127.0.0.1"
    halted_at = console.get("now")["cycle_id"]
    wait_until("two cycles", lambda: console.get("now")["cycle_id"] > halted_at + 1000)
    now = console.get("now")
    assert now["halt"]["is_halted"] and now["halt"]["reason"] == "news at 15:30"
    assert any(check["name"] == "kill_switch" and check["status"] != "ok" for check in now["health"]["checks"])
    stale = {"If-Match": f'"{now["halt"]["generation"] - 1}"'}
    assert console.press("resume", {"account": "demo"}, **stale)[0] == 412
    assert console.press("resume", {"account": "demo"}, **stale)[0] == 412
    refused = [line for line in console.get("system")["warnings"] if "a press was refused" in line["text"]]
    assert len(refused) == 1 and all(part in refused[0]["text"] for part in ("stale", "console:@127.0.0.1")), refused
    assert console.press("resume", {"account": "demo"}, **{"If-Match": f'"{now["halt"]["generation"]}"'})[0] == 200
    assert not console.get("now")["halt"]["is_halted"]
    with sqlite3.connect(journal) as db:
        kept = db.execute("SELECT who, action, note FROM console_actions").fetchall()
        # Of the cycles that began after the halt: one that ran already may have sent before it.
        begun = [answer["halt"]["since_ms"], now["cycle_id"]]
        sent = db.execute("SELECT count(*), count(order_id) FROM decisions WHERE cycle_id > ? AND cycle_id <= ?", begun).fetchone()
        assert sent[0] > 0 and sent[1] == 0, sent
    here = "console:@127.0.0.1"
    assert kept == [(here, "halt", "news at 15:30"), (here, "ask_resume", None), (here, "resume", None)]
    said = daemon.output()
    assert "halted from the console" in said and "resumed from the console" in said


def test_a_halt_is_answered_before_a_slow_disk_has_it(harness, tmp_path):
    halt = {"SENTINEL__GUARDS__HALT_FILE": str(tmp_path / "halt")}
    _, console = demo(harness, "--cycle-seconds", "0.5", **halt, **preload(tmp_path, "slow_halt_sync"))
    began = time.monotonic()
    status, answer = console.press("halt", {"reason": "news"})
    took = time.monotonic() - began
    assert status == 200 and answer["halt"]["is_halted"], answer
    assert answer["doubts"] == ["a power failure may undo this halt: its file is not on disk yet"]
    # The page itself gives up after 15 s, and would say that nothing is known of the halt.
    assert took < 4, took


@pytest.mark.long
def test_a_journal_that_is_gone_is_reported(running):
    daemon, console, journal = running
    cycles = daemon_cycles(console)
    for suffix in ("", "-wal", "-shm"):
        journal.with_name(journal.name + suffix).unlink()
    status, headers, body = console.ask(contract.API + "orders")
    assert (status, headers["retry-after"], json.loads(body)["error"]["code"]) == (503, "1", "journal")
    wait_until("more cycles", lambda: daemon_cycles(console) > cycles + 2)
    assert daemon.process.poll() is None


def daemon_cycles(console: Console) -> int:
    """How many cycles have ended."""
    return next(row["count"] for row in console.get("stages")["rows"] if row["stage"] == "cycle")


def test_a_stop_under_an_open_page_leaves_no_log(running):
    daemon, console, journal = running
    assert console.get("orders")["rows"]
    assert daemon.stop()[0] == 0
    assert not journal.with_name(journal.name + "-wal").exists()
    with sqlite3.connect(journal) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.long
def test_a_journal_is_read_while_somebody_writes_to_it(running):
    _, console, journal = running
    db = sqlite3.connect(journal, timeout=10, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE t (x)")
    try:
        assert console.get("orders")["rows"]
    finally:
        db.execute("ROLLBACK")


def test_the_scrape_password_opens_nothing_here(harness, tmp_path):
    """HUB's file, and the console's with other users."""
    scrape, own = tmp_path / "web.yml", tmp_path / "console.yml"
    scrape.write_text(f"basic_auth_users:\n  hub: {CHEAP}\n")
    port = free_port()
    settings = {"console.enabled": "true", "console.port": port, "metrics.web_config_file": scrape}
    refused = harness.command("check", **variables(settings | {"console.web_config_file": scrape}))
    assert refused.wait_exit()[0] == 64 and "console.web_config_file: must not be metrics.web_config_file" in refused.output()
    own.write_text("basic_auth_users:\n  ann: $2y$04$abcdefghijklmnopqrstuuBIU4HHnZkbEkLqlI3eTGGrcEcCkDnkK\n")
    harness.start(settings=settings | {"console.web_config_file": own})
    console = Console(port)
    wait_until("an answer", lambda: reached(console))
    for path in ("/", "/console/", "/console/api/now", "/metrics", "/health"):
        for headers in ({}, {"Authorization": basic("hub", PASSWORD)}):
            status, _, body = console.ask(path, headers)
            assert status == 401 and json.loads(body)["error"]["code"] == "unauthorised", path
    status, _, _ = console.ask("/console/api/halt", PRESS | {"Authorization": basic("hub", PASSWORD)}, {"reason": "x"})
    assert status == 401


def reached(console: Console) -> bool:
    """Whether anything answers."""
    try:
        return bool(console.ask("/console/")[0])
    except OSError:
        return False


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_other_machines_need_tls_and_users(harness, bind):
    refused = harness.command("check", **variables({"console.enabled": "true", "console.bind": bind}))
    assert refused.wait_exit()[0] == 64
    assert "console.bind" in refused.output() and "ssh -L 8001" in refused.output()


def test_a_console_port_that_is_taken_stops_nothing(harness):
    taken = harness.start(settings={"console.enabled": "true", "console.port": free_port()}).wait_serving()
    port = next(line["url"] for line in wait_until("its log", lambda: [it for it in taken.logs() if "url" in it]))
    port = int(port.split(":")[2].split("/")[0])
    second = harness.start(settings={"console.enabled": "true", "console.port": port}).wait_serving()
    assert any("no console" in line.get("message", "") for line in second.logs())
    assert second.get("/livez")[0] == 200


@pytest.mark.long
def test_answers_are_quick(running):
    """Beside other tests: half of Now within 40 ms, of 1,000 candles with marks (two pages each of bars and odds) within 400 ms."""
    _, console, _ = running
    now = timed(lambda: console.get("now"), 200)
    chart = timed(lambda: candles(console), 60)
    print(f"Now: p50 {now[0]:.1f} ms, p99 {now[1]:.1f} ms; 1,000 candles with marks: p50 {chart[0]:.1f} ms, p99 {chart[1]:.1f} ms")
    assert now[0] < 40 and chart[0] < 400


@pytest.mark.full
def test_99_of_100_answers_are_in_time(running):
    """The binary that INF runs, measured alone: Now within 20 ms, 1,000 candles with marks within 100 ms, in the usual of five rounds."""
    _, console, _ = running
    rounds = [(timed(lambda: console.get("now"), 200)[1], timed(lambda: candles(console), 100)[1]) for _ in range(5)]
    now, chart = (statistics.median(each) for each in zip(*rounds))
    keep("console", f"| the console's answers, 99 of 100 | Now {now:.1f} ms | 1,000 candles with marks {chart:.1f} ms |\n")
    assert now <= 20 and chart <= 100, rounds


def candles(console: Console):
    """What the view Symbol asks for."""
    for name in ("bars", "odds"):
        before = ""
        for _ in range(2):
            page = console.get(f"{name}?symbol=EURUSD&limit=500{before}")
            if page["next_before"] is None:
                break
            before = f"&before={page['next_before']}"


def timed(act, times: int) -> tuple[float, float]:
    """Median and 99th percentile, milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


ROUNDS, ROUNDS_MAX = 5, 9


@pytest.mark.long
def test_twenty_pages_leave_a_cycle_and_memory_what_they_were(harness):
    """20 clients at one poll a second against none, in one run: the cycle's 99th percentile within 10 % or 50 ms, and 2 MiB."""
    daemon, console = demo(harness, "--cycle-seconds", "0.1", SENTINEL__LOG__LEVEL="info", SENTINEL__LOG__FORMAT="json")
    wait_until("300 cycles", lambda: daemon_cycles(console) >= 300, 90)
    rounds = []
    # More rounds make the median surer; a good one alone ends nothing.
    while len(rounds) < ROUNDS or (len(rounds) < ROUNDS_MAX and not is_as_before(rounds)):
        rounds.append(one_round(daemon, console.port))
        alone, watched, more = rounds[-1]
        print(f"99 of 100 cycles took at most {alone:.1f} ms alone, {watched:.1f} ms with 20 pages; {more:.2f} MiB more")
    assert is_as_before(rounds), rounds


def is_as_before(rounds: list[tuple[float, float, float]]) -> bool:
    """Whether 20 pages cost what they may in the usual round. Both times of a pair are of the same seconds of this machine, so
    another program adds to both of them, or to few rounds."""
    beyond = statistics.median(watched - max(1.1 * alone, alone + 50) for alone, watched, _ in rounds)
    return beyond <= 0 and statistics.median(more for _, _, more in rounds) <= 2


def test_the_usual_round_decides_and_not_the_best():
    good, slow, large = (20.0, 60.0, 0.1), (20.0, 71.0, 0.1), (20.0, 20.0, 2.1)
    assert is_as_before([good, good, good, slow, large]) and is_as_before([(1_000.0, 1_099.0, 2.0)])
    for bad in (slow, large):
        assert not is_as_before([good, good, bad, bad, bad])


def one_round(daemon, port: int) -> tuple[float, float, float]:
    """99th percentile without and with 20 pages, and the memory that these cost beyond what the demo grows by itself, MiB."""
    began = resident(daemon)
    alone = slowest(daemon, 6)
    before, stop, polls = resident(daemon), threading.Event(), []
    clients = [threading.Thread(target=poll, args=(port, stop, polls), daemon=True) for _ in range(20)]
    for client in clients:
        client.start()
    watched = slowest(daemon, 6)
    after = resident(daemon)
    stop.set()
    for client in clients:
        client.join(5)
    assert len(polls) >= 20 * 4 and set(polls) <= {200, 304}, "all of them were answered"
    return alone, watched, after - before - max(0.0, before - began)


def resident(daemon) -> float:
    """Memory of the process, MiB."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1_024


def slowest(daemon, seconds: float) -> float:
    """The 99th percentile of the durations of the cycles of this time, milliseconds."""
    before = len(durations(daemon))
    time.sleep(seconds)
    return statistics.quantiles(durations(daemon)[before:], n=100)[98]


def durations(daemon) -> list[float]:
    """Of all cycles, as the log has them."""
    return [line["duration_ms"] for line in daemon.logs() if line.get("message") == "cycle"]


def poll(port: int, stop: threading.Event, polls: list[int]):
    """One open page. Keeps the status of each answer."""
    console, tag = Console(port), ""
    while not stop.wait(1):
        status, headers, _ = console.ask("/console/api/now", {"If-None-Match": tag})
        polls.append(status)
        tag = headers.get("etag", tag)
