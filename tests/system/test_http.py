"""The daemon's HTTP server: its port, its paths, and that trading does not depend on them."""

import http.client
import socket
import time

import pytest

from parts.daemon import wait_until
from parts.http import status as scripted
from parts.requirements import require
from parts.sockets import listening_ports


def test_trading_continues_while_the_port_is_taken(harness):
    holder = socket.create_server(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    gateway = harness.gateway()
    daemon = harness.start_live(gateway, settings={"metrics.port": port, "metrics.bind_retry_ms": 200})
    wait_until("an order without a port", lambda: gateway.requests)
    wait_until("a log line about the port", lambda: "cannot listen" in daemon.output())
    # Long enough for several attempts, which must not all be logged.
    time.sleep(1.0)
    assert daemon.output().count("cannot listen") == 1
    holder.close()
    assert daemon.wait_serving(5).after_cycles(1)("orders_total", outcome="filled") == 1
    assert daemon.stop()[0] == 0


def test_without_metrics_no_port_is_opened(harness):
    """The daemon hides its sockets from other processes of its user."""
    require("root")
    gateway = harness.gateway()
    daemon = harness.start_live(gateway, "--no-metrics")
    wait_until("an order", lambda: gateway.requests)
    assert listening_ports(daemon.pid) == set()
    assert daemon.stop()[0] == 0


def test_only_the_agreed_paths_exist(harness):
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    wait_until("readiness", lambda: daemon.get("/readyz")[0] == 200, 5)
    for path in ("/metrics", "/health", "/livez", "/readyz", "/startupz"):
        status, headers, _ = daemon.get(path)
        assert (path, status) == (path, 200)
        assert headers["content-type"]
    for path in ("/metrics/", "/admin", "/health/../metrics"):
        status, headers, _ = daemon.get(path)
        assert (path, status) == (path, 404)
        assert headers["content-type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/metrics", "/health", "/livez"])
def test_only_get_and_head_are_allowed(harness, method, path):
    daemon = harness.start("--cycles", "1").wait_serving()
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    assert answer.status == 405
    assert answer.headers["content-type"]
    connection.close()


def test_head_has_the_headers_and_no_body(harness):
    daemon = harness.start("--cycles", "1").wait_serving()
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=5)
    connection.request("HEAD", "/metrics")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert answer.headers["content-type"].startswith("text/plain")
    connection.close()


def test_health_fails_while_nothing_works_and_liveness_does_not(harness):
    harness.market.always = scripted(500)
    daemon = harness.start("--schedule", "* * * * * *")
    daemon.after_cycles(3)
    assert daemon.get("/livez")[0] == 200
    assert daemon.get("/metrics")[0] == 200
    assert daemon.get("/readyz")[0] == 503, "no cycle has succeeded"


def test_a_client_that_stalls_is_disconnected(harness):
    daemon = harness.start(settings={"metrics.header_deadline_ms": 500}).wait_serving()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost:")
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_unfinished_requests_do_not_block_others(harness):
    settings = {"metrics.connections_max": 32, "metrics.header_deadline_ms": 500}
    daemon = harness.start("--schedule", "* * * * * *", settings=settings)
    daemon.after_cycles(1)
    slow = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(64)]
    for connection in slow:
        connection.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
    before = time.monotonic()
    daemon.wait_serving(5)
    assert time.monotonic() - before < 3
    assert daemon.after_cycles(3)("scheduler_ticks_missed_total") == 0
    for connection in slow:
        connection.close()
