"""Scrapes without end, idle sockets and slow clients: the cycles keep their pace.

The demo's pace of twenty cycles a second is used, not cycles back to back: those take all the processor there is, and
would show only how two programs share it."""

import os
import select
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon, environment, free_port
from parts.tables import keep, percentile

IDLE, SLOW = 1_000, 50
PACE_S = 0.05
# Cycles that run back to back first, before the pace begins.
FIRST_CYCLES = 200
SLACK_SHARE, SLACK_MS = 0.10, 50.0


class Crowd:
    """Clients that connect and say nothing, and some that send their request byte by byte. One that the daemon lets
    go comes again, so that their number stays what it is."""

    def __init__(self, port: int):
        self.port, self.returned = port, 0
        self.clients = {client.fileno(): (client, number < SLOW) for number, client in self._connected(range(IDLE + SLOW))}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        """All of them leave."""
        self._stop.set()
        self._thread.join(10)
        for client, _ in self.clients.values():
            client.close()

    def _connected(self, numbers: range):
        """The first ones are slow, all others idle."""
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
            # It was just let go; the next round sees that.
            pass


def durations_ms(daemon: Daemon) -> list[float]:
    """How long each cycle took so far, those before the pace left out."""
    cycles = [line["duration_ms"] for line in daemon.logs() if line.get("message") == "cycle"]
    return cycles[FIRST_CYCLES:]


def flood(binary: Path, directory: Path, seconds: int) -> tuple[list[float], list[float], str]:
    """Durations of the cycles in quiet and in flood, in one run, and what wrk saw."""
    directory.mkdir()
    port = free_port()
    # Every client is let in: with fewer places the idle ones would shield the daemon from the flood.
    settings = {"SENTINEL__METRICS__BIND": "127.0.0.1", "SENTINEL__METRICS__CONNECTIONS_MAX": "4000"}
    # A demo logs its first cycles only for who asks for it.
    settings["SENTINEL__LOG__LEVEL"] = "info"
    args = ["demo", "--cycle-seconds", str(PACE_S), "--metrics-port", str(port)]
    daemon = Daemon(binary, args, environment(**settings, TMPDIR=str(directory)), directory / "demo", port)
    crowd = None
    try:
        daemon.after_cycles(FIRST_CYCLES + 5)
        time.sleep(seconds)
        quiet = durations_ms(daemon)
        crowd = Crowd(port)
        before = len(durations_ms(daemon))
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{port}/metrics"]
        scraped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        flooded = durations_ms(daemon)[before:]
        crowd.close()
        metrics = daemon.wait_serving().metrics()
        assert metrics("trading_cycles_failed_total") == 0
        rate = next(line.split()[1] for line in scraped.splitlines() if line.startswith("Requests/sec"))
        assert "Non-2xx" not in scraped
        assert float(rate) > 100, scraped
        missed = metrics("scheduler_ticks_missed_total")
        return quiet, flooded, f"{rate} scrapes/s, {crowd.returned} of the idle let go, {missed:.0f} ticks missed"
    finally:
        if crowd:
            crowd.close()
        daemon.close()


def is_in_bounds(quiet: list[float], flooded: list[float]) -> bool:
    """Whether the flood's 99th percentile is close to that of the quiet."""
    before, during = percentile(quiet, 0.99), percentile(flooded, 0.99)
    return during <= before + max(SLACK_SHARE * before, SLACK_MS)


def judge(name: str, binary: Path, directory: Path, seconds: int):
    """Both halves of one run against each other; once more if that fails, because the 99th percentile of so few cycles
    is the hiccup of a busy machine, and what the daemon itself does is there in every run."""
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


def test_a_flood_of_scrapes_leaves_the_cycles_their_pace(binary, tmp_path):
    judge("flood", binary, tmp_path, 5)


@pytest.mark.full
def test_a_long_flood_of_scrapes_leaves_the_cycles_their_pace(binary, tmp_path):
    judge("flood-full", binary, tmp_path, 30)
