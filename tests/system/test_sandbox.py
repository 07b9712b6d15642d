"""`sentinel sandbox`: the demo's three servers alone, in processes of their own, and a daemon that needs no more."""

import pytest

from parts.sandbox import Sandbox


@pytest.fixture
def sandbox(binary, tmp_path):
    """The three processes."""
    sandbox = Sandbox(binary, tmp_path)
    yield sandbox
    sandbox.close()


def test_twenty_cycles_against_the_three_are_counted_and_the_daemon_serves_on(sandbox):
    daemon = sandbox.trade(20)
    metrics = daemon.after_cycles(20)
    assert metrics("trading_cycles_total") == 20
    assert metrics("trading_cycles_failed_total") == 0
    assert metrics.sum("api_errors_total") == metrics("zmq_send_failures_total") == 0
    assert metrics.sum("trading_signals_total") == 20
    assert metrics.nonzero("orders_total", "outcome").keys() == {"filled"}
    assert daemon.get("/livez")[0] == daemon.get("/health")[0] == 200
    assert daemon.metrics()("trading_cycles_total") == 20
    assert daemon.stop()[0] == 0


def test_a_part_stops_on_a_signal_with_0(sandbox):
    assert [part.stop()[0] for part in sandbox.daemons] == [0, 0, 0]
