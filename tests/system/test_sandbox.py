"""`sentinel sandbox`: the demo's three servers as separate processes, and a daemon that needs only these."""




def test_the_daemon_serves_on_after_its_last_cycle(sandbox):
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


def test_each_server_stops_on_a_signal_with_0(sandbox):
    assert [part.stop()[0] for part in sandbox.daemons] == [0, 0, 0]
