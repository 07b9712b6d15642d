"""SIGINT, SIGTERM and SIGHUP at any moment: exit 0, soon, and no order after the signal."""

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
from parts.slow_resolver import slow_resolver

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ALL = pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
UNDER_IDLE_S, UNDER_MID_ORDER_S = 1.0, 7.0


@ALL
def test_idle_it_stops_at_once(rig, number):
    daemon = rig.start("--cycles", "1")
    daemon.after_cycles(1)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
@pytest.mark.parametrize("part", ["market", "model"])
def test_a_server_that_hangs_does_not_hold_it_up(rig, number, part):
    server = getattr(rig, part)
    server.always = http.hang
    daemon = rig.start(settings={"model.deadline_ms": 5000})
    wait_until("a request", lambda: server.requests)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
def test_a_name_server_that_hangs_does_not_hold_it_up(rig, number, tmp_path):
    daemon = rig.start(settings={"data.base_url": "https://market.example"}, **slow_resolver(tmp_path)).wait_serving()
    time.sleep(0.3)
    code, took = daemon.stop(number)
    assert (code, took < UNDER_IDLE_S) == (0, True), took


@ALL
def test_an_order_that_was_sent_is_waited_for(rig, number):
    gateway = rig.gateway("v43", silent)
    daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    code, took = daemon.stop(number)
    assert (code, 3 < took < UNDER_MID_ORDER_S) == (0, True), took
    assert "unknown" in daemon.output()


def test_the_reply_to_a_sent_order_is_still_read_and_the_next_order_is_not_sent(rig):
    gateway = rig.gateway("v43", late(1.0))
    daemon = rig.start_live(gateway, "--symbol", "EURUSD,GBPUSD", settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    code, took = daemon.stop()
    assert (code, took < 3) == (0, True), took
    time.sleep(0.5)
    assert [request["symbol"] for request in gateway.requests] == ["EURUSD"]
    assert "filled" in daemon.output()


def test_a_gateway_that_is_absent_does_not_hold_it_up(rig):
    gateway = rig.gateway("v43", bind=False)
    daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("a question to the model", lambda: rig.model.requests)
    time.sleep(0.2)
    code, took = daemon.stop()
    assert (code, took < UNDER_IDLE_S) == (0, True), took
    gateway.bind()
    time.sleep(0.5)
    assert gateway.requests == []


def test_a_terminal_that_closes_costs_no_order_under_way(rig, tmp_path):
    """It sends SIGHUP, and takes nothing of what is said from then on."""
    gateway = rig.gateway("v43", late(1.5))
    ours, its = pty.openpty()
    started = subprocess.Popen
    try:
        # The terminal is its controlling one, as for a program that was typed in.
        subprocess.Popen = lambda command, **kwargs: started(
            ["setsid", "--ctty", *command], **(kwargs | {"stdin": its, "stdout": its, "stderr": its})
        )
        daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 5000, "log.format": "text"})
    finally:
        subprocess.Popen = started
        os.close(its)
    wait_until("an order", lambda: gateway.requests)
    os.close(ours)
    assert daemon.wait_exit()[0] == 0
    said = rig.command("orders", "--json", STATE_DIRECTORY=str(daemon.out.parent))
    assert said.wait_exit()[0] == 0
    assert [order["state"] for order in json.loads(said.output())] == ["filled"]


def test_a_hangup_once_more_gives_up_no_order(rig):
    gateway = rig.gateway("v43", late(1.5))
    daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        daemon.send(number)
        time.sleep(0.1)
    assert daemon.wait_exit()[0] == 0
    assert "filled" in daemon.output()


def test_a_hangup_that_is_ignored_stays_so(rig):
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        daemon = rig.start("--cycles", "1")
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    daemon.after_cycles(1)
    daemon.send(signal.SIGHUP)
    time.sleep(0.5)
    assert daemon.serves()
    assert daemon.stop(signal.SIGTERM)[0] == 0


def test_a_second_signal_ends_it_at_once(rig):
    gateway = rig.gateway("v43", silent)
    daemon = rig.start_live(gateway, settings={"gateway.deadline_ms": 5000})
    wait_until("an order", lambda: gateway.requests)
    daemon.send()
    time.sleep(0.3)
    _, took = daemon.stop()
    assert took < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_at_a_random_moment_it_stops_cleanly_and_orders_no_more(rig, seed):
    chance = random.Random(seed)
    gateway = rig.gateway(chance.choice(["v43", "place_order"]), late(0.02))
    daemon = rig.start_live(gateway, "--symbol", "EURUSD,GBPUSD,NZDUSD,AUDUSD", "--back-to-back")
    time.sleep(chance.uniform(0.02, 0.5))
    if not daemon.serves():
        wait_until("the first request", lambda: rig.market.requests)
    code, took = daemon.stop(chance.choice(SIGNALS))
    ordered = len(gateway.requests)
    assert (code, took < UNDER_IDLE_S) == (0, True), took
    time.sleep(0.3)
    assert len(gateway.requests) == ordered
    assert gateway.problems == []
