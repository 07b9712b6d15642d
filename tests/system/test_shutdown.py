"""SIGINT, SIGTERM and SIGHUP at any moment: a quick exit with 0, and no order after the signal."""

import json
import os
import pty
import random
import signal
import subprocess
import time

import pytest

from parts import http
from parts.daemon import wait_until
from parts.gateway import late, silent
from parts.preload import preload

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ALL = pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
UNDER_IDLE_S, UNDER_MID_ORDER_S = 1.0, 7.0


@ALL
def test_an_idle_daemon_stops_at_once(harness, number):
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
@pytest.mark.parametrize("part", ["market", "model"])
def test_a_hanging_server_does_not_delay_it(harness, number, part):
    server = getattr(harness, part)
    server.always = http.hang
    daemon = harness.start(settings={"model.deadline_ms": 5000})
    wait_until("a request", lambda: server.requests)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
def test_a_hanging_name_server_does_not_delay_it(harness, number, tmp_path):
    settings = {"data.base_url": "https://market.example"}
    daemon = harness.start(settings=settings, **preload(tmp_path, "slow_resolver")).wait_serving()
    time.sleep(0.3)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
def test_it_waits_for_a_sent_order(harness, number):
    gateway = harness.gateway("v43", silent)
    daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    code, took = daemon.stop(number)
    assert (code, 3 < took < UNDER_MID_ORDER_S) == (0, True), took
    assert "unknown" in daemon.output()


def test_a_reply_is_still_read_but_no_order_follows(harness):
    gateway = harness.gateway("v43", late(1.0))
    daemon = harness.start_live(gateway, "--symbol", "EURUSD,GBPUSD", settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    code, took = daemon.stop()
    assert (code, took < 3) == (0, True), took
    time.sleep(0.5)
    assert [request["symbol"] for request in gateway.requests] == ["EURUSD"]
    assert "filled" in daemon.output()


def test_a_missing_gateway_does_not_delay_it(harness):
    gateway = harness.gateway("v43", bind=False)
    daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("a question to the model", lambda: harness.model.requests)
    time.sleep(0.2)
    code, took = daemon.stop()
    assert (code, took < UNDER_IDLE_S) == (0, True), took
    gateway.bind()
    time.sleep(0.5)
    assert gateway.requests == []


def test_a_closing_terminal_loses_no_sent_order(harness, tmp_path):
    """The terminal sends SIGHUP, and accepts no output afterwards."""
    gateway = harness.gateway("v43", late(1.5))
    ours, its = pty.openpty()
    started = subprocess.Popen
    try:
        # It is the controlling terminal, as for a program that a person started.
        subprocess.Popen = lambda command, **kwargs: started(
            ["setsid", "--ctty", *command], **(kwargs | {"stdin": its, "stdout": its, "stderr": its})
        )
        daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 5000, "log.format": "text"})
    finally:
        subprocess.Popen = started
        os.close(its)
    wait_until("an order", lambda: gateway.requests)
    os.close(ours)
    assert daemon.wait_exit()[0] == 0
    said = harness.command("orders", "--json", STATE_DIRECTORY=str(daemon.out.parent))
    assert said.wait_exit()[0] == 0
    assert [order["state"] for order in json.loads(said.output())] == ["filled"]


def test_a_second_hangup_gives_up_no_order(harness):
    gateway = harness.gateway("v43", late(1.5))
    daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        daemon.send(number)
        time.sleep(0.1)
    assert daemon.wait_exit()[0] == 0
    assert "filled" in daemon.output()


def test_an_ignored_hangup_stays_ignored(harness):
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        daemon = harness.start("--cycles", "1")
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    daemon.after_cycles(1)
    daemon.send(signal.SIGHUP)
    time.sleep(0.5)
    assert daemon.serves()
    assert daemon.stop(signal.SIGTERM)[0] == 0


def test_a_second_signal_ends_it_at_once(harness):
    gateway = harness.gateway("v43", silent)
    daemon = harness.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    daemon.send()
    time.sleep(0.3)
    _, took = daemon.stop()
    assert took < 2, "the gateway has five seconds"


@pytest.mark.parametrize("seed", range(6))
def test_it_stops_cleanly_at_a_random_moment(harness, seed):
    chance = random.Random(seed)
    gateway = harness.gateway(chance.choice(["v43", "place_order"]), late(0.02))
    daemon = harness.start_live(gateway, "--symbol", "EURUSD,GBPUSD,NZDUSD,AUDUSD", "--back-to-back")
    time.sleep(chance.uniform(0.02, 0.5))
    if not daemon.serves():
        wait_until("the first request", lambda: harness.market.requests)
    code, took = daemon.stop(chance.choice(SIGNALS))
    ordered = len(gateway.requests)
    assert (code, took < UNDER_IDLE_S) == (0, True), took
    time.sleep(0.3)
    assert len(gateway.requests) == ordered
    assert gateway.problems == []
