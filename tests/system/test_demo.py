"""`sentinel demo`: no key, no network, no arguments needed, and within seconds everything is to be seen."""

from parts.contract import EIGHTEEN, FAILURE_COUNTERS
from parts.daemon import free_port, wait_until
from parts.exposition import PREFIX


def test_within_15_seconds_a_person_sees_it_trade(rig):
    port = free_port()
    daemon = rig.command("demo", "--cycle-seconds", "0.2", "--metrics-port", str(port), EODHD_API_TOKEN="")
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
    assert f"http://127.0.0.1:{port}" in daemon.output() or f"http://localhost:{port}" in daemon.output()
    assert "/metrics" in daemon.output()
    assert "0.40" in daemon.output(), "its own threshold is printed"
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200, 5)
    assert daemon.stop()[0] == 0


def test_two_demos_run_side_by_side(rig):
    ports = [free_port(), free_port()]
    demos = [rig.command("demo", "--cycle-seconds", "0.5", "--metrics-port", str(port)) for port in ports]
    for demo, port in zip(demos, ports, strict=True):
        demo.port = port
        demo.after_cycles(2)
    assert [demo.stop()[0] for demo in demos] == [0, 0]
