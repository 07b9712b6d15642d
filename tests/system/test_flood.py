"""Endless scrapes, idle sockets, slow clients, clients that pipeline and clients that do not read: cycles keep their pace,
scrapes are answered, and the daemon's memory does not grow. The tests use the demo's pace of twenty cycles a second, because
cycles back to back use all of the processor and would only show how two programs share it."""

import json
import os
import re
import resource
import select
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from parts import abusive_clients
from parts.cgroup import MemoryGroup
from parts.cycle_cost import peak_mib
from parts.daemon import Daemon, environment, free_port, wait_until
from parts.requirements import require
from parts.secured_daemon import CHEAP, PASSWORD, USER, SecuredDaemon, basic
from parts.tables import keep, percentile

IDLE, SLOW = 1_000, 50
PACE_S = 0.05
# Cycles that first run back to back, before the regular pace.
FIRST_CYCLES = 200
SLACK_SHARE, SLACK_MS = 0.10, 50.0
# The memory limit of compose.yaml and sentinel.service, and how much of it a flood may use.
LIMIT_MIB, GROWTH_MIB = 256, 16
# metrics.connections_max of base.toml.
PLACES = 256
# The headers of the abusive clients: no user, and an unknown user.
NOBODY, STRANGER = "", f"Authorization: {basic('nobody', 'wrong')}\r\n"
# TLS in the web-config file, its users, and the clients' header.
PROTECTIONS = {
    "no password": (None, None, NOBODY),
    "a password": (None, {USER: CHEAP}, NOBODY),
    "a wrong password": (None, {USER: CHEAP}, STRANGER),
    "TLS": ("", None, NOBODY),
    "TLS and a password": ("", {USER: CHEAP}, STRANGER),
}


class IdleClients:
    """Clients that connect and send nothing, and some that send their request byte by byte. If the daemon closes a connection,
    the client connects again, so that their number stays the same."""

    def __init__(self, port: int):
        self.port, self.returned = port, 0
        self.clients = {client.fileno(): (client, number < SLOW) for number, client in self._connected(range(IDLE + SLOW))}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        """Closes all connections."""
        self._stop.set()
        self._thread.join(10)
        for client, _ in self.clients.values():
            client.close()

    def _connected(self, numbers: range):
        """Connects one client. The first ones are slow, all others idle."""
        for number in numbers:
            client = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            if number < SLOW:
                client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
            yield number, client

    def _run(self):
        while not self._stop.wait(0.1):
            poll = select.poll()
            for number in self.clients:
                poll.register(number, select.POLLIN | select.POLLHUP)
            for number, _ in poll.poll(0):
                client, slow = self.clients.pop(number)
                client.close()
                [(_, new)] = self._connected(range(1) if slow else range(SLOW, SLOW + 1))
                self.clients[new.fileno()] = (new, slow)
                self.returned += 1
            for client, slow in self.clients.values():
                if slow:
                    self._say_a_little(client)

    def _say_a_little(self, client: socket.socket):
        try:
            client.send(b"a")
        except OSError:
            # The daemon has just closed it; the next round notices that.
            pass


def durations_ms(daemon: Daemon) -> list[float]:
    """The duration of each cycle so far, without those before the regular pace."""
    cycles = [line["duration_ms"] for line in daemon.logs() if line.get("message") == "cycle"]
    return cycles[FIRST_CYCLES:]


def flood(binary: Path, directory: Path, seconds: int) -> tuple[list[float], list[float], str]:
    """Durations of the cycles without and with flood, in one run, and wrk's result."""
    require("wrk", "open files")
    # A user's soft limit is less than the connections need, here and in the daemon.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory.mkdir()
    port = free_port()
    # All clients get a connection: with fewer places the idle ones would protect the daemon from the flood.
    settings = {"SENTINEL__METRICS__BIND": "127.0.0.1", "SENTINEL__METRICS__CONNECTIONS_MAX": "4000"}
    # A demo logs its first cycles only with a log level.
    settings["SENTINEL__LOG__LEVEL"] = "info"
    args = ["demo", "--cycle-seconds", str(PACE_S), "--metrics-port", str(port)]
    daemon = Daemon(binary, args, environment(**settings, TMPDIR=str(directory)), directory / "demo", port)
    idle = None
    try:
        daemon.after_cycles(FIRST_CYCLES + 5)
        time.sleep(seconds)
        quiet = durations_ms(daemon)
        idle = IdleClients(port)
        before = len(durations_ms(daemon))
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{port}/metrics"]
        scraped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        flooded = durations_ms(daemon)[before:]
        idle.close()
        metrics = daemon.wait_serving().metrics()
        assert metrics("trading_cycles_failed_total") == 0
        rate = next(line.split()[1] for line in scraped.splitlines() if line.startswith("Requests/sec"))
        assert "Non-2xx" not in scraped
        assert float(rate) > 100, scraped
        missed = metrics("scheduler_ticks_missed_total")
        return quiet, flooded, f"{rate} scrapes/s, {idle.returned} idle connections closed, {missed:.0f} ticks missed"
    finally:
        if idle:
            idle.close()
        daemon.close()


def is_in_bounds(quiet: list[float], flooded: list[float]) -> bool:
    """Whether the 99th percentile with flood is close to that without."""
    before, during = percentile(quiet, 0.99), percentile(flooded, 0.99)
    return during <= before + max(SLACK_SHARE * before, SLACK_MS)


