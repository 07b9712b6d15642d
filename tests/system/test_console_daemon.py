"""The console of the real daemon: its answers are of the contract's shape, and its page shows what the journal has. The page itself
is tested in test_console_page.py."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from parts.chromium import Browser, show
from parts.console_contract import API, HEADERS, differences, examples, nullable
from parts.daemon import free_port, wait_until
from parts.gateway import says, silent
from parts.harness import ACCOUNT
from parts.http import ScriptedHttp
from parts.requirements import require

CYCLES = 300
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


class Console:
    """The console's address of one daemon, and the daemon."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/console/"
        self.daemon = self.journal = self.halt_file = None

    def settings(self, folder) -> dict[str, object]:
        """To be given to a daemon."""
        self.halt_file, self.journal = folder / "halt", folder / "journal.db"
        return {
            "console.enabled": "true",
            "console.port": self.port,
            "guards.halt_file": self.halt_file,
            "journal.path": self.journal,
        }

    def variables(self, folder) -> dict[str, str]:
        """The same as variables."""
        return {"SENTINEL__" + key.upper().replace(".", "__"): str(value) for key, value in self.settings(folder).items()}

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], dict]:
        """Status, headers and answer of the API; asked for again if the journal had no time for it."""
        for _ in range(20):
            status, found, answer = self.ask(path, **headers)
            if status != 503 or answer["error"]["code"] != "busy":
                break
        return status, found, answer

    def ask(self, path: str, **headers: str) -> tuple[int, dict[str, str], dict]:
        """The same, once."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{API}{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            answer = urllib.request.urlopen(asked, timeout=5)
        except urllib.error.HTTPError as error:
            answer = error
        body = answer.read()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            json.loads(body) if body else None,
        )


@pytest.fixture
def traded(sandbox, tmp_path):
    """A daemon that has traded recorded bars, some of its signals stopped by a limit."""
    console = Console()
    limits = {"SENTINEL__GUARDS__POSITIONS_MAX": "1", "SENTINEL__GUARDS__OPPOSITE": "close_then_open"}
    console.daemon = sandbox.live("--back-to-back", "--cycles", str(CYCLES), **limits, **console.variables(tmp_path))
    console.daemon.after_cycles(CYCLES, 60)
    return console


@pytest.fixture(scope="module")
def wide():
    require("chromium", "chromedriver")
    browser = Browser(1280)
    yield browser
    browser.close()


def told(binary, console, *command: str):
    """What another command of Sentinel reads from the journal, as JSON."""
    done = subprocess.run(
        [binary, *command, "--json", "--journal", console.journal], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_answer_is_of_the_contracts_shape(traded):
    may_be_null = nullable()
    _, _, orders = traded.get("orders?limit=1")
    paths = {
        name: f"{name}?symbol=EURUSD" if name in ("bars", "odds", "decisions") else name
        for name in examples()
        if name not in ("halt", "error")
    }
    paths["orders/ID"] = f"orders/{orders['rows'][0]['id']}"
    for name, path in paths.items():
        status, headers, answer = traded.get(path)
        assert status == 200, (path, answer)
        found = differences(examples()[name], answer, may_be_null)
        assert found == [], (name, show(found[:10]))
        assert headers["cache-control"] == "no-store" and headers["etag"]
        assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS
        again, more, body = traded.get(path, If_None_Match=headers["etag"])
        assert (again, body) == (304, None) and more["etag"] == headers["etag"], path
    for path, status in (
        ("orders/00000000-0000-4000-8000-000000000000", 404),
        ("bars", 400),
        ("bars?symbol=NOSUCH", 404),
        ("nothing", 404),
        ("decisions?limit=0", 400),
        ("decisions?before=x", 400),
    ):
        found, _, answer = traded.get(path)
        assert found == status, (path, answer)
        assert differences(examples()["error"], answer, set()) == []


@pytest.mark.long
def test_pages_join_without_a_gap(traded):
    for path, key in (
        ("decisions?symbol=EURUSD", "cycle_id"),
        ("bars?symbol=EURUSD", "bar_close_s"),
        ("odds?symbol=EURUSD", "bar_close_s"),
        ("orders?ledger=live", "id"),
    ):
        whole = traded.get(f"{path}&limit=150")[2]
        of = lambda answer: [row[0] if isinstance(row, list) else row[key] for row in answer["rows"]]
        pages, before = [], None
        while len(pages) < len(of(whole)):
            page = traded.get(f"{path}&limit=40" + (f"&before={before}" if before is not None else ""))[2]
            pages += of(page)
            before = page["next_before"]
            if before is None:
                break
        assert pages[: len(of(whole))] == of(whole) and len(set(pages)) == len(pages), path


def changed(journal) -> None:
    """What no sandbox does: of the fills, one is of unknown outcome, two were refused; and of a bar with both orders, the one on paper
    is of an earlier decision, which a breaker stopped live."""
    with sqlite3.connect(journal) as writer:
        fills = writer.execute("SELECT id FROM orders WHERE closes IS NULL AND state = 'filled' ORDER BY rowid LIMIT 3").fetchall()
        for (order,), state in zip(fills, ("unknown", "rejected", "not_sent"), strict=True):
            writer.execute("UPDATE orders SET state = ?, price = NULL, ticket = NULL WHERE id = ?", (state, order))
        both = "SELECT id FROM decisions WHERE order_id IS NOT NULL AND paper_order_id IS NOT NULL ORDER BY id DESC LIMIT 1"
        columns = [name for _, name, *_ in writer.execute("PRAGMA table_info(decisions)")]
        changes = {"id": "NULL", "cycle_id": "cycle_id - 1", "order_id": "NULL", "suppressed": "'breaker'"}
        copied = ", ".join(changes.get(name, name) for name in columns)
        (row,) = writer.execute(both).fetchone()
        writer.execute(f"INSERT INTO decisions ({', '.join(columns)}) SELECT {copied} FROM decisions WHERE id = ?", (row,))
        writer.execute(
            "UPDATE decisions SET paper_order_id = NULL, paper_suppressed = 'already_ordered' WHERE id = ?", (row,)
        )


def test_marks_are_those_of_the_journal(binary, traded, wide):
    changed(traded.journal)
    orders = [order for order in told(binary, traded, "orders") if order["kind"] == "open"]
    decisions = told(binary, traded, "explain", "--last", str(CYCLES + 1))
    ordered = {order["bar"] for order in orders}
    stopped = {
        it["bar"]
        for it in decisions
        if it["action"] in ("BUY", "SELL") and it["reason"] not in (None, "already_ordered") and it["bar"] not in ordered
    }
    wanted = {
        "sent": sum(order["state"] == "filled" for order in orders),
        "suppressed": len(stopped),
        "unknown": sum(order["state"] == "unknown" for order in orders),
        "refused": sum(order["state"] in ("rejected", "not_sent") for order in orders),
        "paper": len({order["bar"] for order in told(binary, traded, "orders", "--paper")}),
    }
    assert (wanted["unknown"], wanted["refused"]) == (1, 2)
    assert min(wanted[kind] for kind in ("sent", "suppressed", "paper")) > 5, wanted
    wide.open(traded.url + "#/symbol/EURUSD", ".candles[data-bars]")
    wide.find("button[data-act=all]").click()
    drawn = wait_until(
        "all bars are drawn",
        lambda: (it := wide.run("return {...document.querySelector('.candles').dataset}")) and int(it["bars"]) >= CYCLES and it,
    )
    assert {kind: int(drawn[kind]) for kind in wanted} == wanted
    # Each mark has its reason, as the journal has it.
    wide.shows("position_limit", "main")
    assert wide.complaints() == []


def test_every_view_shows_the_real_daemon(traded, wide):
    wide.open(traded.url)
    for view, part in (
        ("now", "EURUSD"),
        ("symbol/EURUSD", "sent at"),
        ("orders", "filled"),
        ("model", "baseline"),
        ("money", "Equity"),
        ("system", "Fetch bars"),
    ):
        wide.go(view)
        wide.shows(part, "main")
        shown = wide.text("main")
        assert not re.search(r"NaN|undefined|\[object|Infinity", shown), shown
        room = wide.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert room[0] <= room[1], wide.sticks_out()
        wide.picture(f"daemon-{view.replace('/', '-')}")
    assert wide.complaints() == []


@pytest.mark.long
def test_a_stopped_daemon_leaves_no_live_data(traded, wide):
    wide.open(traded.url)
    wide.shows("EURUSD")
    traded.daemon.stop(signal.SIGTERM)
    # The page may miss the next cycle before it misses two answers.
    wide.shows("the daemon does not answer", "#lost", 30)
    assert re.search(r"no contact since \d\d:\d\d:\d\d UTC", wide.text("#lost"))


@pytest.mark.long
def test_a_daemon_that_freezes_or_ends_is_no_contact(harness, wide):
    console, folder = Console(), harness.directory / "console"
    folder.mkdir()
    console.daemon = harness.start_live(harness.gateway("v43"), "--schedule", "* * * * * *", settings=console.settings(folder))
    console.daemon.after_cycles(2)
    wide.open(console.url)
    wide.shows("EURUSD")
    assert wide.text("#lost") == "", "it runs, and cycles end"
    os.kill(console.daemon.process.pid, signal.SIGSTOP)
    try:
        wide.shows("no contact since", "#lost", 40)
        assert re.search(r"no contact since \d\d:\d\d:\d\d UTC: the daemon (does not answer|was not heard)", wide.text("#lost"))
        assert float(wide.run("return getComputedStyle(document.querySelector('main')).opacity")) < 0.7
    finally:
        os.kill(console.daemon.process.pid, signal.SIGCONT)
    wait_until("it is heard again", lambda: wide.text("#lost") == "", 30)
    console.daemon.stop(signal.SIGTERM)
    wide.shows("the daemon does not answer", "#lost", 40)


def test_an_unknown_order_waits_for_a_person(harness, wide):
    console, folder = Console(), harness.directory / "console"
    folder.mkdir()
    console.daemon = harness.start_live(
        harness.gateway("v43", silent), "--schedule", "* * * * * *", settings=console.settings(folder)
    )
    console.daemon.wait_metrics("an unknown order", lambda metrics: metrics("orders_total", outcome="unknown") == 1, 20)
    wide.open(console.url)
    wide.shows("Unknown order", ".waiting", 20)
    wide.find(".waiting a").click()
    wide.shows("It may have been executed, and is never sent again", "main")
    wide.shows("sending", ".life")
    wide.go("symbol/EURUSD", ".candles[data-bars]")
    wait_until("its mark", lambda: wide.run("return document.querySelector('.candles').dataset.unknown") == "1")


def test_hostile_words_of_the_gateway_stay_words(harness, wide):
    console, folder = Console(), harness.directory / "console"
    folder.mkdir()
    refuses = says(lambda gateway, request: gateway.error(request, "INVALID_VOLUME", HOSTILE))
    console.daemon = harness.start_live(
        harness.gateway("v43", refuses), "--schedule", "* * * * * *", settings=console.settings(folder)
    )
    console.daemon.wait_metrics("a refusal", lambda metrics: metrics("orders_total", outcome="rejected") == 1, 20)
    wide.open(console.url)
    for view in ("orders", "symbol/EURUSD"):
        wide.go(view)
        wide.shows("<img src=x onerror=", "main")
    assert wide.run("return document.querySelectorAll('img').length") == 0
    assert "owned" not in wide.run("return document.title") and wide.complaints() == []


def test_the_buttons_halt_and_resume_the_daemon(harness, wide):
    console, folder = Console(), harness.directory / "console"
    folder.mkdir()
    console.daemon = harness.start_live(harness.gateway("v43"), "--schedule", "* * * * * *", settings=console.settings(folder))
    console.daemon.after_cycles(1)
    wide.open(console.url)
    wide.find("#press:enabled", 20).click()
    wide.find("#typed")
    wide.press("news at 15:30")
    wide.find("dialog .danger:enabled").click()
    wide.shows("Halted", ".verdict")
    assert console.halt_file.exists()
    wait_until("a cycle that is halted", lambda: console.daemon.metrics()("halted") == 1)
    wide.shows("news at 15:30", ".waiting")
    wide.shows("console:", ".waiting")
    wide.find("#press:enabled").click()
    wide.find("#typed")
    wide.press(ACCOUNT)
    wide.find("dialog .primary:enabled").click()
    wait_until("it runs again", lambda: not console.halt_file.exists())
    wait_until("the page says so", lambda: "Halted" not in wide.text("main"))
    log = console.daemon.output()
    assert "news at 15:30" in log and "console:@127.0.0.1" in log, log[-3_000:]


# Everything that a foreign page may send without asking first, and what it must ask for.
FORGED = """
const [address, done] = arguments, body = JSON.stringify({reason: "forged"});
const form = document.createElement("form");
Object.assign(form, {action: address, method: "post", target: "_blank", enctype: "text/plain"});
document.body.append(form);
form.submit();
Promise.allSettled([
  fetch(address, {method: "POST", mode: "no-cors", body}),
  fetch(address, {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body}),
  fetch(address, {method: "POST", headers: {"Content-Type": "application/json", "X-Sentinel": "1"}, body}),
]).then((all) => done(all.map((it) => it.status + " " + (it.value?.type ?? ""))));
"""


class Foreign(ScriptedHttp):
    """A page of another origin."""

    def serve(self, handler, request):
        handler.answer("<!DOCTYPE html><body>foreign</body>", headers={"Content-Type": "text/html"})


def test_a_foreign_page_can_press_nothing(harness, wide):
    console, folder, foreign = Console(), harness.directory / "console", Foreign()
    folder.mkdir()
    console.daemon = harness.start_live(harness.gateway("v43"), "--schedule", "* * * * * *", settings=console.settings(folder))
    console.daemon.after_cycles(1)
    try:
        wide.driver.get(foreign.url)
        window = wide.driver.current_window_handle
        answers = wide.driver.execute_async_script(FORGED, f"{console.url}api/halt")
        assert answers[2].startswith("rejected"), answers
        time.sleep(1)
        assert not console.halt_file.exists()
        assert console.get("now")[2]["halt"]["is_halted"] is False
        # Nor can it read: the answer is not for another origin.
        read = wide.driver.execute_async_script(
            "const [at, done] = arguments; fetch(at).then((it) => it.text()).then(done, () => done('refused'))",
            f"{console.url}api/now",
        )
        assert read == "refused"
        for handle in wide.driver.window_handles:
            if handle != window:
                wide.driver.switch_to.window(handle)
                wide.driver.close()
        wide.driver.switch_to.window(window)
    finally:
        foreign.close()


def test_the_demo_shows_everything_within_ten_seconds(harness, wide):
    console = Console()
    daemon = harness.command(
        "demo",
        "--cycle-seconds",
        "1",
        "--metrics-port",
        str(free_port()),
        SENTINEL__CONSOLE__ENABLED="true",
        SENTINEL__CONSOLE__PORT=str(console.port),
    )
    wait_until("the greeting", lambda: "Ctrl-C stops it." in daemon.output(), 30)
    said = daemon.output()
    assert 0 < said.index(console.url) < said.index("/metrics"), "the console comes first"
    began = time.monotonic()
    wide.open(console.url)
    wide.shows("EURUSD", "main")
    closes = "return document.querySelector('section:last-of-type tbody tr')?.innerText ?? ''"
    first = wide.run(closes)
    wait_until("the market moves", lambda: wide.run(closes) != first, 5)
    shown = wide.text("main")
    assert re.search(r"(BUY|SELL) sent: filled", shown) and re.search(
        r"below_threshold|HOLD has the highest odds|position_limit", shown
    )
    assert wide.find("#press").is_enabled(), "the buttons work in the demo"
    wide.go("symbol/EURUSD", ".candles[data-bars]")
    assert int(wide.run("return document.querySelector('.candles').dataset.sent")) > 0
    wide.go("money")
    wide.shows("live, USD", "main")
    wide.shows("paper, USD", "main")
    wait_until("both curves", lambda: wide.run("return document.querySelectorAll('.plot canvas').length") >= 2)
    assert time.monotonic() - began < 10
    trades = wide.run("return [...document.querySelectorAll('tr')].find((it) => it.innerText.startsWith('Today')).innerText")
    # The account is looked at once a second: what the gateway opened and closed within the first burst no look saw.
    assert re.search(r"\d+ trades?.*[1-9]\d* trades?", trades, re.S), trades
