"""`sentinel demo`: needs no key, no network and no arguments, and shows everything within seconds."""

import json
import re
import shlex
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from parts.contract import EIGHTEEN, FAILURE_COUNTERS
from parts.daemon import free_port, wait_until
from parts.exposition import PREFIX
from parts.market import HOUR, bar


def test_it_trades_within_15_seconds(harness):
    port = free_port()
    daemon = harness.command("demo", "--cycle-seconds", "0.2", "--metrics-port", str(port), EODHD_API_TOKEN="")
    daemon.port = port

    def all_seen(metrics) -> bool:
        actions = metrics.nonzero("trading_signals_total", "action")
        return set(actions) == {"BUY", "SELL", "HOLD"} and metrics("orders_total", outcome="filled") > 0

    metrics = daemon.wait_metrics("BUY, SELL, HOLD and a fill", all_seen, 15)
    for family in EIGHTEEN:
        suffix = "_count" if family.type == "histogram" else ""
        values = metrics.all(family.name.removeprefix(PREFIX) + suffix).values()
        if family.name in FAILURE_COUNTERS:
            assert sum(values) == 0, family.name
        else:
            assert sum(values) > 0, family.name
    assert metrics.sum("trading_signals_executed_total") > 0
    assert daemon.get("/health")[0] == 200
    wait_until("its address", lambda: f"http://127.0.0.1:{port}/metrics" in daemon.output(), 15)
    assert "/metrics" in daemon.output()
    assert "0.40" in daemon.output(), "its own threshold is printed"
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200, 5)
    assert daemon.stop()[0] == 0


def test_profit_live_and_on_paper_is_seen_in_10_seconds(harness, tmp_path):
    port, journal = free_port(), tmp_path / "journal.db"
    daemon = harness.command("demo", "--metrics-port", str(port), "--journal", str(journal))
    daemon.port = port

    def has_both(metrics) -> bool:
        realised = {tuple(sorted(dict(labels).items())): value for labels, value in metrics.all("profit_realised").items()}
        return all(realised.get((("ledger", ledger), ("symbol", "EURUSD"))) for ledger in ("live", "paper"))

    daemon.wait_metrics("both", has_both, 10)
    done = harness.run("pnl", "--json", "--journal", str(journal))
    assert done.returncode == 0, done.stderr
    (account,) = json.loads(done.stdout)
    today = account["periods"][0]
    assert today["live"]["own"]["trades"] > 0 and today["paper"]["trades"] > 0
    assert account["equity"] is not None and account["paper"]["equity"] is not None
    assert daemon.stop()[0] == 0


def test_two_demos_run_side_by_side(harness):
    ports = [free_port(), free_port()]
    demos = [harness.command("demo", "--cycle-seconds", "0.5", "--metrics-port", str(port)) for port in ports]
    for demo, port in zip(demos, ports, strict=True):
        demo.port = port
        demo.after_cycles(2)
    assert [demo.stop()[0] for demo in demos] == [0, 0]


def greeted(daemon, timeout_s: float = 20) -> str:
    """The complete output once its greeting has ended."""
    wait_until("the greeting", lambda: "Ctrl-C stops it." in daemon.output(), timeout_s)
    return daemon.out.read_text()


@pytest.mark.long
def test_the_greeting_comes_last_and_stays_on_the_screen(harness):
    port = free_port()
    text = {"SENTINEL__LOG__FORMAT": "text"}
    daemon = harness.command("demo", "--cycle-seconds", "0.3", "--metrics-port", str(port), **text)
    daemon.port = port

    def shown(text: str) -> str:
        """Without what a busy machine adds: a cycle that took too long."""
        return "".join(line for line in text.splitlines(keepends=True) if "a cycle was skipped" not in line)

    said = shown(greeted(daemon))
    # The journal's folder would be shorter in /tmp.
    lines = said.replace(str(daemon.out.parent), "/tmp").splitlines()
    assert lines[0] == "Sentinel demo: the first 200 recorded bars run without a pause ..."
    assert "LIVE: orders are sent" in lines[1], "how it trades is the one line of the log"
    assert re.match(r"200 cycles in \d+\.\d s, \d+ orders\. ", lines[2]), said
    assert len(lines) < 25 and max(map(len, lines[2:])) < 150, "a screenful"
    assert daemon.metrics()("trading_cycles_total") >= 200, "behind the burst"
    # For a few seconds cycles run without log lines; then there is a line for each cycle.
    time.sleep(2.5)
    assert shown(daemon.out.read_text()) == said and daemon.metrics()("trading_cycles_total") >= 204
    wait_until("a line for each bar", lambda: daemon.out.read_text().count("outcome=\"ok\"") >= 2, 15)
    assert daemon.stop()[0] == 0


def test_a_log_level_shows_every_line(harness):
    daemon = harness.command("demo", "--metrics-port", str(free_port()), SENTINEL__LOG__LEVEL="info")
    greeted(daemon)
    assert sum(line["message"] == "cycle" for line in daemon.logs()) >= 200


def test_a_signal_in_the_quiet_time_is_logged(harness):
    daemon = harness.command("demo", "--metrics-port", str(free_port()))
    greeted(daemon)
    assert daemon.stop()[0] == 0
    assert [line["message"] for line in daemon.logs()][-1] == "stopped"


