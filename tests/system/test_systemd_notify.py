"""What the daemon sends to a supervisor with the notify protocol, received by a fake systemd socket."""

import os
import re
import signal
import socket
import time

import pytest

from parts.daemon import free_port, wait_until
from parts.gateway import silent
from parts.harness import Harness
from parts.notify_socket import NotifySocket

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


@pytest.fixture
def systemd(tmp_path):
    """A notify socket."""
    ears = NotifySocket(tmp_path / "notify")
    yield ears
    ears.close()


def test_ready_comes_when_everything_runs_and_stopping_at_the_end(harness, systemd):
    daemon = harness.start(**systemd.environment())
    assert systemd.wait(READY) == [READY]
    assert daemon.serves() and (daemon.out.parent / "journal.db").exists()
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    assert systemd.read() == [READY, systemd.heard[-1]] and systemd.heard[-1].startswith(STOPPING + "\n")


def test_an_abstract_socket_works_also_for_a_demo(harness):
    ears = NotifySocket(f"@sentinel-test-{os.getpid()}")
    demo = harness.command("demo", "--metrics-port", str(free_port()), **ears.environment())
    ears.wait(READY)
    demo.stop()
    assert ears.read()[0] == READY and ears.heard[-1].startswith(STOPPING)
    ears.close()


def test_the_watchdog_gets_at_least_two_messages_per_interval(harness, systemd):
    watchdog_s = 1.5
    harness.start(**systemd.environment(watchdog_s, WATCHDOG_PID="1"))
    systemd.wait(READY)
    time.sleep(0.5)
    assert systemd.read() == [READY], "it is for another process"
    harness.daemons[0].close()
    systemd.heard.clear()
    systemd.heard_at.clear()
    harness.start(**systemd.environment(watchdog_s))
    systemd.wait(ALIVE, 7)
    assert systemd.heard[0] == READY and set(systemd.heard[1:]) == {ALIVE}
    assert systemd.heard_at[7] - systemd.heard_at[1] < 3 * watchdog_s


def test_a_hanging_daemon_stops_sending_watchdog_messages(failpoints_binary, tmp_path, systemd):
    harness = Harness(failpoints_binary, tmp_path / "wedged")
    try:
        # It blocks the thread of all stages; metrics have their own thread.
        env = systemd.environment(1.0, FAILPOINTS="send.before=sleep(60000)")
        daemon = harness.start_live(harness.gateway("v43"), **env)
        systemd.wait(READY)
        log = daemon.out.parent / "journal.db-wal"
        wait_until("an order on the disk", lambda: log.exists() and b"sending" in log.read_bytes())
        time.sleep(0.5)
        fed = len(systemd.read())
        time.sleep(2.0)
        assert len(systemd.read()) == fed and daemon.process.poll() is None
        assert daemon.serves(), "the port alone says nothing"
    finally:
        harness.close()


def test_ready_does_not_wait_for_a_taken_port(harness, systemd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon = harness.start(settings={"metrics.port": taken.getsockname()[1]}, **systemd.environment())
        systemd.wait(READY)
        assert "cannot listen" in daemon.output()


def test_watchdog_messages_continue_while_it_stops(harness, systemd):
    gateway = harness.gateway("v43", silent)
    daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 4000}, **systemd.environment(0.6))
    wait_until("an order", lambda: gateway.requests)
    daemon.send()
    wait_until("the message", lambda: any(said.startswith(STOPPING) for said in systemd.read()))
    assert daemon.process.poll() is None
    told = len(systemd.heard)
    longest_us = int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", "\n".join(systemd.heard)).group(1))
    code, took = daemon.wait_exit()
    # docker/sentinel.service gives it 20 s.
    assert code == 0 and took < longest_us / 1e6 <= 12
    assert set(systemd.read()[told:]) == {ALIVE}


def test_a_failed_start_never_sends_ready(harness, systemd):
    assert harness.start("--threshold", "2", **systemd.environment(1.0)).wait_exit()[0] == 64
    assert harness.start(**systemd.environment(1.0), EODHD_API_TOKEN="").wait_exit()[0] == 64
    journal = str(harness.directory / "journal.db")
    harness.start("--journal", journal).wait_serving()
    assert harness.start("--journal", journal, **systemd.environment(1.0)).wait_exit()[0] == 1
    assert systemd.read() == []


def test_without_a_supervisor_nothing_is_sent_or_logged(harness, systemd):
    daemon = harness.start("--once", WATCHDOG_USEC="100000")
    assert daemon.wait_exit()[0] == 0
    assert systemd.read() == [] and "supervisor" not in daemon.output().replace(str(harness.directory), "")


@pytest.mark.parametrize("where", ["/nonexistent/notify", "@nobody", "vsock:2:1", "reads nothing"])
def test_an_unreachable_supervisor_does_not_stop_trading(harness, systemd, where):
    where = systemd.where if where == "reads nothing" else where
    env = {"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "3000"}
    daemon = harness.start("--back-to-back", **env)
    daemon.after_cycles(3)
    wait_until("a log line about it", lambda: "cannot notify" in daemon.output())
    time.sleep(0.3)
    assert daemon.stop(signal.SIGTERM)[0] == 0
    assert daemon.output().count("cannot notify") == 1
