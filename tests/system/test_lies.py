"""A gateway that drops, delays, garbles, answers for another order, answers twice and restarts: no order is sent again,
and none is believed to be what it is not."""

import time
from collections import Counter
from pathlib import Path

import pytest

from parts.lies import TOLD_FILLED, TOLD_REJECTED
from parts.outside import Outside
from parts.seed import new_seed
from parts.tables import keep

# Short, so that a lie costs little; a truth that takes longer than this is one more lie, which busy machines tell.
DEADLINE_MS = 150
TRUTH = 0.55
ORDER_S_MAX = 1.0
BOTH = pytest.mark.parametrize("dialect", ["v43", "envelope"])


def lie(binary: Path, directory: Path, dialect: str, orders: int, name: str):
    """Lets one daemon trade with the liar until that has received this many orders."""
    seed = new_seed()
    told = {"truth": TRUTH, "deadline_ms": DEADLINE_MS}
    outside = Outside(binary, directory, seed, dialect, **told)
    daemon = None
    try:
        # The breaker would rest for half a minute after a few lies.
        daemon = outside.start({"gateway.deadline_ms": DEADLINE_MS, "breaker.failures": 0})
        outside.wait_ready(daemon)
        until = time.monotonic() + orders * ORDER_S_MAX
        while len(outside.read()) < orders:
            assert daemon.process.poll() is None, daemon.output()[-3000:]
            assert time.monotonic() < until, f"{len(outside.read())} orders: {daemon.output()[-3000:]}"
            outside.settle()
            time.sleep(0.1)
        assert daemon.stop()[0] == 0
        found = outside.judge()
        rows = {row["id"]: row for row in outside.orders()}
    finally:
        if daemon:
            daemon.close()
        problems = outside.close()
    assert problems == []
    notes = Counter(order.note for order in outside.received)
    honest = [order for order in outside.received if order.note in TOLD_FILLED + TOLD_REJECTED]
    believed = [order for order in honest if order.id not in outside.settled and rows[order.id]["state"] != "unknown"]
    keep(
        f"{name}-{dialect}",
        f"{dialect}: {found['received']} orders received, 0 sent again, 0 misattributed (seed {seed})\n"
        f"told: {dict(notes)}\nheld: {dict(found)}; {len(believed)} of {len(honest)} truths believed",
    )
    assert {"dropped", "delayed", "garbled", "stranger", "earlier", "twice", "restarted"} <= set(notes)
    # A truth is lost on a daemon that reads it too late, or after the second half of a lie before it.
    assert len(believed) > 0.6 * len(honest), "the truth is told in vain"


@BOTH
def test_two_hundred_orders_to_a_liar(binary, tmp_path, dialect):
    lie(binary, tmp_path, dialect, 200, "lies")


@pytest.mark.full
@BOTH
def test_two_thousand_orders_to_a_liar(binary, tmp_path, dialect):
    lie(binary, tmp_path, dialect, 2_000, "lies-full")