def test_the_shown_commands_work_in_a_second_terminal(harness, tmp_path):
    daemon = harness.command("demo", "--metrics-port", str(free_port()))
    typed = [line.strip() for line in greeted(daemon).splitlines() if re.match(r"  \S.* --journal ", line)]
    assert [shlex.split(line)[1] for line in typed] == ["explain", "orders"]
    # In another folder, without variables, and run by a shell.
    env = {"PATH": "/usr/bin:/bin"}
    explained, orders = [
        subprocess.run(["sh", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=20)
        for line in typed
    ]
    assert explained.returncode == 0 and "EURUSD" in explained.stdout, explained.stderr
    assert orders.returncode == 0 and "filled" in orders.stdout and "POSITION" in orders.stdout, orders.stderr
    folder = Path(shlex.split(typed[0])[-1]).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert daemon.stop()[0] == 0 and not folder.exists()


def reachable(port: int, address: str) -> bool:
    """Whether the address accepts connections."""
    try:
        socket.create_connection((address, port), 2).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("args", "env", "everywhere"),
    [
        ([], {}, False),
        (["--bind", "0.0.0.0"], {}, True),
        ([], {"SENTINEL_DEMO_BIND": "0.0.0.0"}, True),
        ([], {"SENTINEL__METRICS__BIND": "0.0.0.0"}, True),
        (["--bind", "127.0.0.1"], {"SENTINEL_DEMO_BIND": "0.0.0.0", "SENTINEL__METRICS__BIND": "0.0.0.0"}, False),
    ],
    ids=["unasked", "by a flag", "in an image", "by the setting", "the flag wins"],
)
def test_it_listens_on_loopback_by_default(harness, args, env, everywhere):
    port = free_port()
    daemon = harness.command("demo", "--metrics-port", str(port), *args, **env)
    daemon.port = port
    daemon.wait_serving()
    # All of 127/8 belongs to this machine; a server on 127.0.0.1 does not answer at other addresses.
    assert (reachable(port, "127.0.0.1"), reachable(port, "127.0.0.2")) == (True, everywhere)


def test_an_invalid_address_is_refused_by_name(harness):
    refused = harness.command("demo", SENTINEL_DEMO_BIND="not an address")
    assert refused.wait_exit()[0] == 64 and "metrics.bind" in refused.output()


def test_the_greeting_comes_with_a_taken_port_and_few_cycles(harness):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        daemon = harness.command("demo", "--cycles", "3", "--metrics-port", str(port))
        said = greeted(daemon)
        assert f"Port {port} is in use" in said and "3 cycles in " in said
        assert "cannot listen for HTTP" in said, "what is wrong is said in the first seconds, too"
    assert daemon.stop()[0] == 0


def own_bars(path: Path, count: int, step: int = HOUR, scale: float = 100.0) -> Path:
    """A file of somebody's own bars, of every hour of the week."""
    lines = ["timestamp,open,high,low,close,volume"]
    for row in (bar(1_704_672_000 + n * HOUR) for n in range(count)):
        prices = ",".join(f"{row[name] * scale:.3f}" for name in ("open", "high", "low", "close"))
        time_s = 1_704_672_000 + (row["timestamp"] - 1_704_672_000) // HOUR * step
        lines.append(f"{time_s},{prices},0.5")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(("step", "interval"), [(HOUR, "1h"), (300, "5m")])
def test_it_trades_a_persons_own_bars(harness, tmp_path, step, interval):
    bars = own_bars(tmp_path / "btcusd_own.csv", 700, step)
    port = free_port()
    daemon = harness.command("demo", "--bars", str(bars), "--cycle-seconds", "0.1", "--metrics-port", str(port))
    daemon.port = port
    said = greeted(daemon, 60)
    assert said.startswith("Sentinel demo: the first 200 of your bars run without a pause ...")
    assert f"{bars}: 700 {interval} bars of BTCUSD, 2024-01-08 to " in said
    assert "The model was fitted to EUR/USD, not to your bars: its odds for BTCUSD are worth nothing." in said
    assert "fitted to the recorded EUR/USD hourly bars of 2017" in said
    metrics = daemon.after_cycles(210)
    assert metrics("trading_cycles_failed_total") == 0 and metrics.sum("trading_signals_total") >= 210
    assert daemon.stop()[0] == 0


def test_a_jump_in_a_persons_own_bars_stops_the_decisions(harness, tmp_path):
    bars = own_bars(tmp_path / "btcusd.csv", 700)
    lines = bars.read_text().splitlines()
    # The bar that the tenth cycle decides on.
    lines[310] = ",".join([lines[310].split(",")[0], "300", "301", "299", "300", "1"])
    bars.write_text("\n".join(lines))
    daemon = harness.command("demo", "--bars", str(bars), "--cycles", "30", "--metrics-port", str(free_port()), SENTINEL__LOG__LEVEL="info")
    wait_until("the jump", lambda: "jump" in daemon.output() and "300" in daemon.output(), 30)
    assert daemon.stop()[0] == 0


@pytest.mark.parametrize("command", [["demo"], ["sandbox", "market", "--port", "0"]], ids=["demo", "market"])
def test_bars_that_cannot_be_replayed_are_refused(harness, tmp_path, command):
    short = own_bars(tmp_path / "short.csv", 499)
    long = own_bars(tmp_path / "long.csv", 600, 4 * HOUR)
    bad = own_bars(tmp_path / "bad.csv", 600)
    bad.write_text(bad.read_text().replace(",0.5", ",-0.5", 1))
    for path, word in [
        (short, "short.csv: 499 bars, and 500 are needed"),
        (long, "long.csv: bars of 4h: EODHD has none, and Sentinel makes them of 1h bars"),
        (bad, "bad.csv line 2: volume -0.5 cannot be"),
        (tmp_path / "none.csv", "none.csv: No such file"),
    ]:
        refused = harness.command(*command, "--bars", str(path))
        code, _ = refused.wait_exit(20)
        assert code == 1 and word in refused.output(), refused.output()