def judge(name: str, binary: Path, directory: Path, seconds: int):
    """Compares both halves of one run. If that fails, it repeats once, because the 99th percentile of so few cycles may be a
    hiccup of a busy machine; a fault of the daemon occurs in every run."""
    quiet, flooded, scraped = flood(binary, directory / "first", seconds)
    if not is_in_bounds(quiet, flooded):
        quiet, flooded, scraped = flood(binary, directory / "second", seconds)
    line = "{:6} {:5} cycles, median {:7.2f} ms, p99 {:7.2f} ms"
    rows = [
        line.format(what, len(values), percentile(values, 0.5), percentile(values, 0.99))
        for what, values in (("quiet", quiet), ("flood", flooded))
    ]
    keep(name, "\n".join([*rows, f"{scraped}; {os.cpu_count()} processors, {IDLE} idle and {SLOW} slow clients"]))
    assert len(flooded) > 0.8 * seconds / PACE_S, "cycles were left out"
    assert is_in_bounds(quiet, flooded)


@pytest.mark.long
def test_a_flood_of_scrapes_does_not_slow_cycles(binary, tmp_path):
    judge("flood", binary, tmp_path, 5)


@pytest.mark.full
def test_a_long_flood_of_scrapes_does_not_slow_cycles(binary, tmp_path):
    judge("flood-full", binary, tmp_path, 30)


def resident_mib(pid: int) -> float:
    """Resident memory now."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def open_files(pid: int) -> int:
    """Open file descriptors now."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def abuse(binary: Path, directory: Path, protection: str, kinds: list[str], seconds: float) -> str:
    """Repeats, for longer, if scrapes, cycles or clients were late: a busy machine is sometimes late, a blocked daemon always."""
    for attempt in (1, 2, 3):
        path = directory / str(attempt)
        path.mkdir()
        said, in_time = abused(binary, SecuredDaemon(None, path), protection, kinds, seconds * attempt)
        if in_time:
            break
    assert in_time, said
    return said


def abused(binary: Path, secured: SecuredDaemon, protection: str, kinds: list[str], seconds: float) -> tuple[str, bool]:
    """A demo in a group of 256 MiB under abusive clients: what it cost, and whether everything was in time."""
    written, users, header = PROTECTIONS[protection]
    tls = written is not None
    if tls or users:
        secured.write(written, users)
    # The daemon hides its open files from other processes of its user.
    require("root")
    group, port = MemoryGroup(LIMIT_MIB), free_port()
    settings = {"SENTINEL__METRICS__BIND": "127.0.0.1", "SENTINEL__METRICS__CONNECTIONS_MAX": str(PLACES)}
    if secured.file.exists():
        settings["SENTINEL__METRICS__WEB_CONFIG_FILE"] = str(secured.file)
    command = group.enter([str(binary), "demo", "--cycle-seconds", str(PACE_S), "--metrics-port", str(port)])
    env, directory = environment(**settings, TMPDIR=str(secured.directory)), secured.directory / "demo"
    daemon = secured.daemon = Daemon(Path(command[0]), command[1:], env, directory, port)
    context, right, clients = secured.context(), basic(USER, PASSWORD), []

    def scrape() -> float:
        began = time.monotonic()
        status, _, body = secured.get("/metrics", right, context=context, tls=tls)
        assert status == 200 and "sentinel_trading_cycles_total" in body
        return time.monotonic() - began

    try:
        secured.wait_serving(tls=tls)
        wait_until("the demo's own pace", lambda: len(durations_ms(daemon)) > 5, 30)
        for _ in range(50):
            scrape()
        files, before, cycles = open_files(daemon.pid), resident_mib(daemon.pid), len(durations_ms(daemon))
        # Resets the peak.
        Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")
        began = time.monotonic()
        clients = [
            abusive_clients.start(port, kind, tls, header, PLACES if kind == "deaf" else 250, seconds) for kind in kinds
        ]
        took = []
        while time.monotonic() - began < seconds:
            took.append(scrape())
            time.sleep(0.05)
        ran, expected = len(durations_ms(daemon)) - cycles, (time.monotonic() - began) / PACE_S
        sums = [json.loads(client.communicate(timeout=30)[0].splitlines()[-1]) for client in clients]
        growth = peak_mib(daemon.pid) - before
        wait_until("their descriptors are closed", lambda: open_files(daemon.pid) <= files + 1, 15)
        assert daemon.process.poll() is None, daemon.output()[-2000:]
        said = (
            f"{'+'.join(kinds):14} {'TLS' if tls else 'plain':5} grew by {growth:5.1f} MiB from {before:.1f}, now "
            f"{resident_mib(daemon.pid):.1f}; slowest of {len(took)} scrapes {max(took) * 1e3:.0f} ms; "
            f"{ran} of {expected:.0f} cycles; {group.peak()}; {sums}"
        )
        print(said)
        assert growth < GROWTH_MIB, said
        were_there = all(it["connections"] >= 250 for it in sums)
        return said, were_there and max(took) < 1 and ran > 0.8 * expected
    finally:
        for client in clients:
            client.kill()
            client.wait()
        daemon.close()
        group.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "protection"),
    [*(("pipeline", protection) for protection in PROTECTIONS), ("deaf", "no password"), ("deaf", "TLS and a password")],
)
def test_abusive_clients_cost_little_memory_and_no_cycles(binary, tmp_path, kind, protection):
    abuse(binary, tmp_path, protection, [kind], 3)


@pytest.mark.full
@pytest.mark.parametrize("protection", PROTECTIONS)
def test_a_long_abuse_leaves_nothing_behind(binary, tmp_path, protection):
    keep(f"flood-{protection.replace(' ', '-')}", abuse(binary, tmp_path, protection, ["pipeline", "deaf"], 40))
