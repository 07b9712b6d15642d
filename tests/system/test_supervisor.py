"""What the daemon tells a supervisor by the notify protocol, heard by a stand-in for systemd's socket."""

import os
import re
import signal
import socket
import time

import pytest

from parts.daemon import free_port, wait_until
from parts.gateway import silent
from parts.notify import NotifySocket
from parts.rig import Rig

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


@pytest.fixture
def systemd(tmp_path):
    """A notify socket."""
    ears = NotifySocket(tmp_path / "notify")
    yield ears
    ears.close()


def test_ready_is_said_once_everything_runs_and_stopping_before_it_ends(rig, systemd):
    daemon = rig.start(**systemd.environment())
    assert systemd.wait(READY) == [READY]
    assert daemon.serves() and (daemon.out.parent / "journal.db").exists()
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    assert systemd.read() == [READY, systemd.heard[-1]] and systemd.heard[-1].startswith(STOPPING + "\n")


def test_an_abstract_socket_is_told_and_so_it_is_by_a_demo(rig):
    ears = NotifySocket(f"@sentinel-test-{os.getpid()}")
    demo = rig.command("demo", "--metrics-port", str(free_port()), **ears.environment())
    ears.wait(READY)
    demo.stop()
    assert ears.read()[0] == READY and ears.heard[-1].startswith(STOPPING)
    ears.close()


def test_the_watchdog_is_fed_at_least_twice_in_its_time(rig, systemd):
    watchdog_s = 1.5
    rig.start(**systemd.environment(watchdog_s, WATCHDOG_PID="1"))
    systemd.wait(READY)
    time.sleep(0.5)
    assert systemd.read() == [READY], "it is for another process"
    rig.daemons[0].close()
    systemd.heard.clear()
    systemd.heard_at.clear()
    rig.start(**systemd.environment(watchdog_s))
    systemd.wait(ALIVE, 7)
    assert systemd.heard[0] == READY and set(systemd.heard[1:]) == {ALIVE}
    assert systemd.heard_at[7] - systemd.heard_at[1] < 3 * watchdog_s


def test_a_daemon_whose_cycles_cannot_go_on_lets_the_watchdog_starve(failpoints_binary, tmp_path, systemd):
    rig = Rig(failpoints_binary, tmp_path / "wedged")
    try:
        # It blocks the thread of all stages; metrics have a thread of their own.
        env = systemd.environment(1.0, FAILPOINTS="send.before=sleep(60000)")
        daemon = rig.start_live(rig.gateway("v43"), **env)
        systemd.wait(READY)
        log = daemon.out.parent / "journal.db-wal"
        wait_until("an order on the disk", lambda: log.exists() and b"sending" in log.read_bytes())
        time.sleep(0.5)
        fed = len(systemd.read())
        time.sleep(2.0)
        assert len(systemd.read()) == fed and daemon.process.poll() is None
        assert daemon.serves(), "the port alone says nothing"
    finally:
        rig.close()


def test_a_taken_port_is_no_reason_to_keep_the_supervisor_waiting(rig, systemd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon = rig.start(settings={"metrics.port": taken.getsockname()[1]}, **systemd.environment())
        systemd.wait(READY)
        assert "cannot listen" in daemon.output()


def test_stopping_is_said_before_an_order_is_waited_for_and_the_watchdog_fed_meanwhile(rig, systemd):
    gateway = rig.gateway("v43", silent)
    daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 4000}, **systemd.environment(0.6))
    wait_until("an order", lambda: gateway.requests)
    daemon.send()
    wait_until("the word", lambda: any(said.startswith(STOPPING) for said in systemd.read()))
    assert daemon.process.poll() is None
    told = len(systemd.heard)
    longest_us = int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", "\n".join(systemd.heard)).group(1))
    code, took = daemon.wait_exit()
    assert code == 0 and took < longest_us / 1e6 <= 11
    assert set(systemd.read()[told:]) == {ALIVE}


def test_a_start_that_fails_never_says_ready(rig, systemd):
    assert rig.start("--threshold", "2", **systemd.environment(1.0)).wait_exit()[0] == 64
    assert rig.start(**systemd.environment(1.0), EODHD_API_TOKEN="").wait_exit()[0] == 64
    journal = str(rig.directory / "journal.db")
    rig.start("--journal", journal).wait_serving()
    assert rig.start("--journal", journal, **systemd.environment(1.0)).wait_exit()[0] == 1
    assert systemd.read() == []


def test_without_a_supervisor_nobody_is_told_and_nothing_is_said_of_it(rig, systemd):
    daemon = rig.start("--once", WATCHDOG_USEC="100000")
    assert daemon.wait_exit()[0] == 0
    assert systemd.read() == [] and "supervisor" not in daemon.output().replace(str(rig.directory), "")


@pytest.mark.parametrize("where", ["/nonexistent/notify", "@nobody", "vsock:2:1", "reads nothing"])
def test_a_supervisor_that_cannot_be_told_stops_no_trading_and_is_logged_once(rig, systemd, where):
    where = systemd.where if where == "reads nothing" else where
    env = {"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "3000"}
    daemon = rig.start("--back-to-back", **env)
    daemon.after_cycles(3)
    wait_until("a word of it", lambda: "cannot be told" in daemon.output())
    time.sleep(0.3)
    assert daemon.stop(signal.SIGTERM)[0] == 0
    assert daemon.output().count("cannot be told") == 1
