"""A gateway that drops, delays, damages and repeats replies, answers for another order, and restarts: no order is sent again, and
no order gets a wrong outcome."""

import time
from collections import Counter
from pathlib import Path

import pytest

from parts.faulty_gateway import REPORTED_FILLED, REPORTED_REJECTED
from parts.random_seed import new_seed
from parts.tables import keep
from parts.trading_processes import TradingProcesses

# Short, so that a fault takes little time. On a busy machine a good reply may also be later than this.
DEADLINE_MS = 150
SHARE_RELIABLE = 0.55
ORDER_S_MAX = 1.0
BOTH = pytest.mark.parametrize("dialect", ["v43", "envelope"])


def trade(binary: Path, directory: Path, dialect: str, orders: int, name: str):
    """Lets one daemon trade with the faulty gateway until the gateway has received so many orders."""
    seed = new_seed()
    faults = {"share_reliable": SHARE_RELIABLE, "deadline_ms": DEADLINE_MS}
    processes = TradingProcesses(binary, directory, seed, dialect, **faults)
    daemon = None
    try:
        # Otherwise the breaker would open for half a minute after a few faults.
        daemon = processes.start({"gateway.deadline_ms": DEADLINE_MS, "breaker.failures": 0})
        processes.wait_ready(daemon)
        until = time.monotonic() + orders * ORDER_S_MAX
        while len(processes.read()) < orders:
            assert daemon.process.poll() is None, daemon.output()[-3000:]
            assert time.monotonic() < until, f"{len(processes.read())} orders: {daemon.output()[-3000:]}"
            processes.settle()
            time.sleep(0.1)
        assert daemon.stop()[0] == 0
        found = processes.judge()
        rows = {row["id"]: row for row in processes.orders()}
    finally:
        if daemon:
            daemon.close()
        problems = processes.close()
    assert problems == []
    notes = Counter(order.note for order in processes.received)
    good = [order for order in processes.received if order.note in REPORTED_FILLED + REPORTED_REJECTED]
    used = [order for order in good if order.id not in processes.settled and rows[order.id]["state"] != "unknown"]
    keep(
        f"{name}-{dialect}",
        f"{dialect}: {found['received']} orders received, 0 sent again, 0 misattributed (seed {seed})\n"
        f"replies: {dict(notes)}\njournal: {dict(found)}; {len(used)} of {len(good)} good replies used",
    )
    assert {"dropped", "delayed", "garbled", "unknown order", "earlier", "twice", "restarted"} <= set(notes)
    # A good reply is not used if the daemon reads it too late, or after the second reply to an earlier order.
    assert len(used) > 0.6 * len(good), "good replies are ignored"


@BOTH
def test_two_hundred_orders_to_a_faulty_gateway(binary, tmp_path, dialect):
    trade(binary, tmp_path, dialect, 200, "faulty-gateway")


@pytest.mark.full
@BOTH
def test_two_thousand_orders_to_a_faulty_gateway(binary, tmp_path, dialect):
    trade(binary, tmp_path, dialect, 2_000, "faulty-gateway-full")
